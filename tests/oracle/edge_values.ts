/** Values at which floating-point and lane operations change their ways, by the width of a lane. */

/** Widths of lanes that have edges of their own. */
export type LaneWidth = 8 | 16 | 32 | 64;

/** A binary format: its fraction and the largest exponent. */
interface Format {
  readonly fractionBits: number;
  readonly bias: number;
}

// deno-fmt-ignore
const FORMATS: Readonly<Partial<Record<LaneWidth, Format>>> = {
  16: { fractionBits: 10, bias: 15 },
  32: { fractionBits: 23, bias: 127 },
  64: { fractionBits: 52, bias: 1023 },
};

/**
 * Powers of two that matter beside 1: those at which an integer, or a narrower format, begins or ends, and those that
 * are half a unit in the last place, whose sums, products and roots lie in the middle between two numbers.
 */
// deno-fmt-ignore
const POWERS = [
  -3, -2, -1, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64,
  10, 11, 12, -10, -11, -12, 23, 24, 25, -23, -24, -25, 52, 53, 54, -52, -53, -54,
  -14, -15, -16, -126, -127, -128, 127, 128, -149, -150, 511, 512, -511, -512, -537, -538, -1022, 1023,
];

/** Bits of 2^`exponent` × (1 + `fraction` / 2^fractionBits), if the format has it as a normal number. */
function normal({ fractionBits, bias }: Format, exponent: number, fraction: bigint): bigint[] {
  if (exponent < 1 - bias || exponent > bias) return [];
  return [BigInt(exponent + bias) << BigInt(fractionBits) | fraction];
}

/** Fractions for a power of two: it, its neighbours, one and a half, and ties when rounded to a narrower format. */
function fractions({ fractionBits }: Format): bigint[] {
  const all = (1n << BigInt(fractionBits)) - 1n, half = 1n << BigInt(fractionBits - 1);
  const ties = [10, 23].filter((kept) => kept < fractionBits).flatMap((kept) => {
    const tie = 1n << BigInt(fractionBits - kept - 1);
    return [tie, 3n * tie, tie + 1n, tie - 1n, all - tie + 1n];
  });
  return [0n, 0n, 1n, all, half, half >> 1n, half | half >> 1n, half - 1n, ...ties];
}

/** Zero, denormals, the smallest and largest normals, infinity, NaNs of both kinds with payloads, and 1. */
function specialFloats(format: Format): bigint[] {
  const { fractionBits, bias } = format, all = (1n << BigInt(fractionBits)) - 1n;
  const infinity = BigInt(2 * bias + 1) << BigInt(fractionBits), quiet = 1n << BigInt(fractionBits - 1);
  return [
    ...[0n, 0n, 1n, 2n, 3n, quiet, quiet + 1n, all, all - 1n],
    ...[all + 1n, all + 2n, infinity - 1n, infinity - 2n],
    ...[infinity, infinity, infinity | quiet, infinity | quiet | 1n, infinity | quiet | 3n, infinity | all],
    ...[infinity | 1n, infinity | 2n, infinity | quiet >> 1n, infinity | all ^ quiet],
    ...normal(format, 0, 0n),
  ];
}

/** Numbers at powers of two. */
function numbersAtPowers(format: Format): bigint[] {
  return POWERS.flatMap((power) => fractions(format).flatMap((fraction) => normal(format, power, fraction)));
}

/** Integers of a lane, as bits. */
function integerEdges(width: number): bigint[] {
  const bits = [0, 1, 7, 8, width / 2 - 1, width / 2, width - 2, width - 1].filter((bit) => bit < width);
  const powers = bits.map((bit) => 1n << BigInt(bit));
  const values = [0n, ...powers, ...powers.map((power) => power - 1n), ...powers.map((power) => power + 1n)];
  return values.flatMap((value) => [value, ~value]).map((value) => BigInt.asUintN(width, value));
}

const INTEGERS: Readonly<Record<LaneWidth, readonly bigint[]>> = {
  8: integerEdges(8),
  16: integerEdges(16),
  32: integerEdges(32),
  64: integerEdges(64),
};

/** A format's values without a sign. */
interface FloatEdges {
  readonly format: Format;
  readonly special: readonly bigint[];
  readonly atPowers: readonly bigint[];
}

const FLOATS: ReadonlyMap<LaneWidth, FloatEdges> = new Map(([16, 32, 64] as const).map((width) => {
  const format = FORMATS[width] as Format;
  return [width, { format, special: specialFloats(format), atPowers: numbersAtPowers(format) }];
}));

function pick<T>(list: readonly T[], random: () => number): T {
  return list[random() % list.length] as T;
}

