/** `hindsight diff`: the first event in which two runs differ. */
import type { MachineEvent } from "../machine/events.ts";
import { diff as compare, type Difference } from "../journal/diff.ts";
import type { RecordedRun } from "../journal/run.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { configurationLines } from "./configuration_text.ts";
import { registerDifferences } from "./cpu_view.ts";
import { eventJson, eventText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import type { Options } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import type { SymbolTable } from "./symbols.ts";
import { counted, grouped, type Palette, paletteFor } from "./text.ts";

type Divergence = Difference & { readonly kind: "divergent" };

const NOT_LOOKED_FOR =
  "Not looked for: differences that arise and heal again between two roots without a trap,\n" +
  "a device access or an input.";

/** The lines of two configurations that are not in both. */
function configurationDifferences(left: RecordedRun, right: RecordedRun): [string, string, string][] {
  const [first, second] = [left, right].map((run) => configurationLines(run.manifest.configuration));
  const names = new Set([...first!.keys(), ...second!.keys()]);
  return [...names].flatMap((name): [string, string, string][] => {
    const values = [first!.get(name) ?? "none", second!.get(name) ?? "none"] as const;
    return values[0] === values[1] ? [] : [[name, ...values]];
  });
}

/** Names, and what each of the two runs has, in three columns. */
function table(rows: readonly (readonly [string, string, string])[], indent: string): string[] {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(([name, left, right]) =>
    `${indent}${name.padEnd(widths[0]!)}  ${left.padEnd(widths[1]!)}  ${right}`
  );
}

function registerRows({ sides: [left, right] }: Divergence): [string, string, string][] {
  const others = right.replay.machine.board.cpus;
  return left.replay.machine.board.cpus.flatMap((cpu, index) => {
    const other = others[index];
    if (other === undefined) return [];
    return registerDifferences(cpu, other).map(({ name, values }): [string, string, string] => [
      `cpu${index} ${name}`,
      ...values,
    ]);
  });
}

/** A side's events, the divergent one marked. */
function sideLines(
  name: string,
  events: readonly MachineEvent[],
  palette: Palette,
  symbols: SymbolTable,
): string[] {
  const lines = events.map((event, index) =>
    `${index === 0 ? palette.red(">") : " "} ${eventText(event, palette, symbols)}`
  );
  return [palette.bold(name), ...lines.length > 0 ? lines : [`${palette.red(">")} nothing more`], ""];
}

function divergenceText(
  found: Divergence,
  names: readonly [string, string],
  palette: Palette,
  symbols: SymbolTable,
): string[] {
  const [left, right] = found.sides;
  const rows = registerRows(found).map(([name, ...values]): [string, string, string] => [
    name,
    symbols.annotate(values[0]),
    symbols.annotate(values[1]),
  ]);
  return [
    `${palette.red("Different")}: the first divergent event is at instant ${
      palette.bold(grouped(found.instant))
    }.`,
    "",
    palette.bold("both"),
    ...left.before.map((event) => `  ${eventText(event, palette, symbols)}`),
    "",
    ...sideLines(names[0], left.after, palette, symbols),
    ...sideLines(names[1], right.after, palette, symbols),
    ...(rows.length === 0
      ? ["All registers are equal before it."]
      : ["Registers that differ before it:", ...table([["", ...names], ...rows], "  ")]),
    "",
    NOT_LOOKED_FOR,
  ];
}

function differenceText(
  found: Difference,
  names: readonly [string, string],
  palette: Palette,
  symbols: SymbolTable,
): string[] {
  switch (found.kind) {
    case "equal":
      return [
        `${palette.green("Equal")} to the end; ${counted(found.rootsCompared, "root")} compared.`,
        NOT_LOOKED_FOR,
      ];
    case "length": {
      const shorter = found.lastInstants[0] < found.lastInstants[1] ? 0 : 1;
      return [
        `${palette.red("Different")} in length only: equal up to instant ` +
        `${grouped(found.lastInstants[shorter])}, where ${names[shorter]} ends; ${
          names[1 - shorter]
        } goes on to ` +
        `${grouped(found.lastInstants[1 - shorter] as number)}.`,
      ];
    }
    case "state":
      return [
        `${palette.red("Different")} in state only: all events are equal up to instant ${
          grouped(found.instant)
        }, ` +
        `where these parts differ: ${found.parts.join(", ")}.`,
      ];
    case "beginning":
      return [
        `${palette.red("Different")} at instant ${
          grouped(found.instant)
        } already, where the later run begins: ` +
        `these parts differ there: ${found.parts.join(", ")}.`,
      ];
    case "divergent":
      return divergenceText(found, names, palette, symbols);
  }
}

function differenceJson(found: Difference, symbols: SymbolTable): unknown {
  if (found.kind !== "divergent") return found;
  const json = (events: readonly MachineEvent[]) =>
    events.map((event) => JSON.parse(eventJson(event, symbols)));
  return {
    kind: found.kind,
    instant: found.instant,
    before: json(found.sides[0].before),
    sides: found.sides.map(({ event, after }) => ({ event: event && json([event])[0], after: json(after) })),
    registers: registerRows(found),
  };
}

/** Names for the two sides: their files, or first and second where those are the same. */
function namesOf([left = "", right = ""]: readonly string[]): [string, string] {
  return left === right ? ["first", "second"] : [left, right];
}

function run(options: Options, host: Host): number {
  const names = namesOf(options.others), symbols = symbolsOf(options);
  const [left, right] = options.others.map((path) => {
    const opened = openRun(path, host);
    return { run: opened.run, images: imagesOf(opened, options) };
  });
  const progress = new Progress(host, "comparing");
  const context = options.number("context", 0, 1000);
  const found = compare(left!, right!, {
    ...engineOf(options),
    ...(context === undefined ? {} : { context }),
    progress: (text, low, high) => progress.note(`${text}, instants ${grouped(low)} to ${grouped(high)}`),
  });
  progress.clear();
  const configurations = configurationDifferences(left!.run, right!.run);
  if (options.isOn("json")) {
    host.stdout.write(`${JSON.stringify({ configurations, ...differenceJson(found, symbols) as object })}\n`);
  } else {
    const lines = configurations.length === 0
      ? []
      : ["The machines are not the same:", ...table([["", ...names], ...configurations], "  "), ""];
    host.stdout.write(
      `${[...lines, ...differenceText(found, names, paletteFor(host.stdout), symbols)].join("\n")}\n`,
    );
  }
  return found.kind === "equal" ? 0 : 1;
}

/** The command. */
export const diff: Command = {
  operands: ["A", "B"],
  details:
    "The place is found by halving on history roots, then both runs are compared event by event. Shows\n" +
    "the events around it on both sides, steps disassembled, and the registers that differ before it.\n" +
    "Exits with 0 when the runs are equal, with 1 when they differ. Runs of different machines are compared\n" +
    "by their events. " + NOT_LOOKED_FOR,
  examples: [
    "deno task hindsight record -bios u-boot -m 256 --script tests/fixtures/uboot.script -o larger.hindsight",
    "deno task hindsight diff u.hindsight larger.hindsight",
  ],
  options: [
    { name: "context", value: "N", help: "events shown before and after (default 8)" },
    ...ENGINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
