/** Tests of all instruction rows by construction: decoding, lowering, assembly, unpredictable cases. */
import { assert, assertEquals } from "@std/assert";
import { assembleLine, disassemble, instructionOf } from "../../../machine/a64/assembly.ts";
import { ALIASES, decode, lower, ROWS } from "../../../machine/a64/rows.ts";
import { UNPREDICTABLE } from "../../../machine/a64/unpredictable.ts";
import { brokenRule, printIr } from "../../../machine/ir/passes.ts";
import { randomNumbers, randomWord } from "./random_words.ts";

const SEED = 20260101, CASES = 40;

/** Random words of every row. */
function* randomCases(cases = CASES, filter: (row: typeof ROWS[number]) => boolean = () => true) {
  const random = randomNumbers(SEED);
  for (const row of ROWS.filter(filter)) {
    for (let count = 0; count < cases; count++) {
      const word = randomWord(row, random);
      assert(word !== undefined, `no word of row ${row.name} found, seed ${SEED}`);
      yield { row, word, message: `${row.name} 0x${word.toString(16)}, seed ${SEED}` };
    }
  }
}

Deno.test("ROWS have distinct names, and so have ALIASES", () => {
  const names = [...ROWS, ...ALIASES].map(({ name }) => name);
  assertEquals(names.filter((name, index) => names.indexOf(name) !== index), []);
});

/** In the encoding groups of SIMD&FP: data processing x111, or loads and stores x1x0 with bit 26. */
function isSimd({ pattern }: typeof ROWS[number]): boolean {
  const group = pattern.value >>> 25 & 15;
  return (group & 7) === 7 || ((group & 5) === 4 && (pattern.value & 1 << 26) !== 0);
}

Deno.test("ROWS all have assembly text, and none outside SIMD&FP is missing", () => {
  assertEquals(ROWS.filter(({ assembly }) => assembly === undefined).map(({ name }) => name), []);
  const missing = ROWS.filter(({ lowering }) => lowering === undefined);
  assertEquals(missing.filter((row) => !isSimd(row)).map(({ name }) => name), []);
});

Deno.test("decode finds each row's random words, and encode gives the word back", () => {
  for (const { row, word, message } of randomCases()) {
    const decoded = decode(word);
    assertEquals(decoded?.row, row, message);
    assertEquals(row.pattern.encode(decoded?.fields ?? {}), word, message);
  }
});

Deno.test("decode takes words as signed or unsigned numbers", () => {
  assertEquals(decode(0xd503201f | 0), decode(0xd503201f));
  assertEquals(decode(0xd503201f)?.row.name, "HINT");
});

Deno.test("decode finds nothing where a row's condition does not hold", () => {
  // ADD (extended) by 5, ADD (shifted) by ROR, UBFM with N ≠ sf, AND with a reserved mask, LDR with option 000.
  for (const word of [0x8b211400, 0x8bc10000, 0xd3000000, 0x9240fc00, 0xf8610800]) {
    assertEquals(decode(word), undefined, word.toString(16));
  }
});

Deno.test("lower puts all that can fault before all writes of state, for every row", () => {
  for (const { row, word, message } of randomCases()) {
    assertEquals(brokenRule(lower(row, row.pattern.decode(word))), undefined, message);
  }
});

Deno.test("lower makes missing rows UNDEFINED", () => {
  for (const { row, word, message } of randomCases(CASES, ({ lowering }) => lowering === undefined)) {
    assertEquals(printIr(lower(row, row.pattern.decode(word))), "helper undefinedInstruction", message);
  }
});

Deno.test("disassemble and assembleLine are inverse, with and without an address", () => {
  for (const { row, word, message } of randomCases(6)) {
    for (const address of [undefined, 0x4000_0000n, 0xffff_ffff_ffff_fff0n]) {
      const text = disassemble(word, address);
      const again = assembleLine(text, { address: address ?? 0n });
      if (again === word) continue;
      // A word may have bits that decoders ignore; its text then stands for one with the same meaning.
      assertEquals(disassemble(again, address), text, message);
      const [ours, theirs] = [word, again].map((each) => printIr(lower(row, row.pattern.decode(each))));
      assertEquals(theirs, ours, message);
    }
  }
});

Deno.test("ALIASES each belong to one instruction and print a word that is their own", () => {
  const random = randomNumbers(SEED);
  for (const alias of ALIASES) {
    const { when } = instructionOf(alias);
    const isWhole = (word: number) => when === undefined || when(instructionOf(alias).pattern.decode(word));
    const row = { ...instructionOf(alias), pattern: alias.pattern, when: undefined };
    const words = Array.from({ length: 200 }, () => randomWord(row, random) as number).filter(isWhole);
    assert(words.length > 0, `no word of alias ${alias.name} found, seed ${SEED}`);
    const first = (text: string) => text.split(/[ .]/)[0] as string;
    const mnemonic = first(alias.assembly.replace(/\{.*/, ""));
    const isPreferred = words.filter((word) => alias.preferred?.(alias.pattern.decode(word)) ?? true);
    const texts = isPreferred.map((word) => first(disassemble(word)));
    assert(
      isPreferred.length === 0 || texts.includes(mnemonic),
      `${alias.name} is never printed, seed ${SEED}`,
    );
  }
});

Deno.test("UNPREDICTABLE names rows and fields that exist", () => {
  const random = randomNumbers(SEED);
  for (const { rows, when, name } of UNPREDICTABLE) {
    const matching = ROWS.filter((row) => rows.test(row.name));
    assert(matching.length > 0, String(rows));
    for (const row of matching) {
      const words = Array.from({ length: 500 }, () => randomWord(row, random) as number);
      assert(words.some((word) => when(row.pattern.decode(word))), `${row.name}: ${name}, seed ${SEED}`);
    }
  }
});
