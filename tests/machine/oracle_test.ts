/** Instructions do what QEMU's did when the fixtures were recorded; no outsider is needed. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { makeBatch, runBatch } from "../oracle/cases.ts";
import { digest, formatFixtures, parseFixtures, readFixtures } from "../oracle/instruction_fixtures.ts";
import { comparedRows, SEEDS_PER_ROW } from "../oracle/instruction_oracle.ts";

const fixtures = readFixtures();

Deno.test("every row with a meaning leaves behind what qemu-aarch64 recorded, 500 cases each", () => {
  const differing = comparedRows().flatMap((row) =>
    (fixtures.get(row.name) ?? []).filter(({ seed, digest: recorded }) =>
      digest(runBatch(makeBatch(row, seed))) !== recorded
    ).map(({ seed }) => `${row.name}, seed ${seed}`)
  );
  assert(
    differing.length === 0,
    `These outcomes are not QEMU's; \`deno task oracle --only instructions\` tells where:\n${
      differing.join("\n")
    }`,
  );
});

Deno.test("every row with a meaning has fixtures", () => {
  const without = comparedRows().filter(({ name }) => fixtures.get(name)?.length !== SEEDS_PER_ROW);
  assertEquals(without.map(({ name }) => name), [], "Record them with `deno task oracle --update`");
});

Deno.test("fixtures have no rows that are gone", () => {
  const rows = new Set(comparedRows().map(({ name }) => name));
  assertEquals([...fixtures.keys()].filter((name) => !rows.has(name)), []);
});

Deno.test("parseFixtures reads what formatFixtures wrote and refuses anything else", () => {
  assertEquals(parseFixtures(formatFixtures(fixtures)), fixtures);
  assertThrows(() => parseFixtures("ADD_imm 12:34\n"), RangeError, 'Fixture of ADD_imm: "12:34"');
});
