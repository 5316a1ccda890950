/** Words found again, at once or after others, are what taking them apart gives. */
import { assertEquals } from "@std/assert";
import { ROWS } from "../../../machine/a64/rows.ts";
import type { Operands } from "../../../machine/engine/shape.ts";
import { takeApart, WordKnowledge, WordShapes } from "../../../machine/engine/word_shapes.ts";
import { Random } from "../../oracle/devices/random.ts";

const SEED = 20261121, WORDS = 4000;
const ADDRESSES = [0x4000_0ffcn, 0x4000_0800n, 0xffff_8000_0800_0804n];

function text(key: string, operands: Operands | undefined): string {
  return `${key} ${JSON.stringify(operands, (_, value) => typeof value === "bigint" ? `${value}n` : value)}`;
}

Deno.test(`WordShapes finds of words what taking them apart gives, the second time too, seed ${SEED}`, () => {
  const random = new Random(SEED),
    model = "cortex-a57",
    shapes = new WordShapes(new WordKnowledge(model, () => true));
  const words = Array.from({ length: WORDS }, () => {
    const { pattern } = ROWS[random.below(ROWS.length)]!;
    return pattern.encode(pattern.decode(random.next()));
  });
  for (let round = 0; round < 2; round++) {
    for (const word of words) {
      for (const pc of ADDRESSES) {
        const { shaped } = takeApart(model, word, pc, false);
        const { number, operands } = shapes.find(word, pc, false);
        const wanted = shaped === undefined ? "evaluated" : text(shaped.shape.key, shaped.operands);
        const found = number < 0 ? "evaluated" : text(shapes.shapes[number]!.key, operands);
        assertEquals(found, wanted, `${word.toString(16)} at ${pc.toString(16)}`);
      }
    }
  }
});
