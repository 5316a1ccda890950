/** Advanced SIMD on integers with three registers of one type, vectors and scalars (Arm ARM C4.1). */
import { type Instruction, instruction, type Row } from "./instruction.ts";
import {
  absoluteDifference,
  addTo,
  halvingAdd,
  halvingSub,
  notLess,
  operation,
  pairwise,
  roundingDoublingMulAdd,
  roundingHalvingAdd,
  subtractFrom,
  test,
} from "./simd_arithmetic.ts";
import { type Bit, hasSize, hasVectorSize, operands, scalar, type Sizes, vector } from "./simd_forms.ts";
import { type Meaning, onScalars, onVectors } from "./simd_lanes.ts";

const signed = "Signed", unsigned = "Unsigned";

// Name, U, opcode, vector sizes, scalar sizes, meaning.
// deno-fmt-ignore
const INTEGER: readonly (readonly [string, Bit, string, Sizes, Sizes | "", Meaning])[] = [
  ["SHADD",   "0", "00000", "bhs",  "",     halvingAdd(signed)],
  ["UHADD",   "1", "00000", "bhs",  "",     halvingAdd(unsigned)],
  ["SQADD",   "0", "00001", "bhsd", "bhsd", operation("laneAddSaturatingSigned")],
  ["UQADD",   "1", "00001", "bhsd", "bhsd", operation("laneAddSaturatingUnsigned")],
  ["SRHADD",  "0", "00010", "bhs",  "",     roundingHalvingAdd(signed)],
  ["URHADD",  "1", "00010", "bhs",  "",     roundingHalvingAdd(unsigned)],
  ["SHSUB",   "0", "00100", "bhs",  "",     halvingSub(signed)],
  ["UHSUB",   "1", "00100", "bhs",  "",     halvingSub(unsigned)],
  ["SQSUB",   "0", "00101", "bhsd", "bhsd", operation("laneSubSaturatingSigned")],
  ["UQSUB",   "1", "00101", "bhsd", "bhsd", operation("laneSubSaturatingUnsigned")],
  ["CMGT",    "0", "00110", "bhsd", "d",    operation("laneGreaterSigned")],
  ["CMHI",    "1", "00110", "bhsd", "d",    operation("laneGreaterUnsigned")],
  ["CMGE",    "0", "00111", "bhsd", "d",    notLess(signed)],
  ["CMHS",    "1", "00111", "bhsd", "d",    notLess(unsigned)],
  ["SSHL",    "0", "01000", "bhsd", "d",    operation("laneShiftBySigned", 0)],
  ["USHL",    "1", "01000", "bhsd", "d",    operation("laneShiftByUnsigned", 0)],
  ["SQSHL",   "0", "01001", "bhsd", "bhsd", operation("laneShiftBySaturatingSigned", 0)],
  ["UQSHL",   "1", "01001", "bhsd", "bhsd", operation("laneShiftBySaturatingUnsigned", 0)],
  ["SRSHL",   "0", "01010", "bhsd", "d",    operation("laneShiftBySigned", 1)],
  ["URSHL",   "1", "01010", "bhsd", "d",    operation("laneShiftByUnsigned", 1)],
  ["SQRSHL",  "0", "01011", "bhsd", "bhsd", operation("laneShiftBySaturatingSigned", 1)],
  ["UQRSHL",  "1", "01011", "bhsd", "bhsd", operation("laneShiftBySaturatingUnsigned", 1)],
  ["SMAX",    "0", "01100", "bhs",  "",     operation("laneMaxSigned")],
  ["UMAX",    "1", "01100", "bhs",  "",     operation("laneMaxUnsigned")],
  ["SMIN",    "0", "01101", "bhs",  "",     operation("laneMinSigned")],
  ["UMIN",    "1", "01101", "bhs",  "",     operation("laneMinUnsigned")],
  ["SABD",    "0", "01110", "bhs",  "",     absoluteDifference(signed)],
  ["UABD",    "1", "01110", "bhs",  "",     absoluteDifference(unsigned)],
  ["SABA",    "0", "01111", "bhs",  "",     addTo(absoluteDifference(signed))],
  ["UABA",    "1", "01111", "bhs",  "",     addTo(absoluteDifference(unsigned))],
  ["ADD",     "0", "10000", "bhsd", "d",    operation("laneAdd")],
  ["SUB",     "1", "10000", "bhsd", "d",    operation("laneSub")],
  ["CMTST",   "0", "10001", "bhsd", "d",    test],
  ["CMEQ",    "1", "10001", "bhsd", "d",    operation("laneEqual")],
  ["MLA",     "0", "10010", "bhs",  "",     addTo(operation("laneMul"))],
  ["MLS",     "1", "10010", "bhs",  "",     subtractFrom(operation("laneMul"))],
  ["MUL",     "0", "10011", "bhs",  "",     operation("laneMul")],
  ["PMUL",    "1", "10011", "b",    "",     operation("lanePolynomialMul")],
  ["SMAXP",   "0", "10100", "bhs",  "",     pairwise(operation("laneMaxSigned"))],
  ["UMAXP",   "1", "10100", "bhs",  "",     pairwise(operation("laneMaxUnsigned"))],
  ["SMINP",   "0", "10101", "bhs",  "",     pairwise(operation("laneMinSigned"))],
  ["UMINP",   "1", "10101", "bhs",  "",     pairwise(operation("laneMinUnsigned"))],
  ["SQDMULH", "0", "10110", "hs",   "hs",   operation("laneDoublingMulHigh", 0)],
  ["SQRDMULH", "1", "10110", "hs",  "hs",   operation("laneDoublingMulHigh", 1)],
  ["ADDP",    "0", "10111", "bhsd", "",     pairwise(operation("laneAdd"))],
];

