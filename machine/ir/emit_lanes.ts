/** WebAssembly forms of operations on integer lanes. */
import { PLAIN, type PlainInstruction } from "../wasm/instructions.ts";
import type { Emitter } from "./emit.ts";
import { byLane, fromVector, pushVector, repeated, SHAPES, toVector, vectorLocal } from "./emit_vector.ts";
import { type EmitForm, int, type IrNode } from "./operation.ts";

/** Width of a node's lanes. */
export const laneOf = (node: IrNode): number => int(node, 0);

/** Pushes arguments as vectors and applies an instruction, for the lanes that have it and those of `others`. */
export function emitLanes(
  operation: string,
  count: 1 | 2,
  others: Readonly<Record<number, (e: Emitter) => void>> = {},
): EmitForm {
  const codes = byLane(operation);
  return {
    emit: (node, e) => {
      const other = others[laneOf(node)];
      if (other !== undefined) other(e);
      else {
        for (let i = 0; i < count; i++) pushVector(e, i);
        e.code.instruction(codes[laneOf(node)] as number);
      }
      fromVector(e, node.width);
    },
    emits: (node) => laneOf(node) in codes || laneOf(node) in others,
  };
}

/** Products of bytes: of the even and of the odd ones as products of halfwords. */
export function mulBytes(e: Emitter): void {
  const { code } = e, a = vectorLocal(e, 0), b = vectorLocal(e, 1);
  code.localGet(a);
  code.localGet(b);
  code.i16x8Mul();
  code.v128Const(repeated(16, 0xffn));
  code.v128And();
  for (const local of [a, b]) {
    code.localGet(local);
    code.i32Const(8);
    code.i16x8ShrU();
  }
  code.i16x8Mul();
  code.i32Const(8);
  code.i16x8Shl();
  code.v128Or();
}

/** The greater or the smaller of signed doublewords. */
export function chooseDoublewords(comparison: "i64x2GtS" | "i64x2LtS"): (e: Emitter) => void {
  return (e) => {
    const { code } = e, a = vectorLocal(e, 0), b = vectorLocal(e, 1);
    code.localGet(a);
    code.localGet(b);
    code.localGet(a);
    code.localGet(b);
    code[comparison]();
    code.v128Bitselect();
  };
}

/** a > b of unsigned doublewords: as signed ones, with their top bits inverted. */
export function greaterUnsignedDoublewords(e: Emitter): void {
  for (const i of [0, 1]) {
    pushVector(e, i);
    e.code.v128Const(repeated(64, 1n << 63n));
    e.code.v128Xor();
  }
  e.code.i64x2GtS();
}

/** Shifts of all lanes by argument 1, which is below the lane. */
export function emitLaneShift(operation: "Shl" | "ShrS" | "ShrU"): EmitForm {
  const codes = byLane(operation);
  return {
    emit: (node, e) => {
      pushVector(e, 0);
      e.argument(1);
      e.code.instruction(codes[laneOf(node)] as number);
      fromVector(e, node.width);
    },
  };
}

/** Bytes of the lower halves of lanes, the vector's twice over. */
export function lowerHalves(lane: number): number[] {
  const size = lane / 8;
  return Array.from({ length: 16 }, (_, byte) => {
    const at = byte % 8;
    return Math.floor(at / (size / 2)) * size + at % (size / 2);
  });
}

/** Lower halves of lanes. */
export const emitNarrow: EmitForm = {
  emit: (node, e) => {
    const vector = vectorLocal(e, 0);
    e.code.localGet(vector);
    e.code.localGet(vector);
    e.code.i8x16Shuffle(lowerHalves(laneOf(node)));
    fromVector(e, node.width);
  },
};

const shapeOf = (lane: number): string => SHAPES[lane] as string;

/** Code of the instruction that widens the lower lanes to twice a width. */
export function extendLow(lane: number, sign: "S" | "U"): number {
  const name = `${shapeOf(lane * 2)}ExtendLowI${shapeOf(lane).slice(1)}${sign}`;
  return PLAIN[name as PlainInstruction];
}

