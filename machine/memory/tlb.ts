/** The software TLB: finished translations of virtual pages to bytes of the machine's memory. */
import { DescriptorIndex } from "./descriptor_index.ts";
import { PAGE_SIZE, PAGE_WALKED_THROUGH, type PhysicalMemory } from "./physical.ts";
import type { TranslationControls, TranslationRegisters } from "./translation_controls.ts";

/** Entries of each table; a power of two. */
export const TLB_ENTRIES = 16384;

/** Sets of controls remembered for each exception level. */
const REMEMBERED = 8;

/**
 * Numbers of contexts are bits 11–4 of a tag; 0 is none. Bits 3–0 are clear, so that a misaligned access misses when
 * its low bits are kept in the tag that is looked for.
 */
const CONTEXT_STEP = 16, LARGEST_CONTEXT = 4080;

/** What an access of one exception level depends on, taken apart from system registers. */
export interface AccessControls {
  /** Values of the registers they come from. */
  readonly registers: TranslationRegisters;
  /** Stages of translation. */
  readonly translation: TranslationControls;
  /** Accesses have the privilege of the regime's higher level. */
  readonly privileged: boolean;
  /** They may not go where EL0 may read (PSTATE.PAN). */
  readonly pan: boolean;
  /** Data is big-endian. */
  readonly bigEndian: boolean;
  /** Every misaligned access faults (SCTLR_ELx.A). */
  readonly alignmentChecked: boolean;
  /** Context of addresses with bit 55 clear. */
  readonly lowerContext: number;
  /** Context of addresses with bit 55 set. */
  readonly upperContext: number;
}

/** Words of 32 bits of an entry: the tag in two, the page's offset in the machine's memory, and its marks. */
export const ENTRY_WORDS = 4;
/** Bytes of an entry, so that its tag is one aligned doubleword. */
export const ENTRY_SIZE: number = ENTRY_WORDS * 4;
/** Byte offset of the page's place within an entry. */
export const ENTRY_HOST_PAGE = 8;
/** Byte offset of the marks within an entry. */
export const ENTRY_MARKS = 12;
/** A misaligned access to the page may fault: it is Device memory, or alignment is checked. */
export const MARK_ALIGNED = 1;
/** The page is guarded (FEAT_BTI). */
export const MARK_GUARDED = 2;
/** Bytes of one table. */
export const TABLE_SIZE: number = TLB_ENTRIES * ENTRY_SIZE;
/** Bytes of a CPU's translations: read, write, execute and code tables, then contexts and the exclusive monitor. */
export const TLB_SIZE: number = 4 * TABLE_SIZE + 64;
/** Byte offsets of the tables within a CPU's translations, of the contexts and of the monitor's words. */
export const TABLE_OFFSETS = {
  read: 0,
  write: TABLE_SIZE,
  execute: 2 * TABLE_SIZE,
  code: 3 * TABLE_SIZE,
  contexts: 4 * TABLE_SIZE,
  monitor: 4 * TABLE_SIZE + 32,
} as const;

/** Words of the exclusive monitor beside the tables: 1 while open, bytes watched, offset in the machine's memory. */
export const MONITOR = { open: 0, size: 1, host: 2 } as const;

/**
 * A context with this bit is that of a page whose accesses have to be looked at one by one (watchpoints). Its entries
 * are where no quick path looks for the page: beside the entry without the bit.
 */
export const WATCHED_CONTEXT = 1;

/** With this bit a context is that of writes in the table of what is not memory. */
export const WRITE_CONTEXT = 2;

/** The entry of a page (bits 31–12 of `low`) in a context. */
function indexOf(low: number, context: number): number {
  return ((low >>> 12) ^ context ^ (context & WATCHED_CONTEXT) * (CONTEXT_STEP + 1)) & (TLB_ENTRIES - 1);
}

