/** A machine on a course of its own: given inputs at their instants as far as it takes them, run to an end, put back. */
import { InputRefusedError } from "../machine/errors.ts";
import type { InputEvent } from "../machine/events.ts";
import type { Machine, Snapshot, Stop } from "../machine/machine.ts";
import { JournalError } from "./errors.ts";
import { inputOf } from "./replay.ts";

/** How a course ends; plain data. */
export interface Outcome {
  /** Why it ends: `limit` is the instant at which futures are left, `refused` that there was nothing to inject. */
  readonly reason: "poweredOff" | "powerCut" | "reset" | "resting" | "limit" | "refused";
  /** The guest's exit code, 0 where it gave none. */
  readonly exitCode: number;
  /** What the console wrote from the course's beginning on, or why the machine did not take the input. */
  readonly console: string;
  /** What the conditions were at the end. */
  readonly held: readonly boolean[];
}

/** When a course ends, and what is looked at then. */
export interface CourseOptions {
  /** It is left at this instant. */
  readonly until: number;
  /** A reset ends it. */
  readonly endsAtReset?: boolean;
  /** Looked at at the end. */
  readonly conditions?: readonly ((machine: Machine) => boolean)[];
}

/** A point of a course to which it can return. */
export interface Place {
  /** The machine's state. */
  readonly snapshot: Snapshot;
  /** Inputs handed over by then. */
  readonly nextInput: number;
  /** What the console had written. */
  readonly console: string;
}

/** One machine and what it is given. */
export class Course {
  /** Inputs in the order of their instants, none before the machine's. */
  inputs: readonly InputEvent[];
  /** Inputs that were handed over or refused. */
  nextInput = 0;
  /** What the console wrote. */
  console = "";

  /** Takes a machine where it stands. */
  constructor(readonly machine: Machine, inputs: readonly InputEvent[], readonly options: CourseOptions) {
    this.inputs = inputs;
    machine.board.transmitted = (byte) => void (this.console += String.fromCharCode(byte));
  }

  /** Remembers this point. */
  place(): Place {
    return { snapshot: this.machine.snapshot(), nextInput: this.nextInput, console: this.console };
  }

  /** Goes back to a point. */
  return({ snapshot, nextInput, console }: Place): void {
    this.machine.restore(snapshot);
    this.nextInput = nextInput;
    this.console = console;
  }

  /** Runs to `limit` at most, or to the next input, which comes first where it is due. */
  run(limit: number): Stop {
    this.deliver();
    const next = this.inputs[this.nextInput]?.instant ?? Infinity;
    const stop = this.machine.run(Math.min(limit, next));
    // What would wait for ever is given the next input at that one's time.
    if (stop.reason !== "resting" || !this.#deliverNext()) return stop;
    return { reason: "limit" };
  }

  /** Runs from here to the end. */
  runToEnd(): Outcome {
    for (;;) {
      const outcome = this.endOf(this.run(this.options.until));
      if (outcome !== undefined) return outcome;
    }
  }

  /** Hands over what comes at this instant. */
  deliver(): void {
    while (this.inputs[this.nextInput]?.instant === this.machine.instant) this.#deliverNext();
  }

  /** Hands over the next input; false when there is none. One that is refused is left out. */
  #deliverNext(): boolean {
    const event = this.inputs[this.nextInput];
    if (event === undefined) return false;
    this.nextInput++;
    if (event.virtualTime > this.machine.virtualTime) this.machine.wait(event.virtualTime);
    try {
      this.machine.submit(inputOf(event));
    } catch (error) {
      if (!(error instanceof InputRefusedError)) throw error;
    }
    return true;
  }

  /** The end that a stop of `run` is, if it is one. */
  endOf(stop: Stop): Outcome | undefined {
    switch (stop.reason) {
      case "poweredOff":
        return this.#outcome(stop.cut ? "powerCut" : "poweredOff", stop.exitCode);
      case "resting":
        return this.#outcome("resting");
      case "requested":
        return this.options.endsAtReset === true && this.machine.resetPending
          ? this.#outcome("reset")
          : undefined;
      case "limit":
        return this.machine.instant >= this.options.until ? this.#outcome("limit") : undefined;
      default:
        throw new JournalError(`Cannot go on with the run: the machine is ${stop.reason}`);
    }
  }

  #outcome(reason: Outcome["reason"], exitCode = 0): Outcome {
    const held = (this.options.conditions ?? []).map((condition) => condition(this.machine));
    return { reason, exitCode, console: this.console, held };
  }
}
