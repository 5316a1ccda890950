/** How fast each engine is, recording, on flat programs of many kinds, beside QEMU in the same run. */
import { costsText, type CostsValue } from "./costs.ts";
import { costsOf, type Measurement, measureWorkload, type Speed } from "./measure.ts";
import { hostText, print, type Request, showProgress, UsageError } from "./request.ts";
import { PLAIN, type Runner, runnersFor } from "./runners.ts";
import { measureStarts } from "./starts.ts";
import { digits, geometricMean } from "./statistics.ts";
import { type Workload, WORKLOADS } from "./workloads.ts";

/** Shown above the figures. */
export const question =
  "the speed of every engine, recording at the default depth, over QEMU's, by turns; cold starts";

/** Workloads by name; throws UsageError for one that there is not. */
function chosen(names: readonly string[]): readonly Workload[] {
  for (const name of names) {
    if (WORKLOADS.some((workload) => workload.name === name)) continue;
    throw new UsageError(
      `There is no workload "${name}": use ${WORKLOADS.map(({ name }) => name).join(", ")}`,
    );
  }
  return names.length === 0 ? WORKLOADS : WORKLOADS.filter(({ name }) => names.includes(name));
}

const NAME = 14, RATIO = 24, RATE = 10;

function line(name: string, ratios: readonly string[], rates: readonly string[]): string {
  const cells = [...ratios.map((cell) => cell.padStart(RATIO)), ...rates.map((cell) => cell.padStart(RATE))];
  return `  ${name.padEnd(NAME)}${cells.join("")}`.trimEnd();
}

/** A ratio without the start, with it, and by processor time. */
const three = ({ ratio, ratioWithStart, ratioOfCpu }: Speed): string =>
  Number.isNaN(ratio) ? "" : `${digits(ratio)} (${digits(ratioWithStart)}, ${digits(ratioOfCpu)})`;

function rowOf({ workload, speeds }: Measurement, runners: readonly Runner[]): string {
  const ratios = runners.filter(({ isOurs }) => isOurs).map(({ name }) => {
    const speed = speeds.get(name);
    return speed === undefined ? "" : three(speed);
  });
  const rates = runners.map(({ name }) => digits(speeds.get(name)?.millionSteps, 4));
  return line(workload.name, ratios, rates);
}

/** Means of the ratios of our engines to every peer, and the lowest to QEMU plain. */
function summarize(table: readonly Measurement[], runners: readonly Runner[]) {
  const peers = runners.filter(({ isOurs }) => !isOurs);
  return runners.filter(({ isOurs }) => isOurs).map(({ name }) => {
    const speed = (row: Measurement) => row.speeds.get(name);
    const means = peers.map((peer) => ({
      peer: peer.name,
      mean: geometricMean(
        table.map((row) =>
          (row.speeds.get(peer.name)?.nanosecondsPerRound ?? NaN) / (speed(row)?.nanosecondsPerRound ?? NaN)
        ),
      ),
    }));
    const mean = (of: (speed: Speed) => number) =>
      geometricMean(table.map((row) => {
        const found = speed(row);
        return found === undefined ? NaN : of(found);
      }));
    const lowest = table.toSorted((a, b) => (speed(a)?.ratio ?? NaN) - (speed(b)?.ratio ?? NaN))[0];
    return {
      engine: name,
      means,
      meanWithStart: mean(({ ratioWithStart }) => ratioWithStart),
      meanOfCpu: mean(({ ratioOfCpu }) => ratioOfCpu),
      lowest: lowest === undefined ? null : { workload: lowest.workload.name, ratio: speed(lowest)?.ratio },
    };
  });
}

function printSummary(request: Request, summary: ReturnType<typeof summarize>): void {
  for (const { engine, means, meanWithStart, meanOfCpu, lowest } of summary) {
    const texts = means.filter(({ mean }) => !Number.isNaN(mean)).map(({ peer, mean }) =>
      `${digits(mean)}${peer === PLAIN ? ` (${digits(meanWithStart)}, ${digits(meanOfCpu)})` : ""} of ${peer}`
    );
    if (texts.length === 0) continue; // QEMU is not installed
    const least = lowest === null ? "" : `; lowest ${digits(lowest.ratio)} (${lowest.workload})`;
    print(request, `  ${engine}, geometric mean: ${texts.join(", ")}${least}`);
  }
}

/** Prints what the recordings of a workload go into, by engine. */
async function tellCosts(
  request: Request,
  { workload, speeds }: Measurement,
  runners: readonly Runner[],
): Promise<Record<string, CostsValue>> {
  const costs: Record<string, CostsValue> = {};
  for (const runner of runners.filter(({ isOurs }) => isOurs)) {
    const value = await costsOf(runner, workload, speeds.get(runner.name)?.rounds ?? 1);
    costs[runner.name] = value;
    print(request, `    ${runner.name}: ${costsText(value)}`);
  }
  return costs;
}

/** Prints a row for each workload, then means; without named workloads, cold starts too. Gives all that it found. */
export async function run(request: Request): Promise<unknown> {
  const workloads = chosen(request.workloads), runners = runnersFor(request.engines);
  const ours = runners.filter(({ isOurs }) => isOurs).map(({ name }) => name);
  print(request, `  ${hostText()}; median of ${request.runs}`);
  print(request, `  speed over QEMU's (with the start of the process, by processor time), then M steps/s`);
  print(
    request,
    line("", ours.map((name) => `${name}/${PLAIN}`), runners.map(({ name }) => name)),
  );
  const table: Measurement[] = [], costs: Readonly<Record<string, CostsValue>>[] = [];
  for (const workload of workloads) {
    const measured = await measureWorkload(workload, runners, request.runs);
    showProgress("");
    table.push(measured);
    print(request, rowOf(measured, runners));
    if (request.tellsCosts) costs.push(await tellCosts(request, measured, runners));
  }
  const summary = summarize(table, runners);
  printSummary(request, summary);
  const rows = table.map(({ workload, rounds, steps, checkSum, speeds }, at) => ({
    ...{ ...workload, rounds, steps, checkSum, costs: costs[at] },
    runners: Object.fromEntries(speeds),
  }));
  const starts = request.workloads.length > 0 ? [] : await measureStarts(request, runners);
  return { workloads: rows, summary, starts };
}
