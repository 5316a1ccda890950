/** A data cache that is architecture: stores stay in it until DC cleans them; memory has what was cleaned or not cached. */
import { hex, type PhysicalAddress } from "../address.ts";
import { MachineInvariantError } from "../errors.ts";
import { bytes, listOf, record, u53 } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import { PAGE_SIZE, type PhysicalMemory } from "./physical.ts";
import {
  type DataCacheOperation,
  DIRTY,
  GEOMETRY,
  PRESENT,
  UNIFIED,
} from "./strict_data_cache_operations.ts";
import { LINE_SIZE, LINES, littleEndian, packLines, pageOf, unpackLines } from "./strict_cache_page.ts";

/** The writer of cleaned lines: no CPU, and nobody whose stores clear monitors. */
export const MAINTENANCE: number = -2;

/** Told what was seen of a cache that memory does not agree with. */
export interface DataCacheObserver {
  /** `used` was read at an address where the newest bytes are `present`. */
  staleRead(address: number, used: Uint8Array, present: Uint8Array): void;
  /** A line was cleaned over bytes that somebody else had written to memory since it was filled. */
  staleWritten(address: number, written: Uint8Array, replaced: Uint8Array): void;
}

interface Page {
  /** Flags of each line. */
  readonly flags: Uint8Array;
  /** What CPUs see. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The same. */
  readonly view: DataView;
  /** What memory had when the line was filled or last cleaned: where it differs now, somebody else wrote. */
  readonly origin: Uint8Array;
  /** What the second level has. */
  readonly unified: Uint8Array;
  /** Offset of the page in the machine's memory. */
  readonly hostOffset: number;
}

const layout = sectionLayout("strict_dcache", 1, {
  pages: listOf(
    record({
      page: u53,
      flags: bytes(LINES),
      data: bytes(PAGE_SIZE),
      origin: bytes(PAGE_SIZE),
      unified: bytes(PAGE_SIZE),
    }),
    2 ** 26,
  ),
});

/** The data caches of all CPUs, which are coherent, as one: unbounded, of two levels, write-back and write-allocate. */
export class DataCache {
  #pages = new Map<number, Page>();
  readonly #descriptor = new Uint8Array(8);
  readonly #descriptorView = new DataView(this.#descriptor.buffer);
  /** A walk since this was last cleared has read a descriptor that is not the newest. */
  staleWalk:
    | { readonly address: number; readonly used: Uint8Array; readonly present: Uint8Array }
    | undefined;

  /** The cache in front of a memory. */
  constructor(private readonly memory: PhysicalMemory, private readonly observer: DataCacheObserver) {}