/** Direct-mapped entries for one kind of access, where compiled code finds them too. */
export class TlbTable {
  /**
   * Entries of four words: bits 31–12 of the virtual address with the context in bits 11–0, bits 63–32 of the
   * address, the offset of the page in the machine's memory, and marks.
   */
  readonly words: Int32Array<ArrayBuffer>;
  /** Physical address of the page, by index of the entry. */
  readonly physicalPage: Float64Array<ArrayBuffer> = new Float64Array(TLB_ENTRIES);
  readonly #origins = new DescriptorIndex(TLB_ENTRIES);

  /**
   * Enters a page: `page` is what it leads to, `low` and `high` the halves of any address in it, `descriptor` where its
   * descriptor is.
   */
  enter(
    high: number,
    low: number,
    context: number,
    page: number,
    descriptor: number,
    aligned: boolean,
    guarded = false,
  ): number {
    const index = indexOf(low, context);
    const at = index * ENTRY_WORDS, { words } = this;
    words[at] = (low & ~0xfff) | context;
    words[at + 1] = high;
    words[at + 2] = page;
    words[at + 3] = (aligned ? MARK_ALIGNED : 0) | (guarded ? MARK_GUARDED : 0);
    this.#origins.set(index, descriptor);
    return index;
  }

  /** Forgets all entries. */
  clear(): void {
    this.words.fill(0);
    this.#origins.clear();
  }

  /** Forgets the entries that came from descriptors at offsets from `first` up to `end`; true when there were any. */
  forget(first: number, end: number): boolean {
    const origins = this.#origins;
    let index = origins.find(first, end);
    if (index < 0) return false;
    for (; index >= 0; index = origins.find(first, end)) {
      this.words[index * ENTRY_WORDS] = 0;
      origins.remove(index);
    }
    return true;
  }

  /** False when no entry came from a descriptor in the page that begins at an offset. */
  mayComeFrom(page: number): boolean {
    return this.#origins.mayUse(page);
  }

  /** Offset in the machine's memory of the descriptor that an entry came from, −1 for none. */
  descriptorOf(index: number): number {
    return this.#origins.descriptorOf(index);
  }

  /** The table at a byte offset of a buffer. */
  constructor(buffer: ArrayBuffer, offset: number) {
    this.words = new Int32Array(buffer, offset, TLB_ENTRIES * ENTRY_WORDS);
  }

  /** Index of the entry for an address (bits 31–0) in a context, or −1 when it is another's. */
  find(high: number, low: number, context: number): number {
    const index = indexOf(low, context);
    const at = index * ENTRY_WORDS, { words } = this;
    const hit = words[at] === ((low & ~0xfff) | context) && words[at + 1] === (high | 0);
    return hit && context !== 0 ? index : -1;
  }

  /** Offset in the machine's memory of an entry's page. */
  hostPage(index: number): number {
    return (this.words[index * ENTRY_WORDS + 2] as number) >>> 0;
  }

  /** True when misaligned accesses to an entry's page may fault. */
  mustAlign(index: number): boolean {
    return ((this.words[index * ENTRY_WORDS + 3] as number) & MARK_ALIGNED) !== 0;
  }

  /** Marks an entry's page as one whose accesses go to strict caches. */
  markCached(index: number): void {
    const at = index * ENTRY_WORDS + 3;
    this.words[at] = (this.words[at] as number) | 4;
  }

  /** True when accesses of an entry's page go to strict caches. */
  isCached(index: number): boolean {
    return ((this.words[index * ENTRY_WORDS + 3] as number) & 4) !== 0;
  }

  /** True when branches into an entry's page must lead to instructions made for it. */
  isGuarded(index: number): boolean {
    return ((this.words[index * ENTRY_WORDS + 3] as number) & 2) !== 0;
  }
}

/**
 * Cached translations of one CPU. Whatever could change one must end in `drop`: writes to walked pages and changes of
 * the physical map. Controls need no drop: entries belong to a context, which is a number for one set of controls,
 * and the same controls get the same number again. All fills and drops are here.
 */
