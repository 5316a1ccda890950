/** Compares every row with `qemu-aarch64` and keeps the outcomes as fixtures. */
import { disassemble } from "../../machine/a64/assembly.ts";
import type { CpuModel } from "../../machine/a64/feature.ts";
import { type Instruction, ROWS } from "../../machine/a64/rows.ts";
import { type Batch, CASES_PER_SEED, makeBatch, runBatch } from "./cases.ts";
import { rowExclusion } from "./exclusions.ts";
import { digest, type SeedDigest } from "./instruction_fixtures.ts";
import { InstructionRunner } from "./instruction_runner.ts";
import { AT_V, AT_WORDS, AT_X, type Records, wordName } from "./record.ts";

/** Seeds of each row whose outcomes are recorded. */
export const SEEDS_PER_ROW = 10;

/** The rows that are compared: those with a meaning, less the excluded. */
export function comparedRows(): Instruction[] {
  return ROWS.filter((row) => row.lowering !== undefined && rowExclusion(row.name) === undefined);
}

/** `-cpu` of a model; vectors of SVE would hide V in signal frames. */
const CPU_OPTION: Readonly<Record<CpuModel, string>> = {
  "cortex-a57": "cortex-a57",
  max: "max,sve=off,sme=off",
  "max,pauth-impdef=on": "max,sve=off,sme=off,pauth-impdef=on",
};

/** What was compared of a row. */
export interface RowReport {
  /** Its name. */
  readonly row: string;
  /** Cases compared. */
  cases: number;
  /** Those with different outcomes. */
  disagreed: number;
  /** Cases drawn and not compared. */
  excluded: number;
  /** Why the row could not be run to the end, if it could not. */
  error?: string;
  /** Descriptions of the first few disagreements. */
  readonly disagreements: string[];
  /** Digests of the outsider's outcomes, of the first SEEDS_PER_ROW batches. */
  readonly digests: SeedDigest[];
}

const DISAGREEMENTS_SHOWN = 3, LINES_SHOWN = 8;

/** Runs batches of rows on both sides. */
export class InstructionComparison {
  readonly #runners = new Map<CpuModel, InstructionRunner>();

  /** Compares `batches` batches of a row. */
  async compare(row: Instruction, batches: number): Promise<RowReport> {
    const report: RowReport = {
      row: row.name,
      cases: 0,
      disagreed: 0,
      excluded: 0,
      disagreements: [],
      digests: [],
    };
    try {
      for (let number = 0; number < batches; number++) {
        await this.#compareBatch(makeBatch(row, number), report);
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      report.error = error.message;
    }
    return report;
  }

  async #compareBatch(batch: Batch, report: RowReport): Promise<void> {
    const runner = this.#runner(batch.model);
    await runner.send(batch.records);
    let ours: Records;
    try {
      ours = runBatch(batch); // while the outsider runs them too
    } finally {
      await runner.receive();
    }
    const theirs = runner.outcomes, differing = differingCases(ours, theirs);
    if (batch.number < SEEDS_PER_ROW) report.digests.push({ seed: batch.seed, digest: digest(theirs) });
    report.cases += CASES_PER_SEED;
    report.excluded += batch.excluded;
    report.disagreed += differing.length;
    for (const at of differing) {
      if (report.disagreements.length === DISAGREEMENTS_SHOWN) break;
      report.disagreements.push(describe(batch, at, ours, theirs));
    }
  }

  #runner(model: CpuModel): InstructionRunner {
    const runner = this.#runners.get(model) ?? new InstructionRunner(CPU_OPTION[model]);
    this.#runners.set(model, runner);
    return runner;
  }

  /** Ends the outsider. */
  async stop(): Promise<void> {
    for (const runner of this.#runners.values()) await runner.stop();
  }
}

function differingCases(ours: Records, theirs: Records): number[] {
  if (ours.halves.every((half, at) => half === theirs.halves[at])) return [];
  const cases = Array.from({ length: ours.count }, (_, index) => index);
  return cases.filter((index) => {
    const theirRecord = theirs.record(index);
    return ours.record(index).some((word, at) => word !== theirRecord[at]);
  });
}

const hex = (word: bigint | undefined): string => `0x${(word ?? 0n).toString(16)}`;

/** What differs in a case: word, text, and each place with its value before, here and there. */
function describe(
  { row, seed, model, records }: Batch,
  index: number,
  ours: Records,
  theirs: Records,
): string {
  const before = records.record(index), here = ours.record(index), there = theirs.record(index);
  const words = before[AT_WORDS] as bigint, word = Number(words & 0xffff_ffffn);
  const lines = Array.from(here, (_, at) => at).filter((at) => here[at] !== there[at]).map((at) => {
    const was = at === AT_WORDS ? "" : ` was ${hex(before[at])},`;
    return `  ${wordName(at)}${was} ours ${hex(here[at])}, QEMU's ${hex(there[at])}`;
  });
  const title = `${row.name} seed ${seed} case ${index} on ${model}: ${hex(BigInt(word))} ${
    disassemble(word)
  }`;
  const more = lines.length > LINES_SHOWN ? [`  and ${lines.length - LINES_SHOWN} more`] : [];
  return [title, ...registersOf(row, word, before), ...lines.slice(0, LINES_SHOWN), ...more].join("\n");
}

/** The registers that a word names, before: as general registers, and as vectors where the text has vectors. */
function registersOf(row: Instruction, word: number, before: BigUint64Array): string[] {
  const fields = Object.entries(row.pattern.decode(word)).filter(([name]) => /^R[nmastd]2?$/.test(name));
  const isVector = /\{\s*v\d|\b[vbhsdq]\d/.test(disassemble(word));
  return fields.map(([name, n]) => {
    const vector = isVector ? `, V${n} = ${hex(before[AT_V + 2 * n + 1])}:${hex(before[AT_V + 2 * n])}` : "";
    return `  ${name}: X${n} = ${hex(before[AT_X + n])}${vector}`;
  });
}
