/** `hindsight hunt`: runs one machine under many schedules until something happens. */
import type { MachineConfiguration } from "../machine/configuration.ts";
import { type Command, SYMBOL_OPTIONS } from "./command.ts";
import { UsageError } from "./errors.ts";
import { makeFolder, pathIn } from "./host/folder.ts";
import type { Host } from "./host/host.ts";
import { huntHere, huntInWorkers, type HuntRange, type HuntResult } from "./host/hunt_pool.ts";
import { Hunt, HUNT_LIMIT, type SeedOutcome } from "./host/hunt_seed.ts";
import { Progress } from "./host/progress.ts";
import { END_TEXT } from "./info.ts";
import { BATCH_OPTIONS, prepareMachine, SCRIPT_HELP } from "./machine_options.ts";
import { type OptionRow, Options, readOptions, wholeNumber } from "./options.ts";
import { engineOf } from "./engine_options.ts";
import { LOOK_EVERY, watchOf } from "./run.ts";
import { counted, grouped, lastLine, paletteFor } from "./text.ts";

/** Most seeds of one hunt. */
const MOST_SEEDS = 1_000_000;
/** Seeds named for each outcome. */
const SEEDS_NAMED = 5;

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "seeds",      value: "A..B", help: "the schedule seeds to try, in order" },
  { name: "until",      value: "EXPR", help: "what is hunted for, in the language of `bisect`; the first seed where it holds ends the hunt" },
  { name: "look-every", value: "N",    help: `steps between two looks at EXPR, besides the one at the end (default ${LOOK_EVERY})` },
  { name: "limit",      value: "N",    help: `a run ends at this instant at the latest (default ${HUNT_LIMIT})` },
  { name: "all",                       help: "try every seed, and list the different outcomes, the rarest first" },
  { name: "output", aliases: ["o"], value: "DIR", help: "where journals go, as seed-N.hindsight (default: here)" },
  { name: "jobs", aliases: ["j"], value: "N", help: "runs at a time (default: as many as there are processors)" },
];

const ALL_OPTIONS: readonly OptionRow[] = [...OPTIONS, ...BATCH_OPTIONS, ...SYMBOL_OPTIONS];

const DETAILS =
  `Each seed draws the lengths and the order of the CPUs' turns (as \`record --schedule-seed\`); all else is the
same. A run ends at power-off, at rest, at --until-console, at a condition that holds, or at --limit. Without
--until, the text of --until-console is what is hunted for. The run that is found is recorded; with --all, the
first of each outcome. Exits with 0 when something was found (with --all: always), with 1 otherwise.

${SCRIPT_HELP}`;

/** Reads the command line of a hunt, for its workers. */
export function huntOptions(args: readonly string[]): Options {
  return readOptions(args, ALL_OPTIONS);
}

/** A hunt by its command line; `configuration` when it was read before. */
export function huntOf(options: Options, host: Host, configuration?: MachineConfiguration): Hunt {
  const machine = prepareMachine(options, host);
  const same = configuration === undefined ? machine : { ...machine, configuration };
  return new Hunt(options, same, watchOf(options, "until"), engineOf(options));
}

function rangeOf(options: Options): { readonly first: number; readonly last: number } {
  const text = options.text("seeds");
  if (text === undefined) throw new UsageError("hunt needs seeds: --seeds 1..1000");
  const [, from = "", to = from] = /^([0-9_]+)(?:\.\.([0-9_]+))?$/.exec(text) ?? [];
  if (from === "") throw new UsageError(`--seeds takes a range such as 1..1000, not "${text}"`);
  const first = wholeNumber(from, "--seeds", 0, 2 ** 32 - 1),
    last = wholeNumber(to, "--seeds", 0, 2 ** 32 - 1);
  if (last < first) throw new UsageError(`--seeds ${text}: the range is empty`);
  if (last - first >= MOST_SEEDS) {
    throw new UsageError(`--seeds ${text}: at most ${MOST_SEEDS} seeds in one hunt`);
  }
  return { first, last };
}

/** The command line for workers: the same, with what was asked of the host made definite. */
function definiteArgs(options: Options, { rtcBase, seed }: MachineConfiguration): string[] {
  const base = new Date(rtcBase * 1000).toISOString().slice(0, 19);
  return [...options.given(ALL_OPTIONS), `--rtc=base=${base}`, `--seed=${seed}`];
}

/** Outcomes that are alike. */
interface Group {
  readonly example: SeedOutcome;
  readonly seeds: number[];
}

/** Groups outcomes by how they ended and what the console wrote last, the rarest first. */
function groupsOf(outcomes: readonly SeedOutcome[]): Group[] {
  const groups = new Map<string, Group>();
  for (const outcome of outcomes) {
    const { isFound, reason, exitCode, tail, failure, seed } = outcome;
    const key = JSON.stringify([isFound, reason, exitCode, tail, failure]);
    const group = groups.get(key) ?? { example: outcome, seeds: [] };
    group.seeds.push(seed);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => a.seeds.length - b.seeds.length || a.seeds[0]! - b.seeds[0]!);
}

function outcomeText({ reason, exitCode, failure, tail }: SeedOutcome): string {
  const code = reason === "poweredOff" ? ` with exit code ${exitCode}` : "";
  const last = lastLine(tail);
  return [
    `${END_TEXT[reason]}${code}`,
    ...(failure === undefined ? [] : [failure]),
    ...(last === "" ? [] : [`console: ${JSON.stringify(last)}`]),
  ].join("; ");
}

