/** Diff: the first event in which two runs differ, found through history roots, with both sides around it. */
import { type EventClass, type MachineEvent, writeEvent } from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { DiffEffort, Difference, DiffOptions, DiffSide, DivergentSide } from "./diff_result.ts";
import { boundsFromRoots, differingParts, haveEqualIntervals } from "./diff_roots.ts";
import { both, type Pair, Side } from "./diff_side.ts";
import { differingMemory, firstUse } from "./diff_use.ts";
import { JournalError } from "./errors.ts";
import { equalBytes } from "./hash.ts";
import { eventStream, storedClasses } from "./event_stream.ts";
import type { RecordedRun } from "./run.ts";

export * from "./diff_result.ts";

type Divergent = Difference & { readonly kind: "divergent" };

/** Intervals up to this many steps are compared event by event. */
const EVENT_BY_EVENT = 4096;
/** What enters the history root, and is compared where machines are not the same. */
const HISTORY: readonly EventClass[] = ["input", "trap", "device"];
const DEFAULT_CONTEXT = 8;

/**
 * Finds the first divergent event of two runs. Differences that arise and heal without a trap, a device access or an
 * input are not looked for (`diffExhaustive` does). Where a run begins at a checkpoint, both are compared from there on;
 * states that differ there already are a difference of kind "beginning". Runs of different machines, whose states are
 * never equal, are compared by their inputs, traps and device accesses alone.
 */
export function diff(left: DiffSide, right: DiffSide, options: DiffOptions = {}): Difference {
  const bounds = boundsFromRoots(left.run, right.run);
  if (bounds.areEqual) return { kind: "equal", rootsCompared: bounds.compared };
  const sides: Pair<Side> = [new Side(left, options), new Side(right, options)];
  const first = commonStart(left.run, right.run);
  for (const side of sides) side.runTo(first);
  if (first > 0) {
    const parts = partsOf(sides);
    if (parts.length > 0) return { kind: "beginning", instant: first, parts };
  }
  const isOneMachine = haveEqualIntervals(left.run, right.run) &&
    equalBytes(sides[0].root(), sides[1].root());
  const search: Search = {
    inputs: [left, right],
    sides,
    end: Math.min(left.run.lastInstant, right.run.lastInstant),
    options,
    effort: { rootsCompared: bounds.compared, probes: 0, intervalSteps: 0 },
  };
  const found = isOneMachine
    ? betweenRoots(search, Math.max(bounds.lastEqual, first), bounds.firstDiffering)
    : amongEvents(search, first);
  return found ?? atTheEnd(search, isOneMachine ? bounds.firstDiffering : undefined);
}

/** What a search goes on. */
interface Search {
  readonly inputs: Pair<DiffSide>;
  readonly sides: Pair<Side>;
  /** Where the shorter run ends. */
  readonly end: number;
  readonly options: DiffOptions;
  readonly effort: { -readonly [K in keyof DiffEffort]: DiffEffort[K] };
}

/** No event differs: the states may, or the lengths. */
function atTheEnd({ sides, end, effort }: Search, firstDiffering = end): Difference {
  const upper = Math.min(firstDiffering, end);
  for (const side of sides) if (side.instant < upper) side.runTo(upper);
  const parts = partsOf(sides);
  if (parts.length > 0) return { kind: "state", instant: sides[0].instant, parts };
  const [left, right] = both(sides, ({ replay }) => replay.run.lastInstant);
  if (left !== right) return { kind: "length", lastInstants: [left, right] };
  return { kind: "equal", rootsCompared: effort.rootsCompared };
}

/** Where both runs have begun. Throws JournalError when one ends before the other begins. */
export function commonStart(left: RecordedRun, right: RecordedRun): number {
  const first = Math.max(left.firstInstant, right.firstInstant);
  for (const { lastInstant } of [left, right]) {
    if (lastInstant >= first) continue;
    throw new JournalError(
      `Cannot compare the runs: one ends at instant ${lastInstant}, the other begins at ${first}`,
    );
  }
  return first;
}

