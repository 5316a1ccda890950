/** Tests of the operations on integer lanes: each against its definition on single numbers, saturation, movement. */
import { assertEquals } from "@std/assert";
import { LANE_OPERATIONS, type LaneOperation } from "../../../machine/ir/lane_operations.ts";
import type { ExecutionContext, IrNode, Width } from "../../../machine/ir/operation.ts";
import { randomNumbers } from "../a64/random_words.ts";

const SEED = 612, QC = 1 << 27;

interface Call {
  readonly op: LaneOperation;
  readonly width: Width;
  readonly lane: number;
  readonly more?: readonly number[];
}

/** The result of an operation, and the bits it sets in FPSR. */
function evaluate({ op, width, lane, more = [] }: Call, a: bigint, b = 0n, c = 0n): [bigint, number] {
  let fpsr = 0;
  const context = { accumulateFpsr: (bits: number) => void (fpsr |= bits) } as ExecutionContext;
  const node: IrNode = { op, width, args: [], immediates: [lane, ...more] };
  const value = LANE_OPERATIONS[op].evaluate(node, a, b, c, context);
  return [value, fpsr];
}

const unsigned = BigInt.asUintN, signed = BigInt.asIntN;

/** Lane number `at` of a value. */
function laneOf(value: bigint, lane: number, at: number): bigint {
  return unsigned(lane, value >> BigInt(lane * at));
}

type Definition = (a: bigint, b: bigint, lane: number) => bigint;
const ofSigned = (of: Definition): Definition => (a, b, lane) => of(signed(lane, a), signed(lane, b), lane);

/** What an operation does with one lane, in other words than the table's. */
// deno-fmt-ignore
const DEFINITIONS: readonly (readonly [LaneOperation, Definition])[] = [
  ["laneAdd", (a, b) => a + b], ["laneSub", (a, b) => a - b], ["laneMul", (a, b) => a * b],
  ["laneAbs", ofSigned((a) => a * (a < 0n ? -1n : 1n))],
  ["laneMaxSigned", ofSigned((a, b) => [a, b].sort((x, y) => Number(y - x))[0] as bigint)],
  ["laneMinUnsigned", (a, b) => [a, b].sort((x, y) => Number(x - y))[0] as bigint],
  ["laneEqual", (a, b) => (a ^ b) === 0n ? ~0n : 0n],
  ["laneGreaterSigned", ofSigned((a, b) => b - a < 0n ? ~0n : 0n)],
  ["laneGreaterUnsigned", (a, b) => b - a < 0n ? ~0n : 0n],
  ["laneLeadingZeros", (a, _b, lane) => BigInt(lane - (a === 0n ? 0 : a.toString(2).length))],
  ["lanePopulation", (a) => BigInt(a.toString(2).replaceAll("0", "").length)],
  ["laneReverseBits", (a, _b, lane) => BigInt(`0b${[...a.toString(2).padStart(lane, "0")].reverse().join("")}`)],
];

/** Random bits with lanes of ones, zeros and the least signed number among them. */
function randomVector(random: () => number, lane: number): bigint {
  let value = 0n;
  for (let bits = 0; bits < 128; bits += lane) {
    const wide = BigInt(random()) << 32n | BigInt(random());
    const corner = [0n, ~0n, 1n << BigInt(lane - 1), (1n << BigInt(lane - 1)) - 1n][random() % 8];
    value = value << BigInt(lane) | unsigned(lane, corner ?? wide);
  }
  return value;
}

Deno.test("evaluate applies the operation to every lane and to no bit beyond the width", () => {
  const random = randomNumbers(SEED);
  for (const [op, of] of DEFINITIONS) {
    for (const [width, lane] of [[128, 8], [128, 16], [64, 32], [128, 64], [64, 64], [8, 8]] as const) {
      const a = unsigned(width, randomVector(random, lane)), b = unsigned(width, randomVector(random, lane));
      const [value] = evaluate({ op, width, lane }, a, b);
      assertEquals(value >> BigInt(width), 0n, `${op} ${width}/${lane}, seed ${SEED}`);
      for (let at = 0; at < width / lane; at++) {
        const expected = unsigned(lane, of(laneOf(a, lane, at), laneOf(b, lane, at), lane));
        assertEquals(laneOf(value, lane, at), expected, `${op} ${width}/${lane} lane ${at}, seed ${SEED}`);
      }
    }
  }
});

