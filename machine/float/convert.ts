/** Rounding to integers and conversions between integers, fixed point and formats (Arm ARM: FPRoundInt, FPToFixed, FPConvert). */
import { type FloatEnvironment, FPCR, FPSR, ROUNDING, type Rounding } from "./environment.ts";
import { ALTERNATIVE_HALF, type Format, infinity, withSign, zero } from "./format.ts";
import { round, roundsUp } from "./round.ts";
import { isNan, processNan, unpack, type Unpacked, unpackFlushing } from "./unpack.ts";

/** A magnitude as an integer, and whether that is inexact. */
interface Integer {
  readonly magnitude: bigint;
  readonly isInexact: boolean;
}

/** |number| × 2^scale as an integer. */
function toIntegral(number: Unpacked, scale: number, rounding: Rounding): Integer {
  const exponent = number.exponent + scale;
  if (exponent >= 0) return { magnitude: number.significand << BigInt(exponent), isInexact: false };
  const dropped = BigInt(-exponent), kept = number.significand >> dropped;
  const rest = number.significand - (kept << dropped);
  const isUp = roundsUp(rounding, number.sign, (kept & 1n) === 1n, rest, 1n << dropped - 1n);
  return { magnitude: isUp ? kept + 1n : kept, isInexact: rest !== 0n };
}

/** The format's number that is a given integer; it is exact. */
function fromIntegral(
  format: Format,
  sign: number,
  magnitude: bigint,
  environment: FloatEnvironment,
): bigint {
  return magnitude === 0n
    ? zero(format, sign)
    : round(format, sign, magnitude, 0, environment, ROUNDING.towardZero);
}

/** a as an integral number of the same format; `isExact` sets IXC when it was not one (Arm ARM: FPRoundInt). */
export function roundToIntegral(
  format: Format,
  a: bigint,
  rounding: Rounding,
  isExact: boolean,
  environment: FloatEnvironment,
): bigint {
  const operand = unpack(format, a, environment);
  if (isNan(operand)) return processNan(format, operand, environment);
  if (operand.kind === "infinity") return a;
  const { magnitude, isInexact } = toIntegral(operand, 0, environment.mode(rounding));
  if (isInexact && isExact) environment.flags |= FPSR.IXC;
  return fromIntegral(format, operand.sign, magnitude, environment);
}

/** a as an integral number that fits in a signed integer of `size` bits, else the least of those (Arm ARM: FPRoundIntN). */
export function roundToSize(
  format: Format,
  a: bigint,
  size: 32 | 64,
  rounding: Rounding,
  environment: FloatEnvironment,
): bigint {
  const operand = unpack(format, a, environment), { sign } = operand;
  const limit = 1n << BigInt(size - 1);
  if (!isNan(operand) && operand.kind !== "infinity") {
    const { magnitude, isInexact } = toIntegral(operand, 0, environment.mode(rounding));
    if (magnitude < limit || (magnitude === limit && sign === 1)) {
      if (isInexact) environment.flags |= FPSR.IXC;
      return fromIntegral(format, sign, magnitude, environment);
    }
  }
  environment.flags |= FPSR.IOC;
  return fromIntegral(format, 1, limit, environment);
}

/** Kinds of integers: bits, signedness, bits of them that are a fraction. */
export interface FixedPoint {
  /** Bits. */
  readonly width: number;
  /** Whether there is no sign. */
  readonly isUnsigned: boolean;
  /** How many of the bits are below the point. */
  readonly fractionBits: number;
}

