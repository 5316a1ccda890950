/** Diff: the first event in which two runs differ, found through history roots, with both sides around it. */
import type { MachineImages } from "../machine/compose.ts";
import { type EventObserver, type MachineEvent, writeEvent } from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import { JournalError } from "./errors.ts";
import { equalBytes, HASH_LENGTH } from "./hash.ts";
import { History } from "./history.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import { Replay, type ReplayMark, type ReplayOptions } from "./replay.ts";
import type { RecordedRun } from "./run.ts";

/** One of the two runs compared. */
export interface DiffSide {
  /** The journal's run. */
  readonly run: RecordedRun;
  /** Its images. */
  readonly images: MachineImages;
}

/** What diff found on one side. */
export interface DivergentSide {
  /** The first event that the other side does not have; absent when this run has none there. */
  readonly event: MachineEvent | undefined;
  /** Events before it, equal on both sides, and after it. */
  readonly before: readonly MachineEvent[];
  /** Events from the divergent one on. */
  readonly after: readonly MachineEvent[];
  /** The machine at the instant of the divergent event, before its step boundary. */
  readonly replay: Replay;
}

/** What diff found. */
export type Difference =
  | {
    /** No difference was found up to the end of both. */
    readonly kind: "equal";
    /** Instants at which roots were compared. */
    readonly rootsCompared: number;
  }
  | {
    /** One run goes on where the other has ended, and up to there they are equal. */
    readonly kind: "length";
    /** The last instants of the first and the second run. */
    readonly lastInstants: readonly [number, number];
  }
  | {
    /** All events are equal up to `instant`, the end of the shorter run, yet the states there are not. */
    readonly kind: "state";
    /** Where the states were compared. */
    readonly instant: number;
    /** Names of the sections and memories that differ. */
    readonly parts: readonly string[];
  }
  | {
    /** The states differ already at `instant`, the checkpoint where a run begins. */
    readonly kind: "beginning";
    /** Where the states were compared. */
    readonly instant: number;
    /** Names of the sections and memories that differ. */
    readonly parts: readonly string[];
  }
  | {
    /** The runs differ. */
    readonly kind: "divergent";
    /** Instant of the first divergent event. */
    readonly instant: number;
    /** First and second run. */
    readonly sides: readonly [DivergentSide, DivergentSide];
  };

/** How to look, and whom to tell. */
export interface DiffOptions extends ReplayOptions {
  /** Events shown before and after (default 8). */
  readonly context?: number;
  /** Called with what is being done and the instants that bound the search. */
  readonly progress?: (text: string, low: number, high: number) => void;
}

/** Intervals up to this many steps are compared event by event. */
const EVENT_BY_EVENT = 4096;

/**
 * Finds the first divergent event of two runs. Differences that arise and heal without a trap, a device access or an
 * input are not looked for. Where a run begins at a checkpoint, both are compared from there on; states that differ there
 * already are a difference of kind "beginning". Runs of different machines, whose states are never equal, are compared by events alone.
 */
export function diff(left: DiffSide, right: DiffSide, options: DiffOptions = {}): Difference {
  const bounds = boundsFromRoots(left.run, right.run);
  const end = Math.min(left.run.lastInstant, right.run.lastInstant);
  if (bounds.areEqual) return { kind: "equal", rootsCompared: bounds.compared };
  const sides: Pair<Side> = [new Side(left, options), new Side(right, options)];
  const first = commonStart(left.run, right.run);
  for (const { replay } of sides) replay.runTo(first);
  if (first > 0) {
    const parts = differingParts(sides);
    if (parts.length > 0) return { kind: "beginning", instant: first, parts };
  }
  const isOneMachine = haveEqualRoots(left.run, right.run) && equalBytes(sides[0].root(), sides[1].root());
  const start = Math.max(isOneMachine ? bounds.lastEqual : 0, first);
  const upper = isOneMachine ? Math.min(bounds.firstDiffering ?? end, end) : end;
  if (!isOneMachine) { for (const side of sides) side.compareEventsOnly(); }
  options.progress?.("replaying to the last common root", start, upper);
  for (const { replay } of sides) replay.runTo(Math.min(start, upper));
  const low = narrow(sides, upper, options);
  const high = Math.min(upper, low + EVENT_BY_EVENT);
  const found = compareFrom(sides, low, high, high === end, options);
  if (found !== undefined) return found;
  for (const { replay } of sides) replay.runTo(upper);
  const parts = differingParts(sides);
  if (parts.length > 0) return { kind: "state", instant: upper, parts };
  if (left.run.lastInstant !== right.run.lastInstant) {
    return { kind: "length", lastInstants: [left.run.lastInstant, right.run.lastInstant] };
  }
  return { kind: "equal", rootsCompared: bounds.compared };
}

