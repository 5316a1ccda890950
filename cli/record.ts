/** `hindsight record`: runs a machine and writes its journal. */
import { JournalWriter } from "../journal/file.ts";
import { DEPTHS } from "../journal/payloads.ts";
import { Recorder } from "../journal/recorder.ts";
import { type Command, SYMBOL_OPTIONS } from "./command.ts";
import { costsOf } from "./costs.ts";
import { UsageError } from "./errors.ts";
import { bytesInWorker } from "./host/worker_bytes.ts";
import { FileSink } from "./host/file_sink.ts";
import type { Host } from "./host/host.ts";
import { driveDebugged, LiveDebugging } from "./host/gdb_live.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { openBridges } from "./host/bridges.ts";
import {
  driveOptions,
  endTextOf,
  exitCodeOf,
  MACHINE_OPTIONS,
  prepareMachine,
  RECORDED_BY,
  reportEnd,
  SCRIPT_HELP,
  scriptOf,
} from "./machine_options.ts";
import type { OptionRow, Options } from "./options.ts";
import { engineOf } from "./engine_options.ts";
import { bytesText } from "./text.ts";

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "output", aliases: ["o"], value: "FILE",     help: "the journal to write; an earlier one of that name is kept under FILE~" },
  { name: "depth",         value: "inputs|traps|steps", help: "what is stored besides inputs and roots: nothing, traps and device accesses (the default), all" },
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

${SCRIPT_HELP}`;

async function run(options: Options, host: Host): Promise<number> {
  const output = options.text("output");
  if (output === undefined) throw new UsageError("record needs a journal to write: -o FILE");
  const depth = options.oneOf("depth", DEPTHS) ?? "traps";
  const script = scriptOf(options);
  endTextOf(options);
  const { request, configuration, images } = prepareMachine(options, host);
  const how = driveOptions(options, host, script, request);
  const debugging = LiveDebugging.open(request.debug, symbolsOf(options), host);
  const bridges = await openBridges(request.networks);
  const work = bytesInWorker(), writer = new JournalWriter(new FileSink(output), { work });
  const manifest = { configuration, depth, recordedBy: RECORDED_BY };
  const costs = costsOf(options, host);
  const recorder = new Recorder(manifest, images, writer, { ...engineOf(options), costs, work });
  const until = options.number("until");
  const driven = await driveDebugged(debugging, { ...how, bridges, recorder, until }).finally(() =>
    bridges?.close()
  );
  const bytes = writer.byteLength;
  reportEnd(
    driven,
    { path: output, text: `"${output}" has ${bytesText(bytes)}`, bytes },
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
export const record: Command = {
  operands: [],
  details: DETAILS,
  examples: [
    "deno task hindsight record -bios u-boot --script tests/fixtures/uboot.script -o u.hindsight",
    "deno task hindsight record -bios u-boot -o typed.hindsight  # at a terminal: type; Ctrl-A x ends it",
    "deno task hindsight record -kernel my.elf --strict tlb,icache,dcache,context -o strict.hindsight",
  ],
  options: [...OPTIONS, ...MACHINE_OPTIONS, ...SYMBOL_OPTIONS],
  run,
};
