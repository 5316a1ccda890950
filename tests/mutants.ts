/**
 * `deno task mutants [--count N] [--seed N] [--rows PATTERN] [--all] [--harmless]`: plants one fault in each of many random lowerings,
 * or every fault in every shape of every row, and counts how many the recorded outcomes of QEMU find. What neither
 * these nor other random cases find is no fault as far as can be seen, and not counted; `--harmless` lists it.
 */
import { parseArgs } from "@std/cli";
import { disassemble } from "../machine/a64/assembly.ts";
import { type Instruction, lower } from "../machine/a64/rows.ts";
import { printIr } from "../machine/ir/passes.ts";
import type { IrNode } from "../machine/ir/operations.ts";
import { randomNumbers } from "./machine/a64/random_words.ts";
import { AT_WORDS } from "./oracle/record.ts";
import { type Batch, CASES_PER_SEED, type Lowering, lowerWord, makeBatch, runBatch } from "./oracle/cases.ts";
import {
  digest,
  type InstructionFixtures,
  readFixtures,
  type SeedDigest,
} from "./oracle/instruction_fixtures.ts";
import { comparedRows } from "./oracle/instruction_oracle.ts";
import { effective } from "./oracle/equivalence.ts";
import { type Mutation, mutationsOf, shapeOf } from "./oracle/mutation.ts";

/** The least share of mutants that the fixtures must find. */
const REQUIRED = 0.99;

/** Milliseconds between two lines of progress on standard error. */
const PROGRESS = 10_000;

/** Batches of the row that was tried last. */
const made = { row: "", batches: [] as Batch[] };

function batchOf(row: Instruction, number: number): Batch {
  if (made.row !== row.name) Object.assign(made, { row: row.name, batches: [] });
  return made.batches[number] ??= makeBatch(row, number);
}

interface Mutant {
  readonly row: Instruction;
  readonly word: number;
  readonly nodes: readonly IrNode[];
  readonly mutation: Mutation;
}

/** A fault in a word's lowering, unless it leaves the same IR but for what has no effect. */
function mutantOf(
  row: Instruction,
  word: number,
  nodes: readonly IrNode[],
  mutation: Mutation,
): Mutant | undefined {
  const isSame = printIr(effective(mutation.apply(nodes))) === printIr(effective(nodes));
  return isSame ? undefined : { row, word, nodes, mutation };
}

/** The words of a row's first cases. */
function wordsOf(row: Instruction): number[] {
  const { records } = makeBatch(row, 0);
  return Array.from(
    { length: CASES_PER_SEED },
    (_, index) => Number(BigInt.asUintN(32, records.record(index)[AT_WORDS] as bigint)),
  );
}

/** A random fault in the lowering of a random case. */
function makeMutant(rows: readonly Instruction[], random: () => number): Mutant {
  for (;;) {
    const row = rows[random() % rows.length] as Instruction;
    const word = wordsOf(row)[random() % CASES_PER_SEED] as number;
    const nodes = lower(row, row.pattern.decode(word)), mutations = mutationsOf(nodes);
    const mutation = mutations[random() % mutations.length];
    const mutant = mutation && mutantOf(row, word, nodes, mutation);
    if (mutant !== undefined) return mutant;
  }
}

/** Every fault of a row: of each shape that its first cases have. */
function allMutants(row: Instruction): Mutant[] {
  const shapes = new Map<string, Mutant[]>();
  for (const word of wordsOf(row)) {
    const nodes = lower(row, row.pattern.decode(word)), shape = shapeOf(nodes);
    if (shapes.has(shape)) continue;
    const mutants = mutationsOf(nodes).map((mutation) => mutantOf(row, word, nodes, mutation));
    shapes.set(shape, mutants.filter((mutant) => mutant !== undefined));
  }
  return [...shapes.values()].flat();
}

/** The rows' own lowerings but for words of the mutant's shape. */
function loweringOf({ nodes, mutation }: Mutant): Lowering {
  const shape = shapeOf(nodes);
  return (word, model) => {
    const nodes = lowerWord(word, model);
    return shapeOf(nodes) === shape ? mutation.apply(nodes) : nodes;
  };
}

/** True when some recorded seed has another outcome under the fault. */
function isKilled(mutant: Mutant, seeds: readonly SeedDigest[]): boolean {
  const lowering = loweringOf(mutant);
  return seeds.some(({ digest: recorded }, number) => {
    try {
      return digest(runBatch(batchOf(mutant.row, number), lowering)) !== recorded;
    } catch (error) {
      if (error instanceof RangeError || error instanceof TypeError) return true; // an amount or lane that there is not
      throw error;
    }
  });
}

