/** Images of disks in memory, and the hash that names an image of whatever kind. */
import { createHash } from "node:crypto";
import { sha256 } from "../sha256.ts";
import { type DiskImage, IMAGE_CHUNK_SIZE } from "./block.ts";

/** Bytes of a sector: a disk has a whole number of them. */
export const SECTOR_SIZE = 512;

const ZEROS = new Uint8Array(IMAGE_CHUNK_SIZE);

/** A whole chunk of zeros: images give this very object for one, so that it need not be looked through. */
export function zeroChunk(): Uint8Array {
  return ZEROS;
}

/** Number of chunks of so many bytes. */
export function chunkCount(size: number): number {
  return Math.ceil(size / IMAGE_CHUNK_SIZE);
}

/** Number of bytes in a chunk of an image: fewer in the last one. */
export function chunkLength(size: number, index: number): number {
  return Math.min(IMAGE_CHUNK_SIZE, size - index * IMAGE_CHUNK_SIZE);
}

/** Bytes as a disk's image; what is missing to a whole number of sectors is zero. */
export class MemoryImage implements DiskImage {
  /** Bytes. */
  readonly size: number;
  readonly #bytes: Uint8Array;

  /** The bytes must not change afterwards. */
  constructor(bytes: Uint8Array) {
    this.size = Math.ceil(bytes.length / SECTOR_SIZE) * SECTOR_SIZE;
    this.#bytes = new Uint8Array(this.size);
    this.#bytes.set(bytes);
  }

  /** The bytes of a chunk. */
  chunk(index: number): Uint8Array {
    return this.#bytes.subarray(index * IMAGE_CHUNK_SIZE, (index + 1) * IMAGE_CHUNK_SIZE);
  }
}

/** SHA-256 of a chunk of zeros, so that nobody hashes another one. */
const ZERO_HASH = sha256(ZEROS);

/** SHA-256 of a chunk's bytes. */
export function chunkHash(bytes: Uint8Array): Uint8Array {
  return bytes === ZEROS ? ZERO_HASH : sha256(bytes);
}

/** The name of the contents whose chunks have these hashes, in order: 64 hexadecimal digits. */
export function imageHash(chunks: Iterable<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}

/** The name of an image's contents, as configurations have it. */
export function hashOfImage(image: DiskImage): string {
  const count = chunkCount(image.size);
  return imageHash(Array.from({ length: count }, (_, index) => chunkHash(image.chunk(index))));
}
