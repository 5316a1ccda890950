/** What the forms of words give is what taking each word apart gives. */
import { assert, assertEquals } from "@std/assert";
import { type Instruction, ROWS } from "../../../machine/a64/rows.ts";
import { RecordImage } from "../../../machine/engine/record_image.ts";
import type { Operands } from "../../../machine/engine/shape.ts";
import { WordForms } from "../../../machine/engine/word_forms.ts";
import { takeApart } from "../../../machine/engine/word_shapes.ts";
import { Random } from "../../oracle/devices/random.ts";

const SEED = 20261121;
/** Settings of a row's other fields, and words with each, that differ in registers and immediates. */
const SETTINGS = 3, WORDS = 12;

const FREE = /^(R[dnmas]|Rt2?|imm\w+)$/;

class Generator {
  readonly random = new Random(SEED);

  pick<T>(values: readonly T[]): T {
    return values[this.random.below(values.length)] as T;
  }

  /** All of a field's values, but its edges and what another field is more often. */
  field(mask: number, others: readonly number[]): number {
    const any = (this.random.next() & mask) >>> 0;
    return (this.pick([any, any, any, 0, 1, mask, mask - 1, mask >>> 1, (mask >>> 1) + 1, ...others]) &
      mask) >>> 0;
  }

  settings({ pattern }: Instruction): Record<string, number> {
    return { ...pattern.decode(this.random.next()) };
  }

  /** A word with these settings whose registers and immediates are others. */
  word({ pattern }: Instruction, settings: Record<string, number>): number {
    const fields = { ...settings };
    for (const { name, mask } of pattern.fields) {
      if (FREE.test(name)) fields[name] = this.field(mask, Object.values(fields));
    }
    return pattern.encode(fields);
  }

  address(): bigint {
    const page = this.pick([
      0n,
      0xfff,
      0x4_0000,
      0xf_ffff,
      0x10_0000,
      0xffff_8000_0800_0n,
      0xf_ffff_ffff_ffffn,
    ]);
    const within = this.pick([0, 4, 0x7fc, 0x800, 0xffc, this.random.next() & 0xffc]);
    return BigInt(page) << 12n | BigInt(within);
  }
}

function plain({ registers, wide, narrow, target }: Operands): string {
  return `${registers} ${wide} ${narrow} ${target}`;
}

for (const model of ["cortex-a57", "max"] as const) {
  for (const guarded of model === "max" ? [false, true] : [false]) {
    const name = `${model}${guarded ? ", in guarded pages" : ""}`;
    Deno.test(`WordForms.find gives what taking words apart gives on ${name}, seed ${SEED}`, () => {
      const generator = new Generator(), image = new RecordImage();
      let apart = 0, words = 0;
      const forms = new WordForms((word, pc) => {
        apart++;
        return takeApart(model, word, pc, guarded);
      });
      for (const row of ROWS) {
        for (let setting = 0; setting < SETTINGS; setting++) {
          const settings = generator.settings(row);
          for (let count = 0; count < WORDS; count++, words++) {
            const word = generator.word(row, settings), pc = generator.address();
            const shape = forms.find(image, word, Number(pc & 0xffff_ffffn), Number(pc >> 32n));
            const { shaped } = takeApart(model, word, pc, guarded);
            const message = `${row.name} ${word.toString(16)} at ${pc.toString(16)}`;
            assertEquals(shape?.key, shaped?.shape.key, message);
            if (shaped === undefined) continue;
            assertEquals(plain(image.operandsAt(pc)), plain(shaped.operands), message);
          }
        }
      }
      assert(apart < words, `${apart} words taken apart for ${words}`);
    });
  }
}
