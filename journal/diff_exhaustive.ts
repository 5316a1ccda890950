/** Exhaustive diff: every step of two runs is compared, so that what arises and heals between traps is found too. */
import {
  type AnyFields,
  classOf,
  type EventKind,
  type EventObserver,
  type MachineEvent,
  writeEventParts,
} from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import { commonStart, type DiffSide, isSameEvent } from "./diff.ts";
import { differingParts } from "./diff_roots.ts";
import { both, type Pair, Side } from "./diff_side.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import { equalBytes } from "./hash.ts";
import type { ReplayMark, ReplayOptions } from "./replay.ts";

/** A stretch in which two runs did not do the same. */
export interface Episode {
  /** The first step that differs. */
  readonly from: number;
  /** From here on the states are no more different than before; absent where they are up to the end of the range. */
  readonly to?: number;
  /** Events around the first difference, all classes, from it on. */
  readonly after: readonly [readonly MachineEvent[], readonly MachineEvent[]];
  /** Events before it, equal in both. */
  readonly before: readonly MachineEvent[];
  /** Names of the parts of the state that differ some steps after it began. */
  readonly parts: readonly string[];
  /** It reached an input, a trap or a device access, which `diff` finds too; nothing is compared after that. */
  readonly spread: boolean;
}

/** What was found. */
export interface ExhaustiveDiff {
  /** The range of which every step was compared. */
  readonly from: number;
  /** Its end, exclusive. */
  readonly to: number;
  /**
   * Up to here nothing had to be compared: the machines and the states at `from` are the same, and so are all inputs
   * before this instant, of which everything is a function. Absent where they are not.
   */
  readonly equalByLawTo?: number;
  /** The parts of the state that differ from the start: the images', where they are not the same. */
  readonly atStart: readonly string[];
  /** What was found, in order. */
  readonly episodes: readonly Episode[];
}

/** Where to look, and whom to tell. */
export interface ExhaustiveOptions extends ReplayOptions {
  /** First instant; default where both runs have begun. */
  readonly from?: number;
  /** Last instant, exclusive; default the end of the shorter run. */
  readonly to?: number;
  /** Events shown around the beginning of an episode (default 8). */
  readonly context?: number;
  /** Episodes after which to stop (default 16). */
  readonly most?: number;
  /** Called now and then with the instant reached. */
  readonly progress?: (instant: number) => void;
}

/** Steps compared at a time, and steps between points to return to. */
const SLICE = 2 ** 15, MARKED = 2 ** 20;
/** Steps compared at a time in an episode. */
const CLOSE = 256;

/** Takes down all that happens as canonical bytes, without making events of it. */
class Tape implements EventObserver {
  readonly classes = ALL_CLASSES;
  readonly writer = new ByteWriter();
  observe(event: MachineEvent): void {
    this.observeParts(event.kind, event.instant, event.cpu, event.index, event as unknown as AnyFields);
  }
  observeParts(kind: EventKind, instant: number, cpu: number, index: number, fields: AnyFields): void {
    writeEventParts(this.writer, kind, instant, cpu, index, fields);
  }
}

/** An episode that has begun. */
interface Open {
  readonly from: number;
  readonly before: readonly MachineEvent[];
  readonly after: Pair<readonly MachineEvent[]>;
  readonly parts: readonly string[];
}

/** Two runs going forward together. */
class Comparison {
  readonly sides: Pair<Side>;
  #tapes: Pair<Tape> = [new Tape(), new Tape()];
  #marks: Pair<ReplayMark>;
  readonly atStart: readonly string[];

  constructor(
    inputs: Pair<DiffSide>,
    from: number,
    options: ReplayOptions,
    private readonly context: number,
  ) {
    this.sides = both(inputs, (input) => new Side(input, options));
    for (const side of this.sides) side.runTo(from);
    this.#marks = both(this.sides, (side) => side.mark());
    this.atStart = this.parts();
  }

  parts(): string[] {
    const [left, right] = both(this.sides, ({ replay }) => replay.machine.stateRoot().parts);
    return differingParts(left, right);
  }

  /** The states are no more different than at the start. */
  get isHealed(): boolean {
    return this.parts().join() === this.atStart.join();
  }

  /** Goes on without comparing. */
  skipTo(instant: number): void {
    for (const side of this.sides) side.runTo(instant);
    this.mark();
  }

  mark(): void {
    this.#marks = both(this.sides, (side) => side.mark());
  }

