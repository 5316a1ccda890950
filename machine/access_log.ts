/** Accesses to devices on their way to observers: kept as numbers when they happen, delivered many at a time. */
import type { DeviceAccess } from "./events.ts";

/** The most that are gathered. */
export const ACCESS_LOG_CAPACITY = 4096;

/** Numbers of each: the low half of the instant, the high half, the index and the value. */
export const ACCESS_LOG_WORDS = 4;

const TWO_32 = 0x1_0000_0000;

/** Accesses in the order in which they happened. */
export class AccessLog {
  /** How many there are. */
  count = 0;
  /** What accesses to their registers have in common. */
  readonly accesses: DeviceAccess[] = new Array(ACCESS_LOG_CAPACITY);
  /** The rest, ACCESS_LOG_WORDS of each. */
  readonly numbers: Uint32Array<ArrayBuffer> = new Uint32Array(ACCESS_LOG_CAPACITY * ACCESS_LOG_WORDS);

  /** Adds one; there must be room. */
  add(access: DeviceAccess, instant: number, index: number, value: number): void {
    const { count, numbers } = this, at = count * ACCESS_LOG_WORDS;
    this.accesses[count] = access;
    numbers[at] = instant;
    numbers[at + 1] = instant / TWO_32;
    numbers[at + 2] = index;
    numbers[at + 3] = value;
    this.count = count + 1;
  }

  /** The instant of one. */
  instantOf(number: number): number {
    const { numbers } = this, at = number * ACCESS_LOG_WORDS;
    return (numbers[at] as number) + (numbers[at + 1] as number) * TWO_32;
  }

  /** Calls for each. */
  forEach(act: (access: DeviceAccess, instant: number, index: number, value: number) => void): void {
    const { count, numbers } = this;
    for (let number = 0; number < count; number++) {
      const at = number * ACCESS_LOG_WORDS;
      act(
        this.accesses[number] as DeviceAccess,
        this.instantOf(number),
        numbers[at + 2] as number,
        numbers[at + 3] as number,
      );
    }
  }
}
