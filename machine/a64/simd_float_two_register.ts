/** Advanced SIMD on floating point with one source: rounding, conversion, comparison with zero, estimates (Arm ARM C4.1); missing so far. */
import { alias, type Instruction, missing, type Row } from "./instruction.ts";
import { type Bit, hasFloatSize, operands, scalar, vector } from "./simd_forms.ts";

// Name, U, top bit of size, opcode, vector form, scalar form, what follows the registers.
// deno-fmt-ignore
const FLOAT: readonly (readonly [string, Bit, Bit, string, boolean, boolean, string])[] = [
  ["FRINTN", "0", "0", "11000", true,  false, ""],       ["FRINTA",  "1", "0", "11000", true, false, ""],
  ["FRINTP", "0", "1", "11000", true,  false, ""],       ["FRINTM",  "0", "0", "11001", true, false, ""],
  ["FRINTX", "1", "0", "11001", true,  false, ""],       ["FRINTZ",  "0", "1", "11001", true, false, ""],
  ["FRINTI", "1", "1", "11001", true,  false, ""],
  ["FCVTNS", "0", "0", "11010", true,  true,  ""],       ["FCVTNU",  "1", "0", "11010", true, true,  ""],
  ["FCVTPS", "0", "1", "11010", true,  true,  ""],       ["FCVTPU",  "1", "1", "11010", true, true,  ""],
  ["FCVTMS", "0", "0", "11011", true,  true,  ""],       ["FCVTMU",  "1", "0", "11011", true, true,  ""],
  ["FCVTZS", "0", "1", "11011", true,  true,  ""],       ["FCVTZU",  "1", "1", "11011", true, true,  ""],
  ["FCVTAS", "0", "0", "11100", true,  true,  ""],       ["FCVTAU",  "1", "0", "11100", true, true,  ""],
  ["SCVTF",  "0", "0", "11101", true,  true,  ""],       ["UCVTF",   "1", "0", "11101", true, true,  ""],
  ["FCMGT",  "0", "1", "01100", true,  true,  ", #0.0"], ["FCMGE",   "1", "1", "01100", true, true,  ", #0.0"],
  ["FCMEQ",  "0", "1", "01101", true,  true,  ", #0.0"], ["FCMLE",   "1", "1", "01101", true, true,  ", #0.0"],
  ["FCMLT",  "0", "1", "01110", true,  true,  ", #0.0"],
  ["FABS",   "0", "1", "01111", true,  false, ""],       ["FNEG",    "1", "1", "01111", true, false, ""],
  ["FRECPE", "0", "1", "11101", true,  true,  ""],       ["FRSQRTE", "1", "1", "11101", true, true,  ""],
  ["FRECPX", "0", "1", "11111", false, true,  ""],       ["FSQRT",   "1", "1", "11111", true, false, ""],
];

const REGISTERS = ["Rd", "Rn"];

function floatRows([name, U, top, opcode, hasVector, hasScalar, tail]: typeof FLOAT[number]): Instruction[] {
  const mnemonic = name.toLowerCase(), suffix = tail === "" ? "" : "_zero";
  const encoding = `0 Q:1 ${U} 01110 ${top} sz:1 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  const text = `${mnemonic} ${operands(vector, "float", REGISTERS)}${tail}`;
  const scalarEncoding = `01 ${U} 11110 ${top} sz:1 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  const scalarText = `${mnemonic} ${operands(scalar, "bySz", REGISTERS)}${tail}`;
  const vectorRow = missing(`${name}_vector${suffix}`, encoding, text, hasFloatSize);
  const scalarRow = missing(`${name}_simd_scalar${suffix}`, scalarEncoding, scalarText);
  return [...(hasVector ? [vectorRow] : []), ...(hasScalar ? [scalarRow] : [])];
}

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...FLOAT.flatMap(floatRows),
  missing("URECPE",  "0 Q:1 0 01110 10 10000 11100 10 Rn:5 Rd:5", "urecpe {Rd:vector(qs)}, {Rn:vector(qs)}"),
  missing("URSQRTE", "0 Q:1 1 01110 10 10000 11100 10 Rn:5 Rd:5", "ursqrte {Rd:vector(qs)}, {Rn:vector(qs)}"),
  missing("FCVTN_vector",   "0 Q:1 0 01110 0 sz:1 10000 10110 10 Rn:5 Rd:5", "fcvtn {Rd:vector(floatLower)}, {Rn:vector(floatWide)}"),
  alias("FCVTN2_vector",    "0 1 0 01110 0 sz:1 10000 10110 10 Rn:5 Rd:5",   "fcvtn2 {Rd:vector(floatUpper)}, {Rn:vector(floatWide)}"),
  missing("FCVTL_vector",   "0 Q:1 0 01110 0 sz:1 10000 10111 10 Rn:5 Rd:5", "fcvtl {Rd:vector(floatWide)}, {Rn:vector(floatLower)}"),
  alias("FCVTL2_vector",    "0 1 0 01110 0 sz:1 10000 10111 10 Rn:5 Rd:5",   "fcvtl2 {Rd:vector(floatWide)}, {Rn:vector(floatUpper)}"),
  missing("FCVTXN_vector",  "0 Q:1 1 01110 01 10000 10110 10 Rn:5 Rd:5",     "fcvtxn {Rd:vector(2s)}, {Rn:vector(2d)}"),
  alias("FCVTXN2_vector",   "0 1 1 01110 01 10000 10110 10 Rn:5 Rd:5",       "fcvtxn2 {Rd:vector(4s)}, {Rn:vector(2d)}"),
  missing("FCVTXN_simd_scalar", "01 1 11110 01 10000 10110 10 Rn:5 Rd:5",    "fcvtxn {Rd:scalar(s)}, {Rn:scalar(d)}"),
];
