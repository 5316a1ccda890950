/**
 * WebAssembly forms of operations on lanes that saturate. FPSR.QC is set by evaluation, where it is not set already:
 * an instruction that saturates is evaluated then.
 */
import { PLAIN, type PlainInstruction } from "../wasm/instructions.ts";
import type { Emitter } from "./emit.ts";
import { extendLow, laneOf, lowerHalves } from "./emit_lanes.ts";
import { byLane, fromVector, repeated, setScratch, vectorLocal } from "./emit_vector.ts";
import { type Emit, type EmitForm, mask } from "./operation.ts";

/** FPSR.QC. */
const QC = 1 << 27;

const SHIFT_RIGHT = byLane("ShrS"), EQUAL = byLane("Eq");

/** Moves the vector on the stack, ones in the lanes that saturate, to a local; bails where QC would have to be set. */
export function setSaturating(e: Emitter): number {
  const { code } = e, saturating = setScratch(e);
  code.localGet(saturating);
  code.v128AnyTrue();
  code.if();
  e.floatState("FPSR");
  code.i32Const(QC);
  code.i32And();
  code.i32Eqz();
  e.bailIf();
  code.end();
  return saturating;
}

/** A form of an operation that saturates. */
export function saturatingForm(emit: Emit): EmitForm {
  return { emit, bails: true, readsFloatState: true };
}

/** Pushes copies of the sign of a local's lanes. */
export function pushSigns(e: Emitter, lane: number, local: number): void {
  e.code.localGet(local);
  e.code.i32Const(lane - 1);
  e.code.instruction(SHIFT_RIGHT[lane] as number);
}

/** Pushes the greatest or the least number of `bits` bits in lanes, by the sign of a local's. */
export function pushLimit(e: Emitter, lane: number, local: number, bits: number = lane): void {
  pushSigns(e, lane, local);
  e.code.v128Const(repeated(lane, mask(bits) >> 1n));
  e.code.v128Xor();
}

/** Pushes the greatest unsigned numbers. */
const pushOnes = (e: Emitter): void => e.code.v128Const(mask(128));

type PushSaturated = (e: Emitter, lane: number, a: number, b: number) => void;

/** What leaves a top bit of 1 in the lanes whose result is out of range: a, b, the result r, and instructions. */
type OutOfRange = readonly (PlainInstruction | "a" | "b" | "r")[];

/** Addition and subtraction, signed and unsigned; mixed: with a second argument of the other kind. */
// deno-fmt-ignore
const KINDS = {
  AddS: [["a", "r", "v128Xor", "b", "r", "v128Xor", "v128And"], (e, lane, a) => pushLimit(e, lane, a)],
  SubS: [["a", "b", "v128Xor", "a", "r", "v128Xor", "v128And"], (e, lane, a) => pushLimit(e, lane, a)],
  AddU: [["a", "b", "v128And", "a", "b", "v128Or", "r", "v128Andnot", "v128Or"], pushOnes],
  SubU: [["b", "a", "v128Andnot", "b", "r", "v128And", "v128Or", "r", "a", "v128Andnot", "v128Or"], (e) => e.code.v128Const(0n)],
  AddMixedS: [["a", "r", "v128Xor", "b", "r", "v128Xor", "v128And", "b", "v128Xor"], (e, lane) => e.code.v128Const(repeated(lane, mask(lane) >> 1n))],
  AddMixedU: [["a", "b", "v128And", "a", "b", "v128Or", "r", "v128Andnot", "v128Or", "b", "v128Xor"], (e, lane, _a, b) => { pushSigns(e, lane, b); e.code.v128Not(); }],
} as const satisfies Record<string, readonly [OutOfRange, PushSaturated]>;

/** Addition and subtraction that saturate. */
export function emitSaturating(kind: keyof typeof KINDS): EmitForm {
  const codes = byLane(kind.startsWith("Add") ? "Add" : "Sub");
  const [outOfRange, pushSaturated]: readonly [OutOfRange, PushSaturated] = KINDS[kind];
  return saturatingForm((node, e) => {
    const { code } = e, lane = laneOf(node), a = vectorLocal(e, 0), b = vectorLocal(e, 1);
    code.localGet(a);
    code.localGet(b);
    code.instruction(codes[lane] as number);
    const locals = { a, b, r: setScratch(e) };
    for (const part of outOfRange) {
      if (part === "a" || part === "b" || part === "r") code.localGet(locals[part]);
      else code.instruction(PLAIN[part]);
    }
    pushSigns(e, lane, setScratch(e));
    const saturating = setSaturating(e);
    pushSaturated(e, lane, a, b);
    code.localGet(locals.r);
    code.localGet(saturating);
    code.v128Bitselect();
    fromVector(e, node.width);
  });
}

/** Lower halves of lanes, where these are other numbers the limits. */
export function emitNarrowSaturating(sign: "S" | "U"): EmitForm {
  return saturatingForm((node, e) => {
    const { code } = e, lane = laneOf(node), vector = vectorLocal(e, 0), half = lane / 2;
    code.localGet(vector);
    code.localGet(vector);
    code.i8x16Shuffle(lowerHalves(lane));
    code.instruction(extendLow(half, sign));
    code.localGet(vector);
    code.instruction(EQUAL[lane] as number);
    code.v128Not();
    const saturating = setSaturating(e);
    if (sign === "S") pushLimit(e, lane, vector, half);
    else pushOnes(e);
    code.localGet(vector);
    code.localGet(saturating);
    code.v128Bitselect();
    const result = setScratch(e);
    code.localGet(result);
    code.localGet(result);
    code.i8x16Shuffle(lowerHalves(lane));
    fromVector(e, node.width);
  });
}
