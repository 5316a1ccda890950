/** How many futures a second `explore` runs on a small guest, and that leaving futures early changes no outcome. */
import { hindsight } from "../boots/hindsight.ts";
import { RACE_PROGRAM } from "../cli/race.ts";
import type { Row, RowContext } from "./row.ts";

/** The guest's first own step, and the length of the window; the run has 11,277 steps. */
const FROM = 30, BOUNDARIES = 10_000;
/** Futures a second that are asked for. */
const WANTED = 200;

interface Report {
  readonly futures: number;
  readonly steps: number;
  readonly outcomes: readonly { readonly console: string; readonly count: number }[];
}

async function run({ folder, tell, check }: RowContext): Promise<void> {
  const kernel = `${folder}/race.bin`, recorded = `${folder}/race.hindsight`;
  await Deno.writeFile(kernel, RACE_PROGRAM.bytes);
  await hindsight(["record", "-kernel", kernel, "-m", "8", "-smp", "2", "-semihosting", "-o", recorded]);
  const window = ["--from", String(FROM), "--to", String(FROM + BOUNDARIES - 1), "--inject", "switch:1"];
  const reports: Report[] = [];
  for (const more of [[], ["--no-prune"]]) {
    const started = performance.now();
    const report = JSON.parse(await hindsight(["explore", recorded, ...window, "--json", ...more])) as Report;
    const seconds = (performance.now() - started) / 1000, rate = report.futures / seconds;
    const how = more.length === 0 ? "pruned by state" : "every future to its end";
    tell(
      `${how}: ${report.futures} futures, ${report.steps} steps, ${
        rate.toFixed(0)
      } forks/s (asked: ${WANTED})`,
    );
    reports.push(report);
  }
  const [pruned, whole] = reports;
  check("one future for each boundary", pruned?.futures === BOUNDARIES, `${pruned?.futures}`);
  check("two outcomes at least", (pruned?.outcomes.length ?? 0) >= 2);
  check(
    "outcomes are those of running every future to its end",
    JSON.stringify(pruned?.outcomes) === JSON.stringify(whole?.outcomes),
  );
}

/** The row. */
export const exploreRate: Row = {
  name: "explore-rate",
  question: "how many futures a second does explore run in a window of 10,000 steps of a small guest?",
  isQuick: true,
  run,
};
