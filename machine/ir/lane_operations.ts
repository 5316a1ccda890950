/**
 * IR operations on vectors of integer lanes. A node's width is that of its result, 64 or 128 for vectors, or less for
 * scalars; its first immediate is the width of its arguments' lanes in bits; lanes are counted from bit 0.
 */
import {
  chooseDoublewords,
  emitBroadcast,
  emitInsert,
  emitLaneLeadingZeros,
  emitLaneReverseBits,
  emitLanes,
  emitLaneShift,
  emitLookUp,
  emitNarrow,
  emitShuffle,
  emitWiden,
  greaterUnsignedDoublewords,
  mulBytes,
} from "./emit_lanes.ts";
import { emitDoublingMulHigh, emitPolynomialMul, emitPolynomialMulLong } from "./emit_lane_products.ts";
import { emitNarrowSaturating, emitSaturating } from "./emit_saturating.ts";
import { emitSaturatingShiftByLanes, emitShiftByLanes } from "./emit_lane_shifts.ts";
import { chooseLanes, convertLanes, lookUpBytes, mapLanes, mapSignedLanes } from "./lanes.ts";
import {
  effect,
  type EmitForm,
  type ExecutionContext,
  int,
  type IrNode,
  mask,
  type OperationRow,
  pure,
  signed,
  wrap,
} from "./operation.ts";

export { mapLanes } from "./lanes.ts";

/** FPSR.QC: a result was saturated. */
const QC = 1 << 27;

/** Meaning of an operation on one lane of `lane` bits; its result is taken modulo the lane. */
type OfLane = (a: bigint, b: bigint, c: bigint, lane: number, node: IrNode) => bigint;

/** An operation whose lanes are unsigned numbers. */
function unsignedLanes(of: OfLane, emit?: EmitForm): OperationRow {
  return pure(
    (n, a, b, c) => mapLanes(n.width, int(n, 0), a, b, c, (a, b, c) => of(a, b, c, int(n, 0), n)),
    emit,
  );
}

/** An operation whose lanes are in two's complement. */
function signedLanes(of: OfLane, emit?: EmitForm): OperationRow {
  return pure(
    (n, a, b, c) => mapSignedLanes(n.width, int(n, 0), a, b, c, (a, b, c) => of(a, b, c, int(n, 0), n)),
    emit,
  );
}

/** SatQ of the Arm ARM for bounds; sets FPSR.QC when it changes the value. */
function saturate(value: bigint, minimum: bigint, maximum: bigint, context: ExecutionContext): bigint {
  if (value >= minimum && value <= maximum) return value;
  context.accumulateFpsr(QC);
  return value < minimum ? minimum : maximum;
}

const saturateUnsigned = (lane: number, value: bigint, context: ExecutionContext): bigint =>
  saturate(value, 0n, mask(lane), context);

const saturateSigned = (lane: number, value: bigint, context: ExecutionContext): bigint =>
  saturate(value, -1n << BigInt(lane - 1), mask(lane) >> 1n, context);

/** As `unsignedLanes`, with results that saturate to unsigned lanes. */
function saturatingUnsignedLanes(of: OfLane, emit?: EmitForm): OperationRow {
  return effect((n, a, b, c, x) => {
    const lane = int(n, 0);
    return mapLanes(n.width, lane, a, b, c, (a, b, c) => saturateUnsigned(lane, of(a, b, c, lane, n), x));
  }, emit);
}

/** As `signedLanes`, with results that saturate to signed lanes. */
function saturatingSignedLanes(of: OfLane, emit?: EmitForm): OperationRow {
  return effect((n, a, b, c, x) => {
    const lane = int(n, 0);
    return mapSignedLanes(n.width, lane, a, b, c, (a, b, c) => saturateSigned(lane, of(a, b, c, lane, n), x));
  }, emit);
}

/** a shifted left by the signed number in the low byte of b; to the right, rounded to nearest, half up, if `rounds`. */
function shiftBy(a: bigint, b: bigint, rounds: number): bigint {
  const amount = signed(8, b);
  if (amount >= 0n) return a << amount;
  return a + (rounds === 1 ? 1n << -amount - 1n : 0n) >> -amount;
}

const half = (lane: number): bigint => 1n << BigInt(lane - 1);

