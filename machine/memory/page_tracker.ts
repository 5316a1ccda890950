/** Which pages of memory changed since when, so that roots, snapshots and restores cost what changed. */
import { PageMap } from "./page_map.ts";
import { PAGE_CODE, PAGE_SIZE, type PhysicalMemory } from "./physical.ts";

const PAGE_WORDS = PAGE_SIZE / 4;

/** A set of pages of the machine's memory, by host page number. */
class PageSet {
  readonly #has: Uint8Array;
  #pages: number[] = [];

  constructor(count: number) {
    this.#has = new Uint8Array(count);
  }

  add(page: number): void {
    if (this.#has[page] !== 0) return;
    this.#has[page] = 1;
    this.#pages.push(page);
  }

  /** All of them, in the order in which they came; the set is empty afterwards. */
  take(): number[] {
    const pages = this.#pages;
    for (const page of pages) this.#has[page] = 0;
    this.#pages = [];
    return pages;
  }
}

/** Takes the marks of pages that were written, for all who want to know. */
export class PageTracker {
  /** What memory holds, but for the pages that changed since. */
  #base: PageMap = PageMap.EMPTY;
  readonly #changed: PageSet;
  readonly #unhashed: PageSet;
  readonly #written: PageSet;
  readonly #words: Int32Array<ArrayBuffer>;

  /** Must be made before any byte of memory is written, when all pages are zero. */
  constructor(private readonly memory: PhysicalMemory) {
    const count = memory.pageFlags.length;
    this.#changed = new PageSet(count);
    this.#unhashed = new PageSet(count);
    this.#written = new PageSet(count);
    this.#words = new Int32Array(memory.bytes.buffer);
  }

  #collect(): void {
    for (const { hostOffset, size } of this.memory.regions) {
      for (const page of this.memory.clearDirty(hostOffset / PAGE_SIZE, size / PAGE_SIZE)) {
        this.#changed.add(page);
        this.#unhashed.add(page);
        this.#written.add(page);
      }
    }
  }

  /** Pages that may have changed since the last call. */
  takeUnhashed(): number[] {
    this.#collect();
    return this.#unhashed.take();
  }

  /** Pages that something wrote to since the last call, or the last restore; a restore is no write. */
  takeWritten(): number[] {
    this.#collect();
    return this.#written.take();
  }

  #words4k(page: number): Int32Array {
    return this.#words.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
  }

  #holds(page: number, bytes: Uint8Array | undefined): boolean {
    const words = this.#words, first = page * PAGE_WORDS;
    if (bytes === undefined) {
      for (let at = first; at < first + PAGE_WORDS; at++) if (words[at] !== 0) return false;
      return true;
    }
    const others = new Int32Array(bytes.buffer, bytes.byteOffset, PAGE_WORDS);
    for (let at = 0; at < PAGE_WORDS; at++) if (words[first + at] !== others[at]) return false;
    return true;
  }

  /** The pages as they are now; what is as it was at the last snapshot or restore is shared with that. */
  snapshot(): PageMap {
    this.#collect();
    const changes: [number, Uint8Array | undefined][] = [];
    for (const page of this.#changed.take()) {
      if (this.#holds(page, this.#base.get(page))) continue;
      const isZero = this.#holds(page, undefined);
      changes.push([page, isZero ? undefined : new Uint8Array(this.#words4k(page).slice().buffer)]);
    }
    return this.#base = this.#base.with(changes);
  }

  /** Makes memory what a map says. Code that was decoded from pages that change is forgotten, and no other. */
  restore(pages: PageMap): void {
    this.#collect();
    this.#written.take();
    const changed = this.#changed.take();
    for (const page of changed) this.#put(page, pages.get(page));
    for (const page of pages.differing(this.#base)) this.#put(page, pages.get(page));
    this.#base = pages;
    this.memory.contentsReplaced();
  }

  #put(page: number, bytes: Uint8Array | undefined): void {
    const { memory } = this;
    if (((memory.pageFlags[page] as number) & PAGE_CODE) !== 0) {
      if (this.#holds(page, bytes)) return;
      memory.codeObserver?.written(page * PAGE_SIZE, PAGE_SIZE);
    }
    if (bytes === undefined) memory.bytes.fill(0, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    else memory.bytes.set(bytes, page * PAGE_SIZE);
    this.#unhashed.add(page);
  }
}
