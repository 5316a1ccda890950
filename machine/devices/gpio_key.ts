/** A button on a line of a GPIO: pressed by an operator, it comes up by itself. */
import type { Alarm, Clock } from "../clock.ts";

/** How long a key is down, in nanoseconds of virtual time (QEMU 7.2, gpio-key: 100 ms). */
export const KEY_DOWN_NANOSECONDS = 100_000_000;

/** A key; whether it is down is known by its alarm alone. */
export class GpioKey {
  readonly #clock: Clock;
  readonly #drive: (level: boolean) => void;
  readonly #release: Alarm;

  /** `drive` takes the line's level; `name` is the alarm's. */
  constructor(name: string, clock: Clock, drive: (level: boolean) => void) {
    this.#clock = clock;
    this.#drive = drive;
    this.#release = clock.alarm(name, () => drive(false));
  }

  /** Presses the key; one that is down stays down for as long again. */
  press(): void {
    this.#drive(true);
    this.#release.set(this.#clock.now + KEY_DOWN_NANOSECONDS);
  }

  /** Power-on state: up. */
  reset(): void {
    this.#release.clear();
  }
}
