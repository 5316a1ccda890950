/** The coverage table of instruction rows: what is recorded, what was compared, and what is not and why. */
import { type Instruction, ROWS } from "../../machine/a64/rows.ts";
import { CASES_PER_SEED } from "./cases.ts";
import { caseReason, rowExclusion } from "./exclusions.ts";
import type { InstructionFixtures } from "./instruction_fixtures.ts";
import type { RowReport } from "./instruction_oracle.ts";

/** A line of the table. */
export interface Coverage {
  /** Name of the row. */
  readonly row: string;
  /** Extension, or "by fields". */
  readonly feature: string;
  /** Cases whose outcomes are recorded as fixtures. */
  readonly recorded: number;
  /** Cases compared in this run. */
  readonly compared: number;
  /** Cases drawn and left out. */
  readonly excluded: number;
  /** What came of it. */
  readonly result: string;
  /** Why there is no case at all, if there is none. */
  readonly without?: string;
}

/** Why a row has no case, if so. */
function reasonWithout({ name, lowering }: Instruction): string | undefined {
  if (lowering === undefined) return "not implemented yet";
  const exclusion = rowExclusion(name);
  return exclusion && `excluded (${exclusion.section}): ${exclusion.reason}`;
}

function resultOf({ cases, disagreed, error, excluded, row }: RowReport): string {
  if (error !== undefined) return `failed: ${error}`;
  if (disagreed > 0) return `${disagreed} of ${cases} disagreed`;
  return excluded > 0 ? `agreed; left out: ${caseReason(row)}` : "agreed";
}

/** Every row's line, in the order of the tables; rows that were not chosen in this run are said to be so. */
export function coverageOf(reports: readonly RowReport[], fixtures: InstructionFixtures): Coverage[] {
  const byRow = new Map(reports.map((report) => [report.row, report]));
  return ROWS.map((row) => {
    const report = byRow.get(row.name), without = reasonWithout(row);
    return {
      row: row.name,
      feature: typeof row.feature === "function" ? "by fields" : row.feature,
      recorded: (fixtures.get(row.name)?.length ?? 0) * CASES_PER_SEED,
      compared: report?.cases ?? 0,
      excluded: report?.excluded ?? 0,
      result: report !== undefined ? resultOf(report) : without ?? "not run",
      ...(without === undefined ? {} : { without }),
    };
  });
}

const HEADINGS = ["row", "feature", "recorded", "compared", "left out", "result"] as const;

/** The table as text with columns. */
export function formatCoverage(coverage: readonly Coverage[]): string {
  const lines = [
    HEADINGS,
    ...coverage.map(({ row, feature, recorded, compared, excluded, result }) => [
      ...[row, feature, `${recorded}`, `${compared}`, `${excluded}`, result],
    ]),
  ];
  const widths = HEADINGS.map((_, at) => Math.max(...lines.map((line) => (line[at] as string).length)));
  const cell = (text: string, at: number) => {
    const width = at === HEADINGS.length - 1 ? 0 : widths[at] as number;
    return at >= 2 && at <= 4 ? text.padStart(width) : text.padEnd(width);
  };
  return lines.map((line) => line.map(cell).join("  ").trimEnd()).join("\n") + "\n";
}

const NAMES_SHOWN = 20;

/** Rows without a case, one line for each reason with how many and which; the table has them all. */
export function rowsWithout(coverage: readonly Coverage[]): string[] {
  const reasons = Map.groupBy(
    coverage.filter(({ without }) => without !== undefined),
    ({ without }) => without,
  );
  return [...reasons].map(([reason, rows]) => {
    const names = rows.slice(0, NAMES_SHOWN).map(({ row }) => row);
    const more = rows.length > NAMES_SHOWN
      ? ` and ${rows.length - NAMES_SHOWN} more (--table FILE lists them)`
      : "";
    return `${rows.length} rows without a case, ${reason}: ${names.join(", ")}${more}`;
  });
}
