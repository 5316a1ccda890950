/** Tests of BFloat16, halves in products and integer estimates, against numbers of JavaScript and hand-made edges. */
import { assertEquals } from "@std/assert";
import { FORMATS } from "../../../machine/float/format.ts";
import { convert } from "../../../machine/float/convert.ts";
import { FloatEnvironment, FPCR, FPSR, ROUNDING } from "../../../machine/float/environment.ts";
import {
  FLOAT_PRODUCT_OPERATIONS,
  type FloatProductOperation,
} from "../../../machine/ir/float_product_operations.ts";
import type { ExecutionContext, IrNode, Width } from "../../../machine/ir/operation.ts";
import { randomNumbers } from "../a64/random_words.ts";

const SEED = 77;

/** The result of an operation and the bits that it sets in FPSR. */
function evaluate(
  op: FloatProductOperation,
  width: Width,
  args: readonly (number | bigint)[],
  fpcr = 0,
): [bigint, number] {
  let fpsr = 0;
  const context = { fpcr, accumulateFpsr: (bits: number) => void (fpsr |= bits) } as ExecutionContext;
  const node: IrNode = { op, width, args: [], immediates: [32] };
  const [a = 0n, b = 0n, c = 0n] = args.map(BigInt);
  return [FLOAT_PRODUCT_OPERATIONS[op].evaluate(node, a, b, c, context), fpsr];
}

