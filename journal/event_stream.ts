/** The stream of events of a run: stored or derived, and the reader cannot tell which. */
import type { MachineImages } from "../machine/compose.ts";
import { type EventClass, type EventObserver, type MachineEvent } from "../machine/events.ts";
import { Replay, type ReplayOptions } from "./replay.ts";
import { STORED_CLASSES } from "./recorder.ts";
import type { RecordedRun } from "./run.ts";

/** Which part of a run's events is wanted. */
export interface EventRange {
  /** First instant, inclusive; default 0. */
  readonly from?: number;
  /** Last instant, exclusive; default the end of the run, its last events included. */
  readonly to?: number;
  /** Classes of event; default all. */
  readonly classes?: readonly EventClass[];
}

/** All classes of event. */
export const ALL_CLASSES: readonly EventClass[] = ["input", "trap", "device", "detail", "step"];

/** How events are derived when they are not stored. */
export interface StreamOptions extends ReplayOptions {
  /** Derive even what is stored; for tests and `verify`. */
  readonly derive?: boolean;
  /** Called now and then with the instant reached by a replay. */
  readonly progress?: (instant: number) => void;
}

/** Steps replayed between two looks at what they gave, where every step gives something. */
const SLICE = 8192;
/** Steps between two calls of `progress`. */
const PROGRESS_SLICE = 1 << 17;

/** The classes of event that a journal stores in full. */
export function storedClasses(run: RecordedRun): readonly EventClass[] {
  const { depth } = run.manifest;
  return depth === "steps" ? ALL_CLASSES : STORED_CLASSES[depth];
}

/** The events of a range, in order. Throws what reading and replaying throw. */
export function* eventStream(
  run: RecordedRun,
  images: MachineImages,
  range: EventRange = {},
  options: StreamOptions = {},
): Generator<MachineEvent> {
  const wanted = range.classes ?? ALL_CLASSES;
  const stored = storedClasses(run);
  if (!options.derive && wanted.every((name) => stored.includes(name))) {
    yield* run.stored({ from: range.from ?? 0, to: range.to ?? Infinity, classes: wanted });
  } else {
    yield* derivedEvents(run, images, { ...range, classes: wanted }, options);
  }
}

/** The events of a range, derived by replaying from power-on. */
function* derivedEvents(
  run: RecordedRun,
  images: MachineImages,
  range: EventRange & { readonly classes: readonly EventClass[] },
  options: StreamOptions,
): Generator<MachineEvent> {
  const replay = new Replay(run, images, options);
  const from = Math.min(range.from ?? 0, run.lastInstant);
  replay.skipTo(from);
  while (replay.instant < from) {
    replay.runTo(Math.min(from, replay.instant + PROGRESS_SLICE));
    options.progress?.(replay.instant);
  }
  let gathered: MachineEvent[] = [];
  const observer: EventObserver = { classes: range.classes, observe: (event) => void gathered.push(event) };
  replay.machine.board.events.add(observer);
  const to = Math.min(range.to ?? Infinity, run.lastInstant);
  const slice = range.classes.includes("step") ? SLICE : PROGRESS_SLICE;
  for (let told = replay.instant; replay.instant < to;) {
    replay.runTo(Math.min(to, replay.instant + slice));
    if (replay.instant >= told + PROGRESS_SLICE) options.progress?.(told = replay.instant);
    yield* gathered;
    gathered = [];
  }
  if (range.to === undefined || range.to > run.lastInstant) {
    replay.runToEnd();
    yield* gathered.filter((event) => event.instant >= (range.from ?? 0) && run.isKnown(event));
  }
}
