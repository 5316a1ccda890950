/** Every control that traps or disables, against every instruction that some control is about. */
import { type Group, type Level, levelsOf } from "./group.ts";
import type { SystemProgram, TopLevel } from "./program.ts";

const bit = (...numbers: number[]): bigint => numbers.reduce((sum, number) => sum | 1n << BigInt(number), 0n);

/** What a register is at reset, and the bits that are inverted one by one. */
interface Control {
  readonly register: string;
  /** Lowest level of machines that have it. */
  readonly from: TopLevel;
  readonly reset: bigint;
  readonly bits: readonly (readonly number[])[];
}

/** HCR_EL2.HCD. */
const HCD = 29;

const each = (...numbers: number[]): number[][] => numbers.map((number) => [number]);

// deno-fmt-ignore
const CONTROLS: readonly Control[] = [
  // UMA, DZE, UCT, nTWI, nTWE, UCI
  { register: "SCTLR_EL1",     from: 2, reset: 0x30d0_0800n, bits: each(9, 14, 15, 16, 18, 26) },
  { register: "CPACR_EL1",     from: 1, reset: 0x30_0000n,   bits: [[20], [21], [20, 21], [28]] },
  { register: "CNTKCTL_EL1",   from: 1, reset: 0n,           bits: each(0, 1, 8, 9) },
  { register: "PMUSERENR_EL0", from: 1, reset: 0n,           bits: each(0, 1, 2, 3) },
  { register: "MDSCR_EL1",     from: 1, reset: 0n,           bits: each(12) },
  // VM, FMO, IMO, AMO, FB, DC, TWI, TWE, TID0–3, TSC, TIDCP, TACR, TSW, TPC, TPU, TTLB, TVM, TGE, TDZ, HCD, TRVM
  { register: "HCR_EL2",       from: 2, reset: 0x8000_0000n, bits: [...each(3, 4, 5, 9, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30), [27]] },
  { register: "CPTR_EL2",      from: 2, reset: 0x33ffn,      bits: each(10, 20, 31) },
  { register: "MDCR_EL2",      from: 2, reset: 6n,           bits: each(5, 6, 7, 8, 9, 10, 11) },
  { register: "CNTHCTL_EL2",   from: 2, reset: 3n,           bits: each(0, 1) },
  { register: "HSTR_EL2",      from: 2, reset: 0n,           bits: [[0, 1, 2, 3, 15]] },
  { register: "CPTR_EL3",      from: 3, reset: 0n,           bits: each(10, 20, 31) },
  { register: "MDCR_EL3",      from: 3, reset: 0n,           bits: [...each(6, 9, 10, 16, 17, 20, 21)] },
  // HCE, ST, TWI, TWE; interrupts are routed elsewhere
  { register: "SCR_EL3",       from: 3, reset: 0x531n,       bits: each(8, 11, 12, 13, 0) },
];

