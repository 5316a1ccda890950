/** Tests of floating-point vectors: texts as LLVM has them, the errors of their operands, which lanes meet. */
import { assertEquals, assertThrows } from "@std/assert";
import { assembleLine, AssemblyError, disassemble } from "../../../machine/a64/assembly.ts";
import type { AnyFields } from "../../../machine/a64/pattern.ts";
import { decode, type Decoded, featureOf, lower } from "../../../machine/a64/rows.ts";
import { OPERATIONS } from "../../../machine/ir/operations.ts";
import type { ExecutionContext } from "../../../machine/ir/operation.ts";

const context = { address: 0n };

// Words by llvm-mc 14.
// deno-fmt-ignore
const PAIRS: readonly (readonly [number, string])[] = [
  [0x0e421420, "fadd v0.4h, v1.4h, v2.4h"],                 [0x5e451c83, "fmulx h3, h4, h5"],
  [0x2e22d420, "faddp v0.2s, v1.2s, v2.2s"],                [0x7e70d820, "faddp d0, v1.2d"],
  [0x5e30c820, "fmaxnmp h0, v1.2h"],                        [0x6eb0c820, "fminnmv s0, v1.4s"],
  [0x4e30fbdf, "fmaxv h31, v30.8h"],                        [0x6ee0d841, "fcmle v1.2d, v2.2d, #0.0"],
  [0x5ef8c841, "fcmgt h1, h2, #0.0"],                       [0x4f10fc41, "fcvtzs v1.8h, v2.8h, #16"],
  [0x7f40e441, "ucvtf d1, d2, #64"],                        [0x5f1fe441, "scvtf h1, h2, #1"],
  [0x4f06fc03, "fmov v3.8h, #-0.12500000"],                 [0x6e61e841, "frint32x v1.2d, v2.2d"],
  [0x0e21f841, "frint64z v1.2s, v2.2s"],                    [0x4e216841, "fcvtn2 v1.8h, v2.4s"],
  [0x0e617841, "fcvtl v1.2d, v2.2s"],                       [0x7e616841, "fcvtxn s1, d2"],
  [0x0ea1c841, "urecpe v1.2s, v2.2s"],                      [0x4f3f1841, "fmla v1.8h, v2.8h, v15.h[7]"],
  [0x5fdf9841, "fmul d1, d2, v31.d[1]"],                    [0x7fbf9841, "fmulx s1, s2, v31.s[3]"],
  [0x0e23ec41, "fmlal v1.2s, v2.2h, v3.2h"],                [0x6f9fc841, "fmlsl2 v1.4s, v2.4h, v15.h[5]"],
  [0x2e43f441, "fcadd v1.4h, v2.4h, v3.4h, #270"],          [0x6ec3d441, "fcmla v1.2d, v2.2d, v3.2d, #180"],
  [0x6f7f7841, "fcmla v1.8h, v2.8h, v31.h[3], #270"],       [0x6f9f1841, "fcmla v1.4s, v2.4s, v31.s[1], #0"],
  [0x2e43fc41, "bfdot v1.2s, v2.4h, v3.4h"],                [0x4f7ff841, "bfdot v1.4s, v2.8h, v31.2h[3]"],
  [0x6e43ec41, "bfmmla v1.4s, v2.8h, v3.8h"],               [0x2ec3fc41, "bfmlalb v1.4s, v2.8h, v3.8h"],
  [0x4ffff841, "bfmlalt v1.4s, v2.8h, v15.h[7]"],           [0x4ea16841, "bfcvtn2 v1.8h, v2.4s"],
];

Deno.test("assembleLine and disassemble have LLVM's texts of floating-point vectors", () => {
  for (const [word, text] of PAIRS) {
    assertEquals(disassemble(word), text);
    assertEquals(assembleLine(text, context), word, text);
  }
});

// deno-fmt-ignore
const ERRORS: readonly (readonly [string, number, string])[] = [
  ["fcmla v1.4s, v2.4s, v3.4s, #45",      29, "a rotation is 0, 90, 180, 270"],
  ["fcadd v1.4s, v2.4s, v3.4s, #180",     29, "a rotation is 90, 270"],
  ["bfdot v1.4s, v2.8h, v31.2h[4]",       28, "4 is out of range 0 to 3"],
  ["fmla v1.8h, v2.8h, v16.h[0]",         20, "the register of a halfword element is v0 to v15"],
  ["fcvtzs v1.8h, v2.8h, #17",            23, "17 is out of range 1 to 16"],
];

Deno.test("assembleLine names what is wrong with elements, rotations and fraction bits", () => {
  for (const [text, column, message] of ERRORS) {
    const error = assertThrows(() => assembleLine(text, context), AssemblyError, undefined, text);
    assertEquals([error.message, error.column], [message, column], text);
  }
});

const featureOfText = (text: string): string => {
  const { row, fields } = decode(assembleLine(text, context)) as Decoded;
  return featureOf(row, fields);
};

Deno.test("featureOf tells which extension a floating-point vector belongs to", () => {
  // deno-fmt-ignore
  const texts = {
    "fadd v0.4s, v1.4s, v2.4s": "Armv8.0", "fadd v0.8h, v1.8h, v2.8h": "FP16",    "fcvtn v0.4h, v1.4s": "Armv8.0",
    "fcvtl v0.4s, v1.4h": "Armv8.0",       "fmlal v0.4s, v1.4h, v2.4h": "FHM",    "fcadd v0.4s, v1.4s, v2.4s, #90": "FCMA",
    "bfcvtn v0.4h, v1.4s": "BF16",         "frint64x v0.2d, v1.2d": "FRINTTS",    "scvtf v0.8h, v1.8h, #3": "FP16",
    "fmov v0.8h, #1.0": "FP16",            "fmaxv h0, v1.8h": "FP16",             "fmla h0, h1, v2.h[0]": "FP16",
  };
  const found = Object.keys(texts).map((text) => [text, featureOfText(text)]);
  assertEquals(Object.fromEntries(found), texts);
});

