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

/** Numbers of pages or chunks in one block. */
const MOST_NUMBERS = 2 ** 18;

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

/** Schema of a snapshot's sections. */
export const sectionsSchema: z.ZodType<CheckpointHead["sections"]> = z.array(
  z.strictObject({ name, version: count, bytes: bytes(16 << 20) }),
).max(1024);

/** Schema of a checkpoint's first block. */
export const headSchema: Schema<CheckpointHead> = z.strictObject({
  part: z.literal("state"),
  root: z.custom<StoredRoot>((value) => rootSchema.safeParse(value).success, "is no root"),
  sections: sectionsSchema,
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

/** Pages of one region that are zero and were not in the state before. */
const zerosSchema = z.strictObject({
  part: z.literal("zeros"),
  region: name,
  numbers: bytes(4 * MOST_NUMBERS),
});

/** Chunks of a disk's layer that are those that one layer or the other had in the state before: numbers as above. */
const keptSchema = z.strictObject({
  part: z.literal("kept"),
  disk: name,
  layer: z.enum(LAYERS),
  durable: bytes(4 * MOST_NUMBERS),
  volatile: bytes(4 * MOST_NUMBERS),
});

const partSchema = z.discriminatedUnion("part", [pagesSchema, chunksSchema, zerosSchema, keptSchema]);

/** Numbers as little-endian words. */
function packNumbers(numbers: readonly number[]): Uint8Array {
  const packed = new Uint8Array(4 * numbers.length), view = new DataView(packed.buffer);
  for (const [index, number] of numbers.entries()) view.setUint32(4 * index, number, true);
  return packed;
}

function unpackNumbers(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => view.getUint32(4 * index, true));
}

/** Pieces of a list. */
function* pieces<T>(list: readonly T[], length: number): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += length) yield list.slice(at, at + length);
}

/** Some pages, given in order, by their numbers in their regions. */
function* pagePayloads(
  { board }: Machine,
  { pages }: Snapshot,
  wanted: readonly number[],
): Generator<unknown> {
  for (const { name: region, hostOffset, size } of board.memory.regions) {
    const first = hostOffset / PAGE_SIZE, limit = first + size / PAGE_SIZE;
    const inside = wanted.filter((page) => page >= first && page < limit);
    const isZero = (page: number): boolean => pages.get(page) === undefined;
    for (const some of pieces(inside.filter((page) => !isZero(page)), PAGES_PER_BLOCK)) {
      const bytes = new Uint8Array(PAGE_SIZE * some.length);
      for (const [index, page] of some.entries()) bytes.set(pages.get(page)!, PAGE_SIZE * index);
      yield { part: "pages", region, numbers: packNumbers(some.map((page) => page - first)), bytes };
    }
    for (const some of pieces(inside.filter(isZero), MOST_NUMBERS)) {
      yield { part: "zeros", region, numbers: packNumbers(some.map((page) => page - first)) };
    }
  }
}

/** The chunks of disks that are not those of the state before. */
function* chunkPayloads({ disks }: Snapshot, before?: Snapshot): Generator<unknown> {
  for (const [disk, contents] of disks) {
    const old = before?.disks.get(disk);
    for (const layer of LAYERS) {
      if (contents[layer] === old?.[layer]) continue;
      const all = [...contents[layer]].sort(([a], [b]) => a - b);
      const from = (name: typeof LAYERS[number], at: number): boolean =>
        old !== undefined && old[name].get(at) === contents[layer].get(at);
      const durable = all.flatMap(([at]) => from("durable", at) ? [at] : []);
      const volatile = all.flatMap(([at]) => !from("durable", at) && from("volatile", at) ? [at] : []);
      if (old !== undefined) yield* keptPayloads(disk, layer, durable, volatile);
      const fresh = all.filter(([at]) => !from("durable", at) && !from("volatile", at));
      for (const some of pieces(fresh, CHUNKS_PER_BLOCK)) {
        yield { part: "chunks", disk, layer, chunks: some.map(([number, { bytes }]) => ({ number, bytes })) };
      }
    }
  }
}

