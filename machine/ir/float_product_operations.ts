/**
 * IR operations beside those of one format: BFloat16, halves taken into products of singles, integer estimates. A node's
 * width is that of its result; its first immediate is the width of an argument's lane in bits.
 */
import { FloatEnvironment, FPCR, FPSR } from "../float/environment.ts";
import { reciprocalOf, sqrtReciprocalOf } from "../float/estimate.ts";
import { bitLength } from "../float/format.ts";
import { roundsUp } from "../float/round.ts";
import { convertLanes, mapLanes, mapSignedLanes } from "./lanes.ts";
import { effect, type ExecutionContext, type OperationRow, pure } from "./operation.ts";

const SIGN = 0x8000_0000, INFINITY = 0x7f80_0000, DEFAULT_NAN = 0x7fc0_0000;

/** A half as a single, a signalling NaN as such (Arm ARM: what FPMulAddH does with its factors). */
function singleOfHalf(half: number, fpcr: number): number {
  const sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
  if (exponent === 31) return sign | INFINITY | fraction << 13;
  if (exponent !== 0) return sign | exponent + 112 << 23 | fraction << 13;
  if (fraction === 0 || (fpcr & FPCR.FZ16) !== 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | 113 - shift << 23 | (fraction << shift & 0x3ff) << 13;
}

const isNan = (single: number): boolean => (single & 0x7fff_ffff) > INFINITY;
const isInfinity = (single: number): boolean => (single & 0x7fff_ffff) === INFINITY;
const signOf = (single: number): number => single & SIGN;

/** A single's significand of 24 bits, zero for a denormal (Arm ARM: BFUnpack). */
const significand = (single: number): number =>
  (single & INFINITY) === 0 ? 0 : single & 0x7f_ffff | 0x80_0000;
const exponent = (single: number): number => single >>> 23 & 255;

/** A finite single, or a denormal as zero, as a multiple of 2^-149. */
function fixedPoint(single: number): bigint {
  const magnitude = significand(single) === 0
    ? 0n
    : BigInt(significand(single)) << BigInt(exponent(single) - 1);
  return signOf(single) === 0 ? magnitude : -magnitude;
}

/** A multiple of 2^-149 as a single, rounded to odd; denormals become zero (Arm ARM: BFRound). */
function roundToOdd(value: bigint): number {
  const sign = value < 0n ? SIGN : 0, magnitude = value < 0n ? -value : value;
  const dropped = bitLength(magnitude) - 24;
  if (dropped < 0) return sign;
  if (dropped >= 254) return sign | INFINITY;
  const kept = magnitude >> BigInt(dropped), isExact = kept << BigInt(dropped) === magnitude;
  return sign | dropped + 1 << 23 | Number(kept) & 0x7f_ffff | (isExact ? 0 : 1);
}

/** The product of two BFloat16 numbers, given as singles; it is exact (Arm ARM: BFMulH). */
function bfloatMul(a: number, b: number): number {
  const sign = signOf(a ^ b), isZero = significand(a) === 0 || significand(b) === 0;
  if (isNan(a) || isNan(b)) return DEFAULT_NAN;
  if (isInfinity(a) || isInfinity(b)) return isZero ? DEFAULT_NAN : sign | INFINITY;
  if (isZero) return sign;
  const product = (significand(a) >>> 16) * (significand(b) >>> 16), top = product >>> 15;
  const scale = exponent(a) + exponent(b) - 127 + top;
  if (scale <= 0) return sign;
  return sign | (scale >= 255 ? INFINITY : scale << 23 | (product << 9 - top & 0x7f_ffff));
}

/** The sum of two singles as BFloat16 products are summed (Arm ARM: FPAdd_BF16). */
function bfloatAdd(a: number, b: number): number {
  if (isNan(a) || isNan(b)) return DEFAULT_NAN;
  if (isInfinity(a)) return isInfinity(b) && signOf(a) !== signOf(b) ? DEFAULT_NAN : a;
  if (isInfinity(b)) return b;
  if (significand(a) === 0 && significand(b) === 0) return signOf(a & b);
  return roundToOdd(fixedPoint(a) + fixedPoint(b));
}

/** addend + a₀ × b₀ + a₁ × b₁ for pairs of BFloat16 in words; FPCR is ignored, no flag is set (Arm ARM: BFDotAdd). */
function bfloatDotAdd(addend: number, a: number, b: number): number {
  const low = bfloatMul(a << 16, b << 16), high = bfloatMul(a & 0xffff_0000, b & 0xffff_0000);
  return bfloatAdd(addend, bfloatAdd(low, high));
}

/** A single, its bits as a signed number, rounded to BFloat16 (Arm ARM: FPConvertBF). */
function bfloatOfSingle(single: number, x: ExecutionContext): number {
  const { fpcr } = x, top = single >>> 16, dropped = BigInt(single & 0xffff);
  if (isNan(single)) {
    if ((single & 0x40_0000) === 0) x.accumulateFpsr(FPSR.IOC);
    return (fpcr & FPCR.DN) !== 0 ? DEFAULT_NAN >>> 16 : top | 0x40;
  }
  const isDenormal = exponent(single) === 0 && (single & 0x7f_ffff) !== 0;
  if (isDenormal && (fpcr & FPCR.FZ) !== 0) {
    x.accumulateFpsr(FPSR.IDC);
    return top & 0x8000;
  }
  const { rounding } = new FloatEnvironment(fpcr);
  const isUp = roundsUp(rounding, single < 0 ? 1 : 0, (top & 1) === 1, dropped, 0x8000n);
  const result = isUp ? top + 1 : top;
  if (dropped === 0n) return result;
  const isOverflow = (result & 0x7fff) === 0x7f80;
  x.accumulateFpsr(FPSR.IXC | (isOverflow ? FPSR.OFC : 0) | (isDenormal ? FPSR.UFC : 0));
  return result;
}

/** Lanes below one with 32 fraction bits, whose upper nine an estimate is of; all ones for those less than `least`. */
const estimated = (least: bigint, of: (scaled: number) => number): OperationRow =>
  pure((n, a) =>
    mapLanes(n.width, 32, a, 0n, 0n, (a) => a < least ? -1n : BigInt(of(Number(a >> 23n))) << 23n)
  );

/** Every operation. */
// deno-fmt-ignore
export const FLOAT_PRODUCT_OPERATIONS = {
  floatExtendHalf: pure((n, a, _b, _c, x) => convertLanes("unsigned", n.width, 16, 32, a, (half) => BigInt(singleOfHalf(Number(half), x.fpcr)))), // AHP is ignored
  bfloatDotAdd:    pure((n, a, b, c) => mapSignedLanes(n.width, 32, a, b, c, (a, b, c) => BigInt(bfloatDotAdd(Number(a), Number(b), Number(c))))), // addend, pairs, pairs
  bfloatNarrow:    effect((n, a, _b, _c, x) => convertLanes("signed", n.width, 32, 16, a, (single) => BigInt(bfloatOfSingle(Number(single), x)))),
  unsignedReciprocalEstimate: estimated(0x8000_0000n, reciprocalOf),     // Arm ARM: UnsignedRecipEstimate
  unsignedSqrtEstimate:       estimated(0x4000_0000n, sqrtReciprocalOf), // UnsignedRSqrtEstimate
} as const satisfies Record<string, OperationRow>;

/** Name of such an operation. */
export type FloatProductOperation = keyof typeof FLOAT_PRODUCT_OPERATIONS;
