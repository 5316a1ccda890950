/** Emitted operations on lanes give what evaluation gives, in every form that a row uses, and bail where QC would be set. */
import { assert, assertEquals } from "@std/assert";
import { LANE_OPERATIONS } from "../../../machine/ir/lane_operations.ts";
import type { IrNode } from "../../../machine/ir/operations.ts";
import { randomNumbers } from "../a64/random_words.ts";
import {
  EmittedInstructions,
  formsOfRows,
  isEmitted,
  named,
  operationOnRegisters,
  SLOT_FPSR,
  State,
  STATE_SIZE,
} from "./emit_support.ts";

const SEED = 415263;
/** Their second argument is an amount below the lane. */
const SHIFTS = /^laneShift(Left|RightSigned|RightUnsigned)$/;
/** Not emitted: doubling products that are added. */
const EVALUATED = /^laneDoublingMulAddHigh/;

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

Deno.test("emit gives what evaluate gives for lanes, and bails exactly where QC is to be set", () => {
  const random = randomNumbers(SEED), all = formsOfRows(LANE_OPERATIONS, 24, random);
  const forms = all.filter((form) => isEmitted(operationOnRegisters(form)));
  const unemitted = new Set(all.filter((form) => !forms.includes(form)).map(({ node }) => node.op));
  assertEquals([...unemitted].filter((op) => !EVALUATED.test(op)), []);
  const instructions = forms.map(operationOnRegisters);
  const emitted = new EmittedInstructions(instructions), { state } = emitted;
  const expected = new State(new ArrayBuffer(STATE_SIZE));
  const outcomes = { done: 0, bailed: 0 };
  for (const [number, form] of forms.entries()) {
    const lane = form.node.immediates[0] as number;
    for (let trial = 0; trial < 200; trial++) {
      const values = form.widths.map((width) => randomLanes(width, random));
      if (random() % 6 === 0 && form.widths[0] === form.widths[1]) values[1] = values[0] as bigint;
      if (SHIFTS.test(form.node.op)) values[1] = values[1] as bigint % BigInt(lane);
      emitted.setRegisters(values);
      expected.v.set(state.v);
      const saturated = BigInt(random() % 2) << 27n;
      state.slots[SLOT_FPSR] = expected.slots[SLOT_FPSR] = saturated;
      const bailed = emitted.run(number);
      const [evaluated] = expected.evaluate(instructions[number] as IrNode[]).slice(-2);
      outcomes[bailed ? "bailed" : "done"]++;
      const shown = values.map((value) => `0x${value.toString(16)}`).join(", ");
      assertEquals(
        bailed,
        expected.slots[SLOT_FPSR] !== saturated,
        `seed ${SEED}: ${named(form)} (${shown}) bailed`,
      );
      if (!bailed) assertEquals(emitted.result, evaluated, `seed ${SEED}: ${named(form)} (${shown})`);
    }
  }
  assert(outcomes.bailed > 1000 && outcomes.done > 20000, `${outcomes.done} done, ${outcomes.bailed} bailed`);
});
