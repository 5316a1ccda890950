/** Tests of floating point by the host's doubles against exact arithmetic in formats with three more bits. */
import { assertEquals } from "@std/assert";
import { add, divide, multiply, multiplyAdd, subtract } from "../../../machine/float/arithmetic.ts";
import { compare } from "../../../machine/float/compare.ts";
import { convert } from "../../../machine/float/convert.ts";
import { FloatEnvironment, FPSR, ROUNDING } from "../../../machine/float/environment.ts";
import { type Format, FORMATS, negate } from "../../../machine/float/format.ts";
import {
  quickFused,
  quickOrder,
  quickProduct,
  quickQuotient,
  quickSum,
} from "../../../machine/float/quick.ts";
import { randomNumbers } from "../a64/random_words.ts";

const MORE = 3n;

/** The format with three more fraction bits: what is rounded to odd there can be rounded again as if it were exact. */
function wider({ width, fractionBits, bias, leastExponent, hasInfinity, ...bits }: Format): Format {
  const signMask = bits.signMask << MORE, exponentMask = bits.exponentMask << MORE;
  const fractionMask = signMask - 1n - exponentMask, quietBit = bits.quietBit << MORE;
  return {
    width: width + Number(MORE),
    fractionBits: fractionBits + Number(MORE),
    bias,
    leastExponent,
    hasInfinity,
    exponentMask,
    fractionMask,
    signMask,
    quietBit,
    defaultNan: exponentMask | quietBit,
    greatest: exponentMask - 1n,
  };
}

type Operation = (
  format: Format,
  operands: readonly bigint[],
  environment: FloatEnvironment,
) => bigint | undefined;

/** An operation's result and whether it is inexact, by rounding to odd first. */
function exactly(format: Format, operands: readonly bigint[], of: Operation): [bigint | undefined, number] {
  const wide = wider(format),
    environment = Object.assign(new FloatEnvironment(0), { rounding: ROUNDING.toOdd });
  const odd = of(wide, operands.map((value) => value << MORE), environment) as bigint;
  return [convert(wide, format, odd, ROUNDING.tiesToEven, environment), environment.flags];
}

// deno-fmt-ignore
const OPERATIONS: Readonly<Record<string, readonly [quick: Operation, exact: Operation]>> = {
  add:         [(f, [a, b], e) => quickSum(f, a!, b!, 1, e),          (f, [a, b], e) => add(f, a!, b!, e)],
  subtract:    [(f, [a, b], e) => quickSum(f, a!, b!, -1, e),         (f, [a, b], e) => subtract(f, a!, b!, e)],
  multiply:    [(f, [a, b], e) => quickProduct(f, a!, b!, e),         (f, [a, b], e) => multiply(f, a!, b!, e)],
  divide:      [(f, [a, b], e) => quickQuotient(f, a!, b!, e),        (f, [a, b], e) => divide(f, a!, b!, e)],
  multiplyAdd: [(f, [a, b, c], e) => quickFused(f, c!, a!, b!, e),    (f, [a, b, c], e) => multiplyAdd(f, c!, a!, b!, e)],
};

type Random = () => number;

/** A number of any exponent, most of them near 1, with a fraction of few runs of bits. */
function randomFloat({ width, fractionBits, bias }: Format, random: Random): bigint {
  const all = (1n << BigInt(fractionBits)) - 1n, shift = BigInt(random() % fractionBits);
  const noise = (BigInt(random()) << 32n | BigInt(random())) & all;
  const fraction = [noise, noise >> shift << shift, all >> shift, 1n << shift, noise][random() % 5] as bigint;
  const range = [3, 40, 120, 2 * bias][random() % 4] as number;
  const exponent = Math.max(0, bias + random() % range - (range >> 1));
  return BigInt(random() & 1) << BigInt(width - 1) | BigInt(exponent) << BigInt(fractionBits) | fraction;
}

/** Three operands; the third is often near the negated product of the others, so that sums cancel. */
function randomOperands(format: Format, random: Random): bigint[] {
  const a = randomFloat(format, random), b = randomFloat(format, random);
  if (random() % 2 === 0) return [a, b, randomFloat(format, random)];
  const product = multiply(format, a, b, new FloatEnvironment(0));
  return [
    a,
    random() % 8 === 0 ? a ^ BigInt(random() % 4) : b,
    negate(format, product) ^ BigInt(random() % 3),
  ];
}

const SEED = 20261, CASES = 3000;

for (const [name, [quick, exact]] of Object.entries(OPERATIONS)) {
  Deno.test(`${name} of singles and doubles is quick and exact, seed ${SEED}`, () => {
    const random = randomNumbers(SEED);
    for (const format of [FORMATS[32], FORMATS[64]]) {
      let asked = 0;
      for (let index = 0; index < CASES; index++) {
        const operands = randomOperands(format, random), environment = new FloatEnvironment(0);
        const result = quick(format, operands, environment);
        if (result === undefined) continue;
        asked++;
        const text = operands.map((value) => value.toString(16)).join(" ");
        assertEquals(
          [result, environment.flags],
          exactly(format, operands, exact),
          `${format.width}: ${text}`,
        );
      }
      assertEquals(asked > CASES / 4, true, `${asked} of ${CASES} cases were quick`);
    }
  });
}

Deno.test("quick operations leave halves and other rounding modes alone", () => {
  const one = 0x3f80_0000n,
    environment = Object.assign(new FloatEnvironment(0), { rounding: ROUNDING.towardZero });
  assertEquals(quickSum(FORMATS[16], 0x3c00n, 0x3c00n, 1, new FloatEnvironment(0)), undefined);
  assertEquals(quickSum(FORMATS[32], one, one, 1, environment), undefined);
  assertEquals(quickOrder(FORMATS[16], 0x3c00n, 0x3c00n), undefined);
});

Deno.test("quickOrder orders zeros and infinities, and leaves NaNs and denormals to compare", () => {
  const infinity = 0x7f80_0000n, minusZero = 0x8000_0000n, denormal = 1n, nan = 0x7fc0_0000n;
  assertEquals(quickOrder(FORMATS[32], minusZero, 0n), 0);
  assertEquals(quickOrder(FORMATS[32], infinity, 0n), 1);
  assertEquals(quickOrder(FORMATS[32], minusZero, infinity), -1);
  for (const odd of [denormal, nan]) assertEquals(quickOrder(FORMATS[32], odd, 0n), undefined);
  const environment = new FloatEnvironment(1 << 24);
  assertEquals(compare(FORMATS[32], denormal, minusZero, false, environment), 6);
  assertEquals(environment.flags, FPSR.IDC);
});
