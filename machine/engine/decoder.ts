/** Makes records of the words that are executed, with handlers as far as these are generated. */
import { hasBreakpoint } from "../cpu/breakpoints.ts";
import type { Cpu } from "../cpu/cpu.ts";
import { pageEntry } from "../cpu/place.ts";
import { SLOT_PC } from "../cpu/registers.ts";
import type { PhysicalMemory } from "../memory/physical.ts";
import type { InstructionCache } from "../memory/strict_instruction_cache.ts";
import { type CodePage, type CodePages, HANDLER, PAGE_WORDS, RECORD_SIZE } from "./code_pages.ts";
import type { Handlers } from "./handlers.ts";

/** Instructions decoded at once. */
const DECODED_AHEAD = 64;

/** True for B, BR, RET and ERET: what follows them in memory is not what follows in execution. */
function isJump(word: number): boolean {
  return word >>> 26 === 0b000101 || (word >>> 25 === 0b1101011 && (word >>> 21 & 0xf) !== 1);
}

/** Halves of a program counter, without arithmetic on bigints. */
const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

/** The records of a machine's code. */
export class Decoder {
  /** Records whose handlers are not generated yet. */
  #awaited: number[] = [];

  /** `dropAll` forgets all records, where there is no room for more. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly cpus: readonly Cpu[],
    private readonly pages: CodePages,
    private readonly handlers: Handlers,
    private readonly dropAll: () => void,
  ) {}

  /** The strict instruction cache that holds what may be decoded, if there is one. */
  get #held(): InstructionCache | undefined {
    return this.cpus.length === 1 ? this.cpus[0]?.surroundings.strict?.instructionCaches?.[0] : undefined;
  }

  /** The records are gone. */
  drop(): void {
    this.#awaited = [];
  }

  /** The record of the instruction at the PC, or 0 where translation or the address are not plain. */
  recordOfPc(cpu: Cpu): number {
    const { tlb, slots, el, branchType } = cpu;
    WIDE[0] = slots[SLOT_PC] as bigint;
    const low = HALVES[0] as number, high = HALVES[1] as number;
    if ((low & 3) !== 0 || branchType !== 0) return 0;
    const context = tlb.contexts[el << 1 | high >>> 23 & 1] as number;
    const known = tlb.code.find(high, low, context);
    if (known >= 0) return tlb.code.hostPage(known) + (low & 0xffc) * (RECORD_SIZE / 4);
    const present = tlb.execute.find(high, low, context);
    const fetched = present < 0 ? pageEntry(cpu, high, low, "execute") : present;
    if (fetched < 0) return 0;
    // Who does not fetch through the cache may execute what it does not hold.
    if (this.#held !== undefined && !tlb.execute.isCached(fetched)) return 0;
    const hostPage = tlb.execute.hostPage(fetched), address = (slots[SLOT_PC] as bigint) & ~0xfffn;
    const guarded = tlb.execute.isGuarded(fetched);
    let page = this.pages.open(hostPage, address, guarded);
    if (page === undefined) {
      this.dropAll();
      page = this.pages.open(hostPage, address, guarded);
    }
    if (page === undefined) return 0;
    const descriptor = tlb.execute.descriptorOf(fetched);
    tlb.code.enter(high, low, context, page.base, descriptor, false, guarded);
    return page.base + (low & 0xffc) * (RECORD_SIZE / 4);
  }

  /**
   * Decodes the record's instruction and those that execution may run into after it. False when a fetch of the first
   * has yet to be seen: a strict instruction cache has another word, or none.
   */
  decodeFrom(record: number): boolean {
    const page = this.pages.pageOf(record), end = page.base + PAGE_WORDS * RECORD_SIZE;
    const last = Math.min(end, record + DECODED_AHEAD * RECORD_SIZE);
    for (let at = record; at < last; at += RECORD_SIZE) {
      if (this.pages.handlerOf(at) !== HANDLER.undecoded) return true;
      if (!this.#isHeld(page, at)) return at !== record;
      if (this.#decode(page, at)) return true;
    }
    return true;
  }

  /** What a fetch gets is what memory has, and leaves everything as it is. */
  #isHeld({ base, hostPage }: CodePage, record: number): boolean {
    const held = this.#held;
    if (held === undefined) return true;
    const offset = hostPage + (record - base) / (RECORD_SIZE / 4);
    return held.peek(this.memory.physicalAddress(offset)) === this.memory.view.getUint32(offset, true);
  }

  /** Decodes a record's instruction; true when it is a branch that always branches away. */
  #decode({ base, hostPage, address, guarded }: CodePage, record: number): boolean {
    const within = (record - base) / (RECORD_SIZE / 4), pages = this.pages, handlers = this.handlers;
    const word = this.memory.view.getUint32(hostPage + within, true);
    if (this.#hasBreakpoint(address, within)) {
      pages.write(record, HANDLER.evaluated);
      return true;
    }
    WIDE[0] = address;
    const low = (HALVES[0] as number) + within, high = HALVES[1] as number;
    const handler = handlers.decode(word, low, high, guarded);
    pages.write(record, handler, handler === HANDLER.evaluated ? undefined : handlers.words.image);
    if (handler === HANDLER.awaited) this.#awaited.push(record);
    return isJump(word);
  }

  #hasBreakpoint(page: bigint, within: number): boolean {
    for (const { armed, watches } of this.cpus) {
      if (watches?.hasExecute === true && watches.isInstruction(page + BigInt(within))) return true;
      if (armed !== undefined && hasBreakpoint(this.cpus, page + BigInt(within))) return true;
    }
    return false;
  }

  /** Gives the records that waited for their handlers these. */
  decodeAwaited(): void {
    const awaited = this.#awaited;
    this.#awaited = [];
    for (const record of awaited) {
      if (this.pages.handlerOf(record) === HANDLER.awaited) this.#decode(this.pages.pageOf(record), record);
    }
  }
}
