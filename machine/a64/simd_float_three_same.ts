/** Advanced SIMD on floating point with three registers of one type, vectors and scalars (Arm ARM C4.1: three same). */
import type { FloatOperation } from "../ir/float_operations.ts";
import { type Instruction, instruction, type Row } from "./instruction.ts";
import {
  binary,
  multiplyAdd,
  multiplySubtract,
  shuffled,
  type TwoMeaning,
  twoSources,
} from "./simd_float_forms.ts";
import { type Bit, hasFloatSize, operands, scalar, vector } from "./simd_forms.ts";

/** An operation on neighbours: the pairs of Rn give the lower half of the result, those of Rm the upper. */
function pairwise(op: FloatOperation): TwoMeaning {
  return (ir, shape, n, m) => {
    const even = shuffled(ir, shape, n, m, (lane) => 2 * lane);
    const odd = shuffled(ir, shape, n, m, (lane) => 2 * lane + 1);
    return ir.float(op, shape.width, shape.format, [even, odd]);
  };
}

// Name, U, top bit of size, opcode after 11, whether there is a scalar form, meaning.
// deno-fmt-ignore
const FLOAT: readonly (readonly [string, Bit, Bit, string, boolean, TwoMeaning])[] = [
  ["FMAXNM",  "0", "0", "000", false, binary("floatMaxNumber")],            ["FMAXNMP", "1", "0", "000", false, pairwise("floatMaxNumber")],
  ["FMINNM",  "0", "1", "000", false, binary("floatMinNumber")],            ["FMINNMP", "1", "1", "000", false, pairwise("floatMinNumber")],
  ["FMLA",    "0", "0", "001", false, multiplyAdd],                         ["FMLS",    "0", "1", "001", false, multiplySubtract],
  ["FADD",    "0", "0", "010", false, binary("floatAdd")],                  ["FADDP",   "1", "0", "010", false, pairwise("floatAdd")],
  ["FSUB",    "0", "1", "010", false, binary("floatSub")],                  ["FABD",    "1", "1", "010", true,  binary("floatAbsoluteDifference")],
  ["FMULX",   "0", "0", "011", true,  binary("floatMulExtended")],          ["FMUL",    "1", "0", "011", false, binary("floatMul")],
  ["FCMEQ",   "0", "0", "100", true,  binary("floatEqual")],                ["FCMGE",   "1", "0", "100", true,  binary("floatGreaterEqual")],
  ["FCMGT",   "1", "1", "100", true,  binary("floatGreater")],              ["FACGE",   "1", "0", "101", true,  binary("floatAbsoluteGreaterEqual")],
  ["FACGT",   "1", "1", "101", true,  binary("floatAbsoluteGreater")],      ["FMAX",    "0", "0", "110", false, binary("floatMax")],
  ["FMAXP",   "1", "0", "110", false, pairwise("floatMax")],                ["FMIN",    "0", "1", "110", false, binary("floatMin")],
  ["FMINP",   "1", "1", "110", false, pairwise("floatMin")],                ["FRECPS",  "0", "0", "111", true,  binary("floatReciprocalStep")],
  ["FRSQRTS", "0", "1", "111", true,  binary("floatSqrtStep")],             ["FDIV",    "1", "0", "111", false, binary("floatDiv")],
];

const REGISTERS = ["Rd", "Rn", "Rm"];
const FP16 = { feature: "FP16" } as const;

function floatRows([name, U, top, opcode, hasScalar, meaning]: typeof FLOAT[number]): Instruction[] {
  const mnemonic = name.toLowerCase(), lowering = twoSources(meaning);
  const text = (of: typeof vector, choice: string) => `${mnemonic} ${operands(of, choice, REGISTERS)}`;
  // deno-fmt-ignore
  const rows = [
    instruction(`${name}_vector`,      `0 Q:1 ${U} 01110 ${top} sz:1 1 Rm:5 11 ${opcode} 1 Rn:5 Rd:5`, text(vector, "float"), lowering, hasFloatSize),
    instruction(`${name}_vector_half`, `0 Q:1 ${U} 01110 ${top} 10 Rm:5 00 ${opcode} 1 Rn:5 Rd:5`,     text(vector, "qh"),    lowering, FP16),
  ];
  if (!hasScalar) return rows;
  // deno-fmt-ignore
  return [
    ...rows,
    instruction(`${name}_simd_scalar`,      `01 ${U} 11110 ${top} sz:1 1 Rm:5 11 ${opcode} 1 Rn:5 Rd:5`, text(scalar, "bySz"), lowering),
    instruction(`${name}_simd_scalar_half`, `01 ${U} 11110 ${top} 10 Rm:5 00 ${opcode} 1 Rn:5 Rd:5`,     text(scalar, "h"),    lowering, FP16),
  ];
}

/** The rows. */
export const rows: readonly Row[] = FLOAT.flatMap(floatRows);
