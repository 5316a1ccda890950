/** Emitted floating point gives the bits that evaluation gives and sets no flag, or bails; on ordinary numbers it does not. */
import { assert, assertEquals } from "@std/assert";
import { FLOAT_OPERATIONS } from "../../../machine/ir/float_operations.ts";
import type { IrNode } from "../../../machine/ir/operations.ts";
import { randomNumbers } from "../a64/random_words.ts";
import {
  EmittedInstructions,
  type Form,
  formsOfRows,
  isEmitted,
  named,
  operationOnRegisters,
  SLOT_FPCR,
  SLOT_FPSR,
  State,
  STATE_SIZE,
} from "./emit_support.ts";

const SEED = 9081726;
/** FPSR: IXC, and all bits that floating point sets but it. */
const IXC = 16n, OTHERS = 0x8fn;
/** FPCR: nothing, DN, RMode of each kind, FZ. */
const CONTROLS = [0n, 1n << 25n, 1n << 22n, 2n << 22n, 3n << 22n, 1n << 24n];
/** Operations that no emit of a single or double form leaves out. */
const EMITTED =
  /^float(Negate|Absolute|Add|Sub|Mul|MulExtended|MulNegated|Div|AbsoluteDifference|MulAdd|Sqrt|Max|Min|MaxNumber|MinNumber|Equal|GreaterEqual|Greater|AbsoluteGreaterEqual|AbsoluteGreater|Compare|Round)$/;

const words = new DataView(new ArrayBuffer(8));

function bitsOf(value: number, format: number): bigint {
  if (format === 32) words.setFloat32(0, value);
  else words.setFloat64(0, value);
  return format === 32 ? BigInt(words.getUint32(0)) : words.getBigUint64(0);
}

function numberOf(bits: bigint, format: number): number {
  if (format === 32) words.setUint32(0, Number(bits));
  else words.setBigUint64(0, bits);
  return format === 32 ? words.getFloat32(0) : words.getFloat64(0);
}

/** Fields of the formats. */
const FIELDS = {
  16: { fraction: 10, bias: 15 },
  32: { fraction: 23, bias: 127 },
  64: { fraction: 52, bias: 1023 },
};
type Format = keyof typeof FIELDS;

/** A number whose exponent is within a few of 0, its fraction long or short. */
function ordinaryNumber(format: Format, random: () => number, spread = 8): bigint {
  const { fraction, bias } = FIELDS[format];
  const long = BigInt(random()) << 32n | BigInt(random());
  const field = BigInt.asUintN(fraction, long >> BigInt(random() % 64));
  const shown = random() % 3 === 0 ? BigInt.asUintN(fraction, field << BigInt(random() % fraction)) : field;
  const exponent = BigInt(bias + random() % (2 * spread) - spread);
  return BigInt(random() & 1) << BigInt(format - 1) | exponent << BigInt(fraction) | shown;
}

/** A number of any kind: near the ends of the range, zeros, infinities, NaNs. */
function anyNumber(format: Format, random: () => number): bigint {
  const { fraction, bias } = FIELDS[format], sign = BigInt(random() & 1) << BigInt(format - 1);
  const infinity = BigInt(2 * bias + 1) << BigInt(fraction), step = BigInt(random() % 3);
  switch (random() % 12) {
    case 0:
      return sign;
    case 1:
      return sign | infinity;
    case 2:
      return sign | infinity | 1n << BigInt(random() % fraction);
    case 3:
      return sign | infinity - 1n - step;
    case 4:
      return sign | (1n << BigInt(fraction)) - 1n + step; // at the least normal number
    case 5:
      return sign | BigInt.asUintN(fraction, BigInt(random())); // denormal
    case 6:
      return sign | BigInt.asUintN(format - 1, BigInt(random()) << 32n | BigInt(random()));
    case 7:
      return ordinaryNumber(format, random, bias >> 1); // products at both ends
    case 8:
      return bitsOf(2 ** (31 + 32 * (random() % 2)) - (random() % 3) / 2, format); // at the ends of integers
    default:
      return ordinaryNumber(format, random, format === 16 ? 8 : 40);
  }
}

/** An addend that cancels most of a product. */
function cancelling(format: Format, n: bigint, m: bigint, random: () => number): bigint {
  const product = bitsOf(-numberOf(n, format) * numberOf(m, format), format);
  return BigInt.asUintN(format, product + BigInt(random() % 5) - 2n);
}

