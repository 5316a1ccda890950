/** Typed construction of IR: what an instruction's lowering is written against. */
import { MachineInvariantError } from "../errors.ts";
import type { CryptoOperation } from "./crypto_operations.ts";
import type { FloatOperation } from "./float_operations.ts";
import type { FloatProductOperation } from "./float_product_operations.ts";
import { type HelperName, HELPERS } from "./helpers.ts";
import type { LaneOperation } from "./lane_operations.ts";
import type { Access, IrNode, OperationName, Width } from "./operations.ts";

declare const brand: unique symbol;

/**
 * A value known only at run time. It is typed as a function so that using it as a condition
 * (`if (v)`, `v ? a : b`, `v && x`) does not compile (TS2774); arithmetic on it does not either.
 */
export type Value = ((never: never) => never) & { readonly [brand]: "run-time value" };

const ZERO = 31, TRASH = 32, SP = 33;

/** Kinds of branch, for predictors, tracing and BTI. */
export type BranchKind = "jump" | "call" | "return";

/**
 * Builds the IR of one instruction. Register numbers, widths and immediates are plain numbers, known at
 * decode; `Value`s are known at run time. Two words whose IR differs only in register slots and constants
 * share one shape, so lowerings should not branch on them without need.
 */
export class Builder {
  /** The operations so far, in order of evaluation. */
  readonly nodes: IrNode[] = [];

