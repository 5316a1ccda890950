/** CONSTRAINED UNPREDICTABLE cases of instructions, and what happens here: what QEMU 7.2 does. */

/** A case and its choice. */
export interface UnpredictableRow {
  /** Instructions and the condition on their fields. */
  readonly name: string;
  /** Where the Arm ARM leaves the choice. */
  readonly section: string;
  /** What happens here. */
  readonly choice: string;
}

/** Every such case among the implemented rows. */
// deno-fmt-ignore
export const UNPREDICTABLE: readonly UnpredictableRow[] = [
  { name: "LDR and its like with writeback, Rn = Rt ≠ 31", section: "C6.2 LDR (immediate)", choice: "Rt is loaded, then the new base is written over it" },
  { name: "STR and its like with writeback, Rn = Rt ≠ 31", section: "C6.2 STR (immediate)", choice: "the base's old value is stored, then the new base is written" },
  { name: "LDP, LDNP, LDPSW, Rt = Rt2",                    section: "C6.2 LDP",             choice: "both are loaded; the register keeps the first" },
  { name: "LDP of SIMD&FP registers, Rt = Rt2",            section: "C7.2 LDP (SIMD&FP)",   choice: "both are loaded; the register keeps the second" },
  { name: "LDP, LDPSW with writeback, Rn = Rt or Rt2 ≠ 31", section: "C6.2 LDP",            choice: "the registers are loaded, then the new base is written over" },
  { name: "STP with writeback, Rn = Rt or Rt2 ≠ 31",       section: "C6.2 STP",             choice: "the base's old value is stored, then the new base is written" },
  { name: "LDXP, LDAXP, Rt = Rt2",                         section: "C6.2 LDXP",            choice: "the register keeps the second" },
  { name: "STXR, STLXR, Rs = Rt",                          section: "C6.2 STXR",            choice: "the old value is stored, then the status is written" },
  { name: "STXR, STLXR, Rs = Rn ≠ 31",                     section: "C6.2 STXR",            choice: "the old value is the address, then the status is written" },
  { name: "STXP, STLXP, Rs = Rt or Rt2",                   section: "C6.2 STXP",            choice: "the old value is stored, then the status is written" },
  { name: "STXP, STLXP, Rs = Rn ≠ 31",                     section: "C6.2 STXP",            choice: "the old value is the address, then the status is written" },
  { name: "bits in parentheses that are not as they should be", section: "C1.1.3",          choice: "they are ignored" },
];
