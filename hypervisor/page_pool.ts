/** Pages of memory that guests cannot reach: what a monitor makes its translation tables of. */
import { hex, type PhysicalAddress } from "../machine/address.ts";
import { MachineInvariantError } from "../machine/errors.ts";
import { bytes, u53 } from "../machine/layout.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import { type Section, sectionLayout } from "../machine/snapshot.ts";

/** Pages of the largest pool: one bit each, of a 3 GiB machine. */
const MOST_PAGES = 2 ** 20;

const layout = sectionLayout("page_pool", 1, { base: u53, taken: bytes(MOST_PAGES / 8) });

/** Hands out pages of one range, the lowest free one first; which are taken is state. */
export class PagePool {
  readonly #taken: Uint8Array;
  /** All pages below this one are taken. */
  #lowest = 0;

  /** `base` and `size` in bytes, multiples of PAGE_SIZE; throws RangeError when they are not. */
  constructor(readonly base: PhysicalAddress, readonly size: number) {
    const pages = size / PAGE_SIZE;
    if (base % PAGE_SIZE !== 0 || !Number.isInteger(pages) || pages < 1 || pages > MOST_PAGES) {
      throw new RangeError(`Cannot make a pool of ${size} bytes at ${hex(base)}: not 1 to 2^20 whole pages`);
    }
    this.#taken = new Uint8Array(Math.ceil(pages / 8));
  }

  #isTaken(page: number): boolean {
    return ((this.#taken[page >>> 3] as number) >>> (page & 7) & 1) === 1;
  }

  #set(page: number, taken: boolean): void {
    const bit = 1 << (page & 7), byte = this.#taken[page >>> 3] as number;
    this.#taken[page >>> 3] = taken ? byte | bit : byte & ~bit;
  }

  /** Pages that are free. */
  get free(): number {
    let free = 0;
    for (let page = 0; page < this.size / PAGE_SIZE; page++) if (!this.#isTaken(page)) free++;
    return free;
  }

  /**
   * Takes `count` neighbouring pages, the first at a multiple of their size (`count` is a power of two); what they hold
   * is not changed. Throws MachineInvariantError when there are none: a pool is made large enough for its use.
   */
  take(count = 1): PhysicalAddress {
    const pages = this.size / PAGE_SIZE,
      isFirst = (page: number) => (this.base / PAGE_SIZE + page) % count === 0;
    for (let page = this.#lowest; page + count <= pages; page++) {
      if (
        !isFirst(page) || Array.from({ length: count }, (_, at) => page + at).some((at) => this.#isTaken(at))
      ) {
        continue;
      }
      for (let at = page; at < page + count; at++) this.#set(at, true);
      while (this.#lowest < pages && this.#isTaken(this.#lowest)) this.#lowest++;
      return (this.base + page * PAGE_SIZE) as PhysicalAddress;
    }
    throw new MachineInvariantError(
      `Cannot take ${count} pages of the monitor's pool at ${hex(this.base)}: all are taken`,
    );
  }

  /** Gives a page back; throws RangeError for one that is not taken from here. */
  give(page: PhysicalAddress): void {
    const number = (page - this.base) / PAGE_SIZE;
    if (
      !Number.isInteger(number) || number < 0 || number >= this.size / PAGE_SIZE || !this.#isTaken(number)
    ) {
      throw new RangeError(
        `Cannot give back ${hex(page)}: not a page taken from the pool at ${hex(this.base)}`,
      );
    }
    this.#set(number, false);
    this.#lowest = Math.min(this.#lowest, number);
  }

  /** All pages are free. */
  reset(): void {
    this.#taken.fill(0);
    this.#lowest = 0;
  }

  /** The section of this name. */
  save(name: string): Section {
    return layout.encode(name, { base: this.base, taken: this.#taken.slice() });
  }

  /** Restores what `save` gave; throws RangeError for that of another pool. */
  restore(section: Section): void {
    const { base, taken } = layout.decode(section);
    if (base !== this.base || taken.length !== this.#taken.length) {
      throw new RangeError(`Cannot restore section "${section.name}": it is of a pool at ${hex(base)}`);
    }
    this.#taken.set(taken);
    this.#lowest = 0;
  }
}
