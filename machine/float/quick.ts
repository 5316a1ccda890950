/**
 * Sums, products and quotients of ordinary singles and doubles by the host's doubles, when rounding to nearest: exact, the
 * error being known (Dekker 1971; Boldo and Melquiond 2008). Whatever comes near a limit is left to exact arithmetic.
 */
import { type FloatEnvironment, FPSR, ROUNDING } from "./environment.ts";
import type { Format } from "./format.ts";

const DOUBLE = new Float64Array(1), DOUBLE_BITS = new BigUint64Array(DOUBLE.buffer);
const SINGLE = new Float32Array(1), SINGLE_BITS = new Uint32Array(SINGLE.buffer);

/** The number that bits stand for. Of NaNs only that they are one is certain. */
function numberOf({ width }: Format, bits: bigint): number {
  if (width === 64) {
    DOUBLE_BITS[0] = bits;
    return DOUBLE[0] as number;
  }
  SINGLE_BITS[0] = Number(bits);
  return SINGLE[0] as number;
}

/** Operands between these limits have products, quotients and errors of both that are normal numbers. */
const LEAST_DOUBLE = 2 ** -480, GREATEST_DOUBLE = 2 ** 480;
const LEAST_SINGLE = 2 ** -126, GREATEST_SINGLE = 2 ** 127;
/** A double's sum above this has no denormal error that matters; errors of sums are exact anyway. */
const LEAST_SUM = 2 ** -1000;

/** True for an operand within the limits. NaNs, infinities, denormals and zeros are not. */
function isOrdinary({ width }: Format, x: number): boolean {
  const magnitude = Math.abs(x);
  return width === 64
    ? magnitude > LEAST_DOUBLE && magnitude < GREATEST_DOUBLE
    : magnitude >= LEAST_SINGLE && magnitude < GREATEST_SINGLE;
}

/** True when the host can be asked: there are no halves, and it rounds to nearest. */
function isQuick({ width }: Format, { rounding }: FloatEnvironment): boolean {
  return width !== 16 && rounding === ROUNDING.tiesToEven;
}

/** x + y less its rounded sum, exactly. */
function errorOfSum(x: number, y: number, sum: number): number {
  const part = sum - x;
  return (x - (sum - part)) + (y - part);
}

const SPLITTER = 2 ** 27 + 1;

/** x × y less its rounded product, exactly. */
function errorOfProduct(x: number, y: number, product: number): number {
  const scaledX = SPLITTER * x, scaledY = SPLITTER * y;
  const highX = scaledX - (scaledX - x), lowX = x - highX;
  const highY = scaledY - (scaledY - y), lowY = y - highY;
  return ((highX * highY - product) + highX * lowY + lowX * highY) + lowX * lowY;
}

/** A sum rounded to odd, by its error: what is rounded again to fewer bits is as if it had been exact. */
function roundedToOdd(sum: number, error: number): number {
  if (error === 0) return sum;
  DOUBLE[0] = sum;
  const bits = DOUBLE_BITS[0] as bigint;
  if ((bits & 1n) === 1n) return sum;
  DOUBLE_BITS[0] = (error > 0) === (sum > 0) ? bits + 1n : bits - 1n;
  return DOUBLE[0] as number;
}

/** The bits of a result: a double that is exact but for an error, rounded once more for singles; undefined near a limit. */
function finish(
  { width }: Format,
  result: number,
  hasError: boolean,
  environment: FloatEnvironment,
): bigint | undefined {
  const magnitude = Math.abs(result);
  if (width === 64) {
    if (!(magnitude > LEAST_SUM)) return undefined;
    if (hasError) environment.flags |= FPSR.IXC;
    DOUBLE[0] = result;
    return DOUBLE_BITS[0] as bigint;
  }
  if (!(magnitude >= LEAST_SINGLE && magnitude < GREATEST_SINGLE)) return undefined;
  SINGLE[0] = result; // a double has bits enough that rounding twice is rounding once
  if (hasError || SINGLE[0] !== result) environment.flags |= FPSR.IXC;
  return BigInt(SINGLE_BITS[0] as number);
}

/** −1, 0 or 1 as a is less than, equal to or greater than b; undefined for NaNs, denormals and halves. */
export function quickOrder(format: Format, a: bigint, b: bigint): number | undefined {
  if (format.width === 16) return undefined;
  const least = format.width === 64 ? 2 ** -1022 : 2 ** -126;
  const x = numberOf(format, a), y = numberOf(format, b);
  if (!(Math.abs(x) >= least || x === 0) || !(Math.abs(y) >= least || y === 0)) return undefined;
  return x < y ? -1 : x > y ? 1 : 0;
}

/** a + b, or a − b with sign −1; undefined when it needs exact arithmetic. */
export function quickSum(
  format: Format,
  a: bigint,
  b: bigint,
  sign: 1 | -1,
  environment: FloatEnvironment,
): bigint | undefined {
  if (!isQuick(format, environment)) return undefined;
  const x = numberOf(format, a), y = sign * numberOf(format, b);
  if (!isOrdinary(format, x) || !isOrdinary(format, y)) return undefined;
  const sum = x + y;
  return finish(format, sum, errorOfSum(x, y, sum) !== 0, environment);
}

/** a × b; undefined when it needs exact arithmetic. */
export function quickProduct(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): bigint | undefined {
  if (!isQuick(format, environment)) return undefined;
  const x = numberOf(format, a), y = numberOf(format, b);
  if (!isOrdinary(format, x) || !isOrdinary(format, y)) return undefined;
  const product = x * y; // exact for singles
  return finish(format, product, format.width === 64 && errorOfProduct(x, y, product) !== 0, environment);
}

/** a ÷ b; undefined when it needs exact arithmetic. */
export function quickQuotient(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): bigint | undefined {
  if (!isQuick(format, environment)) return undefined;
  const x = numberOf(format, a), y = numberOf(format, b);
  if (!isOrdinary(format, x) || !isOrdinary(format, y)) return undefined;
  const quotient = x / y, product = quotient * y;
  return finish(format, quotient, product - x !== -errorOfProduct(quotient, y, product), environment);
}

/** addend + a × b, rounded once; undefined when it needs exact arithmetic. */
export function quickFused(
  format: Format,
  addend: bigint,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): bigint | undefined {
  if (!isQuick(format, environment)) return undefined;
  const x = numberOf(format, a), y = numberOf(format, b), z = numberOf(format, addend);
  if (!isOrdinary(format, x) || !isOrdinary(format, y) || !isOrdinary(format, z)) return undefined;
  const product = x * y;
  if (format.width === 32) {
    const sum = product + z, error = errorOfSum(product, z, sum);
    return finish(format, roundedToOdd(sum, error), error !== 0, environment);
  }
  // product + rest + z is high + (low + lower), each error below the sum it comes from.
  const rest = errorOfProduct(x, y, product);
  const middle = z + rest, lower = errorOfSum(z, rest, middle);
  const high = product + middle, low = errorOfSum(product, middle, high);
  const tail = low + lower, odd = roundedToOdd(tail, errorOfSum(low, lower, tail));
  const result = high + odd;
  return finish(format, result, errorOfSum(high, odd, result) !== 0, environment);
}