/** A number with a random fraction and a small exponent, so that sums overlap. */
function moderate({ fractionBits, bias }: Format, random: () => number): bigint {
  const exponent = bias + random() % 24 - 12, bits = BigInt(random()) << 32n | BigInt(random());
  return BigInt(exponent) << BigInt(fractionBits) | BigInt.asUintN(fractionBits, bits);
}

/** An integer and a half, or two bits more, so that rounding to integers has ties and neighbours of ties. */
function nearHalf(format: Format, random: () => number): bigint {
  const { fractionBits, bias } = format, exponent = random() % 13 - 1, kept = exponent + 1 + random() % 2;
  const cleared = BigInt(Math.max(0, fractionBits - kept)), bits = moderate(format, random) >> cleared | 1n;
  return BigInt(exponent + bias) << BigInt(fractionBits) | BigInt.asUintN(fractionBits, bits << cleared);
}

/** The chances, in sixteenths, of an integer, a special value, a moderate number, one near a half, and a power. */
const CHANCES = [1, 6, 3, 2, 4] as const;

/** A random edge of a lane: a number of the format with any sign, sometimes its neighbour; or an integer. */
export function edgeValue(width: LaneWidth, isFloat: boolean, random: () => number): bigint {
  const floats = isFloat ? FLOATS.get(width) : undefined;
  if (floats === undefined) return pick(INTEGERS[width], random);
  const { format, special, atPowers } = floats;
  let left = random() % 16;
  const kind = CHANCES.findIndex((chance) => (left -= chance) < 0);
  const sign = BigInt(random() & 1) << BigInt(width - 1);
  if (kind === 0) return pick(INTEGERS[width], random);
  if (kind === 1) return sign | pick(special, random);
  if (kind === 2) return sign | moderate(format, random);
  if (kind === 3) return sign | nearHalf(format, random);
  return BigInt.asUintN(
    width,
    (sign | pick(atPowers, random)) + pick([0n, 0n, 0n, 0n, 0n, 0n, 1n, -1n], random),
  );
}

/** Zero, an infinity, a NaN or the like, or for integers an edge. */
export function specialValue(width: LaneWidth, isFloat: boolean, random: () => number): bigint {
  const floats = isFloat ? FLOATS.get(width) : undefined;
  if (floats === undefined) return pick(INTEGERS[width], random);
  return pick(floats.special, random) | BigInt(random() & 1) << BigInt(width - 1);
}

/** Zero, an infinity or a NaN of either kind with any payload: what rules of their own are about when they meet. */
export function extremeValue(width: LaneWidth, isFloat: boolean, random: () => number): bigint {
  const floats = isFloat ? FLOATS.get(width) : undefined;
  if (floats === undefined) return pick(INTEGERS[width], random);
  const { fractionBits, bias } = floats.format, kind = random() % 4;
  const infinity = BigInt(2 * bias + 1) << BigInt(fractionBits), quiet = 1n << BigInt(fractionBits - 1);
  const payload = BigInt.asUintN(fractionBits - 1, BigInt(random()) | 1n), sign = BigInt(random() & 1);
  const value = [0n, infinity, infinity | quiet | payload, infinity | payload][kind] as bigint;
  return sign << BigInt(width - 1) | value;
}

/** A random number of a format not far from a given one, so that sums cancel and products meet. */
export function nearbyValue(width: LaneWidth, value: bigint, random: () => number): bigint {
  const format = FORMATS[width];
  if (format === undefined) return value;
  const kind = random() % 4, top = 1n << BigInt(width - 1);
  if (kind === 0) return value ^ top;
  if (kind === 1) return BigInt.asUintN(width, (value ^ top) + pick([1n, -1n, 2n, -2n], random));
  const shift = BigInt(random() % (format.fractionBits + 3)) << BigInt(format.fractionBits);
  const moved = BigInt.asUintN(width, value - shift);
  return kind === 2 ? moved : moved ^ top ^ BigInt(random() & 1);
}

/** An integer of 64 bits that lies in or beside the middle between two numbers of some format, in either half. */
export function tieInteger(random: () => number): bigint {
  const top = 11 + random() % 53, precision = pick([11, 24, 53], random);
  const below = Math.max(0, top - precision), kept = BigInt(random()) << BigInt(below + 1);
  const value = 1n << BigInt(top) | BigInt.asUintN(top, kept) | 1n << BigInt(below);
  const moved = value + pick([0n, 0n, 1n, -1n], random);
  return BigInt.asUintN(64, random() % 2 === 0 ? moved : -moved);
}
