/** A recorded run under a debugger: forward and back along its timeline, in slices. */
import { CHECKPOINT_SPACING, type Reached, type Timeline } from "../../journal/timeline.ts";
import type { Machine } from "../../machine/machine.ts";
import type { WatchHit, WatchPoint } from "../../machine/watch.ts";
import { Slices } from "./slices.ts";
import type { AddressRange, GdbTarget, Stopped, Wish } from "./target.ts";

/** Steps of a range between two looks at the client. */
const RANGE_STEPS = 64;

/** Steps gone through at once while there is nothing else to do: a packet that comes meanwhile has to wait. */
const IDLE_STEPS = 4 * CHECKPOINT_SPACING;

/** The address to tell: the first byte of an access that is watched. */
function addressOf({ point, address }: WatchHit): bigint {
  return address < point.address ? point.address : address;
}

/** The next place after an instant where a timeline may have a checkpoint. */
function roundedUp(instant: number, first: number): number {
  return first + Math.ceil((instant - first) / CHECKPOINT_SPACING) * CHECKPOINT_SPACING;
}

/** A run that a client goes along. */
export class TimelineTarget implements GdbTarget {
  readonly #slices: Slices;
  /** How far checkpoints were laid while there was nothing else to do. */
  #laid: number;
  /** Where a watchpoint's access was told of, on the way forward or back. */
  #told: { readonly instant: number; readonly isForward: boolean } | undefined;

  /** `now` gives milliseconds of host time, by which slices are measured. */
  constructor(readonly timeline: Timeline, now: () => number) {
    this.#slices = new Slices(now);
    this.#laid = timeline.firstInstant;
  }

  /** See GdbTarget. */
  get machine(): Machine {
    return this.timeline.machine;
  }

  /** See GdbTarget. */
  *resume(wish: Wish, points: readonly WatchPoint[]): Generator<void, Stopped> {
    const { timeline } = this;
    const told = this.#told;
    this.#told = undefined;
    const isForward = wish.kind === "continue" || wish.kind === "step";
    // Who was told of an access and still has its watchpoint is not told again.
    const isKnown = told?.instant === timeline.instant && told.isForward === isForward;
    const stopped = yield* this.#move(wish, points, isKnown);
    if (stopped.kind === "hit" && stopped.point.kind !== "execute") {
      this.#told = { instant: timeline.instant, isForward };
    }
    return stopped;
  }

