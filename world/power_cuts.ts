/** Bisect over power cuts of a node: the windows of time in which a cut comes to the same. */
import { SAMPLES, type WorldSearch, type WorldVerdict } from "./search.ts";
import type { WorldSession } from "./session.ts";
import type { WorldTimeline } from "./timeline.ts";

/** Times of which a power cut comes to the same. */
export interface CutWindow {
  /** The first, in nanoseconds of the world. */
  readonly from: number;
  /** The last. */
  readonly to: number;
  /** What the world comes to. */
  readonly verdict: WorldVerdict;
  /** States that survive a cut there: of a window that should not be, more than one is more than one mistake. */
  readonly states: number;
}

/** How power cuts are tried. */
export interface CutSearch {
  /** Number of the node. */
  readonly node: number;
  /** The first time. */
  readonly from: number;
  /** The last time. */
  readonly to: number;
  /** What the world comes to that stands at a time: cuts the power there, and goes on. */
  readonly verdict: (session: WorldSession, time: number) => WorldVerdict;
  /** Places that are looked at before intervals are halved; 64 by default. */
  readonly samples?: number;
}

/** Times between which what survives a cut is the same. */
interface State {
  readonly from: number;
  readonly to: number;
  readonly key: string;
}

/**
 * The windows of an interval in which a power cut of a node comes to the same, each to the nanosecond. Where what
 * survives a cut (`WorldSession.durableRoot`) is not the same at two places, it is halved between them, so that a state
 * that was there for a step only is found as well, unless the state before it came back; each state is tried at both its
 * ends, and halved where those are not alike. Inputs recorded from the cut on are for the verdict to drop. Throws
 * RangeError for no interval, and what `WorldTimeline.at` throws.
 */
export function* cutWindows(
  timeline: WorldTimeline,
  search: CutSearch,
): Generator<WorldSearch, readonly CutWindow[]> {
  const { from, to } = search;
  if (!(from >= 0 && to >= from)) throw new RangeError(`There are no times from ${from} to ${to}`);
  let tries = 0;
  const tried = (time: number): WorldVerdict => (tries++, search.verdict(timeline.at(time), time));
  const windows: { from: number; to: number; verdict: WorldVerdict; states: number }[] = [];
  const add = (from: number, to: number, verdict: WorldVerdict): void => {
    const last = windows.at(-1);
    if (last?.verdict !== verdict) windows.push({ from, to, verdict, states: 1 });
    else {
      last.to = to;
      last.states++;
    }
  };
  for (const state of yield* survivingStates(timeline, search)) {
    let low = state.from;
    const first = tried(low);
    yield { doing: "trying", done: tries };
    const last = state.to === low ? first : tried(state.to);
    if (first === last) {
      add(low, state.to, first);
      continue;
    }
    // What survives is the same, but what the others know is not.
    let high = state.to;
    while (high - low > 1) {
      const middle = low + Math.floor((high - low) / 2);
      if (tried(middle) === first) low = middle;
      else high = middle;
      yield { doing: "trying", done: tries };
    }
    add(state.from, low, first);
    add(high, state.to, last);
  }
  return windows;
}

function* survivingStates(
  timeline: WorldTimeline,
  { node, from, to, samples = SAMPLES }: CutSearch,
): Generator<WorldSearch, readonly State[]> {
  let looks = 0;
  const keyAt = (time: number): string => (looks++, timeline.at(time).durableRoot(node));
  const states: { from: number; to: number; key: string }[] = [{ from, to: from, key: keyAt(from) }];
  const take = function* (time: number, key: string): Generator<WorldSearch, void> {
    const last = states.at(-1)!;
    yield { doing: "looking", done: looks };
    if (last.key === key) last.to = time;
    else if (time - last.to === 1) states.push({ from: time, to: time, key });
    else {
      const middle = last.to + Math.floor((time - last.to) / 2);
      yield* take(middle, keyAt(middle));
      yield* take(time, key);
    }
  };
  for (let sample = 1; sample <= samples && to > from; sample++) {
    const time = from + Math.floor((to - from) * sample / samples);
    if (time > states.at(-1)!.to) yield* take(time, keyAt(time));
  }
  return states;
}
