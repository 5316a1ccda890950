/** The compiled regions of a machine: which pages are worth one, and the table that they are called by. */
import type { PhysicalMemory } from "../memory/physical.ts";
import { type CodePage, type CodePages, HANDLER, PAGE_WORDS, RECORD_SIZE } from "./code_pages.ts";
import {
  type CompiledPage,
  type CompilePage,
  type CompileResult,
  type CompileStatistics,
  type RegionCompiler,
  WORD,
} from "./compile_request.ts";

/** Regions that the table has room for. */
const CAPACITY = 8192;

/** Samples for which a page that is hot waits for others, at most: a module and a message have their price. */
const PATIENCE = 8;

/** Accesses to devices that a word's handler does until it is known as one that accesses devices. */
const MANY_TOUCHES = 32;

/**
 * Accesses a device for the present instruction of a region, after which so many steps are left: an address in halves, an
 * access in one number (`slowDescriptor`). Offset in memory of the value that was read, or of bytes that nobody needs; 0
 * where that is not all there is to the access, and nothing has happened.
 */
export type DeviceAccessor = (left: number, low: number, high: number, descriptor: number) => number;

/** Heat of a page that is in the queue: once is enough. */
const ASKED_FOR = 2 ** 30;

/** When pages are compiled; nothing of it may change a result. */
export interface CompilePolicy {
  /** Steps of a page's handlers until it is worth compiling. */
  readonly heat: number;
  /** Those that make it hot again after it was compiled, for what had not been executed; doubles. */
  readonly reheat: number;
  /** Steps after which code comes back to be sampled where it executes handlers. */
  readonly slice: number;
  /** The most of them where it is compiled. */
  readonly largestSlice: number;
  /** Pages that are compiled together. */
  readonly batch: number;
  /** Bytes of modules that are kept; what is not sampled for longest goes first. */
  readonly largestTotal: number;
  /** What was not executed is compiled with what it can be reached from. */
  readonly reaches: boolean;
}

/** What pays for itself. */
export const COMPILE_POLICY: CompilePolicy = {
  heat: 200_000,
  reheat: 200_000,
  slice: 20_000,
  largestSlice: 1 << 20,
  batch: 8,
  largestTotal: 48 << 20,
  reaches: false,
};

/** A module in use. */
interface LiveModule {
  readonly bytes: number;
  /** Its regions that are in use, by their pages. */
  readonly regions: Map<CodePage, number>;
}

type Counts = { -readonly [Name in keyof CompileStatistics]: number };

/** Has hot pages compiled and forgets those that were written. */
export class Regions {
  /** Functions of regions by index; 0 is none. */
  readonly table: WebAssembly.Table = new WebAssembly.Table({ element: "anyfunc", initial: CAPACITY });
  readonly #free: number[] = Array.from({ length: CAPACITY - 1 }, (_, index) => CAPACITY - 1 - index);
  /** Times that a page was compiled. */
  #times = new Map<CodePage, number>();
  /** Words that were executed when it was requested last, or that were compiled all the same. */
  #known = new Map<CodePage, Uint8Array>();
  #queue = new Set<CodePage>();
  /** Accesses to devices by record, as far as handlers do them. */
  readonly #touches = new Map<number, number>();
  /** Samples for which pages have been in the queue. */
  #waits = 0;
  /** Pages of requests under way, and the number of the request that a page waits for. */
  readonly #requests = new Map<number, readonly CodePage[]>();
  readonly #awaited = new Map<CodePage, number>();
  /** Modules in use by their pages, and all of them, the one sampled longest ago first. */
  readonly #modules = new Map<CodePage, LiveModule>();
  readonly #inOrder = new Set<LiveModule>();
  /** What was compiled so far. */
  readonly statistics: Counts = noStatistics();
  /** Steps after which code has to come back. */
  slice: number;

