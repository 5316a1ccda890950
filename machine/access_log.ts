/** Accesses to devices on their way to observers: kept as numbers when they happen, delivered many at a time. */
import type { DeviceAccess } from "./events.ts";

/** The most that are gathered. */
export const ACCESS_LOG_CAPACITY = 4096;

/** Bytes of each: the instant, a float64, then index and value, 32 bits each. */
export const ACCESS_LOG_SIZE = 16;

/** Accesses in the order in which they happened. */
export class AccessLog {
  readonly #buffer = new ArrayBuffer(ACCESS_LOG_CAPACITY * ACCESS_LOG_SIZE);
  readonly #instants = new Float64Array(this.#buffer);
  readonly #numbers = new Uint32Array(this.#buffer);
  #count = 0;
  /** Accesses that are not to the register of the one before, and where they are: who polls reads the same again. */
  readonly #others: DeviceAccess[] = [];
  readonly #starts: number[] = [];
  #last: DeviceAccess | undefined;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Their numbers, ACCESS_LOG_SIZE bytes of each. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer, 0, this.#count * ACCESS_LOG_SIZE);
  }

  /** Adds one; there must be room. */
  add(access: DeviceAccess, instant: number, index: number, value: number): void {
    const count = this.#count, numbers = this.#numbers;
    if (access !== this.#last) this.#addOther(access);
    this.#instants[count * 2] = instant;
    numbers[count * 4 + 2] = index;
    numbers[count * 4 + 3] = value;
    this.#count = count + 1;
  }

  #addOther(access: DeviceAccess): void {
    this.#last = access;
    this.#others.push(access);
    this.#starts.push(this.#count);
  }

  /** Empties it. */
  clear(): void {
    this.#count = this.#others.length = this.#starts.length = 0;
    this.#last = undefined;
  }

  /** The instant of one. */
  instantOf(number: number): number {
    return this.#instants[number * 2] as number;
  }

  /** Calls for each run of accesses to one register, numbered from `first` up to `end`. */
  forEachRun(act: (access: DeviceAccess, first: number, end: number) => void): void {
    const starts = this.#starts;
    for (let run = 0; run < starts.length; run++) {
      act(this.#others[run] as DeviceAccess, starts[run] as number, starts[run + 1] ?? this.#count);
    }
  }

  /** Calls for each. */
  forEach(act: (access: DeviceAccess, instant: number, index: number, value: number) => void): void {
    const numbers = this.#numbers;
    this.forEachRun((access, first, end) => {
      for (let at = first; at < end; at++) {
        act(access, this.instantOf(at), numbers[at * 4 + 2] as number, numbers[at * 4 + 3] as number);
      }
    });
  }
}