/** Batches beyond the recorded ones that a survivor is tried on, to see whether it changes anything at all. */
const FIRST_OTHER = 1000, OTHERS = 30;

/** True when no outcome of other cases changes under the fault: as far as can be seen, it is none. */
function isHarmless(mutant: Mutant): boolean {
  const lowering = loweringOf(mutant);
  for (let number = FIRST_OTHER; number < FIRST_OTHER + OTHERS; number++) {
    const batch = makeBatch(mutant.row, number);
    if (digest(runBatch(batch)) !== digest(runBatch(batch, lowering))) return false;
  }
  return true;
}

function describe({ row, word, nodes, mutation }: Mutant): string {
  const before = printIr(nodes).replace(/^/gm, "    "),
    after = printIr(mutation.apply(nodes)).replace(/^/gm, "    ");
  const title = `${row.name} (${disassemble(word)}): ${mutation.kind} at %${mutation.index}`;
  return `${title}\n  before\n${before}\n  after\n${after}`;
}

/** How many faults the fixtures find, and the others in words. */
export interface Outcome {
  /** Faults found. */
  readonly killed: number;
  /** Those that are not, with IR before and after. */
  readonly survivors: readonly string[];
  /** Those that change no outcome of OTHERS batches more either. */
  readonly harmless: readonly string[];
  /** Faults by kind. */
  readonly kinds: ReadonlyMap<string, number>;
}

/** Plants faults one by one. */
function plant(mutants: Iterable<Mutant>, fixtures: InstructionFixtures): Outcome {
  const kinds = new Map<string, number>(), survivors: string[] = [], harmless: string[] = [];
  let killed = 0;
  for (const mutant of mutants) {
    const { row, mutation: { kind } } = mutant;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (isKilled(mutant, fixtures.get(row.name) ?? [])) killed++;
    else (isHarmless(mutant) ? harmless : survivors).push(describe(mutant));
  }
  return { killed, survivors, harmless, kinds };
}

/** Rows that can be tried: those with fixtures whose names match. */
function rowsOf(fixtures: InstructionFixtures, pattern: RegExp): Instruction[] {
  const rows = comparedRows().filter(({ name }) => fixtures.has(name) && pattern.test(name));
  if (rows.length === 0) throw new Error(`No row with fixtures has a name that matches ${pattern}`);
  return rows;
}

/** Plants random faults; `seed` decides which. */
export function plantFaults(count: number, seed: number, pattern: RegExp = /(?:)/): Outcome {
  const random = randomNumbers(seed), fixtures = readFixtures(), rows = rowsOf(fixtures, pattern);
  return plant(Array.from({ length: count }, () => makeMutant(rows, random)), fixtures);
}

function* everyMutant(rows: readonly Instruction[]): Generator<Mutant> {
  let next = performance.now() + PROGRESS;
  for (const [index, row] of rows.entries()) {
    yield* allMutants(row);
    if (performance.now() < next) continue;
    next = performance.now() + PROGRESS;
    console.error(`${index + 1} of ${rows.length} rows`);
  }
}

function main(): void {
  const options = parseArgs(Deno.args, {
    string: ["seed", "count", "rows"],
    boolean: ["all", "harmless"],
    default: { count: "1000", rows: "" },
  });
  const seed = Number(options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const pattern = new RegExp(options.rows), fixtures = readFixtures();
  const { killed, survivors, harmless, kinds } = options.all
    ? plant(everyMutant(rowsOf(fixtures, pattern)), fixtures)
    : plantFaults(Number(options.count), seed, pattern);
  for (const survivor of survivors) console.log(`survived: ${survivor}`);
  if (options.harmless) { for (const fault of harmless) console.log(`harmless: ${fault}`); }
  for (const [kind, number] of [...kinds].sort()) console.log(`${kind}: ${number}`);
  const count = killed + survivors.length, share = (100 * killed / count).toFixed(2);
  console.log(
    `mutants, ${options.all ? "all" : `seed ${seed}`}: ${killed} of ${count} killed (${share} %); ` +
      `${harmless.length} others change none of ${OTHERS * CASES_PER_SEED} more cases`,
  );
  if (killed < REQUIRED * count) Deno.exit(1);
}

if (import.meta.main) main();
