/** Bisect along one run: the first instant at which a predicate holds, found by halving. */
import type { MachineImages } from "../machine/compose.ts";
import { type EventObserver, type MachineEvent } from "../machine/events.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import type { Predicate } from "./predicate.ts";
import { Replay, type ReplayOptions } from "./replay.ts";
import type { RecordedRun } from "./run.ts";

/** What bisect found. */
export type Bisection =
  | { readonly kind: "never"; readonly lastInstant: number }
  | { readonly kind: "always" }
  | {
    readonly kind: "found";
    /** The predicate does not hold at instant−1 and holds at this instant: the step before it made it so. */
    readonly instant: number;
    /** Events of the step that made it so, its own `stepRetired` last. */
    readonly events: readonly MachineEvent[];
    /** Replays of the interval's halves that were needed. */
    readonly probes: number;
    /** The machine at `instant`. */
    readonly replay: Replay;
  };

/** How to look, and whom to tell. */
export interface BisectOptions extends ReplayOptions {
  /** Look at every step boundary from the start, for a predicate that comes and goes (slow). */
  readonly scan?: boolean;
  /** Called with the interval still in question. */
  readonly progress?: (low: number, high: number) => void;
}

/**
 * Finds an instant at which the predicate begins to hold. Halving finds the first one for a predicate that stays true;
 * for one that comes and goes it finds one of its beginnings, and `scan` the first.
 */
export function bisect(
  run: RecordedRun,
  images: MachineImages,
  predicate: Predicate,
  options: BisectOptions = {},
): Bisection {
  const replay = new Replay(run, images, { ...options, checkEvents: false });
  if (predicate(replay.machine)) return { kind: "always" };
  return options.scan ? scan(replay, predicate, options) : halve(replay, predicate, options);
}

function scan(replay: Replay, predicate: Predicate, options: BisectOptions): Bisection {
  const last = replay.run.lastInstant;
  let mark = replay.mark();
  while (replay.instant < last) {
    if (replay.instant % 65536 === 0) {
      options.progress?.(replay.instant, last);
      mark = replay.mark();
    }
    replay.runTo(replay.instant + 1);
    if (predicate(replay.machine)) {
      const instant = replay.instant;
      replay.returnTo(mark);
      replay.runTo(instant - 1);
      return found(replay, instant, 0);
    }
  }
  return { kind: "never", lastInstant: last };
}

function halve(replay: Replay, predicate: Predicate, options: BisectOptions): Bisection {
  let mark = replay.mark();
  let low = replay.instant, high = replay.run.lastInstant, probes = 0;
  replay.runTo(high);
  if (!predicate(replay.machine)) return { kind: "never", lastInstant: high };
  replay.returnTo(mark);
  while (high - low > 1) {
    options.progress?.(low, high);
    const middle = low + Math.floor((high - low) / 2);
    replay.runTo(middle);
    probes++;
    if (predicate(replay.machine)) {
      high = middle;
      replay.returnTo(mark);
    } else {
      low = middle;
      mark = replay.mark();
    }
  }
  replay.runTo(low);
  return found(replay, high, probes);
}

/** Takes the step before `instant` while listening. */
function found(replay: Replay, instant: number, probes: number): Bisection {
  const events: MachineEvent[] = [];
  const observer: EventObserver = { classes: ALL_CLASSES, observe: (event) => void events.push(event) };
  replay.machine.board.events.add(observer);
  replay.runTo(instant);
  replay.machine.board.events.remove(observer);
  return { kind: "found", instant, events, probes, replay };
}
