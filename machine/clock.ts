/** Virtual time: a function of instants, idle time skipped and time charged; and the alarms set on it. */
import { ClockOverflowError } from "./errors.ts";
import { type Section, sectionLayout } from "./snapshot.ts";
import { listOf, u53 } from "./layout.ts";

/** Deadlines of 2^53 ns and more count as none. */
export const NO_DEADLINE: number = Number.POSITIVE_INFINITY;

/** Nanoseconds of virtual time per count of the system counter, a power of two. */
export const NANOSECONDS_PER_COUNT = 16;

/** A point in virtual time at which a device wants to be called, at most one at a time per alarm. */
export interface Alarm {
  /** Present deadline in nanoseconds of virtual time, or NO_DEADLINE. */
  readonly deadline: number;
  /** Sets the deadline; one not after now is due at the next step boundary, one past 2^53 ns is none. */
  set(deadline: number): void;
  /** Removes the deadline. */
  clear(): void;
}

class ClockAlarm implements Alarm {
  deadline: number = NO_DEADLINE;
  constructor(readonly name: string, readonly due: () => void, readonly changed: () => void) {}
  set(deadline: number): void {
    this.deadline = deadline < Number.MAX_SAFE_INTEGER ? deadline : NO_DEADLINE;
    this.changed();
  }
  clear(): void {
    this.deadline = NO_DEADLINE;
    this.changed();
  }
}

const layout = sectionLayout("clock", 1, {
  instant: u53,
  offset: u53,
  /** Time at which the jump in progress began; 2^53−1 when there is none. */
  jumpedFrom: u53,
  alarms: listOf(u53, 1024),
});

/** Counts instants and derives virtual time; every device, timer and monitor reads this clock and no other. */
export class Clock {
  /** Steps the whole machine has taken since reset of the run; during the step at instant N it reads N. */
  instant = 0;
  /** Skipped and charged nanoseconds. */
  #offset = 0;
  #jumpedFrom: number | undefined;
  #alarms: ClockAlarm[] = [];
  #earliest = NO_DEADLINE;
  /** Set when a deadline or the offset changed, so that a burst of steps must be re-planned. */
  changed = false;

  /** `nanosecondsPerStep` is a positive integer. */
  constructor(readonly nanosecondsPerStep: number = 8) {
    if (!(Number.isInteger(nanosecondsPerStep) && nanosecondsPerStep > 0)) {
      throw new RangeError(`Cannot run at ${nanosecondsPerStep} ns per step: not a positive integer`);
    }
  }

  /** Virtual time in nanoseconds at the present instant. */
  get now(): number {
    const now = this.instant * this.nanosecondsPerStep + this.#offset;
    if (now > Number.MAX_SAFE_INTEGER) {
      throw new ClockOverflowError(`Virtual time passed 2^53 ns at instant ${this.instant}`);
    }
    return now;
  }

  /** Registers an alarm; those due at one time are served in the order of registration. */
  alarm(name: string, due: () => void): Alarm {
    const alarm = new ClockAlarm(name, due, () => {
      this.#earliest = Math.min(...this.#alarms.map(({ deadline }) => deadline));
      this.changed = true;
    });
    this.#alarms.push(alarm);
    return alarm;
  }

  /** The earliest deadline in nanoseconds, or NO_DEADLINE. */
  get earliestDeadline(): number {
    return this.#earliest;
  }

  /** The first instant whose time is not before the earliest deadline, or Infinity. */
  get earliestAlarmInstant(): number {
    return this.instantOf(this.#earliest);
  }

  /** The first instant from now on at which it is `time` nanoseconds or later, as far as is known; Infinity for NO_DEADLINE. */
  instantOf(time: number): number {
    if (time === NO_DEADLINE) return NO_DEADLINE;
    return Math.max(this.instant, Math.ceil((time - this.#offset) / this.nanosecondsPerStep));
  }

  /** Calls every alarm that is due, earliest first, ties in registration order; an alarm may set itself again. */
  serveAlarms(): void {
    while (this.#earliest <= this.now) {
      const deadline = this.#earliest;
      const alarm = this.#alarms.find((other) => other.deadline === deadline);
      if (alarm === undefined) return;
      alarm.clear();
      alarm.due();
    }
  }

  /**
   * Moves virtual time on without a step: idle time up to `time`, which must not be in the past. Skips that follow one
   * another are one jump until `endJump`.
   */
  skipTo(time: number): void {
    const now = this.now;
    if (time < now) throw new RangeError(`Cannot skip to ${time} ns: it is ${now} ns already`);
    this.#jumpedFrom ??= now;
    this.charge(time - now);
  }

  /** Ends the jump in progress; the time at which it began, or undefined when there is none. */
  endJump(): number | undefined {
    const from = this.#jumpedFrom;
    this.#jumpedFrom = undefined;
    return from;
  }

  /** Adds the cost of work that takes virtual time but no steps, in nanoseconds. */
  charge(nanoseconds: number): void {
    this.#offset += nanoseconds;
    this.changed = true;
    void this.now;
  }

  /** The clock's section; deadlines are stored in registration order, 2^53−1 standing for none. */
  save(): Section {
    return layout.encode("clock", {
      instant: this.instant,
      offset: this.#offset,
      jumpedFrom: this.#jumpedFrom ?? Number.MAX_SAFE_INTEGER,
      alarms: this.#alarms.map(({ deadline }) => Math.min(deadline, Number.MAX_SAFE_INTEGER)),
    });
  }

  /** Restores what `save` gave; throws RangeError when the alarms are not those of this machine. */
  restore(section: Section): void {
    const state = layout.decode(section);
    if (state.alarms.length !== this.#alarms.length) {
      throw new RangeError(
        `Cannot restore the clock: ${state.alarms.length} alarms, the machine has ${this.#alarms.length}`,
      );
    }
    this.instant = state.instant;
    this.#offset = state.offset;
    this.#jumpedFrom = state.jumpedFrom === Number.MAX_SAFE_INTEGER ? undefined : state.jumpedFrom;
    for (const [index, alarm] of this.#alarms.entries()) alarm.set(state.alarms[index] as number);
  }
}
