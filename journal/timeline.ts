/** The timeline of a recorded run: one machine that goes to any instant of it, forward and back. */
import type { MachineImages } from "../machine/compose.ts";
import type { EventClass, EventObserver, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { WatchHit, WatchPoint } from "../machine/watch.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import { type Interval, IntervalRecorder } from "./interval.ts";
import { Ladder, type Rung } from "./ladder.ts";
import { Replay, type ReplayMark, type ReplayOptions } from "./replay.ts";
import type { RecordedRun } from "./run.ts";
import { type Met, StopScan } from "./stop_scan.ts";
import { WriteFilter } from "./write_filter.ts";

/** Steps between checkpoints: a few milliseconds of them; there is one at each multiple of it from the run's beginning. */
export const CHECKPOINT_SPACING: number = 2 ** 21;
/** How long before the target of a seek checkpoints are laid for small steps back from there, in steps. */
const NEAR = [2 ** 16, 2 ** 11] as const;
/** Windows, in steps, in which the last hit is looked for first; where there are many the last is near. */
const WINDOWS = [2 ** 11, 2 ** 16] as const;
/** Memory for checkpoints by default, in bytes. */
const CHECKPOINT_MEMORY = 2 ** 30;
/** Checkpoints laid for each slice of `precompute`. */
const RUNGS_AT_ONCE = 16;

/** How a timeline is gone along; none of it changes the run. */
export interface TimelineOptions extends Omit<ReplayOptions, "checkEvents" | "history"> {
  /** Bytes of memory for checkpoints, 1 GiB by default. The first one stays, whatever it takes. */
  readonly checkpointMemory?: number;
  /** Steps between checkpoints where there is memory for all: 2^21 by default. */
  readonly spacing?: number;
}

/** What a run along the timeline stops for. */
export interface StopConditions {
  /** Watch points. */
  readonly watches?: readonly WatchPoint[];
  /** Looked at at every step boundary, which is slow: becoming true is what counts. */
  readonly predicate?: (machine: Machine) => boolean;
}

/** Where a run along the timeline stopped. */
export type Reached =
  /** At a condition; `hits` are those of the watch points, none for a predicate. */
  | { readonly kind: "hit"; readonly instant: number; readonly hits: readonly WatchHit[] }
  /** At the limit given, or where the run begins or ends. */
  | { readonly kind: "limit" | "beginning" | "end"; readonly instant: number };

/** Called now and then with the instant reached. */
export type Progress = (instant: number) => void;

/** What a timeline keeps, and what it did. */
export interface TimelineStatistics {
  /** Checkpoints kept. */
  readonly checkpoints: number;
  /** Bytes of memory that they take, what they share counted once. */
  readonly checkpointBytes: number;
  /** Steps taken on the way to where somebody wanted to go. */
  readonly steps: number;
  /** Returns to a checkpoint. */
  readonly returns: number;
  /** Intervals between checkpoints that `runBackTo` had not to go through. */
  readonly skipped: number;
}

type Counts = { -readonly [Name in keyof TimelineStatistics]: number };

/**
 * Goes to any instant of a recorded run: back to the nearest checkpoint before it, and forward. Checkpoints are laid on
 * the way; where memory runs out they get fewer far from where it stands. What a user sees never depends on them.
 */
export class Timeline {
  readonly #replay: Replay;
  readonly #ladder: Ladder;
  readonly #recorder: IntervalRecorder;
  readonly #spacing: number;
  /** The rung since which the recorder has been there for every step. */
  #open: Rung | undefined;
  readonly #counts: Counts = { checkpoints: 0, checkpointBytes: 0, steps: 0, returns: 0, skipped: 0 };

  /** Powers the recorded machine on. Throws what `Replay` throws. */
  constructor(readonly run: RecordedRun, images: MachineImages, options: TimelineOptions = {}) {
    this.#replay = new Replay(run, images, { ...options, checkEvents: false, history: false });
    this.#spacing = options.spacing ?? CHECKPOINT_SPACING;
    const limit = options.checkpointMemory ?? CHECKPOINT_MEMORY;
    this.#ladder = new Ladder(this.#replay.mark(), limit, this.#spacing);
    this.#recorder = new IntervalRecorder(this.machine);
    this.#beginInterval();
  }

  /** The machine: to be looked at, never changed. */
  get machine(): Machine {
    return this.#replay.machine;
  }

  /** Where it is: the state is the one before the step boundary of this instant. */
  get instant(): number {
    return this.#replay.instant;
  }

  /** Where the run begins. */
  get firstInstant(): number {
    return this.run.firstInstant;
  }

  /** Where it ends. */
  get lastInstant(): number {
    return this.run.lastInstant;
  }

  /** What is kept, and what was done. */
  get statistics(): TimelineStatistics {
    return { ...this.#counts, checkpoints: this.#ladder.count, checkpointBytes: this.#ladder.bytes };
  }

  #checkInside(instant: number): void {
    if (Number.isSafeInteger(instant) && instant >= this.firstInstant && instant <= this.lastInstant) return;
    throw new RangeError(
      `Cannot go to instant ${instant}: the run begins at ${this.firstInstant} and ends at ${this.lastInstant}`,
    );
  }

  /** Goes to an instant; throws RangeError for one outside the run, DivergenceError as `Replay.runTo`. */
  seek(instant: number, progress?: Progress): void {
    this.#checkInside(instant);
    if (instant === this.instant) return;
    this.#approach(instant);
    for (const distance of NEAR) {
      const place = instant - distance;
      if (place - this.instant < distance) continue;
      this.#forward(place, progress);
      this.#ladder.addNear(this.#replay.mark(), instant);
    }
    this.#forward(instant, progress);
  }

  /**
   * Where a seek to an instant begins to run forward: the last checkpoint at or before it, or the present instant if that
   * is nearer. Hosts that go there in slices seek this first.
   */
  startOf(instant: number): number {
    this.#checkInside(instant);
    const mark = this.#ladder.before(instant).instant, stored = this.#replay.checkpointBefore(instant) ?? 0;
    return Math.max(
      mark,
      stored > mark + this.#spacing ? stored : 0,
      this.instant <= instant ? this.instant : 0,
    );
  }

  /** Goes to the nearest checkpoint before an instant, if that is nearer than where the machine is. */
  #approach(instant: number): void {
    const mark = this.#ladder.before(instant), isAhead = this.instant <= instant;
    const nearest = isAhead ? Math.max(mark.instant, this.instant) : mark.instant;
    if ((this.#replay.checkpointBefore(instant) ?? 0) > nearest + this.#spacing) this.#enter(instant);
    else if (!isAhead || mark.instant > this.instant) this.#return(mark);
  }

  /** Goes to a checkpoint in the journal, which becomes a rung. */
  #enter(instant: number): void {
    this.#counts.returns++;
    this.#open = undefined;
    this.#replay.goToCheckpoint(instant);
    this.#ladder.add(this.#replay.mark(), this.instant);
    this.#beginInterval();
  }

  #return(mark: ReplayMark): void {
    this.#counts.returns++;
    this.#open = undefined;
    this.#replay.returnTo(mark);
    this.#beginInterval();
  }

  /** Records facts of the interval from here if a rung is here whose facts nobody knows. */
  #beginInterval(): void {
    const rung = this.#ladder.rungBefore(this.instant);
    if (rung.instant !== this.instant || rung.interval !== undefined) return;
    this.#open = rung;
    this.#recorder.begin();
  }

  /** Where the next rung is, or is to be, after an instant. */
  #nextRung(instant: number): number {
    const since = instant - this.firstInstant + 1;
    const place = this.firstInstant + Math.ceil(since / this.#spacing) * this.#spacing;
    return Math.min(this.lastInstant, place, this.#ladder.rungAfter(instant)?.instant ?? Infinity);
  }

  /** Runs to an instant that is not before the present one, laying rungs; `scan` sees all steps. */
  #forward(target: number, progress?: Progress, scan?: StopScan): boolean {
    while (this.instant < target) {
      const from = this.instant, next = this.#nextRung(from), to = Math.min(target, next);
      const hasStopped = scan === undefined ? this.#replay.runTo(to) !== undefined : scan.runTo(to);
      this.#counts.steps += this.instant - from;
      if (this.instant === next && !hasStopped) this.#layRung();
      if (hasStopped) return true;
      progress?.(this.instant);
    }
    return false;
  }

  #layRung(): void {
    const open = this.#open, facts = open && this.#recorder.facts();
    this.#open = undefined;
    if (this.#ladder.rungBefore(this.instant).instant !== this.instant) {
      this.#ladder.add(this.#replay.mark(), this.instant);
    }
    // The rung may be gone, or its interval divided where the machine was not.
    if (open !== undefined && this.#ladder.rungBefore(this.instant - 1) === open) {
      this.#ladder.learn(open, facts as Interval);
    }
    this.#beginInterval();
  }

  /** Takes one step; false at the end of the run. */
  stepForward(): boolean {
    if (this.instant >= this.lastInstant) return false;
    this.#forward(this.instant + 1);
    return true;
  }

  /** Takes one step back; false at its beginning. */
  stepBack(): boolean {
    if (this.instant <= this.firstInstant) return false;
    this.seek(this.instant - 1);
    return true;
  }

  /** Facts of the interval that has an instant before the end, which it goes through if nobody has. */
  #intervalOf(instant: number): Interval {
    const known = this.#ladder.rungBefore(instant).interval;
    if (known !== undefined) return known;
    const back = this.instant;
    this.#return(this.#ladder.rungBefore(instant).mark);
    this.#forward(this.#nextRung(instant));
    // Before other rungs come: those just laid stay until then.
    const { interval } = this.#ladder.rungBefore(instant);
    this.#goBack(back);
    if (interval === undefined) throw new RangeError(`Cannot go through the run at instant ${instant}`);
    return interval;
  }

  /** Returns to where the user is. */
  #goBack(instant: number): void {
    this.#approach(instant);
    this.#forward(instant);
  }

  /** The CPU that takes the step of an instant, or the interrupt there. Throws RangeError for one outside the run. */
  cpuOfStep(instant: number): number {
    this.#checkInside(instant);
    if (instant === this.lastInstant) {
      throw new RangeError(`There is no step at instant ${instant}: the run ends there`);
    }
    if (this.machine.board.cpus.length === 1) return 0;
    return this.#intervalOf(instant).turns.findLast((turn) => turn.instant <= instant)?.cpu as number;
  }

  /**
   * Goes back to the last step of a CPU before here; false, and nothing changes, where there is none, at least not from
   * the interval with `limit` on.
   */
  stepBackOf(cpu: number, limit: number = this.firstInstant): boolean {
    for (let end = this.instant; end > limit;) {
      const { turns } = this.#intervalOf(end - 1);
      for (const turn of turns.toReversed()) {
        if (turn.instant >= end) continue;
        if (turn.cpu === cpu) {
          this.seek(end - 1);
          return true;
        }
        end = turn.instant;
      }
    }
    return false;
  }

  /**
   * Goes on until a CPU has taken a step; false, and nothing changes, where it takes none, at least not up to the interval
   * with `limit`.
   */
  stepForwardOf(cpu: number, limit: number = this.lastInstant): boolean {
    for (let from = this.instant; from < limit;) {
      const { turns } = this.#intervalOf(from);
      const index = turns.findLastIndex(({ instant }) => instant <= from);
      const turn = turns.slice(index).find((turn) => turn.cpu === cpu);
      if (turn !== undefined) {
        this.seek(Math.max(turn.instant, from) + 1);
        return true;
      }
      from = this.#ladder.rungAfter(from)?.instant ?? this.lastInstant;
    }
    return false;
  }

  /**
   * Goes forward to the first instant at which a condition is met, or to `limit`, by default the end. An execute watch
   * stops before its step, and passes the one it begins at; any other after it. Throws RangeError for a limit before here
   * or a watch that cannot be.
   */
  runForwardTo(stops: StopConditions, limit: number = this.lastInstant, progress?: Progress): Reached {
    this.#checkInside(limit);
    if (limit < this.instant) throw new RangeError(`Cannot run forward to ${limit} from ${this.instant}`);
    const scan = new StopScan(this.#replay, stops, "forward", this.instant);
    const found = scan.while(() => this.#forward(limit, progress, scan));
    if (!found) return { kind: limit === this.lastInstant ? "end" : "limit", instant: limit };
    const { position, hits } = scan.last!;
    // A state within a boundary is not the one of its instant.
    if (scan.isBegun) this.#return(this.#ladder.before(position));
    this.seek(position);
    return { kind: "hit", instant: position, hits };
  }

  /**
   * Goes back to the last instant before here at which a condition is met, or to `limit`, by default the beginning. It
   * stops before the step that a watch is about, and at the first instant at which a predicate holds. Throws RangeError
   * for a limit after here or a watch that cannot be.
   */
  runBackTo(stops: StopConditions, limit: number = this.firstInstant, progress?: Progress): Reached {
    const search = this.searchBack(stops, limit);
    for (;;) {
      const { done, value } = search.next();
      if (done === true) return value;
      progress?.(value);
    }
  }

  /**
   * The same in slices, for hosts that have to look up now and then: each gives the instant down to which there is no
   * hit. Whoever gives up stands somewhere between there and the end of the search.
   */
  *searchBack(stops: StopConditions, limit: number = this.firstInstant): Generator<number, Reached> {
    this.#checkInside(limit);
    if (limit > this.instant) throw new RangeError(`Cannot run back to ${limit} from ${this.instant}`);
    const filter = stops.predicate === undefined
      ? new WriteFilter(this.machine, stops.watches ?? [])
      : undefined;
    const start = this.instant;
    let end = start, windows: readonly number[] = WINDOWS;
    while (end > limit) {
      const rung = this.#ladder.rungBefore(end - 1);
      let from = Math.max(limit, rung.instant);
      if (filter?.canSkip(rung.interval) === true) this.#counts.skipped++;
      else {
        from = Math.max(from, end - (windows[0] ?? Infinity));
        windows = windows.slice(1);
        const met = this.#lastMet(stops, from, end, start);
        if (met !== undefined) return { kind: "hit", instant: met.position, hits: met.hits };
        filter?.moved();
        yield from;
      }
      end = from;
    }
    this.seek(limit);
    return { kind: limit === this.firstInstant ? "beginning" : "limit", instant: limit };
  }

  /** Goes to the last hit of an interval's steps; without one it stands at the interval's beginning. */
  #lastMet(stops: StopConditions, from: number, to: number, start: number): Met | undefined {
    this.seek(from);
    const scan = new StopScan(this.#replay, stops, "back", start);
    scan.while(() => this.#forward(to, undefined, scan));
    this.seek(scan.last?.position ?? from);
    return scan.last;
  }

  /** Goes from one instant to another while somebody observes, who must not touch the machine; stands at `to` then. */
  observe(from: number, to: number, observer: EventObserver): void {
    this.#checkInside(to);
    this.seek(from);
    const { events } = this.machine.board;
    events.add(observer);
    try {
      this.#forward(to);
    } finally {
      events.remove(observer);
    }
  }

  /** The events of instants `from` ≤ i < `to`, of all classes by default; the machine is where it was afterwards. */
  events(from: number, to: number, classes: readonly EventClass[] = ALL_CLASSES): readonly MachineEvent[] {
    const back = this.instant, gathered: MachineEvent[] = [];
    this.seek(from);
    const observer: EventObserver = { classes, observe: (event) => void gathered.push(event) };
    const { events } = this.machine.board;
    events.add(observer);
    try {
      this.#forward(Math.min(to, this.lastInstant));
      if (to > this.lastInstant) this.#replay.runToEnd();
    } finally {
      events.remove(observer);
    }
    if (to > this.lastInstant) this.#return(this.#ladder.before(back));
    this.#goBack(back);
    return gathered.filter((event) => this.run.isKnown(event));
  }

  /**
   * Goes through the run, or up to an instant, laying checkpoints, some for each `next()`; gives the instant up to which
   * there are any, and stands where it was before. For hosts to call while nothing else is to be done.
   */
  *precompute(to: number = this.lastInstant): Generator<number> {
    this.#checkInside(to);
    for (;;) {
      const back = this.instant;
      this.#ladder.addNear(this.#replay.mark(), back);
      const rung = this.#ladder.firstUnknown;
      if (rung === undefined || rung.instant >= to) return;
      const until = Math.min(to, rung.instant + RUNGS_AT_ONCE * this.#spacing);
      this.#return(rung.mark);
      while (this.instant < until && this.#open !== undefined) this.#forward(this.#nextRung(this.instant));
      const reached = this.instant;
      this.#goBack(back);
      if (reached === rung.instant) return;
      yield Math.min(to, this.#ladder.firstUnknown?.instant ?? to);
    }
  }
}
