/** Emitted cryptographic operations give what evaluation gives. */
import { assert, assertEquals } from "@std/assert";
import { CRYPTO_OPERATIONS } from "../../../machine/ir/crypto_operations.ts";
import type { IrNode } from "../../../machine/ir/operations.ts";
import { randomNumbers } from "../a64/random_words.ts";
import {
  EmittedInstructions,
  formsOfRows,
  isEmitted,
  named,
  operationOnRegisters,
  State,
  STATE_SIZE,
} from "./emit_support.ts";

const SEED = 240917;

Deno.test("emit gives what evaluate gives for every cryptographic operation", () => {
  const random = randomNumbers(SEED), forms = formsOfRows(CRYPTO_OPERATIONS, 2, random);
  assertEquals(forms.map(({ node }) => node.op).toSorted(), Object.keys(CRYPTO_OPERATIONS).toSorted());
  const instructions = forms.map(operationOnRegisters);
  assert(instructions.every(isEmitted));
  const emitted = new EmittedInstructions(instructions), expected = new State(new ArrayBuffer(STATE_SIZE));
  for (const [number, form] of forms.entries()) {
    for (let trial = 0; trial < 200; trial++) {
      const values = form.widths.map((width) =>
        Array.from({ length: width / 32 }, random).reduce((value, word) => value << 32n | BigInt(word), 0n)
      );
      emitted.setRegisters(values);
      expected.v.set(emitted.state.v);
      emitted.run(number);
      const [evaluated] = expected.evaluate(instructions[number] as IrNode[]).slice(-2);
      const shown = values.map((value) => `0x${value.toString(16)}`).join(", ");
      assertEquals(emitted.result, evaluated, `seed ${SEED}: ${named(form)} (${shown})`);
    }
  }
});
