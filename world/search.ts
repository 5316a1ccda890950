/** Searches in worlds: what they tell on the way, and what a world that was tried comes to. */

/** How far a search has come: what it does, and how often the world was looked at or tried. */
export interface WorldSearch {
  /** What is done. */
  readonly doing: "looking" | "halving" | "trying";
  /** How often so far. */
  readonly done: number;
}

/** What a world comes to: whatever is equal for worlds that end alike, such as `installed` and `bricked`. */
export type WorldVerdict = string;

/** Places over the whole world that are looked at before an interval is halved. */
export const SAMPLES = 64;

/** A search that is carried out at once. */
export function searched<T>(search: Generator<WorldSearch, T>): T {
  let step = search.next();
  while (!step.done) step = search.next();
  return step.value;
}
