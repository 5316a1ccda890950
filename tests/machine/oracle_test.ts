/** Instructions do what QEMU's did when the fixtures were recorded; no outsider is needed. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ENGINES } from "../../machine/machine.ts";
import { plantFaults } from "../mutants.ts";
import { type Batch, CASES_PER_SEED, makeBatch, runBatch } from "../oracle/cases.ts";
import { digest, formatFixtures, parseFixtures, readFixtures } from "../oracle/instruction_fixtures.ts";
import { MachineCpu } from "../oracle/machine_cpu.ts";
import { comparedRows, SEEDS_PER_ROW } from "../oracle/instruction_oracle.ts";
import type { Records } from "../oracle/record.ts";

const fixtures = readFixtures();

/** Batches of each row that are run here; `deno task mutants` and the oracle use all that are recorded. */
const SEEDS = 4;

/** Rows and seeds, of each row the first `seeds`, of which `run` gives other outcomes than the recorded. */
function differing(seeds: number, run: (batch: Batch) => Records): string[] {
  return comparedRows().flatMap((row) => {
    const recorded = (fixtures.get(row.name) ?? []).slice(0, seeds);
    const others = recorded.filter(({ digest: expected }, number) =>
      digest(run(makeBatch(row, number))) !== expected
    );
    return others.map(({ seed }) => `${row.name}, seed ${seed}`);
  });
}

function assertNone(others: readonly string[]): void {
  const help = "these outcomes are not QEMU's; `deno task oracle --only instructions` tells where";
  assert(others.length === 0, `${help}:\n${others.join("\n")}`);
}

Deno.test(`every row with a meaning leaves behind what qemu-aarch64 recorded, ${SEEDS * CASES_PER_SEED} cases each`, () => {
  assertNone(differing(SEEDS, (batch) => runBatch(batch)));
});

for (const engine of Object.keys(ENGINES)) {
  Deno.test(`the machine at EL0 on engine ${engine}, behind translation tables, leaves behind the same, 50 cases each`, () => {
    const cpus = new Map(
      (["cortex-a57", "max"] as const).map((model) => [model as string, new MachineCpu(model, engine)]),
    );
    assertNone(differing(1, ({ model, records }) => (cpus.get(model) as MachineCpu).run(records)));
  });
}

Deno.test("the recorded outcomes find 99 % of 200 faults planted in lowerings, seed 1", () => {
  const { killed, survivors } = plantFaults(200, 1);
  assert(killed >= 0.99 * (killed + survivors.length), survivors.join("\n"));
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