/** Factors whose product is half of an addend's last place, or next to it: a tie, or what only one rounding tells from it. */
function atTie(format: Format, addend: bigint, random: () => number): [n: bigint, m: bigint] {
  const { fraction, bias } = FIELDS[format];
  const exponent = Number(BigInt.asUintN(format - 1, addend) >> BigInt(fraction)) - bias;
  const small = 2 ** -((fraction >> 1) + 1 + random() % 3);
  const [up, down] = [0, 1].map(() => 1 + (random() % 3 - 1) * small) as [number, number];
  const sign = random() % 2 === 0 ? 1 : -1;
  return [bitsOf(sign * 2 ** (exponent - fraction - 1) * up, format), bitsOf(down, format)];
}

/** A number of a given exponent, denormal if need be, with a significand at an end of its range or anywhere in it. */
function numberAt(format: Format, exponent: number, random: () => number): bigint {
  const { fraction, bias } = FIELDS[format], ulp = BigInt(random() % 3);
  const long = BigInt(random()) << 32n | BigInt(random());
  const field = [
    ulp,
    BigInt.asUintN(fraction, -1n - ulp),
    BigInt.asUintN(fraction, long),
  ][random() % 3] as bigint;
  const biased = BigInt(Math.min(exponent + bias, 2 * bias));
  const magnitude = biased > 0n ? biased << BigInt(fraction) | field : field >> BigInt(random() % fraction);
  return BigInt(random() & 1) << BigInt(format - 1) | magnitude;
}

/** Operands of a quotient or, the last two of three, of a product near an end of the range, with an addend near it. */
function atEnds(format: Format, count: number, isQuotient: boolean, random: () => number): bigint[] {
  const { fraction, bias } = FIELDS[format];
  const ends = [1 - bias, 1 - bias + fraction, 1 - bias + 2 * fraction, bias];
  const exponent = (ends[random() % ends.length] as number) + random() % 5 - 3;
  const first = random() % bias - (bias >> 1);
  const factors = isQuotient ? [first, first - exponent] : [first, exponent - first];
  const exponents = count === 3 ? [exponent - random() % 3, ...factors] : factors.slice(0, count);
  return exponents.map((exponent) => numberAt(format, exponent, random));
}

/** Numbers near what rounds to an integer in two ways, or to the ends of single precision. */
function atRounding(format: Format, random: () => number): bigint {
  const near = [
    0.5,
    1.5,
    2.5,
    2 ** 23 + 0.5,
    2 ** 52 - 0.5,
    2 ** -126,
    2 ** 128 - 2 ** 103,
    2 ** 128 - 2 ** 104,
  ];
  const bits = bitsOf(near[random() % near.length] as number, format) + BigInt(random() % 3) - 1n;
  return BigInt(random() & 1) << BigInt(format - 1) | BigInt.asUintN(format - 1, bits);
}

/** Values of a form's arguments, by lanes of its source format, ordinary or not. */
function operands(form: Form, isOrdinary: boolean, random: () => number): bigint[] {
  const lane =
    (form.node.op === "integerToFloat" ? form.node.immediates[1] : form.node.immediates[0]) as Format;
  const isInteger = form.node.op === "integerToFloat";
  const value = () => {
    if (isInteger) {
      return BigInt.asUintN(lane, (BigInt(random()) << 32n | BigInt(random())) >> BigInt(random() % 64));
    }
    return isOrdinary ? ordinaryNumber(lane, random) : anyNumber(lane, random);
  };
  const values = form.widths.map(() => 0n);
  for (let bits = 0; bits < (form.widths[0] as number); bits += lane) {
    const numbers = form.widths.map(value);
    if (!isInteger && lane !== 16) disturb(form, numbers, lane, isOrdinary, random);
    if (form.node.op === "floatSqrt" && isOrdinary) {
      numbers[0] = BigInt.asUintN(lane - 1, numbers[0] as bigint);
    }
    numbers.forEach((number, argument) => {
      values[argument] = (values[argument] as bigint) | number << BigInt(bits);
    });
  }
  return values;
}

