/** What a system is to the command line: its explanation, and its acceptance as checks that can be run. */
import type { MachineImages } from "../../machine/compose.ts";
import type { MachineOptions } from "../../machine/machine.ts";
import type { RecordedRun } from "../../journal/run.ts";
import type { Ended } from "../host/drivable.ts";

/** One system, in a file of its own; `table.ts` says its number, title and publications. */
export interface SystemScenario {
  /** The name in the table. */
  readonly slug: string;
  /** One page: the mechanism in terms of the Arm ARM, and how to look at it with `events`, `diff`, `bisect`, `why`. */
  readonly explain: string;
  /** Its acceptance, in order. */
  readonly checks: readonly SystemCheck[];
}

/** One criterion. */
export interface SystemCheck {
  /** The criterion in words; unique within the system. */
  readonly name: string;
  /** Only run with `--all`. */
  readonly isLong?: boolean;
  /** Guests that it boots, as `deno task guests` names them. */
  readonly needs?: readonly string[];
  /**
   * Carries it out. Whatever it throws is a failure with the error's message, but for what the context throws where a
   * program is missing: then the check is skipped, with the reason.
   */
  run(context: CheckContext): Promise<CheckOutcome>;
}

/** What a check found. */
export interface CheckOutcome {
  /** Each names what is wrong, and where; none means that the criterion holds. */
  readonly failures: readonly string[];
  /** What was counted and measured, by name. */
  readonly figures: Readonly<Record<string, number | string>>;
}

/** A run to be recorded. */
export interface RecordRequest {
  /** The journal is NAME.hindsight in the system's folder; in memory, and lost with the check, by default. */
  readonly name?: string;
  /** The machine and its run, as on the command line of `hindsight record`, without `-o`, `--script` and `--engine`. */
  readonly options: readonly string[];
  /** Files that the options name and that are made here, by that name; a journal with a name has them inside. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Lines of a script (`hindsight record --help`). */
  readonly script?: readonly string[];
  /** The engine; that of the context by default. */
  readonly engine?: string;
  /** What is stored (default traps). */
  readonly depth?: "inputs" | "traps" | "steps";
  /** Most seconds of host time, after which the recording is a failure (default 300). */
  readonly seconds?: number;
  /** Somebody at the other end of the console's line, whose bytes are inputs; nobody by default. */
  readonly line?: LineEnd;
}

/** Somebody at the other end of the console's line. */
export interface LineEnd {
  /** Begins to send: bytes as they come, then `onEnd` once. */
  start(onBytes: (bytes: Uint8Array) => void, onEnd: () => void): void;
  /** Takes what the console wrote. */
  show(bytes: Uint8Array): void;
}

/** Another future of a run. */
export interface ForkRequest {
  /** The run, which stays as it is; what it was given later does not come again. */
  readonly parent: Recorded;
  /** The instant from which on there is another. */
  readonly at: number;
  /** Lines of a script; inputs before its first `expect` come at that instant. */
  readonly script: readonly string[];
  /** As in `RecordRequest`. */
  readonly name?: string;
  /** The engine; that of the context by default. */
  readonly engine?: string;
  /** It ends at this instant, if not before. */
  readonly until?: number;
  /** As in `RecordRequest`. */
  readonly seconds?: number;
}

/** A run that was recorded. */
export interface Recorded {
  /** Its file; undefined where it is in memory. */
  readonly path: string | undefined;
  /** What is in it. */
  readonly run: RecordedRun;
  /** Its images. */
  readonly images: MachineImages;
  /** All that the guest wrote on its console. */
  readonly console: string;
  /** How it ended, with its roots. */
  readonly end: Ended;
  /** Length of the journal in bytes. */
  readonly bytes: number;
  /** The engine that ran it. */
  readonly engine: string;
  /** Host time in seconds. */
  readonly seconds: number;
}

/** What a run on QEMU came to. */
export interface QemuRun {
  /** All that the console wrote. */
  readonly console: string;
  /** What QEMU wrote on standard error, where `-d` writes. */
  readonly log: string;
}

/** How QEMU is run. */
export interface QemuRequest {
  /** Its options; what keeps it from plugging in more than was asked for is added. */
  readonly options: readonly string[];
  /** Files that the options name and that are made here, as in `RecordRequest`. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Lines `expect "…"` and `send "…"` of a script. */
  readonly script?: readonly string[];
  /** It is ended when the console has written this; by itself otherwise. */
  readonly until?: string;
  /** Most seconds, after which the run is a failure (default 60). */
  readonly seconds?: number;
}

/** What a check is given. */
export interface CheckContext {
  /** The long set was asked for: a check that can do more of the same does all of it. */
  readonly all: boolean;
  /** The engine that records. */
  readonly engine: string;
  /** How that engine, or another, is made, for `Replay`, `Explorer` and the like. */
  machineOptions(engine?: string): MachineOptions;
  /** Tells how far the check is, on a terminal. */
  progress(text: string, done?: number, of?: number): void;
  /** Lets signals be seen; call it in long loops. Throws when the user ended the command. */
  breathe(): Promise<void>;
  /** The path of a file of this system, for journals and figures. Its folder is there. */
  file(name: string): string;
  /** The path of a fetched guest's file, such as `linux-cloud/Image`. Throws CommandError naming `deno task guests`. */
  guest(path: string): string;
  /**
   * Records a run to its end. Throws CommandError when a line of the script was not reached, or in time; UsageError and
   * ConfigurationError for a machine that cannot be built.
   */
  record(request: RecordRequest): Promise<Recorded>;
  /** Records a fork of a run to its end; throws as `record` does, and RangeError for an instant outside the run. */
  fork(request: ForkRequest): Promise<Recorded>;
  /** Replays a run, checking all roots and stored events. Throws DivergenceError where it is not what was recorded. */
  replay(recorded: Recorded, engine: string): Promise<void>;
  /** Replays on several engines; what differed, a line each. */
  replayOn(recorded: Recorded, engines: readonly string[]): Promise<string[]>;
  /** Runs QEMU. Skips the check where it is not installed, or Deno was not allowed to run it. */
  qemu(request: QemuRequest): Promise<QemuRun>;
}