/** Lanes of a 64-bit vector, twice as wide. */
export function emitWiden(sign: "S" | "U"): EmitForm {
  return {
    emit: (node, e) => {
      pushVector(e, 0);
      e.code.instruction(extendLow(laneOf(node), sign));
      fromVector(e, node.width);
    },
  };
}

/** Leading zeros: the lane's width less the number of ones when every bit below a one is made one. */
export const emitLaneLeadingZeros: EmitForm = {
  emit: (node, e) => {
    const { code } = e, lane = laneOf(node), shift = byLane("ShrU")[lane] as number;
    const smeared = e.scratch("v128");
    code.v128Const(repeated(lane, BigInt(lane)));
    pushVector(e, 0);
    for (let by = 1; by < lane; by *= 2) {
      code.localTee(smeared);
      code.localGet(smeared);
      code.i32Const(by);
      code.instruction(shift);
      code.v128Or();
    }
    code.i8x16Popcnt();
    if (lane >= 16) code.i16x8ExtaddPairwiseI8x16U();
    if (lane >= 32) code.i32x4ExtaddPairwiseI16x8U();
    code.instruction(byLane("Sub")[lane] as number);
    fromVector(e, node.width);
  },
  emits: (node) => laneOf(node) < 64,
};

/** Byte n is n with its four bits reversed. */
const REVERSED_NIBBLES = 0x0f_07_0b_03_0d_05_09_01_0e_06_0a_02_0c_04_08_00n;

/** Bits of bytes in reverse order: each nibble is looked up. */
export const emitLaneReverseBits: EmitForm = {
  emit: (node, e) => {
    const { code } = e, vector = vectorLocal(e, 0);
    code.v128Const(REVERSED_NIBBLES);
    code.localGet(vector);
    code.v128Const(repeated(8, 0x0fn));
    code.v128And();
    code.i8x16Swizzle();
    code.i32Const(4);
    code.i8x16Shl();
    code.v128Const(REVERSED_NIBBLES);
    code.localGet(vector);
    code.i32Const(4);
    code.i8x16ShrU();
    code.i8x16Swizzle();
    code.v128Or();
    fromVector(e, node.width);
  },
  emits: (node) => laneOf(node) === 8,
};

/** Lanes by number, of the first argument and then of the second. */
export const emitShuffle: EmitForm = {
  emit: (node, e) => {
    const size = laneOf(node) / 8, count = node.width / laneOf(node);
    const choices = node.immediates.slice(1) as number[];
    pushVector(e, 0);
    pushVector(e, 1);
    e.code.i8x16Shuffle(Array.from({ length: 16 }, (_, byte) => {
      const choice = choices[Math.floor(byte / size) % count] as number;
      return (choice < count ? choice * size : 16 + (choice - count) * size) + byte % size;
    }));
    fromVector(e, node.width);
  },
};

/** Bytes of the first argument by number; 0 for numbers of 16 and more. */
export const emitLookUp: EmitForm = {
  emit: (node, e) => {
    e.argument(0);
    pushVector(e, 1);
    e.code.i8x16Swizzle();
    fromVector(e, node.width);
  },
  emits: (_node, [table]) => table === 128,
};

/** A value in every lane. */
export const emitBroadcast: EmitForm = {
  emit: (node, e) => {
    pushVector(e, 0);
    fromVector(e, node.width);
  },
};

/** One lane of the first argument replaced by the second. */
export const emitInsert: EmitForm = {
  emit: (node, e) => {
    const { code } = e, lane = int(node, 1);
    e.argument(0);
    toVector(e, e.width(0));
    e.argument(1);
    if (laneOf(node) === 64) code.i64x2ReplaceLane(lane);
    else if (laneOf(node) === 32) code.i32x4ReplaceLane(lane);
    else if (laneOf(node) === 16) code.i16x8ReplaceLane(lane);
    else code.i8x16ReplaceLane(lane);
    fromVector(e, node.width);
  },
};
