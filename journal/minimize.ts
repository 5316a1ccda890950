/** Which inputs matter: the smallest set of a run's inputs with which it still ends as it does, by delta debugging. */
import type { MachineImages } from "../machine/compose.ts";
import type { InputEvent } from "../machine/events.ts";
import { Machine, type MachineOptions } from "../machine/machine.ts";
import { Course, type CourseOptions, type Outcome } from "./course.ts";
import { JournalError } from "./errors.ts";
import { Replay } from "./replay.ts";
import type { RecordedRun } from "./run.ts";

/** What is looked for. */
export interface MinimizeOptions extends CourseOptions {
  /** What makes two ends the same; by default reason, exit code, console and conditions. */
  readonly keyOf?: (outcome: Outcome) => string;
  /** Called before each try, with how many inputs it has. */
  readonly progress?: (tries: number, inputs: number) => void;
}

/** A machine and what it is given from where it stands on. */
export interface GivenMachine {
  /** Stands before the first candidate. */
  readonly machine: Machine;
  /** All inputs, in order. */
  readonly inputs: readonly InputEvent[];
  /** Those of them that may be left out. */
  readonly candidates: readonly InputEvent[];
}

/** What was found. */
export type Minimal =
  /** The run ends alike with all candidates and with none. */
  | { readonly kind: "indifferent"; readonly outcome: Outcome; readonly candidates: number }
  | {
    readonly kind: "found";
    /** Candidates without any of which the run ends in another way. */
    readonly inputs: readonly InputEvent[];
    /** How many there were. */
    readonly candidates: number;
    /** The end with all of them, and with these. */
    readonly outcome: Outcome;
    /** The end with none. */
    readonly without: Outcome;
    /** Runs that were needed. */
    readonly tries: number;
  };

const WHOLE = (outcome: Outcome): string => JSON.stringify(outcome);

/** Runs one machine again and again with some of its inputs. */
class Trials {
  readonly #course: Course;
  readonly #start;
  readonly #keyOf: (outcome: Outcome) => string;
  readonly #known = new Map<string, Outcome>();
  /** Runs so far. */
  tries = 0;

  constructor(private readonly given: GivenMachine, private readonly options: MinimizeOptions) {
    this.#course = new Course(given.machine, [], options);
    this.#start = this.#course.place();
    this.#keyOf = options.keyOf ?? WHOLE;
  }

  /** How the run ends with these candidates. */
  outcome(kept: readonly InputEvent[]): Outcome {
    const { inputs, candidates } = this.given, left = new Set(candidates);
    for (const input of kept) left.delete(input);
    const name = candidates.map((input) => left.has(input) ? "0" : "1").join("");
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    this.options.progress?.(++this.tries, kept.length);
    this.#course.return(this.#start);
    this.#course.inputs = inputs.filter((input) => !left.has(input));
    const outcome = this.#course.runToEnd();
    this.#known.set(name, outcome);
    return outcome;
  }

  /** Whether it ends alike. */
  isLike(outcome: Outcome, kept: readonly InputEvent[]): boolean {
    return this.#keyOf(this.outcome(kept)) === this.#keyOf(outcome);
  }
}

/** The machine of a run before the first of its inputs that `isCandidate`. Throws what replaying throws. */
export function beforeCandidates(
  run: RecordedRun,
  images: MachineImages,
  isCandidate: (input: InputEvent) => boolean,
  options: MachineOptions = {},
): GivenMachine {
  const candidates = run.inputs.filter(isCandidate);
  const first = candidates[0]?.instant ?? run.firstInstant;
  const replay = new Replay(run, images, { ...options, checkEvents: false });
  replay.skipTo(first);
  replay.runTo(first);
  return {
    machine: replay.release().machine,
    inputs: run.inputs.filter(({ instant }) => instant >= first),
    candidates,
  };
}

/** Steps of a turn by default. */
const QUANTUM = 10_000;

/**
 * The machine of a run at power-on, with the run's turns as inputs, and else turns that are longer than
 * any of the run's: given all of them it takes the same steps. Throws JournalError for a run that does not begin at
 * power-on, and what replaying throws.
 */
export function withTurnsAsInputs(
  run: RecordedRun,
  images: MachineImages,
  options: MachineOptions = {},
): GivenMachine {
  if (run.firstInstant > 0) {
    throw new JournalError(
      `Cannot take the turns of a run apart that begins at instant ${run.firstInstant}: it has to begin at power-on`,
    );
  }
  const replay = new Replay(run, images, { ...options, checkEvents: false });
  const candidates: InputEvent[] = [];
  let longest = 0, turn = { cpu: 0, ends: 0 };
  const turnBegan = (cpu: number): void => {
    const { instant, virtualTime, turnEnds } = replay.machine;
    // A turn whose quantum was spent, with the same CPU after it, is a longer turn.
    if (cpu !== turn.cpu || instant < turn.ends) {
      candidates.push({ kind: "cpuSwitchForced", instant, index: 0, cpu, target: cpu, virtualTime });
      longest = Math.max(longest, instant - (candidates.at(-2)?.instant ?? 0));
    }
    turn = { cpu, ends: turnEnds };
  };
  replay.machine.follow({ turnBegan, controlsEnforced: () => {} });
  replay.runToEnd();
  longest = Math.max(longest, run.lastInstant - (candidates.at(-1)?.instant ?? 0));
  const quantum = Math.min(2 ** 32 - 1, Math.max(QUANTUM, longest + 1));
  const machine = new Machine(
    { ...run.manifest.configuration, scheduleSeed: undefined, quantum },
    images,
    options,
  );
  return { machine, candidates, inputs: inOrder([...run.inputs, ...candidates]) };
}

/** Inputs in the order in which they come. */
function inOrder(inputs: readonly InputEvent[]): InputEvent[] {
  return inputs.toSorted((a, b) => a.instant - b.instant || a.virtualTime - b.virtualTime);
}

/**
 * Finds a set of inputs of which none can be left out: without any one of them the run ends in another way. It is
 * minimal, not of all sets the smallest. What a machine with fewer inputs does not take is left out.
 */
export function minimizeInputs(given: GivenMachine, options: MinimizeOptions): Minimal {
  const { candidates } = given, trials = new Trials(given, options);
  const outcome = trials.outcome(candidates), without = trials.outcome([]);
  if (trials.isLike(outcome, [])) return { kind: "indifferent", outcome, candidates: candidates.length };
  const inputs = ddmin(candidates, (kept) => trials.isLike(outcome, kept));
  return { kind: "found", inputs, candidates: candidates.length, outcome, without, tries: trials.tries };
}

/**
 * Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002): of things with
 * which `holds` holds, a sublist, in order, with which it holds and of which none can be taken away.
 */
export function ddmin<T>(things: readonly T[], holds: (kept: readonly T[]) => boolean): T[] {
  let kept = [...things];
  for (let parts = 2; kept.length > 0 && parts <= Math.max(2, kept.length);) {
    const size = Math.ceil(kept.length / parts);
    const chunks = Array.from(
      { length: Math.ceil(kept.length / size) },
      (_, at) => kept.slice(at * size, (at + 1) * size),
    );
    const one = chunks.length > 1 ? chunks.find((chunk) => holds(chunk)) : undefined;
    if (one !== undefined) {
      kept = one;
      parts = 2;
      continue;
    }
    const rest = chunks.map((chunk) => kept.filter((thing) => !chunk.includes(thing))).find((others) =>
      holds(others)
    );
    if (rest !== undefined) {
      kept = rest;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(kept.length, parts * 2);
  }
  return kept;
}
