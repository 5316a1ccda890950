/** A disk: the image it starts from, what was written over it, and how much of that would survive a loss of power. */
import type { EventHub } from "../events.ts";
import { ByteWriter } from "../layout.ts";
import { sha256 } from "../sha256.ts";
import { type BlockDevice, type DiskImage, IMAGE_CHUNK_SIZE } from "./block.ts";

/** Bytes of the chunks in which writes are kept and hashed; divides IMAGE_CHUNK_SIZE. */
export const OVERLAY_CHUNK_SIZE = 2 ** 16;

/** What a disk has in place of a chunk of its image; `bytes` never change once a snapshot has them. */
export interface OverlayChunk {
  /** OVERLAY_CHUNK_SIZE bytes, fewer at the end of the disk. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Everything that was written over an image, by chunk number. */
export interface DiskContents {
  /** What survives a power cut. */
  readonly durable: ReadonlyMap<number, OverlayChunk>;
  /** What was written since the last flush. */
  readonly volatile: ReadonlyMap<number, OverlayChunk>;
}

/** A chunk, its hash when that is known, and the token of the disk that may still write to it. */
interface Chunk extends OverlayChunk {
  hash: Uint8Array | undefined;
  readonly owner: object;
}

type Layer = Map<number, Chunk>;

/** What zeros are made of: it has no owner, so that whoever writes to it makes a copy. */
const ZERO_CHUNK: Chunk = {
  bytes: new Uint8Array(OVERLAY_CHUNK_SIZE),
  hash: sha256(new Uint8Array(OVERLAY_CHUNK_SIZE)),
  owner: {},
};

/** Events have sizes of 32 bits. */
const LARGEST_SIZE = 2 ** 32 - 1;

/** What a disk is made from. */
export interface DiskOptions {
  /** `-drive id=`. */
  readonly name: string;
  /** Contents at power-on. */
  readonly image: DiskImage;
  /** `readonly=on`. */
  readonly readOnly: boolean;
  /** Where its events go. */
  readonly events: EventHub;
}

/**
 * A disk with a volatile write cache over an image that is never changed. Writes are volatile until a flush makes all
 * of them durable; a power cut loses what is volatile, all of it and nothing else. A reset of the machine changes
 * nothing.
 */
export class Disk implements BlockDevice {
  /** `-drive id=`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Writes throw. */
  readonly readOnly: boolean;
  readonly #image: DiskImage;
  readonly #events: EventHub;
  #durable: Layer = new Map();
  #volatile: Layer = new Map();
  /** Chunks with this token, and the maps when it is theirs, are in no snapshot. */
  #owner: object = {};
  #durableOwner: object = this.#owner;
  #volatileOwner: object = this.#owner;
  #hash: Uint8Array | undefined;

  /** A disk with nothing written. */
  constructor({ name, image, readOnly, events }: DiskOptions) {
    this.name = name;
    this.size = image.size;
    this.readOnly = readOnly;
    this.#image = image;
    this.#events = events;
  }

  /** Copies bytes out: what was last written. Throws RangeError outside the disk, the image's error for a changed file. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = this.peek(offset, length);
    this.#events.emit("diskRead", 0, { disk: this.name, offset, size: length });
    return bytes;
  }

  /** The same without an event: what was last written or, with `durable`, what a power cut would leave. */
  peek(offset: number, length: number, durable = false): Uint8Array<ArrayBuffer> {
    this.#check(offset, length);
    const bytes = new Uint8Array(length);
    for (const { index, from, at, count } of pieces(offset, length)) {
      const chunk = durable ? this.#durable.get(index) : this.#newest(index);
      bytes.set(chunk?.bytes.subarray(from, from + count) ?? this.#imageBytes(index, from, count), at);
    }
    return bytes;
  }

  #newest(index: number): Chunk | undefined {
    return this.#volatile.get(index) ?? this.#durable.get(index);
  }

  /** Part of a chunk of the overlay's size, out of the image. */
  #imageBytes(index: number, from: number, count: number): Uint8Array {
    const start = index * OVERLAY_CHUNK_SIZE + from;
    const within = start % IMAGE_CHUNK_SIZE;
    return this.#image.chunk((start - within) / IMAGE_CHUNK_SIZE).subarray(within, within + count);
  }

