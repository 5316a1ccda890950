/**
 * What the WebAssembly forms of operations on lanes have in common. They work on v128: narrower vectors and scalars are
 * repeated to fill one, so that no lane holds anything that is not an operand, and taken out of it again.
 */
import { PLAIN } from "../wasm/instructions.ts";
import type { Emitter } from "./emit.ts";
import type { Width } from "./operation.ts";

/** Names of the interpretations of a v128 by lane width. */
export const SHAPES: Readonly<Record<number, string>> = { 8: "i8x16", 16: "i16x8", 32: "i32x4", 64: "i64x2" };

/** Codes of an instruction by lane width, for those widths that have it: `byLane("Add")`. */
export function byLane(operation: string): Readonly<Record<number, number>> {
  const codes: Record<string, number> = PLAIN;
  return Object.fromEntries(
    Object.entries(SHAPES).flatMap(([lane, shape]) => {
      const code = codes[shape + operation];
      return code === undefined ? [] : [[lane, code]];
    }),
  );
}

const SPLAT = byLane("Splat");

/** Makes the value on the stack a vector, repeated as often as it fits. */
export function toVector(e: Emitter, width: Width): void {
  if (width < 128) e.code.instruction(SPLAT[width] as number);
}

/** Takes a value of a width, the lowest, out of the vector on the stack. */
export function fromVector(e: Emitter, width: Width): void {
  if (width === 64) e.code.i64x2ExtractLane(0);
  else if (width === 32) e.code.i32x4ExtractLane(0);
  else if (width === 16) e.code.i16x8ExtractLaneU(0);
  else if (width === 8) e.code.i8x16ExtractLaneU(0);
}

/** Pushes argument `i` as a vector. */
export function pushVector(e: Emitter, i: number): void {
  e.argument(i);
  toVector(e, e.width(i));
}

/** A local with argument `i` as a vector, not to be written. */
export function vectorLocal(e: Emitter, i: number): number {
  if (e.width(i) === 128) return e.local(i);
  pushVector(e, i);
  return setScratch(e);
}

/** Moves the vector on the stack into a scratch local. */
export function setScratch(e: Emitter): number {
  const local = e.scratch("v128");
  e.code.localSet(local);
  return local;
}

const ALL_BITS = (1n << 128n) - 1n;

/** The 128 bits with a lane's value in every lane. */
export function repeated(lane: number, value: bigint): bigint {
  return ALL_BITS / ((1n << BigInt(lane)) - 1n) * value;
}
