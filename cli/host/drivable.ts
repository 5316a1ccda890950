/** What is driven, how, and what comes of it: the driver's options and results. */
import type { RunEnd } from "../../journal/payloads.ts";
import type { EventObserver, Input } from "../../machine/events.ts";
import type { Machine, Stop } from "../../machine/machine.ts";
import type { DebugControl } from "../gdb/live_target.ts";
import type { ScriptRun } from "../script_run.ts";
import type { Host } from "./host.ts";

/** How a run ended: as a journal has it, as far as it is known without one. */
export type Ended = Omit<RunEnd, "parts" | "historyRoot"> & { readonly historyRoot: Uint8Array | undefined };

/** What is driven: a `Recorder`, or a run that leaves no journal. */
export interface Drivable {
  /** The machine. */
  readonly machine: Machine;
  /** As `Machine.run`. */
  run(limit: number, paced: boolean): Stop;
  /** As `Machine.submit`. */
  submit(input: Input, virtualTime?: number): unknown;
  /** Brings what was gathered to where it is safe. */
  flush(): void;
  /** Ends the run here. */
  finish(reason: RunEnd["reason"], exitCode?: number, waiting?: boolean): Ended;
}

/** A condition under which a run ends, looked at after every so many steps. */
export interface Watch {
  /** Steps between two looks: at multiples of it, so that host time changes nothing. */
  readonly every: number;
  /** Whether it holds. */
  readonly holds: (machine: Machine) => boolean;
}

/** Networks whose frames come from outside. */
export interface Bridges extends EventObserver {
  /** Calls `listener` when a frame has come. */
  listen(listener: () => void): void;
  /** Takes the frames that have come. */
  take(): Input[];
}

/** How a recording is driven; nothing here changes what a given stamp of an input leads to. */
export interface DriveOptions {
  /** What is recorded. */
  readonly recorder: Drivable;
  /** What is typed and waited for. */
  readonly script: ScriptRun;
  /** The process around. */
  readonly host: Host;
  /** Takes what the console writes, once a slice. */
  readonly show: (bytes: Uint8Array) => void;
  /** End at this instant. */
  readonly until: number | undefined;
  /** Standard input is the console's: a terminal's keys, or bytes from a pipe. */
  readonly readsInput: boolean;
  /** Idle time passes at the speed of the wall clock. */
  readonly isPaced: boolean;
  /** A reset ends the recording. */
  readonly endsAtReset: boolean;
  /** What ends the recording when it holds. */
  readonly watch?: Watch | undefined;
  /** Frames from outside and to it. */
  readonly bridges?: Bridges | undefined;
  /** A debugger, which may have the machine stand still. */
  readonly debug?: DebugControl | undefined;
  /** Texts of which the console's first ends the recording, a moment later. */
  readonly endTexts?: readonly string[];
}

/** How a recording went. */
export interface Driven {
  /** Its end, as the journal has it. */
  readonly end: Ended;
  /** What the script did not come to, if anything: the journal is whole all the same. */
  readonly failure: string | undefined;
}
