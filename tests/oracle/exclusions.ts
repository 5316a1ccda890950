/** What is not compared with `qemu-aarch64`, and why. */
import type { CpuModel } from "../../machine/a64/feature.ts";
import type { AnyFields } from "../../machine/a64/pattern.ts";
import { AT_FPSR, AT_V, AT_X } from "./record.ts";

/** Some rows, or some cases of them. */
export interface Exclusion {
  /** Names of rows. */
  readonly rows: readonly string[];
  /** The cases, by fields and CPU model; all of them by default. */
  readonly when?: (fields: AnyFields, model: CpuModel) => boolean;
  /** The cases, by fields and the record of what is before; only for QEMU's errors. */
  readonly state?: (fields: AnyFields, record: BigUint64Array) => boolean;
  /** Section of the Arm ARM. */
  readonly section: string;
  /** Why an outsider in user mode cannot tell. */
  readonly reason: string;
}

/** What signs or authenticates pointers. */
// deno-fmt-ignore
const POINTER_ROWS = [
  "PACIA", "PACIB", "PACDA", "PACDB", "PACIZA", "PACIZB", "PACDZA", "PACDZB", "AUTIA", "AUTIB", "AUTDA", "AUTDB",
  "AUTIZA", "AUTIZB", "AUTDZA", "AUTDZB", "PACGA", "BRAA", "BRAB", "BRAAZ", "BRABZ", "BLRAA", "BLRAB", "BLRAAZ", "BLRABZ",
  "RETAA", "RETAB", "LDRAA", "LDRAB", "LDRAA_writeback", "LDRAB_writeback",
];

const UNCHECKED = "QEMU does not check the alignment of a load-acquire RCpc";

/** Every exclusion. */
// deno-fmt-ignore
export const EXCLUSIONS: readonly Exclusion[] = [
  // What the machine around a process decides; the bare machine's programs in system/ compare it at every level.
  { rows: ["SVC"],           section: "C6.2 SVC",     reason: "Linux serves the call" },
  { rows: ["MRS", "MSR_reg"], section: "D13.2",       reason: "Linux and QEMU choose what a process may read, and what it reads" },
  { rows: ["UAO", "PAN", "SPSel", "SSBS", "DIT", "DAIFSet", "DAIFClr"].map((field) => `MSR_imm_${field}`), section: "C6.2 MSR (immediate)", reason: "PSTATE but its flags is the kernel's" },
  { rows: ["SYS", "SYSL"],   section: "C5.3–C5.5",    reason: "Linux chooses which of them a process may execute" },
  { rows: ["HLT"], when: ({ imm16 }) => imm16 === 0xf000, section: "C6.2 HLT", reason: "QEMU serves it as semihosting, for which Arm reserves it" },
  { rows: ["HINT"], when: (fields, model) => model === "max" && signsPointers(fields), section: "D5.1.5", reason: "the keys of pointer authentication are the kernel's" },
  { rows: POINTER_ROWS,      section: "D5.1.5",       reason: "the keys of pointer authentication are the kernel's" },
  // What QEMU 7.2 has wrong.
  { rows: ["FJCVTZS"],       state: isFlushedDouble, section: "J1.1 FPToFixedJS", reason: "QEMU takes a denormal that is flushed to zero for exact" },
  { rows: ["FCVTZS_imm_scalar_H"], state: (fields, record) => (lowHalf(fields, record) & 0x8000n) !== 0n, section: "C7.2 FCVTZS", reason: "QEMU sign-extends the result to 32 bits" },
  { rows: ["LDAPRH"],        state: isMisaligned(2),  section: "B2.5.2",           reason: UNCHECKED },
  { rows: ["LDAPR_W"],       state: isMisaligned(4),  section: "B2.5.2",           reason: UNCHECKED },
  { rows: ["LDAPR_X"],       state: isMisaligned(8),  section: "B2.5.2",           reason: UNCHECKED },
];

/** The address in Rn, or SP, is not a multiple of the size. */
function isMisaligned(size: number): (fields: AnyFields, record: BigUint64Array) => boolean {
  return ({ Rn = 0 }, record) => (record[AT_X + Rn] as bigint) % BigInt(size) !== 0n;
}

/** Low half of V[Rn]. */
function lowHalf({ Rn = 0 }: AnyFields, record: BigUint64Array): bigint {
  return record[AT_V + 2 * Rn] as bigint;
}

/** A double that is a denormal, while FPCR.FZ is 1. */
function isFlushedDouble(fields: AnyFields, record: BigUint64Array): boolean {
  const flushes = ((record[AT_FPSR] as bigint) >> 32n & 1n << 24n) !== 0n;
  const magnitude = BigInt.asUintN(63, lowHalf(fields, record));
  return flushes && magnitude !== 0n && magnitude >> 52n === 0n;
}

/** Hints that are PAC… and AUT… where there is pointer authentication. */
function signsPointers({ imm7 = 0 }: AnyFields): boolean {
  return [8, 10, 12, 14].includes(imm7) || (imm7 >= 24 && imm7 < 32);
}

/** The exclusion of a whole row, if any. */
export function rowExclusion(row: string): Exclusion | undefined {
  return EXCLUSIONS.find(({ rows, when, state }) => !when && !state && rows.includes(row));
}

/** Why some cases of a row are left out, or "" when none are. */
export function caseReason(row: string): string {
  return EXCLUSIONS.filter(({ rows, when, state }) => (when || state) && rows.includes(row))
    .map(({ section, reason }) => `${reason} (${section})`).join("; ");
}

/** True when a word's cases are left out. */
export function isWordExcluded(row: string, fields: AnyFields, model: CpuModel): boolean {
  return EXCLUSIONS.some(({ rows, when }) => rows.includes(row) && when?.(fields, model));
}

/** True when a case is left out for what is before the instruction. */
export function isStateExcluded(row: string, fields: AnyFields, record: BigUint64Array): boolean {
  return EXCLUSIONS.some(({ rows, state }) => rows.includes(row) && state?.(fields, record));
}
