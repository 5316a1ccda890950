/** Checkpoints in a journal: the whole state at an instant, from which a run begins that has no power-on. */
import { z } from "zod";
import type { Schema } from "../machine/layout.ts";
import type { Machine, Snapshot } from "../machine/machine.ts";
import { PageMap } from "../machine/memory/page_map.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import type { DiskContents, OverlayChunk } from "../machine/storage/disk.ts";
import type { BlockSpan } from "./block.ts";
import { JournalFormatError } from "./errors.ts";
import { equalBytes } from "./hash.ts";
import { rootSchema, type StoredRoot } from "./payloads.ts";

/** Pages of memory in one block: 4 MiB of them. */
const PAGES_PER_BLOCK = 1024;
/** Chunks of a disk in one block: 4 MiB of them. */
const CHUNKS_PER_BLOCK = 64;

/** The layers of a disk's overlay, in the order in which they are written. */
const LAYERS = ["durable", "volatile"] as const;

const count = z.int().min(0).max(2 ** 32 - 1);
const name = z.string().min(1).max(64);
const bytes = (most: number) =>
  z.instanceof(Uint8Array).refine(({ length }) => length <= most, "is too long");

/** The first block of a checkpoint: everything but memory and disks, and how much of those follows. */
export interface CheckpointHead {
  /** Tells the block from those that follow. */
  readonly part: "state";
  /** Where and when it is, and the roots that the run has there. */
  readonly root: StoredRoot;
  /** Named sections in the machine's order. */
  readonly sections: readonly {
    readonly name: string;
    readonly version: number;
    readonly bytes: Uint8Array;
  }[];
  /** Pages of memory in the blocks that follow. */
  readonly pages: number;
  /** Chunks of disks in the blocks that follow. */
  readonly chunks: number;
}

/** Schema of a checkpoint's first block. */
export const headSchema: Schema<CheckpointHead> = z.strictObject({
  part: z.literal("state"),
  root: z.custom<StoredRoot>((value) => rootSchema.safeParse(value).success, "is no root"),
  sections: z.array(z.strictObject({ name, version: count, bytes: bytes(16 << 20) })).max(1024),
  pages: count,
  chunks: count,
});

/** Pages of one region of memory: their numbers in it as little-endian words, then all their bytes. */
const pagesSchema = z.strictObject({
  part: z.literal("pages"),
  region: name,
  numbers: bytes(4 * PAGES_PER_BLOCK),
  bytes: bytes(PAGE_SIZE * PAGES_PER_BLOCK),
}).refine(
  ({ numbers, bytes }) => bytes.length === numbers.length / 4 * PAGE_SIZE,
  "has not one number for each page",
);

/** What was written to a disk. */
const chunksSchema = z.strictObject({
  part: z.literal("chunks"),
  disk: name,
  layer: z.enum(LAYERS),
  chunks: z.array(z.strictObject({ number: count, bytes: bytes(1 << 20) })).max(CHUNKS_PER_BLOCK),
});

const partSchema = z.discriminatedUnion("part", [pagesSchema, chunksSchema]);

/** A region's pages, by their numbers in it. */
function* pagePayloads({ board }: Machine, { pages }: Snapshot): Generator<unknown> {
  for (const { name: region, hostOffset, size } of board.memory.regions) {
    const first = hostOffset / PAGE_SIZE, limit = first + size / PAGE_SIZE;
    const numbers = [...pages.keys()].filter((page) => page >= first && page < limit);
    for (let at = 0; at < numbers.length; at += PAGES_PER_BLOCK) {
      const some = numbers.slice(at, at + PAGES_PER_BLOCK);
      const packed = {
        numbers: new Uint8Array(4 * some.length),
        bytes: new Uint8Array(PAGE_SIZE * some.length),
      };
      const view = new DataView(packed.numbers.buffer);
      for (const [index, page] of some.entries()) {
        view.setUint32(4 * index, page - first, true);
        packed.bytes.set(pages.get(page)!, PAGE_SIZE * index);
      }
      yield { part: "pages", region, ...packed };
    }
  }
}

function* chunkPayloads({ disks }: Snapshot): Generator<unknown> {
  for (const [disk, contents] of disks) {
    for (const layer of LAYERS) {
      const all = [...contents[layer]].sort(([a], [b]) => a - b);
      for (let at = 0; at < all.length; at += CHUNKS_PER_BLOCK) {
        const some = all.slice(at, at + CHUNKS_PER_BLOCK);
        yield { part: "chunks", disk, layer, chunks: some.map(([number, { bytes }]) => ({ number, bytes })) };
      }
    }
  }
}

