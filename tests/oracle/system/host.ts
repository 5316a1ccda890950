/** The Virtualization Host Extensions: EL1's registers seen from a host at EL2, and what is trapped and routed there. */
import type { Group } from "./group.ts";
import { routingRuns } from "./interrupts.ts";
import type { SystemProgram } from "./program.ts";
import { trapRuns } from "./traps.ts";

const HCR_RW = 1n << 31n, E2H = HCR_RW | 1n << 34n, IN_HOST = E2H | 1n << 27n;

/** Registers of EL1 and EL2 with values that software can live with. */
// deno-fmt-ignore
const PAIRS: readonly (readonly [of1: string, of2: string, value1: bigint, value2: bigint])[] = [
  ["SCTLR_EL1", "SCTLR_EL2", 0x30d0_0800n, 0x30c5_0830n], ["CPACR_EL1", "CPTR_EL2", 0x10_0000n, 0x30_0000n],
  ["TTBR0_EL1", "TTBR0_EL2", 0x1111_0000n, 0x2222_0000n], ["TTBR1_EL1", "TTBR1_EL2", 0x3333_0000n, 0x4444_0000n],
  ["TCR_EL1", "TCR_EL2", 0x19n, 0x20n], ["AFSR0_EL1", "AFSR0_EL2", 0n, 0n], ["AFSR1_EL1", "AFSR1_EL2", 0n, 0n],
  ["ESR_EL1", "ESR_EL2", 0x5600_0000n, 0x5a00_0000n], ["FAR_EL1", "FAR_EL2", 0x1234n, 0x5678n],
  ["MAIR_EL1", "MAIR_EL2", 0xff_0400n, 0xff_440cn], ["AMAIR_EL1", "AMAIR_EL2", 0n, 0n],
  ["CONTEXTIDR_EL1", "CONTEXTIDR_EL2", 7n, 8n], ["CNTKCTL_EL1", "CNTHCTL_EL2", 3n, 0xf03n],
  ["SPSR_EL1", "SPSR_EL2", 0x3c5n, 0x3c9n], ["ELR_EL1", "ELR_EL2", 0x1_0000n, 0x2_0000n],
];
const TIMERS = [["CNTP", "CNTHP"], ["CNTV", "CNTHV"]] as const;

function registerRuns(program: SystemProgram): void {
  for (const hcr of [HCR_RW, E2H, IN_HOST]) {
    for (const [of1, of2, value1, value2] of PAIRS) {
      for (const level of [2, 3] as const) {
        // deno-fmt-ignore
        const codes = [
          [`mrs x4, ${of1}`, `mrs x5, ${of2}`], [`mrs x4, ${of1}2`],
          [`msr ${of1}, x0`, `mrs x4, ${of1}`, `mrs x5, ${of2}`, `msr ${of1}, x1`],
          [`msr ${of1}2, x0`, `mrs x4, ${of1}2`, `mrs x5, ${of2}`, `msr ${of1}2, x1`],
        ];
        for (const code of codes) {
          program.reset().set("HCR_EL2", hcr).set(of1, value1).set(of2, value2);
          const isChanging = code.length > 2 && level === 2 && hcr !== HCR_RW && !code[0]?.includes("EL12");
          program.run({
            name: `${code.join("; ")} at EL${level}, HCR_EL2 0x${hcr.toString(16)}`,
            level,
            code,
            x: isChanging ? [value2, value2] : [value1, value1],
          });
          program.set(of1, value1).set(of2, of2 === "SCTLR_EL2" ? value2 : 0n);
        }
      }
    }
  }
}

