/** A growable buffer of bytes with the integer formats of WebAssembly (core specification 5.2). */

/** Bytes written one after another. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** Reserves room for `capacity` bytes; more is taken as needed. */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Number of bytes written. */
  get length(): number {
    return this.#length;
  }

  /** The bytes written, a view valid until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  /** One byte; the value is taken modulo 256. */
  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Bytes as they are. */
  append(bytes: ArrayLike<number>): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** An unsigned number below 2^32 in LEB128. */
  unsigned(value: number): void {
    for (value >>>= 0; value > 127; value >>>= 7) this.byte(value | 128);
    this.byte(value);
  }

  /** A number taken modulo 2^32 and read as signed, in LEB128. */
  signed(value: number): void {
    value |= 0;
    for (; value < -64 || value > 63; value >>= 7) this.byte(value | 128);
    this.byte(value & 127);
  }

  /** A bigint taken modulo 2^64 and read as signed, in LEB128. */
  signed64(value: bigint): void {
    value = BigInt.asIntN(64, value);
    let number = Number(value);
    while (!Number.isSafeInteger(number)) { // seven bits at a time until a number holds the rest
      this.byte(Number(value & 127n) | 128);
      value >>= 7n;
      number = Number(value);
    }
    for (; number < -64 || number > 63; number = Math.floor(number / 128)) this.byte(number & 127 | 128);
    this.byte(number & 127);
  }

  /** A name: its length in bytes, then UTF-8. */
  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.unsigned(bytes.length);
    this.append(bytes);
  }
}
