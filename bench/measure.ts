/** One workload on all runners by turns: how long a round takes each, and whether they found the same. */
import { COSTS_OPTIONS, costsIn, type CostsValue } from "./costs.ts";
import { type Cost, runProgram } from "./process.ts";
import { showProgress } from "./request.ts";
import { PLAIN, type Runner } from "./runners.ts";
import { median } from "./statistics.ts";
import { buildWorkload, type Workload } from "./workloads.ts";

/** How fast a runner is on a workload. */
export interface Speed {
  /** Rounds of its runs: fewer than the others' where those would take it too long. */
  readonly rounds: number;
  /** Seconds of each run, start of the process included. */
  readonly seconds: readonly number[];
  /** Processor seconds of each run, all threads and the start included. */
  readonly cpuSeconds: readonly number[];
  /** Seconds that a start takes: the same program with one round; the median. */
  readonly startSeconds: number;
  /** Nanoseconds of a round, without the start, by the medians. */
  readonly nanosecondsPerRound: number;
  /** Million steps a second, without the start; NaN where none of ours told the steps. */
  readonly millionSteps: number;
  /** Its speed over that of QEMU plain, without the start; NaN where that is not installed. */
  readonly ratio: number;
  /** The same for whole processes that do the workload's rounds. */
  readonly ratioWithStart: number;
  /** As `ratio`, by processor time, which others that use the processors change less. */
  readonly ratioOfCpu: number;
}

/** A workload on all runners. */
export interface Measurement {
  /** The workload. */
  readonly workload: Workload;
  /** Rounds that take QEMU long enough. */
  readonly rounds: number;
  /** Steps of so many rounds, by one of ours; NaN without. */
  readonly steps: number;
  /** What every runner printed after so many rounds. */
  readonly checkSum: string;
  /** By runner; those that are not installed are missing. */
  readonly speeds: ReadonlyMap<string, Speed>;
}

/** Seconds that a run takes QEMU at least, without its start, and about the most that it may take any other. */
const LEAST = 2, MOST = 12;
/** More than needed is aimed at, and this many times as many rounds are tried next at most. */
const AIM = 1.15 * LEAST, MOST_GROWTH = 64;
/** Parts of the rounds that are tried first on a runner that may be slow, and the seconds that are enough to tell. */
const PARTS = [1024, 64, 8], ENOUGH = 1;

const MACHINE = ["-M", "virt", "-cpu", "cortex-a57", "-m", "128"];

/** What came of a run of a workload. */
interface Outcome extends Cost {
  readonly checkSum: string;
  /** Steps taken, where the runner tells. */
  readonly steps: number | undefined;
}

