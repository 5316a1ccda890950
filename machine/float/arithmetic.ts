/** Sums, products, quotients and roots, each rounded once (Arm ARM: FPAdd, FPMul, FPMulAdd, FPDiv, FPSqrt and their like). */
import { type FloatEnvironment, FPSR, ROUNDING } from "./environment.ts";
import { absolute, bitLength, type Format, infinity, negate, withSign, zero } from "./format.ts";
import { quickFused, quickProduct, quickQuotient, quickSum } from "./quick.ts";
import { round, roundSigned } from "./round.ts";
import { invalid, isNan, processNan, processNans, unpack, type Unpacked } from "./unpack.ts";

/** An operation on two operands of a format. */
export type Binary = (format: Format, a: bigint, b: bigint, environment: FloatEnvironment) => bigint;

/** An operation on one operand of a format. */
export type Unary = (format: Format, a: bigint, environment: FloatEnvironment) => bigint;

/** Sign of a zero that is an exact sum of numbers with different signs. */
function signOfCancellation({ rounding }: FloatEnvironment): number {
  return rounding === ROUNDING.towardMinus ? 1 : 0;
}

const signed = ({ sign, significand }: Unpacked): bigint => (sign === 0 ? significand : -significand);

/** The sum of two numbers, zeros included, none infinite. */
function sum(format: Format, a: Unpacked, b: Unpacked, environment: FloatEnvironment): bigint {
  const zeroSign = a.kind === "zero" && b.kind === "zero" && a.sign === b.sign
    ? a.sign
    : signOfCancellation(environment);
  if (a.kind === "zero") return roundSigned(format, signed(b), b.exponent, zeroSign, environment);
  if (b.kind === "zero") return roundSigned(format, signed(a), a.exponent, zeroSign, environment);
  const exponent = Math.min(a.exponent, b.exponent);
  const left = signed(a) << BigInt(a.exponent - exponent), right = signed(b) << BigInt(b.exponent - exponent);
  return roundSigned(format, left + right, exponent, zeroSign, environment);
}

/** a + b, the second operand's number negated for a difference: its NaN is not. */
function addOrSubtract(flip: 0 | 1): Binary {
  return (format, a, b, environment) => {
    const quick = quickSum(format, a, b, flip === 0 ? 1 : -1, environment);
    if (quick !== undefined) return quick;
    const left = unpack(format, a, environment), second = unpack(format, b, environment);
    const nan = processNans(format, environment, left, second);
    if (nan !== undefined) return nan;
    const right = flip === 0 ? second : { ...second, sign: second.sign ^ 1 };
    if (left.kind === "infinity") {
      const cancels = right.kind === "infinity" && left.sign !== right.sign;
      return cancels ? invalid(format, environment) : infinity(format, left.sign);
    }
    if (right.kind === "infinity") return infinity(format, right.sign);
    return sum(format, left, right, environment);
  };
}

/** a + b (Arm ARM: FPAdd). */
export const add: Binary = addOrSubtract(0);

/** a − b (Arm ARM: FPSub). */
export const subtract: Binary = addOrSubtract(1);

/** |a − b|, a NaN without sign (Arm ARM: FPAbs of FPSub). */
export function absoluteDifference(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): bigint {
  return absolute(format, subtract(format, a, b, environment));
}

const isInfinityTimesZero = (a: Unpacked, b: Unpacked): boolean =>
  (a.kind === "infinity" && b.kind === "zero") || (a.kind === "zero" && b.kind === "infinity");

/** a × b with a function for infinity times zero. */
function multiplyOr(odd: (format: Format, sign: number, environment: FloatEnvironment) => bigint): Binary {
  return (format, a, b, environment) => {
    const quick = quickProduct(format, a, b, environment);
    if (quick !== undefined) return quick;
    const left = unpack(format, a, environment), right = unpack(format, b, environment);
    const nan = processNans(format, environment, left, right);
    if (nan !== undefined) return nan;
    const sign = left.sign ^ right.sign;
    if (isInfinityTimesZero(left, right)) return odd(format, sign, environment);
    if (left.kind === "infinity" || right.kind === "infinity") return infinity(format, sign);
    if (left.kind === "zero" || right.kind === "zero") return zero(format, sign);
    const product = left.significand * right.significand;
    return round(format, sign, product, left.exponent + right.exponent, environment);
  };
}

/** a × b (Arm ARM: FPMul). */
export const multiply: Binary = multiplyOr((format, _sign, environment) => invalid(format, environment));

/** a × b, but 2 for infinity times zero (Arm ARM: FPMulX). */
export const multiplyExtended: Binary = multiplyOr((format, sign) =>
  withSign(format, sign, constant(format, 1))
);

/** −(a × b): a NaN is negated too (FNMUL). */
export function multiplyNegated(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): bigint {
  return negate(format, multiply(format, a, b, environment));
}

/** 2^exponent. */
function constant(format: Format, exponent: number): bigint {
  return BigInt(format.bias + exponent) << BigInt(format.fractionBits);
}

