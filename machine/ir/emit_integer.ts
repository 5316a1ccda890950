/** What the WebAssembly forms of integer operations have in common (see emit.ts for how values stand). */
import type { CodeWriter } from "../wasm/code_writer.ts";
import { PLAIN, type PlainInstruction } from "../wasm/instructions.ts";
import type { IrNode } from "./operation.ts";

/** Name of an operation that i32 and i64 both have. */
export type IntegerOperation = SharedOperation<PlainInstruction>;

/** What follows the type in a name, if i64 has it too; distributes over names. */
export type SharedOperation<Name> = Name extends `i32${infer Operation}`
  ? (`i64${Operation}` extends PlainInstruction ? Operation : never)
  : never;

/** Codes of an operation for i32 and i64, made once: emission is timed. */
const CODES: Readonly<Record<string, readonly [i32: number, i64: number]>> = Object.fromEntries(
  Object.entries(PLAIN).flatMap(([name, i32]) => {
    const operation = name.slice(3), i64 = (PLAIN as Readonly<Record<string, number>>)[`i64${operation}`];
    return name.startsWith("i32") && i64 !== undefined ? [[operation, [i32, i64]]] : [];
  }),
);

/** `i32.add` or `i64.add`, by width. */
export function integer(code: CodeWriter, width: number, operation: IntegerOperation): void {
  const [i32, i64] = CODES[operation] as readonly [number, number];
  code.instruction(width === 64 ? i64 : i32);
}

/** Pushes a number of at most 31 bits in the type of a width. */
export function small(code: CodeWriter, width: number, value: number): void {
  if (width === 64) code.i64Const(value);
  else code.i32Const(value);
}

/** Clears what an i32 has above a width. */
export function narrow(code: CodeWriter, width: number): void {
  if (width >= 32) return;
  code.i32Const(2 ** width - 1);
  code.i32And();
}

/** Sign-extends the value on the stack from a width to its type. */
export function extendSign(code: CodeWriter, width: number): void {
  if (width === 16) code.i32Extend16S();
  else if (width === 8) code.i32Extend8S();
  else if (width < 32) {
    shiftBy(code, 32, "Shl", 32 - width);
    shiftBy(code, 32, "ShrS", 32 - width);
  }
}

/** Shifts the value on the stack by a constant. */
export function shiftBy(code: CodeWriter, width: number, shift: IntegerOperation, amount: number): void {
  if (amount === 0) return;
  small(code, width, amount);
  integer(code, width, shift);
}

/** True for operations of at most 64 bits. */
export function isScalar(node: IrNode): boolean {
  return node.width <= 64;
}
