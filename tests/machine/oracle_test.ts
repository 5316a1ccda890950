/** Instructions do what QEMU's did when the fixtures were recorded; no outsider is needed. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ENGINES } from "../../machine/machine.ts";
import { EagerEngine } from "./engine/eager.ts";
import { plantFaults } from "../mutants.ts";
import { type Batch, CASES_PER_SEED, makeBatch, runBatch } from "../oracle/cases.ts";
import { digest, formatFixtures, parseFixtures, readFixtures } from "../oracle/instruction_fixtures.ts";
import { MachineCpu } from "../oracle/machine_cpu.ts";
import { comparedRows, SEEDS_PER_ROW } from "../oracle/instruction_oracle.ts";
import type { Records } from "../oracle/record.ts";
import { GOES_THROUGH_ALL } from "../extent.ts";

const fixtures = readFixtures();

/** Batches of each row that are run here; `deno task mutants` and the oracle use all that are recorded. */
const SEEDS = 1;

/** Rows and seeds, of each row the first `seeds`, of which `run` gives other outcomes than the recorded. */
function differing(seeds: number, run: (batch: Batch) => Records, rows = comparedRows()): string[] {
  return rows.flatMap((row) => {
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

// Of each engine, or the rows are dealt to them.
for (const [index, engine] of Object.keys(ENGINES).entries()) {
  Deno.test(`the machine at EL0 on engine ${engine}, behind translation tables, leaves behind the same, 50 cases each`, () => {
    const cpus = new Map(
      (["cortex-a57", "max"] as const).map((model) => [model as string, new MachineCpu(model, engine)]),
    );
    const rows = comparedRows().filter((_, at) =>
      GOES_THROUGH_ALL || at % Object.keys(ENGINES).length === index
    );
    assertNone(differing(1, ({ model, records }) => (cpus.get(model) as MachineCpu).run(records), rows));
  });
}

/**
 * Cases of each row that are compiled, and how often each is executed: it is compiled after some ten times. How many
 * steps have to wait until the engine makes handlers, the first time and the second: what has none is not compiled.
 */
const COMPILED_CASES = 2, ROUNDS = 14, FIRST_PATIENCE = 1000, PATIENCE = 90_000;
/** Of how many rows one is compiled here. */
const ONE_OF = GOES_THROUGH_ALL ? 1 : 3;
/** Rows of which at least one case must be compiled; others are for the reference engine. */
const MOST_ROWS = GOES_THROUGH_ALL ? { "cortex-a57": 800, max: 70 } : { "cortex-a57": 260, max: 22 };

for (const model of ["cortex-a57", "max"] as const) {
  Deno.test(`compiled code at EL0 on ${model} leaves behind the same, ${COMPILED_CASES} cases each`, () => {
    const batches = comparedRows().map((row) => makeBatch(row, 0, COMPILED_CASES))
      .filter((batch) => batch.model === model).filter((_, at) => at % ONE_OF === 0);
    const engine = new EagerEngine(), cpu = new MachineCpu(model, engine);
    const [first] = batches as [Batch];
    cpu.runOften(first.records, FIRST_PATIENCE);
    for (let cases = 0; cases < PATIENCE; cases += batches.length * COMPILED_CASES) {
      for (const { records } of batches) cpu.run(records);
    }
    let compiled = 0;
    const others = batches.filter((batch) => {
      const before = engine.compiled?.instructions ?? 0;
      const outcomes = cpu.runOften(batch.records, ROUNDS);
      if ((engine.compiled?.instructions ?? 0) > before + COMPILED_CASES) compiled++;
      return digest(outcomes) !== digest(runBatch(batch));
    });
    assertNone(others.map(({ row }) => row.name));
    assert(compiled > MOST_ROWS[model], `${compiled} rows of ${batches.length} were compiled`);
  });
}

/** Faults planted here; `deno task mutants --all` plants every one. */
const FAULTS = 200;

Deno.test(`the recorded outcomes find 99 % of ${FAULTS} faults planted in lowerings, seed 1`, () => {
  const { killed, survivors } = plantFaults(FAULTS, 1);
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
