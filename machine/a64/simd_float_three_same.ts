/** Advanced SIMD on floating point with three registers of one type, vectors and scalars (Arm ARM C4.1); missing so far. */
import { type Instruction, missing, type Row } from "./instruction.ts";
import { type Bit, hasFloatSize, operands, scalar, vector } from "./simd_forms.ts";

// Name, U, top bit of size, opcode, whether there is a scalar form.
// deno-fmt-ignore
const FLOAT: readonly (readonly [string, Bit, Bit, string, boolean])[] = [
  ["FMAXNM",  "0", "0", "11000", false], ["FMAXNMP", "1", "0", "11000", false],
  ["FMINNM",  "0", "1", "11000", false], ["FMINNMP", "1", "1", "11000", false],
  ["FMLA",    "0", "0", "11001", false], ["FMLS",    "0", "1", "11001", false],
  ["FADD",    "0", "0", "11010", false], ["FADDP",   "1", "0", "11010", false],
  ["FSUB",    "0", "1", "11010", false], ["FABD",    "1", "1", "11010", true],
  ["FMULX",   "0", "0", "11011", true],  ["FMUL",    "1", "0", "11011", false],
  ["FCMEQ",   "0", "0", "11100", true],  ["FCMGE",   "1", "0", "11100", true],
  ["FCMGT",   "1", "1", "11100", true],  ["FACGE",   "1", "0", "11101", true],
  ["FACGT",   "1", "1", "11101", true],  ["FMAX",    "0", "0", "11110", false],
  ["FMAXP",   "1", "0", "11110", false], ["FMIN",    "0", "1", "11110", false],
  ["FMINP",   "1", "1", "11110", false], ["FRECPS",  "0", "0", "11111", true],
  ["FRSQRTS", "0", "1", "11111", true],  ["FDIV",    "1", "0", "11111", false],
];

const REGISTERS = ["Rd", "Rn", "Rm"];

function floatRows([name, U, top, opcode, hasScalar]: typeof FLOAT[number]): Instruction[] {
  const mnemonic = name.toLowerCase();
  const encoding = `0 Q:1 ${U} 01110 ${top} sz:1 1 Rm:5 ${opcode} 1 Rn:5 Rd:5` as const;
  const row = missing(
    `${name}_vector`,
    encoding,
    `${mnemonic} ${operands(vector, "float", REGISTERS)}`,
    hasFloatSize,
  );
  if (!hasScalar) return [row];
  const scalarEncoding = `01 ${U} 11110 ${top} sz:1 1 Rm:5 ${opcode} 1 Rn:5 Rd:5` as const;
  return [
    row,
    missing(`${name}_simd_scalar`, scalarEncoding, `${mnemonic} ${operands(scalar, "bySz", REGISTERS)}`),
  ];
}

/** The rows. */
export const rows: readonly Row[] = FLOAT.flatMap(floatRows);
