/** A machine's time in a world: how far its life runs at a time, what idle time it passes, and when it is due next. */
import type { Life } from "./lives.ts";

/** The world's time that a life has come to. */
export function timeOf({ recorder, start }: Life): number {
  return start + recorder.machine.virtualTime;
}

/** What a clock keeps from turn to turn. */
export interface ClockMark {
  /** The time to which it has come. */
  readonly now: number;
  /** When it does anything next. */
  readonly next: number;
  /** No CPU could run when it came back. */
  readonly isIdle: boolean;
}

/** The time of one machine's lives; all times are the world's, in nanoseconds. */
export class LifeClock {
  /** The time that it has come to. */
  now = 0;
  /** The earliest time at which it does anything without being told. */
  next = 0;
  /** No CPU could run when it came back. */
  isIdle = false;
  /** Instant at which it has passed time since without a step or an input; −1 for nowhere. */
  #waitedAt = -1;

  /** Remembers where it is. */
  mark(): ClockMark {
    return { now: this.now, next: this.next, isIdle: this.isIdle };
  }

  /** Goes to where it was. */
  returnTo({ now, next, isIdle }: ClockMark): void {
    this.now = now;
    this.next = next;
    this.isIdle = isIdle;
  }

  /** A life is another, or was given something: no time was passed since. */
  acted(): void {
    this.#waitedAt = -1;
  }

  /** Time was passed. */
  waited({ recorder: { machine } }: Life): void {
    this.#waitedAt = machine.instant;
  }

  /** Time was passed since the last step or input. */
  hasWaited({ recorder: { machine } }: Life): boolean {
    return machine.instant === this.#waitedAt;
  }

  /** Looks how far a life has come. */
  look(life: Life): void {
    this.now = Math.max(this.now, timeOf(life));
  }

  /**
   * Runs to the first step boundary not before a time; where no CPU can run before, time stays where it is. The exit
   * code when the machine went off on the way.
   */
  runTo(life: Life, time: number): number | undefined {
    const { recorder, start } = life, { machine } = recorder, until = time - start;
    while (machine.virtualTime < until) {
      this.isIdle = false;
      const stop = recorder.run(Infinity, true, until);
      if (stop.reason === "poweredOff") return stop.exitCode;
      if (stop.reason === "resting" || (stop.reason === "waiting" && stop.deadline >= until)) {
        this.next = stop.reason === "resting" ? Infinity : start + stop.deadline;
        this.isIdle = true;
        return undefined;
      }
      if (stop.reason === "waiting") this.#pass(life, until);
    }
    // Where it is idle, what it waits for is known from the turn before.
    if (!this.isIdle || this.next <= timeOf(life)) this.next = timeOf(life);
    return undefined;
  }

  /** Passes idle time; comes only where nothing is due before. */
  wait(life: Life, time: number): void {
    const { recorder: { machine }, start } = life;
    if (machine.virtualTime < time - start) this.#pass(life, time - start);
  }

  /** Passes idle time up to a time of the machine's. */
  #pass(life: Life, until: number): void {
    life.recorder.machine.wait(until);
    this.waited(life);
  }
}
