/** What a session of gdb works on: a machine that it may look at, and ways to let it go on or back. */
import type { Machine } from "../../machine/machine.ts";
import type { WatchPoint } from "../../machine/watch.ts";
import type { Timeline } from "../../journal/timeline.ts";

/** How a client wants the machine to move. */
export type Wish =
  /** On, until something stops it. */
  | { readonly kind: "continue" }
  /** Until a CPU has taken a step, or left the addresses `from` ≤ PC < `to`. */
  | { readonly kind: "step"; readonly cpu: number; readonly range?: AddressRange | undefined }
  /** Back, until something stops it. */
  | { readonly kind: "continueBack" }
  /** Back to before the last step of a CPU. */
  | { readonly kind: "stepBack"; readonly cpu: number };

/** Addresses `from` ≤ a < `to`. */
export interface AddressRange {
  /** The first. */
  readonly from: bigint;
  /** The first behind. */
  readonly to: bigint;
}

/** Why it stopped, and which CPU that concerns. */
export type Stopped =
  /** The step was taken, or it stands still for no other reason. */
  | { readonly kind: "stepped"; readonly cpu: number }
  /** A breakpoint, or a watchpoint, was hit. */
  | { readonly kind: "hit"; readonly cpu: number; readonly point: WatchPoint; readonly address: bigint }
  /** There is no more history this way. */
  | { readonly kind: "history"; readonly cpu: number; readonly end: "begin" | "end" }
  /** The client interrupted it. */
  | { readonly kind: "interrupted"; readonly cpu: number }
  /** The machine was powered off and there is no going back. */
  | { readonly kind: "exited"; readonly code: number };

/** A machine under a debugger. */
export interface GdbTarget {
  /** The machine: looked at, never changed. */
  readonly machine: Machine;
  /** The recorded run behind it; undefined while it is being recorded, when there is no way back. */
  readonly timeline: Timeline | undefined;
  /** Does something useful while the client has nothing to do; false when there is nothing more to be done. */
  idle?(): boolean;
  /** Where others let the machine run: calls `rouse` when `resume` has something to tell. */
  listen?(rouse: () => void): void;
  /** Ends the recording, where there is one. */
  endRecording?(): void;
  /**
   * Lets the machine move; each `next()` is a slice short enough for a key, after which it stands still at a step
   * boundary and may be left there.
   */
  resume(wish: Wish, points: readonly WatchPoint[]): Generator<void, Stopped>;
}
