/** Where a command's data are: physical region pages and lists of them (NVM Express 1.4, section 4.3). */
import type { Dma } from "../dma.ts";
import type { NvmeCommand } from "./command.ts";
import { STATUS } from "./status.ts";

/** A part of the data, in one page of memory. */
interface Piece {
  readonly address: bigint;
  readonly size: number;
}

const ENTRY_SIZE = 8;

/** Moves data between memory and commands; a number is the status that ends a command. */
export class Transfer {
  /** `pageSize` is CC.MPS's, 4096 to 65536 bytes. */
  constructor(private readonly dma: Dma, private readonly pageSize: number) {}

  /** The pieces of `length` bytes, at most MDTS; or a status. */
  #pieces({ prp1, prp2 }: NvmeCommand, length: number): Piece[] | number {
    const offset = this.#offset(prp1);
    const first = Math.min(length, this.pageSize - offset);
    const pieces = [{ address: prp1, size: first }];
    const left = length - first;
    if (left === 0) return pieces;
    if (left > this.pageSize) return this.#list(prp2, left, pieces);
    if (this.#offset(prp2) !== 0) return STATUS.invalidPrpOffset;
    pieces.push({ address: prp2, size: left });
    return pieces;
  }

  /** Follows a list, whose last entry in a page is the address of the next page of it while more than a page is left. */
  #list(list: bigint, length: number, pieces: Piece[]): Piece[] | number {
    let entries = this.#entries(list);
    for (let left = length, index = 0; left > 0; index++) {
      if (entries === undefined) return STATUS.dataTransferError;
      let entry = entries[index] as bigint;
      if (index === entries.length - 1 && left > this.pageSize) {
        if (this.#offset(entry) !== 0) return STATUS.invalidPrpOffset;
        // A whole page of entries: a list cannot be all links.
        entries = this.#entries(entry);
        if (entries === undefined) return STATUS.dataTransferError;
        index = 0;
        entry = entries[0] as bigint;
      }
      if (this.#offset(entry) !== 0) return STATUS.invalidPrpOffset;
      const size = Math.min(left, this.pageSize);
      pieces.push({ address: entry, size });
      left -= size;
    }
    return pieces;
  }

  /** The entries from an address to the end of its page. */
  #entries(list: bigint): BigUint64Array | undefined {
    const count = Math.floor((this.pageSize - this.#offset(list)) / ENTRY_SIZE);
    const bytes = count === 0 ? undefined : this.dma.read(list, count * ENTRY_SIZE);
    if (bytes === undefined) return undefined;
    const view = new DataView(bytes.buffer);
    return BigUint64Array.from({ length: count }, (_, index) => view.getBigUint64(index * ENTRY_SIZE, true));
  }

  #offset(address: bigint): number {
    return Number(address & BigInt(this.pageSize - 1));
  }

  /** The data that the driver gives. */
  fromMemory(command: NvmeCommand, length: number): Uint8Array<ArrayBuffer> | number {
    const pieces = this.#pieces(command, length);
    if (typeof pieces === "number") return pieces;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const { address, size } of pieces) {
      const piece = this.dma.read(address, size);
      if (piece === undefined) return STATUS.dataTransferError;
      bytes.set(piece, at);
      at += size;
    }
    return bytes;
  }

  /** Gives data to the driver; a status, success among them. */
  toMemory(command: NvmeCommand, bytes: Uint8Array): number {
    const pieces = this.#pieces(command, bytes.length);
    if (typeof pieces === "number") return pieces;
    let at = 0;
    for (const { address, size } of pieces) {
      if (!this.dma.write(address, bytes.subarray(at, at + size))) return STATUS.dataTransferError;
      at += size;
    }
    return STATUS.success;
  }
}