  *#move(wish: Wish, points: readonly WatchPoint[], isKnown: boolean): Generator<void, Stopped> {
    const { timeline, machine } = this;
    const cpu = "cpu" in wish ? wish.cpu : machine.currentCpu.index;
    if (isKnown) {
      const breakpoints = points.filter(({ kind }) => kind === "execute");
      const isAlone = wish.kind === "step" && wish.range === undefined;
      if (isAlone) return yield* this.#step(cpu, breakpoints);
      if (wish.kind === "stepBack") return yield* this.#stepBack(cpu, breakpoints);
      if (wish.kind === "continueBack") timeline.stepBack();
      else timeline.stepForward();
    }
    switch (wish.kind) {
      case "continue":
        return this.#stopped(yield* this.#forward(points, timeline.lastInstant));
      case "continueBack":
        return this.#stopped(yield* this.#back(points, timeline.firstInstant));
      case "stepBack":
        return yield* this.#stepBack(cpu, points);
      case "step":
        if (wish.range !== undefined) return yield* this.#leave(cpu, wish.range, points);
        return yield* this.#step(cpu, points);
    }
  }

  /** Where a run along the timeline ended, as a stop. */
  #stopped(reached: Reached, cpu = this.machine.currentCpu.index): Stopped {
    switch (reached.kind) {
      case "beginning":
        return { kind: "history", cpu, end: "begin" };
      case "end":
        return { kind: "history", cpu, end: "end" };
      case "limit":
        return { kind: "stepped", cpu };
      case "hit": {
        const hit = reached.hits.find(({ point }) => point.kind !== "execute") ?? reached.hits[0]!;
        const by = hit.cpu >= 0 ? hit.cpu : this.timeline.cpuOfStep(hit.instant);
        return { kind: "hit", cpu: by, point: hit.point, address: addressOf(hit) };
      }
    }
  }

  *#forward(points: readonly WatchPoint[], limit: number): Generator<void, Reached> {
    const { timeline } = this;
    for (;;) {
      const end = Math.min(limit, timeline.instant + this.#slices.steps);
      const reached = this.#slices.measure(() => timeline.runForwardTo({ watches: points }, end));
      if (reached.kind === "hit") return this.#atAccess(reached, true);
      if (reached.kind === "end" || timeline.instant >= limit) return reached;
      const due = this.#dueHere(points);
      if (due !== undefined) return due;
      yield;
    }
  }

  /**
   * Stands at the near side of a watchpoint's access, seen the way the run goes: where AArch64's watchpoints stop, and
   * gdb expects it. It takes the step over the access itself, on or back, and compares values then.
   */
  #atAccess(reached: Reached & { readonly kind: "hit" }, isForward: boolean): Reached {
    const access = reached.hits.find(({ point }) => point.kind !== "execute");
    if (access === undefined) return reached;
    const instant = access.instant + (isForward ? 0 : 1);
    this.timeline.seek(instant);
    return { ...reached, instant, hits: [access] };
  }

  /** A breakpoint on the step that is next where a slice ended: the slice after it would pass over it. */
  #dueHere(points: readonly WatchPoint[]): Reached | undefined {
    const { timeline, machine: { board: { cpus } } } = this;
    const watches = points.filter(({ kind, address }) =>
      kind === "execute" && cpus.some(({ pc }) => pc === address)
    );
    const { instant } = timeline;
    if (watches.length === 0 || !timeline.stepForward()) return undefined;
    const reached = timeline.runBackTo({ watches }, instant);
    return reached.kind === "hit" ? reached : undefined;
  }

  *#back(points: readonly WatchPoint[], limit: number): Generator<void, Reached> {
    const { timeline } = this;
    for (;;) {
      // A checkpoint is there, from which the next slice goes on without a detour.
      const steps = Math.max(this.#slices.steps, CHECKPOINT_SPACING);
      const end = Math.max(limit, roundedUp(timeline.instant - steps, timeline.firstInstant));
      const reached = this.#slices.measure(() => timeline.runBackTo({ watches: points }, end));
      if (reached.kind === "hit") return this.#atAccess(reached, false);
      if (reached.kind === "beginning" || timeline.instant <= limit) return reached;
      yield;
    }
  }

  /** Where a CPU has taken its next step, or undefined when it takes none any more; comes back to here. */
  *#nextStepOf(cpu: number): Generator<void, number | undefined> {
    const { timeline } = this, { instant, lastInstant } = timeline;
    for (let limit = instant; limit < lastInstant;) {
      limit = Math.min(lastInstant, limit + Math.max(this.#slices.steps, CHECKPOINT_SPACING));
      if (this.#slices.measure(() => timeline.stepForwardOf(cpu, limit))) {
        const after = timeline.instant;
        timeline.seek(instant);
        return after;
      }
      yield;
    }
    return undefined;
  }

  /** Goes back to the last step of a CPU; false, and nothing changes, where there is none. */
  *#backTo(cpu: number): Generator<void, boolean> {
    const { timeline } = this, { firstInstant } = timeline;
    for (let limit = timeline.instant; limit > firstInstant;) {
      limit = Math.max(firstInstant, limit - Math.max(this.#slices.steps, CHECKPOINT_SPACING));
      if (this.#slices.measure(() => timeline.stepBackOf(cpu, limit))) return true;
      yield;
    }
    return false;
  }

  /** See GdbTarget: lays checkpoints on the rest of the run. */
  idle(): boolean {
    const { timeline } = this;
    this.#laid = Math.min(timeline.lastInstant, this.#laid + IDLE_STEPS);
    while (timeline.precompute(this.#laid).next().done !== true);
    return this.#laid < timeline.lastInstant;
  }

  *#step(cpu: number, points: readonly WatchPoint[]): Generator<void, Stopped> {
    const after = yield* this.#nextStepOf(cpu);
    const reached = yield* this.#forward(points, after ?? this.timeline.lastInstant);
    return reached.kind === "hit" || after === undefined ? this.#stopped(reached) : { kind: "stepped", cpu };
  }

  /** Steps until the PC is outside of a range, or on a breakpoint. */
  *#leave(cpu: number, { from, to }: AddressRange, points: readonly WatchPoint[]): Generator<void, Stopped> {
    for (let steps = 1;; steps++) {
      const stopped = yield* this.#step(cpu, points);
      if (stopped.kind !== "stepped") return stopped;
      const { pc } = this.machine.board.cpus[cpu]!;
      const point = points.find(({ kind, address }) => kind === "execute" && address === pc);
      if (point !== undefined) return { kind: "hit", cpu, point, address: pc };
      if (pc < from || pc >= to) return stopped;
      if (steps % RANGE_STEPS === 0) yield;
    }
  }

  *#stepBack(cpu: number, points: readonly WatchPoint[]): Generator<void, Stopped> {
    const { timeline } = this, { instant } = timeline;
    if (!(yield* this.#backTo(cpu))) return { kind: "history", cpu, end: "begin" };
    const target = timeline.instant;
    if (points.length === 0) return { kind: "stepped", cpu };
    timeline.seek(instant);
    const reached = yield* this.#back(points, target);
    return reached.kind === "hit" && timeline.instant > target
      ? this.#stopped(reached)
      : { kind: "stepped", cpu };
  }
}
