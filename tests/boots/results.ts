/** Results of boots: kept as they come, so that a long run goes on where it stopped, and printed as a table. */
import { z } from "zod";

const Result = z.strictObject({
  name: z.string(),
  guest: z.string(),
  machine: z.string(),
  /** What went wrong, if anything. */
  failure: z.string().optional(),
  steps: z.int().optional(),
  milliseconds: z.number().optional(),
  qemuMilliseconds: z.number().optional(),
  /** Engines that replayed it with equal roots. */
  replayedOn: z.array(z.string()),
  journalBytes: z.int().optional(),
});
/** What a row came to. */
export type Result = z.infer<typeof Result>;

const FILE = "results.json";

/** The results in a folder, by name. */
export function readResults(folder: string): Map<string, Result> {
  try {
    const list = z.array(Result).parse(JSON.parse(Deno.readTextFileSync(`${folder}/${FILE}`)));
    return new Map(list.map((result) => [result.name, result]));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    throw error;
  }
}

/** Keeps the results. */
export function writeResults(folder: string, results: ReadonlyMap<string, Result>): void {
  Deno.writeTextFileSync(`${folder}/.${FILE}`, JSON.stringify([...results.values()], null, 2) + "\n");
  Deno.renameSync(`${folder}/.${FILE}`, `${folder}/${FILE}`);
}

const seconds = (milliseconds: number | undefined): string =>
  milliseconds === undefined ? "" : (milliseconds / 1000).toFixed(1);

/** Columns of the table: title, and what a result has there. */
const COLUMNS: readonly (readonly [title: string, cell: (result: Result) => string])[] = [
  ["boot", ({ name }) => name],
  ["guest", ({ guest }) => guest],
  ["machine", ({ machine }) => machine],
  ["marker", ({ failure }) => failure === undefined ? "reached" : "FAILED"],
  ["Msteps", ({ steps }) => steps === undefined ? "" : (steps / 1e6).toFixed(0)],
  ["wall s", ({ milliseconds }) => seconds(milliseconds)],
  ["QEMU s", ({ qemuMilliseconds }) => seconds(qemuMilliseconds)],
  [
    "ratio",
    ({ milliseconds, qemuMilliseconds }) =>
      milliseconds === undefined || qemuMilliseconds === undefined
        ? ""
        : (milliseconds / qemuMilliseconds).toFixed(1),
  ],
  ["equal on replay", ({ replayedOn }) => replayedOn.join(", ")],
  ["journal B", ({ journalBytes }) => String(journalBytes ?? "")],
];

/** The table as text. */
export function table(results: readonly Result[]): string {
  const rows = [
    COLUMNS.map(([title]) => title),
    ...results.map((result) => COLUMNS.map(([, cell]) => cell(result))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()).join(
    "\n",
  );
}
