/** Which entries of a table of translations came from a descriptor, so that a write to it need not look at all of them. */

/** Lists, by the place of a descriptor; a power of two. */
const LISTS = 1 << 14;
/** Counts, by the page of a descriptor; a power of two. */
const PAGES = 1 << 12;

/** Entries by the offset in the machine's memory of the descriptor that each came from. */
export class DescriptorIndex {
  /** First entry of each list, plus one; 0 is none. */
  readonly #first = new Uint16Array(LISTS);
  /** The entry after an entry, plus one. */
  readonly #next: Uint16Array<ArrayBuffer>;
  /** Descriptor of each entry; −1 for one that is in no list. */
  readonly #descriptor: Float64Array<ArrayBuffer>;
  readonly #inPage = new Uint16Array(PAGES);

  /** For `entries` entries, fewer than 65,536. */
  constructor(entries: number) {
    this.#next = new Uint16Array(entries);
    this.#descriptor = new Float64Array(entries).fill(-1);
  }

  /** The descriptor of an entry, or −1. */
  descriptorOf(entry: number): number {
    return this.#descriptor[entry] as number;
  }

  /** An entry comes from a descriptor now; −1 is none. */
  set(entry: number, descriptor: number): void {
    if (this.#descriptor[entry] === descriptor) return;
    this.remove(entry);
    if (descriptor < 0) return;
    const list = descriptor / 8 & LISTS - 1, page = descriptor / 4096 & PAGES - 1;
    this.#descriptor[entry] = descriptor;
    this.#next[entry] = this.#first[list] as number;
    this.#first[list] = entry + 1;
    this.#inPage[page] = (this.#inPage[page] as number) + 1;
  }

  /** An entry comes from nothing any more. */
  remove(entry: number): void {
    const descriptor = this.#descriptor[entry] as number;
    if (descriptor < 0) return;
    const list = descriptor / 8 & LISTS - 1, page = descriptor / 4096 & PAGES - 1;
    this.#descriptor[entry] = -1;
    this.#inPage[page] = (this.#inPage[page] as number) - 1;
    const after = this.#next[entry] as number;
    let at = this.#first[list] as number;
    if (at === entry + 1) {
      this.#first[list] = after;
      return;
    }
    while (this.#next[at - 1] !== entry + 1) at = this.#next[at - 1] as number;
    this.#next[at - 1] = after;
  }

  /** An entry that comes from a descriptor at an offset from `first` up to `end`, or −1. */
  find(first: number, end: number): number {
    if (end - first > LISTS) return this.#descriptor.findIndex((from) => from >= first && from < end);
    for (let place = first - first % 8; place < end; place += 8) {
      let at = this.#first[place / 8 & LISTS - 1] as number;
      for (; at !== 0; at = this.#next[at - 1] as number) {
        const from = this.#descriptor[at - 1] as number;
        if (from >= first && from < end) return at - 1;
      }
    }
    return -1;
  }

  /** False when no entry comes from a descriptor in a page; offsets are those of its first byte. */
  mayUse(page: number): boolean {
    return this.#inPage[page / 4096 & PAGES - 1] !== 0;
  }

  /** No entry comes from anything. */
  clear(): void {
    this.#first.fill(0);
    this.#descriptor.fill(-1);
    this.#inPage.fill(0);
  }
}
