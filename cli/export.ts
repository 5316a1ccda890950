/** `hindsight export`: a stretch of a run in the format of another tool's traces. */
import { EXPORT_FORMATS, type ExportFormat, exportRun } from "../journal/export.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseOutside } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { bytesText, grouped } from "./text.ts";

const FORMATS = Object.keys(EXPORT_FORMATS) as ExportFormat[];

/** Where the text goes, and how much of it there was. */
interface Destination {
  write(text: string): void;
  close(): void;
}

function fileAt(path: string, journal: string): Destination {
  if (path === journal) throw new UsageError(`-o ${path}: that is the journal`);
  const encoder = new TextEncoder();
  const failing = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw new CommandError(`Cannot write "${path}": ${(error as Error).message}`);
    }
  };
  const file = failing(() => Deno.openSync(path, { write: true, create: true, truncate: true }));
  return {
    write: (text) => {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length;) at += failing(() => file.writeSync(bytes.subarray(at)));
    },
    close: () => file.close(),
  };
}

function formatOf(options: Options): ExportFormat {
  const format = options.oneOf("format", FORMATS);
  if (format === undefined) throw new UsageError(`export needs a format: --format ${FORMATS.join("|")}`);
  return format;
}

function run(options: Options, host: Host): number {
  const format = formatOf(options), [journal] = options.others as [string], output = options.text("output");
  const opened = openRun(journal, host), symbols = symbolsOf(options);
  const from = options.number("from"), to = options.number("to");
  refuseOutside("--from", from, opened.run);
  if (to !== undefined && to <= (from ?? opened.run.firstInstant)) {
    throw new UsageError(`--to ${to} is not after the first instant, ${from ?? opened.run.firstInstant}`);
  }
  const images = imagesOf(opened, options), end = Math.min(to ?? Infinity, opened.run.lastInstant);
  const destination = output === undefined || output === "-"
    ? { write: (text: string) => host.stdout.write(text), close: () => {} }
    : fileAt(output, journal);
  const progress = new Progress(host, "exporting");
  let size = 0;
  try {
    const parts = exportRun(opened.run, images, format, {
      ...engineOf(options),
      ...from === undefined ? {} : { from },
      ...to === undefined ? {} : { to },
      nameOf: (address) => symbols.nameOf(address),
      progress: (instant) => progress.update(instant, end),
    });
    for (const part of parts) {
      if (part === "") continue;
      destination.write(part);
      size += part.length;
    }
  } finally {
    destination.close();
    progress.clear();
  }
  if (output !== undefined && output !== "-") {
    tellSize(options, host, { format, output, size, from: from ?? opened.run.firstInstant, to: end });
  }
  return 0;
}

function tellSize(
  options: Options,
  host: Host,
  what: {
    readonly format: string;
    readonly output: string;
    readonly size: number;
    readonly from: number;
    readonly to: number;
  },
): void {
  if (options.isOn("json")) host.stdout.write(`${JSON.stringify(what)}\n`);
  else {
    host.stderr.write(
      `hindsight: "${what.output}" has instants ${grouped(what.from)} to ${grouped(what.to)}, ${
        bytesText(what.size)
      }\n`,
    );
  }
}

/** The command. */
export const exportCommand: Command = {
  operands: ["RUN"],
  details:
    "  tarmac     Tarmac text as Arm's Fast Models write it, for tarmac-trace-utilities: instructions, registers,\n" +
    "             memory, exceptions; one clock tick is one step\n" +
    "  perfetto   trace events in JSON for ui.perfetto.dev and chrome://tracing: exceptions and exception levels of\n" +
    "             each CPU, turns, idle time, accesses to each device, lines of the console, inputs; virtual time\n" +
    "  qemu-log   what QEMU writes with -d in_asm,exec,int -singlestep, for scripts that read that\n" +
    "Derived by replaying. Without -o, on standard output. With --json and -o, what was written, as JSON.\n" +
    "A step takes some 150 bytes of tarmac or qemu-log: best with --from and --to.",
  examples: [
    "deno task hindsight export u.hindsight --format tarmac --from 1000000 --to 1010000 -o u.tarmac",
    "deno task hindsight export u.hindsight --format perfetto -o u.json   # open it at ui.perfetto.dev",
  ],
  options: [
    { name: "format", value: FORMATS.join("|"), help: "which format" },
    { name: "output", aliases: ["o"], value: "FILE", help: "the file to write" },
    { name: "from", value: "N", help: "from this instant on" },
    { name: "to", value: "N", help: "before this instant" },
    ...ENGINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
