/** Estimates of reciprocals and of reciprocal roots, with eight bits of fraction (Arm ARM: FPRecipEstimate, FPRSqrtEstimate). */
import { type FloatEnvironment, FPSR } from "./environment.ts";
import { bitLength, type Format, infinity, withSign, zero } from "./format.ts";
import { overflowsToInfinity } from "./round.ts";
import { invalid, isNan, processNan, unpack, type Unpacked } from "./unpack.ts";

/** A number as 1.fraction × 2^(exponent − bias): exponent, and the one with eight bits of the fraction below it. */
function normalized(
  format: Format,
  { significand, exponent }: Unpacked,
): { exponent: number; scaled: number } {
  const length = bitLength(significand);
  return {
    exponent: exponent + length - 1 + format.bias,
    scaled: Number((significand << 8n) >> BigInt(length - 1)),
  };
}

/** The estimate for 256 to 511, which is of 256 to 511 (Arm ARM: RecipEstimate). */
export function reciprocalOf(scaled: number): number {
  return Math.floor(2 ** 19 / (scaled * 2 + 1)) + 1 >> 1;
}

/** The estimate for 128 to 511, which is of 256 to 511 (Arm ARM: RecipSqrtEstimate). */
export function sqrtReciprocalOf(scaled: number): number {
  const middle = scaled < 256 ? scaled * 2 + 1 : ((scaled >> 1) * 2 + 1) * 2;
  let root = 512;
  while (middle * (root + 1) * (root + 1) < 2 ** 28) root++;
  return root + 1 >> 1;
}

/** An estimate of 1 ÷ a (Arm ARM: FPRecipEstimate). */
export function reciprocalEstimate(format: Format, a: bigint, environment: FloatEnvironment): bigint {
  const operand = unpack(format, a, environment), { sign } = operand;
  if (isNan(operand)) return processNan(format, operand, environment);
  if (operand.kind === "infinity") return zero(format, sign);
  if (operand.kind === "zero") {
    environment.flags |= FPSR.DZC;
    return infinity(format, sign);
  }
  const { exponent, scaled } = normalized(format, operand);
  if (exponent < -1) { // below 2^(−bias − 1): the reciprocal is too great
    environment.flags |= FPSR.OFC | FPSR.IXC;
    const isInfinite = overflowsToInfinity(sign, environment.rounding);
    return isInfinite ? infinity(format, sign) : withSign(format, sign, format.greatest);
  }
  const resultExponent = 2 * format.bias - 1 - exponent;
  if (resultExponent <= 0 && environment.flushes(format)) {
    environment.flags |= FPSR.UFC;
    return zero(format, sign);
  }
  // 1.eeeeeeee × 2^exponent; denormal results have the one in the fraction.
  const estimate = BigInt(reciprocalOf(scaled)) << BigInt(format.fractionBits - 8);
  const magnitude = resultExponent > 0
    ? (BigInt(resultExponent) << BigInt(format.fractionBits)) | estimate & format.fractionMask
    : estimate >> BigInt(1 - resultExponent);
  return withSign(format, sign, magnitude);
}

/** An estimate of 1 ÷ √a (Arm ARM: FPRSqrtEstimate). */
export function sqrtEstimate(format: Format, a: bigint, environment: FloatEnvironment): bigint {
  const operand = unpack(format, a, environment), { sign } = operand;
  if (isNan(operand)) return processNan(format, operand, environment);
  if (operand.kind === "zero") {
    environment.flags |= FPSR.DZC;
    return infinity(format, sign);
  }
  if (sign === 1) return invalid(format, environment);
  if (operand.kind === "infinity") return 0n;
  const { exponent, scaled } = normalized(format, operand);
  const estimate = BigInt(sqrtReciprocalOf(exponent % 2 === 0 ? scaled : scaled >> 1));
  const resultExponent = 3 * format.bias - 1 - exponent >> 1;
  return (BigInt(resultExponent) << BigInt(format.fractionBits)) |
    (estimate & 255n) << BigInt(format.fractionBits - 8);
}

/** A power of two near 1 ÷ a for scaling (Arm ARM: FPRecpX). */
export function reciprocalExponent(format: Format, a: bigint, environment: FloatEnvironment): bigint {
  const operand = unpack(format, a, environment);
  if (isNan(operand)) return processNan(format, operand, environment);
  const field = a & format.exponentMask;
  const least = 1n << BigInt(format.fractionBits);
  return (a & format.signMask) | (field === 0n ? format.exponentMask - least : field ^ format.exponentMask);
}
