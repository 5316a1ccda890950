/** `hindsight diff`: the first event in which two runs differ, and what followed from it. */
import type { MachineEvent } from "../machine/events.ts";
import { buildBoard } from "../machine/board.ts";
import { diff as compare, type Difference, type DiffSide } from "../journal/diff.ts";
import { diffExhaustive, type ExhaustiveDiff } from "../journal/diff_exhaustive.ts";
import { type DiffFilterOptions, FILTER_WORDS, type IgnoredRange } from "../journal/diff_filter.ts";
import { type Comparison, type Consequences, follow } from "../journal/diff_follow.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { differencePage, HtmlRows } from "./diff_html.ts";
import { divergenceText, exhaustiveText, otherText } from "./diff_text.ts";
import {
  configurationDifferences,
  type Divergence,
  namesOf,
  NOT_LOOKED_FOR,
  registerRows,
  table,
  type View,
} from "./diff_view.ts";
import { CommandError, UsageError } from "./errors.ts";
import { eventJson } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseOutside } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { suggestion } from "./suggest.ts";
import type { SymbolTable } from "./symbols.ts";
import { grouped, paletteFor } from "./text.ts";

/** The words of a filter; throws UsageError for one that no run has. */
function wordsOf(options: Options, name: string, sides: readonly DiffSide[]): string[] {
  const words = options.texts(name).flatMap((text) => text.split(",")).filter((word) => word !== "");
  const devices = sides.flatMap(({ run }) =>
    buildBoard(run.manifest.configuration).rows.map((row) => row.name)
  );
  const known = new Set([...FILTER_WORDS, ...devices, "gicc", "gich", "gicv"]);
  for (const word of words) {
    if (known.has(word)) continue;
    throw new UsageError(
      `--${name}: there is no "${word}"${
        suggestion(word, known) || `; there are ${FILTER_WORDS.join(", ")}, and devices`
      }`,
    );
  }
  return words;
}

/** `0x9000000..0x9001000`; throws UsageError. */
function rangeOf(text: string): IgnoredRange {
  const [, from, to] = /^(0x[0-9a-f_]+|[0-9_]+)\.\.(0x[0-9a-f_]+|[0-9_]+)$/i.exec(text) ?? [];
  const range = [from, to].map((word) => word === undefined ? -1n : BigInt(word.replaceAll("_", "")));
  if (range[0]! >= 0n && range[0]! < range[1]!) return range as unknown as IgnoredRange;
  throw new UsageError(
    `--ignore-address takes a first address and one after the last, such as 0x9000000..0x9001000, not "${text}"`,
  );
}

function filterOf(options: Options, sides: readonly DiffSide[]): DiffFilterOptions {
  return {
    ignore: wordsOf(options, "ignore", sides),
    only: wordsOf(options, "only", sides),
    ignoreAddresses: options.texts("ignore-address").map(rangeOf),
  };
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") {
    return `${value < 0n ? "-" : ""}0x${(value < 0n ? -value : value).toString(16)}`;
  }
  return value;
}

function comparisonJson({ left, right, difference }: Comparison, symbols: SymbolTable): unknown {
  const json = (event: MachineEvent | undefined) => event && JSON.parse(eventJson(event, symbols));
  return { difference, left: json(left), right: json(right) };
}

/** Everything as one JSON value. */
function jsonOf(
  found: Difference,
  followed: Consequences | undefined,
  exhaustive: ExhaustiveDiff | undefined,
  symbols: SymbolTable,
): object {
  const json = (events: readonly MachineEvent[]) =>
    events.map((event) => JSON.parse(eventJson(event, symbols)));
  const episodes = exhaustive?.episodes.map(({ before, after, ...rest }) => (
    { ...rest, before: json(before), after: after.map(json) }
  ));
  const more = exhaustive === undefined ? {} : { exhaustive: { ...exhaustive, episodes } };
  if (found.kind !== "divergent" || followed === undefined) return { ...found, ...more };
  return {
    kind: found.kind,
    instant: found.instant,
    withSteps: found.withSteps,
    effort: found.effort,
    ...found.firstUse === undefined ? {} : {
      firstUse: {
        ...found.firstUse,
        around: found.firstUse.around.map((bytes) => bytes.toHex()),
        steps: found.firstUse.steps.map((step) => step && json([step])[0]),
      },
    },
    before: json(found.sides[0].before),
    sides: found.sides.map(({ event, after }) => ({ event: event && json([event])[0], after: json(after) })),
    registers: registerRows(found),
    followed: { ...followed, first: followed.first.map((one) => comparisonJson(one, symbols)) },
    ...more,
  };
}

/** Where steps are compared: up to where plain diff found something, which it then need not find. */
function exhaustiveOf(
  sides: readonly [DiffSide, DiffSide],
  found: Difference,
  options: Options,
  progress: Progress,
): ExhaustiveDiff {
  const last = Math.min(...sides.map(({ run }) => run.lastInstant));
  const span = { firstInstant: Math.max(...sides.map(({ run }) => run.firstInstant)), lastInstant: last };
  const from = options.number("from"), to = options.number("to");
  refuseOutside("--from", from, span);
  const end = to ?? (found.kind === "divergent" ? Math.min(last, found.instant + 1) : last);
  return diffExhaustive(...sides, {
    ...engineOf(options),
    ...from === undefined ? {} : { from },
    to: end,
    progress: (instant) => progress.update(instant, end),
  });
}

function writePage(path: string, page: string, options: Options, host: Host): void {
  if (options.others.includes(path)) throw new UsageError(`--html ${path}: that is one of the journals`);
  try {
    Deno.writeTextFileSync(path, page);
  } catch (error) {
    throw new CommandError(`Cannot write "${path}": ${(error as Error).message}`);
  }
  host.stderr.write(`hindsight: wrote ${path}\n`);
}

