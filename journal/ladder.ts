/** The ladder of a timeline: checkpoints along a run that get fewer with their distance as memory runs out. */
import { type Interval, joined, partFrom, partUpTo, sizeOf } from "./interval.ts";
import type { ReplayMark } from "./replay.ts";
import { SharedSize } from "./shared_size.ts";

/** A checkpoint, and what is known of the interval from it to the next one. */
export interface Rung {
  /** Where it is. */
  readonly instant: number;
  /** The state there. */
  readonly mark: ReplayMark;
  /** Facts of the interval up to the next rung; undefined while nobody has gone through it. */
  interval: Interval | undefined;
}

/** Checkpoints for whoever goes back by small steps are few. */
const MOST_NEAR = 16;
/** Checkpoints in all; each costs a little beside its pages. */
const MOST_RUNGS = 8192;

/** What is held, in order of instants. */
export class Ladder {
  #rungs: Rung[];
  /** Checkpoints between rungs, about where the user is. */
  #near: ReplayMark[] = [];
  readonly #size = new SharedSize();
  #intervalBytes = 0;

  /** A ladder of the run's beginning, which stays; `limit` is in bytes, and `spacing` that of rungs, in steps. */
  constructor(first: ReplayMark, private readonly limit: number, private readonly spacing: number) {
    this.#rungs = [{ instant: first.instant, mark: first, interval: undefined }];
    this.#size.add(first.snapshot);
  }

  /** Checkpoints held. */
  get count(): number {
    return this.#rungs.length + this.#near.length;
  }

  /** Bytes of memory that they take, what they share counted once. */
  get bytes(): number {
    return this.#size.bytes + this.#intervalBytes;
  }

  /** The first rung from which nobody has gone on to the next. */
  get firstUnknown(): Rung | undefined {
    return this.#rungs.find(({ interval }) => interval === undefined);
  }

  /** Index of the last rung at or before an instant. */
  #indexBefore(instant: number): number {
    let low = 0, high = this.#rungs.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#rungs[middle] as Rung).instant <= instant) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The last rung at or before an instant, which is not before the beginning. */
  rungBefore(instant: number): Rung {
    return this.#rungs[this.#indexBefore(instant)] as Rung;
  }

  /** The rung after the one at or before an instant. */
  rungAfter(instant: number): Rung | undefined {
    return this.#rungs[this.#indexBefore(instant) + 1];
  }

  /** The nearest checkpoint at or before an instant. */
  before(instant: number): ReplayMark {
    const { mark } = this.rungBefore(instant);
    return this.#near.reduce(
      (best, near) => near.instant <= instant && near.instant > best.instant ? near : best,
      mark,
    );
  }

  /** Adds a rung where there is none; what is known of the interval that it divides is known of its parts. */
  add(mark: ReplayMark, present: number): void {
    const { instant } = mark, index = this.#indexBefore(instant), before = this.#rungs[index] as Rung;
    if (before.instant === instant) return;
    const { interval } = before;
    this.#setInterval(before, interval && partUpTo(interval, instant));
    const rung: Rung = { instant, mark, interval: undefined };
    this.#rungs.splice(index + 1, 0, rung);
    this.#setInterval(rung, interval && partFrom(interval, instant));
    this.#size.add(mark.snapshot);
    this.#thin(present);
  }

  /** Tells the facts of the interval from a rung to the next one. */
  learn(rung: Rung, interval: Interval): void {
    this.#setInterval(rung, interval);
  }

  #setInterval(rung: Rung, interval: Interval | undefined): void {
    if (rung.interval !== undefined) this.#intervalBytes -= sizeOf(rung.interval);
    if (interval !== undefined) this.#intervalBytes += sizeOf(interval);
    rung.interval = interval;
  }

  /** Adds a checkpoint for steps around `present`; the farthest of such go. */
  addNear(mark: ReplayMark, present: number): void {
    if (this.before(mark.instant).instant === mark.instant) return;
    this.#near.push(mark);
    this.#size.add(mark.snapshot);
    while (this.#near.length > MOST_NEAR) this.#removeNear(present);
    this.#thin(present);
  }

  #removeNear(present: number): void {
    const distances = this.#near.map(({ instant }) => Math.abs(instant - present));
    const [removed] = this.#near.splice(distances.indexOf(Math.max(...distances)), 1);
    this.#size.remove((removed as ReplayMark).snapshot);
  }

  #thin(present: number): void {
    while (this.bytes > this.limit || this.#rungs.length > MOST_RUNGS) {
      const index = this.#dispensable(present);
      if (index !== undefined) this.#removeRung(index);
      else if (this.#near.length > 1) this.#removeNear(present);
      else return;
    }
  }

  /**
   * Index of the rung that is missed least, the one with the smallest gap without it, for its distance. Never the first
   * or the last, nor the one at `present` and the one before that, between which somebody gathers facts.
   */
  #dispensable(present: number): number | undefined {
    let least = Infinity, found: number | undefined;
    for (let at = 1; at < this.#rungs.length - 1; at++) {
      const { instant } = this.#rungs[at] as Rung, after = (this.#rungs[at + 1] as Rung).instant;
      if (instant <= present && after >= present) continue;
      const gap = after - (this.#rungs[at - 1] as Rung).instant;
      const missed = gap / (Math.abs(instant - present) + this.spacing);
      if (missed < least) [least, found] = [missed, at];
    }
    return found;
  }

  #removeRung(index: number): void {
    const [removed] = this.#rungs.splice(index, 1) as [Rung], before = this.#rungs[index - 1] as Rung;
    const { interval: left } = before, { interval: right } = removed;
    this.#setInterval(removed, undefined);
    this.#setInterval(before, left && right && joined(left, right));
    this.#size.remove(removed.mark.snapshot);
  }
}
