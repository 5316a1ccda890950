/** Advanced SIMD arithmetic on complex numbers, pairs of lanes real and imaginary (Arm ARM C4.1: FEAT_FCMA). */
import type { Builder, Value } from "../ir/builder.ts";
import { instruction, type Row } from "./instruction.ts";
import { type FloatFormat, type FloatShape, multiplyAdd, shuffled } from "./simd_float_forms.ts";
import { vectorWidth } from "./simd_lanes.ts";
import { hasVectorSize } from "./simd_forms.ts";

type Registers = Readonly<Record<"Rm" | "Rn" | "Rd" | "rot", number>>;
type Vector = Registers & Readonly<Record<"size" | "Q", number>>;

function shapeOf({ size, Q }: Readonly<Record<"size" | "Q", number>>): FloatShape {
  return { format: 8 << size as FloatFormat, width: vectorWidth(Q) };
}

/** The signs of the even lanes, of the odd ones, or of both: what changes the sign where it is combined with XOR. */
function signs(ir: Builder, { width, format }: FloatShape, even: boolean, odd: boolean): Value {
  const sign = 1n << BigInt(format - 1), pair = (even ? sign : 0n) | (odd ? sign << BigInt(format) : 0n);
  let bits = 0n;
  for (let at = 0; at < width; at += 2 * format) bits |= pair << BigInt(at);
  return ir.constant(width, bits);
}

function negated(ir: Builder, shape: FloatShape, value: Value, even: boolean, odd: boolean): Value {
  return even || odd ? ir.xor(shape.width, value, signs(ir, shape, even, odd)) : value;
}

const swapped = (ir: Builder, shape: FloatShape, value: Value): Value =>
  shuffled(ir, shape, value, value, (lane) => lane ^ 1);

/** Rd plus one of the two halves of a complex product, that with the real or imaginary part of Rn, rotated by rot × 90°. */
function complexMultiplyAdd(
  ir: Builder,
  shape: FloatShape,
  { Rn, Rd, rot }: Readonly<Record<"Rn" | "Rd" | "rot", number>>,
  m: Value,
): void {
  const { width } = shape, isOdd = (rot & 1) !== 0;
  const n = ir.readV(Rn, width);
  const part = shuffled(ir, shape, n, n, (lane) => (isOdd ? lane | 1 : lane & ~1));
  const turned = isOdd ? swapped(ir, shape, m) : m;
  const factor = negated(ir, shape, turned, rot === 1 || rot === 2, rot >= 2);
  ir.writeV(Rd, multiplyAdd(ir, shape, part, factor, () => ir.readV(Rd, width)));
}

function multiplyAddVector(ir: Builder, fields: Vector): void {
  const shape = shapeOf(fields);
  ir.call("checkFpEnabled");
  complexMultiplyAdd(ir, shape, fields, ir.readV(fields.Rm, shape.width));
}

/** Rn plus Rm rotated by 90° or, if rot is 1, 270°. */
function addVector(ir: Builder, fields: Vector): void {
  const shape = shapeOf(fields), { Rm, Rn, Rd, rot } = fields, { width, format } = shape;
  ir.call("checkFpEnabled");
  const n = ir.readV(Rn, width), m = ir.readV(Rm, width);
  const turned = negated(ir, shape, swapped(ir, shape, m), rot === 0, rot === 1);
  ir.writeV(Rd, ir.float("floatAdd", width, format, [n, turned]));
}

type Indexed = Registers & Readonly<Record<"M" | "H", number> & Partial<Record<"Q" | "L", number>>>;

/** The pair of lanes of Rm that H, with L where it is given, numbers; singles fill 128 bits. */
function multiplyAddElement(format: 16 | 32) {
  return (ir: Builder, fields: Indexed): void => {
    const { Q = 1, L, M, Rm, H } = fields, shape = shapeOf({ size: format >> 4, Q });
    const size = 2 * format as 32 | 64, index = L === undefined ? H : H << 1 | L;
    ir.call("checkFpEnabled");
    const pair = ir.extract(size, ir.readV(M << 4 | Rm, 128), index * size);
    complexMultiplyAdd(ir, shape, fields, ir.lanes("laneBroadcast", shape.width, size, [pair]));
  };
}

const exists = hasVectorSize("hsd");
const FCMA = { feature: "FCMA" } as const;
/** A vector of 64 bits has two pairs of halves. */
const pairExists = {
  when: ({ Q, H }: { readonly Q: number; readonly H: number }): boolean => Q === 1 || H === 0,
};

const REGISTERS = "{Rd:vector(full)}, {Rn:vector(full)}, {Rm:vector(full)}";

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  instruction("FCMLA_vector",       "0 Q:1 1 01110 size:2 0 Rm:5 1 10 rot:2 1 Rn:5 Rd:5",        `fcmla ${REGISTERS}, #{rot:rotation}`, multiplyAddVector, { ...exists, ...FCMA }),
  instruction("FCADD",              "0 Q:1 1 01110 size:2 0 Rm:5 1 11 rot:1 0 1 Rn:5 Rd:5",      `fcadd ${REGISTERS}, #{rot:rotation}`, addVector,         { ...exists, ...FCMA }),
  instruction("FCMLA_element_half", "0 Q:1 1 01111 01 L:1 M:1 Rm:4 0 rot:2 1 H:1 0 Rn:5 Rd:5", "fcmla {Rd:vector(qh)}, {Rn:vector(qh)}, {M,Rm,H,L:numbered(h)}, #{rot:rotation}", multiplyAddElement(16), { ...pairExists, ...FCMA }),
  instruction("FCMLA_element",      "0 1 1 01111 10 0 M:1 Rm:4 0 rot:2 1 H:1 0 Rn:5 Rd:5",      "fcmla {Rd:vector(4s)}, {Rn:vector(4s)}, {M,Rm,H:numbered(s)}, #{rot:rotation}",   multiplyAddElement(32), FCMA),
];
