/** Pieces of random code about the system: its registers, waiting, maintenance, firmware and the debugger. */
import { DATA, hex, LOCKS, type Place, WINDOW, x } from "./place.ts";

/** System registers worth writing, with values; the others are random. */
// deno-fmt-ignore
const SYSTEM: readonly (readonly [weight: number, name: string, values: readonly (number | bigint)[] | undefined])[] = [
  [6, "cntv_tval_el0",  [0, 1, 5, 20, 100, 1000, 0xffff_ffff]], [3, "cntv_ctl_el0",   [1, 1, 1, 2, 3, 0]],
  [3, "cntp_tval_el0",  [0, 3, 50, 400, 2000]],                 [2, "cntp_ctl_el0",   [1, 1, 3, 0]],
  [1, "cntv_cval_el0",  [0, 1, 100, 0xffff_ffff_ffff_ffffn]],   [3, "cntkctl_el1",    [0, 3, 7, 0x17, 0x37, 0x3f, 0x4f, 0x303]],
  [2, "cntvoff_el2",    [0, 100, 0xffff_ffff_ffff_fff0n]],      [1, "cnthctl_el2",    [0, 3, 0x37]],
  [1, "cnthp_tval_el2", [10, 500]],                             [1, "cnthp_ctl_el2",  [1, 0]],
  [3, "mdscr_el1",      [0, 1, 0x2001, 0x8001]],                [2, "oslar_el1",      [0, 1]],
  [2, "cpacr_el1",      [0, 0x10_0000, 0x30_0000, 0x30_0000]],  [2, "contextidr_el1", undefined],
  [3, "tpidr_el0",      undefined],                             [1, "par_el1",        undefined],
  [2, "pmcr_el0",       [1, 0x41, 9, 7, 0]],                    [2, "pmcntenset_el0", [0x8000_003f, 1]],
  [1, "pmcntenclr_el0", undefined],                             [1, "pmevtyper0_el0", [0x11, 0, 0x8000_0011]],
  [1, "pmxevtyper_el0", [0x11, 0]],                             [1, "pmselr_el0",     [0, 3, 31]],
  [1, "pmccntr_el0",    [0, 0xffff_fff0]],                      [1, "pmuserenr_el0",  [15, 0]],
  [1, "pmswinc_el0",    [63]],                                  [1, "pmintenset_el1", [0x8000_0001]],
  [2, "mair_el1",       [0x04_44_ff_00, 0x04_44_bb_00]],        [1, "amair_el1",      undefined],
  [1, "fpcr",           undefined],                             [1, "fpsr",           undefined],
  [1, "spsr_el1",       undefined],                             [1, "elr_el1",        undefined],
  [1, "vbar_el1",       undefined],                             [1, "hcr_el2",        [0x8000_0000, 0x8000_0038, 0x8000_00b8, 0x8800_0000]],
  [1, "scr_el3",        [0x401, 0x403, 0x40d, 0x400]],          [1, "csselr_el1",     [0, 1, 2]],
  [1, "sp_el0",         undefined],                             [1, "vmpidr_el2",     undefined],
];

/** Writes a system register. */
export function writeSystem({ choices }: Place): string {
  const [, name, values] = choices.weighted(SYSTEM);
  if (name === "vbar_el1" && !choices.oneIn(30)) return "isb";
  if (values === undefined) return `msr ${name}, ${x(choices)}`;
  return `ldr x9, =${hex(choices.of(values))}\nmsr ${name}, x9`;
}

/** System registers worth reading. */
// deno-fmt-ignore
export const READABLE = [
  "cntvct_el0", "cntpct_el0", "cntv_ctl_el0", "cntv_tval_el0", "cntp_ctl_el0", "esr_el1", "far_el1", "elr_el1", "spsr_el1",
  "isr_el1", "par_el1", "pmccntr_el0", "pmevcntr0_el0", "pmovsset_el0", "sp_el0", "daif", "nzcv", "currentel", "spsel",
  "mpidr_el1", "midr_el1", "hcr_el2", "scr_el3", "cntvoff_el2", "sctlr_el1", "ttbr0_el1", "tcr_el1", "hpfar_el2", "fpsr",
];

/** Bits of SCTLR_EL1 that code may change and live on: A, SA, SA0, nTWI, nTWE, E0E, UCI, UCT, DZE, UMA, WXN, M. */
const SCTLR_BITS = [1, 3, 4, 16, 18, 24, 26, 15, 14, 9, 1, 1];

/** Sets a timer and waits for it. */
export function idle({ choices }: Place): string {
  const [name, wait] = [choices.of(["cntv", "cntv", "cntp"]), choices.of(["wfi", "wfi", "wfe", "wfe\nwfe"])];
  const masks = choices.oneIn(3) ? `msr ${choices.of(["daifset", "daifclr"])}, #2\n` : "";
  return `${masks}mov x9, #${choices.between(1, 3000)}\nmsr ${name}_tval_el0, x9\n` +
    `mov x9, #1\nmsr ${name}_ctl_el0, x9\n${wait}`;
}

/** Flips a bit of SCTLR_EL1. */
export function changeControl({ choices }: Place): string {
  const bit = choices.oneIn(40) ? choices.of([0, 19, 25]) : choices.of(SCTLR_BITS);
  return `mrs x9, sctlr_el1\neor x9, x9, #${hex(2 ** bit)}\nmsr sctlr_el1, x9\nisb`;
}