function partsOf([left, right]: Pair<Side>): string[] {
  return differingParts(left.replay.machine.stateRoot().parts, right.replay.machine.stateRoot().parts);
}

/** Runs of one machine: halves between the two roots, after the stored events have said what they can. */
function betweenRoots(
  search: Search,
  start: number,
  firstDiffering: number | undefined,
): Difference | undefined {
  const { inputs, sides, end, options } = search;
  const upper = Math.min(firstDiffering ?? end, end);
  const areStored = inputs.every(({ run }) => HISTORY.every((name) => storedClasses(run).includes(name)));
  const parting = areStored ? firstDifferentEvent(search, start, upper) : undefined;
  options.progress?.("replaying to the last common root", start, upper);
  for (const side of sides) side.goTo(Math.min(start, upper));
  const before = Math.max(...both(sides, ({ steps }) => steps));
  const low = narrow(search, Math.min(upper, (parting?.instant ?? upper) + 1));
  const high = Math.min(upper, low + EVENT_BY_EVENT);
  let found = compareSteps(search, low, high, high === end);
  if (found === undefined && parting !== undefined) {
    // Contents of disks differ in no event and come into memory by none: what is made of them tells.
    const near = Math.max(low, parting.instant - EVENT_BY_EVENT);
    for (const side of sides) side.runTo(near);
    found = compareSteps(search, near, Math.min(parting.instant + 1, end), parting.instant >= end);
    for (const side of sides) if (found === undefined) side.runTo(parting.instant);
    found ??= divergent(search, parting, false);
  }
  search.effort.intervalSteps = Math.max(...both(sides, ({ steps }) => steps)) - before;
  return found;
}

/**
 * Halves the interval on fingerprints, which never heal, until it is short; both sides then stand at its start,
 * which is returned. When the fingerprints at `upper` are equal, the start is close to `upper`.
 */
function narrow({ sides, options, effort }: Search, upper: number): number {
  let low = sides[0].instant, high = upper;
  let marks = both(sides, (side) => side.mark());
  while (high - low > EVENT_BY_EVENT) {
    const middle = low + Math.ceil((high - low) / 2);
    options.progress?.("bisecting on history roots", low, high);
    for (const side of sides) side.runTo(middle);
    effort.probes++;
    if (equalBytes(sides[0].fingerprint(), sides[1].fingerprint())) {
      low = middle;
      marks = both(sides, (side) => side.mark());
    } else {
      high = middle;
      for (const [index, side] of sides.entries()) side.returnTo(marks[index as 0 | 1]);
    }
  }
  return low;
}

/**
 * Runs of different machines: the first event that differs, and the steps before it if only what differed from the
 * start has differed until shortly before.
 */
function amongEvents(search: Search, first: number): Difference | undefined {
  const { sides, options } = search;
  const atStart = partsOf(sides).join();
  const [left, right] = both(sides, ({ replay }) => replay.machine);
  const ranges = differingMemory(left, right) ?? [];
  const found = firstDifferentEvent(search, first, search.end);
  if (found === undefined) return undefined;
  options.progress?.("looking for the first read of what differs", first, found.instant);
  const marks = both(sides, (side) => side.mark());
  const use = ranges.length === 0
    ? undefined
    : firstUse(search.inputs[0], sides, ranges, found.instant, options);
  for (const [index, side] of sides.entries()) side.returnTo(marks[index as 0 | 1]);
  const difference = divergentAmongEvents(search, found, first, atStart);
  return use === undefined ? difference : { ...difference, firstUse: use };
}

/** The difference itself, with steps if they can be told. */
function divergentAmongEvents(search: Search, found: Parting, first: number, atStart: string): Divergent {
  const { sides, options } = search;
  options.progress?.("replaying to the first divergent event", first, found.instant);
  const low = Math.max(first, found.instant - EVENT_BY_EVENT);
  for (const side of sides) side.goTo(low);
  if (partsOf(sides).join() === atStart) {
    const steps = compareSteps(
      search,
      low,
      Math.min(found.instant + 1, search.end),
      found.instant >= search.end,
    );
    if (steps !== undefined) return steps;
  }
  for (const side of sides) side.runTo(found.instant);
  return divergent(search, found, false);
}

