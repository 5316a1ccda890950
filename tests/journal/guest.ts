/** The counter guest as a recorded run, for tests of everything that works on runs. */
import { createHash } from "node:crypto";
import { COUNTER_GUEST_BASE, COUNTER_GUEST_SOURCE } from "../../firmware/counter_guest.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import type { Depth, RunEnd } from "../../journal/payloads.ts";
import { Recorder } from "../../journal/recorder.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import type { MachineImages } from "../../machine/compose.ts";
import {
  type ConfigurationInput,
  type MachineConfiguration,
  parseConfiguration,
} from "../../machine/configuration.ts";
import type { Input } from "../../machine/events.ts";

/** A guest ready to be started with `-kernel`. */
export interface Guest {
  /** The program, with its symbols. */
  readonly program: Program;
  /** Its bytes by content. */
  readonly images: MachineImages;
  /** A machine that boots it. */
  configuration(more?: ConfigurationInput): MachineConfiguration;
}

/** Assembles a program as a flat kernel. */
export function flatGuest(source: string): Guest {
  return programGuest(assembleProgram(source, { name: "guest", base: COUNTER_GUEST_BASE }));
}

/** A program as a flat kernel. */
export function programGuest(program: Program): Guest {
  const sha256 = createHash("sha256").update(program.bytes).digest("hex");
  const kernel = { sha256, size: program.bytes.length, name: "guest" };
  return {
    program,
    images: new Map([[sha256, program.bytes]]),
    configuration: (more = {}) => parseConfiguration({ ...more, boot: { kernel } }),
  };
}

/** The demo's guest, with fewer rounds so that tests are quick. */
export function counterGuest(rounds = 150): Guest {
  return flatGuest(COUNTER_GUEST_SOURCE.replace(/(\.equ\s+ROUNDS,\s*)\d+/, `$1${rounds}`));
}

/** A finished recording. */
export interface Recording {
  /** The journal. */
  readonly file: MemoryFile;
  /** The run in it. */
  readonly run: RecordedRun;
  /** How it ended. */
  readonly end: RunEnd;
  /** What the console printed. */
  readonly console: string;
}

/** Records a guest to its power-off, or `limit`, with inputs at their instants. */
export function recordGuest(
  guest: Guest,
  options: {
    readonly depth?: Depth;
    readonly machine?: ConfigurationInput;
    readonly inputs?: readonly { readonly instant: number; readonly input: Input }[];
    readonly limit?: number;
  } = {},
): Recording {
  const file = new MemoryFile();
  const configuration = guest.configuration({ cpus: 2, rootInterval: 1000, ...options.machine });
  const manifest = { configuration, depth: options.depth ?? "traps", recordedBy: "test" } as const;
  const recorder = new Recorder(manifest, guest.images, new JournalWriter(file));
  let console = "";
  recorder.machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  for (const { instant, input } of options.inputs ?? []) {
    recorder.run(instant);
    recorder.submit(input);
  }
  const stop = recorder.run(options.limit ?? 1_000_000);
  const end = recorder.finish(stop.reason === "poweredOff" ? "poweredOff" : "instant");
  return { file, run: new RecordedRun(JournalReader.open(file)), end, console };
}
