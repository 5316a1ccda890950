/**
 * WebAssembly forms of the fused multiply-add, which WebAssembly does not have: error-free transforms give the sum of
 * product and addend as parts, all but the greatest are added with rounding to odd, and the last sum rounds to nearest
 * once (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd").
 */
import type { Emitter } from "./emit.ts";
import { bailUnlessNearest, FloatCode, floatForm } from "./emit_float_lanes.ts";
import { fromVector, vectorLocal } from "./emit_vector.ts";
import { type EmitForm, int, type IrNode } from "./operation.ts";

const ADDEND = 0, N = 1, M = 2;

/** Pushes a + b, doubles in vectors, rounded to odd: an inexact sum whose last bit is 0 moves towards its error. */
function sumToOdd(e: Emitter, f: FloatCode, a: number, b: number): void {
  const { code } = e;
  f.get(a, b);
  f.op("Add");
  const sum = f.set();
  f.sumError(a, b, sum);
  const error = f.set();
  // One up or down in magnitude: −1 where the signs differ, else 1 …
  f.get(sum, error);
  code.v128Xor();
  code.i32Const(63);
  code.i64x2ShrS();
  f.bits(1n);
  code.v128Or();
  // … where there is an error …
  f.get(error);
  f.bits(0n);
  f.op("Ne");
  code.v128And();
  // … and the last bit is 0.
  f.get(sum);
  f.bits(1n);
  code.v128And();
  f.bits(0n);
  code.i64x2Eq();
  code.v128And();
  f.get(sum);
  code.i64x2Add();
}

/** Doubles: product and addend are taken apart into three parts. */
function fuseDoubles(node: IrNode, e: Emitter): void {
  const f = new FloatCode(e, 64, true);
  const [addend, n, m] = [ADDEND, N, M].map((i) => vectorLocal(e, i)) as [number, number, number];
  f.get(n, m);
  f.op("Mul");
  const product = f.set();
  f.productError(n, m, product);
  const low = f.set();
  f.get(addend, low);
  f.op("Add");
  const rest = f.set();
  f.sumError(addend, low, rest);
  const least = f.set();
  f.get(product, rest);
  f.op("Add");
  const high = f.set();
  f.sumError(product, rest, high);
  const middle = f.set();
  f.get(high);
  sumToOdd(e, f, least, middle);
  f.op("Add");
  const result = f.set();
  f.isFinite(result);
  f.isAbove(result, "leastNormal");
  f.and();
  // Where the product is tiny its error is not exact.
  f.isAbove(product, "safe");
  f.isZero(n);
  f.or();
  f.isZero(m);
  f.or();
  f.and();
  f.bailUnless();
  f.get(result);
  fromVector(e, node.width);
}

/** 2^128 − 2^103: what is at least this rounds to infinity in single precision. */
const OVERFLOWING_SINGLE = 0x47ef_ffff_f000_0000n;
/** 2^−126. */
const LEAST_NORMAL_SINGLE = 0x3810_0000_0000_0000n;

/** Takes two singles out of a vector as doubles. */
function promoted(e: Emitter, vector: number, half: "low" | "high"): number {
  const { code } = e, local = e.scratch("v128");
  code.localGet(vector);
  if (half === "high") {
    code.localGet(vector);
    code.i8x16Shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  }
  code.f64x2PromoteLowF32x4();
  code.localSet(local);
  return local;
}

/** Pushes two singles as the lower half of a vector: their products are exact as doubles. */
function fuseSingles(e: Emitter, operands: readonly [number, number, number], half: "low" | "high"): void {
  const f = new FloatCode(e, 64, true);
  const [addend, n, m] = operands.map((vector) => promoted(e, vector, half)) as [number, number, number];
  f.get(n, m);
  f.op("Mul");
  sumToOdd(e, f, f.set(), addend);
  const sum = f.set();
  f.get(sum);
  f.op("Abs");
  f.bits(OVERFLOWING_SINGLE);
  f.op("Lt");
  f.get(sum);
  f.op("Abs");
  f.bits(LEAST_NORMAL_SINGLE);
  f.op("Ge");
  f.and();
  f.bailUnless();
  f.get(sum);
  e.code.f32x4DemoteF64x2Zero();
}

/** addend + n × m, rounded once, where it is an ordinary number and IXC is set. */
export const emitFloatMulAdd: EmitForm = floatForm((node, e) => {
  bailUnlessNearest(e);
  new FloatCode(e, 64, true).bailIfInexact();
  if (int(node, 0) === 64) return fuseDoubles(node, e);
  const operands = [ADDEND, N, M].map((i) => vectorLocal(e, i)) as [number, number, number];
  fuseSingles(e, operands, "low");
  if (node.width === 128) {
    fuseSingles(e, operands, "high");
    e.code.i8x16Shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  }
  fromVector(e, node.width);
});
