/** `hindsight explore`: an input at every step boundary of a window, and what comes of it. */
import type { Outcome } from "../journal/course.ts";
import type { Future } from "../journal/explore.ts";
import { fork as forkRun } from "../journal/fork.ts";
import type { Command } from "./command.ts";
import { engineOf } from "./engine_options.ts";
import { CommandError } from "./errors.ts";
import {
  ALL_OPTIONS,
  type Chunk,
  type Exploration,
  explorationOf,
  type Explored,
  explorerOf,
  injectionText,
} from "./exploration.ts";
import { repeatedInputs } from "./fork.ts";
import { FileSink } from "./host/file_sink.ts";
import { makeFolder, pathIn } from "./host/folder.ts";
import type { Host } from "./host/host.ts";
import { imagesOf } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { drive } from "./host/record_driver.ts";
import { workInPool } from "./host/worker_pool.ts";
import type { Options } from "./options.ts";
import { commonStart, outcomeText } from "./outcome_text.ts";
import { ScriptRun } from "./script_run.ts";
import { counted, grouped, paletteFor, ranges } from "./text.ts";

/** Boundaries in one job of a worker. */
const CHUNK = 64;
/** Ranges of instants named for each outcome. */
const RANGES_NAMED = 6;
const DETAILS =
  `At every step boundary of the window, and for each WHAT, RUN is forked: WHAT is delivered there, and the run goes
on, with what it was given later, to power-off, rest or --until. Outcomes are told apart by how a future ends, its
exit code, what the console wrote from A on, and the values of --when. Each is counted, with where it comes from,
and with -o gets a journal of its own.

A future whose state is one that another was in at the same instant ends like it, and is left there; nothing is
guessed, and --no-prune gives the same outcomes. Actions are
those of scripts (\`record --help\`).`;

/** Futures with one end. */
interface Group {
  readonly outcome: Outcome;
  readonly futures: { readonly instant: number; readonly injection: number }[];
  journal?: string;
}

/** Gathers futures by how they end. */
class Outcomes {
  readonly #groups = new Map<string, Group>();
  count = 0;
  steps = 0;
  withoutAny: Outcome | undefined;

  add(futures: readonly Future[]): void {
    for (const { instant, injection, outcome, steps } of futures) {
      const key = JSON.stringify(outcome);
      let group = this.#groups.get(key);
      if (group === undefined) this.#groups.set(key, group = { outcome, futures: [] });
      group.futures.push({ instant, injection });
      this.count++;
      this.steps += steps;
    }
  }