Deno.test("saturating operations set QC when a lane saturates, and not otherwise", () => {
  const cases: readonly [Call, bigint, bigint, bigint, number][] = [
    [{ op: "laneAddSaturatingSigned", width: 64, lane: 8 }, 0x7f80n, 0x0180n, 0x7f80n, QC],
    [{ op: "laneAddSaturatingSigned", width: 64, lane: 8 }, 0x7e81n, 0x01ffn, 0x7f80n, 0],
    [{ op: "laneSubSaturatingUnsigned", width: 64, lane: 16 }, 1n, 2n, 0n, QC],
    [{ op: "laneAddMixedSaturatingUnsigned", width: 64, lane: 8 }, 5n, 0xffn, 4n, 0],
    [{ op: "laneAddMixedSaturatingUnsigned", width: 64, lane: 8 }, 5n, 0xfan, 0n, QC],
    [{ op: "laneAddMixedSaturatingSigned", width: 64, lane: 8 }, 0xffn, 0x81n, 0x7fn, QC],
    [{ op: "laneDoublingMulHigh", width: 16, lane: 16, more: [0] }, 0x8000n, 0x8000n, 0x7fffn, QC],
    [{ op: "laneShiftBySaturatingSigned", width: 8, lane: 8, more: [0] }, 0x40n, 1n, 0x7fn, QC],
    [{ op: "laneShiftBySaturatingUnsigned", width: 8, lane: 8, more: [1] }, 0xffn, 0xf8n, 1n, 0],
    [{ op: "laneNarrowSaturatingSigned", width: 64, lane: 16 }, 0xff7f_0080n, 0n, 0x807fn, QC],
    [{ op: "laneNarrowSaturatingUnsigned", width: 64, lane: 16 }, 0x00ff_00fen, 0n, 0xfffen, 0],
  ];
  for (const [call, a, b, value, fpsr] of cases) {
    assertEquals(evaluate(call, a, b), [value, fpsr], `${call.op} ${a.toString(16)}`);
  }
});

Deno.test("shifts by lanes round half up to the right, and reach beyond the lane", () => {
  const shift = (op: LaneOperation, rounds: number, a: bigint, b: bigint) =>
    evaluate({ op, width: 8, lane: 8, more: [rounds] }, a, b)[0];
  assertEquals([0, 1].map((rounds) => shift("laneShiftBySigned", rounds, 0xfdn, 0xffn)), [0xfen, 0xffn]);
  assertEquals([0, 1].map((rounds) => shift("laneShiftByUnsigned", rounds, 0x80n, 0xf8n)), [0n, 1n]);
  assertEquals([0, 1].map((rounds) => shift("laneShiftBySigned", rounds, 0x80n, 0x80n)), [0xffn, 0n]);
  assertEquals(shift("laneShiftByUnsigned", 0, 0xffn, 0x7fn), 0n);
});

Deno.test("movement takes lanes of the second vector after those of the first", () => {
  const a = 0x07060504_03020100n, b = 0x17161514_13121110n;
  const shuffle = (width: Width, lane: number, ...more: number[]) =>
    evaluate({ op: "laneShuffle", width, lane, more }, a, b)[0];
  assertEquals(shuffle(64, 16, 3, 4, 0, 7), 0x1716_0100_1110_0706n);
  assertEquals(shuffle(64, 8, 15, 0, 1, 2, 3, 4, 5, 6), 0x0605_0403_0201_0017n);
  const table = 0x1f1e1d1c1b1a19181716151413121110n;
  assertEquals(
    evaluate({ op: "laneLookUp", width: 64, lane: 8 }, table, 0xff10_0f00_0102_0304n)[0],
    0x1f10_1112_1314n,
  );
  assertEquals(
    evaluate({ op: "laneBroadcast", width: 128, lane: 32 }, 0x89abcdefn)[0],
    0x89abcdef89abcdef89abcdef89abcdefn,
  );
  assertEquals(
    evaluate({ op: "laneInsert", width: 128, lane: 16, more: [2] }, a, 0xffffn)[0],
    0x0706ffff_03020100n,
  );
  assertEquals(
    evaluate({ op: "laneWidenSigned", width: 128, lane: 32 }, 0x80000000_00000001n)[0],
    0xffffffff80000000_0000000000000001n,
  );
  assertEquals(
    evaluate({ op: "laneNarrow", width: 64, lane: 64 }, 0x2_00000003_00000004_00000005n)[0],
    0x00000003_00000005n,
  );
});

Deno.test("products of polynomials do not carry", () => {
  assertEquals(evaluate({ op: "lanePolynomialMul", width: 64, lane: 8 }, 0x0303n, 0x8303n)[0], 0x8505n);
  assertEquals(
    evaluate({ op: "lanePolynomialMulLong", width: 128, lane: 64 }, ~0n & 0xffff_ffff_ffff_ffffn, 3n)[0],
    0x1_0000_0000_0000_0001n,
  );
});