export class Tlb {
  /** Byte offset of the translations in their buffer. */
  readonly offset: number;
  /** Pages that reads may use. */
  readonly read: TlbTable;
  /** Pages that writes may use. */
  readonly write: TlbTable;
  /** Pages that fetches may use. */
  readonly execute: TlbTable;
  /** Entries of the same form that belong to an engine: decoded code by virtual page. */
  readonly code: TlbTable;
  /** Pages of aligned reads, and of writes by WRITE_CONTEXT, that are not for memory to answer; no code looks here. */
  readonly elsewhere: TlbTable;
  /**
   * Context by exception level and bit 55 of the address, at 2 × level + bit 55; 0 while it is not known, or when the
   * level's data is big-endian, so that quick paths miss.
   */
  readonly contexts: Int32Array<ArrayBuffer>;
  /** The CPU's exclusive monitor by the words of MONITOR, where compiled code finds it (exclusive_monitor.ts). */
  readonly monitor: Int32Array<ArrayBuffer>;
  /** Contexts of levels are given out; false where every access has to take the slow way (strict models). */
  isQuick = true;
  /** Controls by exception level, for slow paths; undefined while not known. */
  readonly levels: (AccessControls | undefined)[] = [undefined, undefined, undefined, undefined];
  /** Recently used controls by exception level, so that software may go back and forth cheaply. */
  readonly #remembered: AccessControls[][] = [[], [], [], []];
  #numbers = new Map<string, number>();
  #next = CONTEXT_STEP;
  #generation = 0;
  #translations = 0;

  /** Lies in the TLB_SIZE bytes at `offset` of a buffer, a multiple of 16: the machine's memory, or its own. */
  constructor(buffer: ArrayBuffer = new ArrayBuffer(TLB_SIZE), offset = 0) {
    this.offset = offset;
    this.read = new TlbTable(buffer, offset + TABLE_OFFSETS.read);
    this.write = new TlbTable(buffer, offset + TABLE_OFFSETS.write);
    this.execute = new TlbTable(buffer, offset + TABLE_OFFSETS.execute);
    this.code = new TlbTable(buffer, offset + TABLE_OFFSETS.code);
    this.elsewhere = new TlbTable(new ArrayBuffer(TABLE_SIZE), 0);
    this.contexts = new Int32Array(buffer, offset + TABLE_OFFSETS.contexts, 8);
    this.monitor = new Int32Array(buffer, offset + TABLE_OFFSETS.monitor, 4);
  }

