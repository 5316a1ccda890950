/** Integer arithmetic of Advanced SIMD that several tables share, put together from operations on lanes. */
import type { Value } from "../ir/builder.ts";
import type { LaneOperation } from "../ir/lane_operations.ts";
import type { Lanes, Meaning, Sign } from "./simd_lanes.ts";

/** One operation on Rn and Rm. */
export function operation(op: LaneOperation, ...immediates: number[]): Meaning {
  return (lanes, n, m) => lanes.apply(op, [n, m], ...immediates);
}

/** Rd plus what the meaning gives. */
export function addTo(meaning: Meaning): Meaning {
  return (lanes, n, m, d) => lanes.add(d(), meaning(lanes, n, m, d));
}

/** Rd minus what the meaning gives. */
export function subtractFrom(meaning: Meaning): Meaning {
  return (lanes, n, m, d) => lanes.sub(d(), meaning(lanes, n, m, d));
}

/** An operation on Rd and what the meaning gives. */
export function combinedBy(op: LaneOperation, meaning: Meaning): Meaning {
  return (lanes, n, m, d) => lanes.apply(op, [d(), meaning(lanes, n, m, d)]);
}

/** (n + m) >> 1: the common bits, and half of those that differ. */
export function halvingAdd(sign: Sign): Meaning {
  return (lanes, n, m) => lanes.add(lanes.and(n, m), lanes.shiftRight(sign, lanes.xor(n, m), 1));
}

/** (n + m + 1) >> 1: all bits of both, less half of those that differ. */
export function roundingHalvingAdd(sign: Sign): Meaning {
  return (lanes, n, m) =>
    lanes.sub(lanes.ir.or(lanes.width, n, m), lanes.shiftRight(sign, lanes.xor(n, m), 1));
}

/** (n − m) >> 1: half of the bits that differ, less those that m alone has. */
export function halvingSub(sign: Sign): Meaning {
  return (lanes, n, m) => lanes.sub(lanes.shiftRight(sign, lanes.xor(n, m), 1), lanes.and(lanes.not(n), m));
}

/** n ≥ m: not m > n. */
export function notLess(sign: Sign): Meaning {
  return (lanes, n, m) => lanes.not(lanes.apply(`laneGreater${sign}`, [m, n]));
}

/** Ones where a bit of n is set in m. */
export function test(lanes: Lanes, n: Value, m: Value): Value {
  return lanes.not(lanes.apply("laneEqual", [lanes.and(n, m), lanes.every(0n)]));
}

/** |n − m|, as an unsigned number of the lane. */
export function absoluteDifference(sign: Sign): Meaning {
  return (lanes, n, m) =>
    lanes.sub(lanes.apply(`laneMax${sign}`, [n, m]), lanes.apply(`laneMin${sign}`, [n, m]));
}

/** The meaning for neighbours, those of Rn first: Rd[i] is of lanes 2i and 2i + 1 of the pair. */
export function pairwise(meaning: Meaning): Meaning {
  return (lanes, n, m, d) => meaning(lanes, lanes.everyNth(n, m, 0, 2), lanes.everyNth(n, m, 1, 2), d);
}

/** 2 × n × m of lanes that were widened: only the square of the minimum saturates. */
export function doublingProduct(lanes: Lanes, n: Value, m: Value): Value {
  const product = lanes.mul(n, m);
  return lanes.apply("laneAddSaturatingSigned", [product, product]);
}

/** SQRDMLAH (0) and SQRDMLSH (1): the rounded high half of Rd and the doubled product. */
export function roundingDoublingMulAdd(subtracts: 0 | 1): Meaning {
  return (lanes, n, m, d) => lanes.apply("laneDoublingMulAddHigh", [n, m, d()], subtracts);
}

/** Signed lanes as unsigned ones: negative numbers saturate to zero. */
export function toUnsigned(lanes: Lanes, n: Value): Value {
  return lanes.apply("laneAddMixedSaturatingUnsigned", [lanes.every(0n), n]);
}

/** The lower and upper lanes of pairs of neighbours, in lanes of twice the width. */
export function widePairs(sign: Sign, { lane, wide }: Lanes, n: Value): readonly [low: Value, high: Value] {
  return [wide.shiftRight(sign, wide.shiftLeft(n, lane), lane), wide.shiftRight(sign, n, lane)];
}

/** Sums of pairs of neighbours, in lanes of twice the width. */
export function pairSums(sign: Sign, lanes: Lanes, n: Value): Value {
  const [low, high] = widePairs(sign, lanes, n);
  return lanes.wide.add(low, high);
}

/** A vector's half of 64 bits in lanes of twice the width. */
export function widened(sign: Sign, { ir, lane }: Lanes, half: Value): Value {
  return ir.lanes(`laneWiden${sign}`, 128, lane, [half]);
}

/** What makes a vector's lanes, or a scalar, half as wide. */
export type Narrowing = (lanes: Lanes, n: Value) => Value;

/** By one operation. */
export function narrowBy(
  op: "laneNarrow" | "laneNarrowSaturatingSigned" | "laneNarrowSaturatingUnsigned",
): Narrowing {
  return ({ ir, width, lane }, n) => ir.lanes(op, width / 2 as 8 | 16 | 32 | 64, lane, [n]);
}

/** Signed lanes to unsigned ones, saturating. */
export function narrowToUnsigned(lanes: Lanes, n: Value): Value {
  return narrowBy("laneNarrowSaturatingUnsigned")(lanes, toUnsigned(lanes, n));
}