  /** Pages of a machine's memory. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly pages: CodePages,
    private readonly compiler: RegionCompiler,
    private readonly policy: CompilePolicy,
    /** Breakpoints may be on words that were not decoded. */
    private readonly mayBreak: () => boolean,
    /** What regions call for devices. */
    private readonly device: DeviceAccessor = () => 0,
  ) {
    this.slice = policy.slice;
    pages.changed = (page) => this.#forget(page);
  }

  /** Code came back in a page: one that is compiled need not be looked at soon again. */
  sample(page: CodePage): void {
    const module = this.#modules.get(page);
    if (module !== undefined) {
      this.slice = Math.min(this.slice * 2, this.policy.largestSlice);
      this.#inOrder.delete(module);
      this.#inOrder.add(module);
    } else {
      this.slice = this.policy.slice;
      if (this.pages.heatOf(page) <= 0) this.add(page);
    }
    if (this.#queue.size > 0 && ++this.#waits >= PATIENCE) this.#request();
  }

  /** A page is hot. */
  add(page: CodePage): void {
    this.pages.setHeat(page, ASKED_FOR);
    this.#queue.add(page);
    if (this.#queue.size >= this.policy.batch) this.#request();
  }

  /** A record's handler has accessed a device: who does so often is compiled as one that does. */
  touched(record: number): void {
    const times = (this.#touches.get(record) ?? 0) + 1;
    this.#touches.set(record, times);
    if (times !== MANY_TOUCHES) return;
    const page = this.pages.pageOf(record);
    if (this.#modules.has(page) || this.#awaited.has(page)) this.#queue.add(page);
  }

  /** Forgets all regions; the pages are gone. */
  drop(): void {
    this.#touches.clear();
    for (const module of [...this.#inOrder]) this.#release(module);
    this.#times.clear();
    this.#known.clear();
    this.#queue.clear();
    this.#requests.clear();
    this.#awaited.clear();
  }

  /** What a page's words are, or how they are executed, changes. */
  #forget(page: CodePage): void {
    const isKnownHot = this.#queue.delete(page) || this.#awaited.has(page) || this.#modules.has(page);
    if (isKnownHot) this.pages.setHeat(page, this.policy.heat);
    if (this.#awaited.delete(page)) this.statistics.stale++;
    this.#remove(page);
  }

  /** Takes a page's region away, and its module where that was the last. */
  #remove(page: CodePage): void {
    const module = this.#modules.get(page);
    if (module === undefined) return;
    this.pages.takeRegion(page);
    const number = module.regions.get(page) as number;
    this.table.set(number, null);
    this.#free.push(number);
    this.#modules.delete(page);
    module.regions.delete(page);
    this.statistics.liveRegions--;
    if (module.regions.size > 0) return;
    this.#inOrder.delete(module);
    this.statistics.liveBytes -= module.bytes;
  }

  #release(module: LiveModule): void {
    for (const page of [...module.regions.keys()]) this.#remove(page);
  }

  /** Makes room for regions of so many bytes. */
  #evict(regions: number, bytes: number): void {
    for (const module of this.#inOrder) {
      if (this.#free.length >= regions && this.statistics.liveBytes + bytes <= this.policy.largestTotal) {
        return;
      }
      for (const page of module.regions.keys()) this.pages.setHeat(page, this.policy.reheat);
      this.#release(module);
      this.statistics.evictions++;
    }
  }

  /** Asks for the pages that wait for it, where there is more to compile than there was. */
  #request(): void {
    const { statistics, policy } = this, number = statistics.requests, pages: CodePage[] = [];
    const copies: CompilePage[] = [];
    for (const page of this.#queue) {
      const times = this.#times.get(page) ?? 0, copy = this.#copy(page);
      this.pages.setHeat(page, policy.reheat << Math.min(times, 16));
      this.#times.set(page, times + 1);
      const before = this.#modules.has(page) ? this.#known.get(page) : undefined;
      if (before !== undefined && !hasMore(copy.known, before)) continue;
      this.#known.set(page, copy.known);
      this.#awaited.set(page, number);
      pages.push(page);
      copies.push(copy);
    }
    this.#queue.clear();
    this.#waits = 0;
    if (pages.length === 0) return;
    statistics.requests++;
    this.#requests.set(number, pages);
    this.compiler.request({ number, pages: copies });
    this.takeIn();
  }

  /** A page as it is now. */
  #copy(page: CodePage): CompilePage {
    const { hostPage, address, guarded } = page;
    const known = new Uint8Array(PAGE_WORDS);
    const untouched = this.policy.reaches && !this.mayBreak() ? WORD.untouched : WORD.excluded;
    for (let word = 0; word < PAGE_WORDS; word++) {
      const handler = this.pages.handlerAt(page, word);
      known[word] = handler === HANDLER.undecoded
        ? untouched
        : handler === HANDLER.evaluated
        ? WORD.excluded
        : (this.#touches.get(page.base + word * RECORD_SIZE) ?? 0) >= MANY_TOUCHES
        ? WORD.device
        : WORD.executed;
    }
    const words = new Uint32Array(PAGE_WORDS);
    words.set(new Uint32Array(this.memory.view.buffer as ArrayBuffer, hostPage, PAGE_WORDS));
    return { address, guarded, words, known };
  }

  /** Takes in what was compiled; not to be called while code runs. */
  takeIn(): void {
    for (const result of this.compiler.take()) this.#takeIn(result);
  }

  #takeIn({ number, module, bytes, pages, isKept }: CompileResult): void {
    const requested = this.#requests.get(number) ?? [];
    this.#requests.delete(number);
    const wanted = requested.filter((page, index) => {
      if (this.#awaited.get(page) !== number) return false;
      this.#awaited.delete(page);
      this.#remove(page);
      return pages[index] !== undefined && pages[index].entries.length > 0;
    });
    if (wanted.length === 0 || module === undefined) return;
    this.#evict(wanted.length, bytes);
    const { memory } = this.memory, { statistics } = this;
    const { exports } = new WebAssembly.Instance(module, {
      env: { memory, regions: this.table, device: this.device },
    });
    const live: LiveModule = { bytes, regions: new Map() };
    this.#inOrder.add(live);
    for (const page of wanted) {
      const index = requested.indexOf(page);
      const { entries, words, instructions } = pages[index] as CompiledPage, known = this.#known.get(page);
      words.forEach((isCompiled, word) => {
        if (known !== undefined && isCompiled !== 0 && known[word] !== WORD.device) {
          known[word] = WORD.executed;
        }
      });
      const region = this.#free.pop() as number;
      this.table.set(region, exports[String(index)] as CallableFunction);
      this.pages.setRegion(page, region, entries);
      live.regions.set(page, region);
      this.#modules.set(page, live);
      statistics.instructions += instructions;
    }
    statistics.modules++;
    if (isKept === true) statistics.cachedModules++;
    statistics.regions += wanted.length;
    statistics.bytes += bytes;
    statistics.liveRegions += wanted.length;
    statistics.liveBytes += bytes;
  }
}

/** Words were executed that were not before, or access devices that did not. */
function hasMore(known: Uint8Array, before: Uint8Array): boolean {
  const isMore = (word: number, index: number) =>
    word === WORD.device || (word === WORD.executed && before[index] !== WORD.device);
  return known.some((word, index) => word !== before[index] && isMore(word, index));
}

function noStatistics(): Counts {
  return {
    requests: 0,
    stale: 0,
    modules: 0,
    cachedModules: 0,
    regions: 0,
    instructions: 0,
    bytes: 0,
    liveRegions: 0,
    liveBytes: 0,
    evictions: 0,
  };
}