  /** The contexts of two sets of controls, each described by a text that is equal for equal controls. */
  contextsOf(lower: string, upper: string): [lower: number, upper: number] {
    if (this.#next + CONTEXT_STEP > LARGEST_CONTEXT) this.#restart();
    return [this.#contextOf(lower), this.#contextOf(upper)];
  }

  #contextOf(controls: string): number {
    const known = this.#numbers.get(controls);
    if (known !== undefined) return known;
    const context = this.#next;
    this.#next += CONTEXT_STEP;
    this.#numbers.set(controls, context);
    return context;
  }

  /** Controls of a level that were made known before and that `isSame` accepts. */
  recall(level: number, isSame: (controls: AccessControls) => boolean): AccessControls | undefined {
    return (this.#remembered[level] as AccessControls[]).find(isSame);
  }

  /** Called when controls come into force that were not known to be: before the first access under them. */
  enforced: ((controls: AccessControls) => void) | undefined;

  /** Makes the controls in force at a level known. */
  enforce(level: number, controls: AccessControls): void {
    this.enforced?.(controls);
    this.levels[level] = controls;
    if (this.isQuick && !controls.bigEndian) {
      this.contexts[level * 2] = controls.lowerContext;
      this.contexts[level * 2 + 1] = controls.upperContext;
    }
    const remembered = this.#remembered[level] as AccessControls[];
    if (remembered.includes(controls)) return;
    if (remembered.length >= REMEMBERED) remembered.shift();
    remembered.push(controls);
  }

  /** Enters a page; `low` and `high` are the halves of any address in it. Returns the entry's index. */
  fill(
    table: TlbTable,
    high: number,
    low: number,
    context: number,
    hostOffset: number,
    physical: number,
    descriptor: number,
    aligned: boolean,
    guarded = false,
  ): number {
    const page = hostOffset - hostOffset % 4096;
    const index = table.enter(high, low, context, page, descriptor, aligned, guarded);
    table.physicalPage[index] = physical - physical % 4096;
    return index;
  }

  /** Forgets which controls are in force; translations stay. */
  forgetControls(): void {
    this.contexts.fill(0);
    this.levels.fill(undefined);
  }

  /** Forgets which controls are in force at one level. */
  forgetLevel(level: number): void {
    this.contexts.fill(0, level * 2, level * 2 + 2);
    this.levels[level] = undefined;
  }

  /** Changes with every `drop`: an engine that went on without asking has to ask again. */
  get generation(): number {
    return this.#generation;
  }

  /** Changes whenever a translation may have been forgotten: copies of translations are good while it stays. */
  get translations(): number {
    return this.#translations;
  }

  /** Forgets what came from the descriptors of 4 KiB pages at offsets from `first` up to `end`; true if anything did. */
  forget(first: number, end: number): boolean {
    this.#translations++;
    const wasRead = this.read.forget(first, end), wasWritten = this.write.forget(first, end);
    const wasFetched = this.execute.forget(first, end), wasCode = this.code.forget(first, end);
    if (wasFetched || wasCode) this.#generation++;
    return this.elsewhere.forget(first, end) || wasRead || wasWritten || wasFetched || wasCode;
  }

  /** False when no translation came from a descriptor in the page that begins at an offset. */
  mayComeFrom(page: number): boolean {
    return this.read.mayComeFrom(page) || this.write.mayComeFrom(page) || this.execute.mayComeFrom(page) ||
      this.code.mayComeFrom(page) || this.elsewhere.mayComeFrom(page);
  }

  /** Forgets everything; results never depend on when. No context number is used again soon, so no entry is touched. */
  drop(): void {
    this.#generation++;
    this.#translations++;
    this.forgetControls();
    this.#numbers.clear();
    for (const remembered of this.#remembered) remembered.length = 0;
  }

  #restart(): void {
    this.drop();
    for (const table of [this.read, this.write, this.execute, this.code, this.elsewhere]) table.clear();
    this.#next = CONTEXT_STEP;
  }
}

/**
 * To be called before a write of `size` bytes to pages marked PAGE_WALKED, whose marks are `flags`. Only a valid
 * descriptor has anything cached from it, so filling empty entries drops nothing. True when nothing comes from these
 * pages any more and the caller may clear their marks.
 */
export function walkedPageWritten(
  memory: PhysicalMemory,
  tlbs: readonly Tlb[],
  hostOffset: number,
  size: number,
  flags: number,
): boolean {
  if (!holdsValidDescriptor(memory, hostOffset, size)) return false;
  if ((flags & PAGE_WALKED_THROUGH) !== 0) {
    for (const tlb of tlbs) tlb.drop();
    return true;
  }
  const first = hostOffset - hostOffset % 8, end = hostOffset + size;
  let found = false;
  for (const tlb of tlbs) found = tlb.forget(first, end) || found;
  if (found) return false;
  for (let page = hostOffset - hostOffset % PAGE_SIZE; page < end; page += PAGE_SIZE) {
    for (const tlb of tlbs) if (tlb.mayComeFrom(page)) return false;
  }
  return true;
}

/** True when a range may touch a descriptor with its valid bit set, in either byte order. */
function holdsValidDescriptor(memory: PhysicalMemory, hostOffset: number, size: number): boolean {
  const { bytes } = memory;
  for (let at = hostOffset - hostOffset % 8; at < hostOffset + size; at += 8) {
    if ((((bytes[at] as number) | (bytes[at + 7] as number)) & 1) !== 0) return true;
  }
  return false;
}
