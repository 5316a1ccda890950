/** What is not compared with `qemu-aarch64`, and why. */
import type { CpuModel } from "../../machine/a64/feature.ts";
import type { AnyFields } from "../../machine/a64/pattern.ts";

/** Some rows, or some cases of them. */
export interface Exclusion {
  /** Names of rows. */
  readonly rows: readonly string[];
  /** The cases, by fields and CPU model; all of them by default. */
  readonly when?: (fields: AnyFields, model: CpuModel) => boolean;
  /** Section of the Arm ARM. */
  readonly section: string;
  /** Why an outsider in user mode cannot tell. */
  readonly reason: string;
}

/** Every exclusion. */
// deno-fmt-ignore
export const EXCLUSIONS: readonly Exclusion[] = [
  // What the machine around a process decides; the bare machine's programs in system/ compare it at every level.
  { rows: ["SVC"],           section: "C6.2 SVC",     reason: "Linux serves the call" },
  { rows: ["MRS", "MSR_reg"], section: "D13.2",       reason: "Linux and QEMU choose what a process may read, and what it reads" },
  { rows: ["MSR_imm"],       section: "C6.2 MSR (immediate)", reason: "PSTATE but its flags is the kernel's" },
  { rows: ["SYS", "SYSL"],   section: "C5.3–C5.5",    reason: "Linux chooses which of them a process may execute" },
  { rows: ["HLT"], when: ({ imm16 }) => imm16 === 0xf000, section: "C6.2 HLT", reason: "QEMU serves it as semihosting, for which Arm reserves it" },
  { rows: ["HINT"], when: (fields, model) => model === "max" && signsPointers(fields), section: "D5.1.5", reason: "the keys of pointer authentication are the kernel's" },
];

/** Hints that are PAC…, AUT… and XPACLRI where there is pointer authentication. */
function signsPointers({ imm7 = 0 }: AnyFields): boolean {
  return [7, 8, 10, 12, 14].includes(imm7) || (imm7 >= 24 && imm7 < 32);
}

/** The exclusion of a whole row, if any. */
export function rowExclusion(row: string): Exclusion | undefined {
  return EXCLUSIONS.find(({ rows, when }) => when === undefined && rows.includes(row));
}

/** Why some cases of a row are left out, or "" when none are. */
export function caseReason(row: string): string {
  return EXCLUSIONS.filter(({ rows, when }) => when !== undefined && rows.includes(row))
    .map(({ section, reason }) => `${reason} (${section})`).join("; ");
}

/** The exclusion of a case, if any. */
export function caseExclusion(row: string, fields: AnyFields, model: CpuModel): Exclusion | undefined {
  return EXCLUSIONS.find(({ rows, when }) => rows.includes(row) && when?.(fields, model));
}
