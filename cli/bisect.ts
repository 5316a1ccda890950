/** `hindsight bisect`: the first instant at which an expression holds. */
import { hex } from "../machine/address.ts";
import { bisect as search, type Bisection } from "../journal/bisect.ts";
import { PredicateError } from "../journal/errors.ts";
import { compilePredicate, type Predicate } from "../journal/predicate.ts";
import { bisectInputs, INPUT_OPTIONS } from "./bisect_inputs.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { generalRegisters, pstateText, registerColumns } from "./cpu_view.ts";
import { UsageError } from "./errors.ts";
import { eventJson, eventText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import type { Options } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { suggestion } from "./suggest.ts";
import type { SymbolTable } from "./symbols.ts";
import { counted, grouped, type Palette, paletteFor } from "./text.ts";

/** The one address of a name; throws PredicateError where there is none, or more than one. */
export function addressOf(name: string, symbols: SymbolTable): bigint {
  if (symbols.isEmpty) throw new PredicateError(`symbol("${name}") needs --symbols FILE`);
  const [address, ...others] = symbols.addressesOf(name);
  if (address === undefined) {
    throw new PredicateError(`There is no symbol "${name}"${suggestion(name, symbols.names())}`);
  }
  if (others.length === 0) return address;
  const places = [address, ...others.slice(0, 7)].map((place) => hex(place));
  throw new PredicateError(
    `There are ${others.length + 1} symbols "${name}": write the address of the one meant (${
      places.join(", ")
    }${others.length > 7 ? ", …" : ""})`,
  );
}

function predicateOf(options: Options, symbols: SymbolTable): { expression: string; predicate: Predicate } {
  const expression = options.text("when");
  if (expression === undefined) throw new UsageError("bisect needs an expression: --when EXPR");
  return { expression, predicate: compilePredicate(expression, (name) => addressOf(name, symbols)) };
}

/** X registers that are not zero, SP, PC and PSTATE of the CPU whose step it was. */
function registersText(found: Bisection & { kind: "found" }, palette: Palette, symbols: SymbolTable): string {
  const index = found.events.at(-1)?.cpu ?? 0;
  const cpu = found.replay.machine.board.cpus[index];
  if (cpu === undefined) return "";
  const shown = generalRegisters(cpu).filter(([name, value]) => value !== 0n || name === "pc");
  const lines = registerColumns(shown, 5, 4, palette, symbols);
  return `cpu${index} after it, ${pstateText(cpu)}:\n${lines.join("\n")}\n`;
}

function foundText(
  found: Bisection & { kind: "found" },
  expression: string,
  isFirst: boolean,
  palette: Palette,
  symbols: SymbolTable,
): string {
  const { instant, probes, events } = found;
  const effort = isFirst ? "looking at every step" : `after ${counted(probes, "probe")}`;
  return [
    `${palette.bold(expression)} holds from instant ${palette.bold(grouped(instant))} on, not at ${
      grouped(instant - 1)
    } (${effort}).`,
    "The step between them:",
    ...events.map((event) => `  ${eventText(event, palette, symbols)}`),
    registersText(found, palette, symbols),
    ...(isFirst
      ? []
      : ["An expression that comes and goes may have held before: --scan looks at every step."]),
    "",
  ].join("\n");
}

function resultText(
  found: Bisection,
  expression: string,
  isScan: boolean,
  firstInstant: number,
  palette: Palette,
  symbols: SymbolTable,
): string {
  switch (found.kind) {
    case "always":
      return `${expression} holds at instant ${grouped(firstInstant)} already, where the run begins.\n`;
    case "never":
      return isScan
        ? `${expression} never holds up to instant ${grouped(found.lastInstant)}, the end.\n`
        : `${expression} does not hold at instant ${grouped(found.lastInstant)}, the end. ` +
          `If it came and went, --scan finds when.\n`;
    case "found":
      return foundText(found, expression, isScan, palette, symbols);
  }
}

function resultJson(found: Bisection, symbols: SymbolTable): string {
  if (found.kind !== "found") return JSON.stringify(found);
  const { kind, instant, probes, events } = found;
  return JSON.stringify({
    kind,
    instant,
    probes,
    events: events.map((event) => JSON.parse(eventJson(event, symbols))),
  });
}

function run(options: Options, host: Host): number | Promise<number> {
  if (options.isOn("inputs")) return bisectInputs(options, host);
  const symbols = symbolsOf(options);
  const { expression, predicate } = predicateOf(options, symbols);
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
    ? `${resultJson(found, symbols)}\n`
    : resultText(found, expression, isScan, opened.run.firstInstant, palette, symbols);
  host.stdout.write(text);
  return found.kind === "never" ? 1 : 0;
}

/** The command. */
export const bisect: Command = {
  operands: ["RUN"],
  details: "EXPR is in the Common Expression Language: comparisons, arithmetic, && || !, over\n" +
    "  memory(ADDRESS, BYTES)       1, 2, 4 or 8 bytes of physical memory\n" +
    "  register(NAME)               of the CPU whose turn it is: x0–x30, w0–w30, sp, pc, nzcv, el, daif,\n" +
    "  register(NAME, CPU)          or a system register such as ELR_EL1; or of a given CPU\n" +
    "  symbol(NAME)                 address of a function or object of --symbols\n" +
    "  instant, time, cpu           steps, nanoseconds, whose turn it is\n" +
    "Exits with 0 when there is such a step, with 1 when the expression does not hold at the end.",
  examples: [
    "deno task hindsight bisect u.hindsight --when 'memory(0x41000000, 4) == 0xdeadbeef'",
    "deno task hindsight bisect seed-17.hindsight --inputs --leave-out turns --when 'memory(0x41000000, 4) != 6' -o m.hindsight",
  ],
  options: [
    { name: "when", value: "EXPR", help: "what must hold" },
    { name: "scan", help: "look at every step from the start, for what comes and goes; slow" },
    ...INPUT_OPTIONS,
    ...ENGINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
