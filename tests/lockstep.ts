/**
 * `deno task lockstep [--seconds N] [--programs N] [--seed N] [--cpus N] [--cpu MODEL] [--tries N] [--engine NAME]… [--hot]`:
 * random programs on every engine, or on the first and those named, whose state and history roots must be equal every
 * 1,000 steps. What differs is cut down to a short program, printed, and written to tests/lockstep/found, whose files
 * are replayed by the test suite. A program that an engine does not end within a minute is named. With \`--hot\`,
 * programs go round in loops and calls until all of them is compiled.
 */
import { parseArgs } from "@std/cli";
import type { Report } from "./lockstep/campaign.ts";
import { CONTESTANTS, type Place } from "./lockstep/compare.ts";
import { trialToJson } from "./lockstep/trial.ts";
import type { News, Request } from "./lockstep/worker.ts";

const FOUND = new URL("./lockstep/found/", import.meta.url);
/** Milliseconds between two lines of progress, and those that one program may take. */
const PROGRESS = 10_000, PATIENCE = 60_000;

/** What is known when a campaign is over, or does not go on. */
interface Outcome {
  report: Report;
  /** Seed of the last program begun. */
  seed: number;
  /** An engine did not end. */
  isStuck: boolean;
}

/** Runs a campaign in a worker; gives up when nothing is heard of it for long. */
function run(request: Request): Promise<Outcome> {
  const worker = new Worker(new URL("./lockstep/worker.ts", import.meta.url), { type: "module" });
  const outcome: Outcome = { report: { programs: 0, steps: 0 }, seed: request.seed, isStuck: false };
  let heard = performance.now(), shown = heard;
  return new Promise((resolve, reject) => {
    const end = () => {
      clearInterval(timer);
      worker.terminate();
      resolve(outcome);
    };
    const timer = setInterval(() => {
      if (performance.now() - heard < PATIENCE) return;
      outcome.isStuck = true;
      end();
    }, 1000);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }: MessageEvent<News>) => {
      heard = performance.now();
      if (data.kind === "differs") outcome.report.found = data.place;
      if (data.kind === "begins") outcome.seed = data.seed;
      if (data.kind === "begins" || data.kind === "ends") outcome.report = data.report;
      if (data.kind === "ends") end();
      const { programs, steps, found } = outcome.report;
      if (heard - shown < PROGRESS) return;
      shown = heard;
      console.error(`${programs} programs, ${steps} steps${found ? ", one differs and is made short" : ""}`);
    };
    worker.postMessage(request);
  });
}

/** Prints a difference and keeps it. */
function keep({ trial, lines }: Place): void {
  const file = new URL(`seed_${trial.seed}.json`, FOUND);
  Deno.mkdirSync(FOUND, { recursive: true });
  Deno.writeTextFileSync(file, trialToJson(trial, lines));
  console.log(`seed ${trial.seed}, ${JSON.stringify(trial.program.settings)}`);
  console.log(trial.program.source);
  for (const line of lines) console.log(line);
  console.log(`written to tests/lockstep/found/seed_${trial.seed}.json`);
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "programs", "seed", "cpus", "cpu", "tries", "engine"],
    boolean: ["hot"],
    collect: ["engine"],
    default: { seconds: "60", programs: "Infinity", tries: "3000" },
  });
  const seed = Number(options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const limits = {
    programs: Number(options.programs),
    milliseconds: Number(options.seconds) * 1000,
    tries: Number(options.tries),
  };
  const forced = {
    ...(options.cpus === undefined ? {} : { cpus: Number(options.cpus) }),
    ...(options.cpu === undefined ? {} : { cpuModel: options.cpu }),
  };
  const names = CONTESTANTS.map(({ name }) => name);
  const engines = options.engine?.length ? options.engine : names;
  const unknown = engines.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    console.error(`There is no engine "${unknown}": use ${names.join(", ")}`);
    Deno.exit(2);
  }
  console.log(
    `lockstep of ${names[0]} and ${engines.filter((name) => name !== names[0]).join(", ")}, seed ${seed}`,
  );
  const outcome = await run({ seed, limits, forced, engines, isHot: options.hot }),
    { programs, steps, found } = outcome.report;
  if (found !== undefined) keep(found);
  if (outcome.isStuck) {
    console.log(
      found === undefined
        ? `seed ${outcome.seed} does not end: --programs 1 --seed ${outcome.seed} shows it`
        : `a shorter form of seed ${outcome.seed} does not end: the one kept is not the shortest`,
    );
  }
  const failures = found === undefined && !outcome.isStuck ? 0 : 1;
  console.log(`${programs} programs, ${steps} steps, ${failures} differences, seed ${seed}`);
  if (failures > 0) Deno.exit(1);
}

await main();
