/** `hindsight record`: runs a machine and writes its journal. */
import { STRICT_MODELS, type StrictModelName } from "../machine/configuration.ts";
import { DEPTHS, type Manifest } from "../journal/payloads.ts";
import { JournalWriter } from "../journal/file.ts";
import { Recorder } from "../journal/recorder.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./errors.ts";
import { FileSink } from "./host/file_sink.ts";
import { readWholeFile } from "./host/file_source.ts";
import type { Host } from "./host/host.ts";
import { loadMachine } from "./host/image_files.ts";
import { drive, type Driven } from "./host/record_driver.ts";
import { END_TEXT } from "./info.ts";
import type { MachineRequest } from "./machine_request.ts";
import type { OptionRow, Options } from "./options.ts";
import { machineRequest, QEMU_OPTIONS } from "./qemu_options.ts";
import { ENGINE_OPTION, engineOf } from "./replay.ts";
import { parseScript, type Script } from "./script.ts";
import { ScriptRun } from "./script_run.ts";
import { suggestion } from "./suggest.ts";
import { bytesText, counted, secondsText } from "./text.ts";

/** Who recorded, in the journal. */
const RECORDED_BY = "hindsight 0.1.0";

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "output", aliases: ["o"], value: "FILE",     help: "the journal to write; an earlier one of that name is kept under FILE~" },
  { name: "depth",         value: "inputs|traps|steps", help: "what is stored besides inputs and roots: nothing, traps and device accesses (the default), all" },
  { name: "script",        value: "FILE",              help: "what is typed, and what is waited for (see below)" },
  { name: "until-console", value: "TEXT",              help: "end when the console writes this (escapes as in JSON), after the script's last line" },
  { name: "until",         value: "N",                 help: "end at this instant" },
  { name: "pace",          value: "on|off",            help: "idle time takes as long on the wall clock; on at a terminal without a script" },
  { name: "quantum",       value: "N",                 help: "steps of a CPU's turn, at least 64 (default 10000)" },
  { name: "schedule-seed", value: "N",                 help: "draw turns from this number" },
  { name: "root-interval", value: "N",                 help: "steps between two roots (default 33554432)" },
  ENGINE_OPTION,
  { name: "strict",        value: "MODEL[,MODEL…]",    help: "show what missing maintenance does: tlb, icache, dcache, context" },
];

const DETAILS =
  `The options of QEMU say what the machine is; FILE may also be a guest fetched by \`deno task guests\`.
Without a script, standard input is the console: at a terminal key by key (Ctrl-A h tells the operator's
keys), from a pipe as the bytes come. Ctrl-C, where it does not go to the guest, ends the recording.

With --strict, what real CPUs may do to software that forgets maintenance happens, and is an event
(\`hindsight events\` finds it: stale…, breakBeforeMakeViolated):
  tlb       translations stay until the TLBI that covers them
  icache    fetched code stays until IC, on each CPU for itself
  dcache    stores stay in a cache until DC cleans them; devices, fetches and uncached accesses see memory
  context   system register writes wait for ISB, exception entry or return

The exit code is the guest's when it powered off with one (its low 8 bits), 1 when a line of the script
was not reached, the disk was full or the like, 2 for a wrong command line, and 0 otherwise.

A script has one line for each thing, and # before comments:
  expect "TEXT"              wait until the console writes TEXT, behind what was waited for before
  send "TEXT"                type TEXT; escapes as in JSON: \\r is Enter
  at N ACTION                at instant N, whatever is waited for
  ACTION                     in turn; one of:
    send "TEXT"  inject irq N  switch cpu N  scale R  power cut
    poke ADDR VALUE          as many bytes as VALUE has pairs of digits after 0x; 8 for a decimal one
    set cpuN REG VALUE       x0–x30, sp, pc, nzcv or a system register`;

/** The text of --until-console, with the escapes of a script's strings. */
function endTextOf(options: Options): string | undefined {
  const text = options.text("until-console");
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(
      `"${text.replace(/\\.|"/gs, (found) => found === '"' ? '\\"' : found)}"`,
    );
    if (value !== "") return value as string;
  } catch {
    throw new UsageError(`--until-console "${text}": escapes are those of JSON, such as \\r, \\n and \\\\`);
  }
  throw new UsageError("--until-console needs a text that is not empty");
}

function scriptOf(options: Options): Script | undefined {
  const path = options.text("script");
  if (path === undefined) return undefined;
  return parseScript(new TextDecoder().decode(readWholeFile(path, "script")), path);
}

function manifestOf(options: Options, configuration: Manifest["configuration"]): Manifest {
  return { configuration, depth: options.oneOf("depth", DEPTHS) ?? "traps", recordedBy: RECORDED_BY };
}

