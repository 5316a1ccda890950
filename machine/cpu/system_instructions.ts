/** Who may execute AT, DC, IC and TLBI, and what traps them; what they do is in address_translate.ts (Arm ARM C5.3–C5.5). */
import type { Feature } from "../a64/feature.ts";
import { SYSTEM_INSTRUCTIONS } from "../a64/system_names.ts";
import { performSystemInstruction } from "./address_translate.ts";
import type { Cpu } from "./cpu.ts";
import { isFineGrainedTrapped } from "./fine_grained_traps.ts";
import { isImplementationDefinedTrapped, isTrapped } from "./system_registers.ts";
import { type TrapName, trapOf } from "./system_register_traps.ts";
import { raiseUndefined } from "./take_exception.ts";
import { isSecureBelowEl3 } from "./translation_regime.ts";

interface InstructionRow {
  /** Lowest level that may execute it. */
  readonly level: 0 | 1 | 2 | 3;
  /** Level that must exist: `higher` is EL2 or EL3. */
  readonly needs: "none" | "higher" | "el2";
  /** Controls that trap it. */
  readonly traps: readonly TrapName[];
  /** Extension that it belongs to. */
  readonly feature?: Feature;
  /** UNDEFINED at EL3 while SCR_EL3.NS is 0, where there is no EL2 regime. */
  readonly needsNonSecure?: boolean;
}

const EL1_TLBI: InstructionRow = { level: 1, needs: "none", traps: ["TTLB"] };
const EL1: InstructionRow = { level: 1, needs: "none", traps: [] };
const HIGHER: InstructionRow = { level: 2, needs: "higher", traps: [] };
const EL2: InstructionRow = { level: 2, needs: "el2", traps: [] };
const EL3: InstructionRow = { level: 3, needs: "none", traps: [] };
const BY_SET_AND_WAY: InstructionRow = { level: 1, needs: "none", traps: ["TSW"] };
const WHOLE_CACHE: InstructionRow = { level: 1, needs: "none", traps: ["TPU"] };
const TO_COHERENCY: InstructionRow = { level: 0, needs: "none", traps: ["UCI", "TPC"] };
const TO_UNIFICATION: InstructionRow = { level: 0, needs: "none", traps: ["UCI", "TPU"] };

const ZERO_BLOCK_TRAPS: readonly TrapName[] = ["DZE", "TDZ"];

/** Rows by the names of their instructions; a TLBI has its inner-shareable form with `is` as well. */
// deno-fmt-ignore
const ROWS: readonly (readonly [row: InstructionRow, names: string])[] = [
  [WHOLE_CACHE,    "ic ialluis, ic iallu"],
  [TO_UNIFICATION, "ic ivau, dc cvau"],
  [TO_COHERENCY,   "dc cvac, dc civac"],
  [{ ...TO_COHERENCY, feature: "DPB" }, "dc cvap"],
  [{ ...TO_COHERENCY, feature: "DPB2" }, "dc cvadp"],
  [{ level: 1, needs: "none", traps: ["TPC"] }, "dc ivac"],
  [{ level: 0, needs: "none", traps: ZERO_BLOCK_TRAPS }, "dc zva"],
  [BY_SET_AND_WAY, "dc isw, dc csw, dc cisw"],
  [EL1,            "at s1e1r, at s1e1w, at s1e0r, at s1e0w"],
  [{ ...EL1, feature: "PAN2" }, "at s1e1rp, at s1e1wp"],
  [HIGHER,         "at s12e1r, at s12e1w, at s12e0r, at s12e0w"],
  [{ ...EL2, needsNonSecure: true }, "at s1e2r, at s1e2w"],
  [EL3,            "at s1e3r, at s1e3w"],
  [EL1_TLBI,       "tlbi vmalle1, tlbi vae1, tlbi aside1, tlbi vaae1, tlbi vale1, tlbi vaale1"],
  [HIGHER,         "tlbi ipas2e1, tlbi ipas2le1, tlbi alle1, tlbi vmalls12e1"],
  [EL2,            "tlbi alle2, tlbi vae2, tlbi vale2"],
  [EL3,            "tlbi alle3, tlbi vae3, tlbi vale3"],
];

function byEncoding(): ReadonlyMap<number, InstructionRow> {
  const rows = new Map<number, InstructionRow>();
  for (const [row, names] of ROWS) {
    for (const name of names.split(", ")) {
      for (const form of name.startsWith("tlbi") ? [name, `${name}is`] : [name]) {
        const instruction = SYSTEM_INSTRUCTIONS[form];
        if (instruction === undefined) throw new RangeError(`Cannot define "${form}": no such instruction`);
        rows.set(instruction.encoding, row);
      }
    }
  }
  return rows;
}

const BY_ENCODING = byEncoding();

function isAllowed(cpu: Cpu, row: InstructionRow): boolean {
  const { level, needs, feature = "Armv8.0", needsNonSecure = false } = row;
  const { el2, el3 } = cpu.features;
  if (!cpu.implements(feature)) return false;
  if (cpu.el < level || (needs === "el2" && !el2) || (needs === "higher" && !el2 && !el3)) return false;
  return !(needsNonSecure && isSecureBelowEl3(cpu));
}

const ZERO_BLOCK = SYSTEM_INSTRUCTIONS["dc zva"]?.encoding as number;

/** True when DC ISW, CSW and CISW trap at the present level, by other than fine-grained traps; constant until a burst ends. */
export function isSetWayTrapped(cpu: Cpu): boolean {
  return trapOf(cpu, BY_SET_AND_WAY.traps, false) !== undefined;
}

/** True when DC ZVA traps at the present level; constant until a burst ends. */
export function isZeroBlockTrapped(cpu: Cpu): boolean {
  return trapOf(cpu, ZERO_BLOCK_TRAPS, false) !== undefined || isFineGrainedTrapped(cpu, ZERO_BLOCK, false);
}

/** SYS: executes a system instruction with the value of Xt, or makes its exception pending. */
export function executeSystemInstruction(cpu: Cpu, encoding: number, Rt: number, operand: bigint): void {
  if (isImplementationDefinedTrapped(cpu, encoding, Rt, false)) return;
  const row = BY_ENCODING.get(encoding);
  if (row === undefined || !isAllowed(cpu, row)) return raiseUndefined(cpu);
  if (isTrapped(cpu, row.traps, encoding, Rt, false)) return;
  if (!performSystemInstruction(cpu, encoding, operand)) raiseUndefined(cpu);
}

/** SYSL: there is none, so it is UNDEFINED where HCR_EL2.TIDCP does not trap it. */
export function executeSystemInstructionLong(cpu: Cpu, encoding: number, Rt: number): bigint {
  if (!isImplementationDefinedTrapped(cpu, encoding, Rt, true)) raiseUndefined(cpu);
  return 0n;
}
