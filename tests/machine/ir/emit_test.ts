/** Emitted code gives what evaluation gives: every scalar operation at every width, and every row that can be emitted. */
import { assert, assertEquals } from "@std/assert";
import { decode, lower, ROWS } from "../../../machine/a64/rows.ts";
import { SLOT_NZCV, SLOT_PC, SLOT_ZERO } from "../../../machine/cpu/registers.ts";
import type { IrNode, Width } from "../../../machine/ir/operations.ts";
import { printIr } from "../../../machine/ir/passes.ts";
import { randomNumbers, randomWord } from "../a64/random_words.ts";
import {
  EmittedInstructions,
  type Form,
  isEmitted,
  named,
  operationOnRegisters,
  SLOT_FPCR,
  SLOT_FPSR,
  SLOT_NEXT_PC,
  State,
  STATE_SIZE,
} from "./emit_support.ts";

const SEED = 20260214;
const SCALARS: readonly Width[] = [8, 16, 32, 64];
const FULL: readonly Width[] = [32, 64];
const ALL_WIDTHS: readonly Width[] = [1, 4, 8, 16, 32, 64, 128];

/** An operation at one width. */
interface Case extends Form {
  /** The second argument is an amount below the width. */
  readonly shifts?: boolean;
}

function cases(
  ops: readonly IrNode["op"][],
  widths: readonly Width[],
  shape: (width: Width) => Partial<{ width: Width; immediates: IrNode["immediates"]; widths: Width[] }>,
  shifts = false,
): Case[] {
  return ops.flatMap((op) =>
    widths.map((width) => {
      const { widths: of, ...node } = { width, immediates: [], widths: [width, width], ...shape(width) };
      return { node: { op, ...node }, widths: of, shifts };
    })
  );
}

/** Every pair of a narrow and a wide width. */
function pairs(of: (from: Width, to: Width) => Case): Case[] {
  return ALL_WIDTHS.flatMap((from) => ALL_WIDTHS.filter((to) => to > from).map((to) => of(from, to)));
}

// deno-fmt-ignore
const CASES: readonly Case[] = [
  ...cases(["add", "sub", "mul", "mulHighSigned", "mulHighUnsigned", "divUnsigned", "divSigned"], SCALARS, () => ({})),
  ...cases(["and", "or", "xor"], ALL_WIDTHS, () => ({})),
  ...cases(["not"], ALL_WIDTHS, (width) => ({ widths: [width] })),
  ...cases(["addCarry"], SCALARS, (width) => ({ widths: [width, width, 1] })),
  ...cases(["addCarry"], FULL, (width) => ({ widths: [width, width, width] })),
  ...cases(["shiftLeft", "shiftRight", "shiftRightSigned", "rotateRight"], SCALARS, () => ({}), true),
  ...cases(["leadingZeros", "leadingSigns", "reverseBits"], SCALARS, (width) => ({ widths: [width] })),
  ...[16, 32, 64].flatMap((container) =>
    cases(["reverseBytes"], SCALARS.filter((width) => width >= container), (width) => ({ widths: [width], immediates: [container] }))),
  ...[8, 16, 32, 64].flatMap((bits) => [0xedb88320n, 0x82f63b78n].flatMap((polynomial) =>
    cases(["crc32"], [32], () => ({ immediates: [bits, polynomial], widths: [32, bits === 64 ? 64 : 32] })))),
  ...pairs((from, to) => ({ node: { op: "zeroExtend", width: to, immediates: [] }, widths: [from] })),
  ...pairs((from, to) => ({ node: { op: "signExtend", width: to === 128 ? 64 : to, immediates: [from] }, widths: [from] }))
    .filter(({ widths, node }) => widths[0] !== node.width),
  ...pairs((to, from) => ({ node: { op: "extract", width: to, immediates: [0] }, widths: [from] })),
  ...pairs((to, from) => ({ node: { op: "extract", width: to, immediates: [from - to] }, widths: [from] })),
  ...pairs((to, from) => ({ node: { op: "extract", width: to, immediates: [(from - to) >> 1] }, widths: [from] })),
  ...[3, 33, 57, 60, 64, 69, 96, 100].flatMap((lowest) => pairs((to, from) => ({ node: { op: "extract", width: to, immediates: [lowest] }, widths: [from] })))
    .filter(({ node, widths }) => node.immediates[0] as number + node.width <= (widths[0] as number)),
  ...cases(["concatenate"], [16, 32, 64, 128], (width) => ({ widths: [width / 2 as Width, width / 2 as Width] })),
  ...cases(["equal"], ALL_WIDTHS, (width) => ({ width: 1, immediates: [width], widths: [width, width] })),
  ...cases(["lessUnsigned", "lessSigned"], ALL_WIDTHS.slice(0, -1), (width) => ({ width: 1, immediates: [width], widths: [width, width] })),
  ...cases(["select"], ALL_WIDTHS, (width) => ({ widths: [1, width, width] })),
  ...cases(["flagsOfAdd", "flagsOfSub"], FULL, (width) => ({ width: 4, immediates: [width], widths: [width, width] })),
  ...cases(["flagsOfAdd"], FULL, (width) => ({ width: 4, immediates: [width], widths: [width, width, 1] })),
  ...cases(["flagsOfLogic"], FULL, (width) => ({ width: 4, immediates: [width], widths: [width] })),
  ...Array.from({ length: 16 }, (_, code): Case => ({ node: { op: "condition", width: 1, immediates: [code] }, widths: [4] })),
];

