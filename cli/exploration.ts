/** What `explore` was asked for: its options, and the exploring of one stretch of the window. */
import type { Outcome } from "../journal/course.ts";
import { type ExploreOptions, Explorer, type Future } from "../journal/explore.ts";
import { compilePredicate } from "../journal/predicate.ts";
import type { Input } from "../machine/events.ts";
import { addressOf } from "./bisect.ts";
import { IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { UsageError } from "./errors.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, type OpenedRun, openRun } from "./host/open_run.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type OptionRow, type Options, readOptions, refuseOutside } from "./options.ts";
import { inputText, parseAction } from "./script.ts";
import { grouped } from "./text.ts";

/** Most step boundaries of one exploration. */
const MOST_BOUNDARIES = 10_000_000;

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "from",        value: "A",      help: "the window's first step boundary" },
  { name: "to",          value: "B",      help: "its last" },
  { name: "inject",      value: "WHAT",   help: "irq:N, switch (to each other CPU), switch:N, or an action of scripts; several are tried each by itself", repeats: true },
  { name: "when",        value: "EXPR",   help: "looked at at the end of each future, in the language of `bisect`; outcomes differ in it", repeats: true },
  { name: "until",       value: "N",      help: "futures are left at this instant (default: as long behind the end of RUN as the window's beginning is before it)" },
  { name: "drop-inputs",                  help: "what RUN was given from A on does not come again" },
  { name: "no-reboot",                    help: "a reset ends a future" },
  { name: "no-prune",                     help: "run every future to its end, even where its state is that of another: slower, same outcomes" },
  { name: "output", aliases: ["o"], value: "DIR", help: "where a journal of each outcome goes, as outcome-N.hindsight; none without it" },
  { name: "jobs", aliases: ["j"], value: "N", help: "workers (default: as many as there are processors)" },
];

/** The options of `explore`. */
export const ALL_OPTIONS: readonly OptionRow[] = [
  ...OPTIONS,
  ...ENGINE_OPTIONS,
  ...SYMBOL_OPTIONS,
  ...IMAGE_OPTIONS,
];

/** Reads the command line of an exploration, for its workers. */
export function exploreOptions(args: readonly string[]): Options {
  return readOptions(args, ALL_OPTIONS);
}

/** What --inject asks for; a `switch` is one for each CPU. */
function injectionsOf(options: Options, cpus: number): Input[] {
  const texts = options.texts("inject");
  if (texts.length === 0) {
    throw new UsageError("explore needs what to inject: --inject irq:33, --inject switch, …");
  }
  return texts.flatMap((text): Input[] => {
    const [, interrupt] = /^irq:([0-9]+)$/.exec(text) ?? [];
    if (interrupt !== undefined) return [read(`inject irq ${interrupt}`, text)];
    const [, target] = /^switch:([0-9]+)$/.exec(text) ?? [];
    if (target !== undefined) return [read(`switch cpu ${target}`, text)];
    if (text !== "switch") return [read(text, text)];
    if (cpus === 1) throw new UsageError("--inject switch: the machine has one CPU");
    return Array.from({ length: cpus }, (_, target) => ({ kind: "cpuSwitchForced", target }));
  });
}

function read(action: string, text: string): Input {
  try {
    return parseAction(action);
  } catch (error) {
    if (error instanceof UsageError) {
      throw new UsageError(`--inject ${JSON.stringify(text)}: ${error.message}`);
    }
    throw error;
  }
}

/** What is explored, by the command line. */
export interface Exploration {
  readonly opened: OpenedRun;
  readonly from: number;
  readonly to: number;
  readonly until: number;
  readonly injections: readonly Input[];
}

/** Reads what is to be explored. Throws UsageError, and what opening throws. */
export function explorationOf(options: Options, host: Host): Exploration {
  const from = options.number("from"), to = options.number("to");
  if (from === undefined || to === undefined) throw new UsageError("explore needs a window: --from A --to B");
  if (to < from) throw new UsageError(`--to ${to} is before --from ${from}`);
  if (to - from >= MOST_BOUNDARIES) {
    throw new UsageError(`--to ${to}: at most ${grouped(MOST_BOUNDARIES)} boundaries`);
  }
  const opened = openRun(options.others[0]!, host), { run } = opened;
  refuseOutside("--from", from, run);
  refuseOutside("--to", to, run);
  const injections = injectionsOf(options, run.manifest.configuration.cpus);
  const until = options.number("until") ?? 2 * run.lastInstant - from;
  if (until < to) throw new UsageError(`--until ${until} is before --to ${to}`);
  return { opened, from, to, until, injections };
}

/** How futures are run. */
function exploreOptionsOf(options: Options, { from, until, injections }: Exploration): ExploreOptions {
  const symbols = symbolsOf(options);
  return {
    ...engineOf(options),
    compile: "off",
    from,
    until,
    injections,
    conditions: options.texts("when").map((text) =>
      compilePredicate(text, (name) => addressOf(name, symbols))
    ),
    dropsInputs: options.isOn("drop-inputs"),
    endsAtReset: options.isOn("no-reboot"),
    prunes: !options.isOn("no-prune"),
  };
}

/** What came of a chunk. */
export interface Explored {
  /** Its futures. */
  readonly futures: readonly Future[];
  /** How the run ends with nothing injected, in the same terms. */
  readonly withoutAny: Outcome;
}

/** Explores a chunk: what a worker does. */
export function explorerOf(options: Options, host: Host): (chunk: Chunk) => Explored {
  const exploration = explorationOf(options, host), { run } = exploration.opened;
  const images = imagesOf(exploration.opened, options), how = exploreOptionsOf(options, exploration);
  let explorer: Explorer | undefined, reached = 0;
  return ({ first, last }) => {
    // Chunks come in order to each worker; one that would go back begins anew.
    if (explorer === undefined || first < reached) explorer = new Explorer(run, images, how);
    reached = last + 1;
    return { futures: [...explorer.explore(first, last)], withoutAny: explorer.withoutAny };
  };
}

/** Step boundaries, both included. */
export interface Chunk {
  /** The first. */
  readonly first: number;
  /** The last. */
  readonly last: number;
}

/** What is injected, in the words of `--inject`. */
export function injectionText(input: Input): string {
  if (input.kind === "interruptInjected") return `irq:${input.interrupt}`;
  if (input.kind === "cpuSwitchForced") return `switch:${input.target}`;
  return inputText(input);
}
