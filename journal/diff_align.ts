/** Re-alignment: which events of two runs belong together after their first difference, in bounded memory. */
import { classOf, type MachineEvent } from "../machine/events.ts";
import { isAsynchronous, keyed, type KeyedEvent } from "./diff_kinds.ts";
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

/** Exceptions that are open at once, at most: what is never returned from is forgotten. */
const DEEPEST = 16;
const INPUTS = -1;

/**
 * Gives each event of a run its track. What one CPU does is in one order in both runs whatever the CPUs do between, and
 * so is what it does in interrupts wherever these strike: each is a track, and the inputs are one.
 */
class Tracks {
  #open = new Map<number, boolean[]>();

  /** The track of the next event, and whether it returns to where an interrupt struck. */
  of(event: MachineEvent): { readonly track: number; readonly isBack: boolean } {
    if (classOf(event.kind) === "input") return { track: INPUTS, isBack: false };
    let open = this.#open.get(event.cpu);
    if (open === undefined) this.#open.set(event.cpu, open = []);
    if (event.kind === "exceptionTaken") open.push(isAsynchronous(event));
    const track = event.cpu * 2 + (open.includes(true) ? 1 : 0);
    const isBack = event.kind === "exceptionReturned" && open.pop() === true;
    if (open.length > DEEPEST) open.shift();
    return { track, isBack };
  }
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
  const tracks = new Map<number, Track>(), numbers = [new Tracks(), new Tracks()] as const;
  const ended: [boolean, boolean] = [false, false];
  let taken = 0;
  const take = (side: number): Track | undefined => {
    const { value, done } = (streams[side] as Iterator<MachineEvent>).next();
    if (done) {
      ended[side] = true;
      return undefined;
    }
    taken++;
    const place = numbers[side as 0 | 1].of(value);
    let track = tracks.get(place.track);
    if (track === undefined) tracks.set(place.track, track = new Track());
    (track.held[side] as KeyedEvent[]).push(keyed(value, place.isBack));
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
