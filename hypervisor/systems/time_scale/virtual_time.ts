/** The time of a virtual machine: a scaled counter on that of its host, which a migration may replace (state and changes of it). */
import { record, u64, type ValueOf } from "../../../machine/layout.ts";
import { CLOCK_FIELDS, GuestClock } from "./guest_clock.ts";
import { multiplierOf, type Scale, scaleProblem } from "./scale.ts";

/** Counts per second of the machine's counter, and so of the guest's, whatever its scale (CNTFRQ_EL0). */
export const FREQUENCY = 62_500_000n;

/** Virtual time ends before this count of the machine's counter. */
const LAST_COUNT = 1n << 49n;
const COUNTER_END = 1n << 64n;

/** Section fields. */
export const TIME_FIELDS = {
  host: record(CLOCK_FIELDS),
  guest: record(CLOCK_FIELDS),
  hostFrequency: u64,
  numerator: u64,
  denominator: u64,
} as const;

/** State of a virtual machine's time. */
export type TimeState = ValueOf<typeof TIME_FIELDS>;

/**
 * The guest's counter by the machine's. The machine's counter is that of the host, unless the guest was moved to a
 * host of another CNTFRQ: then `#host` says what that one's counter has, in its own counts.
 */
export class VirtualTime {
  readonly #host = new GuestClock();
  readonly #guest = new GuestClock();
  #hostFrequency = FREQUENCY;
  #scale: Scale = { numerator: 1, denominator: 1 };

  /** Power-on: count 0 of the machine is `epoch` of the guest. */
  reset(epoch: bigint, scale: Scale): void {
    this.#hostFrequency = FREQUENCY;
    this.#scale = scale;
    this.#host.reset(0n, 0n, multiplierOf(1n, 1n));
    this.#guest.reset(0n, epoch, this.#multiplier(scale));
  }

  /** Guest counts per count of the host, in units of 2^-SHIFT. */
  #multiplier({ numerator, denominator }: Scale): bigint {
    return multiplierOf(BigInt(numerator) * FREQUENCY, BigInt(denominator) * this.#hostFrequency);
  }

  /** The guest's counter at a count of the machine's. */
  at(count: bigint): bigint {
    return this.#guest.at(this.#host.at(count));
  }

  /** The first count of the machine's at which the guest's is not below `value`; undefined for never. */
  firstReaching(value: bigint): bigint | undefined {
    const hosts = this.#guest.firstReaching(value);
    return hosts === undefined ? undefined : this.#host.firstReaching(hosts);
  }

  /** The scale that was set last; a clock that stands still keeps it. */
  get scale(): Scale {
    return this.#scale;
  }

  /** Why another scale cannot be taken at a count, or undefined. */
  problem(count: bigint, scale: Scale, ahead: bigint): string | undefined {
    const problem = scaleProblem(scale);
    if (problem !== undefined) return problem;
    const { numerator, denominator } = scale;
    const left = (LAST_COUNT - count) * BigInt(numerator) / BigInt(denominator);
    return this.at(count) + ahead + left < COUNTER_END
      ? undefined
      : `the guest's counter would overflow at ${numerator}/${denominator} before virtual time ends`;
  }

  /** From a count on runs at another scale, from where it is. */
  setScale(count: bigint, scale: Scale): void {
    this.#scale = scale;
    this.#guest.rebase(this.#host.at(count), this.#multiplier(scale));
  }

  /** Stands still from a count on. */
  freeze(count: bigint): void {
    this.#guest.rebase(this.#host.at(count), 0n);
  }

  /** Goes over to another scale within `duration` counts of the machine. */
  ramp(count: bigint, scale: Scale, duration: bigint): void {
    this.#scale = scale;
    const start = this.#host.at(count), end = this.#host.at(count + duration);
    this.#guest.ramp(start, this.#multiplier(scale), end > start ? end - start : 1n);
  }

  /** Goes on, from a count, on a host whose counter has another frequency (Hz) and was started with the machine's. */
  migrate(count: bigint, frequency: bigint): void {
    const value = this.at(count);
    const hosts = count * frequency / FREQUENCY;
    this.#hostFrequency = frequency;
    this.#host.reset(count, hosts, multiplierOf(frequency, FREQUENCY));
    this.#guest.reset(hosts, value, this.#multiplier(this.#scale));
  }

  /** Everything. */
  get state(): TimeState {
    return {
      host: this.#host.state,
      guest: this.#guest.state,
      hostFrequency: this.#hostFrequency,
      numerator: BigInt(this.#scale.numerator),
      denominator: BigInt(this.#scale.denominator),
    };
  }

  set state({ host, guest, hostFrequency, numerator, denominator }: TimeState) {
    this.#host.state = host;
    this.#guest.state = guest;
    this.#hostFrequency = hostFrequency;
    this.#scale = { numerator: Number(numerator), denominator: Number(denominator) };
  }
}