/** Where two lists of events, or streams, part. */
interface Parting {
  readonly instant: number;
  readonly before: readonly MachineEvent[];
  readonly after: Pair<readonly MachineEvent[]>;
}

function divergent({ sides, effort }: Search, parting: Parting, withSteps: boolean): Divergent {
  const found = both(sides, ({ replay }, index): DivergentSide => {
    const after = parting.after[index as 0 | 1];
    return { event: after[0], before: parting.before, after, replay };
  });
  return { kind: "divergent", instant: parting.instant, sides: found, withSteps, effort };
}

/** Compares streams of inputs, traps and device accesses, stored or derived, from an instant on up to another. */
function firstDifferentEvent(
  { inputs, end, options }: Search,
  from: number,
  to: number,
): Parting | undefined {
  const context = options.context ?? DEFAULT_CONTEXT, lasts = both(inputs, ({ run }) => run.lastInstant);
  const range = { from, classes: HISTORY, ...to === end && lasts[0] === lasts[1] ? {} : { to } };
  const streams = both(inputs, ({ run, images }) => {
    const progress = (instant: number) => options.progress?.("deriving events", instant, to);
    return eventStream(run, images, range, { ...options, checkEvents: false, progress });
  });
  const before: MachineEvent[] = [];
  for (;;) {
    const [left, right] = both(streams, (stream) => stream.next());
    if (left.done && right.done) return undefined;
    if (!left.done && !right.done && isSameEvent(left.value, right.value)) {
      if (before.push(left.value) > context) before.shift();
      continue;
    }
    const rest = (result: IteratorResult<MachineEvent>, stream: Iterator<MachineEvent>): MachineEvent[] => {
      const events: MachineEvent[] = [];
      for (let next = result; !next.done && events.length < context; next = stream.next()) {
        events.push(next.value);
      }
      return events;
    };
    const after: Pair<MachineEvent[]> = [rest(left, streams[0]), rest(right, streams[1])];
    const instant = Math.min(...after.map(([event]) => event?.instant ?? Infinity));
    return { instant, before, after };
  }
}

/**
 * Compares events of all classes from `low`, and leaves both sides at the instant of the first that differs; without
 * a difference, at `low`.
 */
function compareSteps(search: Search, low: number, high: number, toTheEnd: boolean): Divergent | undefined {
  const { sides, options } = search;
  const context = options.context ?? DEFAULT_CONTEXT;
  const marks = both(sides, (side) => side.mark());
  const lasts = both(sides, ({ replay }) => replay.run.lastInstant);
  const stop = Math.min(high + context, ...lasts);
  const streams = both(sides, (side) => side.gather(stop, toTheEnd && lasts[0] === lasts[1]));
  const index = firstDifference(...streams);
  for (const [at, side] of sides.entries()) side.returnTo(marks[at as 0 | 1]);
  if (index === undefined) return undefined;
  const instant = Math.min(...streams.map((stream) => stream[index]?.instant ?? Infinity));
  for (const side of sides) side.runTo(Math.max(low, instant));
  const before = streams[0].slice(Math.max(0, index - context), index);
  const after = both(streams, (stream) => stream.slice(index, index + context));
  return divergent(search, { instant, before, after }, true);
}

function firstDifference(left: readonly MachineEvent[], right: readonly MachineEvent[]): number | undefined {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [one, other] = [left[index], right[index]];
    if (one === undefined || other === undefined || !isSameEvent(one, other)) return index;
  }
  return undefined;
}

const writers = [new ByteWriter(), new ByteWriter()] as const;

/** Equal in every field, the instant included. */
export function isSameEvent(left: MachineEvent, right: MachineEvent): boolean {
  if (left.kind !== right.kind || left.instant !== right.instant) return false;
  for (const [side, writer] of writers.entries()) {
    writer.clear();
    writeEvent(writer, side === 0 ? left : right);
  }
  return equalBytes(writers[0].view(), writers[1].view());
}