/** Changes TTBR0_EL1: other tables, another address space. */
export function otherTables({ choices }: Place): string {
  const asid = BigInt(choices.below(3)) << 48n;
  const table = choices.oneIn(2) ? "level1" : "level1b";
  return `ldr x9, =${table}\nldr x10, =${hex(asid)}\norr x9, x9, x10\nmsr ttbr0_el1, x9` +
    (choices.oneIn(2) ? "\nisb" : "");
}

const PSCI = [
  0x8400_0000,
  0x8400_0001,
  0xc400_0003,
  0xc400_0003,
  0xc400_0004,
  0x8400_000a,
  0x8400_0002,
  0x1234,
];

/** Steps one instruction of some piece by a debug exception. */
export function step({ choices, count }: Place): string {
  return [
    "msr oslar_el1, xzr",
    `ldr x9, =${hex(choices.of([1, 0x2001, 0x2001]))}`,
    "msr mdscr_el1, x9",
    `ldr x9, =${hex(choices.of([0x20_0000, 0x20_0005]))}`,
    "msr spsr_el1, x9",
    `adr x9, a${choices.below(count)}`,
    "msr elr_el1, x9",
    "eret",
  ].join("\n");
}

/** Arms a breakpoint on a piece or a watchpoint on data, and mostly lets their exceptions come. */
export function arm({ choices, count }: Place): string {
  const number = choices.below(4), isBreakpoint = choices.oneIn(2);
  const kind = isBreakpoint ? "b" : "w";
  const control = isBreakpoint
    ? choices.of([0x21e7, 0x1e7, 0x1e3, 0x1e5, 0x1e6, 0x1401e7])
    : choices.of([0x3fff, 0x1fff, 0x1ff7, 0x1fef, 0x1fe0, 0x600_1fff, 0xc00_1ff7]);
  const address = isBreakpoint
    ? `adr x9, a${choices.below(count)}`
    : `add x9, x${choices.of([DATA, DATA, LOCKS, WINDOW])}, #${choices.of([0, 0, 8, 16, 64, 256])}`;
  return [
    "msr oslar_el1, xzr",
    `ldr x9, =${hex(choices.of([0xa000, 0xa000, 0x8000, 0xa001, 0]))}`,
    "msr mdscr_el1, x9",
    address,
    `msr dbg${kind}vr${number}_el1, x9`,
    `ldr x9, =${hex(control)}`,
    `msr dbg${kind}cr${number}_el1, x9`,
    choices.oneIn(2) ? "msr daifclr, #8" : "isb",
  ].join("\n");
}

/** Lets a counter of instructions or cycles raise its interrupt soon. */
export function profile({ choices }: Place): string {
  const counter = choices.below(3);
  return [
    `ldr x9, =${hex(choices.of([8, 8, 0x11, 0x8000_0008, 0x4000_0008]))}`,
    `msr pmevtyper${counter}_el0, x9`,
    `mov x9, #${choices.between(1, 2000)}`,
    "neg x9, x9",
    `msr ${choices.of([`pmevcntr${counter}_el0`, "pmccntr_el0"])}, x9`,
    "ldr x9, =0x80000007",
    `msr ${choices.of(["pmintenset_el1", "pmintenset_el1", "pmintenclr_el1"])}, x9`,
    `msr ${choices.of(["pmcntenset_el0", "pmcntenset_el0", "pmovsclr_el0"])}, x9`,
    `mov x9, #${choices.of([0x41, 0x41, 1, 9, 0])}`,
    "msr pmcr_el0, x9",
  ].join("\n");
}

/** Calls PSCI. */
export function firmware({ choices }: Place): string {
  const rare = choices.oneIn(60) ? choices.of([0x8400_0008, 0x8400_0009]) : choices.of(PSCI);
  return [
    `ldr x0, =${hex(rare)}`,
    `mov x1, #${choices.below(5)}`,
    `ldr x2, =start`,
    `mov x3, #${choices.below(9)}`,
    `${choices.of(["hvc", "smc"])} #0`,
  ].join("\n");
}

/** Calls the debugger. */
export function semihosting({ choices }: Place): string {
  const operation = choices.of([1, 2, 3, 4, 5, 6, 7, 9, 0xa, 0x10, 0x11, 0x13, 0x15, 0x16, 0x30, 0x31]);
  const block = choices.of([`x${DATA}`, `x${LOCKS}`, "x1"]);
  return [
    `adr x9, name`,
    `str x9, [x${DATA}]`,
    `mov x9, #${choices.below(5)}`,
    `stp x9, x9, [x${DATA}, #8]`,
    `mov x0, #${operation}`,
    `mov x1, ${block}`,
    `hlt #0xf000`,
  ].join("\n");
}

/** Waiting, waking and barriers. */
export const HINTS = [
  "wfe",
  "wfe",
  "wfe",
  "sev",
  "sevl",
  "yield",
  "yield",
  "wfi",
  "wfi",
  "clrex",
  "isb",
  "dsb sy",
  "nop",
];
/** Writes of PSTATE fields. */
export const MASKS = [
  "msr daifset, #2",
  "msr daifclr, #2",
  "msr daifclr, #3",
  "msr daifclr, #15",
  "msr daifset, #8",
  "msr spsel, #0",
  "msr spsel, #1",
];
/** Cache, TLB and address instructions. */
export const MAINTENANCE = [
  ...[
    "dc zva, x20",
    "dc civac, x23",
    "dc ivac, x20",
    "ic iallu",
    "ic ivau, x23",
    "tlbi alle1",
    "tlbi vmalle1",
  ],
  ...["at s1e1r, x23", "at s1e0w, x20", "at s12e1r, x23", "dc zva, x21", "dc zva, x24"],
];
