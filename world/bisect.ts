/** Bisect of worlds: the first time at which a world goes wrong, the inputs that it takes, and the windows of power cuts. */
import { ddmin } from "../journal/minimize.ts";
import type { TimedWorldInput } from "./course.ts";
import { ByteWriter } from "../machine/layout.ts";
import { WorldError } from "./errors.ts";
import { type WorldEvent, writeWorldEvent } from "./events.ts";
import type { WorldSession } from "./session.ts";
import type { WorldTimeline } from "./timeline.ts";

/** How far a search has come: what it does, and how often the world was looked at or tried. */
export interface WorldSearch {
  /** What is done. */
  readonly doing: "looking" | "halving" | "trying";
  /** How often so far. */
  readonly done: number;
}

/** What bisect along a world found. */
export type WorldBisection =
  | { readonly kind: "never" | "always"; readonly looks: number }
  | {
    readonly kind: "found";
    /** It does not hold when everything before `time` − 1 has happened, and holds when what happens then has. */
    readonly time: number;
    /** What happened between the nodes in that nanosecond, in the world's order. */
    readonly events: readonly WorldEvent[];
    /** The nodes that did something in it: a machine took steps, or an event is theirs. */
    readonly nodes: readonly number[];
    /** How often it was looked at. */
    readonly looks: number;
  };

/** Places over the whole world that are looked at before an interval is halved. */
const SAMPLES = 64;

/** A search that is carried out at once. */
export function searched<T>(search: Generator<WorldSearch, T>): T {
  let step = search.next();
  while (!step.done) step = search.next();
  return step.value;
}

/**
 * Finds where something begins to hold of a world: it is looked at in places all over, and where it holds first the
 * interval is halved down to a nanosecond. `holds` looks at the world and changes nothing. Throws what `WorldTimeline.at`
 * throws.
 */
export function* bisectTime(
  timeline: WorldTimeline,
  holds: (session: WorldSession) => boolean,
  samples: number = SAMPLES,
): Generator<WorldSearch, WorldBisection> {
  const { lastTime } = timeline.run;
  let looks = 0;
  const look = (time: number): boolean => (looks++, holds(timeline.at(time)));
  if (look(0)) return { kind: "always", looks };
  let low = 0, high = -1;
  for (let sample = 1; sample <= samples && high < 0; sample++) {
    const time = Math.floor(lastTime * sample / samples);
    if (look(time)) high = time;
    else low = time;
    yield { doing: "looking", done: looks };
  }
  if (high < 0) return { kind: "never", looks };
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    if (look(middle)) high = middle;
    else low = middle;
    yield { doing: "halving", done: looks };
  }
  return { kind: "found", time: high, looks, ...whatHappened(timeline, low, high) };
}

/** Events from one time to another, and the nodes that are not as they were. */
function whatHappened(
  timeline: WorldTimeline,
  low: number,
  high: number,
): { readonly events: readonly WorldEvent[]; readonly nodes: readonly number[] } {
  const events = timeline.run.events.filter(({ time }) => time >= low && time < high);
  const [before, after] = [low, high].map((time) => {
    const session = timeline.at(time);
    return session.world.nodes.map((_, node) => session.machineOf(node)?.instant);
  });
  const nodes = before!.flatMap((instant, node) =>
    instant === after![node] && !events.some((event) => event.node === node) ? [] : [node]
  );
  return { events, nodes };
}

/** What a world comes to: whatever is equal for worlds that end alike, such as `installed` and `bricked`. */
export type WorldVerdict = string;

/** How inputs are tried. */
export interface InputSearch {
  /** Runs the world on from before the first candidate, and says what it comes to. */
  readonly verdict: (session: WorldSession) => WorldVerdict;
  /** Which inputs may be left out; all by default. */
  readonly isCandidate?: (input: TimedWorldInput) => boolean;
  /**
   * The inputs of a world like this one in which it does not go so: candidates are then what only one of the two was
   * given, and what only the other was is given instead.
   */
  readonly other?: readonly TimedWorldInput[];
}