  /** Writes bytes, which stay volatile until `flush`. Throws RangeError outside the disk or when it is read-only. */
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length);
    if (this.readOnly) throw new RangeError(`Cannot write to disk "${this.name}": it is read-only`);
    for (const { index, from, at, count } of pieces(offset, bytes.length)) {
      this.#writable(index, count).set(bytes.subarray(at, at + count), from);
    }
    this.#hash = undefined;
    this.#events.emit("diskWritten", 0, { disk: this.name, offset, size: bytes.length });
  }

  /** The volatile bytes of a chunk, of which `count` are about to be written; what is below is copied up first. */
  #writable(index: number, count: number): Uint8Array {
    const present = this.#volatile.get(index);
    if (present?.owner === this.#owner) {
      present.hash = undefined;
      return present.bytes;
    }
    const size = Math.min(OVERLAY_CHUNK_SIZE, this.size - index * OVERLAY_CHUNK_SIZE);
    const bytes = new Uint8Array(size);
    if (count < size) bytes.set(this.#newest(index)?.bytes ?? this.#imageBytes(index, 0, size));
    this.#ownVolatile().set(index, { bytes, hash: undefined, owner: this.#owner });
    return bytes;
  }

  /** The volatile layer, copied when a snapshot has it. */
  #ownVolatile(): Layer {
    if (this.#volatileOwner !== this.#owner) this.#volatile = new Map(this.#volatile);
    this.#volatileOwner = this.#owner;
    return this.#volatile;
  }

  /** Writes zeros: whole chunks of them are one chunk in memory. Throws RangeError as `write`. */
  writeZeroes(offset: number, length: number): void {
    this.#check(offset, length);
    if (this.readOnly) throw new RangeError(`Cannot write to disk "${this.name}": it is read-only`);
    for (const { index, from, count } of pieces(offset, length)) {
      if (count === OVERLAY_CHUNK_SIZE) this.#ownVolatile().set(index, ZERO_CHUNK);
      else this.#writable(index, count).fill(0, from, from + count);
    }
    this.#hash = undefined;
    this.#events.emit("diskWritten", 0, { disk: this.name, offset, size: Math.min(length, LARGEST_SIZE) });
  }

  /** Makes all that was written durable. */
  flush(): void {
    if (this.#volatile.size > 0) {
      if (this.#durableOwner !== this.#owner) this.#durable = new Map(this.#durable);
      this.#durableOwner = this.#owner;
      for (const [index, chunk] of this.#volatile) this.#durable.set(index, chunk);
      this.losePower();
    }
    this.#events.emit("diskFlushed", 0, { disk: this.name });
  }

  /** Loses what is not durable. */
  losePower(): void {
    this.#volatile = new Map();
    this.#volatileOwner = this.#owner;
    this.#hash = undefined;
  }

  #check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new RangeError(
        `Cannot access ${length} bytes at ${offset} of disk "${this.name}": it has ${this.size}`,
      );
    }
  }

  /** Numbers of chunks written, durable ones and those that a power cut would lose or take back. */
  get written(): { readonly durable: number; readonly volatile: number } {
    return { durable: this.#durable.size, volatile: this.#volatile.size };
  }

  /** Hash of all that was written; chunks are hashed again only after a write. */
  root(): Uint8Array {
    if (this.#hash !== undefined) return this.#hash;
    const writer = new ByteWriter();
    for (const layer of [this.#durable, this.#volatile]) {
      writer.u53(layer.size);
      for (const index of [...layer.keys()].sort((a, b) => a - b)) {
        const chunk = layer.get(index) as Chunk;
        chunk.hash ??= sha256(chunk.bytes);
        writer.u53(index);
        writer.raw(chunk.hash);
      }
    }
    return this.#hash = sha256(writer.view());
  }

  /** All that was written, shared with this disk until it is written again: costs no copy. */
  save(): DiskContents {
    this.#owner = {};
    return { durable: this.#durable, volatile: this.#volatile };
  }

  /** Returns to what `save` gave; throws RangeError when chunks do not fit this disk. */
  restore({ durable, volatile }: DiskContents): void {
    const layers = [this.#layer(durable), this.#layer(volatile)] as const;
    [this.#durable, this.#volatile] = layers;
    this.#owner = this.#durableOwner = this.#volatileOwner = {};
    this.#hash = undefined;
  }

  #layer(saved: ReadonlyMap<number, OverlayChunk>): Layer {
    const layer: Layer = new Map();
    for (const [index, chunk] of saved) {
      const size = Math.min(OVERLAY_CHUNK_SIZE, this.size - index * OVERLAY_CHUNK_SIZE);
      if (!(Number.isSafeInteger(index) && index >= 0 && size > 0 && chunk.bytes.length === size)) {
        throw new RangeError(`Cannot restore disk "${this.name}": chunk ${index} does not fit`);
      }
      // A token of nobody's: whoever writes next makes a copy.
      layer.set(
        index,
        "owner" in chunk ? chunk as Chunk : { bytes: chunk.bytes, hash: undefined, owner: {} },
      );
    }
    return layer;
  }
}

/** A range cut at chunk boundaries. */
function* pieces(offset: number, length: number): Generator<{
  readonly index: number;
  readonly from: number;
  readonly at: number;
  readonly count: number;
}> {
  for (let at = 0; at < length;) {
    const from = (offset + at) % OVERLAY_CHUNK_SIZE;
    const count = Math.min(length - at, OVERLAY_CHUNK_SIZE - from);
    yield { index: (offset + at - from) / OVERLAY_CHUNK_SIZE, from, at, count };
    at += count;
  }
}
