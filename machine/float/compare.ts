/** Comparisons, maxima and minima (Arm ARM: FPCompare, FPMax, FPMaxNum and their like). */
import type { Binary } from "./arithmetic.ts";
import { type FloatEnvironment, FPSR } from "./environment.ts";
import { absolute, type Format, infinity, zero } from "./format.ts";
import { quickOrder } from "./quick.ts";
import { isNan, processNans, unpack, type Unpacked } from "./unpack.ts";

/** −1, 0 or 1 as a number, infinity or zero is less than, equal to or greater than another. */
function order(format: Format, a: Unpacked, b: Unpacked): number {
  const left = ordinal(format, a), right = ordinal(format, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** An integer in the order of the values; both zeros are 0. */
function ordinal(format: Format, { kind, sign, bits }: Unpacked): bigint {
  if (kind === "zero") return 0n;
  return sign === 0 ? bits : -absolute(format, bits);
}

/** NZCV of less, equal and greater. */
const FLAGS = [8, 6, 2] as const;

/** NZCV of a comparison, unordered is 3 (Arm ARM: FPCompare); `signals` makes every NaN an invalid operation. */
export function compare(
  format: Format,
  a: bigint,
  b: bigint,
  signals: boolean,
  environment: FloatEnvironment,
): number {
  const quick = quickOrder(format, a, b);
  if (quick !== undefined) return FLAGS[quick + 1] as number;
  const left = unpack(format, a, environment), right = unpack(format, b, environment);
  if (isNan(left) || isNan(right)) {
    const isInvalid = signals || left.kind === "signalling" || right.kind === "signalling";
    if (isInvalid) environment.flags |= FPSR.IOC;
    return 3;
  }
  return FLAGS[order(format, left, right) + 1] as number;
}

/** A comparison of two operands of a format. */
export type Comparison = (format: Format, a: bigint, b: bigint, environment: FloatEnvironment) => boolean;

/** a = b, quiet (Arm ARM: FPCompareEQ). */
export function isEqual(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): boolean {
  return compare(format, a, b, false, environment) === 6;
}

/** a ≥ b (Arm ARM: FPCompareGE). */
export function isGreaterOrEqual(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): boolean {
  return [6, 2].includes(compare(format, a, b, true, environment));
}

/** a > b (Arm ARM: FPCompareGT). */
export function isGreater(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): boolean {
  return compare(format, a, b, true, environment) === 2;
}

/** The greater for direction 1, the lesser for −1; of zeros +0 or −0. */
function extreme(direction: 1 | -1): Binary {
  return (format, a, b, environment) => {
    const left = unpack(format, a, environment), right = unpack(format, b, environment);
    const nan = processNans(format, environment, left, right);
    if (nan !== undefined) return nan;
    const chosen = order(format, left, right) === direction ? left : right;
    if (chosen.kind !== "zero") return chosen.bits;
    return zero(format, direction === 1 ? left.sign & right.sign : left.sign | right.sign);
  };
}

/** The greater (Arm ARM: FPMax). */
export const maximum: Binary = extreme(1);

/** The lesser (Arm ARM: FPMin). */
export const minimum: Binary = extreme(-1);

/** The same, but a number is preferred to a quiet NaN: that counts as the infinity which loses. */
function extremeNumber(of: Binary, loser: 0 | 1): Binary {
  return (format, a, b, environment) => {
    const left = unpack(format, a, environment), right = unpack(format, b, environment);
    if (left.kind === "quiet" && !isNan(right)) return of(format, infinity(format, loser), b, environment);
    if (right.kind === "quiet" && !isNan(left)) return of(format, a, infinity(format, loser), environment);
    return of(format, a, b, environment);
  };
}

/** The greater, a number before a quiet NaN (Arm ARM: FPMaxNum). */
export const maximumNumber: Binary = extremeNumber(maximum, 1);

/** The lesser, a number before a quiet NaN (Arm ARM: FPMinNum). */
export const minimumNumber: Binary = extremeNumber(minimum, 0);
