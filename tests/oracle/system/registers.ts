/** System registers: reads of every encoding at every level, and which bits of the named ones can be written. */
import { SYSTEM_REGISTERS, systemRegisterName } from "../../../machine/a64/system_names.ts";
import { type Group, type Level } from "./group.ts";
import type { SystemProgram } from "./program.ts";

/** MRS X4 of an encoding (see `systemEncoding`). */
const read = (encoding: number): number => (0xd520_0004 | (encoding << 5)) >>> 0;
/** MSR from X`source`. */
const write = (encoding: number, source: number): number => (0xd500_0000 | (encoding << 5) | source) >>> 0;

/** Reads of all encodings with op0 = 2 and 3 at a level. */
function sweep(level: Level, op0: 2 | 3): Group {
  return {
    name: `reads, op0 ${op0}, EL${level}`,
    top: 3,
    build(program) {
      program.reset();
      for (let encoding = op0 << 14; encoding < (op0 + 1) << 14; encoding++) {
        const name = systemRegisterName(encoding, "read");
        program.run({ name: `${name} at EL${level}`, level, code: [read(encoding)] });
      }
    },
  };
}

/** Names and reset values at the highest level of machines with fewer levels. */
function named(top: 1 | 2): Group {
  return {
    name: `named registers, top EL${top}`,
    top,
    build(program) {
      for (const [name, encoding] of Object.entries(SYSTEM_REGISTERS)) {
        if (name === "DBGDTRTX_EL0") continue; // the read of this encoding is DBGDTRRX_EL0
        program.reset().run({ name: `${name} at EL${top}`, level: top, code: [read(encoding)] });
      }
    },
  };
}

/** Registers that the runner needs as they are, or whose writes have effects of their own. */
const NOT_WRITTEN: ReadonlySet<string> = new Set([
  ...["SCTLR_EL3", "VBAR_EL3", "SCR_EL3", "SPSel", "DAIF", "RMR_EL3", "TPIDR_EL3"],
  ...["DBGDTR_EL0", "DBGDTRTX_EL0", "DBGDTRRX_EL0", "OSDTRRX_EL1", "OSDTRTX_EL1", "OSLAR_EL1", "PMSWINC_EL0"],
]);

const PATTERNS = [
  0xffff_ffff_ffff_ffffn,
  0n,
  0x5555_5555_5555_5555n,
  0xaaaa_aaaa_aaaa_aaaan,
  0x0123_4567_89ab_cdefn,
];

/** Each pattern written and read back at EL3, then the old value put in place again. */
function writes(program: SystemProgram): void {
  for (const [name, encoding] of Object.entries(SYSTEM_REGISTERS)) {
    if (NOT_WRITTEN.has(name)) continue;
    for (const pattern of PATTERNS) {
      program.reset().run({
        name: `${name} = 0x${pattern.toString(16)}`,
        level: 3,
        code: [
          read(encoding),
          "mov x5, x4",
          write(encoding, 0),
          read(encoding),
          "mov x6, x4",
          write(encoding, 5),
          read(encoding),
        ],
        x: [pattern],
      });
    }
  }
}

/** The groups. */
export const groups: readonly Group[] = [
  ...([0, 1, 2, 3] as const).flatMap((level) => [sweep(level, 3), sweep(level, 2)]),
  named(1),
  named(2),
  { name: "writes at EL3", top: 3, build: writes },
];
