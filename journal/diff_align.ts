/** Re-alignment: which events of two runs belong together after their first difference, in bounded memory. */
import { classOf, type MachineEvent } from "../machine/events.ts";
import { keyed, type KeyedEvent } from "./diff_kinds.ts";
import { matchEvents } from "./diff_match.ts";

/** Two events that belong together, or one that has no counterpart. */
export interface AlignedEvents {
  /** The first run's event. */
  readonly left?: MachineEvent;
  /** The second run's. */
  readonly right?: MachineEvent;
}

/** Events of one track that are held on a side before they are aligned. */
const WINDOW = 4096;
/** The same where nothing in the window belongs together. */
const LARGEST_WINDOW = 4 * WINDOW;

type Sides<T> = readonly [T, T];

/** What one CPU does is in one order in both runs, whatever the CPUs do between: each is a track, and the inputs are one. */
function trackOf(event: MachineEvent): number {
  return classOf(event.kind) === "input" ? -1 : event.cpu;
}

/** The events of one track that are not aligned yet. */
class Track {
  readonly held: Sides<KeyedEvent[]> = [[], []];
  #window = WINDOW;

  /** Either side has as much as is to be held. */
  get isFull(): boolean {
    return this.held.some(({ length }) => length >= this.#window);
  }

  /** The first side has what the second lacks to be aligned well. */
  get lacking(): number | undefined {
    const index = this.held.findIndex(({ length }) => length < this.#window / 2);
    return index < 0 ? undefined : index;
  }

  /** Pairs at the front that say the same: nothing needs to be held for them. */
  *takeEqual(): Generator<AlignedEvents> {
    const [left, right] = this.held;
    let count = 0;
    for (; count < Math.min(left.length, right.length); count++) {
      const [a, b] = [left[count] as KeyedEvent, right[count] as KeyedEvent];
      if (a.content !== b.content) break;
      yield { left: a.event, right: b.event };
    }
    if (count === 0) return;
    for (const side of this.held) side.splice(0, count);
  }

  /** Aligns what is held, and keeps of it what later events may still change, unless there are none. */
  *align(isLast: boolean): Generator<AlignedEvents> {
    const [left, right] = this.held;
    const pairs = matchEvents(left, right);
    let ends: Sides<number> = [left.length, right.length];
    if (!isLast) {
      const kept = pairs.findLast(([a, b]) => a < left.length * 0.75 && b < right.length * 0.75);
      if (kept !== undefined) ends = [kept[0] + 1, kept[1] + 1];
      else if (this.#window < LARGEST_WINDOW) {
        this.#window *= 2;
        return;
      } else ends = [left.length >> 1, right.length >> 1];
    }
    this.#window = WINDOW;
    let [a, b] = [0, 0];
    for (const [i, j] of [...pairs.filter(([i, j]) => i < ends[0] && j < ends[1]), ends]) {
      for (; a < i; a++) yield { left: (left[a] as KeyedEvent).event };
      for (; b < j; b++) yield { right: (right[b] as KeyedEvent).event };
      if (i === ends[0] && j === ends[1]) break;
      yield { left: (left[a++] as KeyedEvent).event, right: (right[b++] as KeyedEvent).event };
    }
    left.splice(0, ends[0]);
    right.splice(0, ends[1]);
  }
}

/**
 * Aligns two streams of events, each CPU's for itself, and gives every event of both once, those of a track in their
 * order. Holds some ten thousand events of each track at most, and calls `window` after each window with events taken.
 */
export function* alignEvents(
  left: Iterable<MachineEvent>,
  right: Iterable<MachineEvent>,
  progress: (taken: number) => void = () => {},
): Generator<AlignedEvents> {
  const streams = [left[Symbol.iterator](), right[Symbol.iterator]()] as const;
  const tracks = new Map<number, Track>();
  const ended: [boolean, boolean] = [false, false];
  let taken = 0;
  const take = (side: number): Track | undefined => {
    const { value, done } = (streams[side] as Iterator<MachineEvent>).next();
    if (done) {
      ended[side] = true;
      return undefined;
    }
    taken++;
    const number = trackOf(value);
    let track = tracks.get(number);
    if (track === undefined) tracks.set(number, track = new Track());
    (track.held[side] as KeyedEvent[]).push(keyed(value));
    return track;
  };
  while (!ended[0] || !ended[1]) {
    for (const side of [0, 1]) {
      if (ended[side]) continue;
      const track = take(side);
      if (track === undefined) continue;
      if (track.held.every(({ length }) => length > 0)) yield* track.takeEqual();
      if (!track.isFull) continue;
      const lacking = track.lacking;
      for (let more = 0; lacking !== undefined && more < LARGEST_WINDOW; more++) {
        if (ended[lacking] || track.lacking === undefined) break;
        take(lacking);
      }
      yield* track.align(false);
      yield* track.takeEqual();
      progress(taken);
    }
  }
  for (const [, track] of [...tracks].sort(([a], [b]) => a - b)) yield* track.align(true);
  progress(taken);
}
