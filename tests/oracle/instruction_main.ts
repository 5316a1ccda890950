/** The oracle `qemu-aarch64`: runs every row there and here, and compares with the recorded fixtures or renews them. */
import { parseArgs } from "@std/cli";
import { CASES_PER_SEED } from "./cases.ts";
import { excludedRows, EXCLUSIONS } from "./exclusions.ts";
import {
  formatFixtures,
  INSTRUCTION_FIXTURES,
  type InstructionFixtures,
  readFixtures,
} from "./instruction_fixtures.ts";
import {
  comparedRows,
  compareInstructions,
  type InstructionReport,
  SEEDS_PER_ROW,
} from "./instruction_oracle.ts";
import { exitOnMissing } from "./outsider.ts";

/** Rows and seeds of which the recorded digest is another, or absent; what was not run is not looked at. */
function staleFixtures(live: InstructionFixtures, recorded: InstructionFixtures): string[] {
  return [...live].flatMap(([row, seeds]) => {
    const known = new Map(recorded.get(row)?.map(({ seed, digest }) => [seed, digest]));
    return seeds.filter(({ seed, digest }) => known.get(seed) !== digest).map(({ seed }) =>
      `${row} seed ${seed}`
    );
  });
}

/** The excluded rows, one line for each reason, and the sum. */
function summary({ rows, agreed, disagreed, excluded }: InstructionReport, seeds: number): string {
  const perRow = seeds * CASES_PER_SEED, names = excludedRows(), left = excluded + names.length * perRow;
  const share = (100 * left / (agreed + disagreed + left)).toFixed(2);
  const what = disagreed === 0
    ? `${rows} rows × ${perRow} cases agreed`
    : `${agreed} cases of ${rows} rows agreed`;
  const reasons = EXCLUSIONS.map(({ rows, when, section, reason }) =>
    `excluded ${when ? "cases of " : ""}${rows.join(", ")} (${section}): ${reason}`
  );
  const total = `oracle qemu-aarch64: ${what}, ${disagreed} disagreed, ` +
    `${names.length} rows and ${excluded} cases of others excluded (${share} %)`;
  return [...reasons, total].join("\n");
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["row"], boolean: ["update", "quick"] });
  const rows = comparedRows().filter(({ name }) => !options.row || name === options.row);
  if (rows.length === 0) throw new Error(`No row is called ${options.row}`);
  const seeds = options.quick ? 1 : SEEDS_PER_ROW;
  const report = await compareInstructions(rows, seeds);
  for (const text of report.disagreements) console.log(text);
  const isWhole = !options.row && !options.quick;
  if (options.update && isWhole && report.disagreed === 0) {
    Deno.mkdirSync(new URL(".", INSTRUCTION_FIXTURES), { recursive: true });
    Deno.writeTextFileSync(INSTRUCTION_FIXTURES, formatFixtures(report.fixtures));
  }
  const stale = staleFixtures(report.fixtures, readFixtures());
  if (stale.length > 0) {
    console.log(`${stale.length} recorded digests are not QEMU's, first ${stale[0]}: renew with --update`);
  }
  console.log(summary(report, seeds));
  if (report.disagreed > 0 || stale.length > 0) Deno.exit(1);
}

await exitOnMissing(main);