/** Each name of a timer's control and compare value at each level, after the timers of all levels got values of their own. */
function timerRuns(program: SystemProgram): void {
  for (const hcr of [HCR_RW, E2H, IN_HOST]) {
    for (const [of1, of2] of TIMERS) {
      for (const level of [0, 2, 3] as const) {
        for (const name of [`${of1}_CVAL_EL0`, `${of1}_CTL_EL0`, `${of1}_CVAL_EL02`, `${of1}_CTL_EL02`]) {
          if (hcr === HCR_RW && name.endsWith("02")) continue;
          program.reset().set("HCR_EL2", hcr).set("CNTKCTL_EL1", 0x303n).set("CNTHCTL_EL2", 0xf03n);
          program.set(`${of1}_CVAL_EL0`, 0x7111_0000_0000_0000n).set(
            `${of2}_CVAL_EL2`,
            0x7222_0000_0000_0000n,
          );
          program.set(`${of1}_CTL_EL0`, 2n).set(`${of2}_CTL_EL2`, 3n);
          const code = [`mrs x4, ${name}`, `msr ${name}, x0`, `mrs x5, ${name}`];
          program.run({ name: `${name} at EL${level}, HCR_EL2 0x${hcr.toString(16)}`, level, code, x: [2n] });
          program.run({
            name: `after ${name} at EL${level}, HCR_EL2 0x${hcr.toString(16)}`,
            level: 3,
            code: [
              `mrs x4, ${of1}_CVAL_EL0`,
              `mrs x5, ${of2}_CVAL_EL2`,
              `mrs x6, ${of1}_CTL_EL0`,
              `mrs x7, ${of2}_CTL_EL2`,
            ],
          });
          program.set(`${of1}_CTL_EL0`, 0n).set(`${of2}_CTL_EL2`, 0n);
        }
      }
    }
  }
}

const bit = (...numbers: number[]): bigint => numbers.reduce((sum, number) => sum | 1n << BigInt(number), 0n);

/** Controls of a host, bits inverted one by one, as `CONTROLS` of traps.ts has those of others. */
// deno-fmt-ignore
const CONTROLS: readonly { readonly register: string; readonly reset: bigint; readonly bits: readonly number[] }[] = [
  { register: "SCTLR_EL2",   reset: 0x34d5_ca00n | 0x830n, bits: [9, 14, 15, 16, 18, 26] },
  { register: "CPTR_EL2",    reset: 3n << 20n,             bits: [20, 21, 31] },
  { register: "CNTHCTL_EL2", reset: 0xf03n,                bits: [0, 1, 8, 9, 10, 11] },
  { register: "HCR_EL2",     reset: 0n,                    bits: [3, 4, 5, 9, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 30] },
  { register: "MDCR_EL2",    reset: 6n,                    bits: [5, 6, 8, 9, 10, 11] },
  { register: "CPTR_EL3",    reset: 0n,                    bits: [10, 31] },
];

function controlRuns(program: SystemProgram, hcr: bigint, levels: readonly (0 | 2)[]): void {
  for (const { register, reset, bits } of CONTROLS) {
    for (const number of [undefined, ...bits]) {
      const value = (register === "HCR_EL2" ? hcr : reset) ^ (number === undefined ? 0n : bit(number));
      if (number === undefined && register !== "SCTLR_EL2") continue;
      trapRuns(
        program,
        `, ${register} = 0x${value.toString(16)}, HCR_EL2 0x${hcr.toString(16)}`,
        levels,
        () => {
          program.set("HCR_EL2", hcr);
          for (const other of CONTROLS.slice(0, 3)) program.set(other.register, other.reset);
          program.set(register, value);
        },
      );
    }
  }
}

function group(name: string, build: Group["build"]): Group {
  return { name: `${name}, max`, top: 3, model: "max", build };
}

const FMO = 8n, IMO = 0x10n, AMO = 0x20n;
const ROUTES = [0n, FMO, IMO, FMO | IMO | AMO];

/** The groups. */
export const groups: readonly Group[] = [
  group("registers of a host", registerRuns),
  group("timers of a host", timerRuns),
  group("traps of a host", (program) => controlRuns(program, E2H, [0, 2])),
  group("traps of a host's applications", (program) => controlRuns(program, IN_HOST, [0])),
  group("interrupt routing of a host", (program) => {
    routingRuns(program, [E2H, IN_HOST].flatMap((hcr) => ROUTES.map((routes) => hcr & ~HCR_RW | routes)));
  }),
];
