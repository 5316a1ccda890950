/** What lowerings of integer Advanced SIMD are made of: operations on lanes, and the arithmetic that is put together from them. */
import type { Builder, Value } from "../ir/builder.ts";
import type { LaneOperation } from "../ir/lane_operations.ts";
import type { Width } from "../ir/operation.ts";

/** Width of a lane in bits. */
export type Lane = 8 | 16 | 32 | 64;

/** How lanes are read. */
export type Sign = "Signed" | "Unsigned";

/** A vector register's 64 or 128 bits by the field Q. */
export function vectorWidth(Q: number): 64 | 128 {
  return Q === 1 ? 128 : 64;
}

/** The width of lanes by the field size: 8 to 64. */
export function laneWidth(size: number): Lane {
  return 8 << size as Lane;
}

/** The shape that a computation has: vectors of `width` bits with lanes of `lane` bits; for scalars both are one. */
export class Lanes {
  /** Operations go to `ir`. */
  constructor(
    /** Where they go. */
    readonly ir: Builder,
    /** Bits of a vector, or of a scalar. */
    readonly width: Width,
    /** Bits of a lane. */
    readonly lane: Lane,
  ) {}

  /** As many bits in lanes of twice the width. */
  get wide(): Lanes {
    return new Lanes(this.ir, this.width, this.lane * 2 as Lane);
  }
  /** An operation with its immediates. */
  apply(op: LaneOperation, args: readonly Value[], ...immediates: number[]): Value {
    return this.ir.lanes(op, this.width, this.lane, args, ...immediates);
  }
  /** a + b. */
  add(a: Value, b: Value): Value {
    return this.apply("laneAdd", [a, b]);
  }
  /** a − b. */
  sub(a: Value, b: Value): Value {
    return this.apply("laneSub", [a, b]);
  }
  /** Low half of a × b. */
  mul(a: Value, b: Value): Value {
    return this.apply("laneMul", [a, b]);
  }
  /** Bitwise and. */
  and(a: Value, b: Value): Value {
    return this.ir.and(this.width, a, b);
  }
  /** Bitwise exclusive or. */
  xor(a: Value, b: Value): Value {
    return this.ir.xor(this.width, a, b);
  }
  /** Bitwise complement. */
  not(a: Value): Value {
    return this.ir.not(this.width, a);
  }
  /** A number, modulo the lane, in every lane. */
  every(value: bigint): Value {
    const lanes = Array<bigint>(this.width / this.lane).fill(BigInt.asUintN(this.lane, value));
    return this.ir.constant(this.width, lanes.reduce((all, lane) => all << BigInt(this.lane) | lane));
  }
  /** Shifts to the left by less than the lane. */
  shiftLeft(a: Value, amount: number): Value {
    return this.apply("laneShiftLeft", [a, this.ir.constant(32, amount)]);
  }
  /** Shifts to the right by up to the lane. */
  shiftRight(sign: Sign, a: Value, amount: number): Value {
    if (amount === this.lane && sign === "Unsigned") return this.every(0n);
    const below = Math.min(amount, this.lane - 1);
    return below === 0 ? a : this.apply(`laneShiftRight${sign}`, [a, this.ir.constant(32, below)]);
  }
  /** Shifts to the right by 1 to the lane, rounding to nearest, half up: the last bit shifted out is added. */
  shiftRightRounded(sign: Sign, a: Value, amount: number): Value {
    const last = this.and(this.shiftRight(sign, a, amount - 1), this.every(1n));
    return this.add(this.shiftRight(sign, a, amount), last);
  }
  /** Lanes by number of a and, after these, of b. */
  shuffle(a: Value, b: Value, lanes: readonly number[]): Value {
    return this.apply("laneShuffle", [a, b], ...lanes);
  }
  /** As many lanes of the pair a, b as a vector has, from `first` on, `step` apart. */
  everyNth(a: Value, b: Value, first: number, step: number): Value {
    return this.shuffle(a, b, Array.from({ length: this.width / this.lane }, (_, i) => first + i * step));
  }
}

/** What an instruction computes of Rn, Rm and, if it asks, Rd. */
export type Meaning = (lanes: Lanes, n: Value, m: Value, d: () => Value) => Value;

/** Lane number `index` of V[n]. */
export function readElement(ir: Builder, n: number, lane: Lane, index: number): Value {
  return index === 0 ? ir.readV(n, lane) : ir.extract(lane, ir.readV(n, 128), index * lane);
}

/** The upper (Q = 1) or lower half of V[n]. */
export function readHalf(ir: Builder, Q: number, n: number): Value {
  return Q === 1 ? ir.extract(64, ir.readV(n, 128), 64) : ir.readV(n, 64);
}

/** Writes 64 bits to the upper half of V[n] (Q = 1), keeping the lower; or to the lower half, zeroing the upper. */
export function writeHalf(ir: Builder, Q: number, n: number, half: Value): void {
  ir.writeV(n, Q === 1 ? ir.concatenate(half, ir.readV(n, 64)) : half);
}

type Registers = Readonly<Record<"size" | "Rm" | "Rn" | "Rd", number>>;

function compute(lanes: Lanes, meaning: Meaning, { Rm, Rn, Rd }: Registers): void {
  const { ir, width } = lanes;
  ir.call("checkFpEnabled");
  const n = ir.readV(Rn, width), m = ir.readV(Rm, width);
  ir.writeV(Rd, meaning(lanes, n, m, () => ir.readV(Rd, width)));
}

/** Lowering of a meaning on whole vectors. */
export function onVectors(
  meaning: Meaning,
): (ir: Builder, fields: Registers & { readonly Q: number }) => void {
  return (ir, fields) =>
    compute(new Lanes(ir, vectorWidth(fields.Q), laneWidth(fields.size)), meaning, fields);
}

/** Lowering of a meaning on scalars. */
export function onScalars(meaning: Meaning): (ir: Builder, fields: Registers) => void {
  return (ir, fields) => {
    const lane = laneWidth(fields.size);
    compute(new Lanes(ir, lane, lane), meaning, fields);
  };
}
