/**
 * Front tables: small copies of a CPU's translations for one pair of contexts at a time, so that compiled code finds a
 * page by its address alone, whatever its alignment. A write is found there only while plain writes to its page need no one's attention.
 */
import type { PhysicalMemory } from "../memory/physical.ts";
import type { Tlb } from "../memory/tlb.ts";

/** Entries of a table; a power of two. */
export const FRONT_ENTRIES = 512;
/** Bytes of an entry. */
export const FRONT_ENTRY_SIZE = 32;
/**
 * Byte offsets within an entry: bits 63–12 of the address that reads and writes use, and what to add to the low 32 bits
 * of an address for its place in the machine's memory.
 */
export const FRONT = { readTag: 0, writeTag: 8, readAddend: 16, writeAddend: 20 } as const;

/** Tables of a CPU: what goes back and forth between contexts (EL0 and EL1, PAN) finds its own again. */
const TABLES = 4;
const TABLE_SIZE = FRONT_ENTRIES * FRONT_ENTRY_SIZE;

/** One table and what it was filled for. */
interface Table {
  readonly offset: number;
  lower: number;
  upper: number;
  translations: number;
  marks: number;
}

/** The front tables of one CPU. */
export class FrontTables {
  readonly #tables: Table[];
  #next = 0;

  /** Takes room beside the machine's memory; `marked` counts changes of pages' marks. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly tlb: Tlb,
    private readonly marked: { readonly count: number },
  ) {
    const offset = memory.reserveHost(TABLES * TABLE_SIZE);
    this.#tables = Array.from({ length: TABLES }, (_, index) => ({
      offset: offset + index * TABLE_SIZE,
      lower: -1,
      upper: -1,
      translations: -1,
      marks: -1,
    }));
  }

  /** Offset of the table for a pair of contexts, without what is not so any more; the one at `kept` stays what it is. */
  select(lower: number, upper: number, kept = -1): number {
    const tables = this.#tables, { translations } = this.tlb, { count: marks } = this.marked;
    for (let index = 0; index < TABLES; index++) {
      const table = tables[index] as Table;
      if (table.lower !== lower || table.upper !== upper) continue;
      if (table.translations !== translations || table.marks !== marks) this.#clear(table, lower, upper);
      return table.offset;
    }
    if ((tables[this.#next] as Table).offset === kept) this.#next = (this.#next + 1) % TABLES;
    const table = tables[this.#next] as Table;
    this.#next = (this.#next + 1) % TABLES;
    this.#clear(table, lower, upper);
    return table.offset;
  }

  #clear(table: Table, lower: number, upper: number): void {
    table.lower = lower;
    table.upper = upper;
    table.translations = this.tlb.translations;
    table.marks = this.marked.count;
    this.memory.bytes.fill(0xff, table.offset, table.offset + TABLE_SIZE);
  }
}
