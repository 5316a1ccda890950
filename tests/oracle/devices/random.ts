/** A small seeded generator for device tests. */

/** xorshift32: the same numbers for the same seed, everywhere. */
export class Random {
  #state: number;

  /** `seed` is any integer; a test that fails prints it. */
  constructor(readonly seed: number) {
    this.#state = (seed ^ 0x9e37_79b9) >>> 0 || 1;
  }

  /** Unsigned 32 bits. */
  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>>= 0;
  }

  /** An integer in 0 ≤ n < limit. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** One of the values. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}
