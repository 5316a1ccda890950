/** All instruction tables together: decoding and lowering of any word. */
import { type Alias, type Decoded, DecodeIndex, type Instruction, isAlias, type Row } from "./instruction.ts";
import { rows as addSubtract } from "./add_subtract.ts";
import { rows as atomic } from "./atomic.ts";
import { rows as branch } from "./branch.ts";
import { rows as conditional } from "./conditional.ts";
import { rows as crypto } from "./crypto.ts";
import { rows as exclusive } from "./exclusive.ts";
import { rows as flagManipulation } from "./flag_manipulation.ts";
import { rows as float } from "./float.ts";
import { rows as floatConvert } from "./float_convert.ts";
import { rows as loadStore } from "./load_store.ts";
import { rows as loadStorePair } from "./load_store_pair.ts";
import { rows as logicalBitfield } from "./logical_bitfield.ts";
import { rows as multiplyDivide } from "./multiply_divide.ts";
import { rows as simdBfloat } from "./simd_bfloat.ts";
import { rows as simdComplex } from "./simd_complex.ts";
import { rows as simdDot } from "./simd_dot.ts";
import { rows as simdElement } from "./simd_element.ts";
import { rows as simdFloatAcross } from "./simd_float_across.ts";
import { rows as simdFloatConvert } from "./simd_float_convert.ts";
import { rows as simdFloatElement } from "./simd_float_element.ts";
import { rows as simdFloatMultiplyLong } from "./simd_float_multiply_long.ts";
import { rows as simdFloatThreeSame } from "./simd_float_three_same.ts";
import { rows as simdFloatTwoRegister } from "./simd_float_two_register.ts";
import { rows as pointerAuthentication } from "./pointer_authentication.ts";
import { rows as rcpc } from "./rcpc.ts";
import { rows as simdMove } from "./simd_move.ts";
import { rows as simdPermute } from "./simd_permute.ts";
import { rows as simdShift } from "./simd_shift.ts";
import { rows as simdStructure } from "./simd_structure.ts";
import { rows as simdThreeDifferent } from "./simd_three_different.ts";
import { rows as simdThreeSame } from "./simd_three_same.ts";
import { rows as simdTwoRegister } from "./simd_two_register.ts";
import { rows as system } from "./system.ts";

export { featureOf, lower, lowerOn } from "./instruction.ts";
export type { Alias, Decoded, Instruction } from "./instruction.ts";

const TABLES: readonly (readonly Row[])[] = [
  logicalBitfield,
  addSubtract,
  multiplyDivide,
  conditional,
  flagManipulation,
  branch,
  pointerAuthentication,
  system,
  loadStore,
  loadStorePair,
  exclusive,
  atomic,
  rcpc,
  float,
  floatConvert,
  simdMove,
  simdThreeSame,
  simdThreeDifferent,
  simdElement,
  simdDot,
  simdTwoRegister,
  simdShift,
  simdPermute,
  simdFloatThreeSame,
  simdFloatTwoRegister,
  simdFloatAcross,
  simdFloatElement,
  simdFloatConvert,
  simdFloatMultiplyLong,
  simdComplex,
  simdBfloat,
  crypto,
  simdStructure,
];

/** Every instruction, those not implemented yet included. */
export const ROWS: readonly Instruction[] = TABLES.flat().filter((row) => !isAlias(row)) as Instruction[];

/** Every other text of an instruction. */
export const ALIASES: readonly Alias[] = TABLES.flat().filter(isAlias);

const index = new DecodeIndex(ROWS);

/** The row whose pattern a word matches; the word may be unallocated all the same. */
export function findRow(word: number): Instruction | undefined {
  return index.find(word);
}

/** The row and fields of an instruction word, or undefined when it is unallocated. */
export function decode(word: number): Decoded | undefined {
  return index.decode(word);
}
