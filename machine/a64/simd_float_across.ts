/** Advanced SIMD on floating point across lanes and on a pair of lanes (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import type { FloatOperation } from "../ir/float_operations.ts";
import { type Instruction, instruction, type Row } from "./instruction.ts";
import { type FloatFields, type FloatFormat, shapeOf } from "./simd_float_forms.ts";

/** The lanes of a value in one, by halves (Arm ARM: Reduce). */
function reduced(ir: Builder, op: FloatOperation, format: FloatFormat, lanes: readonly Value[]): Value {
  if (lanes.length === 1) return lanes[0] as Value;
  const middle = lanes.length / 2;
  const low = reduced(ir, op, format, lanes.slice(0, middle));
  const high = reduced(ir, op, format, lanes.slice(middle));
  return ir.float(op, format, format, [low, high]);
}

type Registers = Readonly<Record<"Rn" | "Rd", number>>;

/** Lowering of `count` lanes, all of the vector's when it is not given, to a scalar. */
function across(op: FloatOperation, count?: number) {
  return (ir: Builder, fields: FloatFields & Registers): void => {
    const { format, width } = shapeOf(fields);
    const used = (count === undefined ? width : count * format) as 32 | 64 | 128;
    ir.call("checkFpEnabled");
    const n = ir.readV(fields.Rn, used);
    const lanes = Array.from({ length: used / format }, (_, lane) => ir.extract(format, n, lane * format));
    ir.writeV(fields.Rd, reduced(ir, op, format, lanes));
  };
}

// Name, top bit of size, opcode, meaning, whether there is a form across all lanes.
// deno-fmt-ignore
const ACROSS = [
  ["FMAXNM", "0", "01100", "floatMaxNumber", true], ["FMAX", "0", "01111", "floatMax", true], ["FADD", "0", "01101", "floatAdd", false],
  ["FMINNM", "1", "01100", "floatMinNumber", true], ["FMIN", "1", "01111", "floatMin", true],
] as const;

const FP16 = { feature: "FP16" } as const;

function acrossRows([name, top, opcode, op, hasAll]: typeof ACROSS[number]): Instruction[] {
  const mnemonic = name.toLowerCase(), lowering = across(op, 2);
  const single = (ir: Builder, fields: Registers) => across(op)(ir, { ...fields, Q: 1, sz: 0 });
  // deno-fmt-ignore
  const all = [
    instruction(`${name}V`,      `0 1 1 01110 ${top} 0 11000 ${opcode} 10 Rn:5 Rd:5`,   `${mnemonic}v {Rd:scalar(s)}, {Rn:vector(4s)}`, single),
    instruction(`${name}V_half`, `0 Q:1 0 01110 ${top} 0 11000 ${opcode} 10 Rn:5 Rd:5`, `${mnemonic}v {Rd:scalar(h)}, {Rn:vector(qh)}`, across(op), FP16),
  ];
  // deno-fmt-ignore
  return [
    ...(hasAll ? all : []),
    instruction(`${name}P_pair`,      `01 1 11110 ${top} sz:1 11000 ${opcode} 10 Rn:5 Rd:5`, `${mnemonic}p {Rd:chosenScalar(bySz)}, {Rn:vector(floatPair)}`, lowering),
    instruction(`${name}P_pair_half`, `01 0 11110 ${top} 0 11000 ${opcode} 10 Rn:5 Rd:5`,    `${mnemonic}p {Rd:scalar(h)}, {Rn:vector(2h)}`,                 lowering, FP16),
  ];
}

/** The rows. */
export const rows: readonly Row[] = ACROSS.flatMap(acrossRows);