/** The models that --strict names, if it was given. */
function strictModelsOf(options: Options): readonly StrictModelName[] | undefined {
  return options.text("strict")?.split(",").map((name) => {
    const model = STRICT_MODELS.find((known) => known === name);
    if (model !== undefined) return model;
    throw new UsageError(
      `--strict: there is no model "${name}"` +
        (suggestion(name, STRICT_MODELS) || `; there are ${STRICT_MODELS.join(", ")}`),
    );
  });
}

/** The request with the options that QEMU does not have. */
function withOwnOptions(request: MachineRequest, options: Options): MachineRequest {
  const own = {
    strictModels: strictModelsOf(options),
    quantum: options.number("quantum", 64, 2 ** 32 - 1),
    scheduleSeed: options.number("schedule-seed", 0, 2 ** 32 - 1),
    rootInterval: options.number("root-interval", 1),
  };
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  return { ...request, configuration: { ...request.configuration, ...given } };
}

function isPaced(options: Options, isInteractive: boolean): boolean {
  const pace = options.oneOf("pace", ["on", "off"]);
  return pace === undefined ? isInteractive : pace === "on";
}

/** The process's exit code for a guest's: what a shell sees of it, and not 0 unless it is. */
function exitCodeOf({ end, failure }: Driven): number {
  if (failure !== undefined) return 1;
  return end.exitCode === 0 ? 0 : (end.exitCode & 0xff) || 1;
}

function report(driven: Driven, output: string, bytes: number, options: Options, host: Host): void {
  const { end, failure } = driven;
  if (failure !== undefined) {
    host.stderr.write(`hindsight: ${failure} (${END_TEXT[end.reason]}); the recording is kept\n`);
  }
  if (options.isOn("json")) {
    const { reason, exitCode, instant, virtualTime } = end;
    const roots = { stateRoot: end.stateRoot.toHex(), historyRoot: end.historyRoot.toHex() };
    const value = {
      output,
      bytes,
      reason,
      exitCode,
      instant,
      virtualTime,
      ...roots,
      failure: failure ?? null,
    };
    host.stdout.write(`${JSON.stringify(value)}\n`);
    return;
  }
  const code = end.reason === "poweredOff" ? ` with exit code ${end.exitCode}` : "";
  host.stderr.write(
    `hindsight: ${END_TEXT[end.reason]}${code} after ${counted(end.instant, "step")}, ` +
      `${secondsText(end.virtualTime)} of virtual time; "${output}" has ${bytesText(bytes)}\n`,
  );
}

/** Whether anything but zeros is in memory: QEMU would run into undefined instructions for ever. */
function hasProgram({ files, append, loaders, flash }: MachineRequest): boolean {
  // What -append and -initrd lack is a kernel, and whoever reads the configuration says so.
  return files.bios !== undefined || files.kernel !== undefined || loaders.length > 0 || flash.length > 0 ||
    append !== undefined || files.initrd !== undefined;
}

async function run(options: Options, host: Host): Promise<number> {
  const output = options.text("output");
  if (output === undefined) throw new UsageError("record needs a journal to write: -o FILE");
  const request = withOwnOptions(machineRequest(options, host), options);
  const script = scriptOf(options);
  const scriptRun = new ScriptRun(script, endTextOf(options));
  const until = options.number("until");
  const { configuration, images } = loadMachine(request);
  if (!hasProgram(request)) {
    throw new UsageError(
      "There is nothing to run: give -bios FILE, -kernel FILE or -device loader,file=FILE",
    );
  }
  const readsInput = script === undefined;
  const paced = isPaced(options, readsInput && host.stdin.isTerminal);
  const writer = new JournalWriter(new FileSink(output));
  const recorder = new Recorder(manifestOf(options, configuration), images, writer, engineOf(options));
  const driven = await drive({
    recorder,
    script: scriptRun,
    host,
    show: options.isOn("json") ? () => {} : (bytes) => host.stdout.write(bytes),
    until,
    readsInput,
    isPaced: paced,
    endsAtReset: request.endsAtReset,
  });
  report(driven, output, writer.byteLength, options, host);
  return exitCodeOf(driven);
}

/** The command. */
export const record: Command = {
  name: "record",
  operands: [],
  summary: "Runs a machine and records the run in a journal",
  details: DETAILS,
  examples: [
    "deno task hindsight record -bios u-boot --script tests/fixtures/uboot.script -o u.hindsight",
    "deno task hindsight record -bios u-boot -o typed.hindsight  # at a terminal: type; Ctrl-A x ends it",
    "deno task hindsight record -kernel my.elf --strict tlb,icache,dcache,context -o strict.hindsight",
  ],
  options: [...OPTIONS, ...QEMU_OPTIONS],
  run,
};
