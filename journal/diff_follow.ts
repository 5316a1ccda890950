/** What followed from the first difference of two runs: their later events re-aligned, classed, filtered and counted. */
import type { EventClass, MachineEvent } from "../machine/events.ts";
import { type AlignedEvents, alignEvents } from "./diff_align.ts";
import { compareConsoles, type ConsoleComparison, ConsoleText } from "./diff_console.ts";
import type { DiffSide } from "./diff_result.ts";
import { DiffFilter, type DiffFilterOptions } from "./diff_filter.ts";
import { DIFFERENCE_CLASSES, type DifferenceClass, PairClassifier } from "./diff_kinds.ts";
import { type Healing, healing } from "./diff_roots.ts";
import { eventStream } from "./event_stream.ts";
import type { ReplayOptions } from "./replay.ts";

/** Events of both runs that belong together, or one without a counterpart, and what that says. */
export interface Comparison extends AlignedEvents {
  /** How they differ. */
  readonly difference: DifferenceClass;
  /** A filter hides the difference. */
  readonly isHidden: boolean;
}

/** How many of each class. */
export type ClassCounts = Readonly<Record<DifferenceClass, number>>;

/** How far the second run is behind the first where events are equal but for their time, in steps. */
export interface TimeShift {
  /** At the first such pair. */
  readonly first: number;
  /** The smallest. */
  readonly least: number;
  /** The largest. */
  readonly most: number;
  /** At the last one. */
  readonly last: number;
}

/** What followed. */
export interface Consequences {
  /** Events of each run from the first difference on: inputs, traps and device accesses. */
  readonly events: readonly [number, number];
  /** Pairs and single events by class, hidden ones included. */
  readonly counts: ClassCounts;
  /** Those that filters hide. */
  readonly hidden: ClassCounts;
  /** Differences by kind of event, and device, that no filter hides; most first. */
  readonly kinds: readonly { readonly name: string; readonly counts: ClassCounts }[];
  /** Constants by which addresses are shifted, with the number of pairs; most first. */
  readonly addressShifts: readonly (readonly [shift: bigint, pairs: number])[];
  /** Shifts in time, where there are any. */
  readonly timeShift?: TimeShift;
  /** The first differences that no filter hides, by instant. */
  readonly first: readonly Comparison[];
  /** Instants of the last one, on each side that has it. */
  readonly last?: readonly [number | undefined, number | undefined];
  /** Pairs after the last one that no longer differ but in time. */
  readonly sameAfter: number;
  /** What the roots say. */
  readonly healing: Healing;
  /** What the consoles say. */
  readonly console: ConsoleComparison;
}

/** What is wanted, and whom to tell. */
export interface FollowOptions extends DiffFilterOptions, ReplayOptions {
  /** Differences that are kept (default 8). */
  readonly context?: number;
  /** Lines of the consoles that are kept (default 16). */
  readonly lines?: number;
  /** Sees every comparison, those of one CPU in order. */
  readonly each?: (comparison: Comparison) => void;
  /** Called now and then with the number of events taken. */
  readonly progress?: (events: number) => void;
}

const HISTORY: readonly EventClass[] = ["input", "trap", "device"];
/** Pairs that are learnt from before they are told apart. */
const AHEAD = 512;

function noCounts(): Record<DifferenceClass, number> {
  return Object.fromEntries(DIFFERENCE_CLASSES.map((name) => [name, 0])) as Record<DifferenceClass, number>;
}

/** Whether two that belong together do not say the same: what counts as a difference that is still there. */
function isReal({ difference, isHidden }: Comparison): boolean {
  return !isHidden && difference !== "same" && difference !== "timing";
}

const instantOf = ({ left, right }: AlignedEvents): number =>
  Math.min(left?.instant ?? Infinity, right?.instant ?? Infinity);

/** Counts comparisons as they come. */
class Tally {
  readonly counts = noCounts();
  readonly hidden = noCounts();
  readonly kinds = new Map<string, Record<DifferenceClass, number>>();
  timeShift: TimeShift | undefined;
  first: Comparison[] = [];
  last: readonly [number | undefined, number | undefined] | undefined;
  sameAfter = 0;

  constructor(private readonly context: number) {}

