/** `hindsight bisect`: the first instant at which an expression holds. */
import { hex } from "../machine/address.ts";
import { bisect as search } from "../journal/bisect.ts";
import { PredicateError } from "../journal/errors.ts";
import { compileTraced, type TracedPredicate } from "../journal/predicate.ts";
import { betweenRuns, runsJson, runsText } from "./bisect_runs.ts";
import { type Bisected, bisectionJson, bisectionText } from "./bisect_text.ts";
import { bisectInputs, INPUT_OPTIONS } from "./bisect_inputs.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { UsageError } from "./errors.ts";
import { namesOf, type View } from "./diff_view.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import type { Options } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { suggestion } from "./suggest.ts";
import type { SymbolTable } from "./symbols.ts";
import { grouped, paletteFor } from "./text.ts";

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

function predicateOf(expression: string, symbols: SymbolTable): TracedPredicate {
  return compileTraced(expression, (name) => addressOf(name, symbols));
}

/** Bisects along one run, with progress. */
function bisectOne(
  path: string,
  expression: string,
  options: Options,
  symbols: SymbolTable,
  host: Host,
): Bisected {
  const opened = openRun(path, host), progress = new Progress(host, "bisecting");
  const { lastInstant, firstInstant } = opened.run;
  const found = search(opened.run, imagesOf(opened, options), predicateOf(expression, symbols), {
    ...engineOf(options),
    scan: options.isOn("scan"),
    progress: (low, high) =>
      high === lastInstant
        ? progress.update(low, high)
        : progress.note(`instants ${grouped(low)} to ${grouped(high)}`),
  });
  progress.clear();
  return { found, expression, firstInstant };
}

function run(options: Options, host: Host): number | Promise<number> {
  const [first, second] = options.others as [string, string | undefined];
  if (options.isOn("inputs")) {
    if (second !== undefined) throw new UsageError("bisect --inputs takes one run");
    return bisectInputs(options, host);
  }
  const symbols = symbolsOf(options), expression = options.text("when");
  const view: View = { names: namesOf([first, second ?? ""]), palette: paletteFor(host.stdout), symbols };
  if (second === undefined) {
    if (expression === undefined) {
      throw new UsageError("bisect needs an expression, --when EXPR, or a second run");
    }
    const bisected = bisectOne(first, expression, options, symbols, host);
    host.stdout.write(
      options.isOn("json")
        ? `${JSON.stringify(bisectionJson(bisected, symbols))}\n`
        : bisectionText(bisected, view),
    );
    return bisected.found.kind === "never" ? 1 : 0;
  }
  const runs = betweenRuns(first, second, options, host);
  const when = expression === undefined
    ? undefined
    : ([first, second] as const).map((path) => bisectOne(path, expression, options, symbols, host)) as [
      Bisected,
      Bisected,
    ];
  host.stdout.write(
    options.isOn("json")
      ? `${JSON.stringify(runsJson(runs, when, symbols))}\n`
      : `${runsText(runs, when, view).join("\n")}\n`,
  );
  return runs.found.difference.kind === "equal" ? 1 : 0;
}

/** The command. */
export const bisect: Command = {
  operands: ["RUN", "[OTHER]"],
  details:
    "With one run and --when EXPR: the first step from which on EXPR holds. Memory that EXPR reads is watched, if\n" +
    "it reads nothing else: then it is the first. Otherwise EXPR is looked at in 64 places and halved between two\n" +
    "of them, which says whether it seems to come and go; --scan looks at every step.\n" +
    "With two runs, a good and a bad one: where they part, and what the cause is: machines, images, inputs; with\n" +
    "--when also from where on EXPR holds in each.\n" +
    "EXPR is in the Common Expression Language: comparisons, arithmetic, && || !, over\n" +
    "  memory(ADDRESS, BYTES)       1, 2, 4 or 8 bytes of physical memory\n" +
    "  register(NAME)               of the CPU whose turn it is: x0–x30, w0–w30, sp, pc, nzcv, el, daif,\n" +
    "  register(NAME, CPU)          or a system register such as ELR_EL1; or of a given CPU\n" +
    "  symbol(NAME)                 address of a function or object of --symbols\n" +
    "  instant, time, cpu           steps, nanoseconds, whose turn it is\n" +
    "Exits with 0 when there is such a step, or the runs part, and with 1 when not.",
  examples: [
    "deno task hindsight bisect u.hindsight --when 'memory(0x41000000, 4) == 0xdeadbeef'",
    "deno task hindsight bisect u.hindsight larger.hindsight",
    "deno task hindsight bisect u.hindsight --inputs -o least.hindsight",
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