/** Gives some operands what makes a result hard to round. */
function disturb(
  { node: { op } }: Form,
  numbers: bigint[],
  lane: Format,
  isOrdinary: boolean,
  random: () => number,
): void {
  const count = numbers.length, choice = random() % 8;
  const [first, second, third] = numbers as [bigint, bigint, bigint];
  if (!isOrdinary && choice < 4 && count > 1) {
    numbers.splice(0, count, ...atEnds(lane, count, op === "floatDiv", random));
  } else if (!isOrdinary && choice < 4) numbers[0] = atRounding(lane, random);
  else if (choice < 6 && count === 3) {
    // At the greatest exponent a tie overflows; where half of the last place is next to the least normal number, the
    // product's error is less than any number.
    const { fraction, bias } = FIELDS[lane];
    const exponent = random() % 3 === 0 ? bias : fraction + 2 - bias + random() % 4;
    const addend = isOrdinary ? first : numberAt(lane, exponent, random);
    numbers.splice(0, 3, addend, ...atTie(lane, addend, random));
  } else if (choice === 6 && count === 3) numbers[0] = cancelling(lane, second, third, random);
  else if (choice === 6 && count === 2) numbers[1] = first ^ BigInt(random() % 4);
  else if (choice === 7 && op === "floatSqrt") {
    numbers[0] = bitsOf((1 + random() % 4096) ** 2, lane) + BigInt(random() % 3) - 1n;
  }
}

Deno.test("emitted floating point gives the bits that evaluate gives and leaves FPSR alone, or bails", () => {
  const random = randomNumbers(SEED), all = formsOfRows(FLOAT_OPERATIONS, 40, random);
  const forms = all.filter((form) => isEmitted(operationOnRegisters(form)));
  const unemitted = all.filter((form) => !forms.includes(form));
  const isPlain = ({ node: { op, immediates } }: Form) => EMITTED.test(op) && immediates[0] !== 16;
  assertEquals(unemitted.filter(isPlain).map(named), []);
  const instructions = forms.map(operationOnRegisters);
  const emitted = new EmittedInstructions(instructions), { state } = emitted;
  const expected = new State(new ArrayBuffer(STATE_SIZE));
  for (const [number, form] of forms.entries()) {
    let done = 0;
    const trials = form.node.op === "floatMulAdd" ? 16000 : 600;
    for (let trial = 0; trial < trials; trial++) {
      const isOrdinary = trial % 2 === 0;
      const values = operands(form, isOrdinary, random);
      emitted.setRegisters(values);
      expected.v.set(state.v);
      const fpcr = isOrdinary ? 0n : CONTROLS[random() % CONTROLS.length] as bigint;
      const fpsr = isOrdinary || random() % 2 === 0 ? IXC : OTHERS;
      state.slots[SLOT_FPCR] = expected.slots[SLOT_FPCR] = fpcr;
      state.slots[SLOT_FPSR] = expected.slots[SLOT_FPSR] = fpsr;
      if (emitted.run(number)) continue;
      if (isOrdinary) done++;
      const [evaluated] = expected.evaluate(instructions[number] as IrNode[]).slice(-2);
      const shown = `${
        values.map((value) => `0x${value.toString(16)}`).join(", ")
      }; FPCR ${fpcr}, FPSR ${fpsr}`;
      assertEquals(emitted.result, evaluated, `seed ${SEED}: ${named(form)} (${shown})`);
      assertEquals(expected.slots[SLOT_FPSR], fpsr, `seed ${SEED}: FPSR after ${named(form)} (${shown})`);
    }
    const isUnsignedConversion = form.node.op === "floatToInteger" && form.node.immediates[2] === 1;
    const least = isUnsignedConversion ? 0.02 : 0.5;
    assert(
      done >= least * trials / 2,
      `${named(form)}: only ${done} of ${trials / 2} ordinary cases did not bail`,
    );
  }
});

Deno.test("emitted floating point needs no IXC where the result is exact", () => {
  const random = randomNumbers(SEED + 1);
  // deno-fmt-ignore
  const forms = ([32, 64] as const).flatMap((format) =>
    ["floatAdd", "floatSub", "floatMul", "floatDiv", "floatSqrt", "floatAbsoluteDifference"].map((op): Form =>
      ({ node: { op: op as IrNode["op"], width: format, immediates: [format] }, widths: op === "floatSqrt" ? [format] : [format, format] })));
  const emitted = new EmittedInstructions(forms.map(operationOnRegisters));
  for (const [number, { node }] of forms.entries()) {
    for (let trial = 0; trial < 500; trial++) {
      const format = node.width as 32 | 64;
      const [a, b] = [0, 1].map(() => 1 + random() % 2000) as [number, number];
      const factor = node.op === "floatMul" && trial % 8 === 0 ? 0 : b;
      const values = node.op === "floatSqrt" ? [a * a] : node.op === "floatDiv" ? [a * b, b] : [a, factor];
      emitted.setRegisters(values.map((value) => bitsOf(value, format)));
      emitted.state.slots[SLOT_FPCR] = emitted.state.slots[SLOT_FPSR] = 0n;
      assert(!emitted.run(number), `${node.op} of ${values} (${format} bits) bailed`);
    }
  }
});
