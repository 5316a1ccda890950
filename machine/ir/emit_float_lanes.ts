/**
 * What the WebAssembly forms of floating-point operations have in common. WebAssembly rounds to nearest, knows no flags
 * and gives NaNs any bits, so an instruction is evaluated instead where FPCR says otherwise, where a flag other than
 * a cumulative IXC that is set already would change, and where a NaN could result.
 */
import { FPCR, FPSR } from "../float/environment.ts";
import { PLAIN, type PlainInstruction } from "../wasm/instructions.ts";
import type { Emitter } from "./emit.ts";
import { fromVector, pushVector, repeated } from "./emit_vector.ts";
import { type EmitForm, int, type IrNode } from "./operation.ts";

/** Mask of FPCR.RMode. */
const RMODE = 3 << 22;

/** Instructions that f32, f64, f32x4 and f64x2 all have. */
export type FloatInstruction = SharedFloat<PlainInstruction>;

/** What follows the type in a name, if every type has it; distributes over names. */
export type SharedFloat<Name> = Name extends `f64x2${infer Operation}`
  ? (`f64${Operation}` | `f32${Operation}` | `f32x4${Operation}` extends PlainInstruction ? Operation : never)
  : never;

/** Formats that WebAssembly computes with, by width: their numbers' bits, and constants of error-free transforms. */
// deno-fmt-ignore
export const FORMAT_BITS = {
  32: {
    sign: 0x8000_0000n, infinity: 0x7f80_0000n, leastNormal: 0x0080_0000n,
    splitter:  0x4580_0800n, // 2^12 + 1
    safe:      0x0d80_0000n, // 2^−100: the error of a product of at least this is a number of the format
    nearlyHalf: 0x3eff_ffffn, // the number below 1/2
  },
  64: {
    sign: 1n << 63n, infinity: 0x7ff0_0000_0000_0000n, leastNormal: 0x0010_0000_0000_0000n,
    splitter:  0x41a0_0000_0200_0000n, // 2^27 + 1
    safe:      0x03f0_0000_0000_0000n, // 2^−960
    nearlyHalf: 0x3fdf_ffff_ffff_ffffn,
  },
} as const;

/** Name of a constant of both formats. */
export type FloatConstant = keyof (typeof FORMAT_BITS)[32];

/** Code on floating-point numbers of one format: one number, or a vector of them. */
export class FloatCode {
  readonly #prefix: "f32" | "f64" | "f32x4" | "f64x2";
  readonly #isVector: boolean;

  /** Numbers are vectors when `isVector`, which is how nodes wider than their format need them. */
  constructor(
    private readonly e: Emitter,
    private readonly format: 32 | 64,
    isVector: boolean,
  ) {
    this.#isVector = isVector;
    this.#prefix = isVector ? (format === 32 ? "f32x4" : "f64x2") : format === 32 ? "f32" : "f64";
  }

  /** As the node says. */
  static of(node: IrNode, e: Emitter): FloatCode {
    const format = int(node, 0) as 32 | 64;
    return new FloatCode(e, format, node.width !== format);
  }

  /** Applies an instruction. */
  op(...operations: FloatInstruction[]): void {
    for (const operation of operations) this.e.code.instruction(PLAIN[`${this.#prefix}${operation}`]);
  }