/** The payloads of the blocks that hold a checkpoint, the first of them its head; `root` is the run's root there. */
export function* checkpointPayloads(
  machine: Machine,
  snapshot: Snapshot,
  root: StoredRoot,
): Generator<unknown> {
  const layers = [...snapshot.disks.values()].flatMap((disk) => LAYERS.map((layer) => disk[layer].size));
  const head: CheckpointHead = {
    part: "state",
    root,
    sections: snapshot.sections.map(({ name, version, bytes }) => ({ name, version, bytes })),
    pages: snapshot.pages.size,
    chunks: layers.reduce((sum, size) => sum + size, 0),
  };
  yield head;
  yield* pagePayloads(machine, snapshot);
  yield* chunkPayloads(snapshot);
}

/** The span of a checkpoint's blocks. */
export function checkpointSpan({ instant }: StoredRoot): BlockSpan {
  return { firstInstant: instant, lastInstant: instant };
}

/** Gathers a snapshot for one machine, and refuses what does not fit it. */
class SnapshotReader {
  readonly pages = new Map<number, Uint8Array>();
  readonly disks: Map<string, Record<(typeof LAYERS)[number], Map<number, OverlayChunk>>>;
  chunks = 0;

  constructor(private readonly machine: Machine) {
    const names = [...machine.board.disks.keys()];
    this.disks = new Map(names.map((name) => [name, { durable: new Map(), volatile: new Map() }]));
  }

  add(payload: unknown): void {
    const part = partSchema.parse(payload);
    if (part.part === "pages") this.#addPages(part);
    else this.#addChunks(part);
  }

  #addPages({ region: name, numbers, bytes }: z.output<typeof pagesSchema>): void {
    const region = this.machine.board.memory.regions.find((region) => region.name === name);
    if (region === undefined) throw new RangeError(`the machine has no memory "${name}"`);
    const view = new DataView(numbers.buffer, numbers.byteOffset, numbers.length);
    for (let at = 0; at < numbers.length; at += 4) {
      const number = view.getUint32(at, true);
      const page = region.hostOffset / PAGE_SIZE + number;
      if (number >= region.size / PAGE_SIZE || this.pages.has(page)) {
        throw new RangeError(`page ${number} of "${name}" is outside or there twice`);
      }
      this.pages.set(page, bytes.slice(at / 4 * PAGE_SIZE, (at / 4 + 1) * PAGE_SIZE));
    }
  }

  #addChunks({ disk: name, layer, chunks }: z.output<typeof chunksSchema>): void {
    const disk = this.disks.get(name);
    if (disk === undefined) throw new RangeError(`the machine has no disk "${name}"`);
    for (const { number, bytes } of chunks) {
      if (disk[layer].has(number)) throw new RangeError(`chunk ${number} of disk "${name}" is there twice`);
      disk[layer].set(number, { bytes: Uint8Array.from(bytes) });
      this.chunks++;
    }
  }
}

/**
 * Puts a machine in the state of a checkpoint: `head`, and the payloads of the blocks after it. Throws
 * JournalFormatError when they are not whole, do not fit the machine, or are not what the root says.
 */
export function restoreCheckpoint(machine: Machine, head: CheckpointHead, parts: Iterable<unknown>): void {
  const refuse = (what: string): JournalFormatError =>
    new JournalFormatError(
      `Cannot begin at the checkpoint of instant ${head.root.instant}: ${what.slice(0, 300)}`,
    );
  const reader = new SnapshotReader(machine);
  try {
    for (const payload of parts) reader.add(payload);
    if (reader.pages.size !== head.pages || reader.chunks !== head.chunks) {
      throw new RangeError("a part of it is missing");
    }
    const disks: ReadonlyMap<string, DiskContents> = reader.disks;
    machine.restore({ sections: head.sections, pages: PageMap.of(reader.pages), disks });
  } catch (error) {
    if (error instanceof JournalFormatError) throw error;
    throw refuse((error as Error).message);
  }
  const { root, parts: hashes } = machine.stateRoot();
  if (equalBytes(root, head.root.stateRoot)) return;
  const differing = head.root.parts.find(({ name, hash }) => {
    const other = hashes.find((part) => part.name === name);
    return other === undefined || !equalBytes(other.hash, hash);
  });
  throw refuse(
    differing === undefined
      ? "it is not the state that its root names"
      : `its section "${differing.name}" is not equal`,
  );
}
