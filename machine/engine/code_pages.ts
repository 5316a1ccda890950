/** Decoded code: pages of records in the machine's memory, one record for each word, made when it is first executed. */
import { PAGE_CODE, PAGE_SIZE, type PhysicalMemory } from "../memory/physical.ts";
import { SIDE, SIDE_SIZE } from "./compiled_layout.ts";
import type { RecordImage } from "./record_image.ts";

/** Bytes of a record. */
export const RECORD_SIZE = 32;
/** Byte offsets within a record: handler number, five registers' offsets, a narrow constant, two wide ones. */
export const RECORD = { handler: 0, registers: 2, narrow: 12, wide0: 16, wide1: 24 } as const;
/** Instructions of a page. */
export const PAGE_WORDS: number = PAGE_SIZE / 4;
/** Bytes of a page of records: its last record leads to the next page; the rest keeps pages off each other's cache sets. */
export const RECORDS_SIZE: number = (PAGE_WORDS + 1) * RECORD_SIZE + 32;

/** Handlers that every module has, by number; those of shapes follow. */
export const HANDLER = { undecoded: 0, evaluated: 1, awaited: 2, pageEnd: 3, compiled: 4, first: 5 } as const;

/** Bytes beside a page's records: one SIDE for each. */
const SIDES_SIZE = RECORDS_SIZE / RECORD_SIZE * SIDE_SIZE;
/** In the SIDE of the last record: index of the page's region in the table of functions, and steps until it is hot. */
export const PAGE_SIDE = { region: PAGE_WORDS * SIDE_SIZE, heat: PAGE_WORDS * SIDE_SIZE + 4 } as const;

/** Writes to a page's words after which it counts as data again. */
const WRITES_ALLOWED = 64;

/** The records of one page of code, seen at one virtual address. */
export interface CodePage {
  /** Offset of its records in the machine's memory. */
  readonly base: number;
  /** Offset of its code in the machine's memory. */
  readonly hostPage: number;
  /** Its virtual address. */
  readonly address: bigint;
  /** It is guarded there (FEAT_BTI). */
  readonly guarded: boolean;
}

/** All pages of records of a machine. */
export class CodePages {
  /** Offset of the first page's records. */
  readonly arena: number;
  /** Offset of the SIDE of the first record; those of others follow at SIDE_SIZE / RECORD_SIZE of the distance. */
  readonly sides: number;
  readonly #capacity: number;
  /** Called when words of a page have to be decoded again: its region must not be called any more. */
  changed: (page: CodePage) => void = () => {};
  #pages: CodePage[] = [];
  #byHostPage = new Map<number, CodePage[]>();
  #writes = new Map<number, number>();