  add(comparison: Comparison): void {
    const { difference, left, right, isHidden } = comparison;
    this.counts[difference]++;
    if (left !== undefined && right !== undefined) this.#shift(right.instant - left.instant, difference);
    if (difference === "same") return void this.sameAfter++;
    if (isHidden) return void this.hidden[difference]++;
    const event = (left ?? right) as MachineEvent;
    const device = (event as { device?: string }).device;
    const name = device === undefined ? event.kind : `${event.kind} ${device}`;
    let counts = this.kinds.get(name);
    if (counts === undefined) this.kinds.set(name, counts = noCounts());
    counts[difference]++;
    if (!isReal(comparison)) return void this.sameAfter++;
    this.sameAfter = 0;
    this.last = [left?.instant ?? this.last?.[0], right?.instant ?? this.last?.[1]];
    this.#keep(comparison);
  }

  #shift(shift: number, difference: DifferenceClass): void {
    if (difference !== "timing") return;
    const { first, least, most } = this.timeShift ?? { first: shift, least: shift, most: shift };
    this.timeShift = { first, least: Math.min(least, shift), most: Math.max(most, shift), last: shift };
  }

  /** Tracks come one after another in windows: what is kept are the first by instant. */
  #keep(comparison: Comparison): void {
    const at = instantOf(comparison);
    const last = this.first[this.context - 1];
    if (last !== undefined && instantOf(last) <= at) return;
    const place = this.first.findLastIndex((other) => instantOf(other) <= at) + 1;
    this.first.splice(place, 0, comparison);
    this.first.length = Math.min(this.first.length, this.context);
  }

  get kindList(): Consequences["kinds"] {
    const total = (counts: ClassCounts) => DIFFERENCE_CLASSES.reduce((sum, name) => sum + counts[name], 0);
    return [...this.kinds].map(([name, counts]) => ({ name, counts })).sort((a, b) =>
      total(b.counts) - total(a.counts)
    );
  }
}

/** Passes a stream on, showing it to a console. */
function* seen(events: Iterable<MachineEvent>, console: ConsoleText): Generator<MachineEvent> {
  for (const event of events) {
    console.see(event);
    yield event;
  }
}

/** Aligns all inputs, traps and device accesses of two runs from the instant of their first difference on. */
export function follow(
  left: DiffSide,
  right: DiffSide,
  instant: number,
  options: FollowOptions = {},
): Consequences {
  const consoles = [new ConsoleText(), new ConsoleText()] as const;
  const streams = [left, right].map(({ run, images }, side) =>
    seen(
      eventStream(run, images, { from: instant, classes: HISTORY }, {
        ...options,
        checkEvents: false,
        progress: () => {},
      }),
      consoles[side as 0 | 1],
    )
  ) as [Generator<MachineEvent>, Generator<MachineEvent>];
  const classifier = new PairClassifier(), filter = new DiffFilter(options);
  const tally = new Tally(options.context ?? 8);
  const events: [number, number] = [0, 0];
  const tell = (aligned: AlignedEvents): void => {
    const { left, right } = aligned;
    if (left !== undefined) events[0]++;
    if (right !== undefined) events[1]++;
    const difference = left === undefined
      ? "right"
      : right === undefined
      ? "left"
      : classifier.classify(left, right);
    const isHidden = difference !== "same" && filter.hides(aligned, difference);
    const comparison: Comparison = { ...aligned, difference, isHidden };
    tally.add(comparison);
    options.each?.(comparison);
  };
  let ahead: AlignedEvents[] = [];
  for (const aligned of alignEvents(...streams, options.progress)) {
    if (aligned.left !== undefined && aligned.right !== undefined) {
      classifier.learn(aligned.left, aligned.right);
    }
    if (ahead.push(aligned) < AHEAD) continue;
    ahead.forEach(tell);
    ahead = [];
  }
  ahead.forEach(tell);
  const { counts, hidden, first, sameAfter, timeShift, last } = tally;
  return {
    events,
    counts,
    hidden,
    kinds: tally.kindList,
    addressShifts: classifier.shifts,
    first,
    sameAfter,
    ...timeShift === undefined ? {} : { timeShift },
    ...last === undefined ? {} : { last },
    healing: healing(left.run, right.run, instant),
    console: compareConsoles(...consoles, options.lines ?? 16),
  };
}
