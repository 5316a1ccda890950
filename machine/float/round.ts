/** Rounding exact values into a format, with its flags (Arm ARM: FPRoundBase). */
import { type FloatEnvironment, FPSR, ROUNDING, type Rounding } from "./environment.ts";
import { bitLength, type Format, infinity, withSign, zero } from "./format.ts";

/** True when a magnitude is rounded up: `rest` of 0 to 2 × `half` is dropped below a number, odd or not. */
export function roundsUp(
  rounding: Rounding,
  sign: number,
  isOdd: boolean,
  rest: bigint,
  half: bigint,
): boolean {
  switch (rounding) {
    case ROUNDING.tiesToEven:
      return rest > half || (rest === half && isOdd);
    case ROUNDING.tiesToAway:
      return rest >= half;
    case ROUNDING.towardPlus:
      return sign === 0 && rest > 0n;
    case ROUNDING.towardMinus:
      return sign === 1 && rest > 0n;
    case ROUNDING.toOdd:
      return rest > 0n && !isOdd;
    default:
      return false;
  }
}

/**
 * The value (−1)^sign × significand × 2^exponent in a format; the significand is above zero. An inexact value may be given
 * by more bits than the format has, the lowest of them 1. Arithmetic flushes as FPCR says, conversions otherwise.
 */
export function round(
  format: Format,
  sign: number,
  significand: bigint,
  exponent: number,
  environment: FloatEnvironment,
  rounding: Rounding = environment.rounding,
  flushes: boolean = environment.flushes(format),
): bigint {
  const { fractionBits, leastExponent } = format;
  const top = bitLength(significand) + exponent - 1;
  const isTiny = top < leastExponent; // before rounding
  if (isTiny && flushes) {
    environment.flags |= FPSR.UFC;
    return zero(format, sign);
  }
  const dropped = (isTiny ? leastExponent : top) - fractionBits - exponent;
  let kept: bigint, isInexact = false;
  if (dropped <= 0) kept = significand << BigInt(-dropped);
  else {
    kept = significand >> BigInt(dropped);
    const rest = significand - (kept << BigInt(dropped));
    isInexact = rest !== 0n;
    if (isInexact && roundsUp(rounding, sign, (kept & 1n) === 1n, rest, 1n << BigInt(dropped - 1))) kept++;
  }
  // The hidden bit, or a carry out of the fraction, adds one to the exponent.
  const magnitude = isTiny ? kept : (BigInt(top - leastExponent) << BigInt(fractionBits)) + kept;
  if (magnitude > format.greatest) return overflow(format, sign, rounding, environment);
  if (isInexact) environment.flags |= isTiny ? FPSR.UFC | FPSR.IXC : FPSR.IXC;
  return withSign(format, sign, magnitude);
}

/** What is too great for a format: infinity or the greatest number, by the rounding mode. */
function overflow(format: Format, sign: number, rounding: Rounding, environment: FloatEnvironment): bigint {
  if (!format.hasInfinity) {
    environment.flags |= FPSR.IOC;
    return withSign(format, sign, format.greatest);
  }
  environment.flags |= FPSR.OFC | FPSR.IXC;
  return overflowsToInfinity(sign, rounding)
    ? infinity(format, sign)
    : withSign(format, sign, format.greatest);
}

/** True when what is too great becomes infinite. */
export function overflowsToInfinity(sign: number, rounding: Rounding): boolean {
  if (rounding === ROUNDING.towardPlus) return sign === 0;
  if (rounding === ROUNDING.towardMinus) return sign === 1;
  return rounding === ROUNDING.tiesToEven || rounding === ROUNDING.tiesToAway;
}

/** The signed value `scaled` × 2^exponent in a format; an exact zero has the sign given. */
export function roundSigned(
  format: Format,
  scaled: bigint,
  exponent: number,
  zeroSign: number,
  environment: FloatEnvironment,
): bigint {
  if (scaled === 0n) return zero(format, zeroSign);
  return scaled < 0n
    ? round(format, 1, -scaled, exponent, environment)
    : round(format, 0, scaled, exponent, environment);
}
