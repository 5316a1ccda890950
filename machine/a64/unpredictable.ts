/** CONSTRAINED UNPREDICTABLE cases of instructions, and what happens here: what QEMU 7.2 does. */
import type { AnyFields } from "./pattern.ts";

/** A case and its choice. */
export interface UnpredictableRow {
  /** Names of the instruction rows. */
  readonly rows: RegExp;
  /** The condition on their fields, in words. */
  readonly name: string;
  /** True for the fields of which it holds. */
  readonly when: (fields: AnyFields) => boolean;
  /** Where the Arm ARM leaves the choice. */
  readonly section: string;
  /** What happens here. */
  readonly choice: string;
}

/** Register 31 as base is SP and as operand zero, so the two are not the same. */
const baseIsOperand = ({ Rn, Rt, Rt2 }: AnyFields): boolean => Rn !== 31 && (Rn === Rt || Rn === Rt2);
const sameTwice = ({ Rt, Rt2 }: AnyFields): boolean => Rt === Rt2;
const statusIsValue = ({ Rs, Rt, Rt2 }: AnyFields): boolean => Rs === Rt || Rs === Rt2;
const statusIsBase = ({ Rs, Rn }: AnyFields): boolean => Rs === Rn && Rn !== 31;

/** Every such case among the implemented rows; bits in parentheses that are not as they should be are ignored (C1.1.3). */
// deno-fmt-ignore
export const UNPREDICTABLE: readonly UnpredictableRow[] = [
  { rows: /^LDR(B|H|SB_[WX]|SH_[WX]|SW|_W|_X)_(pre|post)$/, name: "writeback, Rn = Rt",       when: baseIsOperand, section: "C6.2 LDR (immediate)",
    choice: "Rt is loaded, then the new base is written over it" },
  { rows: /^STR(B|H|_W|_X)_(pre|post)$/,                    name: "writeback, Rn = Rt",       when: baseIsOperand, section: "C6.2 STR (immediate)",
    choice: "the base's old value is stored, then the new base is written" },
  { rows: /^LDRA[AB]_writeback$/,                           name: "writeback, Rn = Rt",       when: baseIsOperand, section: "C6.2 LDRAA, LDRAB",
    choice: "Rt is loaded, then the new base is written over it" },
  { rows: /^LDN?P(_W|_X|SW)/,                               name: "Rt = Rt2",                 when: sameTwice,     section: "C6.2 LDP",
    choice: "both are loaded; the register keeps the first" },
  { rows: /^LDN?P_[SDQ]/,                                   name: "Rt = Rt2",                 when: sameTwice,     section: "C7.2 LDP (SIMD&FP)",
    choice: "both are loaded; the register keeps the second" },
  { rows: /^LDP(_W|_X|SW)_(pre|post)$/,                     name: "writeback, Rn = Rt or Rt2", when: baseIsOperand, section: "C6.2 LDP",
    choice: "the registers are loaded, then the new base is written over" },
  { rows: /^STP(_W|_X)_(pre|post)$/,                        name: "writeback, Rn = Rt or Rt2", when: baseIsOperand, section: "C6.2 STP",
    choice: "the base's old value is stored, then the new base is written" },
  { rows: /^LDA?XP/,                                        name: "Rt = Rt2",                 when: sameTwice,     section: "C6.2 LDXP",
    choice: "the register keeps the second" },
  { rows: /^STL?X[RP]/,                                     name: "Rs = Rt or Rt2",           when: statusIsValue, section: "C6.2 STXR, STXP",
    choice: "the old value is stored, then the status is written" },
  { rows: /^STL?X[RP]/,                                     name: "Rs = Rn",                  when: statusIsBase,  section: "C6.2 STXR, STXP",
    choice: "the old value is the address, then the status is written" },
];

/** The cases that an instruction with these fields is. */
export function unpredictableCases(row: string, fields: AnyFields): readonly UnpredictableRow[] {
  return UNPREDICTABLE.filter(({ rows, when }) => rows.test(row) && when(fields));
}
