/** Explore: injects an input at every step boundary of a window, and tells the different ends that the run then comes to. */
import type { MachineImages } from "../machine/compose.ts";
import { InputRefusedError } from "../machine/errors.ts";
import type { Input } from "../machine/events.ts";
import type { Machine, MachineOptions } from "../machine/machine.ts";
import { Course, type CourseOptions, type Outcome } from "./course.ts";
import { Replay } from "./replay.ts";
import type { RecordedRun } from "./run.ts";

/** One future of a run. */
export interface Future {
  /** The step boundary at which it became another. */
  readonly instant: number;
  /** Number of what was injected there, −1 for nothing. */
  readonly injection: number;
  /** How it ends. */
  readonly outcome: Outcome;
  /** Steps that were run to know it. */
  readonly steps: number;
}

/** What is explored. */
export interface ExploreOptions extends MachineOptions, CourseOptions {
  /** First step boundary. */
  readonly from: number;
  /** What is injected, one in each future. */
  readonly injections: readonly Input[];
  /** What the run was given after the window's beginning does not come again. */
  readonly dropsInputs?: boolean;
  /** Whether a future is left where its state is one that another has been in (true by default). */
  readonly prunes?: boolean;
}

/** Most states that are remembered. */
const MOST_STATES = 2 ** 20;
/** Looks at futures after each of so many steps. */
const EARLY = 2;
/** Futures looked at early in vain before others are not, and most of those others. */
const TRIES = 4, MOST_PAUSE = 256;
/** Later they are looked at, at most, at multiples of 2 to this many steps. */
const CLOSEST = 6;

/** The next instant at which a future that began at `start` and stands at `now` is compared with others. */
export function nextLook(start: number, now: number): number {
  const age = now - start;
  if (age < EARLY) return now + 1;
  // Coarser with age, and aligned, so that futures that began elsewhere look at the same instants.
  const grain = 2 ** Math.max(CLOSEST, Math.floor(Math.log2(age)) - 1);
  return (Math.floor(now / grain) + 1) * grain;
}

/** A state that a future was in. */
interface Passed {
  readonly sketch: string;
  readonly root: string | undefined;
}

/** Tries of something that may be in vain: a few, and after more and more without them when none succeeds. */
class Patience {
  #tries = 0;
  #pause = 0;
  #left = 0;

