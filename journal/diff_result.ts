/** What diff is given, and what it gives. */
import type { MachineImages } from "../machine/compose.ts";
import type { MachineEvent } from "../machine/events.ts";
import type { FirstUse } from "./diff_use.ts";
import type { Replay, ReplayOptions } from "./replay.ts";
import type { RecordedRun } from "./run.ts";

/** One of the two runs compared. */
export interface DiffSide {
  /** The journal's run. */
  readonly run: RecordedRun;
  /** Its images. */
  readonly images: MachineImages;
}

/** What diff found on one side. */
export interface DivergentSide {
  /** The first event that the other side does not have; absent when this run has none there. */
  readonly event: MachineEvent | undefined;
  /** Events before it, equal on both sides, and after it. */
  readonly before: readonly MachineEvent[];
  /** Events from the divergent one on. */
  readonly after: readonly MachineEvent[];
  /** The machine at the instant of the divergent event, before its step boundary. */
  readonly replay: Replay;
}

/** What it took to find the first difference. */
export interface DiffEffort {
  /** Roots in the journals that were compared. */
  readonly rootsCompared: number;
  /** Roots of the two replays that were compared while halving. */
  readonly probes: number;
  /** Steps replayed in the interval between the roots, of the run of which more were. */
  readonly intervalSteps: number;
}

/** What diff found. */
export type Difference =
  | {
    /** No difference was found up to the end of both. */
    readonly kind: "equal";
    /** Instants at which roots were compared. */
    readonly rootsCompared: number;
  }
  | {
    /** One run goes on where the other has ended, and up to there they are equal. */
    readonly kind: "length";
    /** The last instants of the first and the second run. */
    readonly lastInstants: readonly [number, number];
  }
  | {
    /** All events are equal up to `instant`, the end of the shorter run, yet the states there are not. */
    readonly kind: "state";
    /** Where the states were compared. */
    readonly instant: number;
    /** Names of the sections and memories that differ. */
    readonly parts: readonly string[];
  }
  | {
    /** The states differ already at `instant`, the checkpoint where a run begins. */
    readonly kind: "beginning";
    /** Where the states were compared. */
    readonly instant: number;
    /** Names of the sections and memories that differ. */
    readonly parts: readonly string[];
  }
  | {
    /** The runs differ. */
    readonly kind: "divergent";
    /** Instant of the first divergent event. */
    readonly instant: number;
    /** Steps were compared too; where machines differ from the start, and have been apart for long, only events are. */
    readonly withSteps: boolean;
    /** What it took. */
    readonly effort: DiffEffort;
    /** Where memory that differs from the start was first read, if it is little, and was read before. */
    readonly firstUse?: FirstUse;
    /** First and second run. */
    readonly sides: readonly [DivergentSide, DivergentSide];
  };

/** How to look, and whom to tell. */
export interface DiffOptions extends ReplayOptions {
  /** Events shown before and after (default 8). */
  readonly context?: number;
  /** Called with what is being done and the instants that bound the search. */
  readonly progress?: (text: string, low: number, high: number) => void;
}
