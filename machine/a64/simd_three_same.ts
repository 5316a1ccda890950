/** Advanced SIMD on integers with three registers of one type, vectors and scalars (Arm ARM C4.1); missing so far. */
import { type Instruction, missing, type Row } from "./instruction.ts";
import { type Bit, hasSize, hasVectorSize, operands, scalar, type Sizes, vector } from "./simd_forms.ts";

// Integers: name, U, opcode, vector sizes, scalar sizes.
// deno-fmt-ignore
const INTEGER: readonly (readonly [string, Bit, string, Sizes, Sizes | ""])[] = [
  ["SHADD",   "0", "00000", "bhs",  ""],     ["UHADD",    "1", "00000", "bhs",  ""],
  ["SQADD",   "0", "00001", "bhsd", "bhsd"], ["UQADD",    "1", "00001", "bhsd", "bhsd"],
  ["SRHADD",  "0", "00010", "bhs",  ""],     ["URHADD",   "1", "00010", "bhs",  ""],
  ["SHSUB",   "0", "00100", "bhs",  ""],     ["UHSUB",    "1", "00100", "bhs",  ""],
  ["SQSUB",   "0", "00101", "bhsd", "bhsd"], ["UQSUB",    "1", "00101", "bhsd", "bhsd"],
  ["CMGT",    "0", "00110", "bhsd", "d"],    ["CMHI",     "1", "00110", "bhsd", "d"],
  ["CMGE",    "0", "00111", "bhsd", "d"],    ["CMHS",     "1", "00111", "bhsd", "d"],
  ["SSHL",    "0", "01000", "bhsd", "d"],    ["USHL",     "1", "01000", "bhsd", "d"],
  ["SQSHL",   "0", "01001", "bhsd", "bhsd"], ["UQSHL",    "1", "01001", "bhsd", "bhsd"],
  ["SRSHL",   "0", "01010", "bhsd", "d"],    ["URSHL",    "1", "01010", "bhsd", "d"],
  ["SQRSHL",  "0", "01011", "bhsd", "bhsd"], ["UQRSHL",   "1", "01011", "bhsd", "bhsd"],
  ["SMAX",    "0", "01100", "bhs",  ""],     ["UMAX",     "1", "01100", "bhs",  ""],
  ["SMIN",    "0", "01101", "bhs",  ""],     ["UMIN",     "1", "01101", "bhs",  ""],
  ["SABD",    "0", "01110", "bhs",  ""],     ["UABD",     "1", "01110", "bhs",  ""],
  ["SABA",    "0", "01111", "bhs",  ""],     ["UABA",     "1", "01111", "bhs",  ""],
  ["ADD",     "0", "10000", "bhsd", "d"],    ["SUB",      "1", "10000", "bhsd", "d"],
  ["CMTST",   "0", "10001", "bhsd", "d"],    ["CMEQ",     "1", "10001", "bhsd", "d"],
  ["MLA",     "0", "10010", "bhs",  ""],     ["MLS",      "1", "10010", "bhs",  ""],
  ["MUL",     "0", "10011", "bhs",  ""],     ["PMUL",     "1", "10011", "b",    ""],
  ["SMAXP",   "0", "10100", "bhs",  ""],     ["UMAXP",    "1", "10100", "bhs",  ""],
  ["SMINP",   "0", "10101", "bhs",  ""],     ["UMINP",    "1", "10101", "bhs",  ""],
  ["SQDMULH", "0", "10110", "hs",   "hs"],   ["SQRDMULH", "1", "10110", "hs",   "hs"],
  ["ADDP",    "0", "10111", "bhsd", ""],
];

const REGISTERS = ["Rd", "Rn", "Rm"];

function integerRows([name, U, opcode, sizes, scalarSizes]: typeof INTEGER[number]): Instruction[] {
  const mnemonic = name.toLowerCase();
  const encoding = `0 Q:1 ${U} 01110 size:2 1 Rm:5 ${opcode} 1 Rn:5 Rd:5` as const;
  const row = missing(
    `${name}_vector`,
    encoding,
    `${mnemonic} ${operands(vector, "full", REGISTERS)}`,
    hasVectorSize(sizes),
  );
  if (scalarSizes === "") return [row];
  const scalarEncoding = `01 ${U} 11110 size:2 1 Rm:5 ${opcode} 1 Rn:5 Rd:5` as const;
  const text = `${mnemonic} ${operands(scalar, "bySize", REGISTERS)}`;
  return [row, missing(`${name}_simd_scalar`, scalarEncoding, text, hasSize(scalarSizes))];
}

/** The rows; bitwise logic is in simd_move.ts. */
export const rows: readonly Row[] = INTEGER.flatMap(integerRows);