  /** Whether it is to be tried now. */
  isTry(): boolean {
    if (this.#left === 0) return true;
    this.#left--;
    return false;
  }

  /** What came of a try. */
  tried(isFound: boolean): void {
    this.#tries = isFound ? 0 : this.#tries + 1;
    if (isFound) this.#pause = 0;
    if (this.#tries < TRIES) return;
    this.#tries = 0;
    this.#left = this.#pause = Math.min(MOST_PAUSE, Math.max(TRIES, this.#pause * 2));
  }
}

/** Explores the futures of one run, boundary by boundary. */
export class Explorer {
  readonly #course: Course;
  /** Ends of futures by their states: by sketch, then by root. */
  readonly #states = new Map<string, Map<string, Outcome>>();
  /** Roots taken for late looks, and how many of them were known. */
  readonly #late = { roots: 0, found: 0 };
  readonly #early = new Patience();
  readonly #withoutAny: Outcome;

  /**
   * Goes to the window's beginning, and finds how the run itself ends. Throws RangeError for a window outside the run,
   * and what replaying throws.
   */
  constructor(run: RecordedRun, images: MachineImages, private readonly options: ExploreOptions) {
    const { from } = options;
    if (from < run.firstInstant || from > run.lastInstant) {
      throw new RangeError(
        `Cannot explore from instant ${from}: the run has instants ${run.firstInstant} to ${run.lastInstant}`,
      );
    }
    const replay = new Replay(run, images, { ...options, checkEvents: false });
    replay.skipTo(from);
    replay.runTo(from);
    const { machine } = replay.release();
    const inputs = options.dropsInputs === true ? [] : run.inputs.filter(({ instant }) => instant >= from);
    this.#course = new Course(machine, inputs, options);
    const start = this.#course.place();
    this.#withoutAny = this.#finish(from).outcome;
    this.#course.return(start);
  }

  get #machine(): Machine {
    return this.#course.machine;
  }

  /** How the run ends when nothing is injected. */
  get withoutAny(): Outcome {
    return this.#withoutAny;
  }

  /**
   * The futures of the boundaries `first` to `last`, both included, in order; ends before where the run itself has
   * ended. `first` must not be before the boundary reached. Throws RangeError.
   */
  *explore(first: number, last: number): Generator<Future> {
    if (first < this.#machine.instant) {
      throw new RangeError(`Cannot go back to instant ${first}: exploring is at ${this.#machine.instant}`);
    }
    while (this.#machine.instant < first) if (!this.#step(first)) return;
    for (;;) {
      const place = this.#course.place(), { instant } = this.#machine;
      for (const injection of this.options.injections.keys()) {
        yield this.#future(instant, injection);
        this.#course.return(place);
      }
      if (instant >= last || !this.#step(instant + 1)) return;
    }
  }

  /** Goes along the run itself, to `limit` at most; false when it has ended. */
  #step(limit: number): boolean {
    return this.#course.endOf(this.#course.run(limit)) === undefined;
  }

  #future(instant: number, injection: number): Future {
    this.#course.deliver();
    try {
      this.#machine.submit(this.options.injections[injection] as Input);
    } catch (error) {
      if (!(error instanceof InputRefusedError)) throw error;
      const outcome = { reason: "refused", exitCode: 0, console: error.message, held: [] } as const;
      return { instant, injection, outcome, steps: 0 };
    }
    return { instant, injection, ...this.#finish(instant) };
  }

  /** Runs from here to an end, or to where another future has been. */
  #finish(start: number): { readonly outcome: Outcome; readonly steps: number } {
    const machine = this.#machine, passed: Passed[] = [];
    const finish = (outcome: Outcome) => {
      for (const state of passed) this.#remember(state, outcome);
      return { outcome, steps: machine.instant - start };
    };
    let known: Outcome | undefined;
    const looksEarly = (this.options.prunes ?? true) && this.#early.isTry();
    for (let look = this.#nextLook(start, looksEarly);;) {
      const end = this.#course.endOf(this.#course.run(Math.min(look, this.options.until)));
      if (end !== undefined) return finish(end);
      if (machine.instant < look) continue;
      const age = machine.instant - start;
      known = this.#known(passed, age <= EARLY) ?? known;
      if (age === EARLY && looksEarly) this.#early.tried(known !== undefined);
      // What is known at once is taken along for a while: the next boundary's future looks where this one stands then.
      if (known !== undefined && age >= EARLY) return finish(known);
      look = this.#nextLook(start, looksEarly);
    }
  }

  #nextLook(start: number, looksEarly: boolean): number {
    const { instant } = this.#machine;
    if (looksEarly && instant - start < EARLY) return nextLook(start, instant);
    return this.#paysToLook ? nextLook(start, Math.max(instant, start + EARLY)) : Infinity;
  }

  /** Late looks go on as long as one in a hundred finds an end. */
  get #paysToLook(): boolean {
    return (this.options.prunes ?? true) && this.#late.found * 100 + 100 >= this.#late.roots;
  }

  /**
   * The end of a future that was in the present state. Roots cost more than steps: but for the first looks they are
   * taken only where another future was much the same at the same instant.
   */
  #known(passed: Passed[], isEarly: boolean): Outcome | undefined {
    if (!(this.options.prunes ?? true)) return undefined;
    const sketch = this.#sketch(), roots = this.#states.get(sketch);
    const root = isEarly || roots !== undefined ? this.#machine.stateRoot().root.toHex() : undefined;
    passed.push({ sketch, root });
    const outcome = root === undefined ? undefined : roots?.get(root);
    if (!isEarly && root !== undefined) this.#late.roots++;
    if (!isEarly && outcome !== undefined) this.#late.found++;
    return outcome;
  }

  #remember({ sketch, root }: Passed, outcome: Outcome): void {
    let roots = this.#states.get(sketch);
    if (roots === undefined) {
      if (this.#states.size >= MOST_STATES) return;
      this.#states.set(sketch, roots = new Map());
    }
    if (root !== undefined) roots.set(root, outcome);
  }

  /** What futures in equal states have in common, and few others: made in less time than a root. */
  #sketch(): string {
    const { instant, virtualTime, turnEnds, board: { cpus } } = this.#machine;
    const registers = cpus.map((cpu) =>
      `${cpu.pc} ${cpu.registers.sp} ${cpu.registers.x(0)} ${cpu.registers.x(30)}`
    );
    return [instant, virtualTime, turnEnds, this.#course.nextInput, ...registers, this.#course.console].join(
      " ",
    );
  }
}
