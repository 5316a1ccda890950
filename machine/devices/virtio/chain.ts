/** A descriptor chain: buffers that the device reads, then buffers that it writes. */
import type { Dma } from "../dma.ts";

/** One buffer of a chain, in memory throughout. */
export interface Segment {
  /** Physical address. */
  readonly address: number;
  /** Bytes, at least 1. */
  readonly size: number;
  /** The device writes it, else it reads it. */
  readonly writable: boolean;
}

/** Bytes that are copied at a time, so that a guest's sizes never are sizes of the host's buffers. */
const PIECE_SIZE = 2 ** 16;

/** A chain taken from a queue. How bytes are split over its buffers has no meaning (ANY_LAYOUT, VERSION_1). */
export class Chain {
  /** Bytes that the device may read. */
  readonly readableSize: number;
  /** Bytes that the device may write. */
  readonly writableSize: number;

  /** `head` is the number of its first descriptor. */
  constructor(
    private readonly dma: Dma,
    readonly head: number,
    private readonly segments: readonly Segment[],
  ) {
    const sum = (writable: boolean): number =>
      segments.reduce((total, segment) => total + (segment.writable === writable ? segment.size : 0), 0);
    this.readableSize = sum(false);
    this.writableSize = sum(true);
  }

  /** Its buffers. */
  get descriptors(): number {
    return this.segments.length;
  }

  /** Ranges of memory for bytes `offset` up to `offset + length` of the readable or writable part. */
  *#pieces(writable: boolean, offset: number, length: number): Generator<{ address: number; size: number }> {
    let start = 0;
    for (const segment of this.segments) {
      if (segment.writable !== writable) continue;
      let from = Math.max(offset, start);
      const to = Math.min(offset + length, start + segment.size);
      for (; from < to; from += PIECE_SIZE) {
        yield { address: segment.address + from - start, size: Math.min(PIECE_SIZE, to - from) };
      }
      start += segment.size;
    }
  }

  /** The readable bytes from `offset` on, piece by piece; fewer than `length` when the chain ends. */
  *pieces(offset: number, length: number): Generator<Uint8Array<ArrayBuffer>, void, void> {
    for (const { address, size } of this.#pieces(false, offset, length)) {
      yield this.dma.read(address, size) ?? new Uint8Array(size);
    }
  }

  /** Copies up to `length` readable bytes from `offset` on; meant for what is small. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const parts = [...this.pieces(offset, length)];
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** Writes up to `length` bytes from `offset` of the writable part on, as `fill(done, size)` gives them in order. */
  fill(offset: number, length: number, fill: (done: number, size: number) => Uint8Array): void {
    let done = 0;
    for (const { address, size } of this.#pieces(true, offset, length)) {
      this.dma.write(address, fill(done, size));
      done += size;
    }
  }

  /** Writes bytes from `offset` of the writable part on, as far as it goes; the number written. */
  write(offset: number, bytes: Uint8Array): number {
    this.fill(offset, bytes.length, (done, size) => bytes.subarray(done, done + size));
    return Math.max(0, Math.min(bytes.length, this.writableSize - offset));
  }
}
