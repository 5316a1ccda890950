/**
 * IR operations on floating-point numbers. A node's width is that of the vector or scalar; its first immediate is the
 * format's width, 16, 32 or 64 bits; vectors are computed lane by lane. They read FPCR and accumulate FPSR.
 */
import * as arithmetic from "../float/arithmetic.ts";
import * as comparison from "../float/compare.ts";
import * as conversion from "../float/convert.ts";
import { FloatEnvironment, type Rounding } from "../float/environment.ts";
import * as estimate from "../float/estimate.ts";
import { absolute, type Format, FORMATS, type FormatWidth, negate } from "../float/format.ts";
import {
  emitFloatAbsoluteDifference,
  emitFloatAdd,
  emitFloatCompare,
  emitFloatComparison,
  emitFloatDiv,
  emitFloatExtreme,
  emitFloatMul,
  emitFloatMulNegated,
  emitFloatSign,
  emitFloatSqrt,
  emitFloatSub,
} from "./emit_float.ts";
import {
  emitFloatConvert,
  emitFloatRound,
  emitFloatToInteger,
  emitIntegerToFloat,
} from "./emit_float_convert.ts";
import { emitFloatMulAdd } from "./emit_float_fused.ts";
import {
  effect,
  type EmitForm,
  type ExecutionContext,
  int,
  type IrNode,
  type OperationRow,
  pure,
  wrap,
} from "./operation.ts";

export { ROUNDING, type Rounding } from "../float/environment.ts";

const formatOf = (node: IrNode): Format => FORMATS[int(node, 0) as FormatWidth];

/** Runs an operation in the context's environment and accumulates its flags. */
function within<Result>(context: ExecutionContext, of: (environment: FloatEnvironment) => Result): Result {
  const environment = new FloatEnvironment(context.fpcr), result = of(environment);
  if (environment.flags !== 0) context.accumulateFpsr(environment.flags);
  return result;
}

/** A result of lanes of `to` bits, each from the lane with its number in vectors with lanes of `from` bits. */
function mapLanes(
  width: number,
  from: number,
  to: number,
  [a, b, c]: readonly [bigint, bigint, bigint],
  of: (a: bigint, b: bigint, c: bigint) => bigint,
): bigint {
  if (width === to) return of(wrap(from, a), wrap(from, b), wrap(from, c));
  let result = 0n;
  for (let lane = 0; lane * to < width; lane++) {
    const at = BigInt(lane * from);
    result |= of(wrap(from, a >> at), wrap(from, b >> at), wrap(from, c >> at)) << BigInt(lane * to);
  }
  return result;
}

type Lanes = (
  format: Format,
  lanes: readonly [bigint, bigint, bigint],
  environment: FloatEnvironment,
  node: IrNode,
) => bigint;

/** A row whose lanes have the format's width, or the one that an immediate gives. */
function lanes(of: Lanes, toImmediate = 0, emit?: EmitForm): OperationRow {
  return effect((node, a, b, c, context) => {
    const format = formatOf(node);
    return within(
      context,
      (environment) =>
        mapLanes(
          node.width,
          format.width,
          int(node, toImmediate),
          [a, b, c],
          (...lane) => of(format, lane, environment, node),
        ),
    );
  }, emit);
}

const unary = (of: arithmetic.Unary, emit?: EmitForm): OperationRow =>
  lanes((format, [a], environment) => of(format, a, environment), 0, emit);

const binary = (of: arithmetic.Binary, emit?: EmitForm): OperationRow =>
  lanes((format, [a, b], environment) => of(format, a, b, environment), 0, emit);

/** Lanes of all ones where a comparison holds. */
const compared = (of: comparison.Comparison, emit?: EmitForm): OperationRow =>
  lanes(
    (format, [a, b], environment) => of(format, a, b, environment) ? format.signMask * 2n - 1n : 0n,
    0,
    emit,
  );

/** The same for operands without their signs. */
const absoluteCompared = (of: comparison.Comparison, emit?: EmitForm): OperationRow =>
  compared(
    (format, a, b, environment) => of(format, absolute(format, a), absolute(format, b), environment),
    emit,
  );

/** Bits alone: nothing is unpacked, and no flag is set. */
const bitwise = (of: (format: Format, a: bigint) => bigint, emit?: EmitForm): OperationRow =>
  pure((node, a) => {
    const format = formatOf(node);
    return mapLanes(node.width, format.width, format.width, [a, 0n, 0n], (a) => of(format, a));
  }, emit);

const rounding = (node: IrNode, index: number): Rounding => int(node, index) as Rounding;

const fixedPoint = (node: IrNode, width: number, at: number): conversion.FixedPoint => ({
  width,
  isUnsigned: int(node, at) === 1,
  fractionBits: int(node, at + 1),
});

/** Z of FJCVTZS is set when the conversion was exact. */
const Z = 4n;