/** Which inputs matter. */
export type WorldInputs =
  /** The world comes to the same with all candidates and with none. */
  | { readonly kind: "indifferent"; readonly verdict: WorldVerdict; readonly candidates: number }
  | {
    readonly kind: "found";
    /** Candidates without any of which the world comes to something else. */
    readonly inputs: readonly TimedWorldInput[];
    /** Inputs of the other world: were any of them given, it would come to something else. */
    readonly missing: readonly TimedWorldInput[];
    /** How many there were. */
    readonly candidates: number;
    /** What it comes to with all of them, and with these. */
    readonly verdict: WorldVerdict;
    /** What it comes to with none. */
    readonly without: WorldVerdict;
    /** Worlds that were tried. */
    readonly tries: number;
  };

/** Something that only one of two worlds was given. */
interface Candidate {
  readonly input: TimedWorldInput;
  /** The world at hand was given it, and not the other one. */
  readonly isGiven: boolean;
}

/** Time, node and input as bytes, to compare inputs of two worlds by. */
function keyOf({ time, node, input }: TimedWorldInput): string {
  const writer = new ByteWriter();
  writeWorldEvent(writer, { kind: "inputGiven", time, node, number: 0, input });
  return writer.view().toHex();
}

/** Those of some inputs that are not among others, each as often as it is there more often. */
function lackingIn(
  others: readonly TimedWorldInput[],
  inputs: readonly TimedWorldInput[],
): TimedWorldInput[] {
  const counts = new Map<string, number>();
  for (const each of others) counts.set(keyOf(each), (counts.get(keyOf(each)) ?? 0) + 1);
  return inputs.filter((each) => {
    const key = keyOf(each), count = counts.get(key) ?? 0;
    counts.set(key, count - 1);
    return count <= 0;
  });
}

function candidatesOf(
  timeline: WorldTimeline,
  { isCandidate = () => true, other }: InputSearch,
): Candidate[] {
  const { inputs } = timeline.run, given = other === undefined ? inputs : lackingIn(other, inputs);
  const lacking = other === undefined ? [] : lackingIn(inputs, other);
  const candidates = [
    ...given.map((input) => ({ input, isGiven: true })),
    ...lacking.map((input) => ({ input, isGiven: false })),
  ].filter(({ input }) => isCandidate(input)).sort((a, b) => a.input.time - b.input.time);
  if (candidates.length > 0) return candidates;
  throw new WorldError(
    other === undefined
      ? "The world was given no inputs that could be left out"
      : "Both worlds were given the same inputs",
  );
}

/**
 * Finds a set of a world's inputs of which none can be left out for it to come to what it does; with another world, of
 * its differences from that one's. Throws what `at` throws.
 */
export function minimizeWorldInputs(
  timeline: WorldTimeline,
  search: InputSearch,
  progress: (search: WorldSearch) => void = () => {},
): WorldInputs {
  const candidates = candidatesOf(timeline, search), begin = candidates[0]!.input.time;
  const known = new Map<string, WorldVerdict>();
  const outcome = (kept: readonly Candidate[]): WorldVerdict => {
    const undone = candidates.filter((candidate) => !kept.includes(candidate));
    const name = undone.map((candidate) => candidates.indexOf(candidate)).join(), before = known.get(name);
    if (before !== undefined) return before;
    progress({ doing: "trying", done: known.size });
    const session = timeline.at(begin);
    const left = new Set(undone.filter(({ isGiven }) => isGiven).map(({ input }) => input.number));
    session.dropInputs(({ number }) => left.has(number));
    for (const { input: { time, node, input }, isGiven } of undone) {
      if (!isGiven) session.give({ time, node, input });
    }
    const found = search.verdict(session);
    known.set(name, found);
    return found;
  };
  const all = outcome(candidates), without = outcome([]), count = candidates.length;
  if (all === without) return { kind: "indifferent", verdict: all, candidates: count };
  const needed = ddmin(candidates, (kept) => outcome(kept) === all);
  const inputsOf = (isGiven: boolean): TimedWorldInput[] =>
    needed.filter((candidate) => candidate.isGiven === isGiven).map(({ input }) => input);
  const [inputs, missing] = [inputsOf(true), inputsOf(false)];
  return { kind: "found", inputs, missing, candidates: count, verdict: all, without, tries: known.size };
}

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