  /** Goes back to an instant after the last mark. */
  seek(instant: number): void {
    for (const [index, side] of this.sides.entries()) {
      side.returnTo(this.#marks[index as 0 | 1]);
      side.runTo(instant);
    }
  }

  /** Runs both to an instant; whether they did the same. */
  run(to: number): boolean {
    for (const [index, side] of this.sides.entries()) {
      const tape = this.#tapes[index as 0 | 1], { events } = side.replay.machine.board;
      tape.writer.clear();
      events.add(tape);
      side.runTo(to);
      events.remove(tape);
    }
    return equalBytes(this.#tapes[0].writer.view(), this.#tapes[1].writer.view());
  }

  /** Where an episode begins in an interval, if it does; both sides are at its end. */
  begin(streams: Pair<MachineEvent[]>): Open | undefined {
    const [left, right] = streams;
    let index = 0;
    while (left[index] !== undefined && right[index] !== undefined) {
      if (!isSameEvent(left[index] as MachineEvent, right[index] as MachineEvent)) break;
      index++;
    }
    if (index === left.length && index === right.length) return undefined;
    const from = Math.min(left[index]?.instant ?? Infinity, right[index]?.instant ?? Infinity);
    const before = left.slice(Math.max(0, index - this.context), index);
    const after = both(streams, (stream) => stream.slice(index, index + this.context));
    return { from, before, after, parts: this.parts() };
  }

  /** The first instant of an interval at which the states are healed, given that they are at its end. */
  healedAt(from: number, to: number): number {
    this.seek(from);
    for (let instant = from; instant < to; instant++) {
      for (const side of this.sides) side.runTo(instant);
      if (this.isHealed) return instant;
    }
    return to;
  }
}

/**
 * The instant of the first input that differs, or Infinity, if the machines are the same; undefined for others. File
 * names are no part of a machine, but runs with other names are compared all the same.
 */
function firstDifferentInput({ run: left }: DiffSide, { run: right }: DiffSide): number | undefined {
  const [one, other] = [left, right].map(({ manifest }) => JSON.stringify(manifest.configuration));
  if (one !== other) return undefined;
  for (let index = 0; index < Math.max(left.inputs.length, right.inputs.length); index++) {
    const [a, b] = [left.inputs[index], right.inputs[index]];
    if (a === undefined || b === undefined || !isSameEvent(a, b)) {
      return Math.min(a?.instant ?? Infinity, b?.instant ?? Infinity);
    }
  }
  return Infinity;
}

/** Whether something differs that enters the history root. */
function hasSpread([left, right]: Pair<MachineEvent[]>): boolean {
  const history = (stream: MachineEvent[]) =>
    stream.filter(({ kind }) => ["input", "trap", "device"].includes(classOf(kind)));
  const [one, other] = [history(left), history(right)];
  return one.length !== other.length ||
    one.some((event, index) => !isSameEvent(event, other[index] as MachineEvent));
}

/**
 * Compares every step of two runs in a range, and says where what they do differs, in what, and where the states are
 * again no more different than at its start. Ends where a difference reaches a trap, a device access or an input. Takes
 * microseconds for each step.
 */
export function diffExhaustive(
  left: DiffSide,
  right: DiffSide,
  options: ExhaustiveOptions = {},
): ExhaustiveDiff {
  const start = Math.max(commonStart(left.run, right.run), options.from ?? 0);
  const end = Math.min(left.run.lastInstant, right.run.lastInstant, options.to ?? Infinity);
  const comparison = new Comparison([left, right], Math.min(start, end), options, options.context ?? 8);
  const law = comparison.atStart.length === 0 ? firstDifferentInput(left, right) : undefined;
  const equalByLawTo = law === undefined || law <= start ? undefined : Math.min(end, law);
  const range = { from: start, ...equalByLawTo === undefined ? {} : { equalByLawTo } };
  const episodes: Episode[] = [], most = options.most ?? 16;
  let open: Open | undefined, at = equalByLawTo ?? Math.min(start, end), marked = at;
  if (equalByLawTo !== undefined) comparison.skipTo(equalByLawTo);
  while (at < end && episodes.length < most) {
    options.progress?.(at);
    if (open === undefined && at - marked >= MARKED) {
      comparison.mark();
      marked = at;
    }
    const to = Math.min(end, at + (open === undefined ? SLICE : CLOSE));
    if (open === undefined) {
      if (!comparison.run(to)) {
        const begun = beginning(comparison, at, to);
        open = begun.open;
        at = begun.at;
        if (begun.spread) break;
      } else at = to;
    } else {
      const streams = both(comparison.sides, (side) => side.gather(to, false));
      if (hasSpread(streams)) break;
      at = to;
    }
    if (open === undefined || !comparison.isHealed) continue;
    const healed = comparison.healedAt(Math.max(open.from + 1, at - CLOSE), at);
    episodes.push({ ...open, to: healed, spread: false });
    open = undefined;
    comparison.seek(at);
  }
  if (open !== undefined) episodes.push({ ...open, spread: at < end });
  return { ...range, to: open === undefined ? at : end, atStart: comparison.atStart, episodes };
}

/** Goes close to where an episode begins, in a slice in which the runs do not do the same. */
function beginning(
  comparison: Comparison,
  from: number,
  to: number,
): { open: Open; at: number; spread: boolean } {
  comparison.seek(from);
  for (let at = from;;) {
    const next = Math.min(to, at + CLOSE);
    const streams = both(comparison.sides, (side) => side.gather(next, false));
    const open = comparison.begin(streams);
    at = next;
    if (open !== undefined) return { open, at, spread: hasSpread(streams) };
  }
}