/** A random value of a width; one in two is a corner or near one. */
function randomValue(width: number, random: () => number): bigint {
  const wide = [0, 1, 2, 3].reduce((value) => value << 32n | BigInt(random()), 0n);
  const choice = random() % 16;
  const bit = 1n << BigInt(random() % width), top = 1n << BigInt(width - 1);
  const corner = [0n, 1n, -1n, top, top - 1n, bit, bit - 1n, -bit][choice];
  return BigInt.asUintN(width, corner ?? wide);
}

Deno.test("emit gives what evaluate gives, for every scalar operation and width", () => {
  const random = randomNumbers(SEED);
  const instructions = CASES.map(operationOnRegisters);
  assertEquals(instructions.flatMap((nodes, at) => isEmitted(nodes) ? [] : [named(CASES[at] as Case)]), []);
  const emitted = new EmittedInstructions(instructions), { state } = emitted;
  const expected = new State(new ArrayBuffer(STATE_SIZE));
  for (const [number, testCase] of CASES.entries()) {
    const { node, widths, shifts } = testCase;
    for (let trial = 0; trial < 1500; trial++) {
      const values = widths.map((width) => randomValue(width, random));
      if (widths[1] === widths[0] && random() % 8 === 0) values[1] = values[0] as bigint;
      if (shifts) values[1] = values[1] as bigint % BigInt(node.width);
      emitted.setRegisters(values);
      emitted.run(number);
      const { result } = emitted;
      expected.v.set(state.v);
      const [evaluated] = expected.evaluate(instructions[number] as IrNode[]).slice(-2);
      if (result !== evaluated) {
        const shown = values.map((value) => `0x${value.toString(16)}`).join(", ");
        throw new Error(
          `${named(testCase)} (${shown}): ${result.toString(16)}, not ${evaluated?.toString(16)}`,
        );
      }
    }
  }
});

/** Fills registers, flags and memory. */
function randomize(state: State, random: () => number): void {
  const words = new Uint32Array(state.bytes.buffer, 0, STATE_SIZE / 4);
  for (let at = 0; at < words.length; at++) words[at] = random();
  for (let slot = 0; slot < 31; slot++) state.slots[slot] = randomValue(64, random);
  for (let half = 0; half < state.v.length; half += random() % 4) state.v[half] = randomValue(64, random);
  state.slots[SLOT_ZERO] = 0n;
  state.slots[SLOT_NZCV] = BigInt(random() % 16);
  state.slots[SLOT_PC] = BigInt(random()) * 4n;
  state.slots[SLOT_NEXT_PC] = (state.slots[SLOT_PC] as bigint) + 4n;
  state.slots[SLOT_FPCR] = 0n;
  state.slots[SLOT_FPSR] = BigInt(random() % 32); // the cumulative flags, IXC among them
}

Deno.test("emitInstruction gives what evaluation gives, for every row that can be emitted", () => {
  const random = randomNumbers(SEED);
  const instructions: { name: string; nodes: IrNode[] }[] = [];
  for (const row of ROWS) {
    for (let example = 0; example < 6; example++) {
      const word = randomWord(row, random);
      const found = word === undefined ? undefined : decode(word);
      if (word === undefined || found === undefined) continue;
      const nodes = lower(found.row, found.fields);
      const name = `${found.row.name} ${word.toString(16).padStart(8, "0")}`;
      if (isEmitted(nodes)) instructions.push({ name, nodes });
    }
  }
  const emitted = new EmittedInstructions(instructions.map(({ nodes }) => nodes));
  const before = new State(new ArrayBuffer(STATE_SIZE)), expected = new State(new ArrayBuffer(STATE_SIZE));
  for (const [number, { name, nodes }] of instructions.entries()) {
    for (let trial = 0; trial < 4; trial++) {
      randomize(before, random);
      expected.bytes.set(before.bytes);
      emitted.state.bytes.set(before.bytes);
      if (!emitted.run(number)) expected.evaluate(nodes);
      const at = difference(emitted.state.bytes, expected.bytes);
      if (at < 0) continue;
      throw new Error(`${name}, trial ${trial}: the states differ at byte ${at}\n${printIr(nodes)}`);
    }
  }
  assert(instructions.length > 1000, `only ${instructions.length} instructions are emitted`);
});

function difference(left: Uint8Array<ArrayBuffer>, right: Uint8Array<ArrayBuffer>): number {
  const [a, b] = [left, right].map((bytes) => new BigUint64Array(bytes.buffer, 0, STATE_SIZE / 8)) as [
    BigUint64Array,
    BigUint64Array,
  ];
  return a.findIndex((value, at) => value !== b[at]) * 8;
}
