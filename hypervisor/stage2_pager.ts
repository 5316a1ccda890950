/** Takes pages of a guest's memory away and moves them to other frames; what was taken comes back when it is asked for. */
import type { PhysicalAddress } from "../machine/address.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../machine/memory/physical.ts";
import { type Accessor, copyPage } from "./own_memory.ts";
import type { PagePool } from "./page_pool.ts";
import type { Stage2, Stage2Mapping } from "./stage2.ts";

/** What an unmapped page is marked with: the frame that has its contents, and whether it has to be copied out of it. */
const FRAME = (1n << 48n) - BigInt(PAGE_SIZE), ELSEWHERE = 2n, STORED = 4n;

/** Chooses one of `count` things. */
export type Choose = (count: number) => number;

/** A guest's memory by pages, each in some frame; every page begins in the frame of its own address. */
export class Stage2Pager {
  /** Frames that hold nothing. */
  #free: number[] = [];

  /** `spare` frames come from the pool, at least 2. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly stage2: Stage2,
    private readonly pool: PagePool,
    private readonly spare: number,
  ) {}

  /** Every page is in its own frame, before CPUs start; the pool was reset. */
  reset(): void {
    this.#free = Array.from({ length: this.spare }, () => this.pool.take() as number);
  }

  #takeFree(choose: Choose): number {
    return this.#free.splice(choose(this.#free.length), 1)[0] as number;
  }

  /** Copies a mapped page to a free frame, takes it from the guest and frees its frame. */
  #displace(by: Accessor, page: Stage2Mapping, choose: Choose, mark: bigint): PhysicalAddress {
    const frame = this.#takeFree(choose);
    // Nobody may write it between the copy and the change.
    this.stage2.mark(by, page.base, BigInt(frame) | mark);
    copyPage(this.memory, by, frame, page.physical);
    this.#free.push(page.physical);
    return frame as PhysicalAddress;
  }

  /** Moves a mapped page: it is unmapped, and will be mapped where it is now. Returns its frame. */
  move(by: Accessor, page: Stage2Mapping, choose: Choose): PhysicalAddress {
    return this.#displace(by, page, choose, ELSEWHERE);
  }

  /** Takes a mapped page away: its contents are stored, and copied to any frame when it is wanted. Returns the store. */
  evict(by: Accessor, page: Stage2Mapping, choose: Choose): PhysicalAddress {
    return this.#displace(by, page, choose, ELSEWHERE | STORED);
  }

  /** The frame of an unmapped page, with its contents in it. */
  refill(by: Accessor, page: number, choose: Choose): PhysicalAddress {
    const mark = this.stage2.markAt(page);
    if ((mark & ELSEWHERE) === 0n) return page as PhysicalAddress;
    const held = Number(mark & FRAME);
    if ((mark & STORED) === 0n) return held as PhysicalAddress;
    const frame = this.#takeFree(choose);
    copyPage(this.memory, by, frame, held);
    this.#free.push(held);
    this.stage2.mark(by, page, BigInt(frame) | ELSEWHERE);
    return frame as PhysicalAddress;
  }

  /** Frames that hold nothing, as numbers of pages: with the marks in the tables, all that the pager knows. */
  get free(): readonly number[] {
    return this.#free.map((frame) => frame / PAGE_SIZE);
  }
  set free(pages: readonly number[]) {
    this.#free = pages.map((page) => page * PAGE_SIZE);
  }
}
