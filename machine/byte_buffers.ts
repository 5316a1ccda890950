/** Little-endian fields written to, and read from, bytes. */

/** A few bytes that are written again and again, by words: copying so few takes longer than writing numbers. */
export class Phrase {
  /** Little-endian, the last filled up with zeros. */
  readonly words: Int32Array;
  /** How many bytes there are. */
  readonly length: number;

  /** Keeps a copy of the bytes. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(new ArrayBuffer(Math.ceil(bytes.length / 4) * 4));
    new Uint8Array(view.buffer).set(bytes);
    this.words = Int32Array.from({ length: view.byteLength / 4 }, (_, at) => view.getInt32(at * 4, true));
    this.length = bytes.length;
  }

  /** Puts the bytes at an offset; up to 3 bytes after them become zero. */
  put(view: DataView, at: number): void {
    putWords(view, at, this.words);
  }
}

function putWords(view: DataView, at: number, words: Int32Array): void {
  for (let index = 0; index < words.length; index++) {
    view.setInt32(at + index * 4, words[index] as number, true);
  }
}

/** Appends fixed-size little-endian fields to a growing buffer. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  #view: DataView<ArrayBuffer> = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Number of bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Makes room up to `end`; called only where there is none, since fields are many and small. */
  #grow(end: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, end));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** Writes an unsigned byte. */
  u8(value: number): void {
    const at = this.#length, end = this.#length = at + 1;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes[at] = value;
  }
  /** Writes an unsigned 16-bit integer. */
  u16(value: number): void {
    const at = this.#length, end = this.#length = at + 2;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setUint16(at, value, true);
  }
  /** Writes an unsigned 32-bit integer. */
  u32(value: number): void {
    const at = this.#length, end = this.#length = at + 4;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setUint32(at, value, true);
  }
  /** Writes an unsigned 64-bit integer. */
  u64(value: bigint): void {
    const at = this.#length, end = this.#length = at + 8;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setBigUint64(at, value, true);
  }
  /** Writes a non-negative integer below 2^53 as 64 bits. */
  u53(value: number): void {
    const at = this.#length, end = this.#length = at + 8;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setUint32(at, value % 0x1_0000_0000, true);
    this.#view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }
  /** Writes numbers of 1, 2, 4 or 8 bytes each; `words` has each in two of 32 bits, the low half first. */
  numbers(widths: Uint8Array, words: Uint32Array): void {
    let at = this.#length;
    if (at + 8 * widths.length > this.#bytes.length) this.#grow(at + 8 * widths.length);
    const view = this.#view;
    for (let index = 0; index < widths.length; index++) {
      const width = widths[index] as number, low = words[index * 2] as number;
      if (width === 1) view.setUint8(at, low);
      else if (width === 2) view.setUint16(at, low, true);
      else view.setUint32(at, low, true);
      if (width === 8) view.setUint32(at + 4, words[index * 2 + 1] as number, true);
      at += width;
    }
    this.#length = at;
  }
  /** Writes bytes as they are, without a length. */
  raw(bytes: Uint8Array): void {
    const at = this.#length, end = this.#length = at + bytes.length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.set(bytes, at);
  }
  /** Writes `length` bytes that stand in words (`Phrase`); their offset, for `putU32`. */
  words(words: Int32Array, length: number): number {
    const at = this.#length, room = at + words.length * 4;
    if (room > this.#bytes.length) this.#grow(room);
    putWords(this.#view, at, words);
    this.#length = at + length;
    return at;
  }
  /** Replaces four bytes that were written since the last `clear`. */
  putU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  /** The bytes written since the last `clear`; a view that the next write may replace. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
  /** A copy of the bytes written. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
  /** Starts over, keeping the buffer. */
  clear(): void {
    this.#length = 0;
  }
}

/** Reads what ByteWriter wrote; throws RangeError past the end. */
export class ByteReader {
  #view: DataView;
  #at = 0;
  /** Reads from the start of `bytes`. */
  constructor(private readonly source: Uint8Array) {
    this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }
  /** Number of bytes not read yet. */
  get remaining(): number {
    return this.source.length - this.#at;
  }
  #take(count: number): number {
    const at = this.#at;
    if (count > this.remaining) {
      throw new RangeError(`Cannot read ${count} bytes at offset ${at}: only ${this.remaining} are left`);
    }
    this.#at = at + count;
    return at;
  }
  /** Reads an unsigned byte. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  /** Reads an unsigned 16-bit integer. */
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  /** Reads an unsigned 32-bit integer. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  /** Reads an unsigned 64-bit integer. */
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  /** Reads a 64-bit integer that must be below 2^53; throws RangeError otherwise. */
  u53(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(`Cannot read an exact integer at offset ${at}: it passes 2^53`);
    }
    return value;
  }
  /** Reads `count` bytes; the result is a copy. */
  raw(count: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(count);
    return new Uint8Array(this.source.subarray(at, at + count));
  }
}
