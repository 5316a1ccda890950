/** How fast each engine is on integer work, beside QEMU in the same run; how long a start takes, and how much memory. */
import { parseArgs } from "@std/cli";
import { ENGINES } from "../machine/machine.ts";
import { recordFlat, secondsOfQemu } from "./machines.ts";
import { measureMemory, measureStart } from "./process.ts";
import { buildWorkload, type Workload, WORKLOADS } from "./workloads.ts";

/** Shown above the figures. */
export const question =
  "steps per second of every engine, recording at the default depth, and of QEMU 7.2, by turns; " +
  "time to the first guest instruction; memory beside the guest's";

/** Seconds that a measured run should take; of QEMU more, so that its start counts little. */
const OURS = 1.5, QEMU = 2.5;
/** The part of that time which is enough, and how many times as many rounds are tried next at most. */
const NEARLY = 0.8, MOST_GROWTH = 32;

/** Something that runs workloads. */
interface Runner {
  readonly name: string;
  /** Seconds that rounds of a workload take; undefined when it is not installed. */
  run(workload: Workload, rounds: number): number | undefined | Promise<number | undefined>;
  readonly seconds: number;
}

const RUNNERS: readonly Runner[] = [
  ...Object.keys(ENGINES).map((engine): Runner => ({
    name: engine,
    run: (workload, rounds) => recordFlat(buildWorkload(workload, rounds), { engine }).seconds,
    seconds: OURS,
  })),
  { name: "QEMU", run: (workload, rounds) => secondsOfQemu(buildWorkload(workload, rounds)), seconds: QEMU },
];

const FASTEST = Object.keys(ENGINES).at(-1) as string;

/** Steps of a workload as a function of its rounds: all rounds are alike, which a third size checks. */
function stepsOf(workload: Workload): (rounds: number) => number {
  const steps = (rounds: number) => recordFlat(buildWorkload(workload, rounds), { engine: FASTEST }).steps;
  const [one, two, nine] = [steps(1), steps(2), steps(9)] as const;
  const each = two - one;
  // Data may change from round to round; then the mean of a few rounds stands for them.
  const mean = one + 8 * each === nine ? each : (nine - one) / 8;
  return (rounds) => one + (rounds - 1) * mean;
}

/** Rounds that take a runner about as long as it should: more and more, until a run shows it. */
async function calibrate(runner: Runner, workload: Workload, start: number): Promise<number | undefined> {
  for (let rounds = 10;;) {
    const seconds = await runner.run(workload, rounds);
    if (seconds === undefined) return undefined;
    const net = Math.max(seconds - start, 1e-4);
    if (net >= NEARLY * runner.seconds) return rounds;
    rounds = Math.ceil(rounds * Math.min(MOST_GROWTH, runner.seconds / net * 1.1));
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** M steps a second of a workload, without and with the start of a process. */
interface Rate {
  readonly net: number;
  readonly gross: number;
}

/** Runs a workload on all runners by turns; rates by runner. */
async function measure(
  workload: Workload,
  runs: number,
  starts: ReadonlyMap<string, number>,
): Promise<Map<string, Rate>> {
  const steps = stepsOf(workload), plans: { runner: Runner; rounds: number; times: number[] }[] = [];
  for (const runner of RUNNERS) {
    const rounds = await calibrate(runner, workload, runner.name === "QEMU" ? starts.get("QEMU") ?? 0 : 0);
    if (rounds !== undefined) plans.push({ runner, rounds, times: [] });
  }
  for (let run = 0; run < runs; run++) {
    for (const { runner, rounds, times } of plans) times.push(await runner.run(workload, rounds) ?? NaN);
  }
  return new Map(plans.map(({ runner, rounds, times }) => {
    const seconds = median(times), start = starts.get(runner.name) ?? 0, millions = steps(rounds) / 1e6;
    const isWhole = runner.name === "QEMU"; // its time has the start in it, ours has not
    const net = millions / (isWhole ? seconds - start : seconds);
    return [runner.name, { net, gross: millions / (isWhole ? seconds : seconds + start) }];
  }));
}

/** Seconds that starting a process takes, by runner. */
async function measureStarts(runs: number): Promise<Map<string, number>> {
  const starts = new Map<string, number>(), workload = WORKLOADS[0] as Workload;
  for (const { name, run } of RUNNERS) {
    const times: number[] = [];
    for (let at = 0; at < runs; at++) {
      const seconds = name === "QEMU" ? await run(workload, 1) : await measureStart(name);
      if (seconds !== undefined) times.push(seconds);
    }
    if (times.length > 0) starts.set(name, median(times));
  }
  return starts;
}

const column = (text: string): string => text.padStart(24);
const rate = ({ net, gross }: Rate): string => `${net.toPrecision(4)} (${gross.toPrecision(4)})`;
const ratio = (value: number): string => value.toPrecision(3);

/** Prints a row for each workload, then means, starts and memory; `--runs N` takes the median of so many. */
export async function run(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["runs", "workload"], default: { runs: "3" } });
  const runs = Number(options.runs);
  const starts = await measureStarts(Math.max(3, runs)), table = new Map<string, Map<string, Rate>>();
  const names = RUNNERS.map(({ name }) => name).filter((name) => starts.has(name));
  console.log(`  M steps/s, in brackets with the start of the process; median of ${runs} runs`);
  console.log(`  ${"".padEnd(14)}${names.map(column).join("")}`);
  for (const workload of WORKLOADS) {
    if (options.workload !== undefined && options.workload !== workload.name) continue;
    const rates = await measure(workload, runs, starts);
    table.set(workload.name, rates);
    console.log(
      `  ${workload.name.padEnd(14)}${names.map((name) => column(rate(rates.get(name) as Rate))).join("")}`,
    );
  }
  printMeans(names, [...table.values()]);
  for (const [name, seconds] of starts) {
    const what = name === "QEMU"
      ? "QEMU from start to power-off"
      : `${name} from Deno's start to the guest's first byte`;
    console.log(`  ${what}: ${(seconds * 1000).toFixed(0)} ms`);
  }
  for (const engine of Object.keys(ENGINES)) console.log(`  ${engine}: ${await measureMemory(engine)}`);
}

function printMeans(names: readonly string[], rows: readonly ReadonlyMap<string, Rate>[]): void {
  const mean = (of: (rates: ReadonlyMap<string, Rate>) => number) => geometricMean(rows.map(of));
  const at = (rates: ReadonlyMap<string, Rate>, name: string) => rates.get(name) as Rate;
  const means = names.map((name) => ({
    net: mean((rates) => at(rates, name).net),
    gross: mean((rates) => at(rates, name).gross),
  }));
  console.log(`  ${"geometric mean".padEnd(14)}${means.map((each) => column(rate(each))).join("")}`);
  if (!names.includes("QEMU")) return console.log("  QEMU is not installed");
  const ratios = names.map((name) =>
    `${ratio(mean((rates) => at(rates, name).net / at(rates, "QEMU").net))} ` +
    `(${ratio(mean((rates) => at(rates, name).gross / at(rates, "QEMU").gross))})`
  );
  console.log(`  ${"ratio to QEMU".padEnd(14)}${ratios.map(column).join("")}`);
}
