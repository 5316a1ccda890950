/** What the tables of floating-point vectors share: formats by fields, lowerings by meaning, choices of lanes. */
import type { Builder, Value } from "../ir/builder.ts";
import type { FloatOperation } from "../ir/float_operations.ts";
import type { Width } from "../ir/operations.ts";
import { readElement } from "./simd_lanes.ts";

/** Fields that tell format and width: halves have no `sz`, scalars have no `Q`. */
export type FloatFields = Readonly<Partial<Record<"Q" | "sz", number>>>;

/** Width of a format in bits. */
export type FloatFormat = 16 | 32 | 64;

/** What an instruction computes on. */
export interface FloatShape {
  /** Width of the vector, or of a scalar, in bits. */
  readonly width: Width;
  /** Width of a number in bits. */
  readonly format: FloatFormat;
}

/** The shape that an encoding's fields tell. */
export function shapeOf({ Q, sz }: FloatFields): FloatShape {
  const format = sz === undefined ? 16 : sz === 0 ? 32 : 64;
  return { format, width: Q === undefined ? format : Q === 0 ? 64 : 128 };
}

/** A result of Rn. */
export type OneMeaning = (ir: Builder, shape: FloatShape, n: Value) => Value;
/** A result of Rn, Rm and, when it is asked for, the old Rd. */
export type TwoMeaning = (ir: Builder, shape: FloatShape, n: Value, m: Value, d: () => Value) => Value;

type OneFields = FloatFields & Readonly<Record<"Rn" | "Rd", number>>;
type TwoFields = OneFields & { readonly Rm: number };

/** Lowering of an instruction with one source. */
export function oneSource(meaning: OneMeaning): (ir: Builder, fields: OneFields) => void {
  return (ir, fields) => {
    const shape = shapeOf(fields);
    ir.call("checkFpEnabled");
    ir.writeV(fields.Rd, meaning(ir, shape, ir.readV(fields.Rn, shape.width)));
  };
}

/** Lowering of an instruction with two sources. */
export function twoSources(meaning: TwoMeaning): (ir: Builder, fields: TwoFields) => void {
  return (ir, fields) => {
    const shape = shapeOf(fields), { width } = shape;
    ir.call("checkFpEnabled");
    const n = ir.readV(fields.Rn, width), m = ir.readV(fields.Rm, width);
    ir.writeV(fields.Rd, meaning(ir, shape, n, m, () => ir.readV(fields.Rd, width)));
  };
}

/** An operation on one number. */
export function unary(op: FloatOperation, ...immediates: number[]): OneMeaning {
  return (ir, { width, format }, n) => ir.float(op, width, format, [n], ...immediates);
}

/** An operation on two numbers. */
export function binary(op: FloatOperation): TwoMeaning {
  return (ir, { width, format }, n, m) => ir.float(op, width, format, [n, m]);
}

/** Rd + Rn × Rm, rounded once. */
export const multiplyAdd: TwoMeaning = (ir, { width, format }, n, m, d): Value =>
  ir.float("floatMulAdd", width, format, [d(), n, m]);

/** Rd − Rn × Rm, rounded once: Rn changes its sign, a NaN too. */
export const multiplySubtract: TwoMeaning = (ir, shape, n, m, d): Value =>
  multiplyAdd(ir, shape, ir.float("floatNegate", shape.width, shape.format, [n]), m, d);

/** Lanes of n and m chosen by number, those of m following those of n, for each lane of the result. */
export function shuffled(
  ir: Builder,
  { width, format }: FloatShape,
  n: Value,
  m: Value,
  choose: (lane: number) => number,
): Value {
  const choices = Array.from({ length: width / format }, (_, lane) => choose(lane));
  return ir.lanes("laneShuffle", width, format, [n, m], ...choices);
}

/** Lane number `index` of V[register] in every lane of a vector; alone in a scalar. */
export function repeatedElement(
  ir: Builder,
  { width, format }: FloatShape,
  register: number,
  index: number,
): Value {
  const element = readElement(ir, register, format, index);
  return width === format ? element : ir.lanes("laneBroadcast", width, format, [element]);
}
