/** Values of a program that leave the assembler: operands of instructions, and integers in memory. */
import { AssemblyError } from "./line_parser.ts";
import { type Expression, parseExpression, type Scope } from "./program_expression.ts";
import { Reader } from "./program_reader.ts";

/** Checks and cuts for `:name:` in front of an expression (ELF for the Arm 64-bit Architecture, 5.7.5 and 5.7.6). */
// deno-fmt-ignore
const PARTS = new Map<string, { lowest: bigint; bits: bigint; limit: bigint }>(Object.entries({
  lo12:       { lowest: 0n,  bits: 12n, limit: 64n },
  pg_hi21:    { lowest: 0n,  bits: 64n, limit: 64n },
  pg_hi21_nc: { lowest: 0n,  bits: 64n, limit: 64n },
  abs_g0:     { lowest: 0n,  bits: 16n, limit: 16n },
  abs_g0_nc:  { lowest: 0n,  bits: 16n, limit: 64n },
  abs_g1:     { lowest: 16n, bits: 16n, limit: 32n },
  abs_g1_nc:  { lowest: 16n, bits: 16n, limit: 64n },
  abs_g2:     { lowest: 32n, bits: 16n, limit: 48n },
  abs_g2_nc:  { lowest: 32n, bits: 16n, limit: 64n },
  abs_g3:     { lowest: 48n, bits: 16n, limit: 64n },
}));

/** Writes the expression's value as a little-endian integer; throws `AssemblyError` if `size` bytes cannot hold it. */
export function storeInteger(view: DataView, at: number, size: number, expression: Expression): void {
  const value = expression.absolute(), bits = 8 * size;
  if (value < -(1n << BigInt(bits - 1)) || value >= 1n << BigInt(bits)) {
    throw new AssemblyError(
      `${value} does not fit in ${bits} bits; expected -2^${bits - 1} to 2^${bits}-1`,
      expression.column,
    );
  }
  if (size === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true);
  else if (size === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  else if (size === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
  else view.setUint8(at, Number(BigInt.asUintN(8, value)));
}

/** The value of an instruction's operand: an expression, maybe with a part such as `:lo12:` in front. */
export function evaluateOperand(text: string, scope: Scope): bigint {
  const reader = new Reader(text);
  const part = reader.take(/:\w+:/y)?.slice(1, -1);
  const cut = part === undefined ? undefined : PARTS.get(part.toLowerCase());
  if (part !== undefined && !cut) {
    reader.fail(`unknown part :${part}:`, [...PARTS.keys()].map((name) => `:${name}:`).join(" "), 1);
  }
  const expression = parseExpression(reader, scope);
  reader.end("an operator or the end of the operand");
  const value = expression.absolute();
  if (!cut) return value;
  const address = BigInt.asUintN(64, value);
  if (address >> cut.limit !== 0n) {
    reader.fail(
      `0x${address.toString(16)} has more than ${cut.limit} bits`,
      `:${part}_nc: if the rest is moved too`,
      1,
    );
  }
  return BigInt.asUintN(Number(cut.bits), address >> cut.lowest);
}
