/**
 * IR operations on vectors of integer lanes. A node's width is that of the vector, 64 or 128, or of one lane for the
 * scalar forms; its first immediate is the width of a lane in bits; lanes are counted from bit 0.
 */
import { int, type OperationRow, pure, wrap } from "./operation.ts";

/** Applies a function to the lanes of up to three vectors; results are taken modulo the lane. */
export function mapLanes(
  width: number,
  lane: number,
  a: bigint,
  b: bigint,
  c: bigint,
  of: (a: bigint, b: bigint, c: bigint) => bigint,
): bigint {
  let result = 0n;
  for (let at = 0n; at < width; at += BigInt(lane)) {
    const value = of(wrap(lane, a >> at), wrap(lane, b >> at), wrap(lane, c >> at));
    result |= wrap(lane, value) << at;
  }
  return result;
}

/** Every operation on integer lanes. */
// deno-fmt-ignore
export const LANE_OPERATIONS = {
  laneAdd: pure((n, a, b) => mapLanes(n.width, int(n, 0), a, b, 0n, (a, b) => a + b)),
} as const satisfies Record<string, OperationRow>;

/** Name of an operation on lanes. */
export type LaneOperation = keyof typeof LANE_OPERATIONS;
