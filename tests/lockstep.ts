/**
 * `deno task lockstep [--seconds N] [--programs N] [--seed N] [--cpus N] [--cpu MODEL] [--tries N]`: random programs on
 * every engine, whose state and history roots must be equal every 1,000 steps. What differs is cut down to a short
 * program, printed, and written to tests/lockstep/found, whose files are replayed by the test suite.
 */
import { parseArgs } from "@std/cli";
import { compareEngines, type Contestant, CONTESTANTS, locate } from "./lockstep/compare.ts";
import { shrink } from "./lockstep/shrink.ts";
import { type Forced, randomTrial, type Trial, trialToJson } from "./lockstep/trial.ts";

/** What a campaign came to. */
export interface Report {
  /** Programs run. */
  programs: number;
  /** Steps of the first engine. */
  steps: number;
  /** The first difference: what is known of it, and the shortest trial that shows it. */
  found?: { readonly lines: readonly string[]; readonly trial: Trial };
}

/** How long a campaign may take. */
export interface Limits {
  /** Programs at most. */
  readonly programs: number;
  /** Milliseconds at most; the last program is finished. */
  readonly milliseconds: number;
  /** Tries to make a program shorter. */
  readonly tries: number;
}

/** Runs the trials of `seed`, `seed` + 1 and so on until one differs or a limit is reached. */
export function campaign(
  seed: number,
  contestants: readonly Contestant[],
  limits: Limits,
  forced: Forced = {},
  progress: (report: Report) => void = () => {},
): Report {
  const report: Report = { programs: 0, steps: 0 }, start = performance.now();
  while (report.programs < limits.programs && performance.now() - start < limits.milliseconds) {
    const trial = randomTrial((seed + report.programs) >>> 0, forced);
    const { steps, difference } = compareEngines(trial, contestants);
    report.programs++;
    report.steps += steps;
    progress(report);
    if (difference === undefined) continue;
    const pair = [difference.left, difference.right];
    const shows = (candidate: Trial) => compareEngines(candidate, pair).difference !== undefined;
    const cut = locate(trial, difference).trial;
    const short = shrink(cut, shows, limits.tries);
    const again = compareEngines(short, pair).difference ?? difference;
    report.found = locate(short, again);
    return report;
  }
  return report;
}

const FOUND = new URL("./lockstep/found/", import.meta.url);
const PROGRESS = 10_000;

function main(): void {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "programs", "seed", "cpus", "cpu", "tries"],
    default: { seconds: "60", programs: "Infinity", tries: "3000" },
  });
  const seed = Number(options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const contestants = CONTESTANTS.length > 1 ? CONTESTANTS : [...CONTESTANTS, ...CONTESTANTS];
  const limits = {
    programs: Number(options.programs),
    milliseconds: Number(options.seconds) * 1000,
    tries: Number(options.tries),
  };
  const forced = {
    ...(options.cpus === undefined ? {} : { cpus: Number(options.cpus) }),
    ...(options.cpu === undefined ? {} : { cpuModel: options.cpu }),
  };
  const names = contestants.map(({ name }) => name).join(", ");
  console.log(`lockstep of ${names}, seed ${seed}`);
  let next = performance.now() + PROGRESS;
  const report = campaign(seed, contestants, limits, forced, ({ programs, steps }) => {
    if (performance.now() < next) return;
    next += PROGRESS;
    console.error(`${programs} programs, ${steps} steps`);
  });
  const { programs, steps, found } = report;
  if (found !== undefined) {
    const file = new URL(`seed_${found.trial.seed}.json`, FOUND);
    Deno.mkdirSync(FOUND, { recursive: true });
    Deno.writeTextFileSync(file, trialToJson(found.trial, found.lines));
    console.log(`seed ${found.trial.seed}, ${JSON.stringify(found.trial.program.settings)}`);
    console.log(found.trial.program.source);
    for (const line of found.lines) console.log(line);
    console.log(`written to tests/lockstep/found/seed_${found.trial.seed}.json`);
  }
  console.log(
    `${programs} programs, ${steps} steps, ${found === undefined ? 0 : 1} differences, seed ${seed}`,
  );
  if (found !== undefined) Deno.exit(1);
}

if (import.meta.main) main();
