/** What a backward slice still looks for: registers by place, memory by byte. */
import { isToldByEvents, type Location } from "./slice_location.ts";

/** What a value is to whoever uses it. */
export type Role = "value" | "address" | "control";

/** A step, or what a slice began with, that wants to know where a value came from. */
export interface Need<Consumer> {
  /** Who wants it. */
  readonly consumer: Consumer;
  /** What it is to them. */
  readonly role: Role;
  /** What it was there: the value read, as far as it is known. */
  readonly value: bigint | undefined;
  /** When it was asked for, in relation to others; `Needs` says so. */
  readonly order?: number;
}

/** Bytes of memory that somebody wants to know of. */
export interface MemoryNeed<Consumer> extends Need<Consumer> {
  /** Physical address. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** 1 for bytes not found yet. */
  readonly open: Uint8Array;
  /** How many of them. */
  left: number;
}

/** Bytes found: a part of a need. */
export interface Found<Consumer> {
  readonly need: MemoryNeed<Consumer>;
  readonly address: number;
  readonly size: number;
}

/** Bytes that share an entry of the index of memory. */
const GRANULE = 64;

/** All that is looked for at one point of the way back. */
export class Needs<Consumer> {
  readonly #places: Uint8Array;
  readonly #registers = new Map<Location, Need<Consumer>[]>();
  readonly #memory = new Map<number, MemoryNeed<Consumer>[]>();
  readonly #all = new Set<MemoryNeed<Consumer>>();
  /** Registers looked for. */
  registerCount = 0;
  /** Those of them whose writes are all events (see `isToldByEvents`). */
  toldCount = 0;
  #order = 1;

  /** Places are below `locations`. */
  constructor(locations: number) {
    this.#places = new Uint8Array(locations);
  }

  /** Ranges of memory looked for. */
  get memory(): ReadonlySet<MemoryNeed<Consumer>> {
    return this.#all;
  }

  /** Whether nothing is looked for. */
  get isEmpty(): boolean {
    return this.registerCount === 0 && this.#all.size === 0;
  }

  /** Whether a place is looked for; quick. */
  has(location: Location): boolean {
    return this.#places[location] === 1;
  }

  /** Looks for a place. */
  add(location: Location, wanted: Need<Consumer>): void {
    const need = { ...wanted, order: this.#order++ };
    const known = this.#registers.get(location);
    if (known !== undefined) {
      // One step wants a value once, whatever for.
      if (!known.some(({ consumer, role }) => consumer === need.consumer && role === need.role)) {
        known.push(need);
      }
      return;
    }
    this.#registers.set(location, [need]);
    this.#places[location] = 1;
    this.registerCount++;
    if (isToldByEvents(location)) this.toldCount++;
  }

  /** Takes those who look for a place. */
  take(location: Location): readonly Need<Consumer>[] {
    const found = this.#registers.get(location) ?? [];
    if (this.#registers.delete(location)) {
      this.registerCount--;
      if (isToldByEvents(location)) this.toldCount--;
    }
    this.#places[location] = 0;
    return found;
  }

  /** All places looked for. */
  locations(): Location[] {
    return [...this.#registers.keys()];
  }

  /** Looks for bytes of memory. */
  addMemory(address: number, size: number, need: Need<Consumer>): void {
    const whole = {
      ...need,
      order: this.#order++,
      address,
      size,
      open: new Uint8Array(size).fill(1),
      left: size,
    };
    this.#all.add(whole);
    for (let at = Math.floor(address / GRANULE); at * GRANULE < address + size; at++) {
      const known = this.#memory.get(at);
      if (known === undefined) this.#memory.set(at, [whole]);
      else known.push(whole);
    }
  }

  /** Takes those of a range of bytes that are looked for: the longest pieces of each need. */
  takeMemory(address: number, size: number): Found<Consumer>[] {
    const found: Found<Consumer>[] = [];
    if (this.#all.size === 0) return found;
    for (let at = Math.floor(address / GRANULE); at * GRANULE < address + size; at++) {
      const known = this.#memory.get(at);
      if (known === undefined) continue;
      for (const need of known) found.push(...this.#close(need, address, address + size));
      const rest = known.filter(({ left }) => left > 0);
      if (rest.length === 0) this.#memory.delete(at);
      else if (rest.length < known.length) this.#memory.set(at, rest);
    }
    return found;
  }

  *#close(need: MemoryNeed<Consumer>, from: number, to: number): Generator<Found<Consumer>> {
    const last = Math.min(to, need.address + need.size);
    for (let at = Math.max(from, need.address); at < last;) {
      if (need.open[at - need.address] === 0) {
        at++;
        continue;
      }
      const start = at;
      for (; at < last && need.open[at - need.address] === 1; at++) need.open[at - need.address] = 0;
      need.left -= at - start;
      if (need.left === 0) this.#all.delete(need);
      yield { need, address: start, size: at - start };
    }
  }
}