/** Whether all that differs is what the filters hide. */
function isAllHidden({ counts, hidden }: Consequences): boolean {
  const total = (of: Consequences["counts"]) =>
    Object.entries(of).reduce((sum, [name, count]) => name === "same" ? sum : sum + count, 0);
  return total(hidden) > 0 && total(counts) === total(hidden);
}

function lines(
  found: Difference,
  followed: Consequences | undefined,
  exhaustive: ExhaustiveDiff | undefined,
  view: View,
): string[] {
  const { palette } = view;
  const hidden = followed !== undefined && isAllHidden(followed)
    ? [`${palette.green("Different only in what the filters hide.")}`, ""]
    : [];
  const main = found.kind === "divergent" ? divergenceText(found, followed!, view) : otherText(found, view);
  const looked = exhaustive === undefined
    ? NOT_LOOKED_FOR.split("\n")
    : ["", ...exhaustiveText(exhaustive, view)];
  const isTold = found.kind === "equal" || found.kind === "divergent" || exhaustive !== undefined;
  return [...hidden, ...main, ...isTold ? looked : []];
}

function run(options: Options, host: Host): number {
  const names = namesOf(options.others),
    symbols = symbolsOf(options),
    context = options.number("context", 0, 1000);
  const page = options.text("html");
  if (!options.isOn("exhaustive")) {
    for (const name of ["from", "to"]) {
      if (options.text(name)) throw new UsageError(`--${name} is for --exhaustive`);
    }
  }
  const sides = options.others.map((path): DiffSide => {
    const opened = openRun(path, host);
    return { run: opened.run, images: imagesOf(opened, options) };
  }) as [DiffSide, DiffSide];
  const filter = filterOf(options, sides), progress = new Progress(host, "comparing");
  const shared = { ...engineOf(options), ...context === undefined ? {} : { context } };
  const found = compare(...sides, {
    ...shared,
    progress: (text, low, high) => progress.note(`${text}, instants ${grouped(low)} to ${grouped(high)}`),
  });
  const rows = new HtmlRows();
  const followed = found.kind !== "divergent" ? undefined : follow(...sides, found.instant, {
    ...shared,
    ...filter,
    ...page === undefined ? {} : { each: (comparison: Comparison) => rows.add(comparison) },
    progress: (events) => progress.note(`aligning, ${grouped(events)} events`),
  });
  const exhaustive = options.isOn("exhaustive") ? exhaustiveOf(sides, found, options, progress) : undefined;
  progress.clear();
  const configurations = configurationDifferences(sides[0].run, sides[1].run);
  const view: View = { names, symbols, palette: paletteFor(host.stdout) };
  if (page !== undefined) {
    if (followed === undefined) host.stderr.write(`hindsight: no event differs: ${page} is not written\n`);
    else {writePage(
        page,
        differencePage(found as Divergence, followed, rows, configurations, view),
        options,
        host,
      );}
  }
  if (options.isOn("json")) {
    host.stdout.write(
      `${JSON.stringify({ configurations, ...jsonOf(found, followed, exhaustive, symbols) }, plain)}\n`,
    );
  } else {
    const machines = configurations.length === 0
      ? []
      : ["The machines are not the same:", ...table([["", ...names], ...configurations], "  "), ""];
    host.stdout.write(`${[...machines, ...lines(found, followed, exhaustive, view)].join("\n")}\n`);
  }
  if (followed !== undefined && isAllHidden(followed)) return 0;
  return found.kind === "equal" && (exhaustive?.episodes.length ?? 0) === 0 ? 0 : 1;
}

/** The command. */
export const diff: Command = {
  operands: ["A", "B"],
  details:
    "The place is found by halving on roots, then both runs are compared event by event; the later events of\n" +
    "both are aligned, so that what differs is told from what is the same at another time. A summary comes\n" +
    "first: what differed first, what followed, how much of the rest is the same, what the consoles wrote,\n" +
    "whether the states meet again. Then the events around the first difference, steps disassembled, the\n" +
    "registers that differ before it, and the first differences after it.\n" +
    "WORDS of --ignore and --only: classes of difference (timing, address, counter, value, left, right) and of\n" +
    "events (input, trap, device), kinds of event, names of devices. What they hide is counted.\n" +
    "Exits with 0 when the runs are equal or differ only in what is hidden, with 1 when they differ.\n" +
    "Runs of different machines or images are compared by their inputs, traps and device accesses.",
  examples: [
    "deno task hindsight record -bios u-boot -m 256 --script tests/fixtures/uboot.script -o larger.hindsight",
    "deno task hindsight diff u.hindsight larger.hindsight",
    "deno task hindsight diff u.hindsight larger.hindsight --ignore timing,uart0 --html difference.html",
  ],
  options: [
    { name: "context", value: "N", help: "events shown before and after, and differences after (default 8)" },
    {
      name: "ignore",
      value: "WORDS",
      repeats: true,
      help: "do not tell differences of these, only how many there are",
    },
    {
      name: "only",
      value: "WORDS",
      repeats: true,
      help: "tell only differences of these, and how many others there are",
    },
    {
      name: "ignore-address",
      value: "A..B",
      repeats: true,
      help:
        "do not tell differences of events about these addresses, B not included, only how many there are",
    },
    { name: "html", value: "FILE", help: "write a page with both runs side by side, in one file" },
    {
      name: "exhaustive",
      help: "compare every step before the first divergent event too: finds what arises and heals; slow",
    },
    { name: "from", value: "N", help: "with --exhaustive: from this instant on" },
    { name: "to", value: "N", help: "with --exhaustive: before this instant" },
    ...ENGINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
