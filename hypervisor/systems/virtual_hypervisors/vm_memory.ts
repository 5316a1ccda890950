/** Memory of a virtual machine: blocks of the machine's RAM at the start of its own, by stage 2. */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { RAM_BASE } from "../../../machine/board.ts";
import type { PhysicalMemory } from "../../../machine/memory/physical.ts";
import type { Stage2 } from "../../stage2.ts";
import { MEMORY_RWX } from "../../stage2_attributes.ts";
import { BLOCK_BYTES } from "./objects.ts";

/** Its blocks in the order of its addresses. */
export class VmMemory {
  /** `blocks` are numbers: physical address over BLOCK_BYTES. */
  constructor(
    private readonly machine: PhysicalMemory,
    readonly stage2: Stage2,
    readonly blocks: readonly number[],
  ) {}

  /** Maps it, at the start of RAM as every virtual machine has it. */
  lay(): void {
    this.stage2.reset();
    for (const [index, block] of this.blocks.entries()) {
      this.stage2.map(
        undefined,
        RAM_BASE + index * BLOCK_BYTES,
        block * BLOCK_BYTES,
        BLOCK_BYTES,
        MEMORY_RWX,
      );
    }
  }

  /** The physical address of one of its own; −1 for none. */
  physical(ipa: number): number {
    const offset = ipa - RAM_BASE, block = this.blocks[Math.floor(offset / BLOCK_BYTES)];
    return offset < 0 || block === undefined ? -1 : block * BLOCK_BYTES + offset % BLOCK_BYTES;
  }

  /** Pieces of a range of its memory that lie together; undefined when not all of it is its memory. */
  #pieces(
    ipa: number,
    size: number,
  ): { readonly at: number; readonly physical: number; readonly size: number }[] | undefined {
    const pieces = [];
    for (let at = 0; at < size;) {
      const physical = this.physical(ipa + at),
        piece = Math.min(size - at, BLOCK_BYTES - (ipa + at) % BLOCK_BYTES);
      if (physical < 0) return undefined;
      pieces.push({ at, physical, size: piece });
      at += piece;
    }
    return pieces;
  }

  /** Writes to its memory; false, with nothing written, when it is not all its own. */
  write(ipa: number, data: Uint8Array): boolean {
    const pieces = this.#pieces(ipa, data.length);
    for (const { at, physical, size } of pieces ?? []) {
      this.machine.writeBytes(physical as PhysicalAddress, data.subarray(at, at + size));
    }
    return pieces !== undefined;
  }

  /** Reads its memory; undefined when it is not all its own. */
  read(ipa: number, size: number): Uint8Array | undefined {
    const pieces = this.#pieces(ipa, size);
    if (pieces === undefined) return undefined;
    const data = new Uint8Array(size);
    for (const piece of pieces) {
      data.set(this.machine.readBytes(piece.physical as PhysicalAddress, piece.size), piece.at);
    }
    return data;
  }
}