/** Where the journal of a seed goes. */
function pathOf(options: Options, seed: number): string {
  return pathIn(options.text("output") ?? ".", `seed-${seed}.hindsight`);
}

/** Tells of the tries. */
function teller(host: Host): { readonly tell: HuntRange["tell"]; readonly clear: () => void } {
  const progress = new Progress(host, "hunting");
  const started = host.now();
  return {
    tell: (done, total) => {
      const rate = done / Math.max(1, host.now() - started) * 1000;
      const left = counted(Math.ceil((total - done) / rate), "second");
      progress.note(
        `${grouped(done)} of ${counted(total, "seed")}, ${rate.toFixed(1)} a second, ${left} left`,
      );
    },
    clear: () => progress.clear(),
  };
}

interface Report {
  readonly result: HuntResult;
  readonly groups: readonly Group[];
  /** The journals written, by seed. */
  readonly journals: ReadonlyMap<number, string>;
}

function reportText(
  { result: { outcomes, isInterrupted }, groups, journals }: Report,
  isAll: boolean,
  host: Host,
): string {
  const { bold, dim } = paletteFor(host.stdout);
  const interrupted = isInterrupted ? " before it was interrupted" : "";
  const tried = `${counted(outcomes.length, "seed")} tried${interrupted}`;
  const journalLines = (seed: number): string[] => {
    const path = journals.get(seed);
    return path === undefined ? [] : [dim(`  hindsight replay --console ${path}`)];
  };
  const found = outcomes.find(({ isFound }) => isFound);
  if (!isAll) {
    if (found === undefined) return `Not found: ${tried}.\n`;
    return [
      `Found with ${bold(`seed ${found.seed}`)}, at instant ${grouped(found.instant)}; ${tried}.`,
      `  ${outcomeText(found)}`,
      ...journalLines(found.seed),
      "",
    ].join("\n");
  }
  return [
    `${counted(groups.length, "outcome")} of ${tried}:`,
    ...groups.flatMap(({ example, seeds }) => [
      `${bold(grouped(seeds.length).padStart(8))}  ${example.isFound ? "found; " : ""}${
        outcomeText(example)
      }`,
      `          ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.slice(0, SEEDS_NAMED).join(", ")}${
        seeds.length > SEEDS_NAMED ? ", …" : ""
      }`,
      ...journalLines(example.seed).map((line) => `        ${line}`),
    ]),
    "",
  ].join("\n");
}

async function run(options: Options, host: Host): Promise<number> {
  const range = rangeOf(options), isAll = options.isOn("all");
  if (!isAll && options.text("until") === undefined && options.text("until-console") === undefined) {
    throw new UsageError("hunt needs what to look for: --until EXPR, --until-console TEXT, or --all");
  }
  const machine = prepareMachine(options, host);
  if (machine.request.networks.some(({ kind }) => kind === "bridge")) {
    throw new UsageError(
      "hunt has no network from outside: every run would get other frames; use -netdev user",
    );
  }
  if (machine.request.debug !== undefined) {
    throw new UsageError("hunt has no gdb: record the seed that it finds, then `hindsight gdb`");
  }
  const hunt = huntOf(options, host, machine.configuration);
  const folder = options.text("output");
  if (folder !== undefined) makeFolder(folder);
  const count = range.last - range.first + 1;
  const jobs = Math.min(options.number("jobs", 1, 64) ?? navigator.hardwareConcurrency, count);
  const { tell, clear } = teller(host);
  const all = { ...range, isWhole: isAll, tell };
  const result = jobs === 1
    ? await huntHere(hunt, all, host)
    : await huntInWorkers(definiteArgs(options, machine.configuration), jobs, all, host);
  clear();
  const groups = groupsOf(result.outcomes);
  const wanted = isAll
    ? groups.map(({ example }) => example)
    : result.outcomes.filter(({ isFound }) => isFound);
  const journals = new Map<number, string>();
  for (const outcome of wanted) {
    const path = pathOf(options, outcome.seed);
    await hunt.record(outcome, path, host);
    journals.set(outcome.seed, path);
  }
  const report = { result, groups, journals };
  host.stdout.write(options.isOn("json") ? reportJson(report) : reportText(report, isAll, host));
  return isAll || wanted.length > 0 ? 0 : 1;
}

function reportJson({ result: { outcomes, isInterrupted }, groups, journals }: Report): string {
  const found = outcomes.find(({ isFound }) => isFound);
  const value = {
    tried: outcomes.length,
    isInterrupted,
    found: found === undefined ? null : { ...found, journal: journals.get(found.seed) ?? null },
    outcomes: groups.map(({ example, seeds }) => ({
      count: seeds.length,
      seeds: seeds.slice(0, 1000),
      ...example,
      journal: journals.get(example.seed) ?? null,
    })),
  };
  return `${JSON.stringify(value)}\n`;
}

/** The command. */
export const hunt: Command = {
  operands: [],
  details: DETAILS,
  examples: [
    "deno task hindsight hunt --seeds 1..1000 -smp 2 -kernel my.elf --until 'memory(0x41000000, 4) == 0xdead'",
    "deno task hindsight hunt --seeds 1..100 --all -smp 4 -kernel my.elf -o outcomes",
  ],
  options: ALL_OPTIONS,
  run,
};
