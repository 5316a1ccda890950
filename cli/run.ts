/** `hindsight run`: runs a machine without a journal, or as a flight recorder that keeps the last stretch. */
import { JournalWriter } from "../journal/file.ts";
import type { Costs } from "../journal/costs.ts";
import { FlightRecorder, type Kept } from "../journal/flight_recorder.ts";
import { DEPTHS } from "../journal/payloads.ts";
import { compilePredicate } from "../journal/predicate.ts";
import { Recorder } from "../journal/recorder.ts";
import { Machine } from "../machine/machine.ts";
import { addressOf } from "./bisect.ts";
import { type Command, SYMBOL_OPTIONS } from "./command.ts";
import { costsOf } from "./costs.ts";
import { UsageError } from "./errors.ts";
import { FileSink } from "./host/file_sink.ts";
import type { Host } from "./host/host.ts";
import type { Watch } from "./host/drivable.ts";
import { driveDebugged, LiveDebugging } from "./host/gdb_live.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { openBridges } from "./host/bridges.ts";
import {
  driveOptions,
  endTextOf,
  exitCodeOf,
  MACHINE_OPTIONS,
  type PreparedMachine,
  prepareMachine,
  RECORDED_BY,
  reportEnd,
  SCRIPT_HELP,
  scriptOf,
} from "./machine_options.ts";
import { type OptionRow, type Options, wholeNumber } from "./options.ts";
import { PlainRun } from "./plain_run.ts";
import { engineOf } from "./engine_options.ts";
import { bytesText } from "./text.ts";

/** What guests write when they cannot go on: Linux, Xen, U-Boot, EDK2. */
const PANICS: readonly string[] = [
  "Kernel panic - not syncing",
  "Unable to handle kernel",
  "Internal error: Oops",
  "Panic on CPU",
  '"Synchronous Abort" handler',
  "Synchronous Exception at",
];

/** Steps between two looks at a condition. */
export const LOOK_EVERY = 65536;

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "keep-last", value: "TIME",  help: "keep the last stretch of the run, such as 60s, 500ms or 1000000 (steps), for a journal" },
  { name: "output", aliases: ["o"], value: "FILE", help: "the journal of it, written when the run ends; an earlier one is kept under FILE~" },
  { name: "panic", value: "TEXT", repeats: true, help: "a text of the console that ends the run, 0.2 s later; instead of the usual ones (see below)" },
  { name: "save-when", value: "EXPR", help: "end the run when this holds (the language of `bisect`)" },
  { name: "look-every", value: "N", help: `steps between two looks at EXPR (default ${LOOK_EVERY})` },
  { name: "depth", value: "inputs|traps|steps", help: "what the journal stores besides inputs and roots: nothing (the default), traps and device accesses, all" },
];

const DETAILS =
  `Without --keep-last nothing is hashed or stored, and the run is gone when it ends. With it, checkpoints are
taken at roots, half of TIME apart, and what is older than TIME is forgotten: memory holds the pages that are
not all zero once, and those that changed since once more for each checkpoint (a Linux guest with 512 MiB:
100 to 150 MB at first). The journal begins at a checkpoint, holds at least the last TIME, and is written when
the run ends: on a guest's panic, when EXPR holds, at power-off, on Ctrl-C or the operator's Ctrl-A x. It takes
every command that journals take; what came before its beginning cannot be asked for.

Taken for a panic: ${PANICS.map((text) => JSON.stringify(text)).join(", ")}.

${SCRIPT_HELP}`;

const UNITS: Readonly<Record<string, number>> = { s: 1e9, ms: 1e6, us: 1e3, ns: 1 };

/** Reads `60s`, `500ms` or a number of steps; throws UsageError. */
export function keptOf(text: string): Kept {
  const [, digits, unit] = /^([0-9]+(?:\.[0-9]+)?)(s|ms|us|ns)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    if (/^[0-9][0-9_]*$/.test(text)) return { unit: "steps", count: wholeNumber(text, "--keep-last", 1) };
    throw new UsageError(
      `--keep-last takes a time or a number of steps such as 60s, 500ms or 1_000_000, not "${text}"`,
    );
  }
  const count = Math.round(Number(digits) * UNITS[unit]!);
  if (count < 1 || !Number.isSafeInteger(count)) {
    throw new UsageError(`--keep-last ${text}: this is no time to keep`);
  }
  return { unit: "nanoseconds", count };
}

/** The condition of an option, if it was given. */
export function watchOf(options: Options, name: string): Watch | undefined {
  const expression = options.text(name);
  if (expression === undefined) return undefined;
  const symbols = symbolsOf(options);
  const holds = compilePredicate(expression, (name) => addressOf(name, symbols));
  return { every: options.number("look-every", 1) ?? LOOK_EVERY, holds };
}

/** A flight recorder's recording, or the machine alone. */
function recording(options: Options, { configuration, images }: PreparedMachine, costs: Costs | undefined) {
  const kept = options.text("keep-last"), output = options.text("output");
  if (kept === undefined && output === undefined) {
    return { recorder: new PlainRun(new Machine(configuration, images, engineOf(options)), costs) };
  }
  if (kept === undefined || output === undefined) {
    throw new UsageError("--keep-last TIME and -o FILE go together; `hindsight record` keeps a whole run");
  }
  const sink = new FileSink(output);
  const flight = new FlightRecorder(keptOf(kept), () => new JournalWriter(sink));
  const manifest = {
    configuration,
    depth: options.oneOf("depth", DEPTHS) ?? "inputs",
    recordedBy: RECORDED_BY,
  };
  sink.check();
  return { recorder: new Recorder(manifest, images, flight, { ...engineOf(options), costs }), flight };
}

async function run(options: Options, host: Host): Promise<number> {
  const script = scriptOf(options);
  endTextOf(options);
  const watch = watchOf(options, "save-when");
  const prepared = prepareMachine(options, host);
  const how = driveOptions(options, host, script, prepared.request);
  const debugging = LiveDebugging.open(prepared.request.debug, symbolsOf(options), host);
  const bridges = await openBridges(prepared.request.networks);
  const costs = costsOf(options, host);
  const { recorder, flight } = recording(options, prepared, costs);
  const given = options.texts("panic");
  const endTexts = given.length > 0 ? given : flight === undefined ? [] : PANICS;
  const until = options.number("until");
  const driven = await driveDebugged(debugging, { ...how, bridges, recorder, until, watch, endTexts })
    .finally(() => bridges?.close());
  const path = options.text("output") ?? "";
  const bytes = flight?.byteLength ?? 0;
  const text = `"${path}" has the last of it, ${bytesText(bytes)}`;
  reportEnd(
    driven,
    flight && { path, text, bytes },
    options,
    host,
    costs && {
      costs,
      machine: recorder.machine,
    },
  );
  return exitCodeOf(driven);
}

/** The command. */
export const runCommand: Command = {
  operands: [],
  details: DETAILS,
  examples: [
    "deno task hindsight run -bios u-boot --script tests/fixtures/uboot.script",
    "deno task hindsight run --keep-last 60s -o last.hindsight -bios u-boot  # Ctrl-A x ends it",
  ],
  options: [...OPTIONS, ...MACHINE_OPTIONS, ...SYMBOL_OPTIONS],
  run,
};
