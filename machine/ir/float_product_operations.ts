/**
 * IR operations beside those of one format: BFloat16, halves taken into products of singles, integer estimates. A node's
 * width is that of its result; its first immediate is the width of an argument's lane in bits.
 */
import { mapLanes } from "./lane_operations.ts";
import { effect, type ExecutionContext, type OperationRow, pure } from "./operation.ts";

/** Bits of FPCR: default NaNs, flushing to zero of singles and of halves; where the rounding mode is. */
const DN = 1 << 25, FZ = 1 << 24, FZ16 = 1 << 19, RMODE = 22;
/** Bits of FPSR: invalid operation, overflow, underflow, inexact, input denormal. */
const IOC = 1, OFC = 4, UFC = 8, IXC = 16, IDC = 128;

const SIGN = 0x8000_0000, INFINITY = 0x7f80_0000, DEFAULT_NAN = 0x7fc0_0000;

/** Makes lanes of one width from lanes of another: `of` is given each lane of `from` bits, lowest first. */
function resizeLanes(
  width: number,
  from: number,
  to: number,
  a: bigint,
  of: (lane: number) => number,
): bigint {
  let result = 0n;
  for (let at = 0; at * to < width; at++) {
    const lane = Number(BigInt.asUintN(from, a >> BigInt(at * from)));
    result |= BigInt(of(lane) >>> 0) << BigInt(at * to);
  }
  return result;
}

/** A half as a single, a signalling NaN as such (Arm ARM: what FPMulAddH does with its factors). */
function singleOfHalf(half: number, fpcr: number): number {
  const sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
  if (exponent === 31) return sign | INFINITY | fraction << 13;
  if (exponent !== 0) return sign | exponent + 112 << 23 | fraction << 13;
  if (fraction === 0 || (fpcr & FZ16) !== 0) return sign;
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
  const dropped = magnitude.toString(2).length - 24;
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

/** True when a number is rounded up in magnitude, by the 16 bits that are dropped from it (Arm ARM: FPRoundBase). */
function roundsUp(single: number, fpcr: number): boolean {
  const dropped = single & 0xffff, isNegative = single < 0;
  const mode = fpcr >> RMODE & 3;
  if (mode === 0) return dropped > 0x8000 || (dropped === 0x8000 && (single & 0x1_0000) !== 0);
  return dropped !== 0 && (mode === 1 ? !isNegative : mode === 2 && isNegative);
}

/** A single, its bits as a signed number, rounded to BFloat16 (Arm ARM: FPConvertBF). */
function bfloatOfSingle(single: number, x: ExecutionContext): number {
  const { fpcr } = x, top = single >>> 16;
  if (isNan(single)) {
    if ((single & 0x40_0000) === 0) x.accumulateFpsr(IOC);
    return (fpcr & DN) !== 0 ? DEFAULT_NAN >>> 16 : top | 0x40;
  }
  const isDenormal = exponent(single) === 0 && (single & 0x7f_ffff) !== 0;
  if (isDenormal && (fpcr & FZ) !== 0) {
    x.accumulateFpsr(IDC);
    return top & 0x8000;
  }
  const result = top + (roundsUp(single, fpcr) ? 1 : 0);
  const isOverflow = !isInfinity(single) && (result & 0x7fff) === 0x7f80;
  if ((single & 0xffff) !== 0) x.accumulateFpsr(IXC | (isOverflow ? OFC : 0) | (isDenormal ? UFC : 0));
  return result;
}

/** Estimate of the reciprocal of 0.5 to 1 with 31 fraction bits below a one (Arm ARM: UnsignedRecipEstimate). */
function reciprocalEstimate(operand: bigint): bigint {
  if (operand < 0x8000_0000n) return 0xffff_ffffn;
  const middle = (operand >> 23n) * 2n + 1n;
  return ((1n << 19n) / middle + 1n) / 2n << 23n;
}

/** Estimate of the reciprocal square root of 0.25 to 1 (Arm ARM: UnsignedRSqrtEstimate). */
function sqrtEstimate(operand: bigint): bigint {
  if (operand < 0x4000_0000n) return 0xffff_ffffn;
  const a = Number(operand >> 23n), middle = a < 256 ? a * 2 + 1 : ((a >> 1) * 2 + 1) * 2;
  let root = 512;
  while (middle * (root + 1) * (root + 1) < 0x1000_0000) root++;
  return BigInt(root + 1 >> 1) << 23n;
}

/** Every operation. */
// deno-fmt-ignore
export const FLOAT_PRODUCT_OPERATIONS = {
  floatExtendHalf: pure((n, a, _b, _c, x) => resizeLanes(n.width, 16, 32, a, (half) => singleOfHalf(half, x.fpcr))), // AHP is ignored
  bfloatDotAdd:    pure((n, a, b, c) => mapLanes(n.width, 32, a, b, c, (a, b, c) => BigInt(bfloatDotAdd(Number(a), Number(b), Number(c)) >>> 0))), // addend, pairs, pairs
  bfloatNarrow:    effect((n, a, _b, _c, x) => resizeLanes(n.width, 32, 16, a, (single) => bfloatOfSingle(single | 0, x))),
  unsignedReciprocalEstimate: pure((n, a) => mapLanes(n.width, 32, a, 0n, 0n, reciprocalEstimate)),
  unsignedSqrtEstimate:       pure((n, a) => mapLanes(n.width, 32, a, 0n, 0n, sqrtEstimate)),
} as const satisfies Record<string, OperationRow>;

/** Name of such an operation. */
export type FloatProductOperation = keyof typeof FLOAT_PRODUCT_OPERATIONS;
