/** The timeline of a recorded run: one machine that goes to any instant of it, forward and back. */
import type { MachineImages } from "../machine/compose.ts";
import type { EventClass, EventObserver, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { WatchHit, WatchPoint } from "../machine/watch.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import { Replay, type ReplayMark, type ReplayOptions } from "./replay.ts";
import type { RecordedRun } from "./run.ts";
import { StepWatch } from "./step_watch.ts";

/** Steps between checkpoints. */
const SPACING = 2 ** 22;
/** Steps between two calls of `progress`, and between two looks at what was watched for. */
const SLICE = 2 ** 17;
/** Memory for checkpoints by default, in bytes. */
const CHECKPOINT_MEMORY = 2 ** 30;

/** How a timeline is gone along; none of it changes the run. */
export interface TimelineOptions extends ReplayOptions {
  /** Bytes of memory for checkpoints, 1 GiB by default. */
  readonly checkpointMemory?: number;
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

/** What a timeline keeps. */
export interface TimelineStatistics {
  /** Checkpoints kept. */
  readonly checkpoints: number;
  /** Bytes of memory that they take. */
  readonly checkpointBytes: number;
}

/** A condition that was met: where to stand to look at it. */
interface Met {
  readonly position: number;
  readonly hits: readonly WatchHit[];
}

/** Goes to any instant of a recorded run. */
export class Timeline {
  #replay: Replay;
  #marks: ReplayMark[];

  /** Powers the recorded machine on. Throws what `Replay` throws. */
  constructor(readonly run: RecordedRun, images: MachineImages, readonly options: TimelineOptions = {}) {
    this.#replay = new Replay(run, images, { ...options, checkEvents: false });
    this.#marks = [this.#replay.mark()];
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

  /** What is kept. */
  get statistics(): TimelineStatistics {
    return { checkpoints: this.#marks.length, checkpointBytes: 0 };
  }

  /** Goes to an instant; throws RangeError for one outside the run, DivergenceError as `Replay.runTo`. */
  seek(instant: number, progress?: Progress): void {
    this.#checkInside(instant);
    const mark = this.#marks.findLast((mark) => mark.instant <= instant) as ReplayMark;
    if (instant < this.instant || mark.instant > this.instant) this.#replay.returnTo(mark);
    this.#forward(instant, progress);
  }

  #checkInside(instant: number): void {
    if (Number.isSafeInteger(instant) && instant >= this.firstInstant && instant <= this.lastInstant) return;
    throw new RangeError(
      `Cannot go to instant ${instant}: the run begins at ${this.firstInstant} and ends at ${this.lastInstant}`,
    );
  }

  #forward(target: number, progress?: Progress): void {
    while (this.instant < target) {
      const next = (this.#marks.at(-1) as ReplayMark).instant + SPACING;
      const limit = this.instant < next ? Math.min(target, next) : target;
      this.#replay.runTo(Math.min(limit, this.instant + SLICE));
      if (this.instant === next) this.#addMark();
      progress?.(this.instant);
    }
  }

  #addMark(): void {
    this.#marks.push(this.#replay.mark());
    const most = (this.options.checkpointMemory ?? CHECKPOINT_MEMORY) / 2 ** 26;
    if (this.#marks.length > Math.max(2, most)) {
      this.#marks = this.#marks.filter((_, index) => index % 2 === 0);
    }
  }

  /** Takes one step; false at the end of the run. */
  stepForward(): boolean {
    if (this.instant >= this.lastInstant) return false;
    this.seek(this.instant + 1);
    return true;
  }

  /** Takes one step back; false at its beginning. */
  stepBack(): boolean {
    if (this.instant <= this.firstInstant) return false;
    this.seek(this.instant - 1);
    return true;
  }

  /** The CPU that takes the step of an instant, or the interrupt there. Throws RangeError for one outside the run. */
  cpuOfStep(instant: number): number {
    const back = this.instant;
    if (instant === this.lastInstant) {
      throw new RangeError(`There is no step at instant ${instant}: the run ends there`);
    }
    this.seek(instant + 1);
    const { index } = this.machine.currentCpu;
    this.seek(back);
    return index;
  }

  /** Goes back to the last step of a CPU before here; false, and nothing changes, where there is none. */
  stepBackOf(cpu: number): boolean {
    for (let instant = this.instant - 1; instant >= this.firstInstant; instant--) {
      if (this.cpuOfStep(instant) !== cpu) continue;
      this.seek(instant);
      return true;
    }
    return false;
  }

  /** Goes on until a CPU has taken a step; false, and nothing changes, where it takes none. */
  stepForwardOf(cpu: number): boolean {
    for (let instant = this.instant; instant < this.lastInstant; instant++) {
      if (this.cpuOfStep(instant) !== cpu) continue;
      this.seek(instant + 1);
      return true;
    }
    return false;
  }

  /**
   * Goes forward to the first instant at which a condition is met, or to `limit`, by default the end. An execute watch
   * stops before its step, and passes the one it begins at; any other after it.
   */
  runForwardTo(stops: StopConditions, limit: number = this.lastInstant, progress?: Progress): Reached {
    this.#checkInside(limit);
    const start = this.instant;
    for (let from = start; from < limit; from += SLICE) {
      const to = Math.min(limit, from + SLICE);
      const met = this.#met(stops, from, to, start, "forward").find(({ position }) => position > start);
      if (met !== undefined) {
        this.seek(met.position);
        return { kind: "hit", instant: met.position, hits: met.hits };
      }
      progress?.(to);
    }
    return { kind: limit === this.lastInstant ? "end" : "limit", instant: limit };
  }

  /**
   * Goes back to the last instant before here at which a condition is met, or to `limit`, by default the beginning. It
   * stops before the step that a watch is about, and at the first instant at which a predicate holds.
   */
  runBackTo(stops: StopConditions, limit: number = this.firstInstant, progress?: Progress): Reached {
    this.#checkInside(limit);
    const start = this.instant;
    for (let to = start; to > limit; to -= SLICE) {
      const from = Math.max(limit, to - SLICE);
      const met = this.#met(stops, from, to, start, "back").findLast(({ position }) => position < start);
      if (met !== undefined) {
        this.seek(met.position);
        return { kind: "hit", instant: met.position, hits: met.hits };
      }
      progress?.(from);
    }
    this.seek(limit);
    return { kind: limit === this.firstInstant ? "beginning" : "limit", instant: limit };
  }

  /** All conditions met by the steps of an interval, in order of position; the machine is at its end then. */
  #met(stops: StopConditions, from: number, to: number, start: number, way: "forward" | "back"): Met[] {
    this.seek(from);
    const met: Met[] = [];
    const watch = new StepWatch(stops.watches ?? []);
    const { events } = this.machine.board;
    events.add(watch);
    const { predicate } = stops;
    if (predicate === undefined) this.#forward(to);
    else {
      let before = predicate(this.machine);
      while (this.instant < to) {
        this.#forward(this.instant + 1);
        const now = predicate(this.machine);
        if (now && !before && this.instant !== start) met.push({ position: this.instant, hits: [] });
        before = now;
      }
    }
    events.remove(watch);
    for (const hit of watch.hits) {
      const isAfter = way === "forward" && hit.point.kind !== "execute";
      const position = hit.instant + (isAfter ? 1 : 0);
      const same = met.find((other) => other.position === position);
      if (same === undefined) met.push({ position, hits: [hit] });
      else met[met.indexOf(same)] = { position, hits: [...same.hits, hit] };
    }
    return met.sort((a, b) => a.position - b.position);
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
    const first = this.#marks[0] as ReplayMark;
    if (to > this.lastInstant) this.#replay.returnTo(first);
    this.seek(back);
    return gathered.filter((event) => this.run.isKnown(event));
  }

  /** Goes through the run, or up to an instant, laying checkpoints, a slice for each `next()`; gives the instant reached. */
  *precompute(to: number = this.lastInstant): Generator<number> {
    let reached = (this.#marks.at(-1) as ReplayMark).instant;
    while (reached < to) {
      const back = this.instant;
      reached = Math.min(to, reached + SPACING);
      this.seek(reached);
      this.seek(back);
      yield reached;
    }
  }
}
