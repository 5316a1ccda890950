/** Slices of a run: as many steps at once as take about as long as a key may wait. */

/** Milliseconds that a slice is to take. */
const AIM = 25;
/** Steps of the first slice, of the shortest and of the longest. */
const STEPS = { first: 1 << 18, least: 1 << 8, most: 1 << 26 };

/** How many steps the next slice has; by host time, so that it changes no result. */
export class Slices {
  #steps = STEPS.first;

  /** `now` gives milliseconds of host time. */
  constructor(private readonly now: () => number) {}

  /** Steps of the next slice. */
  get steps(): number {
    return this.#steps;
  }

  /** Carries out a slice, and makes the next as long as fits. */
  measure<T>(slice: () => T): T {
    const started = this.now();
    const result = slice();
    const factor = Math.min(2, Math.max(0.125, AIM / Math.max(this.now() - started, 0.01)));
    this.#steps = Math.min(STEPS.most, Math.max(STEPS.least, Math.floor(this.#steps * factor)));
    return result;
  }
}
