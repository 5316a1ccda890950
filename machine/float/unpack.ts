/** Values taken apart into sign, significand and exponent, and what becomes of NaNs (Arm ARM: FPUnpack, FPProcessNaNs). */
import { type FloatEnvironment, FPSR } from "./environment.ts";
import type { Format } from "./format.ts";

/** What a value is. A flushed denormal is a zero. */
export type Kind = "zero" | "finite" | "infinity" | "quiet" | "signalling";

/** A value: when finite, (−1)^sign × significand × 2^exponent. */
export interface Unpacked {
  /** What it is. */
  readonly kind: Kind;
  /** 1 when negative. */
  readonly sign: number;
  /** At least 1 when finite; 0 for zeros. */
  readonly significand: bigint;
  /** Of the significand's lowest bit; 0 for zeros. */
  readonly exponent: number;
  /** The value's bits. */
  readonly bits: bigint;
}

/** Takes an operand of arithmetic apart; flushing sets IDC, but not for halves. */
export function unpack(format: Format, bits: bigint, environment: FloatEnvironment): Unpacked {
  return unpackFlushing(format, bits, environment, environment.flushes(format));
}

/** The same with the flushing given; conversions have their own. */
export function unpackFlushing(
  format: Format,
  bits: bigint,
  environment: FloatEnvironment,
  flushes: boolean,
): Unpacked {
  const { fractionBits, leastExponent } = format;
  const sign = (bits & format.signMask) === 0n ? 0 : 1;
  const fraction = bits & format.fractionMask, field = bits & format.exponentMask;
  if (field === 0n) {
    if (fraction === 0n) return { kind: "zero", sign, significand: 0n, exponent: 0, bits };
    if (!flushes) {
      return { kind: "finite", sign, significand: fraction, exponent: leastExponent - fractionBits, bits };
    }
    if (format.width !== 16) environment.flags |= FPSR.IDC;
    return { kind: "zero", sign, significand: 0n, exponent: 0, bits };
  }
  if (field === format.exponentMask && format.hasInfinity) {
    const isQuiet = (fraction & format.quietBit) !== 0n;
    const kind = fraction === 0n ? "infinity" : isQuiet ? "quiet" : "signalling";
    return { kind, sign, significand: 0n, exponent: 0, bits };
  }
  const exponent = Number(field >> BigInt(fractionBits)) - format.bias - fractionBits;
  return { kind: "finite", sign, significand: fraction | format.fractionMask + 1n, exponent, bits };
}

/** True for NaNs of both kinds. */
export function isNan({ kind }: Unpacked): boolean {
  return kind === "quiet" || kind === "signalling";
}

/** The result that an operand which is a NaN has (Arm ARM: FPProcessNaN). */
export function processNan(format: Format, nan: Unpacked, environment: FloatEnvironment): bigint {
  if (nan.kind === "signalling") environment.flags |= FPSR.IOC;
  return environment.defaultsNan ? format.defaultNan : nan.bits | format.quietBit;
}

/** The result when an operand is a NaN: the first signalling one counts, then the first quiet one; else undefined. */
export function processNans(
  format: Format,
  environment: FloatEnvironment,
  ...operands: readonly Unpacked[]
): bigint | undefined {
  const chosen = operands.find(({ kind }) => kind === "signalling") ??
    operands.find(({ kind }) => kind === "quiet");
  return chosen && processNan(format, chosen, environment);
}

/** The default NaN of an invalid operation. */
export function invalid(format: Format, environment: FloatEnvironment): bigint {
  environment.flags |= FPSR.IOC;
  return format.defaultNan;
}
