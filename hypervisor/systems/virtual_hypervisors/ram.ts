/** The machine's RAM as the kernel gives it to virtual machines: blocks of 2 MiB, the lowest free one first. */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../../../machine/memory/physical.ts";
import { BLOCK_BYTES } from "./objects.ts";

/** A range of physical addresses. */
export interface Range {
  /** First address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

const ZEROS = new Uint8Array(PAGE_SIZE);

/** Blocks by their numbers: physical address over BLOCK_BYTES. */
export class BlockPool {
  readonly #all = new Set<number>();
  #free: Set<number>;

  /** All blocks that lie in `ram` and touch none of `taken`. */
  constructor(
    private readonly memory: PhysicalMemory,
    ram: Range,
    taken: readonly Range[],
    private readonly clears: boolean,
  ) {
    const first = Math.ceil(ram.base / BLOCK_BYTES), end = Math.floor((ram.base + ram.size) / BLOCK_BYTES);
    for (let block = first; block < end; block++) {
      const base = block * BLOCK_BYTES;
      if (taken.some((range) => base < range.base + range.size && range.base < base + BLOCK_BYTES)) continue;
      this.#all.add(block);
    }
    this.#free = new Set(this.#all);
  }

  /** Blocks that nobody has. */
  get free(): number {
    return this.#free.size;
  }

  /** Takes so many blocks, all of zeros; throws RangeError when there are not so many, which limits rule out. */
  take(count: number): number[] {
    if (count > this.#free.size) {
      throw new RangeError(`Cannot take ${count} blocks: ${this.#free.size} are free`);
    }
    const blocks = [...this.#free].sort((a, b) => a - b).slice(0, count);
    for (const block of blocks) {
      this.#free.delete(block);
      if (this.clears) this.#clear(block * BLOCK_BYTES);
    }
    return blocks;
  }

  /** Only pages that are not zero are written. */
  #clear(base: number): void {
    const bytes = this.memory.readBytes(base as PhysicalAddress, BLOCK_BYTES);
    const words = new Uint32Array(bytes.buffer), step = PAGE_SIZE / 4;
    for (let from = 0; from < words.length; from += step) {
      let any = 0;
      for (let word = from; word < from + step; word++) any |= words[word] as number;
      if (any !== 0) this.memory.writeBytes((base + from * 4) as PhysicalAddress, ZEROS);
    }
  }

  /** Gives blocks back. */
  give(blocks: readonly number[]): void {
    for (const block of blocks) this.#free.add(block);
  }

  /** A range has bytes of a block in it, whoever has that. */
  touches(address: number, size: number): boolean {
    for (let block = Math.floor(address / BLOCK_BYTES); block * BLOCK_BYTES < address + size; block++) {
      if (this.#all.has(block)) return true;
    }
    return false;
  }

  /** All are free but those that a restored state has. */
  restore(taken: readonly number[]): void {
    this.#free = new Set(this.#all);
    for (const block of taken) this.#free.delete(block);
  }
}