  /** The rarest first; those that were refused last. */
  groups(): Group[] {
    const groups = [...this.#groups.values()];
    for (const { futures } of groups) {
      futures.sort((a, b) => a.instant - b.instant || a.injection - b.injection);
    }
    const isRefused = ({ outcome }: Group): number => outcome.reason === "refused" ? 1 : 0;
    return groups.sort((a, b) =>
      isRefused(a) - isRefused(b) || a.futures.length - b.futures.length ||
      a.futures[0]!.instant - b.futures[0]!.instant
    );
  }
}

/** Explores all chunks, here or in workers; tells whether it was interrupted. */
async function exploreAll(
  options: Options,
  { from, to }: Exploration,
  outcomes: Outcomes,
  host: Host,
): Promise<boolean> {
  const ending = new AbortController(), progress = new Progress(host, "exploring");
  const unlisten = host.onInterrupt(() => ending.abort());
  const started = host.now(), total = to - from + 1;
  let next = from, done = 0;
  const take = (): Chunk | undefined => {
    if (next > to) return undefined;
    const first = next;
    next = Math.min(to + 1, first + CHUNK);
    return { first, last: next - 1 };
  };
  const add = ({ futures, withoutAny }: Explored): void => {
    outcomes.add(futures);
    outcomes.withoutAny = withoutAny;
    done = Math.min(total, done + CHUNK);
    const rate = outcomes.count / Math.max(1, host.now() - started) * 1000;
    const left = Math.ceil((total - done) * (outcomes.count / Math.max(1, done)) / Math.max(rate, 1e-9));
    progress.note(
      `${grouped(done)} of ${counted(total, "instant")}, ${rate.toFixed(0)} forks/s, ` +
        `${counted(left, "second")} left`,
    );
  };
  const jobs = Math.min(
    options.number("jobs", 1, 64) ?? navigator.hardwareConcurrency,
    Math.ceil(total / CHUNK),
  );
  try {
    if (jobs === 1) {
      const explore = explorerOf(options, host);
      for (let chunk = take(); chunk !== undefined && !ending.signal.aborted; chunk = take()) {
        add(explore(chunk));
        await host.breathe();
      }
    } else {
      const module = new URL("./host/explore_worker.ts", import.meta.url);
      const args = [...options.given(ALL_OPTIONS), "--", options.others[0]!];
      await workInPool<Chunk, Explored>({
        module,
        name: "explore",
        args,
        jobs,
        take,
        add,
        signal: ending.signal,
      });
    }
  } finally {
    unlisten();
    progress.clear();
  }
  return ending.signal.aborted;
}

/** Records the first future of an outcome. Throws CommandError when it ends in another way. */
async function record(
  { outcome, futures }: Group,
  { opened, until, injections }: Exploration,
  options: Options,
  path: string,
  host: Host,
): Promise<void> {
  const { instant, injection } = futures[0]!, images = imagesOf(opened, options);
  const { recorder, laterInputs } = forkRun(
    opened.run,
    images,
    instant,
    new FileSink(path),
    engineOf(options),
  );
  const repeated = options.isOn("drop-inputs") ? [] : repeatedInputs(laterInputs, opened.path);
  const here = repeated.filter((input) => input.instant === instant);
  const script = {
    name: "--inject",
    statements: [],
    timed: [...here, { line: 1, instant, input: injections[injection]! }, ...repeated.slice(here.length)],
  };
  const { end } = await drive({
    recorder,
    script: new ScriptRun(script),
    host,
    show: () => {},
    until,
    readsInput: false,
    isPaced: false,
    endsAtReset: options.isOn("no-reboot"),
  });
  const reason = end.reason === "instant" ? "limit" : end.reason;
  if (reason === outcome.reason && end.exitCode === outcome.exitCode) return;
  throw new CommandError(
    `The future of instant ${instant} ended in another way when it was recorded: a defect of Hindsight`,
  );
}

function reportText(
  groups: readonly Group[],
  exploration: Exploration,
  outcomes: Outcomes,
  seconds: number,
  options: Options,
  host: Host,
): string {
  const { bold, dim } = paletteFor(host.stdout), whens = options.texts("when");
  const without = JSON.stringify(outcomes.withoutAny);
  const common = commonStart(
    groups.map(({ outcome }) => outcome).filter(({ reason }) => reason !== "refused"),
  );
  const lines = groups.flatMap(({ outcome, futures, journal }) => {
    const same = JSON.stringify(outcome) === without ? ", as without any" : "";
    const byInjection = exploration.injections.flatMap((input, index) => {
      const instants = futures.filter(({ injection }) => injection === index).map(({ instant }) => instant);
      return instants.length === 0
        ? []
        : [`          ${injectionText(input)} at ${ranges(instants, RANGES_NAMED)}`];
    });
    return [
      `${bold(grouped(futures.length).padStart(8))}  ${outcomeText(outcome, whens, common)}${same}`,
      ...byInjection,
      ...(journal === undefined ? [] : [dim(`          hindsight replay --console ${journal}`)]),
    ];
  });
  const rate = (outcomes.count / Math.max(seconds, 1e-3)).toFixed(0);
  return [
    `${counted(groups.length, "outcome")} of ${counted(outcomes.count, "future")} ` +
    `(${grouped(outcomes.steps)} steps, ${rate} forks/s):`,
    ...lines,
    "",
  ].join("\n");
}

async function run(options: Options, host: Host): Promise<number> {
  const exploration = explorationOf(options, host);
  const folder = options.text("output");
  if (folder !== undefined) makeFolder(folder);
  const outcomes = new Outcomes(), started = host.now();
  const isInterrupted = await exploreAll(options, exploration, outcomes, host);
  const seconds = (host.now() - started) / 1000;
  const groups = outcomes.groups();
  for (const [index, group] of groups.entries()) {
    if (folder === undefined || group.outcome.reason === "refused") continue;
    group.journal = pathIn(folder, `outcome-${index + 1}.hindsight`);
    await record(group, exploration, options, group.journal, host);
  }
  const { withoutAny } = outcomes;
  if (isInterrupted) host.stderr.write("hindsight: interrupted: the rest of the window was not explored\n");
  if (options.isOn("json")) {
    const value = {
      futures: outcomes.count,
      steps: outcomes.steps,
      isInterrupted,
      withoutAny: withoutAny ?? null,
      outcomes: groups.map(({ outcome, futures, journal }) => ({
        ...outcome,
        count: futures.length,
        futures: futures.map((
          { instant, injection },
        ) => [instant, injectionText(exploration.injections[injection]!)]),
        journal: journal ?? null,
      })),
    };
    host.stdout.write(`${JSON.stringify(value)}\n`);
  } else {
    host.stdout.write(reportText(groups, exploration, outcomes, seconds, options, host));
  }
  return isInterrupted ? 1 : 0;
}

/** The command. */
export const explore: Command = {
  operands: ["RUN"],
  details: DETAILS,
  examples: [
    "deno task hindsight explore u.hindsight --from 100000 --to 100200 --inject irq:33",
    "deno task hindsight explore u.hindsight --from 100000 --to 100100 --inject irq:33 --inject 'key power' -o outcomes",
  ],
  options: ALL_OPTIONS,
  run,
};
