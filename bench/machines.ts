/** Recordings of flat programs in this process, into memory. */
import { createHash } from "node:crypto";
import { JournalReader, JournalWriter } from "../journal/file.ts";
import type { Depth } from "../journal/payloads.ts";
import { Recorder } from "../journal/recorder.ts";
import { RecordedRun } from "../journal/run.ts";
import { MemoryFile } from "../journal/storage.ts";
import type { MachineImages } from "../machine/compose.ts";
import { type ConfigurationInput, parseConfiguration } from "../machine/configuration.ts";

/** A finished recording and what it took. */
export interface Measured {
  /** The journal. */
  readonly file: MemoryFile;
  /** The run in it. */
  readonly run: RecordedRun;
  /** Images of the run. */
  readonly images: MachineImages;
  /** Steps taken. */
  readonly steps: number;
  /** Seconds from power-on to the end. */
  readonly seconds: number;
  /** What the console wrote. */
  readonly text: string;
  /** State root and history root at the end. */
  readonly roots: readonly [state: Uint8Array, history: Uint8Array];
}

/** Records a flat kernel to its power-off, or an image in flash for a number of steps. */
export function recordFlat(
  bytes: Uint8Array,
  options: {
    readonly depth?: Depth;
    readonly as?: "kernel" | "bios";
    readonly limit?: number;
    readonly engine?: string;
    readonly machine?: ConfigurationInput;
  } = {},
): Measured {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const images: MachineImages = new Map([[sha256, bytes]]);
  const image = { sha256, size: bytes.length, name: "benchmark" };
  const configuration = parseConfiguration({ ...options.machine, boot: { [options.as ?? "kernel"]: image } });
  const file = new MemoryFile();
  const manifest = { configuration, depth: options.depth ?? "traps", recordedBy: "bench" } as const;
  const engine = options.engine === undefined ? {} : { engine: options.engine };
  const recorder = new Recorder(manifest, images, new JournalWriter(file), engine);
  let text = "";
  recorder.machine.board.transmitted = (byte) => text += String.fromCharCode(byte);
  const started = performance.now();
  const stop = recorder.run(options.limit ?? 2 ** 40);
  const seconds = (performance.now() - started) / 1000;
  const { instant, stateRoot, historyRoot } = recorder.finish(
    stop.reason === "poweredOff" ? "poweredOff" : "instant",
  );
  const roots = [stateRoot, historyRoot] as const;
  return {
    file,
    run: new RecordedRun(JournalReader.open(file)),
    images,
    steps: instant,
    seconds,
    text,
    roots,
  };
}