  #page(number: number): Page {
    const known = this.#pages.get(number);
    if (known !== undefined) return known;
    const hostOffset = this.memory.hostOffset(number * PAGE_SIZE as PhysicalAddress, PAGE_SIZE);
    if (hostOffset < 0) {
      throw new MachineInvariantError(`Cannot cache ${hex(number * PAGE_SIZE)}: not memory`);
    }
    const data = new Uint8Array(PAGE_SIZE);
    const page: Page = {
      flags: new Uint8Array(LINES),
      data,
      view: new DataView(data.buffer),
      origin: new Uint8Array(PAGE_SIZE),
      unified: new Uint8Array(PAGE_SIZE),
      hostOffset,
    };
    this.#pages.set(number, page);
    return page;
  }

  /** Fills the lines of a range within a page that are not there. */
  #fill(page: Page, within: number, size: number): void {
    const { flags, data, origin, unified, hostOffset } = page;
    const first = Math.floor(within / LINE_SIZE), last = Math.floor((within + size - 1) / LINE_SIZE);
    for (let line = first; line <= last; line++) {
      const flag = flags[line] as number;
      if ((flag & PRESENT) !== 0) continue;
      const start = line * LINE_SIZE, end = start + LINE_SIZE;
      const memory = this.memory.bytes.subarray(hostOffset + start, hostOffset + end);
      if ((flag & UNIFIED) === 0) origin.set(memory, start);
      data.set((flag & UNIFIED) === 0 ? memory : unified.subarray(start, end), start);
      flags[line] = flag | PRESENT;
    }
  }

  /** What was last written at an offset of a page, to the cache or, by others, to memory. */
  #newest({ flags, data, origin, unified, hostOffset }: Page, within: number): number {
    const memory = this.memory.bytes[hostOffset + within] as number;
    const flag = flags[Math.floor(within / LINE_SIZE)] as number;
    if ((flag & (PRESENT | UNIFIED)) === 0 || memory !== origin[within]) return memory;
    return (flag & PRESENT) !== 0 ? data[within] as number : unified[within] as number;
  }

  /** The newest bytes of a range within a page, where they are not those given. */
  #disagreement(address: number, used: Uint8Array): Uint8Array | undefined {
    const page = this.#pages.get(Math.floor(address / PAGE_SIZE));
    if (page === undefined) return undefined;
    const within = address % PAGE_SIZE;
    let index = 0;
    while (index < used.length && used[index] === this.#newest(page, within + index)) index++;
    return index === used.length ? undefined : used.map((_, at) => this.#newest(page, within + at));
  }

  #check(address: number, used: Uint8Array): void {
    const present = this.#disagreement(address, used);
    if (present !== undefined) this.observer.staleRead(address, used.slice(), present);
  }

  /** Reads 1–16 bytes within a page by a cacheable access, as a little-endian number. */
  read(address: number, size: number): bigint {
    const within = address % PAGE_SIZE;
    const page = this.#page(Math.floor(address / PAGE_SIZE));
    this.#fill(page, within, size);
    this.#check(address, page.data.subarray(within, within + size));
    return littleEndian(page.view, within, size);
  }

  /** Writes bytes within a page by a cacheable access of a CPU. */
  write(address: number, bytes: Uint8Array, cpu: number): void {
    const [number, within] = pageOf(address);
    const page = this.#page(number);
    this.#fill(page, within, bytes.length);
    this.memory.markWritten(page.hostOffset + within, bytes.length, address as PhysicalAddress, cpu);
    page.data.set(bytes, within);
    const first = Math.floor(within / LINE_SIZE), last = Math.floor((within + bytes.length - 1) / LINE_SIZE);
    for (let line = first; line <= last; line++) page.flags[line] = (page.flags[line] as number) | DIRTY;
  }

  /** Memory is read within a page past the cache, by an uncached access or a device. */
  checkMemory(address: number, hostOffset: number, size: number): void {
    this.#check(address, this.memory.bytes.subarray(hostOffset, hostOffset + size));
  }

  /** Copies what a cacheable instruction fetch sees, within a page: the point of unification. */
  fetch(address: number, hostOffset: number, into: Uint8Array): void {
    const [number, within] = pageOf(address);
    const page = this.#pages.get(number);
    for (let index = 0; index < into.length; index++) {
      const isUnified = page !== undefined &&
        ((page.flags[Math.floor((within + index) / LINE_SIZE)] as number) & UNIFIED) !== 0;
      into[index] =
        (isUnified ? page.unified[within + index] : this.memory.bytes[hostOffset + index]) as number;
    }
  }

  /** True when some level has the line of an address. */
  holds(address: number): boolean {
    const page = this.#pages.get(Math.floor(address / PAGE_SIZE));
    const flag = page?.flags[Math.floor((address % PAGE_SIZE) / LINE_SIZE)] ?? 0;
    return (flag & (PRESENT | UNIFIED)) !== 0;
  }

  /** The newest word at an address, a multiple of 4. */
  newestWord(address: number, hostOffset: number): number {
    const word = this.memory.bytes.slice(hostOffset, hostOffset + 4);
    const newest = this.#disagreement(address, word) ?? word;
    return new DataView(newest.buffer as ArrayBuffer, newest.byteOffset).getUint32(0, true);
  }

  /** What a walk sees of a descriptor; see `MemoryCache`. Walks fill no lines. */
  descriptor(address: number, hostOffset: number, cacheable: boolean): DataView {
    const [number, within] = pageOf(address);
    const page = this.#pages.get(number);
    const flag = page?.flags[Math.floor(within / LINE_SIZE)] ?? 0;
    const memory = this.memory.bytes.subarray(hostOffset, hostOffset + 8);
    const used = !cacheable || page === undefined || (flag & (PRESENT | UNIFIED)) === 0
      ? memory
      : ((flag & PRESENT) !== 0 ? page.data : page.unified).subarray(within, within + 8);
    this.#descriptor.set(used);
    const present = this.#disagreement(address, used);
    if (present !== undefined) this.staleWalk ??= { address, used: used.slice(), present };
    return this.#descriptorView;
  }

  /** Puts what CPUs see in place of memory's bytes; any range. */
  overlay(address: number, into: Uint8Array): void {
    for (let index = 0; index < into.length; index++) {
      const [number, within] = pageOf(address + index);
      const page = this.#pages.get(number);
      const flag = page?.flags[Math.floor(within / LINE_SIZE)] ?? 0;
      if (page === undefined || (flag & (PRESENT | UNIFIED)) === 0) continue;
      into[index] = ((flag & PRESENT) !== 0 ? page.data : page.unified)[within] as number;
    }
  }

  /** Puts bytes that memory has into all lines that hold their addresses. */
  patch(address: number, patch: Uint8Array): void {
    for (const [index, byte] of patch.entries()) {
      const [number, within] = pageOf(address + index);
      const page = this.#pages.get(number);
      if (page !== undefined) page.data[within] = page.origin[within] = page.unified[within] = byte;
    }
  }

  /** Applies maintenance to the line of an address. */
  maintain(address: number, operation: DataCacheOperation): void {
    const [number, within] = pageOf(address);
    const page = this.#pages.get(number);
    if (page === undefined) return;
    const line = Math.floor(within / LINE_SIZE);
    // Whoever relies on what walks and fetches see has to look again.
    const start = address - within + line * LINE_SIZE;
    if (((page.flags[line] as number) & (PRESENT | UNIFIED)) === 0) return;
    this.memory.markWritten(
      page.hostOffset + line * LINE_SIZE,
      LINE_SIZE,
      start as PhysicalAddress,
      MAINTENANCE,
    );
    if (operation.clean === "unification") this.#cleanToUnification(page, line);
    if (operation.clean === "coherency") this.#cleanToCoherency(page, line, start);
    if (operation.clean === "second") this.#cleanSecond(page, line, start);
    page.flags[line] = (page.flags[line] as number) & ~(operation.drop);
    if (page.flags.every((flag) => flag === 0)) this.#pages.delete(number);
  }

  /** Applies maintenance to every line of a set and way of a level, 0 or 1; beyond the geometry nothing is there. */
  maintainSet(level: number, set: number, way: number, operation: DataCacheOperation): void {
    const shape = GEOMETRY[level];
    if (shape === undefined || set >= shape.sets) return;
    const pagesOfWay = shape.sets / LINES;
    for (const number of [...this.#pages.keys()]) {
      const isThere = number % pagesOfWay === Math.floor(set / LINES) &&
        Math.floor(number / pagesOfWay) % shape.ways === way;
      if (isThere) this.maintain(number * PAGE_SIZE + (set % LINES) * LINE_SIZE, operation);
    }
  }

  #cleanToUnification({ flags, data, unified }: Page, line: number): void {
    if (((flags[line] as number) & DIRTY) === 0) return;
    const start = line * LINE_SIZE;
    unified.set(data.subarray(start, start + LINE_SIZE), start);
    flags[line] = ((flags[line] as number) | UNIFIED) & ~DIRTY;
  }

  #cleanToCoherency(page: Page, line: number, address: number): void {
    this.#cleanToUnification(page, line);
    this.#cleanSecond(page, line, address);
  }

  #cleanSecond({ flags, origin, unified, hostOffset }: Page, line: number, address: number): void {
    if (((flags[line] as number) & UNIFIED) === 0) return;
    const start = line * LINE_SIZE, end = start + LINE_SIZE;
    const memory = this.memory.bytes.subarray(hostOffset + start, hostOffset + end);
    const bytes = unified.subarray(start, end);
    const isLost = memory.some((byte, index) => byte !== origin[start + index] && byte !== bytes[index]);
    if (isLost) this.observer.staleWritten(address, bytes.slice(), memory.slice());
    memory.set(bytes);
    origin.set(bytes, start);
    flags[line] = (flags[line] as number) & ~UNIFIED;
  }

  /** Loses everything, as a reset does. */
  dropAll(): void {
    this.#pages.clear();
  }

  /** The section of this name. */
  save(name: string): Section {
    const pages = [...this.#pages].sort(([a], [b]) => a - b).map((
      [page, { flags, data, origin, unified }],
    ) => ({
      page,
      flags: flags.slice(),
      data: packLines(data, (line) => ((flags[line] as number) & PRESENT) !== 0),
      origin: packLines(origin, (line) => flags[line] !== 0),
      unified: packLines(unified, (line) => ((flags[line] as number) & UNIFIED) !== 0),
    }));
    return layout.encode(name, { pages });
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    this.#pages.clear();
    for (const { page: number, flags, data, origin, unified } of layout.decode(section).pages) {
      const page = this.#page(number);
      page.flags.set(flags);
      unpackLines(page.data, data, (line) => ((flags[line] as number) & PRESENT) !== 0);
      unpackLines(page.origin, origin, (line) => flags[line] !== 0);
      unpackLines(page.unified, unified, (line) => ((flags[line] as number) & UNIFIED) !== 0);
    }
  }
}
