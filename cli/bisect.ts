/** `hindsight bisect`: the first instant at which an expression holds. */
import { bisect as search, type Bisection } from "../journal/bisect.ts";
import { eventToJson } from "../journal/event_json.ts";
import { compilePredicate, type Predicate } from "../journal/predicate.ts";
import { type Command, IMAGE_OPTIONS } from "./command.ts";
import { generalRegisters, pstateText } from "./cpu_view.ts";
import { UsageError } from "./errors.ts";
import { eventText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import type { Options } from "./options.ts";
import { engineOf } from "./replay.ts";
import { counted, grouped, hex64, type Palette, paletteFor } from "./text.ts";

function predicateOf(options: Options): { expression: string; predicate: Predicate } {
  const expression = options.text("when");
  if (expression === undefined) throw new UsageError("bisect needs an expression: --when EXPR");
  return { expression, predicate: compilePredicate(expression) };
}

/** X registers that are not zero, SP, PC and PSTATE of the CPU whose step it was. */
function registersText(found: Bisection & { kind: "found" }): string {
  const index = found.events.at(-1)?.cpu ?? 0;
  const cpu = found.replay.machine.board.cpus[index];
  if (cpu === undefined) return "";
  const shown = generalRegisters(cpu).filter(([name, value]) => value !== 0n || name === "pc");
  const cells = shown.map(([name, value]) => `${name} ${hex64(value)}`);
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += 4) lines.push(`  ${cells.slice(at, at + 4).join("  ")}`);
  return `cpu${index} after it, ${pstateText(cpu)}:\n${lines.join("\n")}\n`;
}

function foundText(
  found: Bisection & { kind: "found" },
  expression: string,
  isFirst: boolean,
  palette: Palette,
): string {
  const { instant, probes, events } = found;
  const effort = isFirst ? "looking at every step" : `after ${counted(probes, "probe")}`;
  return [
    `${palette.bold(expression)} holds from instant ${palette.bold(grouped(instant))} on, not at ${
      grouped(instant - 1)
    } (${effort}).`,
    "The step between them:",
    ...events.map((event) => `  ${eventText(event, palette)}`),
    registersText(found),
    ...(isFirst
      ? []
      : ["An expression that comes and goes may have held before: --scan looks at every step."]),
    "",
  ].join("\n");
}

function resultText(found: Bisection, expression: string, isScan: boolean, palette: Palette): string {
  switch (found.kind) {
    case "always":
      return `${expression} holds at instant 0 already.\n`;
    case "never":
      return isScan
        ? `${expression} never holds up to instant ${grouped(found.lastInstant)}, the end.\n`
        : `${expression} does not hold at instant ${grouped(found.lastInstant)}, the end. ` +
          `If it came and went, --scan finds when.\n`;
    case "found":
      return foundText(found, expression, isScan, palette);
  }
}

function resultJson(found: Bisection): string {
  if (found.kind !== "found") return JSON.stringify(found);
  const { kind, instant, probes, events } = found;
  return JSON.stringify({
    kind,
    instant,
    probes,
    events: events.map((event) => JSON.parse(eventToJson(event))),
  });
}

function run(options: Options, host: Host): number {
  const { expression, predicate } = predicateOf(options);
  const opened = openRun(options.others[0]!, host);
  const isScan = options.isOn("scan");
  const progress = new Progress(host, "bisecting");
  const found = search(opened.run, imagesOf(opened, options), predicate, {
    ...engineOf(options),
    scan: isScan,
    progress: (low, high) => progress.note(`instants ${grouped(low)} to ${grouped(high)}`),
  });
  progress.clear();
  const palette = paletteFor(host.stdout);
  const text = options.isOn("json")
    ? `${resultJson(found)}\n`
    : resultText(found, expression, isScan, palette);
  host.stdout.write(text);
  return found.kind === "never" ? 1 : 0;
}

/** The command. */
export const bisect: Command = {
  name: "bisect",
  operands: ["RUN"],
  summary: "Finds the step from which on an expression holds",
  details: "EXPR is in the Common Expression Language: comparisons, arithmetic, && || !, over\n" +
    "  memory(ADDRESS, BYTES)       1, 2, 4 or 8 bytes of physical memory\n" +
    "  register(NAME)               of the CPU whose turn it is: x0–x30, w0–w30, sp, pc, nzcv, el, daif,\n" +
    "  register(NAME, CPU)          or a system register such as ELR_EL1; or of a given CPU\n" +
    "  instant, time, cpu           steps, nanoseconds, whose turn it is\n" +
    "Exits with 0 when there is such a step, with 1 when the expression does not hold at the end.",
  example: "deno task hindsight bisect bad.hindsight --when 'memory(0x40010000, 8) > 100'",
  options: [
    { name: "when", value: "EXPR", help: "what must hold" },
    { name: "scan", help: "look at every step from the start, for what comes and goes; slow" },
    { name: "engine", value: "NAME", help: "what runs the CPUs; changes no result" },
    ...IMAGE_OPTIONS,
  ],
  run,
};
