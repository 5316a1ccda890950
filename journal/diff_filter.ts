/** Which differences are told: filters by kind, class, device and region. What they hide is counted, never forgotten. */
import { classOf, EVENT_KIND_NAMES, type MachineEvent } from "../machine/events.ts";
import type { AlignedEvents } from "./diff_align.ts";
import { DIFFERENCE_CLASSES, type DifferenceClass } from "./diff_kinds.ts";
import { ALL_CLASSES } from "./event_stream.ts";

/** Addresses from the first up to, not including, the second. */
export type IgnoredRange = readonly [from: bigint, to: bigint];

/** What to hide. Words are classes of difference, classes of event, kinds of event, and names of devices. */
export interface DiffFilterOptions {
  /** Differences of these are hidden. */
  readonly ignore?: readonly string[];
  /** All but differences of these are hidden. */
  readonly only?: readonly string[];
  /** Differences of events about these addresses are hidden. */
  readonly ignoreAddresses?: readonly IgnoredRange[];
}

/** The words that any run's filters may have, beside names of devices. */
export const FILTER_WORDS: readonly string[] = [
  ...DIFFERENCE_CLASSES.filter((name) => name !== "same"),
  ...ALL_CLASSES,
  ...EVENT_KIND_NAMES,
];

/** Fields that are addresses, physical or virtual as they stand in the event. */
const ADDRESS_FIELDS = ["address", "faultAddress", "faultIpa", "returnAddress", "entry", "pc"];

function wordsOf(event: MachineEvent): string[] {
  const device = (event as { device?: string }).device;
  return [event.kind, classOf(event.kind), ...device === undefined ? [] : [device]];
}

function addressesOf(event: MachineEvent): bigint[] {
  const fields = event as unknown as Record<string, number | bigint | undefined>;
  return ADDRESS_FIELDS.flatMap((name) => {
    const value = fields[name];
    return value === undefined || value === 0n ? [] : [BigInt(value)];
  });
}

/** Decides for one difference after another. */
export class DiffFilter {
  readonly #ignore: ReadonlySet<string>;
  readonly #only: ReadonlySet<string>;
  readonly #ranges: readonly IgnoredRange[];

  /** Hides nothing by default. */
  constructor({ ignore = [], only = [], ignoreAddresses = [] }: DiffFilterOptions = {}) {
    this.#ignore = new Set(ignore);
    this.#only = new Set(only);
    this.#ranges = ignoreAddresses;
  }

  /** Whether it hides anything at all. */
  get isOn(): boolean {
    return this.#ignore.size + this.#only.size + this.#ranges.length > 0;
  }

  /** Whether a difference is hidden. */
  hides({ left, right }: AlignedEvents, difference: DifferenceClass): boolean {
    if (!this.isOn) return false;
    const events = [left, right].filter((event) => event !== undefined);
    const words = [difference, ...events.flatMap(wordsOf)];
    if (words.some((word) => this.#ignore.has(word))) return true;
    if (this.#only.size > 0 && !words.some((word) => this.#only.has(word))) return true;
    const isInside = (address: bigint): boolean =>
      this.#ranges.some(([from, to]) => address >= from && address < to);
    return this.#ranges.length > 0 && events.some((event) => addressesOf(event).some(isInside));
  }
}