  #node(
    op: OperationName,
    width: Width,
    args: readonly Value[] = [],
    immediates: IrNode["immediates"] = [],
  ): Value {
    this.nodes.push({ op, width, args: args as unknown as number[], immediates });
    return (this.nodes.length - 1) as unknown as Value;
  }

  /** Width of a value in bits. */
  widthOf(value: Value): Width {
    return (this.nodes[value as unknown as number] as IrNode).width;
  }

  #same(op: OperationName, width: Width, ...args: Value[]): Value {
    for (const value of args) {
      if (this.widthOf(value) !== width) {
        throw new MachineInvariantError(`IR ${op} of width ${width} got a value of ${this.widthOf(value)}`);
      }
    }
    return this.#node(op, width, args);
  }

  // Constants and registers.

  /** A constant, taken modulo 2^width. */
  constant(width: Width, value: number | bigint): Value {
    return this.#node("constant", width, [], [BigInt.asUintN(width, BigInt(value))]);
  }
  /** X[n] or W[n]; register 31 reads as zero. */
  readX(n: number, width: Width): Value {
    const value = this.#node("readX", 64, [], [n === 31 ? ZERO : n]);
    return width === 64 ? value : this.extract(width, value, 0);
  }
  /** X[n] or W[n], register 31 being the stack pointer. */
  readXsp(n: number, width: Width): Value {
    const value = this.#node("readX", 64, [], [n === 31 ? SP : n]);
    return width === 64 ? value : this.extract(width, value, 0);
  }
  /** Writes X[n] or W[n] (upper half zeroed); register 31 is discarded. */
  writeX(n: number, width: Width, value: Value): void {
    this.#node("writeX", 0, [this.#to64(width, value)], [n === 31 ? TRASH : n]);
  }
  /** Writes X[n] or W[n], register 31 being the stack pointer. */
  writeXsp(n: number, width: Width, value: Value): void {
    this.#node("writeX", 0, [this.#to64(width, value)], [n === 31 ? SP : n]);
  }
  #to64(width: Width, value: Value): Value {
    if (this.widthOf(value) !== width) {
      throw new MachineInvariantError(`IR write of width ${width} got a value of ${this.widthOf(value)}`);
    }
    return width === 64 ? value : this.zeroExtend(64, value);
  }
  /** The low `width` bits of V[n]. */
  readV(n: number, width: Width): Value {
    return this.#node("readV", width, [], [n]);
  }
  /** Writes V[n], zeroing what is above the value. */
  writeV(n: number, value: Value): void {
    this.#node("writeV", 0, [value], [n]);
  }
  /** Address of this instruction. */
  pc(): Value {
    return this.#node("pc", 64);
  }
  /** The flags, 4 bits N Z C V. */
  readNzcv(): Value {
    return this.#node("readNzcv", 4);
  }
  /** Replaces the flags. */
  writeNzcv(flags: Value): void {
    this.#node("writeNzcv", 0, [flags]);
  }

  // Arithmetic and logic; arguments have the given width.

  /** a + b. */
  add(width: Width, a: Value, b: Value): Value {
    return this.#same("add", width, a, b);
  }
  /** a + b + carry, the carry being one bit. */
  addCarry(width: Width, a: Value, b: Value, carry: Value): Value {
    return this.#node("addCarry", width, [a, b, carry]);
  }
  /** a − b. */
  sub(width: Width, a: Value, b: Value): Value {
    return this.#same("sub", width, a, b);
  }
  /** Low half of a × b. */
  mul(width: Width, a: Value, b: Value): Value {
    return this.#same("mul", width, a, b);
  }
  /** High half of the signed product. */
  mulHighSigned(width: Width, a: Value, b: Value): Value {
    return this.#same("mulHighSigned", width, a, b);
  }
  /** High half of the unsigned product. */
  mulHighUnsigned(width: Width, a: Value, b: Value): Value {
    return this.#same("mulHighUnsigned", width, a, b);
  }
  /** Unsigned quotient; 0 when b is 0. */
  divUnsigned(width: Width, a: Value, b: Value): Value {
    return this.#same("divUnsigned", width, a, b);
  }
  /** Signed quotient towards zero; 0 when b is 0, the minimum when it overflows. */
  divSigned(width: Width, a: Value, b: Value): Value {
    return this.#same("divSigned", width, a, b);
  }
  /** Bitwise and. */
  and(width: Width, a: Value, b: Value): Value {
    return this.#same("and", width, a, b);
  }
  /** Bitwise or. */
  or(width: Width, a: Value, b: Value): Value {
    return this.#same("or", width, a, b);
  }
  /** Bitwise exclusive or. */
  xor(width: Width, a: Value, b: Value): Value {
    return this.#same("xor", width, a, b);
  }
  /** Bitwise complement. */
  not(width: Width, a: Value): Value {
    return this.#same("not", width, a);
  }
  /** Left shift; the amount has the same width and must be below it. */
  shiftLeft(width: Width, a: Value, amount: Value): Value {
    return this.#same("shiftLeft", width, a, amount);
  }
  /** Logical right shift; the amount has the same width and must be below it. */
  shiftRight(width: Width, a: Value, amount: Value): Value {
    return this.#same("shiftRight", width, a, amount);
  }
  /** Arithmetic right shift; the amount has the same width and must be below it. */
  shiftRightSigned(width: Width, a: Value, amount: Value): Value {
    return this.#same("shiftRightSigned", width, a, amount);
  }
  /** Rotation to the right; the amount has the same width and must be below it. */
  rotateRight(width: Width, a: Value, amount: Value): Value {
    return this.#same("rotateRight", width, a, amount);
  }
  /** Number of leading zeros. */
  leadingZeros(width: Width, a: Value): Value {
    return this.#same("leadingZeros", width, a);
  }
  /** Number of bits after the top one that equal it. */
  leadingSigns(width: Width, a: Value): Value {
    return this.#same("leadingSigns", width, a);
  }
  /** Bits in reverse order. */
  reverseBits(width: Width, a: Value): Value {
    return this.#same("reverseBits", width, a);
  }
  /** Bytes in reverse order within each container of 16, 32 or 64 bits. */
  reverseBytes(width: Width, container: number, a: Value): Value {
    return this.#node("reverseBytes", width, [a], [container]);
  }
  /** CRC-32 step over `bits` bits of data with a reflected polynomial. */
  crc32(bits: number, polynomial: bigint, accumulator: Value, data: Value): Value {
    return this.#node("crc32", 32, [accumulator, data], [bits, polynomial]);
  }

  // Widths.

  /** Zero-extends to `width`. */
  zeroExtend(width: Width, a: Value): Value {
    return this.widthOf(a) === width ? a : this.#node("zeroExtend", width, [a]);
  }
  /** Sign-extends to `width`. */
  signExtend(width: Width, a: Value): Value {
    return this.widthOf(a) === width ? a : this.#node("signExtend", width, [a], [this.widthOf(a)]);
  }
  /** Bits lowest+width−1 … lowest of a value. */
  extract(width: Width, a: Value, lowest: number): Value {
    return this.#node("extract", width, [a], [lowest]);
  }
  /** high:low, twice as wide as its parts. */
  concatenate(high: Value, low: Value): Value {
    return this.#node("concatenate", (this.widthOf(low) * 2) as Width, [high, low]);
  }

  // Vectors, floating point, cryptography: operations by name, from their tables.

  /** An operation on lanes of `lane` bits of a vector (or scalar) of `width` bits. */
  lanes(op: LaneOperation, width: Width, lane: number, args: readonly Value[], ...more: number[]): Value {
    return this.#node(op, width, args, [lane, ...more]);
  }
  /** A floating-point operation on a vector or scalar of `width` bits in a format of 16, 32 or 64 bits. */
  float(
    op: FloatOperation | FloatProductOperation,
    width: Width,
    format: 16 | 32 | 64,
    args: readonly Value[],
    ...more: number[]
  ): Value {
    return this.#node(op, width, args, [format, ...more]);
  }
  /** A cryptographic operation. */
  crypto(op: CryptoOperation, width: Width, args: readonly Value[], ...more: number[]): Value {
    return this.#node(op, width, args, more);
  }

  // Conditions and flags.

  /** One bit: a = b. */
  equal(a: Value, b: Value): Value {
    return this.#node("equal", 1, [a, b], [this.widthOf(a)]);
  }
  /** One bit: a < b, unsigned. */
  lessUnsigned(a: Value, b: Value): Value {
    return this.#node("lessUnsigned", 1, [a, b], [this.widthOf(a)]);
  }
  /** One bit: a < b, signed. */
  lessSigned(a: Value, b: Value): Value {
    return this.#node("lessSigned", 1, [a, b], [this.widthOf(a)]);
  }
  /** `whenSet` if the one-bit condition is 1, else `whenClear`; both are evaluated. */
  select(width: Width, condition: Value, whenSet: Value, whenClear: Value): Value {
    return this.#node("select", width, [condition, whenSet, whenClear]);
  }
  /** One bit: the condition code 0–15 holds for the flags. */
  condition(code: number, flags: Value): Value {
    return this.#node("condition", 1, [flags], [code]);
  }
  /** NZCV of a + b, or of a + b + carry. */
  flagsOfAdd(width: Width, a: Value, b: Value, carry?: Value): Value {
    return this.#node("flagsOfAdd", 4, carry === undefined ? [a, b] : [a, b, carry], [width]);
  }
  /** NZCV of a − b. */
  flagsOfSub(width: Width, a: Value, b: Value): Value {
    return this.#node("flagsOfSub", 4, [a, b], [width]);
  }
  /** NZCV of a logical result: C and V are 0. */
  flagsOfLogic(width: Width, result: Value): Value {
    return this.#node("flagsOfLogic", 4, [result], [width]);
  }

  // Memory.

  /** Base register of an addressing form: SP alignment is checked when it is the stack pointer (Arm ARM D1.8.2). */
  base(n: number): Value {
    if (n === 31) this.call("checkSpAlignment");
    return this.readXsp(n, 64);
  }
  /** Reads `width` bits from memory. */
  load(width: Width, address: Value, access: Access = "normal"): Value {
    return this.#node("load", width, [address], [width / 8, access]);
  }
  /** Writes `width` bits to memory. */
  store(width: Width, address: Value, value: Value, access: Access = "normal"): void {
    this.#expect("store", width, value);
    this.#node("store", 0, [address, value], [width / 8, access]);
  }
  /** Reads and opens the exclusive monitor; `access` is "exclusive", or "ordered" with acquire. */
  loadExclusive(width: Width, address: Value, access: Access): Value {
    return this.#node("loadExclusive", width, [address], [width / 8, access]);
  }
  /** Writes if the monitor allows; 32-bit status, 0 when written. */
  storeExclusive(width: Width, address: Value, value: Value, access: Access): Value {
    this.#expect("storeExclusive", width, value);
    return this.#node("storeExclusive", 32, [address, value], [width / 8, access]);
  }
  #expect(op: OperationName, width: Width, value: Value): void {
    if (this.widthOf(value) !== width) {
      throw new MachineInvariantError(`IR ${op} of width ${width} got a value of ${this.widthOf(value)}`);
    }
  }

  // Control.

  /** Continues at a 64-bit address. */
  branch(target: Value, kind: BranchKind = "jump"): void {
    this.#node("branch", 0, [target], [kind]);
  }
  /** PSTATE.BTYPE of the next instruction is one value if this one is in a guarded page, else the other (FEAT_BTI). */
  writeBranchType(whenGuarded: number, otherwise: number): void {
    this.#node("writeBranchType", 0, [], [whenGuarded, otherwise]);
  }
  /** Continues at an address when the one-bit condition is 1. */
  branchIf(condition: Value, target: Value): void {
    this.#node("branchIf", 0, [condition, target], ["jump"]);
  }
  /** Calls a helper with decode-time numbers and run-time values. */
  call(name: HelperName, immediates: readonly number[] = [], ...args: Value[]): Value {
    return this.#node("helper", HELPERS[name].width, args, [name, ...immediates]);
  }
  /** The instruction is UNDEFINED for these fields. */
  undefined(): void {
    this.call("undefinedInstruction");
  }
}