/** Instructions whose permission depends on some control; those that wait have something to wake them. */
// deno-fmt-ignore
const CODE: readonly string[] = [
  "msr daifset, #1", "mrs x4, daif", "dc zva, x1", "mrs x4, ctr_el0", "mrs x4, dczid_el0", "dc cvac, x1", "dc civac, x1",
  "dc cvau, x1", "ic ivau, x1", "dc ivac, x1", "dc isw, xzr", "dc csw, xzr", "dc cisw, xzr", "ic iallu", "ic ialluis",
  "tlbi vmalle1", "tlbi vae1, x2", "tlbi aside1is, x2", "tlbi vaale1, x2", "tlbi alle1", "tlbi ipas2e1is, x2",
  "tlbi alle2", "tlbi alle3", "tlbi vmalls12e1is",
  "at s1e1r, x1", "at s1e0w, x1", "at s12e1r, x1", "at s1e2r, x1", "at s1e3r, x1",
  "mrs x4, sctlr_el1", "msr sctlr_el1, x3", "mrs x4, ttbr0_el1", "msr ttbr0_el1, x2", "msr tcr_el1, x2",
  "msr contextidr_el1, x2", "msr mair_el1, x2", "mrs x4, amair_el1", "msr far_el1, x2", "msr afsr0_el1, x2", "mrs x4, esr_el1",
  "mrs x4, actlr_el1", "msr actlr_el1, x2", "mrs x4, midr_el1", "mrs x4, mpidr_el1", "mrs x4, revidr_el1", "mrs x4, aidr_el1",
  "mrs x4, id_aa64pfr0_el1", "mrs x4, id_pfr0_el1", "mrs x4, id_aa64isar0_el1", "mrs x4, s3_0_c0_c7_7", "mrs x4, mvfr0_el1",
  "mrs x4, clidr_el1", "mrs x4, ccsidr_el1", "mrs x4, csselr_el1", "msr csselr_el1, x2",
  "mrs x4, cpacr_el1", "msr cpacr_el1, x4", "mrs x4, cptr_el2", "mrs x4, cptr_el3", "fmov d0, x1", "ldr q0, [x1]", "mrs x4, fpcr",
  "msr fpsr, x2", "str d0, [x1]",
  "mrs x4, mdscr_el1", "mrs x4, dbgbvr0_el1", "msr dbgbcr1_el1, x2", "mrs x4, dbgwvr0_el1", "mrs x4, oslsr_el1",
  "msr oslar_el1, x2", "mrs x4, osdlr_el1", "mrs x4, dbgprcr_el1", "mrs x4, mdrar_el1", "mrs x4, mdccint_el1",
  "mrs x4, mdccsr_el0", "mrs x4, dbgdtrrx_el0", "msr dbgdtrtx_el0, x2", "mrs x4, dbgauthstatus_el1", "mrs x4, dbgclaimset_el1",
  "mrs x4, pmcr_el0", "mrs x4, pmccntr_el0", "msr pmcntenset_el0, x2", "mrs x4, pmceid0_el0", "msr pmswinc_el0, x2",
  "mrs x4, pmxevcntr_el0", "mrs x4, pmuserenr_el0", "mrs x4, pmintenset_el1", "msr pmselr_el0, x2", "mrs x4, pmevcntr0_el0",
  "mrs x4, pmevtyper5_el0", "mrs x4, pmccfiltr_el0", "mrs x4, pmovsset_el0",
  "mrs x4, cntfrq_el0", "msr cntfrq_el0, x2", "mrs x4, cntpct_el0", "mrs x4, cntvct_el0", "mrs x4, cntp_ctl_el0", "msr cntp_cval_el0, x2",
  "mrs x4, cntp_cval_el0", "mrs x4, cntv_ctl_el0", "msr cntv_cval_el0, x2", "mrs x4, cntkctl_el1", "mrs x4, cntps_ctl_el1",
  "msr cntps_cval_el1, x2", "mrs x4, cnthp_ctl_el2", "mrs x4, cntvoff_el2",
  "mrs x4, hcr_el2", "mrs x4, vbar_el2", "mrs x4, scr_el3", "mrs x4, sp_el0", "mrs x4, sp_el1", "mrs x4, elr_el1", "mrs x4, spsr_el2",
  "mrs x4, tpidr_el0", "msr tpidr_el0, x2", "msr tpidrro_el0, x2", "mrs x4, isr_el1", "mrs x4, rvbar_el1", "mrs x4, rmr_el3",
  "mrs x4, s3_1_c15_c2_0", "msr s3_1_c15_c2_0, x2", "mrs x4, s3_0_c15_c0_0", "sys #0, c15, c0, #0", "mrs x4, s3_7_c11_c0_0",
  "mrs x4, par_el1", "mrs x4, dacr32_el2", "mrs x4, ifsr32_el2", "mrs x4, fpexc32_el2", "mrs x4, sder32_el3",
  "mrs x4, vpidr_el2", "mrs x4, vttbr_el2", "mrs x4, mdcr_el2", "mrs x4, hstr_el2",
  "hvc #1", "svc #2", "smc #3", "brk #4", "wfi", "wfe",
];

const MEMORY = 0x4900_0000n;

const GICD = 0x800_0000n, GICC = 0x801_0000n;
/** The physical timer of EL1. */
const TIMER_INTERRUPT = 30n;

/** Leaves an interrupt pending at the CPU, masked, so that WFI ends; `on` false takes it back. */
function pendInterrupt(program: SystemProgram, on: boolean): void {
  program.store32(GICD, on ? 1n : 0n).store32(GICC, on ? 1n : 0n).store32(GICC + 4n, 0xffn);
  program.store32(GICD + 0x100n, 1n << TIMER_INTERRUPT);
  program.set("CNTP_CVAL_EL0", 0n).set("CNTP_CTL_EL0", on ? 1n : 0n);
}

/** Each instruction at some levels, after `set`; `what` is said in the names of the runs. */
export function trapRuns(
  program: SystemProgram,
  what: string,
  levels: readonly Level[],
  set: () => void,
): void {
  for (const level of levels) {
    for (const line of CODE) {
      program.reset();
      if (line === "wfi") pendInterrupt(program, true);
      set();
      program.run({
        name: `${line} at EL${level}${what}`,
        level,
        code: line === "wfe" ? ["sevl", "wfe"] : [line],
        x: [0n, MEMORY, 0n, 0x30d0_0800n],
      });
      if (line === "wfi") pendInterrupt(program, false);
    }
  }
}

/** Each control with some of its bits inverted, against each instruction below the highest level that it concerns. */
function controlGroup(control: Control, top: TopLevel): Group {
  const { register, reset, bits } = control;
  return {
    name: `traps of ${register}, top EL${top}`,
    top,
    build(program) {
      for (const numbers of bits) {
        if (register === "HCR_EL2" && numbers[0] === HCD && top === 2) continue; // HVC is how results come up
        const value = reset ^ bit(...numbers);
        trapRuns(program, `, ${register} = 0x${value.toString(16)}`, levelsOf(top).slice(0, -1), () => {
          program.set(register, value);
        });
      }
    },
  };
}

/** The groups; without EL3 only the controls that work the same at fewer levels are left out. */
export const groups: readonly Group[] = [
  ...([1, 2, 3] as const).map((top): Group => ({
    name: `permissions, top EL${top}`,
    top,
    build: (program) => trapRuns(program, "", levelsOf(top), () => {}),
  })),
  ...CONTROLS.filter(({ from }) => from <= 3).map((control) => controlGroup(control, 3)),
  ...CONTROLS.filter(({ from }) => from <= 2).map((control) => controlGroup(control, 2)),
  ...CONTROLS.filter(({ from }) => from === 1).map((control) => controlGroup(control, 1)),
];
