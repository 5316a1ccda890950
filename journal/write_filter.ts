/** Tells intervals of a run in which watched bytes cannot have been written, so that nobody need go through them. */
import { physicalAddress } from "../machine/address.ts";
import type { Machine } from "../machine/machine.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../machine/memory/physical.ts";
import { translate } from "../machine/memory/translation.ts";
import type { TranslationControls } from "../machine/memory/translation_controls.ts";
import type { WatchPoint } from "../machine/watch.ts";
import type { Interval } from "./interval.ts";

/** Pages of the machine's memory, by number. */
type Pages = readonly number[];

/** Where writes to virtual addresses go: the tables that say so, and the pages that they lead to. */
interface Walk {
  readonly tables: Pages;
  readonly targets: Pages;
}

type DataPoint = Exclude<WatchPoint, { kind: "execute" }>;

/** Addresses of the pages that a range touches. */
function pagesOf(address: bigint, size: number): bigint[] {
  const step = BigInt(PAGE_SIZE), first = address - address % step, last = address + BigInt(size - 1);
  return Array.from(
    { length: Number((last - first) / step) + 1 },
    (_, index) => first + BigInt(index) * step,
  );
}

function isIn(page: number, sorted: Uint32Array): boolean {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < page) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === page;
}

/**
 * Goes back through intervals with a machine that stands still meanwhile. A page that was not written since an interval
 * is now what it was there, so that tables that were not written can be walked now.
 */
export class WriteFilter {
  readonly #points: readonly DataPoint[];
  readonly #isPossible: boolean;
  /** Pages written in the intervals between the machine and those asked about. */
  #since = new Set<number>();
  #walks = new Map<TranslationControls, Walk | undefined>();

  /** Asks for the hits of some points: nothing can be said of any that is not a write to memory. */
  constructor(private readonly machine: Machine, points: readonly WatchPoint[]) {
    this.#points = points.filter((point): point is DataPoint => point.kind === "write");
    // With a data cache that is architecture, writes go to it.
    this.#isPossible = this.#points.length === points.length && machine.board.memory.cache === undefined;
  }

  /** The machine stands elsewhere, at the end of the interval asked about next. */
  moved(): void {
    this.#since.clear();
    this.#walks.clear();
  }

  /** True when no point can be hit in an interval, the one before those asked about since the machine moved. */
  canSkip(interval: Interval | undefined): boolean {
    if (interval === undefined || !this.#isPossible) return false;
    const isWritten = (page: number): boolean => isIn(page, interval.written);
    for (const { space, address, size } of this.#points) {
      if (space === "physical" && this.#physicalPages(address, size)?.some(isWritten) !== false) return false;
    }
    if (this.#points.some(({ space }) => space === "virtual")) {
      for (const controls of interval.controls) {
        const walk = this.#walkOf(controls);
        if (walk === undefined || walk.tables.some(isWritten) || walk.targets.some(isWritten)) return false;
      }
    }
    for (const page of interval.written) this.#since.add(page);
    return true;
  }

  /** Pages of memory at a physical range; undefined where something else answers writes. */
  #physicalPages(address: bigint, size: number): Pages | undefined {
    const { memory } = this.machine.board, pages: number[] = [];
    for (const page of pagesOf(address, size)) {
      const target = memory.target(physicalAddress(Number(page)));
      if (target === undefined) continue;
      if (target.kind !== "memory" || target.region.device !== undefined) return undefined;
      pages.push(target.hostOffset / PAGE_SIZE);
    }
    return pages;
  }

  /** Where writes to the virtual points went under some controls; undefined where that cannot be told from here. */
  #walkOf(controls: TranslationControls): Walk | undefined {
    if (!this.#walks.has(controls)) this.#walks.set(controls, this.#walk(controls));
    const walk = this.#walks.get(controls);
    return walk?.tables.some((page) => this.#since.has(page)) === true ? undefined : walk;
  }

  #walk(controls: TranslationControls): Walk | undefined {
    const { memory } = this.machine.board, tables = new Set<number>(), targets = new Set<number>();
    // Walks that nobody makes leave no marks.
    const mark = { value: (page: number) => void tables.add(page) };
    const observed = Object.create(memory, { mark }) as PhysicalMemory;
    for (const { address, size, space } of this.#points) {
      if (space !== "virtual") continue;
      // Bit 55 tells the half of the address space, whatever the tag.
      for (const page of pagesOf(BigInt.asUintN(64, BigInt.asIntN(56, address)), size)) {
        const split = { high: Number(page >> 32n), low: Number(page & 0xffff_ffffn) };
        const request = { kind: "maintain", privileged: true, aligned: true } as const;
        const result = translate(observed, controls, split, request);
        if (result.faulted) continue;
        const pages = this.#physicalPages(BigInt(result.address), PAGE_SIZE);
        if (pages === undefined) return undefined;
        for (const target of pages) targets.add(target);
      }
    }
    return { tables: [...tables], targets: [...targets] };
  }
}