function leadingZeros(lane: number, value: bigint): bigint {
  if (lane < 64) return BigInt(Math.clz32(Number(value)) - 32 + lane);
  const high = Math.clz32(Number(value >> 32n));
  return BigInt(high < 32 ? high : 32 + Math.clz32(Number(wrap(32, value))));
}

function population(value: bigint): bigint {
  let count = 0n;
  for (; value > 0n; value &= value - 1n) count++;
  return count;
}

function reverseBits(lane: number, value: bigint): bigint {
  let result = 0n;
  for (let bit = 0; bit < lane; bit++, value >>= 1n) result = result << 1n | value & 1n;
  return result;
}

/** Product of polynomials over {0, 1}. */
function polynomialProduct(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (; b > 0n; b >>= 1n, a <<= 1n) if ((b & 1n) === 1n) product ^= a;
  return product;
}

/** A value of `lane` bits in every lane, made by doubling. */
function repeat(width: number, lane: number, value: bigint): bigint {
  for (let bits = lane; bits < width; bits *= 2) value |= value << BigInt(bits);
  return value;
}

const maximum = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const minimum = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Every operation on integer lanes. */
// deno-fmt-ignore
export const LANE_OPERATIONS = {
  // Arithmetic modulo the lane.
  laneAdd: unsignedLanes((a, b) => a + b, emitLanes("Add", 2)),
  laneSub: unsignedLanes((a, b) => a - b, emitLanes("Sub", 2)),
  laneMul: unsignedLanes((a, b) => a * b, emitLanes("Mul", 2, { 8: mulBytes })),
  laneAbs: signedLanes((a) => (a < 0n ? -a : a), emitLanes("Abs", 1)),
  laneMaxSigned:   signedLanes(maximum, emitLanes("MaxS", 2, { 64: chooseDoublewords("i64x2GtS") })),
  laneMaxUnsigned: unsignedLanes(maximum, emitLanes("MaxU", 2)),
  laneMinSigned:   signedLanes(minimum, emitLanes("MinS", 2, { 64: chooseDoublewords("i64x2LtS") })),
  laneMinUnsigned: unsignedLanes(minimum, emitLanes("MinU", 2)),
  // Comparisons give lanes of ones or zeros.
  laneEqual:           unsignedLanes((a, b) => (a === b ? -1n : 0n), emitLanes("Eq", 2)),
  laneGreaterSigned:   signedLanes((a, b) => (a > b ? -1n : 0n), emitLanes("GtS", 2)),
  laneGreaterUnsigned: unsignedLanes((a, b) => (a > b ? -1n : 0n), emitLanes("GtU", 2, { 64: greaterUnsignedDoublewords })),
  // Shifts of all lanes by one amount, a value of 32 bits below the lane.
  laneShiftLeft:          pure((n, a, b) => mapLanes(n.width, int(n, 0), a, 0n, 0n, (a) => a << b), emitLaneShift("Shl")),
  laneShiftRightSigned:   pure((n, a, b) => mapSignedLanes(n.width, int(n, 0), a, 0n, 0n, (a) => a >> b), emitLaneShift("ShrS")),
  laneShiftRightUnsigned: pure((n, a, b) => mapLanes(n.width, int(n, 0), a, 0n, 0n, (a) => a >> b), emitLaneShift("ShrU")),
  // Shifts of each lane by the signed low byte of the other argument's; the immediate 1 rounds shifts to the right.
  laneShiftBySigned:             signedLanes((a, b, _c, _lane, n) => shiftBy(a, b, int(n, 1)), emitShiftByLanes("S")),
  laneShiftByUnsigned:           unsignedLanes((a, b, _c, _lane, n) => shiftBy(a, b, int(n, 1)), emitShiftByLanes("U")),
  laneShiftBySaturatingSigned:   saturatingSignedLanes((a, b, _c, _lane, n) => shiftBy(a, b, int(n, 1)), emitSaturatingShiftByLanes("S")),
  laneShiftBySaturatingUnsigned: saturatingUnsignedLanes((a, b, _c, _lane, n) => shiftBy(a, b, int(n, 1)), emitSaturatingShiftByLanes("U")),
  // Saturation to the lane, with FPSR.QC. Mixed: the result has the first argument's sign, the second the other.
  laneAddSaturatingSigned:        saturatingSignedLanes((a, b) => a + b, emitSaturating("AddS")),
  laneAddSaturatingUnsigned:      saturatingUnsignedLanes((a, b) => a + b, emitSaturating("AddU")),
  laneAddMixedSaturatingSigned:   saturatingSignedLanes((a, b, _c, lane) => a + wrap(lane, b), emitSaturating("AddMixedS")),
  laneAddMixedSaturatingUnsigned: saturatingUnsignedLanes((a, b, _c, lane) => a + signed(lane, b), emitSaturating("AddMixedU")),
  laneSubSaturatingSigned:        saturatingSignedLanes((a, b) => a - b, emitSaturating("SubS")),
  laneSubSaturatingUnsigned:      saturatingUnsignedLanes((a, b) => a - b, emitSaturating("SubU")),
  // High halves of signed doubled products: the immediate 1 rounds; added to (0) or subtracted from (1) a third argument.
  laneDoublingMulHigh:    saturatingSignedLanes((a, b, _c, lane, n) => 2n * a * b + (int(n, 1) === 1 ? half(lane) : 0n) >> BigInt(lane), emitDoublingMulHigh),
  laneDoublingMulAddHigh: saturatingSignedLanes((a, b, c, lane, n) => (c << BigInt(lane)) + (int(n, 1) === 1 ? -2n : 2n) * a * b + half(lane) >> BigInt(lane)),
  // To lanes of half the width; saturation keeps the sign.
  laneNarrow:                   pure((n, a) => convertLanes("unsigned", n.width, int(n, 0), int(n, 0) / 2, a, (a) => a), emitNarrow),
  laneNarrowSaturatingSigned:   effect((n, a, _b, _c, x) => convertLanes("signed", n.width, int(n, 0), int(n, 0) / 2, a, (a) => saturateSigned(int(n, 0) / 2, a, x)), emitNarrowSaturating("S")),
  laneNarrowSaturatingUnsigned: effect((n, a, _b, _c, x) => convertLanes("unsigned", n.width, int(n, 0), int(n, 0) / 2, a, (a) => saturateUnsigned(int(n, 0) / 2, a, x)), emitNarrowSaturating("U")),
  // Lanes of a 64-bit vector to lanes of twice the width.
  laneWidenSigned:       pure((n, a) => convertLanes("signed", n.width, int(n, 0), int(n, 0) * 2, a, (a) => a), emitWiden("S")),
  laneWidenUnsigned:     pure((n, a) => convertLanes("unsigned", n.width, int(n, 0), int(n, 0) * 2, a, (a) => a), emitWiden("U")),
  // Bits of a lane.
  laneLeadingZeros: unsignedLanes((a, _b, _c, lane) => leadingZeros(lane, a), emitLaneLeadingZeros),
  lanePopulation:   unsignedLanes(population, emitLanes("Popcnt", 1)),
  laneReverseBits:  unsignedLanes((a, _b, _c, lane) => reverseBits(lane, a), emitLaneReverseBits),
  // Products of polynomials over {0, 1}: modulo the lane, and whole of one lane of 64 bits to 128.
  lanePolynomialMul:     unsignedLanes(polynomialProduct, emitPolynomialMul),
  lanePolynomialMulLong: pure((_n, a, b) => polynomialProduct(a, b), emitPolynomialMulLong),
  // Movement: lanes of two vectors by number (the second's follow the first's), bytes of the first by the second's bytes.
  laneShuffle:   pure((n, a, b) => chooseLanes(n.width, int(n, 0), a, b, n.immediates.slice(1) as number[]), emitShuffle),
  laneLookUp:    pure((n, a, b) => lookUpBytes(n.width, a, b), emitLookUp),
  laneBroadcast: pure((n, a) => repeat(n.width, int(n, 0), a), emitBroadcast),
  laneInsert:    pure((n, a, b) => {                                              // a with lane number (immediate) replaced by b
    const at = BigInt(int(n, 0) * int(n, 1));
    return a & ~(mask(int(n, 0)) << at) | b << at;
  }, emitInsert),
} as const satisfies Record<string, OperationRow>;

/** Name of an operation on lanes. */
export type LaneOperation = keyof typeof LANE_OPERATIONS;
