/** Finds a text in the console's output, byte by byte. */

/** Looks for one byte string in a stream, with the least possible work for each byte (Knuth, Morris and Pratt). */
export class ConsoleMatcher {
  readonly #wanted: Uint8Array;
  /** For each prefix of the wanted bytes, the length of its longest proper prefix that is its suffix too. */
  readonly #fallback: Uint32Array;
  #matched = 0;

  /** Looks for the UTF-8 bytes of `text`, which must not be empty. */
  constructor(text: string) {
    this.#wanted = new TextEncoder().encode(text);
    if (this.#wanted.length === 0) throw new RangeError("Cannot look for an empty text");
    this.#fallback = new Uint32Array(this.#wanted.length + 1);
    for (let length = 1, prefix = 0; length < this.#wanted.length; length++) {
      prefix = this.#extend(prefix, this.#wanted[length]!);
      this.#fallback[length + 1] = prefix;
    }
  }

  #extend(matched: number, byte: number): number {
    while (matched > 0 && this.#wanted[matched] !== byte) matched = this.#fallback[matched]!;
    return this.#wanted[matched] === byte ? matched + 1 : 0;
  }

  /** Takes the next byte; true when it completes the text, after which a new search begins behind it. */
  push(byte: number): boolean {
    this.#matched = this.#extend(this.#matched, byte);
    if (this.#matched < this.#wanted.length) return false;
    this.#matched = 0;
    return true;
  }
}