type Pair<T> = [T, T];

/** Where both runs have begun. Throws JournalError when one ends before the other begins. */
function commonStart(left: RecordedRun, right: RecordedRun): number {
  const first = Math.max(left.firstInstant, right.firstInstant);
  for (const { lastInstant } of [left, right]) {
    if (lastInstant >= first) continue;
    throw new JournalError(
      `Cannot compare the runs: one ends at instant ${lastInstant}, the other begins at ${first}`,
    );
  }
  return first;
}

/** A point to which one side can return. */
interface SideMark {
  readonly replay: ReplayMark;
  readonly events: History | undefined;
}

/** One run being compared. */
class Side {
  readonly replay: Replay;
  /** Digests events from the start on, without the states between them. */
  #events: History | undefined;

  constructor({ run, images }: DiffSide, options: DiffOptions) {
    this.replay = new Replay(run, images, { ...options, checkEvents: false });
  }

  root(): Uint8Array {
    return this.replay.machine.stateRoot().root;
  }

  /** From power-on on, leaves states out of the fingerprint. */
  compareEventsOnly(): void {
    this.#events = new History();
    this.replay.machine.board.events.add(this.#events);
  }

  /** Equal for runs that were the same up to here. */
  fingerprint(): Uint8Array {
    return this.#events?.peek(NO_STATE) ?? this.replay.historyRoot();
  }

  mark(): SideMark {
    return { replay: this.replay.mark(), events: this.#events?.copy() };
  }

  returnTo(mark: SideMark): void {
    this.replay.returnTo(mark.replay);
    if (this.#events === undefined || mark.events === undefined) return;
    const { events } = this.replay.machine.board;
    events.remove(this.#events);
    this.#events = mark.events.copy();
    events.add(this.#events);
  }
}

const NO_STATE = new Uint8Array(HASH_LENGTH);

/** Whether equal runs have roots at equal instants: otherwise their chains of roots cannot be compared. */
function haveEqualRoots(left: RecordedRun, right: RecordedRun): boolean {
  return left.manifest.configuration.rootInterval === right.manifest.configuration.rootInterval;
}

function differingParts([left, right]: Pair<Side>): string[] {
  const parts = new Map(left.replay.machine.stateRoot().parts.map(({ name, hash }) => [name, hash]));
  const differing: string[] = [];
  for (const { name, hash } of right.replay.machine.stateRoot().parts) {
    const other = parts.get(name);
    if (other === undefined || !equalBytes(other, hash)) differing.push(name);
    parts.delete(name);
  }
  return [...differing, ...parts.keys()];
}

/** The last common root with equal histories and the first with different ones. */
function boundsFromRoots(left: RecordedRun, right: RecordedRun) {
  const ends = [left, right].map(({ roots, end }) => end === undefined ? roots : [...roots, end]);
  const areEqual = haveEqualRoots(left, right) && left.end?.instant === right.end?.instant &&
    left.end !== undefined && right.end !== undefined &&
    equalBytes(left.end.historyRoot, right.end.historyRoot);
  const others = new Map((ends[1] ?? []).map((root) => [root.instant, root.historyRoot]));
  let lastEqual = 0, compared = 0;
  for (const { instant, historyRoot } of ends[0] ?? []) {
    const other = others.get(instant);
    if (other === undefined) continue;
    compared++;
    if (!equalBytes(other, historyRoot)) {
      return { lastEqual, firstDiffering: instant, compared, areEqual: false };
    }
    lastEqual = instant;
  }
  return { lastEqual, firstDiffering: undefined, compared, areEqual };
}

/**
 * Halves the interval on fingerprints, which never heal, until it is short; both sides then stand at its start,
 * which is returned. When the fingerprints at `upper` are equal, the start is close to `upper`.
 */
function narrow(sides: Pair<Side>, upper: number, options: DiffOptions): number {
  let low = sides[0].replay.instant, high = upper;
  let marks = sides.map((side) => side.mark()) as Pair<SideMark>;
  while (high - low > EVENT_BY_EVENT) {
    const middle = low + Math.ceil((high - low) / 2);
    options.progress?.("bisecting on history roots", low, high);
    for (const { replay } of sides) replay.runTo(middle);
    if (equalBytes(sides[0].fingerprint(), sides[1].fingerprint())) {
      low = middle;
      marks = sides.map((side) => side.mark()) as Pair<SideMark>;
    } else {
      high = middle;
      for (const [index, side] of sides.entries()) side.returnTo(marks[index] as SideMark);
    }
  }
  return low;
}

/**
 * Compares events of all classes from `low`, and leaves both sides at the instant of the first that differs; without
 * a difference, at `low`.
 */
function compareFrom(
  sides: Pair<Side>,
  low: number,
  high: number,
  toTheEnd: boolean,
  options: DiffOptions,
): Difference | undefined {
  const context = options.context ?? 8;
  const marks = sides.map((side) => side.mark()) as Pair<SideMark>;
  const lasts = sides.map(({ replay }) => replay.run.lastInstant) as Pair<number>;
  const stop = Math.min(high + context, ...lasts);
  const ends = toTheEnd && lasts[0] === lasts[1];
  const streams = sides.map(({ replay }) => gather(replay, stop, ends)) as Pair<MachineEvent[]>;
  const index = firstDifference(...streams);
  for (const [at, side] of sides.entries()) side.returnTo(marks[at] as SideMark);
  if (index === undefined) return undefined;
  const instant = Math.min(...streams.map((stream) => stream[index]?.instant ?? Infinity));
  const found = sides.map(({ replay }, at): DivergentSide => {
    replay.runTo(Math.max(low, Math.min(instant, replay.run.lastInstant)));
    const stream = streams[at] as MachineEvent[];
    return {
      event: stream[index],
      before: stream.slice(Math.max(0, index - context), index),
      after: stream.slice(index, index + context),
      replay,
    };
  }) as Pair<DivergentSide>;
  return { kind: "divergent", instant, sides: found };
}

function gather(replay: Replay, stop: number, toTheEnd: boolean): MachineEvent[] {
  const events: MachineEvent[] = [];
  const observer: EventObserver = { classes: ALL_CLASSES, observe: (event) => void events.push(event) };
  replay.machine.board.events.add(observer);
  replay.runTo(stop);
  if (toTheEnd) replay.runToEnd();
  replay.machine.board.events.remove(observer);
  return events;
}

function firstDifference(left: readonly MachineEvent[], right: readonly MachineEvent[]): number | undefined {
  const writers = [new ByteWriter(), new ByteWriter()] as const;
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const pair = [left[index], right[index]] as const;
    if (pair[0] === undefined || pair[1] === undefined) return index;
    for (const [side, writer] of writers.entries()) {
      writer.clear();
      writeEvent(writer, pair[side] as MachineEvent);
    }
    if (!equalBytes(writers[0].view(), writers[1].view())) return index;
  }
  return undefined;
}