/** a as a fixed-point number, the nearest when it does not fit, 0 for NaNs (Arm ARM: FPToFixed). */
export function toFixed(
  format: Format,
  a: bigint,
  { width, isUnsigned, fractionBits }: FixedPoint,
  rounding: Rounding,
  environment: FloatEnvironment,
): bigint {
  const operand = unpack(format, a, environment);
  const least = isUnsigned ? 0n : -1n << BigInt(width - 1);
  const greatest = (1n << BigInt(isUnsigned ? width : width - 1)) - 1n;
  let value = 0n, isInvalid = isNan(operand), isInexact = false;
  if (operand.kind === "finite" || operand.kind === "zero") {
    const integer = toIntegral(operand, fractionBits, environment.mode(rounding));
    value = operand.sign === 0 ? integer.magnitude : -integer.magnitude;
    isInexact = integer.isInexact;
  } else if (operand.kind === "infinity") value = operand.sign === 0 ? greatest + 1n : least - 1n;
  isInvalid ||= value < least || value > greatest;
  if (isInvalid) environment.flags |= FPSR.IOC;
  else if (isInexact) environment.flags |= FPSR.IXC;
  return BigInt.asUintN(width, value < least ? least : value > greatest ? greatest : value);
}

/** A fixed-point number in a format (Arm ARM: FixedToFP). */
export function fromFixed(
  format: Format,
  a: bigint,
  { width, isUnsigned, fractionBits }: FixedPoint,
  environment: FloatEnvironment,
): bigint {
  const value = isUnsigned ? a : BigInt.asIntN(width, a);
  if (value === 0n) return 0n;
  const sign = value < 0n ? 1 : 0;
  return round(format, sign, sign === 0 ? value : -value, -fractionBits, environment);
}

/** a modulo 2^32, towards zero, as JavaScript does it, and Z: whether that was exact and not −0 (Arm ARM: FPToFixedJS). */
export function toJavascript(
  format: Format,
  a: bigint,
  environment: FloatEnvironment,
): { readonly value: bigint; readonly isExact: boolean } {
  const operand = unpack(format, a, environment);
  if (operand.kind === "zero") return { value: 0n, isExact: a === 0n };
  if (operand.kind !== "finite") {
    environment.flags |= FPSR.IOC;
    return { value: 0n, isExact: false };
  }
  const { magnitude, isInexact } = toIntegral(operand, 0, ROUNDING.towardZero);
  const value = operand.sign === 0 ? magnitude : -magnitude;
  const isInvalid = value !== BigInt.asIntN(32, value);
  if (isInvalid) environment.flags |= FPSR.IOC;
  else if (isInexact) environment.flags |= FPSR.IXC;
  return { value: BigInt.asUintN(32, value), isExact: !isInvalid && !isInexact };
}

/** a in another format (Arm ARM: FPConvert); halves follow FPCR.AHP. */
export function convert(
  from: Format,
  to: Format,
  a: bigint,
  rounding: Rounding,
  environment: FloatEnvironment,
): bigint {
  const isAlternative = (environment.fpcr & FPCR.AHP) !== 0;
  if (isAlternative && from.width === 16) from = ALTERNATIVE_HALF;
  if (isAlternative && to.width === 16) to = ALTERNATIVE_HALF;
  const operand = unpackFlushing(from, a, environment, environment.flushesConverted(from));
  const { kind, sign, significand, exponent } = operand;
  if (isNan(operand)) return convertNan(from, to, operand, environment);
  if (kind === "infinity") {
    if (to.hasInfinity) return infinity(to, sign);
    environment.flags |= FPSR.IOC;
    return withSign(to, sign, to.greatest);
  }
  if (kind === "zero") return zero(to, sign);
  const mode = environment.mode(rounding);
  return round(to, sign, significand, exponent, environment, mode, environment.flushesConverted(to));
}

/** A NaN in another format: the top of its fraction is kept, and it is quiet (Arm ARM: FPConvertNaN). */
function convertNan(
  from: Format,
  to: Format,
  { kind, sign, bits }: Unpacked,
  environment: FloatEnvironment,
): bigint {
  if (kind === "signalling" || !to.hasInfinity) environment.flags |= FPSR.IOC;
  if (!to.hasInfinity) return zero(to, sign);
  if (environment.defaultsNan) return to.defaultNan;
  const fraction = (bits & from.fractionMask) << BigInt(to.fractionBits) >> BigInt(from.fractionBits);
  return withSign(to, sign, to.exponentMask | to.quietBit | fraction);
}
