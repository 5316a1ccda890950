/** WebAssembly forms of arithmetic, logic and shifts, products and quotients. */
import { PLAIN } from "../wasm/instructions.ts";
import type { Emitter } from "./emit.ts";
import {
  extendSign,
  integer,
  type IntegerOperation,
  isScalar,
  narrow,
  shiftBy,
  small,
} from "./emit_integer.ts";
import type { Emit, EmitForm, IrNode } from "./operation.ts";

/** Two arguments and an instruction; `overflows` when a narrow result may have bits above its width. */
export function emitBinary(operation: IntegerOperation, overflows: boolean): EmitForm {
  return {
    emit: ({ width }, e) => {
      e.argument(0);
      e.argument(1);
      integer(e.code, width, operation);
      if (overflows) narrow(e.code, width);
    },
    emits: isScalar,
  };
}

/** Bitwise logic of vectors too. */
export function emitBitwise(operation: "And" | "Or" | "Xor"): Emit {
  return ({ width }, e) => {
    e.argument(0);
    e.argument(1);
    if (width === 128) e.code.instruction(PLAIN[`v128${operation}`]);
    else integer(e.code, width, operation);
  };
}

/** Complement. */
export function emitNot({ width }: IrNode, e: Emitter): void {
  e.argument(0);
  if (width === 128) return e.code.v128Not();
  small(e.code, width, width < 32 ? 2 ** width - 1 : -1);
  integer(e.code, width, "Xor");
}

/** Pushes a carry, argument 2, whose width may be another, in the type of a width. */
export function pushCarry(e: Emitter, width: number): void {
  e.argument(2);
  if (width === 64 && e.width(2) !== 64) e.code.i64ExtendI32U();
}

/** Sum of three. */
export const emitAddCarry: EmitForm = {
  emit: ({ width }, e) => {
    e.argument(0);
    e.argument(1);
    integer(e.code, width, "Add");
    pushCarry(e, width);
    integer(e.code, width, "Add");
    narrow(e.code, width);
  },
  emits: isScalar,
};

/** Arithmetic shift to the right: narrow values are extended first. */
export const emitShiftRightSigned: EmitForm = {
  emit: ({ width }, e) => {
    e.argument(0);
    extendSign(e.code, width);
    e.argument(1);
    integer(e.code, width, "ShrS");
    narrow(e.code, width);
  },
  emits: isScalar,
};

/** Rotation; narrow ones are made of two shifts. */
export const emitRotateRight: EmitForm = {
  emit: ({ width }, e) => {
    const { code } = e;
    if (width >= 32) {
      e.argument(0);
      e.argument(1);
      return integer(code, width, "Rotr");
    }
    const value = e.local(0), amount = e.local(1);
    code.localGet(value);
    code.localGet(amount);
    code.i32ShrU();
    code.localGet(value);
    code.i32Const(width);
    code.localGet(amount);
    code.i32Sub();
    code.i32Shl();
    code.i32Or();
    narrow(code, width);
  },
  emits: isScalar,
};

/** High half of a product; of 64 bits by products of 32 bits (Hacker's Delight, 8-2). */
export function emitMulHigh(isSigned: boolean): EmitForm {
  return {
    emit: ({ width }, e) => {
      if (width === 64) return mulHigh64(e, isSigned ? "ShrS" : "ShrU");
      const { code } = e;
      for (const argument of [0, 1]) {
        e.argument(argument);
        if (isSigned) extendSign(code, width);
        if (isSigned) code.i64ExtendI32S();
        else code.i64ExtendI32U();
      }
      code.i64Mul();
      shiftBy(code, 64, "ShrU", width);
      code.i32WrapI64();
      narrow(code, width);
    },
    emits: isScalar,
  };
}

function mulHigh64(e: Emitter, shift: "ShrS" | "ShrU"): void {
  const { code } = e, a = e.local(0), b = e.local(1);
  const aHigh = e.scratch("i64"),
    bHigh = e.scratch("i64"),
    middle = e.scratch("i64"),
    cross = e.scratch("i64");
  const low = (local: number) => {
    code.localGet(local);
    code.i64Const(0xffff_ffffn);
    code.i64And();
  };
  const high = (local: number) => {
    code.localGet(local);
    shiftBy(code, 64, shift, 32);
  };
  high(a);
  code.localSet(aHigh);
  high(b);
  code.localSet(bHigh);
  // middle = aHigh × bLow + (aLow × bLow >> 32)
  code.localGet(aHigh);
  low(b);
  code.i64Mul();
  low(a);
  low(b);
  code.i64Mul();
  shiftBy(code, 64, "ShrU", 32);
  code.i64Add();
  code.localSet(middle);
  // cross = aLow × bHigh + low half of middle
  low(a);
  code.localGet(bHigh);
  code.i64Mul();
  low(middle);
  code.i64Add();
  code.localSet(cross);
  code.localGet(aHigh);
  code.localGet(bHigh);
  code.i64Mul();
  high(middle);
  code.i64Add();
  high(cross);
  code.i64Add();
}

/** Quotient: WebAssembly traps on a divisor of 0. */
export const emitDivUnsigned: EmitForm = {
  emit: ({ width }, e) => {
    const { code } = e, a = e.local(0), b = e.local(1);
    code.localGet(b);
    integer(code, width, "Eqz");
    code.if(width === 64 ? "i64" : "i32");
    small(code, width, 0);
    code.else();
    code.localGet(a);
    code.localGet(b);
    integer(code, width, "DivU");
    code.end();
  },
  emits: isScalar,
};

/** Quotient towards zero: WebAssembly traps on a divisor of 0 and on minimum ÷ −1, where a × b is the answer. */
export const emitDivSigned: EmitForm = {
  emit: ({ width }, e) => {
    const { code } = e, type = width === 64 ? "i64" : "i32";
    const a = e.scratch(type), b = e.scratch(type);
    for (const [argument, local] of [a, b].entries()) {
      e.argument(argument);
      extendSign(code, width);
      code.localSet(local);
    }
    code.localGet(b);
    small(code, width, 1);
    integer(code, width, "Add");
    small(code, width, 1);
    integer(code, width, "LeU");
    code.if(type);
    code.localGet(a);
    code.localGet(b);
    integer(code, width, "Mul");
    code.else();
    code.localGet(a);
    code.localGet(b);
    integer(code, width, "DivS");
    code.end();
    narrow(code, width);
  },
  emits: isScalar,
};
