/** Diff: the first event in which two runs differ, found through history roots, with both sides around it. */
import type { MachineImages } from "../machine/compose.ts";
import { type EventObserver, type MachineEvent, writeEvent } from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import { equalBytes } from "./hash.ts";
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
 * input are not looked for.
 */
export function diff(left: DiffSide, right: DiffSide, options: DiffOptions = {}): Difference {
  const bounds = boundsFromRoots(left.run, right.run);
  const replays: Pair<Replay> = [replayOf(left, options), replayOf(right, options)];
  const end = Math.min(left.run.lastInstant, right.run.lastInstant);
  const upper = Math.min(bounds.firstDiffering ?? end, end);
  options.progress?.("replaying to the last common root", bounds.lastEqual, upper);
  for (const replay of replays) replay.runTo(Math.min(bounds.lastEqual, upper));
  const low = narrow(replays, upper, options);
  const found = compareFrom(replays, low, Math.min(upper, low + EVENT_BY_EVENT), upper === end, options);
  if (found !== undefined) return found;
  if (left.run.lastInstant !== right.run.lastInstant) {
    return { kind: "length", lastInstants: [left.run.lastInstant, right.run.lastInstant] };
  }
  return { kind: "equal", rootsCompared: bounds.compared };
}

type Pair<T> = [T, T];

function replayOf({ run, images }: DiffSide, options: DiffOptions): Replay {
  return new Replay(run, images, { ...options, checkEvents: false });
}

/** The last common root with equal histories and the first with different ones. */
function boundsFromRoots(left: RecordedRun, right: RecordedRun) {
  const ends = [left, right].map(({ roots, end }) => end === undefined ? roots : [...roots, end]);
  const others = new Map((ends[1] ?? []).map((root) => [root.instant, root.historyRoot]));
  let lastEqual = 0, compared = 0;
  for (const { instant, historyRoot } of ends[0] ?? []) {
    const other = others.get(instant);
    if (other === undefined) continue;
    compared++;
    if (!equalBytes(other, historyRoot)) return { lastEqual, firstDiffering: instant, compared };
    lastEqual = instant;
  }
  return { lastEqual, firstDiffering: undefined, compared };
}

/**
 * Halves the interval on history roots, which never heal, until it is short; both replays then stand at its start,
 * which is returned. When the histories at `upper` are equal, the start is close to `upper`.
 */
function narrow(replays: Pair<Replay>, upper: number, options: DiffOptions): number {
  let low = replays[0].instant, high = upper;
  let marks = replays.map((replay) => replay.mark()) as Pair<ReplayMark>;
  while (high - low > EVENT_BY_EVENT) {
    const middle = low + Math.ceil((high - low) / 2);
    options.progress?.("bisecting on history roots", low, high);
    for (const replay of replays) replay.runTo(middle);
    if (equalBytes(replays[0].historyRoot(), replays[1].historyRoot())) {
      low = middle;
      marks = replays.map((replay) => replay.mark()) as Pair<ReplayMark>;
    } else {
      high = middle;
      for (const [side, replay] of replays.entries()) replay.returnTo(marks[side] as ReplayMark);
    }
  }
  return low;
}

/** Compares events of all classes from `low`; leaves both replays at the instant of the first that differs. */
function compareFrom(
  replays: Pair<Replay>,
  low: number,
  high: number,
  toTheEnd: boolean,
  options: DiffOptions,
): Difference | undefined {
  const context = options.context ?? 8;
  const marks = replays.map((replay) => replay.mark()) as Pair<ReplayMark>;
  const lasts = replays.map(({ run }) => run.lastInstant) as Pair<number>;
  const stop = Math.min(high + context, ...lasts);
  const ends = toTheEnd && lasts[0] === lasts[1];
  const streams = replays.map((replay) => gather(replay, stop, ends)) as Pair<MachineEvent[]>;
  const index = firstDifference(...streams);
  if (index === undefined) return undefined;
  const instant = Math.min(...streams.map((stream) => stream[index]?.instant ?? Infinity));
  for (const [side, replay] of replays.entries()) {
    replay.returnTo(marks[side] as ReplayMark);
    replay.runTo(Math.max(low, Math.min(instant, replay.run.lastInstant)));
  }
  const sides = replays.map((replay, side): DivergentSide => {
    const stream = streams[side] as MachineEvent[];
    return {
      event: stream[index],
      before: stream.slice(Math.max(0, index - context), index),
      after: stream.slice(index, index + context),
      replay,
    };
  }) as Pair<DivergentSide>;
  return { kind: "divergent", instant, sides };
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