  /** Takes most of what is left of the memory's host part; pages begin with `heat`. */
  constructor(private readonly memory: PhysicalMemory, private readonly heat = 0) {
    this.#capacity = Math.floor((memory.hostLeft - 4 * PAGE_SIZE) / (RECORDS_SIZE + SIDES_SIZE));
    this.arena = memory.reserveHost(this.#capacity * RECORDS_SIZE);
    this.sides = memory.reserveHost(this.#capacity * SIDES_SIZE);
  }

  /** The records of a page at a virtual address, new or old; undefined when there is no room before a `drop`. */
  open(hostPage: number, address: bigint, guarded = false): CodePage | undefined {
    const pages = this.#byHostPage.get(hostPage) ?? [];
    const found = pages.find((page) => page.address === address && page.guarded === guarded);
    if (found !== undefined) return found;
    if (this.#pages.length >= this.#capacity) return undefined;
    const base = this.arena + this.#pages.length * RECORDS_SIZE;
    const page: CodePage = { base, hostPage, address, guarded };
    this.#pages.push(page);
    this.#byHostPage.set(hostPage, [...pages, page]);
    const { view } = this.memory, end = base + PAGE_WORDS * RECORD_SIZE;
    view.setUint16(end + RECORD.handler, HANDLER.pageEnd, true);
    view.setBigUint64(end + RECORD.wide0, BigInt.asUintN(64, address + BigInt(PAGE_SIZE)), true);
    view.setInt32(this.sideOf(base) + PAGE_SIDE.heat, this.heat, true);
    return page;
  }

  /** Offset of what is beside a record. */
  sideOf(record: number): number {
    return this.sides + (record - this.arena) / RECORD_SIZE * SIDE_SIZE;
  }

  /** Puts a page's region, an index in the table of functions, in front of the handlers of the words it is entered at. */
  setRegion({ base }: CodePage, region: number, entries: readonly number[]): void {
    const { view } = this.memory, side = this.sideOf(base);
    view.setUint32(side + PAGE_SIDE.region, region, true);
    for (const [index, word] of entries.entries()) {
      const record = base + word * RECORD_SIZE, at = side + word * SIDE_SIZE;
      view.setUint16(at + SIDE.handler, view.getUint16(record + RECORD.handler, true), true);
      view.setUint16(at + SIDE.entry, index + 1, true);
      view.setUint16(at + SIDE.word, word, true);
      view.setUint16(at + SIDE.region, region, true);
      view.setUint16(record + RECORD.handler, HANDLER.compiled, true);
    }
  }

  /** Takes a page's region away. */
  takeRegion({ base }: CodePage): void {
    const { view } = this.memory, side = this.sideOf(base);
    view.setUint32(side + PAGE_SIDE.region, 0, true);
    for (let word = 0; word < PAGE_WORDS; word++) {
      const record = base + word * RECORD_SIZE, at = side + word * SIDE_SIZE;
      if (view.getUint16(at + SIDE.entry, true) === 0) continue;
      view.setUint16(record + RECORD.handler, view.getUint16(at + SIDE.handler, true), true);
      view.setUint16(at + SIDE.entry, 0, true);
    }
  }

  /** Sets how many more steps of its handlers make a page hot. */
  setHeat({ base }: CodePage, heat: number): void {
    this.memory.view.setInt32(this.sideOf(base) + PAGE_SIDE.heat, heat, true);
  }

  /** How many are left; none, or less than none, when it is hot. */
  heatOf({ base }: CodePage): number {
    return this.memory.view.getInt32(this.sideOf(base) + PAGE_SIDE.heat, true);
  }

  /** The page whose first record has its SIDE at an offset. */
  pageAtSide(side: number): CodePage {
    return this.pageOf(this.arena + (side - this.sides) / SIDE_SIZE * RECORD_SIZE);
  }

  /** The page that a record is in. */
  pageOf(record: number): CodePage {
    return this.#pages[Math.floor((record - this.arena) / RECORDS_SIZE)] as CodePage;
  }

  /** Address of a record's instruction. */
  addressOf(record: number): bigint {
    const { base, address } = this.pageOf(record);
    return address + BigInt((record - base) / (RECORD_SIZE / 4));
  }

  /** Offset in the machine's memory of a record's word. */
  hostOffsetOf(record: number): number {
    const { base, hostPage } = this.pageOf(record);
    return hostPage + (record - base) / (RECORD_SIZE / 4);
  }

  /** Number of the handler of a page's word. */
  handlerAt({ base }: CodePage, word: number): number {
    return this.handlerOf(base + word * RECORD_SIZE);
  }

  /** Number of a record's handler. */
  handlerOf(record: number): number {
    return this.memory.view.getUint16(this.#handlerAt(record), true);
  }

  /** Offset of the number of a record's handler, which is beside the record while a region is entered there. */
  #handlerAt(record: number): number {
    const isEntry = this.memory.view.getUint16(record + RECORD.handler, true) === HANDLER.compiled;
    return isEntry ? this.sideOf(record) + SIDE.handler : record + RECORD.handler;
  }

  /** Fills a record and marks the page that its word is in, so that writes to it are noticed. */
  write(record: number, handler: number, image?: RecordImage): void {
    const { view } = this.memory, { hostPage } = this.pageOf(record);
    this.memory.mark(hostPage / PAGE_SIZE, PAGE_CODE);
    view.setUint16(this.#handlerAt(record), handler, true);
    image?.copyTo(view, record);
  }

  /** To be called before a write within a page marked PAGE_CODE: the words' records must be made again. */
  written(hostOffset: number, size: number): void {
    const within = hostOffset % PAGE_SIZE, page = hostOffset - within;
    const writes = (this.#writes.get(page) ?? 0) + 1;
    this.#writes.set(page, writes);
    if (writes > WRITES_ALLOWED) this.#forget(page);
    else this.#reset(page, within, within + size - 1);
  }

  /** The instruction at a virtual address, of which the low 56 bits are given, must be decoded again. */
  forgetInstruction(address: bigint): void {
    const within = Number(address & 0xfffn);
    for (const page of this.#pages) {
      if (BigInt.asUintN(56, page.address) === address - BigInt(within)) {
        this.#reset(page.hostPage, within, within);
      }
    }
  }

  #reset(hostPage: number, first: number, last: number): void {
    for (const page of this.#byHostPage.get(hostPage) ?? []) {
      const { base } = page;
      this.changed(page);
      for (let word = first >> 2; word <= last >> 2; word++) {
        this.memory.view.setUint16(base + word * RECORD_SIZE, HANDLER.undecoded, true);
      }
    }
  }

  /** Takes the mark from a page that has none of its words decoded any more. */
  #forget(hostPage: number): void {
    this.#reset(hostPage, 0, PAGE_SIZE - 1);
    this.#writes.delete(hostPage);
    this.memory.unmark(hostPage / PAGE_SIZE, PAGE_CODE);
  }

  /** Forgets all records; whoever keeps addresses of records must forget them too. */
  drop(): void {
    for (const hostPage of this.#byHostPage.keys()) this.#forget(hostPage);
    const { bytes } = this.memory, count = this.#pages.length;
    bytes.fill(0, this.arena, this.arena + count * RECORDS_SIZE);
    bytes.fill(0, this.sides, this.sides + count * SIDES_SIZE);
    this.#pages = [];
    this.#byHostPage.clear();
    this.#writes.clear();
  }
}
