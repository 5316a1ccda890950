/**
 * The oracle `qemu-aarch64`: runs every row there and here, and compares with the recorded fixtures or renews them.
 * `--rows PATTERN` takes the rows whose names match, `--cases N` so many cases of each, `--table FILE` writes the
 * coverage of every row, `--update` renews the fixtures of the rows that agree, `--quick` takes 50 cases of each.
 */
import { parseArgs } from "@std/cli";
import { CASES_PER_SEED } from "./cases.ts";
import {
  formatFixtures,
  INSTRUCTION_FIXTURES,
  type InstructionFixtures,
  readFixtures,
} from "./instruction_fixtures.ts";
import { comparedRows, InstructionComparison, type RowReport, SEEDS_PER_ROW } from "./instruction_oracle.ts";
import { coverageOf, formatCoverage, rowsWithout } from "./instruction_table.ts";
import { exitOnMissing } from "./outsider.ts";

/** Cases of each row by default: 2,000, and those on the other CPU model. */
const CASES = 2050;

/** Milliseconds between two lines of progress on standard error. */
const PROGRESS = 10_000;

/** Rows and seeds of which the recorded digest is another, or absent; what was not run is not looked at. */
function staleFixtures(reports: readonly RowReport[], recorded: InstructionFixtures): string[] {
  return reports.flatMap(({ row, digests }) => {
    const known = recorded.get(row) ?? [];
    return digests.filter(({ digest }, at) => known[at]?.digest !== digest).map(({ seed }) =>
      `${row} seed ${seed}`
    );
  });
}

/** Puts the digests of rows that agreed in the place of their old ones, and drops rows that are gone. */
function renew(reports: readonly RowReport[]): void {
  const names = new Set(comparedRows().map(({ name }) => name));
  const fixtures: InstructionFixtures = new Map([...readFixtures()].filter(([row]) => names.has(row)));
  for (const { row, digests, disagreed, error } of reports) {
    const isWhole = digests.length === SEEDS_PER_ROW;
    if (disagreed === 0 && error === undefined && isWhole) fixtures.set(row, digests);
  }
  Deno.mkdirSync(new URL(".", INSTRUCTION_FIXTURES), { recursive: true });
  Deno.writeTextFileSync(INSTRUCTION_FIXTURES, formatFixtures(fixtures));
}

async function compareAll(pattern: RegExp, batches: number): Promise<RowReport[]> {
  const rows = comparedRows().filter(({ name }) => pattern.test(name)), reports: RowReport[] = [];
  if (rows.length === 0) throw new Error(`No row with a meaning has a name that matches ${pattern}`);
  const comparison = new InstructionComparison();
  let next = performance.now() + PROGRESS;
  try {
    for (const row of rows) {
      const report = await comparison.compare(row, batches);
      for (const text of report.disagreements) console.log(text);
      if (report.error !== undefined) console.log(`${row.name}: ${report.error}`);
      reports.push(report);
      if (performance.now() < next) continue;
      next = performance.now() + PROGRESS;
      console.error(`${reports.length} of ${rows.length} rows, ${sumOf(reports, "cases")} cases`);
    }
  } finally {
    await comparison.stop();
  }
  return reports;
}

function sumOf(reports: readonly RowReport[], what: "cases" | "disagreed" | "excluded"): number {
  return reports.reduce((sum, report) => sum + report[what], 0);
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["rows", "cases", "table"],
    boolean: ["update", "quick"],
    default: { rows: "" },
  });
  const cases = Number(options.cases ?? (options.quick ? CASES_PER_SEED : CASES));
  if (!(cases > 0)) throw new Error(`--cases ${options.cases}: give a number of cases, such as ${CASES}`);
  const reports = await compareAll(new RegExp(options.rows), Math.ceil(cases / CASES_PER_SEED));
  if (options.update) renew(reports);
  const fixtures = readFixtures(), coverage = coverageOf(reports, fixtures);
  if (options.table) Deno.writeTextFileSync(options.table, formatCoverage(coverage));
  for (const line of rowsWithout(coverage)) console.log(line);
  const stale = staleFixtures(reports, fixtures);
  if (stale.length > 0) {
    console.log(`${stale.length} recorded digests are not QEMU's, first ${stale[0]}: renew with --update`);
  }
  const bad = reports.filter(({ disagreed, error }) => disagreed > 0 || error !== undefined);
  const without = coverage.filter(({ without }) => without !== undefined).length;
  console.log(
    `oracle qemu-aarch64: ${
      reports.length - bad.length
    } of ${coverage.length} rows agreed, ${bad.length} did not, ` +
      `${without} without a case, ${coverage.length - reports.length - without} not run; ` +
      `${sumOf(reports, "cases")} cases, ${sumOf(reports, "disagreed")} disagreed, ` +
      `${sumOf(reports, "excluded")} left out`,
  );
  if (bad.length > 0) console.log(`did not agree: ${bad.map(({ row }) => row).join(", ")}`);
  if (bad.length + stale.length > 0) Deno.exit(1);
}

await exitOnMissing(main);
