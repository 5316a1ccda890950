/** WebAssembly forms of comparisons, conditions and flags. */
import type { CodeWriter } from "../wasm/code_writer.ts";
import type { Emitter } from "./emit.ts";
import { pushCarry } from "./emit_arithmetic.ts";
import { extendSign, integer, narrow, shiftBy, small } from "./emit_integer.ts";
import { type Emit, type EmitForm, int, type IrNode } from "./operation.ts";

/** One bit: equality at the immediate's width. */
export function emitEqual(node: IrNode, e: Emitter): void {
  const { code } = e;
  e.argument(0);
  e.argument(1);
  if (int(node, 0) < 128) return integer(code, int(node, 0), "Eq");
  code.v128Xor();
  code.v128AnyTrue();
  code.i32Eqz();
}

/** One bit: order at the immediate's width. */
export function emitLess(isSigned: boolean): EmitForm {
  return {
    emit: (node, e) => {
      const { code } = e, width = int(node, 0);
      for (const argument of [0, 1]) {
        e.argument(argument);
        if (isSigned && width < 32) extendSign(code, width);
      }
      integer(code, width, isSigned ? "LtS" : "LtU");
    },
    emits: (node) => int(node, 0) <= 64,
  };
}

/** Both values are there; the condition is the last on the stack. */
export function emitSelect(_node: IrNode, e: Emitter): void {
  e.argument(1);
  e.argument(2);
  e.argument(0);
  e.code.select();
}

/** N and Z of a local, in their places among the flags. */
function pushNegativeZero(code: CodeWriter, width: number, result: number): void {
  code.localGet(result);
  shiftBy(code, width, "ShrU", width - 4);
  if (width === 64) code.i32WrapI64();
  code.i32Const(8);
  code.i32And();
  code.localGet(result);
  integer(code, width, "Eqz");
  shiftBy(code, 32, "Shl", 2);
  code.i32Or();
}

/** Four flags: N and Z of a local, C and V by code that leaves 0 or 1 as an i32. */
function pushFlags(
  code: CodeWriter,
  width: number,
  result: number,
  carry: () => void,
  overflow: () => void,
): void {
  pushNegativeZero(code, width, result);
  carry();
  shiftBy(code, 32, "Shl", 1);
  code.i32Or();
  overflow();
  code.i32Or();
}

/** The top bit of what is on the stack, as an i32. */
function topBit(code: CodeWriter, width: number): void {
  shiftBy(code, width, "ShrU", width - 1);
  if (width === 64) code.i32WrapI64();
}

/** Overflow: the top bit of (a ^ x) & (b ^ y). */
function signsDiffer(code: CodeWriter, width: number, a: number, x: number, b: number, y: number): void {
  for (const [left, right] of [[a, x], [b, y]] as const) {
    code.localGet(left);
    code.localGet(right);
    integer(code, width, "Xor");
  }
  integer(code, width, "And");
  topBit(code, width);
}

/** Carry out of a sum of three: the top bit of (a & b) | ((a | b) & ~sum). */
function carryOut(code: CodeWriter, width: number, a: number, b: number, sum: number): void {
  code.localGet(a);
  code.localGet(b);
  integer(code, width, "And");
  code.localGet(a);
  code.localGet(b);
  integer(code, width, "Or");
  code.localGet(sum);
  small(code, width, -1);
  integer(code, width, "Xor");
  integer(code, width, "And");
  integer(code, width, "Or");
  topBit(code, width);
}

const isFullWidth = (node: IrNode): boolean => int(node, 0) === 32 || int(node, 0) === 64;

/** NZCV of a + b, or of a + b + carry. */
export const emitFlagsOfAdd: EmitForm = {
  emit: (node, e) => {
    const { code } = e, width = int(node, 0), hasCarry = e.has(2);
    const a = e.local(0), b = e.local(1), sum = e.scratch(width === 64 ? "i64" : "i32");
    code.localGet(a);
    code.localGet(b);
    integer(code, width, "Add");
    if (hasCarry) {
      pushCarry(e, width);
      integer(code, width, "Add");
    }
    code.localSet(sum);
    const carry = () => {
      if (hasCarry) return carryOut(code, width, a, b, sum);
      code.localGet(sum);
      code.localGet(a);
      integer(code, width, "LtU");
    };
    pushFlags(code, width, sum, carry, () => signsDiffer(code, width, a, sum, b, sum));
  },
  emits: isFullWidth,
};

/** NZCV of a − b: C is set when nothing is borrowed. */
export const emitFlagsOfSub: EmitForm = {
  emit: (node, e) => {
    const { code } = e, width = int(node, 0);
    const a = e.local(0), b = e.local(1), difference = e.scratch(width === 64 ? "i64" : "i32");
    code.localGet(a);
    code.localGet(b);
    integer(code, width, "Sub");
    code.localSet(difference);
    const carry = () => {
      code.localGet(a);
      code.localGet(b);
      integer(code, width, "GeU");
    };
    pushFlags(code, width, difference, carry, () => signsDiffer(code, width, a, b, a, difference));
  },
  emits: isFullWidth,
};

/** N and Z of a result. */
export const emitFlagsOfLogic: EmitForm = {
  emit: (node, e) => pushNegativeZero(e.code, int(node, 0), e.local(0)),
  emits: isFullWidth,
};

/** Which flag a pair of conditions tests alone: Z, C, N, V by their bit; the others combine flags. */
const TESTED_FLAG = [2, 1, 3, 0];

/** One bit: a flag, or a bit of a table of the condition's truth, numbered by the flags. */
export function emitCondition(holds: (condition: number, flags: number) => boolean): Emit {
  const truths = Array.from({ length: 16 }, (_, condition) => {
    let truth = 0;
    for (let flags = 0; flags < 16; flags++) if (holds(condition, flags)) truth |= 1 << flags;
    return truth;
  });
  return (node, e) => {
    const { code } = e, condition = int(node, 0), flag = TESTED_FLAG[condition >> 1];
    if (flag === undefined) {
      code.i32Const(truths[condition] as number);
      e.argument(0);
      code.i32ShrU();
      return narrow(code, 1);
    }
    e.argument(0);
    shiftBy(code, 32, "ShrU", flag);
    if (flag !== 3) narrow(code, 1);
    if ((condition & 1) === 0) return;
    code.i32Const(1);
    code.i32Xor();
  };
}
