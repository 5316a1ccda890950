/**
 * Explores schedules of the PRDA kernel: from one state, a timer preemption at every boundary of every thread's
 * instructions, and, if asked, a second one, or a switch to another PE, at every boundary after it.
 */
import type { MachineImages } from "../../../machine/compose.ts";
import type { Input } from "../../../machine/events.ts";
import { InputRefusedError } from "../../../machine/errors.ts";
import type { MachineOptions, Stop } from "../../../machine/machine.ts";
import { type PrdaKernel, tickInterrupt } from "../../../firmware/prda/kernel.ts";
import { Course, type Outcome } from "../../../journal/course.ts";
import { Replay } from "../../../journal/replay.ts";
import type { RecordedRun } from "../../../journal/run.ts";
import { type Observations, PrdaWatch } from "./accesses.ts";

/** Something done to the machine. */
export interface Action {
  /** The boundary. */
  readonly instant: number;
  /** A tick of a PE's timer, or a switch. */
  readonly input: Input;
  /** The PE that was in a thread there. */
  readonly pe: number;
  /** The thread's next instruction. */
  readonly pc: bigint;
}

/** How a run with some actions ended. */
export interface ScheduleOutcome extends Observations {
  /** What was done, in order. */
  readonly schedule: readonly Action[];
  /** How it ended. */
  readonly outcome: Outcome;
  /** What the counters came to. */
  readonly sum: number;
}

/** What is explored. */
export interface ScheduleOptions extends MachineOptions {
  /** Most actions of one schedule. */
  readonly actions: number;
  /** Switches to the other PEs are actions as well. */
  readonly hasSwitches?: boolean;
  /** Steps after which a run is given up, counted from power-on. */
  readonly until: number;
}

/** What is wrong with an outcome; undefined for one that is right. */
export function violationOf(
  { outcome, sum, wrongOwners, pendings }: ScheduleOutcome,
  { expected }: PrdaKernel,
): string | undefined {
  if (outcome.reason !== "poweredOff") return `ended as ${outcome.reason}`;
  if (wrongOwners.length > 0) return sum === expected ? "wrong owner" : "wrong owner, increments lost";
  if (sum !== expected) return "sum wrong";
  const isForgotten = pendings.some(({ isSet, thread }, index) =>
    isSet && !pendings.slice(index).some((later) => later.thread === thread && !later.isSet)
  );
  return isForgotten ? "preemption forgotten" : undefined;
}

/** Explores one recorded run, which has to begin at power-on. */
export class ScheduleExplorer {
  /** The machine at the first instruction of a thread, and on from there. */
  readonly course: Course;
  readonly #watch: PrdaWatch;
  readonly #threads: readonly [first: bigint, end: bigint];

  /** Replays to the first instruction of a thread. Throws what replaying throws. */
  constructor(
    run: RecordedRun,
    images: MachineImages,
    kernel: PrdaKernel,
    private readonly options: ScheduleOptions,
  ) {
    const { symbols } = kernel.program;
    this.#threads = [symbols.get("threads_begin")!, symbols.get("threads_end")!];
    const replay = new Replay(run, images, { ...options, checkEvents: false });
    while (!this.#isInThread(replay.machine.currentCpu.pc)) replay.runTo(replay.instant + 1);
    const { machine } = replay.release();
    this.course = new Course(machine, [], { until: options.until });
    this.#watch = new PrdaWatch(machine, kernel);
  }

  /** The instant from which schedules differ. */
  get instant(): number {
    return this.course.machine.instant;
  }

  #isInThread(pc: bigint): boolean {
    return pc >= this.#threads[0] && pc < this.#threads[1];
  }

  /** Every schedule, that without actions last. */
  *explore(): Generator<ScheduleOutcome> {
    yield* this.#walk([]);
  }

  *#walk(schedule: readonly Action[]): Generator<ScheduleOutcome> {
    for (;;) {
      if (schedule.length < this.options.actions) yield* this.#branches(schedule);
      const isLast = schedule.length === this.options.actions;
      const end = this.#advance(isLast ? this.options.until : this.course.machine.instant + 1);
      if (end !== undefined) {
        return yield { schedule, outcome: end, sum: this.#watch.sum, ...this.#watch.seen };
      }
    }
  }

  *#branches(schedule: readonly Action[]): Generator<ScheduleOutcome> {
    const { machine } = this.course, { index: pe, pc } = machine.currentCpu, { instant } = machine;
    if (!this.#isInThread(pc) || schedule.at(-1)?.instant === instant) return;
    for (const input of this.#inputs(pe)) {
      const place = this.course.place(), seen = this.#watch.seen;
      try {
        machine.submit(input);
        yield* this.#walk([...schedule, { instant, input, pe, pc }]);
      } catch (error) {
        if (!(error instanceof InputRefusedError)) throw error;
      }
      this.course.return(place);
      this.#watch.return(seen);
    }
  }

  #inputs(pe: number): Input[] {
    const tick: Input = { kind: "interruptInjected", interrupt: tickInterrupt(pe) };
    if (this.options.hasSwitches !== true) return [tick];
    const others = this.course.machine.board.cpus.map(({ index }) => index).filter((index) => index !== pe);
    return [tick, ...others.map((target): Input => ({ kind: "cpuSwitchForced", target }))];
  }

  /** Goes on to an instant; how it ended, if it did. */
  #advance(limit: number): Outcome | undefined {
    for (;;) {
      const stop: Stop = this.course.run(limit);
      if (stop.reason === "watched") this.#watch.take(stop.hits);
      else {
        const end = this.course.endOf(stop);
        if (end !== undefined || this.course.machine.instant >= limit) return end;
      }
    }
  }
}
