/** The two EL1 timers of a virtual CPU on a counter of its own (Arm ARM D11.2.4), behind one timer of EL2. */
import { flag, record, u64, u8, type ValueOf } from "../../../machine/layout.ts";

/** The timers, and their bits in what is asked about both. */
export const TIMERS = ["physical", "virtual"] as const;

/** Name of an EL1 timer. */
export type TimerName = (typeof TIMERS)[number];

/** Section fields of the timers of one virtual CPU; control is ENABLE and IMASK. */
export const TIMER_FIELDS = {
  physical: record({ control: u8, compareValue: u64, level: flag }),
  virtual: record({ control: u8, compareValue: u64, level: flag }),
} as const;

/** State of the timers of one virtual CPU. */
export type TimerState = ValueOf<typeof TIMER_FIELDS>;

const ENABLE = 1, IMASK = 2, ISTATUS = 4;

/** One timer, given the counter it looks at with each question. */
export class EmulatedTimer {
  #control = 0;
  #compareValue = 0n;
  /** The level that its interrupt was driven to last. */
  level = false;

  /** CTL: ENABLE, IMASK, and ISTATUS in guest time, 0 while the timer is disabled. */
  control(count: bigint): bigint {
    return BigInt(this.#control | (this.#control & ENABLE && this.#isMet(count) ? ISTATUS : 0));
  }

  /** Writes CTL. */
  writeControl(value: bigint): void {
    this.#control = Number(value & BigInt(ENABLE | IMASK));
  }

  /** CVAL. */
  get compareValue(): bigint {
    return this.#compareValue;
  }
  set compareValue(value: bigint) {
    this.#compareValue = BigInt.asUintN(64, value);
  }

  /** TVAL: the low 32 bits of compare value less count. */
  timerValue(count: bigint): bigint {
    return BigInt.asUintN(32, this.#compareValue - count);
  }

  /** Writes TVAL: the compare value becomes the count plus 32 bits, signed. */
  writeTimerValue(count: bigint, value: bigint): void {
    this.compareValue = count + BigInt.asIntN(32, value);
  }

  /** The timer condition: unsigned 64-bit values. */
  #isMet(count: bigint): boolean {
    return count >= this.#compareValue;
  }

  /** What its interrupt should be. */
  isDue(count: bigint): boolean {
    return (this.#control & (ENABLE | IMASK)) === ENABLE && this.#isMet(count);
  }

  /** The count at which it will ask for an interrupt by itself; undefined when it does now or will not. */
  awaited(count: bigint): bigint | undefined {
    const isArmed = (this.#control & (ENABLE | IMASK)) === ENABLE;
    return isArmed && !this.#isMet(count) ? this.#compareValue : undefined;
  }

  /** Disabled, with nothing to compare. */
  reset(): void {
    this.state = { control: 0, compareValue: 0n, level: false };
  }

  /** Everything. */
  get state(): TimerState[TimerName] {
    return { control: this.#control, compareValue: this.#compareValue, level: this.level };
  }

  set state({ control, compareValue, level }: TimerState[TimerName]) {
    this.#control = control;
    this.#compareValue = compareValue;
    this.level = level;
  }
}