/** Every operation; the comment has the immediates after the format, and the arguments. */
// deno-fmt-ignore
export const FLOAT_OPERATIONS = {
  // Bits.
  floatNegate:              bitwise(negate, emitFloatSign("Xor")),
  floatAbsolute:            bitwise(absolute, emitFloatSign("Andnot")),
  // Arithmetic.
  floatAdd:                 binary(arithmetic.add, emitFloatAdd),
  floatSub:                 binary(arithmetic.subtract, emitFloatSub),
  floatMul:                 binary(arithmetic.multiply, emitFloatMul),
  floatMulExtended:         binary(arithmetic.multiplyExtended, emitFloatMul),     // FMULX
  floatMulNegated:          binary(arithmetic.multiplyNegated, emitFloatMulNegated),      // FNMUL
  floatDiv:                 binary(arithmetic.divide, emitFloatDiv),
  floatAbsoluteDifference:  binary(arithmetic.absoluteDifference, emitFloatAbsoluteDifference),   // FABD
  floatMulAdd:              lanes((format, [addend, n, m], environment) => arithmetic.multiplyAdd(format, addend, n, m, environment), 0, emitFloatMulAdd), // addend, n, m: addend + n × m
  floatSqrt:                unary(arithmetic.sqrt, emitFloatSqrt),
  floatReciprocalStep:      binary(arithmetic.reciprocalStep),       // FRECPS
  floatSqrtStep:            binary(arithmetic.sqrtStep),             // FRSQRTS
  // Estimates.
  floatReciprocalEstimate:  unary(estimate.reciprocalEstimate),      // FRECPE
  floatReciprocalExponent:  unary(estimate.reciprocalExponent),      // FRECPX
  floatSqrtEstimate:        unary(estimate.sqrtEstimate),            // FRSQRTE
  // Comparisons: lanes of ones or zeros, the first quiet; NZCV.
  floatMax:                 binary(comparison.maximum, emitFloatExtreme("Max")),
  floatMin:                 binary(comparison.minimum, emitFloatExtreme("Min")),
  floatMaxNumber:           binary(comparison.maximumNumber, emitFloatExtreme("Max")),
  floatMinNumber:           binary(comparison.minimumNumber, emitFloatExtreme("Min")),
  floatEqual:               compared(comparison.isEqual, emitFloatComparison("Eq")),
  floatGreaterEqual:        compared(comparison.isGreaterOrEqual, emitFloatComparison("Ge")),
  floatGreater:             compared(comparison.isGreater, emitFloatComparison("Gt")),
  floatAbsoluteGreaterEqual: absoluteCompared(comparison.isGreaterOrEqual, emitFloatComparison("Ge", true)), // FACGE
  floatAbsoluteGreater:     absoluteCompared(comparison.isGreater, emitFloatComparison("Gt", true)),  // FACGT
  floatCompare:             effect((n, a, b, _c, x) => within(x, (environment) => BigInt(comparison.compare(formatOf(n), a, b, int(n, 1) === 1, environment))), emitFloatCompare), // 1 to signal quiet NaNs
  // To integers: `rounding` is a number of ROUNDING.
  floatRound:               lanes((format, [a], environment, n) => conversion.roundToIntegral(format, a, rounding(n, 1), int(n, 2) === 1, environment), 0, emitFloatRound), // rounding, 1 to set IXC
  floatRoundSized:          lanes((format, [a], environment, n) => conversion.roundToSize(format, a, int(n, 1) as 32 | 64, rounding(n, 2), environment)), // 32 or 64, rounding
  floatToInteger:           lanes((format, [a], environment, n) => conversion.toFixed(format, a, fixedPoint(n, int(n, 4), 2), rounding(n, 1), environment), 4, emitFloatToInteger), // rounding, 1 if unsigned, fraction bits, bits of a result lane
  integerToFloat:           effect((n, a, b, c, x) => within(x, (environment) => mapLanes(n.width, int(n, 1), int(n, 0), [a, b, c], (a) => conversion.fromFixed(formatOf(n), a, fixedPoint(n, int(n, 1), 2), environment))), emitIntegerToFloat), // format of the result; bits of a source lane, 1 if unsigned, fraction bits
  floatToJavascript:        effect((n, a, _b, _c, x) => within(x, (environment) => conversion.toJavascript(formatOf(n), a, environment).value)), // FJCVTZS
  floatToJavascriptFlags:   effect((n, a, _b, _c, x) => within(x, (environment) => conversion.toJavascript(formatOf(n), a, environment).isExact ? Z : 0n)), // its NZCV
  // Between formats; a result lane is as wide as its format.
  floatConvert:             lanes((format, [a], environment, n) => conversion.convert(format, FORMATS[int(n, 1) as FormatWidth], a, rounding(n, 2), environment), 1, emitFloatConvert), // format of the result, rounding
} as const satisfies Record<string, OperationRow>;

/** Name of such an operation. */
export type FloatOperation = keyof typeof FLOAT_OPERATIONS;
