/** Random choices for system programs, seeded. */
import { randomNumbers } from "../../machine/a64/random_words.ts";

/** A source of choices. */
export class Choices {
  readonly #next: () => number;

  /** The same seed gives the same choices. */
  constructor(seed: number) {
    this.#next = randomNumbers(seed);
  }

  /** A number from 0 to `count` − 1. */
  below(count: number): number {
    return (this.#next() >>> 4) % count;
  }

  /** True once in `count` times. */
  once(count: number): boolean {
    return this.below(count) === 0;
  }

  /** A number of so many bits. */
  bits(count: number): bigint {
    return BigInt.asUintN(count, BigInt(this.#next()) << 32n | BigInt(this.#next()));
  }

  /** One of some. */
  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }
}
