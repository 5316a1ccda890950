/** Seeded choices for the law's generator. */
import { randomNumbers } from "../machine/a64/random_words.ts";

/** Choices that follow from a seed alone. */
export class Choices {
  readonly #next: () => number;

  /** Equal seeds choose equally. */
  constructor(seed: number) {
    this.#next = randomNumbers(Math.imul(seed, 0x9e37_79b2));
    for (let discarded = 0; discarded < 8; discarded++) this.#next();
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.#next() / 2 ** 32 * limit);
  }

  /** An integer of an interval, both ends included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of a list. */
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** 32 random bits. */
  word(): number {
    return this.#next();
  }

  /** A row of a table by its weight, the first element. */
  weighted<T extends readonly [number, ...unknown[]]>(table: readonly T[]): T {
    let left = this.below(table.reduce((sum, [weight]) => sum + weight, 0));
    return table.find(([weight]) => (left -= weight) < 0) as T;
  }
}
