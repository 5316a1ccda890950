/** Advanced SIMD on floating point across lanes and on a pair of lanes (Arm ARM C4.1); missing so far. */
import { missing, type Row } from "./instruction.ts";

/** Across lanes and pairs: name, top bit of size, opcode. */
// deno-fmt-ignore
const ACROSS_FLOAT = [["FMAXNM", "0", "01100"], ["FMAX", "0", "01111"], ["FMINNM", "1", "01100"], ["FMIN", "1", "01111"]] as const;

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...ACROSS_FLOAT.map(([name, top, opcode]) => missing(`${name}V`, `0 1 1 01110 ${top} 0 11000 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()}v {Rd:scalar(s)}, {Rn:vector(4s)}`)),
  missing("FADDP_pair", "01 1 11110 0 sz:1 11000 01101 10 Rn:5 Rd:5", "faddp {Rd:chosenScalar(bySz)}, {Rn:vector(floatPair)}"),
  ...ACROSS_FLOAT.map(([name, top, opcode]) => missing(`${name}P_pair`, `01 1 11110 ${top} sz:1 11000 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()}p {Rd:chosenScalar(bySz)}, {Rn:vector(floatPair)}`)),
];
