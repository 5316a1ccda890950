/** Forks: a new journal that shares a run's blocks up to a root, byte for byte, and goes on in another way. */
import type { MachineImages } from "../machine/compose.ts";
import type { InputEvent } from "../machine/events.ts";
import type { MachineOptions } from "../machine/machine.ts";
import type { BlockKind } from "./block_kinds.ts";
import { JournalError } from "./errors.ts";
import { JournalWriter } from "./file.ts";
import type { StoredRoot } from "./payloads.ts";
import { Recorder } from "./recorder.ts";
import { inputOf, Replay } from "./replay.ts";
import type { RecordedRun } from "./run.ts";
import type { Sink } from "./storage.ts";

/** How a fork is made; nothing here changes what it becomes. */
export interface ForkOptions extends MachineOptions {
  /** Called now and then with the instant reached on the way to the fork. */
  readonly progress?: (instant: number) => void;
}

/** A run that stands where it is to become another. */
export interface Fork {
  /** Goes on with the run, at the fork's instant; the inputs of the parent's stamped there have not come yet. */
  readonly recorder: Recorder;
  /** What the parent was given from there on, in order. */
  readonly laterInputs: readonly InputEvent[];
  /** The last root that both have; undefined when that is where they begin. */
  readonly sharedRoot: StoredRoot | undefined;
  /** Blocks that both journals have, byte for byte where the parent's format is the present one. */
  readonly sharedBlocks: number;
  /** The new journal. */
  readonly writer: JournalWriter;
}

/** Steps between two calls of `progress`. */
const SLICE = 1 << 22;

/** Kinds of block that say where a run begins. */
const BEFORE_THE_RUN: readonly BlockKind[] = ["configuration", "images", "checkpoint"];

/** The blocks up to the last root at or before `at`, and that root; without one, those of where the run begins. */
function sharedPrefix(
  { reader, roots }: RecordedRun,
  at: number,
): { readonly blocks: number; readonly root: StoredRoot | undefined } {
  const root = roots.findLast(({ instant }) => instant <= at);
  if (root === undefined) {
    const first = reader.blocks.findIndex(({ kind }) => !BEFORE_THE_RUN.includes(kind));
    return { blocks: first < 0 ? reader.blocks.length : first, root };
  }
  const last = reader.blocks.find(({ kind, lastInstant }) =>
    kind === "roots" && lastInstant === root.instant
  );
  return { blocks: last!.number + 1, root };
}

/**
 * Forks a run at an instant: what `sink` gets begins with the run's own blocks, and the recorder that comes back stands
 * at `at`, before the inputs that the run has there. Behind the last common root the run is replayed and recorded anew.
 * Throws RangeError for an instant outside the run, and what replaying and writing throw.
 */
export function fork(
  run: RecordedRun,
  images: MachineImages,
  at: number,
  sink: Sink,
  options: ForkOptions = {},
): Fork {
  if (at < run.firstInstant || at > run.lastInstant) {
    throw new RangeError(
      `Cannot fork at instant ${at}: the run has instants ${run.firstInstant} to ${run.lastInstant}`,
    );
  }
  const { blocks, root } = sharedPrefix(run, at);
  const replay = new Replay(run, images, { ...options, checkEvents: false });
  goTo(replay, root?.instant ?? run.firstInstant, options);
  const { machine, history } = replay.release();
  const writer = new JournalWriter(sink);
  writer.copyFrom(run.reader, blocks);
  const parts = (root ?? run.checkpoint?.root)?.parts ?? [];
  const recorder = new Recorder(run.manifest, images, writer, {
    ...options,
    resumed: { machine, history, parts },
  });
  const start = machine.instant;
  const [before, laterInputs] = [
    run.inputs.filter(({ instant }) => instant >= start && instant < at),
    run.inputs.filter(({ instant }) => instant >= at),
  ];
  for (const input of before) {
    advance(recorder, input.instant, options);
    recorder.submit(inputOf(input), input.virtualTime);
  }
  advance(recorder, at, options);
  return { recorder, laterInputs, sharedRoot: root, sharedBlocks: blocks, writer };
}

function goTo(replay: Replay, instant: number, { progress }: ForkOptions): void {
  replay.skipTo(instant);
  while (replay.instant < instant) {
    replay.runTo(Math.min(instant, replay.instant + SLICE));
    progress?.(replay.instant);
  }
  // At the instant itself there may be a root to be closed.
  replay.runTo(instant);
}

function advance(recorder: Recorder, instant: number, { progress }: ForkOptions): void {
  while (recorder.machine.instant < instant) {
    const { reason } = recorder.run(Math.min(instant, recorder.machine.instant + SLICE));
    progress?.(recorder.machine.instant);
    if (reason === "limit" || reason === "requested" || recorder.machine.instant >= instant) continue;
    throw new JournalError(
      `Cannot fork at instant ${instant}: the run is ${reason} at ${recorder.machine.instant}, the recorded one goes on`,
    );
  }
}
