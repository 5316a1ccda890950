/** Checkpoints behind a run's beginning, so that a journal opens in the middle: each the difference to the one before. */
import { z } from "zod";
import type { Machine, Snapshot } from "../machine/machine.ts";
import type { Schema } from "../machine/layout.ts";
import type { BlockInfo } from "./block.ts";
import {
  type CheckpointHead,
  differencePayloads,
  refuseCheckpoint,
  restoreChecked,
  sectionsSchema,
  SnapshotReader,
} from "./checkpoint.ts";
import { JournalError } from "./errors.ts";
import type { StoredRoot } from "./payloads.ts";
import type { Replay } from "./replay.ts";

/** The first block of such a checkpoint, right after the root block of its instant. */
export interface DifferenceHead {
  /** Tells the block from those that follow. */
  readonly part: "difference";
  /** Instant of the state that it is a difference to: the checkpoint before, or where the run begins. */
  readonly since: number;
  /** Blocks that follow. */
  readonly blocks: number;
  /** Named sections in the machine's order. */
  readonly sections: CheckpointHead["sections"];
}

/** Schema of that block. */
export const differenceSchema: Schema<DifferenceHead> = z.strictObject({
  part: z.literal("difference"),
  since: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  blocks: z.int().min(0).max(2 ** 32 - 1),
  sections: sectionsSchema,
});

/** A checkpoint behind the beginning, as it stands in the journal. */
export interface LaterCheckpoint {
  /** The root there, which has to be the state's. */
  readonly root: StoredRoot;
  /** Its blocks, the head first. */
  readonly blocks: readonly BlockInfo[];
}

/** Makes checkpoints of a machine that runs from root to root. */
export class CheckpointWriter {
  #before: Snapshot;
  #since: number;

  /** The machine stands where the run begins. */
  constructor(private readonly machine: Machine) {
    this.#before = machine.snapshot();
    this.#since = machine.instant;
  }

  /** Instant of the last one, or of the beginning. */
  get since(): number {
    return this.#since;
  }

  /** The payloads of the blocks of a checkpoint here, where a root is. */
  payloads(): unknown[] {
    const { machine } = this, snapshot = machine.snapshot();
    const parts = [...differencePayloads(machine, this.#before, snapshot)];
    const sections = snapshot.sections.map(({ name, version, bytes }) => ({ name, version, bytes }));
    const head: DifferenceHead = { part: "difference", since: this.#since, blocks: parts.length, sections };
    this.#before = snapshot;
    this.#since = machine.instant;
    return [head, ...parts];
  }
}

/**
 * Checkpoints of a whole run, by the instants of their roots: at each root that is at least `steps` after the one
 * before, the payloads of its blocks. Throws what replaying throws.
 */
export function* checkpointsOf(
  replay: Replay,
  steps: number,
): Generator<readonly [root: StoredRoot, payloads: unknown[]]> {
  const writer = new CheckpointWriter(replay.machine);
  for (const root of replay.run.roots) {
    if (root.instant - writer.since < steps) continue;
    replay.runTo(root.instant);
    yield [root, writer.payloads()];
  }
}

/** Puts a machine in the states of a journal's later checkpoints. */
export class CheckpointLoader {
  readonly #first: Snapshot;
  /** The checkpoint read last, by its place among all, and its state. */
  #last: { readonly index: number; readonly snapshot: Snapshot };

  /** The machine stands where the run begins; `payload` gives what a block holds. */
  constructor(
    private readonly machine: Machine,
    private readonly checkpoints: readonly LaterCheckpoint[],
    private readonly payload: (block: BlockInfo) => unknown,
  ) {
    this.#first = machine.snapshot();
    this.#last = { index: -1, snapshot: this.#first };
  }

  /**
   * Puts the machine in the state of a checkpoint, by its place among all. Throws JournalError when one up to it is not
   * whole or does not fit the machine, or the state is not what the root says.
   */
  restore(index: number): void {
    if (index < this.#last.index) this.#last = { index: -1, snapshot: this.#first };
    while (this.#last.index < index) {
      const next = this.#last.index + 1;
      this.#last = { index: next, snapshot: this.#read(this.checkpoints[next] as LaterCheckpoint) };
    }
    const { root } = this.checkpoints[index] as LaterCheckpoint;
    guarded(root, () => restoreChecked(this.machine, this.#last.snapshot, root));
  }

  #read({ root, blocks }: LaterCheckpoint): Snapshot {
    return guarded(root, () => {
      const [head, ...parts] = blocks;
      const reader = new SnapshotReader(this.machine, this.#last.snapshot);
      const { sections } = differenceSchema.parse(this.payload(head as BlockInfo));
      for (const block of parts) reader.add(this.payload(block));
      return reader.snapshot(sections);
    });
  }
}

/** What goes wrong with a checkpoint is told as that. */
function guarded<T>({ instant }: StoredRoot, go: () => T): T {
  try {
    return go();
  } catch (error) {
    if (error instanceof JournalError) throw error;
    throw refuseCheckpoint(instant, (error as Error).message);
  }
}
