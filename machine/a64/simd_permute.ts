/** Advanced SIMD permutation, extraction, table lookup, and the cryptographic instructions (Arm ARM C4.1); missing so far. */
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

// Two registers: name, opcode, text.
// deno-fmt-ignore
const AES = [["AESE", "00100"], ["AESD", "00101"], ["AESMC", "00110"], ["AESIMC", "00111"]] as const;
// deno-fmt-ignore
const SHA_THREE = [
  ["SHA1C",   "000", "{Rd:scalar(q)}, {Rn:scalar(s)}, {Rm:vector(4s)}"], ["SHA1P",     "001", "{Rd:scalar(q)}, {Rn:scalar(s)}, {Rm:vector(4s)}"],
  ["SHA1M",   "010", "{Rd:scalar(q)}, {Rn:scalar(s)}, {Rm:vector(4s)}"], ["SHA1SU0",   "011", "{Rd:vector(4s)}, {Rn:vector(4s)}, {Rm:vector(4s)}"],
  ["SHA256H", "100", "{Rd:scalar(q)}, {Rn:scalar(q)}, {Rm:vector(4s)}"], ["SHA256H2",  "101", "{Rd:scalar(q)}, {Rn:scalar(q)}, {Rm:vector(4s)}"],
  ["SHA256SU1", "110", "{Rd:vector(4s)}, {Rn:vector(4s)}, {Rm:vector(4s)}"],
] as const;
// deno-fmt-ignore
const SHA_TWO = [
  ["SHA1H", "00000", "{Rd:scalar(s)}, {Rn:scalar(s)}"], ["SHA1SU1", "00001", "{Rd:vector(4s)}, {Rn:vector(4s)}"], ["SHA256SU0", "00010", "{Rd:vector(4s)}, {Rn:vector(4s)}"],
] as const;

const shaFeature = (name: string): { feature: "SHA1" | "SHA256" } => ({
  feature: name.startsWith("SHA1") ? "SHA1" : "SHA256",
});

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  missing("EXT", "0 Q:1 10 1110 00 0 Rm:5 0 imm4:4 0 Rn:5 Rd:5", "ext {Rd:vector(qb)}, {Rn:vector(qb)}, {Rm:vector(qb)}, #{imm4}", extractExists),
  ...PERMUTE.map(([name, opcode]) => missing(name, `0 Q:1 00 1110 size:2 0 Rm:5 0 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(full)}, {Rn:vector(full)}, {Rm:vector(full)}`, permuteExists)),
  ...LENGTHS.flatMap(([count, len]) => [
    missing(`TBL_${count}`, `0 Q:1 00 1110 00 0 Rm:5 0 ${len} 0 00 Rn:5 Rd:5`, `tbl {Rd:vector(qb)}, {Rn:list(${count}+16b)}, {Rm:vector(qb)}`),
    missing(`TBX_${count}`, `0 Q:1 00 1110 00 0 Rm:5 0 ${len} 1 00 Rn:5 Rd:5`, `tbx {Rd:vector(qb)}, {Rn:list(${count}+16b)}, {Rm:vector(qb)}`),
  ]),
  // Cryptography.
  ...AES.map(([name, opcode]) => missing(name, `0100 1110 00 10100 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(16b)}, {Rn:vector(16b)}`, { feature: "AES" })),
  ...SHA_THREE.map(([name, opcode, text]) => missing(name, `0101 1110 00 0 Rm:5 0 ${opcode} 00 Rn:5 Rd:5`, `${name.toLowerCase()} ${text}`, shaFeature(name))),
  ...SHA_TWO.map(([name, opcode, text]) => missing(name, `0101 1110 00 10100 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${text}`, shaFeature(name))),
];
