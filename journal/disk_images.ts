/** Disks inside a journal: a table of chunk hashes, then the chunks that are not zero, read and checked on demand. */
import { z } from "zod";
import type { ImageReference } from "../machine/configuration.ts";
import { type DiskImage, IMAGE_CHUNK_SIZE } from "../machine/storage/block.ts";
import { chunkCount, chunkHash, chunkLength, imageHash, zeroChunk } from "../machine/storage/image.ts";
import { JournalFormatError } from "./errors.ts";
import type { JournalReader, JournalWriter } from "./file.ts";
import { equalBytes, HASH_LENGTH, sha256 } from "./hash.ts";

/** Chunks of one block; the last block of a disk may have fewer. */
const CHUNKS_PER_BLOCK = 8;
const BLOCK_LIMIT = CHUNKS_PER_BLOCK * IMAGE_CHUNK_SIZE;

/** The most chunks of a disk, 1 TiB. */
const MOST_CHUNKS = 2 ** 20;

const ZERO_HASH = chunkHash(zeroChunk());

/** The first block of a disk: its size and the hashes of all its chunks. */
const tableSchema = z.strictObject({
  disk: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().min(1).max(MOST_CHUNKS * IMAGE_CHUNK_SIZE),
  hashes: z.instanceof(Uint8Array).refine((hashes) => hashes.length <= MOST_CHUNKS * HASH_LENGTH, "too long"),
});

/** The blocks after it: chunks that are not zero, one after another. */
const chunksSchema = z.strictObject({
  chunks: z.instanceof(Uint8Array).refine((bytes) => bytes.length <= BLOCK_LIMIT, "too long"),
});

/** Appends a disk: its table, then its chunks without those that are zero. */
export function appendDisk(writer: JournalWriter, hash: string, image: DiskImage): void {
  const count = chunkCount(image.size);
  const hashes = new Uint8Array(count * HASH_LENGTH);
  for (let index = 0; index < count; index++) hashes.set(chunkHash(image.chunk(index)), index * HASH_LENGTH);
  writer.append("images", { disk: hash, size: image.size, hashes });
  const stored = storedChunks(hashes);
  for (let first = 0; first < stored.length; first += CHUNKS_PER_BLOCK) {
    const chunks = stored.slice(first, first + CHUNKS_PER_BLOCK).map((index) => image.chunk(index));
    const bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
    for (const [at, chunk] of chunks.entries()) bytes.set(chunk, at * IMAGE_CHUNK_SIZE);
    writer.append("images", { chunks: bytes });
  }
}

/** Numbers of the chunks that are not zero. */
function storedChunks(hashes: Uint8Array): number[] {
  const stored: number[] = [];
  for (let index = 0; index * HASH_LENGTH < hashes.length; index++) {
    if (!equalBytes(hashes.subarray(index * HASH_LENGTH, (index + 1) * HASH_LENGTH), ZERO_HASH)) {
      stored.push(index);
    }
  }
  return stored;
}

/** What a table says: how many blocks of chunks follow it, and the disk, if it is one that was asked for. */
export interface DiskTable {
  /** The disk's hash. */
  readonly sha256: string;
  /** Blocks after the table that are the disk's. */
  readonly blocks: number;
  /** The disk. */
  readonly disk: PackedDisk | undefined;
}

/**
 * Reads a block's payload as the table of a disk; undefined when it is none. Throws JournalFormatError when the table is
 * not what its hash says, or not all blocks of its chunks are there.
 */
export function readDiskTable(
  reader: JournalReader,
  number: number,
  payload: unknown,
  references: readonly ImageReference[],
): DiskTable | undefined {
  const parsed = tableSchema.safeParse(payload);
  if (!parsed.success) return undefined;
  const { disk: hash, size, hashes } = parsed.data;
  const reference = references.find(({ sha256 }) => sha256 === hash);
  const fits = hashes.length === chunkCount(size) * HASH_LENGTH && (reference?.size ?? size) === size;
  if (!fits || imageHash([hashes]) !== hash) throw refusal(number, "is not the table of the disk it names");
  const stored = storedChunks(hashes);
  const blocks = Math.ceil(stored.length / CHUNKS_PER_BLOCK);
  for (let block = number + 1; block <= number + blocks; block++) {
    if (reader.blocks[block]?.kind !== "images") throw refusal(block, "is missing: it has chunks of a disk");
  }
  const disk = reference && new PackedDisk(reader, number + 1, size, hashes, stored);
  return { sha256: hash, blocks, disk };
}

function refusal(number: number, what: string): JournalFormatError {
  return new JournalFormatError(`Cannot read the journal: block ${number} (images) ${what}`);
}

/** Blocks of chunks kept decoded, of each disk. */
const CACHED_BLOCKS = 4;

/** A disk inside a journal. */
export class PackedDisk implements DiskImage {
  /** Where each stored chunk is, by its number. */
  readonly #places: ReadonlyMap<number, number>;
  readonly #cache = new Map<number, Uint8Array>();

  /** `stored` are the numbers of the chunks that follow from block `first` on. */
  constructor(
    private readonly reader: JournalReader,
    private readonly first: number,
    readonly size: number,
    private readonly hashes: Uint8Array,
    private readonly stored: readonly number[],
  ) {
    this.#places = new Map(stored.map((index, place) => [index, place]));
  }

  /** The bytes of a chunk; throws JournalFormatError when they are not what the table says. */
  chunk(index: number): Uint8Array {
    const place = this.#places.get(index);
    if (place === undefined) return zeroChunk();
    const block = Math.floor(place / CHUNKS_PER_BLOCK);
    const bytes = this.#cache.get(block) ?? this.#read(block);
    return this.#within(bytes, place);
  }

  /** A chunk among those of its block. */
  #within(bytes: Uint8Array, place: number): Uint8Array {
    const at = (place % CHUNKS_PER_BLOCK) * IMAGE_CHUNK_SIZE;
    return bytes.subarray(at, at + chunkLength(this.size, this.stored[place] as number));
  }

  /** Decodes a block and checks all its chunks. */
  #read(block: number): Uint8Array {
    const number = this.first + block;
    const parsed = chunksSchema.safeParse(this.reader.payload(number));
    if (!parsed.success) throw refusal(number, "holds no chunks of a disk");
    const { chunks } = parsed.data;
    const last = Math.min((block + 1) * CHUNKS_PER_BLOCK, this.stored.length);
    for (let place = block * CHUNKS_PER_BLOCK; place < last; place++) {
      const index = this.stored[place] as number;
      const hash = this.hashes.subarray(index * HASH_LENGTH, (index + 1) * HASH_LENGTH);
      if (equalBytes(sha256(this.#within(chunks, place)), hash)) continue;
      throw refusal(number, `does not hold chunk ${index} of its disk`);
    }
    if (this.#cache.size >= CACHED_BLOCKS) this.#cache.delete(this.#cache.keys().next().value as number);
    this.#cache.set(block, chunks);
    return chunks;
  }
}
