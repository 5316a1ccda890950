/** Emitted operations on lanes give what evaluation gives, in every form that a row uses, and bail where QC would be set. */
import { assert, assertEquals } from "@std/assert";
import { decode, lower, ROWS } from "../../../machine/a64/rows.ts";
import { LANE_OPERATIONS } from "../../../machine/ir/lane_operations.ts";
import type { IrNode, Width } from "../../../machine/ir/operations.ts";
import { randomNumbers, randomWord } from "../a64/random_words.ts";
import {
  EmittedInstructions,
  isEmitted,
  operationOnRegisters,
  SLOT_FPSR,
  State,
  STATE_SIZE,
} from "./emit_support.ts";

const SEED = 415263;
/** Their second argument is an amount below the lane. */
const SHIFTS = /^laneShift(Left|RightSigned|RightUnsigned)$/;
/** Not emitted: amounts that differ from lane to lane, doubling products, polynomials. */
const EVALUATED = /^lane(ShiftBy|Doubling|AddMixed|Polynomial)/;

interface Form {
  readonly node: IrNode;
  readonly widths: readonly Width[];
}

/** Every form of an operation on lanes that random words of all rows use; of shuffles, a few of each size. */
function formsOfRows(random: () => number): Form[] {
  const forms = new Map<string, Form>();
  for (const row of ROWS) {
    for (let example = 0; example < 24; example++) {
      const word = randomWord(row, random), found = word === undefined ? undefined : decode(word);
      if (found === undefined) continue;
      const nodes = lower(found.row, found.fields);
      for (const node of nodes.filter(({ op }) => Object.hasOwn(LANE_OPERATIONS, op))) {
        const widths = node.args.map((argument) => (nodes[argument] as IrNode).width);
        forms.set(`${node.op} ${node.width} ${node.immediates} ${widths}`, { node, widths });
      }
    }
  }
  return [...forms.values()];
}

/** A value whose bytes, or larger parts, are corners or random. */
function randomLanes(width: number, random: () => number): bigint {
  const part = 8 << random() % 4;
  let value = 0n;
  for (let bits = 0; bits < width; bits += part) {
    const wide = BigInt(random()) << 32n | BigInt(random());
    const top = 1n << BigInt(part - 1);
    const corner = [0n, 1n, -1n, top, top - 1n, top + 1n, BigInt(random() % 8), -2n][random() % 20];
    value = value << BigInt(part) | BigInt.asUintN(part, corner ?? wide);
  }
  return BigInt.asUintN(width, value);
}

const named = ({ node, widths }: Form): string =>
  `${node.op}:${node.width} [${node.immediates}] of ${widths}`;

Deno.test("emit gives what evaluate gives for lanes, and bails exactly where evaluation sets FPSR", () => {
  const random = randomNumbers(SEED), all = formsOfRows(random);
  const forms = all.filter(({ node, widths }) => isEmitted(operationOnRegisters(node, widths)));
  const unemitted = new Set(all.filter((form) => !forms.includes(form)).map(({ node }) => node.op));
  assertEquals([...unemitted].filter((op) => !EVALUATED.test(op)), []);
  const instructions = forms.map(({ node, widths }) => operationOnRegisters(node, widths));
  const emitted = new EmittedInstructions(instructions), { state } = emitted;
  const expected = new State(new ArrayBuffer(STATE_SIZE));
  const outcomes = { done: 0, bailed: 0 };
  for (const [number, form] of forms.entries()) {
    const lane = form.node.immediates[0] as number;
    for (let trial = 0; trial < 200; trial++) {
      const values = form.widths.map((width) => randomLanes(width, random));
      if (random() % 6 === 0 && form.widths[0] === form.widths[1]) values[1] = values[0] as bigint;
      if (SHIFTS.test(form.node.op)) values[1] = values[1] as bigint % BigInt(lane);
      for (const [register, value] of values.entries()) {
        state.v[register * 2] = BigInt.asUintN(64, value);
        state.v[register * 2 + 1] = value >> 64n;
      }
      expected.v.set(state.v);
      expected.slots[SLOT_FPSR] = 0n;
      const bailed = emitted.run(number);
      const [evaluated] = expected.evaluate(instructions[number] as IrNode[]).slice(-2);
      outcomes[bailed ? "bailed" : "done"]++;
      const shown = values.map((value) => `0x${value.toString(16)}`).join(", ");
      assertEquals(
        bailed,
        expected.slots[SLOT_FPSR] !== 0n,
        `seed ${SEED}: ${named(form)} (${shown}) bailed`,
      );
      const result = (state.v[63] as bigint) << 64n | (state.v[62] as bigint);
      if (!bailed) assertEquals(result, evaluated, `seed ${SEED}: ${named(form)} (${shown})`);
    }
  }
  assert(outcomes.bailed > 1000 && outcomes.done > 20000, `${outcomes.done} done, ${outcomes.bailed} bailed`);
});