const view = new DataView(new ArrayBuffer(4));
function bitsOf(single: number): number {
  view.setFloat32(0, single);
  return view.getUint32(0);
}
function numberOf(bits: number): number {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

Deno.test("floatExtendHalf is exact for all halves, leaves NaNs signalling, and flushes by FZ16 alone", () => {
  const halves = Array.from({ length: 0x1_0000 }, (_, half) => half);
  for (const half of halves) {
    const isNan = (half & 0x7fff) > 0x7c00, isDenormal = (half & 0x7c00) === 0;
    const expected = isNan
      ? (half & 0x8000) * 0x1_0000 + 0x7f80_0000 + (half & 0x3ff) * 0x2000
      : Number(convert(FORMATS[16], FORMATS[32], BigInt(half), ROUNDING.tiesToEven, new FloatEnvironment(0)));
    assertEquals(evaluate("floatExtendHalf", 32, [half], FPCR.AHP | FPCR.DN | FPCR.FZ), [
      BigInt(expected),
      0,
    ]);
    const flushed = isDenormal ? (half & 0x8000) * 0x1_0000 : expected;
    assertEquals(evaluate("floatExtendHalf", 32, [half], FPCR.FZ16), [BigInt(flushed), 0]);
  }
});

Deno.test("floatExtendHalf takes lanes in order", () => {
  assertEquals(
    evaluate("floatExtendHalf", 128, [0xc400_4200_4000_3c00n])[0],
    0xc0800000_40400000_40000000_3f800000n,
  );
});

/** Exact: the BFloat16 number that a mode chooses of the two beside a finite single, as numbers. */
function narrowed(single: number, mode: number): number {
  const low = numberOf(bitsOf(single) & 0xffff_0000), ulp = bitsOf(low) >>> 16;
  if (low === single) return ulp;
  const up = ulp + 1,
    high = (up & 0x7f80) === 0x7f80 ? low * 2 - numberOf(ulp - 1 << 16) : numberOf(up << 16);
  const isTie = single - low === high - single, isNearHigh = Math.abs(high - single) < Math.abs(single - low);
  const awayIfNearest = isTie ? (ulp & 1) === 1 : isNearHigh;
  return [awayIfNearest, single > 0, single < 0, false][mode] ? up : ulp;
}

Deno.test("bfloatNarrow rounds to the right neighbour in every mode, 4,000 random singles, seed 77", () => {
  const random = randomNumbers(SEED);
  for (let count = 0; count < 4000; count++) {
    const kind = random() % 4, low = [0, 0x8000, 0x7fff, random() & 0xffff][kind] as number;
    const bits = ((random() & 0xffff) << 16 | low) >>> 0, single = numberOf(bits), mode = random() & 3;
    if (!Number.isFinite(single)) continue;
    const isInexact = (bits & 0xffff) !== 0, isTiny = (bits & 0x7f80_0000) === 0;
    const result = narrowed(single, mode), isOverflow = (result & 0x7fff) === 0x7f80;
    const flags = (isInexact ? FPSR.IXC : 0) | (isInexact && isTiny ? FPSR.UFC : 0) |
      (isOverflow ? FPSR.OFC : 0);
    const what = `${bits.toString(16)}, mode ${mode}`;
    assertEquals(evaluate("bfloatNarrow", 16, [bits], mode << 22), [BigInt(result), flags], what);
  }
});

Deno.test("bfloatNarrow treats NaNs, infinities and flushed denormals as FPConvertBF does", () => {
  // deno-fmt-ignore
  const cases: readonly (readonly [number, number, number, number])[] = [
    [0x7f80_0001, 0, 0x7fc0, FPSR.IOC], [0xff92_3456, 0, 0xffd2, FPSR.IOC], [0xffd2_3456, 0, 0xffd2, 0],
    [0xff92_3456, FPCR.DN, 0x7fc0, FPSR.IOC], [0xffd2_3456, FPCR.DN, 0x7fc0, 0], [0xff80_0000, 0, 0xff80, 0],
    [0x8000_0001, FPCR.FZ, 0x8000, FPSR.IDC], [0x007f_ffff, FPCR.FZ, 0, FPSR.IDC], [0x0040_0000, 0, 0x0040, 0],
  ];
  for (const [single, fpcr, result, flags] of cases) {
    assertEquals(evaluate("bfloatNarrow", 16, [single], fpcr), [BigInt(result), flags], single.toString(16));
  }
});

/** addend + a₀ × b₀ + a₁ × b₁, numbers in and out; a and b must be BFloat16 numbers. */
function dot(addend: number, a: readonly [number, number], b: readonly [number, number]): number {
  const pair = ([low, high]: readonly [number, number]) =>
    (bitsOf(high) & 0xffff_0000 | bitsOf(low) >>> 16) >>> 0;
  const [result, flags] = evaluate("bfloatDotAdd", 32, [bitsOf(addend), pair(a), pair(b)], FPCR.FZ | 3 << 22);
  assertEquals(flags, 0);
  return numberOf(Number(result));
}

Deno.test("bfloatDotAdd is exact where singles are, 2,000 random integers, seed 77", () => {
  const random = randomNumbers(SEED), small = () => random() % 256 - 128;
  for (let count = 0; count < 2000; count++) {
    const a = [small(), small()] as const, b = [small(), small()] as const, addend = random() % 65536 - 32768;
    assertEquals(dot(addend, a, b), addend + a[0] * b[0] + a[1] * b[1] + 0, `${addend} ${a} ${b}`);
  }
});

Deno.test("bfloatDotAdd rounds each sum to odd, flushes, and has default NaNs", () => {
  const tiny = 2 ** -126, ulp = 2 ** -23, large = 2 ** 127;
  // deno-fmt-ignore
  const cases: readonly (readonly [number, readonly [number, number], readonly [number, number], number])[] = [
    [1,         [2 ** -60, 0],    [1, 0],      1 + ulp],      // Anything lost makes the last bit 1,
    [-1,        [2 ** -60, 0],    [1, 0],      -1 + ulp / 2], // in the direction of zero as well.
    [1 + ulp,   [2 ** -60, 0],    [1, 0],      1 + ulp],
    [0,         [1, 2 ** -60],    [1, 1],      1 + ulp],      // The sum of the products is rounded too.
    [tiny / 2,  [0, 0],           [0, 0],      0],            // Denormals count as zero, given
    [0,         [tiny, 0],        [0.5, 0],    0],            // or made,
    [tiny * 1.5, [-tiny, 0],      [1, 0],      0],            // by a sum as well.
    [0,         [large, 0],       [2, 0],      Infinity],
    [large * 1.5, [large, 0],     [1, 0],      Infinity],
    [0,         [Infinity, 1],    [-1, 1],     -Infinity],
    [0,         [Infinity, 0],    [0, 0],      NaN],
    [0,         [Infinity, Infinity], [1, -1], NaN],
    [Infinity,  [-Infinity, 0],   [1, 0],      NaN],
    [-0,        [-0, -0],         [1, 1],      -0],
    [0,         [-0, -0],         [1, 1],      0],
    [-1,        [1, 0],           [1, 1],      0],
  ];
  for (const [addend, a, b, expected] of cases) {
    assertEquals(dot(addend, a, b), expected, `${addend} + ${a[0]} × ${b[0]} + ${a[1]} × ${b[1]}`);
  }
  assertEquals(evaluate("bfloatDotAdd", 32, [0xff80_0001, 0, 0]), [0x7fc0_0000n, 0]);
});

Deno.test("unsigned estimates have eight bits right and are all ones out of range", () => {
  const value = (bits: number) => bits / 2 ** 32;
  for (let bits = 0; bits < 2 ** 32; bits += 0x3f_f7f1) {
    const reciprocal = Number(evaluate("unsignedReciprocalEstimate", 32, [bits])[0]);
    if (bits < 2 ** 31) assertEquals(reciprocal, 2 ** 32 - 1);
    else assertEquals(Math.abs(value(reciprocal) * 2 * value(bits) - 1) < 2 ** -8, true, bits.toString(16));
    const root = Number(evaluate("unsignedSqrtEstimate", 32, [bits])[0]);
    if (bits < 2 ** 30) assertEquals(root, 2 ** 32 - 1);
    else assertEquals(Math.abs((value(root) * 2) ** 2 * value(bits) - 1) < 2 ** -7, true, bits.toString(16));
  }
  assertEquals(
    evaluate("unsignedReciprocalEstimate", 64, [0xffff_ffff_8000_0000n])[0],
    0x8000_0000_ff80_0000n,
  );
  assertEquals(evaluate("unsignedSqrtEstimate", 64, [0xffff_ffff_4000_0000n])[0], 0x8000_0000_ff80_0000n);
});
