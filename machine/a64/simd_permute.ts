/** Advanced SIMD permutation, extraction and table lookup (Arm ARM C4.1); missing so far. */
import { missing, type Row } from "./instruction.ts";

// deno-fmt-ignore
const PERMUTE = [["UZP1", "001"], ["TRN1", "010"], ["ZIP1", "011"], ["UZP2", "101"], ["TRN2", "110"], ["ZIP2", "111"]] as const;

/** Doublewords are permuted in a 128-bit vector alone. */
const permuteExists = {
  when: ({ size, Q }: { readonly size: number; readonly Q: number }): boolean => size < 3 || Q === 1,
};

/** A 64-bit vector has eight bytes. */
const extractExists = {
  when: ({ Q, imm4 }: { readonly Q: number; readonly imm4: number }): boolean => Q === 1 || imm4 < 8,
};

const LENGTHS = [["1", "00"], ["2", "01"], ["3", "10"], ["4", "11"]] as const;

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  missing("EXT", "0 Q:1 10 1110 00 0 Rm:5 0 imm4:4 0 Rn:5 Rd:5", "ext {Rd:vector(qb)}, {Rn:vector(qb)}, {Rm:vector(qb)}, #{imm4}", extractExists),
  ...PERMUTE.map(([name, opcode]) => missing(name, `0 Q:1 00 1110 size:2 0 Rm:5 0 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(full)}, {Rn:vector(full)}, {Rm:vector(full)}`, permuteExists)),
  ...LENGTHS.flatMap(([count, len]) => [
    missing(`TBL_${count}`, `0 Q:1 00 1110 00 0 Rm:5 0 ${len} 0 00 Rn:5 Rd:5`, `tbl {Rd:vector(qb)}, {Rn:list(${count}+16b)}, {Rm:vector(qb)}`),
    missing(`TBX_${count}`, `0 Q:1 00 1110 00 0 Rm:5 0 ${len} 1 00 Rn:5 Rd:5`, `tbx {Rd:vector(qb)}, {Rn:list(${count}+16b)}, {Rm:vector(qb)}`),
  ]),
];