async function processOf(
  runner: Runner,
  workload: Workload,
  rounds: number,
  more: readonly string[] = [],
): Promise<Cost> {
  const folder = await Deno.makeTempDir({ prefix: "hindsight-bench-" });
  try {
    const kernel = `${folder}/${workload.name}.bin`;
    await Deno.writeFile(kernel, buildWorkload(workload, rounds));
    return await runProgram(runner.command([...MACHINE, "-kernel", kernel, ...more], folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a recording of so many rounds goes into. */
export async function costsOf(runner: Runner, workload: Workload, rounds: number): Promise<CostsValue> {
  showProgress(`${workload.name}: costs of ${runner.name}`);
  const cost = await processOf(runner, workload, rounds, COSTS_OPTIONS);
  showProgress("");
  return costsIn(cost);
}

/** Runs a workload; undefined where the runner is not installed. Throws Error when it does not print a check sum. */
async function runOn(runner: Runner, workload: Workload, rounds: number): Promise<Outcome | undefined> {
  const cost = await processOf(runner, workload, rounds);
  if (!cost.isInstalled) return undefined;
  const checkSum = cost.output.trim(), steps = /after ([\d,]+) steps/.exec(cost.errors)?.[1];
  if (!/^[0-9a-f]{16}$/.test(checkSum)) {
    throw new Error(
      `${workload.name} on ${runner.name} printed ${JSON.stringify(checkSum)}, no check sum:\n${cost.errors}`,
    );
  }
  return { ...cost, checkSum, steps: steps === undefined ? undefined : Number(steps.replaceAll(",", "")) };
}

/** Seconds that a run worked: processor time where the system tells, since that depends little on others. */
function work({ cpuSeconds, seconds }: Outcome): number {
  return cpuSeconds > 0 ? Math.min(cpuSeconds, seconds) : seconds;
}

/** Rounds that take a runner at least `LEAST` seconds: more and more, until a run shows it. */
async function calibrate(runner: Runner, workload: Workload, start: number): Promise<number> {
  for (let rounds = 1;;) {
    const net = Math.max(
      work(await runOn(runner, workload, rounds) as Outcome) - start,
      AIM / MOST_GROWTH / 2,
    );
    if (net >= LEAST * 1.05) return rounds;
    rounds = Math.ceil(rounds * Math.min(MOST_GROWTH, AIM / net));
  }
}

/** The rounds, halved until they take a runner at most about `MOST` seconds. */
async function fitRounds(runner: Runner, workload: Workload, rounds: number, start: number): Promise<number> {
  let whole = 0;
  for (const parts of PARTS) {
    const few = Math.ceil(rounds / parts);
    const net = Math.max(work(await runOn(runner, workload, few) as Outcome) - start, 0);
    whole = net * rounds / few;
    if (net > ENOUGH) break;
  }
  const halvings = Math.max(0, Math.ceil(Math.log2(Math.max(whole, 1) / MOST)));
  return Math.ceil(rounds / 2 ** halvings);
}

/** A runner that takes part: its rounds, and what its runs of so many and of one came to. */
interface Plan {
  readonly runner: Runner;
  readonly rounds: number;
  readonly outcomes: Outcome[];
  readonly starts: Outcome[];
}

/** The most starts that are measured: their median is a small part of what it is taken from. */
const MOST_STARTS = 3;

/** Measures a workload. Throws Error when two runners print different check sums, or one prints none. */
export async function measureWorkload(
  workload: Workload,
  runners: readonly Runner[],
  runs: number,
): Promise<Measurement> {
  const plans = await planRuns(workload, runners);
  for (let run = 1; run <= runs; run++) {
    for (const { runner, rounds, outcomes, starts } of plans) {
      showProgress(`${workload.name}: run ${run} of ${runs}, ${runner.name}`);
      outcomes.push(await runOn(runner, workload, rounds) as Outcome);
      if (run <= MOST_STARTS) starts.push(await runOn(runner, workload, 1) as Outcome);
    }
  }
  const checkSum = await compareCheckSums(workload, plans);
  const rounds = Math.max(...plans.map(({ rounds }) => rounds));
  return {
    workload,
    rounds,
    steps: stepsOfRound(plans) * rounds,
    checkSum,
    speeds: speedsOf(plans, rounds),
  };
}

/** Decides how many rounds each installed runner does: QEMU plain sets them, or the first that is installed. */
async function planRuns(workload: Workload, runners: readonly Runner[]): Promise<Plan[]> {
  const starts = new Map<string, number>(), plans: Plan[] = [];
  for (const runner of runners) {
    const start = await runOn(runner, workload, 1);
    if (start !== undefined) starts.set(runner.name, work(start));
  }
  const first = runners.find(({ name }) => name === PLAIN && starts.has(name)) ??
    runners.find(({ name }) => starts.has(name));
  if (first === undefined) throw new Error("Nothing is installed that could run a workload");
  showProgress(`${workload.name}: how many rounds take ${first.name} ${LEAST} s`);
  const rounds = await calibrate(first, workload, starts.get(first.name) as number);
  for (const runner of runners) {
    const start = starts.get(runner.name);
    if (start === undefined) continue;
    showProgress(`${workload.name}: how many rounds ${runner.name} can do`);
    const own = runner === first ? rounds : await fitRounds(runner, workload, rounds, start);
    plans.push({ runner, rounds: own, outcomes: [], starts: [] });
  }
  return plans;
}

/** Throws unless all runs of as many rounds printed the same; what those of the most rounds printed. */
async function compareCheckSums(workload: Workload, plans: readonly Plan[]): Promise<string> {
  const first = plans.find(({ runner }) => runner.name === PLAIN) ?? plans[0] as Plan;
  const known = new Map([[first.rounds, (first.outcomes[0] as Outcome).checkSum]]);
  for (const { runner, rounds, outcomes } of plans) {
    const expected = known.get(rounds) ??
      (await runOn(first.runner, workload, rounds) as Outcome).checkSum;
    known.set(rounds, expected);
    for (const { checkSum } of outcomes) {
      if (checkSum === expected) continue;
      throw new Error(
        `${workload.name}, ${rounds} rounds: ${runner.name} found ${checkSum}, ${first.runner.name} ${expected}`,
      );
    }
  }
  return known.get(first.rounds) as string;
}

/** What a round adds to something of a run, by the medians of many rounds and of one. */
function perRound({ outcomes, starts, rounds }: Plan, of: (outcome: Outcome) => number): number {
  return (median(outcomes.map(of)) - median(starts.map(of))) / Math.max(1, rounds - 1);
}

/** Steps of a round, by the runner of ours with the most rounds; NaN without. */
function stepsOfRound(plans: readonly Plan[]): number {
  const [telling] = plans.filter(({ runner }) => runner.isOurs).sort((a, b) => b.rounds - a.rounds);
  return telling === undefined ? NaN : perRound(telling, ({ steps }) => steps ?? NaN);
}

function speedsOf(plans: readonly Plan[], rounds: number): Map<string, Speed> {
  const seconds = (outcome: Outcome): number => outcome.seconds;
  const cpuSeconds = (outcome: Outcome): number => outcome.cpuSeconds;
  const plain = plans.find(({ runner }) => runner.name === PLAIN);
  const over = (value: (plan: Plan) => number, plan: Plan): number =>
    plain === undefined ? NaN : value(plain) / value(plan);
  const steps = stepsOfRound(plans);
  return new Map(plans.map((plan) => {
    const each = perRound(plan, seconds);
    return [plan.runner.name, {
      rounds: plan.rounds,
      seconds: plan.outcomes.map(seconds),
      cpuSeconds: plan.outcomes.map(cpuSeconds),
      startSeconds: median(plan.starts.map(seconds)),
      nanosecondsPerRound: each * 1e9,
      millionSteps: steps / each / 1e6,
      ratio: over((plan) => perRound(plan, seconds), plan),
      ratioWithStart: over(
        (plan) => median(plan.starts.map(seconds)) + perRound(plan, seconds) * (rounds - 1),
        plan,
      ),
      ratioOfCpu: over((plan) => perRound(plan, cpuSeconds), plan),
    }];
  }));
}