/** a ÷ b (Arm ARM: FPDiv). */
export function divide(
  format: Format,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): bigint {
  const quick = quickQuotient(format, a, b, environment);
  if (quick !== undefined) return quick;
  const left = unpack(format, a, environment), right = unpack(format, b, environment);
  const nan = processNans(format, environment, left, right);
  if (nan !== undefined) return nan;
  const sign = left.sign ^ right.sign;
  if (left.kind === right.kind && left.kind !== "finite") return invalid(format, environment);
  if (left.kind === "infinity") return infinity(format, sign);
  if (left.kind === "zero" || right.kind === "infinity") return zero(format, sign);
  if (right.kind === "zero") {
    environment.flags |= FPSR.DZC;
    return infinity(format, sign);
  }
  // Two bits more than the format has, and one for what remains.
  const shift = Math.max(
    0,
    format.fractionBits + 3 + bitLength(right.significand) - bitLength(left.significand),
  );
  const dividend = left.significand << BigInt(shift), quotient = dividend / right.significand;
  const remains = quotient * right.significand === dividend ? 0n : 1n;
  const exponent = left.exponent - right.exponent - shift - 1;
  return round(format, sign, quotient << 1n | remains, exponent, environment);
}

/** The greatest integer whose square is at most `value`, by Newton's method from above. */
function integerSqrt(value: bigint): bigint {
  let root = 1n << BigInt(bitLength(value) + 1 >> 1);
  for (;;) {
    const next = root + value / root >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** √a (Arm ARM: FPSqrt). */
export function sqrt(format: Format, a: bigint, environment: FloatEnvironment): bigint {
  const operand = unpack(format, a, environment);
  if (isNan(operand)) return processNan(format, operand, environment);
  if (operand.kind === "zero") return zero(format, operand.sign);
  if (operand.sign === 1) return invalid(format, environment);
  if (operand.kind === "infinity") return infinity(format, 0);
  // The root has two bits more than the format, and one for what remains; the exponent must be even.
  const length = bitLength(operand.significand), needed = 2 * (format.fractionBits + 3);
  let shift = Math.max(0, needed - length);
  if ((operand.exponent - shift) % 2 !== 0) shift++;
  const scaled = operand.significand << BigInt(shift), root = integerSqrt(scaled);
  const remains = root * root === scaled ? 0n : 1n;
  return round(format, 0, root << 1n | remains, (operand.exponent - shift) / 2 - 1, environment);
}

/** addend + a × b, rounded once (Arm ARM: FPMulAdd). */
export function multiplyAdd(
  format: Format,
  addend: bigint,
  a: bigint,
  b: bigint,
  environment: FloatEnvironment,
): bigint {
  const quick = quickFused(format, addend, a, b, environment);
  if (quick !== undefined) return quick;
  const c = unpack(format, addend, environment);
  const left = unpack(format, a, environment), right = unpack(format, b, environment);
  const isOdd = isInfinityTimesZero(left, right);
  const nan = processNans(format, environment, c, left, right);
  if (isOdd && (nan === undefined || c.kind === "quiet")) return invalid(format, environment);
  if (nan !== undefined) return nan;
  const sign = left.sign ^ right.sign;
  if (left.kind === "infinity" || right.kind === "infinity") {
    const cancels = c.kind === "infinity" && c.sign !== sign;
    return cancels ? invalid(format, environment) : infinity(format, sign);
  }
  if (c.kind === "infinity") return infinity(format, c.sign);
  return sum(format, c, product(left, right), environment);
}

/** The exact product of two numbers, neither infinite. */
function product(a: Unpacked, b: Unpacked): Unpacked {
  const isZero = a.kind === "zero" || b.kind === "zero";
  return {
    kind: isZero ? "zero" : "finite",
    sign: a.sign ^ b.sign,
    significand: a.significand * b.significand,
    exponent: a.exponent + b.exponent,
    bits: 0n,
  };
}

/** (base − a × b) ÷ 2^halvings, rounded once; `odd` is the result of infinity times zero. */
function step(base: bigint, halvings: number, odd: (format: Format) => bigint): Binary {
  return (format, a, b, environment) => {
    const left = unpack(format, negate(format, a), environment), right = unpack(format, b, environment);
    const nan = processNans(format, environment, left, right);
    if (nan !== undefined) return nan;
    if (isInfinityTimesZero(left, right)) return odd(format);
    const factors = product(left, right);
    if (left.kind === "infinity" || right.kind === "infinity") return infinity(format, factors.sign);
    const exponent = Math.min(factors.exponent, 0);
    const value = (base << BigInt(-exponent)) + (signed(factors) << BigInt(factors.exponent - exponent));
    return roundSigned(format, value, exponent - halvings, signOfCancellation(environment), environment);
  };
}

/** 2 − a × b (Arm ARM: FPRecipStepFused). */
export const reciprocalStep: Binary = step(2n, 0, (format) => constant(format, 1));

/** (3 − a × b) ÷ 2 (Arm ARM: FPRSqrtStepFused). */
export const sqrtStep: Binary = step(3n, 1, (format) => constant(format, 0) | format.quietBit);
