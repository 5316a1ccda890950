/** Bisect over a world's inputs: those that it takes for the world to come to what it does. */
import { ddmin } from "../journal/minimize.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { TimedWorldInput } from "./course.ts";
import { WorldError } from "./errors.ts";
import { writeWorldEvent } from "./events.ts";
import type { WorldSearch, WorldVerdict } from "./search.ts";
import type { WorldSession } from "./session.ts";
import type { WorldTimeline } from "./timeline.ts";

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