const REGISTERS = ["Rd", "Rn", "Rm"];

function integerRows([name, U, opcode, sizes, scalarSizes, meaning]: typeof INTEGER[number]): Instruction[] {
  const mnemonic = name.toLowerCase();
  const encoding = `0 Q:1 ${U} 01110 size:2 1 Rm:5 ${opcode} 1 Rn:5 Rd:5` as const;
  const row = instruction(
    `${name}_vector`,
    encoding,
    `${mnemonic} ${operands(vector, "full", REGISTERS)}`,
    onVectors(meaning),
    hasVectorSize(sizes),
  );
  if (scalarSizes === "") return [row];
  const scalarEncoding = `01 ${U} 11110 size:2 1 Rm:5 ${opcode} 1 Rn:5 Rd:5` as const;
  const text = `${mnemonic} ${operands(scalar, "bySize", REGISTERS)}`;
  return [
    row,
    instruction(`${name}_simd_scalar`, scalarEncoding, text, onScalars(meaning), hasSize(scalarSizes)),
  ];
}

/** SQRDMLAH and SQRDMLSH, of an encoding group of their own. */
const ROUNDING_DOUBLING = [["SQRDMLAH", "0000", roundingDoublingMulAdd(0)], [
  "SQRDMLSH",
  "0001",
  roundingDoublingMulAdd(1),
]] as const;

function roundingDoublingRows([name, opcode, meaning]: typeof ROUNDING_DOUBLING[number]): Row[] {
  const mnemonic = name.toLowerCase(), options = { ...hasSize("hs"), feature: "RDM" } as const;
  // deno-fmt-ignore
  return [
    instruction(`${name}_vector`,      `0 Q:1 1 01110 size:2 0 Rm:5 1 ${opcode} 1 Rn:5 Rd:5`, `${mnemonic} ${operands(vector, "full", REGISTERS)}`,   onVectors(meaning), options),
    instruction(`${name}_simd_scalar`, `01 1 11110 size:2 0 Rm:5 1 ${opcode} 1 Rn:5 Rd:5`,    `${mnemonic} ${operands(scalar, "bySize", REGISTERS)}`, onScalars(meaning), options),
  ];
}

/** The rows; bitwise logic is in simd_move.ts. */
export const rows: readonly Row[] = [
  ...INTEGER.flatMap(integerRows),
  ...ROUNDING_DOUBLING.flatMap(roundingDoublingRows),
];