/** V registers after an instruction that has no effect but on them; FPCR is 0. */
function run(text: string, v: BigUint64Array): BigUint64Array {
  const { row, fields } = decode(assembleLine(text, context)) as { row: Decoded["row"]; fields: AnyFields };
  const state = v.slice(), values: bigint[] = [];
  const cpu = { v: state, fpcr: 0, accumulateFpsr: () => {}, helper: () => 0n };
  for (const node of lower(row, fields)) {
    const [a = 0n, b = 0n, c = 0n] = node.args.map((index) => values[index]);
    values.push(OPERATIONS[node.op].evaluate(node, a, b, c, cpu as unknown as ExecutionContext));
  }
  return state;
}

/** Numbers as lanes of 32 bits, for registers from V0 on, four each. */
function singles(...numbers: number[]): BigUint64Array {
  const lanes = new Float32Array(128);
  lanes.set(numbers);
  return new BigUint64Array(lanes.buffer);
}

/** The four lanes of V0 afterwards. */
function resultOf(text: string, v: BigUint64Array): number[] {
  return [...new Float32Array(run(text, v).buffer, 0, 4)];
}

Deno.test("lower puts lanes together as the Arm ARM's pseudocode does", () => {
  const v = singles(1000, 2000, 3000, 4000, 1, 2, 3, 4, 10, 20, 30, 40);
  // deno-fmt-ignore
  const results: readonly (readonly [string, readonly number[]])[] = [
    ["faddp v0.4s, v1.4s, v2.4s",          [3, 7, 30, 70]],
    ["faddp v0.2s, v1.2s, v2.2s",          [3, 30, 0, 0]],
    ["faddp s0, v1.2s",                    [3, 0, 0, 0]],
    ["fmaxv s0, v2.4s",                    [40, 0, 0, 0]],
    ["fminnmv s0, v2.4s",                  [10, 0, 0, 0]],
    ["fmls v0.4s, v1.4s, v2.4s",           [990, 1960, 2910, 3840]],
    ["fmla v0.4s, v1.4s, v2.s[3]",         [1040, 2080, 3120, 4160]],
    ["fcadd v0.4s, v1.4s, v2.4s, #90",     [-19, 12, -37, 34]],
    ["fcadd v0.4s, v1.4s, v2.4s, #270",    [21, -8, 43, -26]],
    ["fcmla v0.4s, v1.4s, v2.4s, #0",      [1010, 2020, 3090, 4120]],
    ["fcmla v0.4s, v1.4s, v2.4s, #90",     [960, 2020, 2840, 4120]],
    ["fcmla v0.4s, v1.4s, v2.4s, #180",    [990, 1980, 2910, 3880]],
    ["fcmla v0.4s, v1.4s, v2.4s, #270",    [1040, 1980, 3160, 3880]],
    ["fcmla v0.4s, v1.4s, v2.s[1], #90",   [920, 2060, 2840, 4120]],
  ];
  for (const [text, expected] of results) assertEquals(resultOf(text, v), expected, text);
});

Deno.test("lower of BFMMLA multiplies rows by rows", () => {
  // BFloat16 numbers are the upper halves of singles: V1 and V2 hold two rows of four each.
  const rows = (...numbers: number[]) => {
    const bits = new Uint32Array(Float32Array.from(numbers).buffer);
    return new BigUint64Array(Uint16Array.from(bits, (single) => single >>> 16).buffer);
  };
  const v = singles(1000, 2000, 3000, 4000);
  v.set(rows(1, 2, 3, 4, 5, 6, 7, 8), 2);
  v.set(rows(1, 0, 0, 0, 1, 1, 1, 1), 4);
  assertEquals(resultOf("bfmmla v0.4s, v1.8h, v2.8h", v), [1001, 2010, 3005, 4026]);
  assertEquals(resultOf("bfdot v0.4s, v1.8h, v2.8h", v), [1001, 2000, 3011, 4015]);
  assertEquals(resultOf("bfdot v0.4s, v1.8h, v2.2h[2]", v), [1003, 2007, 3011, 4015]);
  assertEquals(resultOf("bfmlalb v0.4s, v1.8h, v2.8h", v), [1001, 2000, 3005, 4007]);
  assertEquals(resultOf("bfmlalt v0.4s, v1.8h, v2.h[0]", v), [1002, 2004, 3006, 4008]);
});

Deno.test("narrowing writes the lower half and zeroes the upper, or writes the upper half alone", () => {
  const v = singles(0, 0, 0, 0, 1, 2, -3, 4);
  v[0] = 0x1111_2222_3333_4444n;
  v[1] = 0x5555_6666_7777_8888n;
  const after = (text: string) => [...run(text, v).subarray(0, 2)];
  assertEquals(after("fcvtn v0.4h, v1.4s"), [0x4400_c200_4000_3c00n, 0n]);
  assertEquals(after("fcvtn2 v0.8h, v1.4s"), [0x1111_2222_3333_4444n, 0x4400_c200_4000_3c00n]);
  assertEquals(after("bfcvtn v0.4h, v1.4s"), [0x4080_c040_4000_3f80n, 0n]);
  assertEquals(after("bfcvtn2 v0.8h, v1.4s"), [0x1111_2222_3333_4444n, 0x4080_c040_4000_3f80n]);
});
