/** WebAssembly forms of shifts of lanes by amounts of their own, as SSHL has them. */
import type { CodeWriter, SharedFunction } from "../wasm/code_writer.ts";
import { pushLimit, pushSigns, saturatingForm, setSaturating } from "./emit_saturating.ts";
import { byLane, fromVector, pushVector, repeated, setScratch, vectorLocal } from "./emit_vector.ts";
import { type EmitForm, int } from "./operation.ts";

/** Whether lanes are signed. */
type Sign = "S" | "U";

const SHIFT_LEFT = byLane("Shl"), EQUAL = byLane("Eq"), ADD = byLane("Add"), NEGATE = byLane("Neg");
const SHIFT_RIGHT = { S: byLane("ShrS"), U: byLane("ShrU") };

/** Shifts the lanes on the stack by a constant. */
function shift(code: CodeWriter, codes: Readonly<Record<number, number>>, lane: number, by: number): void {
  code.i32Const(by);
  code.instruction(codes[lane] as number);
}

/** Pushes ones in the lanes of a local in which the bits of a mask are all ones, or all zeros. */
function pushTest(code: CodeWriter, lane: number, local: number, mask: bigint, isSet: boolean): void {
  const bits = repeated(lane, mask);
  code.localGet(local);
  code.v128Const(bits);
  code.v128And();
  code.v128Const(isSet ? bits : 0n);
  code.instruction(EQUAL[lane] as number);
}

/** Pushes the lanes of local 0 shifted by the amounts in `distance`, where `isRight` to the right, a power of 2 after another. */
function pushShifted(code: CodeWriter, lane: number, sign: Sign, distance: number, isRight: number): void {
  const value = code.takeLocal("v128");
  code.localGet(0);
  for (let by = 1; by < lane; by *= 2) {
    code.localSet(value);
    code.localGet(value);
    shift(code, SHIFT_RIGHT[sign], lane, by);
    code.localGet(value);
    shift(code, SHIFT_LEFT, lane, by);
    code.localGet(isRight);
    code.v128Bitselect();
    code.localGet(value);
    pushTest(code, lane, distance, BigInt(by), true);
    code.v128Bitselect();
  }
  // All bits are out beyond the lane, but copies of the sign come in from the left.
  if (sign === "S") {
    code.localGet(0);
    shift(code, SHIFT_RIGHT.S, lane, lane - 1);
    code.localGet(isRight);
    code.v128And();
  } else code.v128Const(0n);
  pushTest(code, lane, distance, (1n << BigInt(lane)) - BigInt(lane), false);
  code.v128Bitselect();
}

/**
 * Lanes shifted by the signed low byte of the second argument's. To round a shift by n to the right is to shift by n − 1,
 * which is the complement of −n, and to add the lowest bit to the half of that.
 */
function shiftFunction(lane: number, sign: Sign, rounds: boolean): SharedFunction {
  return {
    parameters: ["v128", "v128"],
    result: "v128",
    write(code) {
      const isRight = code.takeLocal("v128");
      code.localGet(1);
      if (lane > 8) {
        shift(code, SHIFT_LEFT, lane, lane - 8);
        shift(code, SHIFT_RIGHT.S, lane, lane - 8);
      }
      code.localTee(1);
      shift(code, SHIFT_RIGHT.S, lane, 7);
      code.localTee(isRight);
      code.localGet(1);
      code.v128Xor();
      if (!rounds) {
        code.v128Const(repeated(lane, 1n));
        code.localGet(isRight);
        code.v128And();
        code.instruction(ADD[lane] as number);
      }
      code.localSet(1);
      pushShifted(code, lane, sign, 1, isRight);
      if (!rounds) return;
      code.localTee(0);
      shift(code, SHIFT_RIGHT[sign], lane, 1);
      code.localGet(0);
      code.v128Const(repeated(lane, 1n));
      code.v128And();
      code.instruction(ADD[lane] as number);
      code.localGet(0);
      code.localGet(isRight);
      code.v128Bitselect();
    },
  };
}

/** The functions for a sign by whether they round and by lane. */
function shiftFunctions(sign: Sign): readonly Readonly<Record<number, SharedFunction>>[] {
  return [false, true].map((rounds) =>
    Object.fromEntries([8, 16, 32, 64].map((lane) => [lane, shiftFunction(lane, sign, rounds)]))
  );
}

const FUNCTIONS = { S: shiftFunctions("S"), U: shiftFunctions("U") };

/** Calls the function for lanes and amounts on the stack. */
function call(code: CodeWriter, lane: number, sign: Sign, rounds: number): void {
  code.callShared(FUNCTIONS[sign][rounds]?.[lane] as SharedFunction);
}

/** Shifts of lanes by the other argument's. */
export function emitShiftByLanes(sign: Sign): EmitForm {
  return {
    emit: (node, e) => {
      pushVector(e, 0);
      pushVector(e, 1);
      call(e.code, int(node, 0), sign, int(node, 1));
      fromVector(e, node.width);
    },
  };
}

/** The same; a lane is out of range when it is shifted to the left and is not the same when it is shifted back. */
export function emitSaturatingShiftByLanes(sign: Sign): EmitForm {
  return saturatingForm((node, e) => {
    const { code } = e, lane = int(node, 0), a = vectorLocal(e, 0), b = vectorLocal(e, 1);
    code.localGet(a);
    code.localGet(b);
    call(code, lane, sign, int(node, 1));
    const result = setScratch(e);
    code.localGet(result);
    code.localGet(b);
    code.instruction(NEGATE[lane] as number);
    call(code, lane, sign, 0);
    code.localGet(a);
    code.instruction(EQUAL[lane] as number);
    code.localGet(b);
    shift(code, SHIFT_LEFT, lane, lane - 8);
    pushSigns(e, lane, setScratch(e));
    code.v128Or();
    code.v128Not();
    const saturating = setSaturating(e);
    if (sign === "S") pushLimit(e, lane, a);
    else code.localGet(saturating);
    code.localGet(result);
    code.localGet(saturating);
    code.v128Bitselect();
    fromVector(e, node.width);
  });
}
