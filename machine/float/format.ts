/** The binary interchange formats that Arm computes with (IEEE 754, Arm ARM A1.4), as tables of widths and limits. */

/** A binary format. Values of it are unsigned bigints of `width` bits. */
export interface Format {
  /** Bits of a value: sign, exponent, fraction. */
  readonly width: number;
  /** Bits of the fraction, the hidden one not counted. */
  readonly fractionBits: number;
  /** What is added to an exponent before it is stored. */
  readonly bias: number;
  /** Exponent of the least normal number: 1 − bias. */
  readonly leastExponent: number;
  /** Arm's alternative half precision has numbers in place of infinities and NaNs. */
  readonly hasInfinity: boolean;
  /** All ones in the field of the exponent, in place; without sign also the bits of +infinity. */
  readonly exponentMask: bigint;
  /** The field of the fraction. */
  readonly fractionMask: bigint;
  /** The sign. */
  readonly signMask: bigint;
  /** Top bit of the fraction, which tells quiet NaNs from signalling ones. */
  readonly quietBit: bigint;
  /** The default NaN (Arm ARM: FPDefaultNaN). */
  readonly defaultNan: bigint;
  /** The greatest finite number (Arm ARM: FPMaxNormal). */
  readonly greatest: bigint;
}

/** Widths of the formats of arithmetic. */
export type FormatWidth = 16 | 32 | 64;

function binary(width: number, fractionBits: number, hasInfinity = true): Format {
  const exponentBits = width - 1 - fractionBits, bias = 2 ** (exponentBits - 1) - 1;
  const signMask = 1n << BigInt(width - 1), fractionMask = (1n << BigInt(fractionBits)) - 1n;
  const exponentMask = signMask - 1n - fractionMask, quietBit = fractionMask + 1n >> 1n;
  return {
    width,
    fractionBits,
    bias,
    leastExponent: 1 - bias,
    hasInfinity,
    exponentMask,
    fractionMask,
    signMask,
    quietBit,
    defaultNan: exponentMask | quietBit,
    greatest: hasInfinity ? exponentMask - 1n : signMask - 1n,
  };
}

/** binary16, binary32 and binary64 by width. */
export const FORMATS: Readonly<Record<FormatWidth, Format>> = {
  16: binary(16, 10),
  32: binary(32, 23),
  64: binary(64, 52),
};

/** Half precision while FPCR.AHP is 1: only conversions know it (Arm ARM A1.4.2). */
export const ALTERNATIVE_HALF: Format = binary(16, 10, false);

/** +infinity or −infinity (Arm ARM: FPInfinity); `sign` is 0 or 1, as everywhere. */
export function infinity(format: Format, sign: number): bigint {
  return withSign(format, sign, format.exponentMask);
}

/** +0 or −0 (Arm ARM: FPZero). */
export function zero(format: Format, sign: number): bigint {
  return sign === 0 ? 0n : format.signMask;
}

/** A magnitude with a sign. */
export function withSign(format: Format, sign: number, magnitude: bigint): bigint {
  return sign === 0 ? magnitude : magnitude | format.signMask;
}

/** The value with the other sign, whatever it is (Arm ARM: FPNeg). */
export function negate(format: Format, value: bigint): bigint {
  return value ^ format.signMask;
}

/** The value without its sign, whatever it is (Arm ARM: FPAbs). */
export function absolute(format: Format, value: bigint): bigint {
  return value & (format.signMask - 1n);
}

/** Bits of a number above zero, or 0. */
export function bitLength(value: bigint): number {
  let bits = 0;
  for (; value > 0xffff_ffffn; value >>= 32n) bits += 32;
  return bits + 32 - Math.clz32(Number(value));
}
