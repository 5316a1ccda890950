/** Tab stops. */
import { MOST_COLUMNS } from "./grid.ts";

function usual(columns: number): number[] {
  return Array.from({ length: Math.ceil(columns / 8) }, (_, index) => index * 8);
}

/** The tab stops of a screen: every eighth column, or others. */
export class TabStops {
  #columns: Set<number>;

  /** The usual ones. */
  constructor(columns: number) {
    this.#columns = new Set(usual(columns));
  }

  /** The usual ones again. */
  reset(columns: number): void {
    this.#columns = new Set(usual(columns));
  }

  /** The usual ones in columns that come to those before. */
  widen(before: number, columns: number): void {
    for (const x of usual(columns)) if (x >= before) this.#columns.add(x);
  }

  /** Sets one. */
  set(x: number): void {
    this.#columns.add(x);
  }

  /** Clears one. */
  clear(x: number): void {
    this.#columns.delete(x);
  }

  /** Clears all. */
  clearAll(): void {
    this.#columns.clear();
  }

  /** The column so many tabs on, the last at most, or back for a negative count. */
  from(start: number, count: number, columns: number): number {
    const step = Math.sign(count);
    let x = start;
    for (let left = Math.abs(count); left > 0; left--) {
      do x += step; while (x > 0 && x < columns - 1 && !this.#columns.has(x));
      x = Math.max(0, Math.min(columns - 1, x));
    }
    return x;
  }

  /** In their order. */
  save(): number[] {
    return [...this.#columns].sort((a, b) => a - b);
  }

  /** Restores what `save` gave. */
  restore(columns: readonly number[]): void {
    this.#columns = new Set(columns.filter((x) => x < MOST_COLUMNS));
  }
}
