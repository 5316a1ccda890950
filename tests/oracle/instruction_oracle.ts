/** Compares every row with `qemu-aarch64` and keeps the outcomes as fixtures. */
import { disassemble } from "../../machine/a64/assembly.ts";
import { hasFeature } from "../../machine/a64/feature.ts";
import { type Instruction, ROWS } from "../../machine/a64/rows.ts";
import { type Batch, CASES_PER_SEED, makeBatch, runBatch, seedOf } from "./cases.ts";
import { rowExclusion } from "./exclusions.ts";
import { digest, type InstructionFixtures } from "./instruction_fixtures.ts";
import { InstructionRunner } from "./instruction_runner.ts";
import { AT_WORDS, type Records, wordName } from "./record.ts";

/** Seeds of each row. */
export const SEEDS_PER_ROW = 10;

/** The rows that are compared: those with a meaning, less the excluded. */
export function comparedRows(): Instruction[] {
  return ROWS.filter((row) => row.lowering !== undefined && rowExclusion(row.name) === undefined);
}

/** The model of `qemu-aarch64 -cpu` that has a row's feature; vectors of SVE would hide V in signal frames. */
function modelOf({ feature }: Instruction): string {
  const isBase = typeof feature === "string" && hasFeature("cortex-a57", feature);
  return isBase ? "cortex-a57" : "max,sve=off,sme=off";
}

/** What was compared. */
export interface InstructionReport {
  /** Rows compared. */
  rows: number;
  /** Cases with equal outcomes. */
  agreed: number;
  /** Cases with different ones. */
  disagreed: number;
  /** Cases drawn and not compared. */
  excluded: number;
  /** Descriptions of disagreements, of each row the first few. */
  readonly disagreements: string[];
  /** Digests of the outsider's outcomes. */
  readonly fixtures: InstructionFixtures;
}

const DISAGREEMENTS_SHOWN = 3, LINES_SHOWN = 8;

/** Runs `seeds` batches of each row on both sides. */
export async function compareInstructions(
  rows: readonly Instruction[],
  seeds: number,
): Promise<InstructionReport> {
  const report: InstructionReport = {
    rows: 0,
    agreed: 0,
    disagreed: 0,
    excluded: 0,
    disagreements: [],
    fixtures: new Map(),
  };
  for (const model of new Set(rows.map(modelOf))) {
    const runner = new InstructionRunner(model);
    try {
      for (const row of rows.filter((row) => modelOf(row) === model)) {
        await compareRow(row, seeds, runner, report);
      }
    } finally {
      await runner.stop();
    }
  }
  return report;
}

async function compareRow(
  row: Instruction,
  seeds: number,
  runner: InstructionRunner,
  report: InstructionReport,
): Promise<void> {
  const digests: { seed: number; digest: string }[] = [];
  const found: string[] = [];
  for (let index = 0; index < seeds; index++) {
    const batch = makeBatch(row, seedOf(row.name, index));
    const ours = runBatch(batch), theirs = await runner.run(batch.records);
    const differing = differingCases(ours, theirs);
    digests.push({ seed: batch.seed, digest: digest(theirs) });
    report.excluded += batch.excluded;
    report.disagreed += differing.length;
    report.agreed += CASES_PER_SEED - differing.length;
    found.push(...differing.map((at) => describe(batch, at, ours, theirs)));
  }
  report.rows++;
  report.fixtures.set(row.name, digests);
  report.disagreements.push(...found.slice(0, DISAGREEMENTS_SHOWN));
  if (found.length > DISAGREEMENTS_SHOWN) {
    report.disagreements.push(`${row.name}: ${found.length - DISAGREEMENTS_SHOWN} more`);
  }
}

function differingCases(ours: Records, theirs: Records): number[] {
  const cases = Array.from({ length: ours.count }, (_, index) => index);
  return cases.filter((index) => {
    const theirRecord = theirs.record(index);
    return ours.record(index).some((word, at) => word !== theirRecord[at]);
  });
}

const hex = (word: bigint | undefined): string => `0x${(word ?? 0n).toString(16)}`;

/** What differs in a case: word, text, and each place with its value before, here and there. */
function describe({ row, seed, records }: Batch, index: number, ours: Records, theirs: Records): string {
  const before = records.record(index), here = ours.record(index), there = theirs.record(index);
  const words = before[AT_WORDS] as bigint, word = Number(words & 0xffff_ffffn);
  const lines = Array.from(here, (_, at) => at).filter((at) => here[at] !== there[at]).map((at) => {
    const was = at === AT_WORDS ? "" : ` was ${hex(before[at])},`;
    return `  ${wordName(at)}${was} ours ${hex(here[at])}, QEMU's ${hex(there[at])}`;
  });
  const title = `${row.name} seed ${seed} case ${index}: ${hex(BigInt(word))} ${disassemble(word)}`;
  const more = lines.length > LINES_SHOWN ? [`  and ${lines.length - LINES_SHOWN} more`] : [];
  return [title, ...registersOf(row, word, before), ...lines.slice(0, LINES_SHOWN), ...more].join("\n");
}

/** The registers that a word names, before. */
function registersOf(row: Instruction, word: number, before: BigUint64Array): string[] {
  const fields = Object.entries(row.pattern.decode(word)).filter(([name]) => /^R[nmast]2?$/.test(name));
  return fields.map(([name, n]) => `  ${name} = X${n} = ${hex(before[1 + n])}`);
}
