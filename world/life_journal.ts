/** The journal of a machine's life in a world: written in pieces, with checkpoints at its roots if there are to be any. */
import { type BlockSpan, MAX_RAW_LENGTH } from "../journal/block.ts";
import type { BlockKind } from "../journal/block_kinds.ts";
import { checkpointSpan } from "../journal/checkpoint.ts";
import type { JournalWriter } from "../journal/file.ts";
import { CheckpointWriter } from "../journal/later_checkpoints.ts";
import type { StoredRoot } from "../journal/payloads.ts";
import type { BlockWriter } from "../journal/recorder.ts";
import type { Sink } from "../journal/storage.ts";
import type { Machine } from "../machine/machine.ts";
import { numberOfLife } from "./family.ts";

/** Keeps what is written until it is taken. */
export class PieceSink implements Sink {
  #pieces: Uint8Array[] = [];

  /** Keeps a copy. */
  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice());
  }

  /** Nothing is to be closed. */
  close(): void {}

  /** All that was written since this was asked last. */
  take(): Uint8Array {
    const size = this.#pieces.reduce((sum, { length }) => sum + length, 0), all = new Uint8Array(size);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    return all;
  }
}

/** Writes a life's journal, with checkpoints at its roots. */
export class CheckpointedJournal implements BlockWriter {
  #writer: CheckpointWriter | undefined;
  #last = 0;

  /** `spacing` is in nanoseconds of the machine. */
  constructor(private readonly journal: JournalWriter, private readonly spacing: number) {}

  /** Appends a block to the journal. */
  append(kind: BlockKind, payload: unknown, span?: BlockSpan): void {
    this.journal.append(kind, payload, span);
  }

  /** Ends the journal. */
  finish(): void {
    this.journal.finish();
  }

  /** The machine stands where its run begins, or where the last checkpoint is. */
  begin(machine: Machine): void {
    this.#writer = new CheckpointWriter(machine);
    this.#last = machine.virtualTime;
  }

  /** The recorder has stored a root: a checkpoint goes there when the last one is far enough. */
  rooted(machine: Machine, root: StoredRoot): void {
    if (this.#writer === undefined || machine.virtualTime - this.#last < this.spacing) return;
    this.#last = machine.virtualTime;
    for (const payload of this.#writer.payloads()) {
      this.journal.append("checkpoint", payload, checkpointSpan(root));
    }
  }
}

/** Takes blocks that nobody wants. */
export const NOWHERE: BlockWriter = { append: () => {}, finish: () => {} };

/** Who writes to a sink, if there is one; `open` makes the journal. */
export function journalWriter(
  sink: PieceSink | undefined,
  spacing: number | undefined,
  open: (sink: PieceSink) => JournalWriter,
): BlockWriter {
  if (sink === undefined) return NOWHERE;
  return spacing === undefined ? open(sink) : new CheckpointedJournal(open(sink), spacing);
}

/** Puts a piece of a life's journal into the world's file, in as many blocks as it takes. Throws JournalWriteError. */
export function appendPiece(world: JournalWriter, node: number, life: number, bytes: Uint8Array): void {
  const number = numberOfLife(node, life), span = { firstInstant: number, lastInstant: number };
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_RAW_LENGTH) {
    world.append("member", bytes.subarray(at, at + MAX_RAW_LENGTH), span);
  }
}
