/** WebAssembly forms of operations on bits and bytes, and of changes of width. */
import type { Emitter } from "./emit.ts";
import { extendSign, integer, isScalar, narrow, shiftBy, small } from "./emit_integer.ts";
import { type EmitForm, int, type IrNode, type Width } from "./operation.ts";

/** Leading zeros: those of the type less those above the width. */
export const emitLeadingZeros: EmitForm = {
  emit: ({ width }, e) => {
    e.argument(0);
    integer(e.code, width, "Clz");
    if (width >= 32) return;
    e.code.i32Const(32 - width);
    e.code.i32Sub();
  },
  emits: isScalar,
};

/** Leading zeros of a ^ a >> 1 (signed), less the first; a one is put below the last bit that counts. */
export const emitLeadingSigns: EmitForm = {
  emit: ({ width }, e) => {
    const { code } = e, size = width === 64 ? 64 : 32;
    const a = e.scratch(size === 64 ? "i64" : "i32");
    e.argument(0);
    shiftBy(code, size, "Shl", size - width);
    code.localTee(a);
    code.localGet(a);
    shiftBy(code, size, "ShrS", 1);
    integer(code, width, "Xor");
    if (width < 32) {
      code.i32Const(1 << 31 - width);
      code.i32Or();
    }
    integer(code, width, "Clz");
    small(code, width, 1);
    integer(code, width, "Sub");
  },
  emits: isScalar,
};

/** Which bits of a value lie in the lower of each pair of groups. */
const LOWER_GROUPS: Readonly<Record<number, bigint>> = {
  1: 0x5555_5555_5555_5555n,
  2: 0x3333_3333_3333_3333n,
  4: 0x0f0f_0f0f_0f0f_0f0fn,
  8: 0x00ff_00ff_00ff_00ffn,
  16: 0x0000_ffff_0000_ffffn,
};

/** Swaps neighbouring groups of `size` bits of the value on the stack. */
function swapGroups(e: Emitter, width: number, size: number): void {
  const { code } = e, local = e.scratch(width === 64 ? "i64" : "i32"), lower = LOWER_GROUPS[size] as bigint;
  const mask = () => {
    if (width === 64) code.i64Const(lower);
    else code.i32Const(Number(BigInt.asIntN(32, lower)));
    integer(code, width, "And");
  };
  code.localTee(local);
  shiftBy(code, width, "ShrU", size);
  mask();
  code.localGet(local);
  mask();
  shiftBy(code, width, "Shl", size);
  integer(code, width, "Or");
}

/** Reverses the groups of `smallest` bits within containers: swaps a container's halves, then their halves, and so on. */
function reverseGroups(e: Emitter, width: number, container: number, smallest: number): void {
  for (let size = container / 2; size >= smallest; size /= 2) {
    if (size === width / 2 && width >= 32) shiftBy(e.code, width, "Rotl", size);
    else swapGroups(e, width, size);
  }
}

/** Bits in reverse order. */
export const emitReverseBits: EmitForm = {
  emit: ({ width }, e) => {
    e.argument(0);
    reverseGroups(e, width, width, 1);
  },
  emits: ({ width }) => width >= 8 && width <= 64,
};

/** Bytes in reverse order within containers. */
export const emitReverseBytes: EmitForm = {
  emit: (node, e) => {
    e.argument(0);
    reverseGroups(e, node.width, int(node, 0), 8);
  },
  emits: ({ width }) => width >= 8 && width <= 64,
};

/** Nothing to do within one type, since the upper bits are zero. */
export function emitZeroExtend({ width }: IrNode, e: Emitter): void {
  const from = e.width(0);
  if (width === 128 && from < 128) e.code.v128Const(0n);
  e.argument(0);
  if (width >= 64 && from < 64) e.code.i64ExtendI32U();
  if (width === 128 && from < 128) e.code.i64x2ReplaceLane(0);
}

/** The immediate is the width of the argument. */
export const emitSignExtend: EmitForm = {
  emit: (node, e) => {
    const from = int(node, 0);
    e.argument(0);
    if (from < 64) extendSign(e.code, from);
    if (node.width === 64 && from < 64) e.code.i64ExtendI32S();
    else narrow(e.code, node.width);
  },
  emits: isScalar,
};

/** Bits from a lowest one (the immediate) up. */
export function emitExtract(node: IrNode, e: Emitter): void {
  const { code } = e, lowest = int(node, 0), { width } = node, from = e.width(0);
  if (from === 128) return extractFromVector(e, width, lowest);
  e.argument(0);
  shiftBy(code, from, "ShrU", lowest);
  if (from === 64 && width < 64) code.i32WrapI64();
  if (lowest + width < from) narrow(code, width);
}

/** Lanes directly, other bits by way of the halves. */
function extractFromVector(e: Emitter, width: Width, lowest: number): void {
  const { code } = e, lane = lowest / width;
  if (width >= 8 && Number.isInteger(lane)) {
    e.argument(0);
    if (width === 64) code.i64x2ExtractLane(lane);
    else if (width === 32) code.i32x4ExtractLane(lane);
    else if (width === 16) code.i16x8ExtractLaneU(lane);
    else if (width === 8) code.i8x16ExtractLaneU(lane);
    return;
  }
  const vector = e.local(0), offset = lowest & 63;
  code.localGet(vector);
  code.i64x2ExtractLane(lowest >> 6);
  shiftBy(code, 64, "ShrU", offset);
  if (lowest < 64 && offset + width > 64) {
    code.localGet(vector);
    code.i64x2ExtractLane(1);
    shiftBy(code, 64, "Shl", 64 - offset);
    code.i64Or();
  }
  if (width === 64) return;
  code.i32WrapI64();
  narrow(code, width);
}

/** high:low. */
export function emitConcatenate({ width }: IrNode, e: Emitter): void {
  const { code } = e;
  if (width === 128) {
    e.argument(1);
    code.i64x2Splat();
    e.argument(0);
    return code.i64x2ReplaceLane(1);
  }
  e.argument(0);
  if (width === 64) code.i64ExtendI32U();
  shiftBy(code, width, "Shl", width / 2);
  e.argument(1);
  if (width === 64) code.i64ExtendI32U();
  integer(code, width, "Or");
}
