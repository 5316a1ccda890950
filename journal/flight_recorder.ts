/** The flight recorder: keeps the last stretch of a run in memory, from a checkpoint on, until it is written to a file. */
import type { Machine, Snapshot } from "../machine/machine.ts";
import type { BlockSpan } from "./block.ts";
import type { BlockKind } from "./block_kinds.ts";
import { checkpointPayloads, checkpointSpan } from "./checkpoint.ts";
import { JournalReader, JournalWriter } from "./file.ts";
import type { StoredRoot } from "./payloads.ts";
import type { BlockWriter } from "./recorder.ts";
import { MemoryFile } from "./storage.ts";

/** How much of a run is kept at least; the beginning is always a root, so that it is up to half of it more. */
export type Kept =
  /** So many nanoseconds of virtual time. */
  | { readonly unit: "nanoseconds"; readonly count: number }
  /** So many steps. */
  | { readonly unit: "steps"; readonly count: number };

/** Blocks in the order in which they came, compressed as in a file. */
class Segment {
  readonly file = new MemoryFile();
  readonly #writer = new JournalWriter(this.file);

  /** Begins at power-on, or at a checkpoint. */
  constructor(readonly start: { readonly root: StoredRoot; readonly snapshot: Snapshot } | undefined) {
    this.#writer.append("configuration", null);
  }

  append(kind: BlockKind, payload: unknown, span?: BlockSpan): void {
    this.#writer.append(kind, payload, span);
  }

  /** Appends all of it to a journal. */
  copyTo(writer: JournalWriter): void {
    const reader = JournalReader.open(this.file);
    for (const block of reader.blocks.slice(1)) {
      writer.append(block.kind, reader.payload(block.number), block);
    }
  }
}

/**
 * Takes a recording's blocks, forgets those that are no longer wanted, and writes the rest as a journal when the
 * recording ends. Checkpoints are taken at roots, half of what is kept apart, so that there are at most four of them;
 * each costs the pages in which it differs from the one before it.
 */
export class FlightRecorder implements BlockWriter {
  #configuration: unknown;
  #segments = [new Segment(undefined)];
  #machine: Machine | undefined;
  #bytes = 0;

  /** Keeps the last `kept` of a run; `open` gives the journal when it is to be written. */
  constructor(private readonly kept: Kept, private readonly open: () => JournalWriter) {}

  /** Length of the journal written, in bytes; 0 before. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** Takes a block. */
  append(kind: BlockKind, payload: unknown, span?: BlockSpan): void {
    if (kind === "configuration") this.#configuration = payload;
    else this.#segments.at(-1)!.append(kind, payload, span);
  }

  #place({ instant, virtualTime }: { readonly instant: number; readonly virtualTime: number }): number {
    return this.kept.unit === "steps" ? instant : virtualTime;
  }

  /** Takes a checkpoint when it is time to, and forgets what came before the last one that is old enough. */
  rooted(machine: Machine, root: StoredRoot): void {
    this.#machine = machine;
    const { count } = this.kept;
    const startOf = ({ start }: Segment): number => start === undefined ? 0 : this.#place(start.root);
    const now = this.#place(root), last = this.#segments.at(-1)!;
    if (now - startOf(last) < count / 2) return;
    this.#segments.push(new Segment({ root, snapshot: machine.snapshot() }));
    const first = this.#segments.findLastIndex((segment) => now - startOf(segment) >= count);
    this.#segments.splice(0, Math.max(0, first));
  }

  /** Writes what is kept as a journal. Throws JournalWriteError. */
  finish(): void {
    const writer = this.open();
    writer.append("configuration", this.#configuration);
    const { start } = this.#segments[0]!;
    if (start !== undefined) {
      for (const payload of checkpointPayloads(this.#machine!, start.snapshot, start.root)) {
        writer.append("checkpoint", payload, checkpointSpan(start.root));
      }
    }
    for (const segment of this.#segments) segment.copyTo(writer);
    writer.finish();
    this.#bytes = writer.byteLength;
  }
}
