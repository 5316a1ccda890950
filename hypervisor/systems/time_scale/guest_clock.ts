/** A counter that runs at a rate of its own: g(t) = base + ((t − t0) · mult ≫ shift), exactly, in pieces that only go on. */
import { listOf, record, u64, type ValueOf } from "../../../machine/layout.ts";
import { ONE, SHIFT } from "./scale.ts";

/** Pieces of a ramp. */
export const RAMP_PIECES = 64;

/** One piece: from count `start` on the counter has `base` and moves by `mult` for each count, in units of 2^-SHIFT. */
interface Piece {
  readonly start: bigint;
  readonly base: bigint;
  readonly mult: bigint;
}

/** Section fields of a clock. */
export const CLOCK_FIELDS = {
  pieces: listOf(record({ start: u64, whole: u64, fraction: u64, mult: u64 }), RAMP_PIECES + 1),
} as const;

/** State of a clock. */
export type ClockState = ValueOf<typeof CLOCK_FIELDS>;

const UNIT_MASK = ONE - 1n;

/** Never decreases: every piece begins where the one before ends. Its products have less than 128 bits. */
export class GuestClock {
  #pieces: readonly Piece[] = [{ start: 0n, base: 0n, mult: ONE }];

  #pieceAt(count: bigint): Piece {
    const { length } = this.#pieces;
    let index = length - 1;
    while (index > 0 && (this.#pieces[index] as Piece).start > count) index--;
    return this.#pieces[index] as Piece;
  }

  #exactAt(count: bigint): bigint {
    const { start, base, mult } = this.#pieceAt(count);
    return base + (count - start) * mult;
  }

  /** The counter at a count of the machine's, which must not be before the first piece. */
  at(count: bigint): bigint {
    return this.#exactAt(count) >> SHIFT;
  }

  /** The multiplier at a count. */
  multiplierAt(count: bigint): bigint {
    return this.#pieceAt(count).mult;
  }

  /** The first count from the first piece on at which the counter is not below `value`: ⌈g⁻¹⌉; undefined for never. */
  firstReaching(value: bigint): bigint | undefined {
    const wanted = value << SHIFT;
    for (const [index, { start, base, mult }] of this.#pieces.entries()) {
      if (base >= wanted) return start;
      if (mult === 0n) continue;
      const count = start + (wanted - base + mult - 1n) / mult;
      const next = this.#pieces[index + 1];
      if (next === undefined || count <= next.start) return count;
    }
    return undefined;
  }

  /** From `count` on runs with another multiplier, 0n to stand still, from where it is. */
  rebase(count: bigint, mult: bigint): void {
    this.#pieces = [{ start: count, base: this.#exactAt(count), mult }];
  }

  /** From `count` on changes its multiplier in equal steps, so that it is `mult` after `duration` counts (1 or more). */
  ramp(count: bigint, mult: bigint, duration: bigint): void {
    const from = this.multiplierAt(count), steps = BigInt(RAMP_PIECES);
    const pieces: Piece[] = [];
    let base = this.#exactAt(count);
    for (let step = 0n; step < steps; step++) {
      const start = count + duration * step / steps, end = count + duration * (step + 1n) / steps;
      const own = from + (mult - from) * (2n * step + 1n) / (2n * steps);
      pieces.push({ start, base, mult: own });
      base += (end - start) * own;
    }
    this.#pieces = [...pieces, { start: count + duration, base, mult }];
  }

  /** Begins anew: at `count` it has `value`. */
  reset(count: bigint, value: bigint, mult: bigint): void {
    this.#pieces = [{ start: count, base: value << SHIFT, mult }];
  }

  /** Everything. */
  get state(): ClockState {
    return {
      pieces: this.#pieces.map(({ start, base, mult }) => ({
        start,
        whole: base >> SHIFT,
        fraction: base & UNIT_MASK,
        mult,
      })),
    };
  }

  set state({ pieces }: ClockState) {
    if (pieces.length === 0) throw new RangeError("Cannot restore a clock: it has no pieces");
    this.#pieces = pieces.map(({ start, whole, fraction, mult }) => ({
      start,
      base: whole << SHIFT | fraction,
      mult,
    }));
  }
}
