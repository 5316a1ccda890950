/** Operands that follow from the address are those that taking the word apart there finds. */
import { assert, assertEquals } from "@std/assert";
import { decode, lowerOn } from "../../../machine/a64/rows.ts";
import {
  operandsAt,
  relativeOperands,
  type Shaped,
  staysInPage,
} from "../../../machine/engine/relative_word.ts";
import { shapeOf } from "../../../machine/engine/shape.ts";
import { Random } from "../../oracle/devices/random.ts";

/** Branches, addresses and literals, with the bits that say how far. */
// deno-fmt-ignore
const FORMS: readonly (readonly [name: string, word: number, immediate: number])[] = [
  ["b",     0x1400_0000, 0x03ff_ffff], ["bl",   0x9400_0000, 0x03ff_ffff], ["b.eq", 0x5400_0000, 0x00ff_ffe0],
  ["cbz",   0xb400_0003, 0x00ff_ffe0], ["cbnz w", 0x3500_0003, 0x00ff_ffe0], ["tbz", 0x3608_0003, 0x0007_ffe0],
  ["adr",   0x1000_0001, 0x60ff_ffe0], ["adrp", 0x9000_0001, 0x60ff_ffe0], ["ldr x", 0x5800_0001, 0x00ff_ffe0],
  ["ldrsw", 0x9800_0001, 0x00ff_ffe0], ["ldr q", 0x9c00_0001, 0x00ff_ffe0], ["blr", 0xd63f_0020, 0],
];

const SEED = 20261121;

for (const [name, base, immediate] of FORMS) {
  Deno.test(`relativeOperands finds how ${name} depends on its address, seed ${SEED}`, () => {
    const random = new Random(SEED);
    let related = 0;
    for (let round = 0; round < 200; round++) {
      const near = random.below(2) === 0;
      const word = (base | (random.next() & immediate & (near ? 0x0000_1fe0 | 0x7f : -1))) >>> 0;
      const found = decode(word);
      const nodes = found && lowerOn("cortex-a57", found);
      if (nodes === undefined) continue;
      const at = (pc: bigint): Shaped | undefined => shapeOf(nodes, pc);
      const address = () => (BigInt(random.next()) << 32n | BigInt(random.next())) & ~3n;
      const here = address(), shaped = at(here) as Shaped;
      const operands = relativeOperands(here, shaped, at);
      if (operands === undefined) continue;
      related++;
      for (let other = 0; other < 10; other++) {
        const pc = other === 0 ? here : address();
        if (staysInPage(pc, operands.target) !== staysInPage(here, operands.target)) continue;
        const expected = at(pc) as Shaped;
        assertEquals(expected.shape.key, shaped.shape.key, `${word.toString(16)} at ${pc.toString(16)}`);
        assertEquals(
          operandsAt(pc, operands),
          expected.operands,
          `${word.toString(16)} at ${pc.toString(16)}`,
        );
      }
    }
    assert(related > 50, `${related} of 200 words were found to be relative`);
  });
}
