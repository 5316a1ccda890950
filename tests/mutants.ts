/** Plants one fault in each of many random lowerings and counts how many the recorded outcomes of QEMU find. */
import { parseArgs } from "@std/cli";
import { disassemble } from "../machine/a64/assembly.ts";
import { type Instruction, lower } from "../machine/a64/rows.ts";
import { printIr } from "../machine/ir/passes.ts";
import type { IrNode } from "../machine/ir/operations.ts";
import { randomNumbers } from "./machine/a64/random_words.ts";
import { AT_WORDS } from "./oracle/record.ts";
import { CASES_PER_SEED, type Lowering, lowerWord, makeBatch, runBatch } from "./oracle/cases.ts";
import { digest, readFixtures, type SeedDigest } from "./oracle/instruction_fixtures.ts";
import { comparedRows } from "./oracle/instruction_oracle.ts";
import { effective } from "./oracle/equivalence.ts";
import { type Mutation, mutationsOf, shapeOf } from "./oracle/mutation.ts";

/** The least share of mutants that the fixtures must find. */
const REQUIRED = 0.99;

interface Mutant {
  readonly row: Instruction;
  readonly word: number;
  readonly nodes: readonly IrNode[];
  readonly mutation: Mutation;
}

/** A random fault in the lowering of a random case; equal IR after dropping what has no effect is no fault. */
function makeMutant(rows: readonly Instruction[], random: () => number): Mutant {
  for (;;) {
    const row = rows[random() % rows.length] as Instruction;
    const { records } = makeBatch(row, 0);
    const word = Number(BigInt.asUintN(32, records.record(random() % CASES_PER_SEED)[AT_WORDS] as bigint));
    const nodes = lower(row, row.pattern.decode(word));
    const mutations = mutationsOf(nodes);
    const mutation = mutations[random() % mutations.length];
    if (mutation === undefined) continue;
    if (printIr(effective(mutation.apply(nodes))) !== printIr(effective(nodes))) {
      return { row, word, nodes, mutation };
    }
  }
}

/** True when some recorded seed has another outcome under the fault. */
function isKilled({ row, nodes, mutation }: Mutant, seeds: readonly SeedDigest[]): boolean {
  const shape = shapeOf(nodes);
  const lowering: Lowering = (word, model) => {
    const nodes = lowerWord(word, model);
    return shapeOf(nodes) === shape ? mutation.apply(nodes) : nodes;
  };
  return seeds.some(({ digest: recorded }, number) => {
    const batch = makeBatch(row, number);
    try {
      return digest(runBatch(batch, lowering)) !== recorded;
    } catch (error) {
      if (error instanceof RangeError) return true; // shifted out of all bounds
      throw error;
    }
  });
}

function describe({ row, word, nodes, mutation }: Mutant): string {
  const before = printIr(nodes).replace(/^/gm, "    "),
    after = printIr(mutation.apply(nodes)).replace(/^/gm, "    ");
  const title = `${row.name} (${disassemble(word)}): ${mutation.kind} at %${mutation.index}`;
  return `survived: ${title}\n  before\n${before}\n  after\n${after}`;
}

/** How many of `count` random faults the fixtures find, and the others in words. */
export interface Outcome {
  /** Faults found. */
  readonly killed: number;
  /** Those that are not, with IR before and after. */
  readonly survivors: readonly string[];
  /** Faults by kind. */
  readonly kinds: ReadonlyMap<string, number>;
}

/** Plants faults one by one; `seed` decides which. */
export function plantFaults(count: number, seed: number): Outcome {
  const random = randomNumbers(seed), fixtures = readFixtures();
  const rows = comparedRows().filter(({ name }) => fixtures.has(name));
  const mutants = Array.from({ length: count }, () => makeMutant(rows, random));
  const survivors = mutants.filter((mutant) => !isKilled(mutant, fixtures.get(mutant.row.name) ?? []));
  const kinds = new Map<string, number>();
  for (const { mutation: { kind } } of mutants) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  return { killed: count - survivors.length, survivors: survivors.map(describe), kinds };
}

function main(): void {
  const options = parseArgs(Deno.args, { string: ["seed", "count"], default: { seed: "1", count: "200" } });
  const count = Number(options.count),
    { killed, survivors, kinds } = plantFaults(count, Number(options.seed));
  for (const survivor of survivors) console.log(survivor);
  for (const [kind, number] of [...kinds].sort()) console.log(`${kind}: ${number}`);
  console.log(
    `mutants, seed ${options.seed}: ${killed} of ${count} killed (${(100 * killed / count).toFixed(1)} %)`,
  );
  if (killed < REQUIRED * count) Deno.exit(1);
}

if (import.meta.main) main();
