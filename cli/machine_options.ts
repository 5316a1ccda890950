/** What the commands that run a machine have in common: their options, the machine made from them, and its end. */
import type { MachineImages } from "../machine/compose.ts";
import {
  ENABLE_METHODS,
  type MachineConfiguration,
  STOPPERS,
  STRICT_MODELS,
  type StrictModelName,
} from "../machine/configuration.ts";
import type { Costs } from "../journal/costs.ts";
import type { Machine } from "../machine/machine.ts";
import { COSTS_OPTION, costsText, costsValue } from "./costs.ts";
import { UsageError } from "./errors.ts";
import { readWholeFile } from "./host/file_source.ts";
import type { Host } from "./host/host.ts";
import { loadMachine } from "./host/image_files.ts";
import type { Driven, DriveOptions } from "./host/drivable.ts";
import { codeText, END_TEXT } from "./info.ts";
import type { MachineRequest } from "./machine_request.ts";
import type { OptionRow, Options } from "./options.ts";
import { machineRequest, QEMU_OPTIONS } from "./qemu_options.ts";
import { ENGINE_OPTIONS } from "./engine_options.ts";
import { parseScript, type Script } from "./script.ts";
import { ScriptRun } from "./script_run.ts";
import { suggestion } from "./suggest.ts";
import { counted, secondsText } from "./text.ts";

/** Who recorded, in the journal. */
export const RECORDED_BY = "hindsight 0.1.0";

/** What changes a run and is no option of QEMU. */
// deno-fmt-ignore
const OWN_OPTIONS: readonly OptionRow[] = [
  { name: "quantum",       value: "N",                 help: "steps of a CPU's turn, at least 64 (default 10000)" },
  { name: "step-time",     value: "NS",                help: "virtual nanoseconds of a step (default 8)" },
  { name: "schedule-seed", value: "N",                 help: "draw turns from this number" },
  { name: "root-interval", value: "N",                 help: "steps between two roots (default 33554432)" },
  { name: "strict",        value: "MODEL[,MODEL…]",    help: "show what missing maintenance does: tlb, icache, dcache, context" },
  { name: "enable-method", value: ENABLE_METHODS.join("|"), help: "how a -kernel is to start its other CPUs (default psci)" },
  { name: "stop-at",       value: STOPPERS.join("|"),  help: "end the run when an exception loops at its vector for ever" },
];

/** What is typed, when a run ends, and how fast it goes. */
// deno-fmt-ignore
const DRIVE_OPTIONS: readonly OptionRow[] = [
  { name: "script",        value: "FILE",              help: "what is typed, and what is waited for (see below)" },
  { name: "until-console", value: "TEXT",              help: "end when the console writes this (escapes as in JSON), after the script's last line" },
  { name: "until",         value: "N",                 help: "end at this instant" },
  { name: "pace",          value: "on|off",            help: "idle time takes as long on the wall clock; on at a terminal without a script, and with a bridged network" },
];

/** The options of a command that runs a machine, behind its own. */
export const MACHINE_OPTIONS: readonly OptionRow[] = [
  ...DRIVE_OPTIONS,
  ...OWN_OPTIONS,
  ...ENGINE_OPTIONS,
  COSTS_OPTION,
  ...QEMU_OPTIONS,
];

/** The same without what only one run of a machine at a terminal has. */
export const BATCH_OPTIONS: readonly OptionRow[] = MACHINE_OPTIONS.filter(({ name }) =>
  !["until", "pace", "schedule-seed", "costs"].includes(name)
);

/** How a script is written, for help texts. */
export const SCRIPT_HELP = `A script has one line for each thing, and # before comments:
  expect "TEXT"              wait until the console writes TEXT, behind what was waited for before
  send "TEXT"                type TEXT; escapes as in JSON: \\r is Enter
  at N ACTION                at instant N, whatever is waited for
  ACTION                     in turn; one of:
    send "TEXT"  inject irq N  switch cpu N  scale R  monitor el2 COMMAND
    power cut  key power  frame NETWORK 0xBYTES
    poke ADDR VALUE          as many bytes as VALUE has pairs of digits after 0x; 8 for a decimal one
    set cpuN REG VALUE       x0–x30, sp, pc, nzcv or a system register`;