  /** Pushes a number by its bits. */
  bits(bits: bigint): void {
    const { code } = this.e;
    if (this.#isVector) code.v128Const(repeated(this.format, bits));
    else if (this.format === 64) code.f64ConstBits(bits);
    else code.f32ConstBits(Number(bits));
  }

  /** Pushes a constant of the format. */
  constant(name: FloatConstant): void {
    this.bits(FORMAT_BITS[this.format][name]);
  }

  /** Pushes numbers held in locals. */
  get(...locals: number[]): void {
    for (const local of locals) this.e.code.localGet(local);
  }

  /** Moves what is on the stack to a scratch local. */
  set(): number {
    const local = this.e.scratch(this.#isVector ? "v128" : this.format === 64 ? "f64" : "f32");
    this.e.code.localSet(local);
    return local;
  }

  /** Argument `i` in a local. */
  local(i: number): number {
    const { e } = this;
    if (this.#isVector) pushVector(e, i);
    else {
      e.argument(i);
      if (this.format === 64) e.code.f64ReinterpretI64();
      else e.code.f32ReinterpretI32();
    }
    return this.set();
  }

  /** Turns the number or vector on the stack into the node's value. */
  finish(): void {
    const { e } = this;
    if (this.#isVector) fromVector(e, e.node.width);
    else if (this.format === 64) e.code.i64ReinterpretF64();
    else e.code.i32ReinterpretF32();
  }

  /** Both of two conditions, which are numbers of one bit or masks of lanes. */
  and(): void {
    this.e.code.instruction(this.#isVector ? PLAIN.v128And : PLAIN.i32And);
  }
  /** Either of two conditions. */
  or(): void {
    this.e.code.instruction(this.#isVector ? PLAIN.v128Or : PLAIN.i32Or);
  }

  /** Leaves unless the condition holds (in every lane). */
  bailUnless(): void {
    const { code } = this.e;
    if (this.#isVector) {
      code.v128Not();
      code.v128AnyTrue();
    } else code.i32Eqz();
    this.e.bailIf();
  }

  /** Leaves unless IXC is set or the condition that `isExact` pushes holds. */
  bailIfInexact(isExact?: () => void): void {
    const { code } = this.e;
    this.e.floatState("FPSR");
    code.i32Const(FPSR.IXC);
    code.i32And();
    code.i32Eqz();
    if (isExact === undefined) return this.e.bailIf();
    code.if();
    isExact();
    this.bailUnless();
    code.end();
  }

  /** Pushes a constant with the sign of a number. */
  copySign(name: FloatConstant, a: number): void {
    const { code } = this.e;
    this.constant(name);
    this.get(a);
    if (!this.#isVector) return code.instruction(this.format === 64 ? PLAIN.f64Copysign : PLAIN.f32Copysign);
    this.constant("sign");
    code.v128And();
    code.v128Or();
  }

  /** Pushes |a| < infinity. */
  isFinite(a: number): void {
    this.get(a);
    this.op("Abs");
    this.constant("infinity");
    this.op("Lt");
  }

  /** Pushes |a| > a constant. */
  isAbove(a: number, name: FloatConstant): void {
    this.get(a);
    this.op("Abs");
    this.constant(name);
    this.op("Gt");
  }

  /** Pushes a = 0. */
  isZero(a: number): void {
    this.get(a);
    this.bits(0n);
    this.op("Eq");
  }

  /** Pushes a = b. */
  isEqual(a: number, b: number): void {
    this.get(a, b);
    this.op("Eq");
  }

  /** Pushes the error of a sum: a + b − sum (Knuth's TwoSum). */
  sumError(a: number, b: number, sum: number): void {
    this.get(sum, a);
    this.op("Sub");
    const part = this.set(); // what of b is in the sum
    this.get(a, sum, part);
    this.op("Sub", "Sub");
    this.get(b, part);
    this.op("Sub", "Add");
  }

  /** Pushes the error of a product: a × b − product (Dekker), exact when |product| > `safe` or the product is 0. */
  productError(a: number, b: number, product: number): void {
    const [aHigh, aLow] = this.#split(a), [bHigh, bLow] = this.#split(b);
    this.get(aHigh, bHigh);
    this.op("Mul");
    this.get(product);
    this.op("Sub");
    for (const [left, right] of [[aHigh, bLow], [aLow, bHigh], [aLow, bLow]] as const) {
      this.get(left, right);
      this.op("Mul", "Add");
    }
  }

  /** Halves of a significand (Veltkamp). */
  #split(a: number): [high: number, low: number] {
    this.constant("splitter");
    this.get(a);
    this.op("Mul");
    const scaled = this.set();
    this.get(scaled, scaled, a);
    this.op("Sub", "Sub");
    const high = this.set();
    this.get(a, high);
    this.op("Sub");
    return [high, this.set()];
  }
}

/** Leaves when FPCR rounds otherwise than to nearest or flushes denormal numbers. */
export function bailUnlessNearest(e: Emitter): void {
  bailIfFpcr(e, RMODE | FPCR.FZ);
}

/** Leaves when FPCR flushes denormal numbers. */
export function bailIfFlushing(e: Emitter): void {
  bailIfFpcr(e, FPCR.FZ);
}

function bailIfFpcr(e: Emitter, mask: number): void {
  e.floatState("FPCR");
  e.code.i32Const(mask);
  e.code.i32And();
  e.bailIf();
}

/** A form for single and double precision that leaves where WebAssembly does not do what Arm does. */
export function floatForm(
  emit: (node: IrNode, e: Emitter) => void,
  emits: (node: IrNode) => boolean = () => true,
): EmitForm {
  return {
    emit,
    emits: (node) => int(node, 0) !== 16 && emits(node),
    bails: true,
    readsFloatState: true,
  };
}