/** At least one, since a layer that is not named is as it was. */
function* keptPayloads(
  disk: string,
  layer: string,
  durable: readonly number[],
  volatile: readonly number[],
): Generator<unknown> {
  for (let at = 0; at === 0 || at < Math.max(durable.length, volatile.length); at += MOST_NUMBERS) {
    const some = (numbers: readonly number[]) => packNumbers(numbers.slice(at, at + MOST_NUMBERS));
    yield { part: "kept", disk, layer, durable: some(durable), volatile: some(volatile) };
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
  yield* pagePayloads(machine, snapshot, [...snapshot.pages.keys()]);
  yield* chunkPayloads(snapshot);
}

/** What a checkpoint behind a run's beginning holds after its head: how its state differs from the one before. */
export function* differencePayloads(
  machine: Machine,
  before: Snapshot,
  snapshot: Snapshot,
): Generator<unknown> {
  yield* pagePayloads(machine, snapshot, [...snapshot.pages.differing(before.pages)]);
  yield* chunkPayloads(snapshot, before);
}

/** The span of a checkpoint's blocks. */
export function checkpointSpan({ instant }: StoredRoot): BlockSpan {
  return { firstInstant: instant, lastInstant: instant };
}

/** A machine with nothing in memory or on disks. */
function emptySnapshot(machine: Machine): Pick<Snapshot, "pages" | "disks"> {
  const nothing: DiskContents = { durable: new Map(), volatile: new Map() };
  return {
    pages: PageMap.EMPTY,
    disks: new Map([...machine.board.disks.keys()].map((name) => [name, nothing])),
  };
}

/** Gathers a snapshot for one machine from its difference to another, and refuses what does not fit it. */
export class SnapshotReader {
  readonly #pages = new Map<number, Uint8Array | undefined>();
  readonly #layers = new Map<string, Map<number, OverlayChunk>>();
  /** Chunks that were given. */
  chunks = 0;

  /** Reads for a machine; the difference is to `before`, by default to nothing. */
  constructor(
    private readonly machine: Machine,
    private readonly before: Pick<Snapshot, "pages" | "disks"> = emptySnapshot(machine),
  ) {}

  /** Pages that were given, zeros left out. */
  get pages(): number {
    return this.#pages.values().reduce((sum, bytes) => sum + (bytes === undefined ? 0 : 1), 0);
  }

  /** Takes what a block holds; throws zod's error or RangeError. */
  add(payload: unknown): void {
    const part = partSchema.parse(payload);
    switch (part.part) {
      case "pages":
        return this.#addPages(part.region, part.numbers, part.bytes);
      case "zeros":
        return this.#addPages(part.region, part.numbers, undefined);
      case "chunks":
        return this.#addChunks(part);
      case "kept":
        return this.#keepChunks(part);
    }
  }

  #addPages(name: string, numbers: Uint8Array, bytes: Uint8Array | undefined): void {
    const region = this.machine.board.memory.regions.find((region) => region.name === name);
    if (region === undefined) throw new RangeError(`the machine has no memory "${name}"`);
    for (const [index, number] of unpackNumbers(numbers).entries()) {
      const page = region.hostOffset / PAGE_SIZE + number;
      if (number >= region.size / PAGE_SIZE || this.#pages.has(page)) {
        throw new RangeError(`page ${number} of "${name}" is outside or there twice`);
      }
      this.#pages.set(page, bytes?.slice(index * PAGE_SIZE, (index + 1) * PAGE_SIZE));
    }
  }

  #layer(disk: string, layer: typeof LAYERS[number]): Map<number, OverlayChunk> {
    if (!this.before.disks.has(disk)) throw new RangeError(`the machine has no disk "${disk}"`);
    const key = `${layer} ${disk}`, known = this.#layers.get(key) ?? new Map();
    this.#layers.set(key, known);
    return known;
  }

  #addChunks({ disk, layer, chunks }: z.output<typeof chunksSchema>): void {
    const into = this.#layer(disk, layer);
    for (const { number, bytes } of chunks) {
      if (into.has(number)) throw new RangeError(`chunk ${number} of disk "${disk}" is there twice`);
      into.set(number, { bytes: Uint8Array.from(bytes) });
      this.chunks++;
    }
  }

  #keepChunks({ disk, layer, ...numbers }: z.output<typeof keptSchema>): void {
    const into = this.#layer(disk, layer), before = this.before.disks.get(disk) as DiskContents;
    for (const from of LAYERS) {
      for (const number of unpackNumbers(numbers[from])) {
        const chunk = before[from].get(number);
        if (chunk === undefined || into.has(number)) {
          throw new RangeError(`chunk ${number} of disk "${disk}" was not there before, or is there twice`);
        }
        into.set(number, chunk);
      }
    }
  }

  /** The state with these sections. */
  snapshot(sections: Snapshot["sections"]): Snapshot {
    const disks = [...this.before.disks].map(([name, before]): [string, DiskContents] => {
      const layer = (layer: typeof LAYERS[number]) => this.#layers.get(`${layer} ${name}`) ?? before[layer];
      return [name, { durable: layer("durable"), volatile: layer("volatile") }];
    });
    return { sections, pages: this.before.pages.with(this.#pages), disks: new Map(disks) };
  }
}

/** The error for a checkpoint that cannot be used. */
export function refuseCheckpoint(instant: number, what: string): JournalFormatError {
  return new JournalFormatError(
    `Cannot begin at the checkpoint of instant ${instant}: ${what.slice(0, 300)}`,
  );
}

/**
 * Puts a machine in the state of a checkpoint: `head`, and the payloads of the blocks after it. Throws
 * JournalFormatError when they are not whole, do not fit the machine, or are not what the root says.
 */
export function restoreCheckpoint(machine: Machine, head: CheckpointHead, parts: Iterable<unknown>): void {
  const reader = new SnapshotReader(machine);
  try {
    for (const payload of parts) reader.add(payload);
    if (reader.pages !== head.pages || reader.chunks !== head.chunks) {
      throw new RangeError("a part of it is missing");
    }
    restoreChecked(machine, reader.snapshot(head.sections), head.root);
  } catch (error) {
    if (error instanceof JournalFormatError) throw error;
    throw refuseCheckpoint(head.root.instant, (error as Error).message);
  }
}

/** Puts a machine in a state; throws JournalFormatError when it is not the one that a root names. */
export function restoreChecked(machine: Machine, snapshot: Snapshot, recorded: StoredRoot): void {
  machine.restore(snapshot);
  const { root, parts: hashes } = machine.stateRoot();
  if (equalBytes(root, recorded.stateRoot)) return;
  const differing = recorded.parts.find(({ name, hash }) => {
    const other = hashes.find((part) => part.name === name);
    return other === undefined || !equalBytes(other.hash, hash);
  });
  throw refuseCheckpoint(
    recorded.instant,
    differing === undefined
      ? "it is not the state that its root names"
      : `its section "${differing.name}" is not equal`,
  );
}