/** The text of --until-console, with the escapes of a script's strings. */
export function endTextOf(options: Options): string | undefined {
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

/** The script of --script, if one was given. */
export function scriptOf(options: Options): Script | undefined {
  const path = options.text("script");
  if (path === undefined) return undefined;
  return parseScript(new TextDecoder().decode(readWholeFile(path, "script")), path);
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
    nanosecondsPerStep: options.number("step-time", 1, 1_000_000_000),
    enableMethod: options.oneOf("enable-method", ENABLE_METHODS),
    stopAt: options.text("stop-at") === undefined ? undefined : [options.oneOf("stop-at", STOPPERS)],
    scheduleSeed: options.number("schedule-seed", 0, 2 ** 32 - 1),
    rootInterval: options.number("root-interval", 1),
  };
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  return { ...request, configuration: { ...request.configuration, ...given } };
}

/** A machine that was asked for, ready to be built. */
export interface PreparedMachine {
  /** The command line. */
  readonly request: MachineRequest;
  /** Its configuration, with images by content. */
  readonly configuration: MachineConfiguration;
  /** Their bytes. */
  readonly images: MachineImages;
  /** Those of them that are no files. */
  readonly made: MachineImages;
}

/** Whether anything but zeros is in memory: QEMU would run into undefined instructions for ever. */
function hasProgram({ files, append, loaders, flash }: MachineRequest): boolean {
  // What -append and -initrd lack is a kernel, and whoever reads the configuration says so.
  return files.bios !== undefined || files.kernel !== undefined || loaders.length > 0 || flash.length > 0 ||
    append !== undefined || files.initrd !== undefined;
}

/**
 * Reads the machine that a command line asks for, and its files but for those `given` by name. Throws what `loadMachine`
 * throws, UsageError.
 */
export function prepareMachine(
  options: Options,
  host: Host,
  given?: Readonly<Record<string, Uint8Array>>,
): PreparedMachine {
  const request = withOwnOptions(machineRequest(options, host), options);
  const { configuration, images, made } = loadMachine(request, given);
  if (!hasProgram(request)) {
    throw new UsageError(
      "There is nothing to run: give -bios FILE, -pflash FILE, -kernel FILE or -device loader,file=FILE",
    );
  }
  return { request, configuration, images, made };
}

/** How a run is driven, by the options; `script` as read before the machine. */
export function driveOptions(
  options: Options,
  host: Host,
  script: Script | undefined,
  request: MachineRequest,
): Omit<DriveOptions, "recorder" | "until"> {
  const readsInput = script === undefined;
  const isInteractive = readsInput && host.stdin.isTerminal;
  const hasBridge = request.networks.some(({ kind }) => kind === "bridge");
  return {
    script: new ScriptRun(script, endTextOf(options)),
    host,
    show: options.isOn("json") ? () => {} : (bytes) => host.stdout.write(bytes),
    readsInput,
    isPaced: (options.oneOf("pace", ["on", "off"]) ?? (isInteractive || hasBridge ? "on" : "off")) === "on",
    endsAtReset: request.endsAtReset,
  };
}

/** The process's exit code for a guest's: what a shell sees of it, and not 0 unless it is. */
export function exitCodeOf({ end, failure }: Driven): number {
  if (failure !== undefined) return 1;
  return end.exitCode === 0 ? 0 : (end.exitCode & 0xff) || 1;
}

/** Tells how a run ended; `output` is what it left: the journal's name and its length in bytes. */
export function reportEnd(
  { end, failure }: Driven,
  output: { readonly path: string; readonly text: string; readonly bytes: number } | undefined,
  options: Options,
  host: Host,
  costs?: { readonly costs: Costs; readonly machine: Machine },
): void {
  if (failure !== undefined) {
    const kept = output === undefined ? "" : "; the recording is kept";
    host.stderr.write(`hindsight: ${failure} (${END_TEXT[end.reason]})${kept}\n`);
  }
  if (options.isOn("json")) {
    const { reason, exitCode, instant, virtualTime, stateRoot, historyRoot } = end;
    const value = {
      ...(output === undefined ? {} : { output: output.path, bytes: output.bytes }),
      reason,
      exitCode,
      instant,
      virtualTime,
      stateRoot: stateRoot.toHex(),
      ...(historyRoot === undefined ? {} : { historyRoot: historyRoot.toHex() }),
      failure: failure ?? null,
      ...(costs === undefined ? {} : { costs: costsValue(costs.costs, costs.machine) }),
    };
    host.stdout.write(`${JSON.stringify(value)}\n`);
    return;
  }
  const code = codeText(end, options.text("stop-at") !== undefined);
  host.stderr.write(
    `hindsight: ${END_TEXT[end.reason]}${code} after ${counted(end.instant, "step")}, ` +
      `${secondsText(end.virtualTime)} of virtual time${output === undefined ? "" : `; ${output.text}`}\n`,
  );
  if (costs !== undefined) host.stderr.write(costsText(costs.costs, costs.machine));
}
