/** Images that a boot is made from, by content, and where they are put: in memory that exists, none over another. */
import { hex, physicalAddress } from "./address.ts";
import { type Board, boardRow, memoryAt } from "./board.ts";
import type { ImageReference } from "./configuration.ts";
import { ConfigurationError } from "./errors.ts";
import { PAGE_SIZE, type PhysicalMemory } from "./memory/physical.ts";
import type { DiskImage } from "./storage/block.ts";

/** Images by the SHA-256 of their contents, as the configuration names them: whole, or disks read chunk by chunk. */
export type BootImages = ReadonlyMap<string, Uint8Array | DiskImage>;

/** An image's name in messages, such as `kernel "Image"`; `role` is what it is for. */
export function imageName(role: string, { name }: ImageReference): string {
  return name === "" ? role : `${role} "${name}"`;
}

/** An image's bytes; throws ConfigurationError when they are missing, none, or not as many as the reference says. */
export function imageBytes(images: BootImages, role: string, reference: ImageReference): Uint8Array {
  const bytes = images.get(reference.sha256);
  const what = imageName(role, reference);
  if (!(bytes instanceof Uint8Array)) {
    throw new ConfigurationError(`Cannot load ${what}: the file is missing`);
  }
  if (bytes.length === 0) throw new ConfigurationError(`Cannot load ${what}: the file is empty`);
  if (bytes.length !== reference.size) {
    throw new ConfigurationError(`Cannot load ${what}: it has ${bytes.length} bytes, not ${reference.size}`);
  }
  return bytes;
}

/** Bytes put in memory at power-on and at every reset. */
export interface BootWrite {
  /** What it is, for messages. */
  readonly what: string;
  /** First physical address. */
  readonly address: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** Number of zero bytes after them. */
  readonly zeros: number;
  /** Flash with a file, which keeps what the guest made of it: written at power-on, not at a reset. */
  readonly isFlash?: true;
}

function endOf({ address, bytes, zeros }: BootWrite): number {
  return address + bytes.length + zeros;
}

function rangeOf(write: BootWrite): string {
  return `${hex(write.address)}–${hex(endOf(write))}`;
}

/** Collects writes. */
export class Placement {
  /** In the order in which they were added. */
  readonly writes: BootWrite[] = [];

  /** Images go to this board's memories, Secure ones included (QEMU drops what is meant for those). */
  constructor(private readonly board: Board) {}

  /**
   * Adds an image with `zeros` zero bytes behind it; throws ConfigurationError when it is not in one memory, or lies on
   * another image.
   */
  add(what: string, address: number, bytes: Uint8Array, zeros = 0): void {
    this.#add({ what, address, bytes, zeros });
  }

  /** Adds the contents of a flash bank; throws ConfigurationError as `add`. */
  addFlash(what: string, address: number, bytes: Uint8Array): void {
    this.#add({ what, address, bytes, zeros: 0, isFlash: true });
  }

  #add(write: BootWrite): void {
    const { what, address } = write;
    const end = endOf(write);
    if (memoryAt(this.board, address, end - address) === undefined) {
      throw new ConfigurationError(`Cannot load ${what} at ${rangeOf(write)}: ${this.#memoryNear(address)}`);
    }
    const other = this.writes.find((other) => address < endOf(other) && other.address < end);
    if (other !== undefined) {
      throw new ConfigurationError(
        `Cannot load ${what} at ${rangeOf(write)}: ${other.what} is at ${rangeOf(other)}`,
      );
    }
    this.writes.push(write);
  }

  #memoryNear(address: number): string {
    const ram = boardRow(this.board, "ram");
    const row = address >= ram.base ? ram : memoryAt(this.board, address, 1);
    if (row === undefined) return "there is no memory";
    const end = hex(row.base + row.size);
    return row === ram ? `RAM ends at ${end}; use a larger -m` : `"${row.name}" ends at ${end}`;
  }
}

/** A half-open range of physical addresses. */
export interface AddressRange {
  /** First address. */
  readonly base: number;
  /** First address past it. */
  readonly limit: number;
}

/** The largest part of a range that no write touches, the first of equals. */
export function largestGap(writes: readonly BootWrite[], { base, limit }: AddressRange): AddressRange {
  let largest = { base, limit: base };
  let free = base;
  const taken = writes.map((write) => ({ base: write.address, limit: endOf(write) }));
  taken.sort((a, b) => a.base - b.base);
  for (const next of [...taken, { base: limit, limit }]) {
    const end = Math.min(next.base, limit);
    if (end - free > largest.limit - largest.base) largest = { base: free, limit: end };
    free = Math.max(free, next.limit);
  }
  return largest;
}

const ZEROS = new Uint8Array(65536);

function isZero(bytes: Uint8Array): boolean {
  // By words, since a bank has 64 MiB; not by `every`, which takes ten times as long as a loop.
  const { buffer, byteOffset, length } = bytes, aligned = byteOffset % 4 === 0 ? length & ~3 : 0;
  const words = new Int32Array(buffer, aligned === 0 ? 0 : byteOffset, aligned / 4);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  for (let at = aligned; at < length; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Memory is zero at power-on, and most of a bank too: pages that stay zero need not be hashed. */
function fillFlash({ address, bytes }: BootWrite, memory: PhysicalMemory): void {
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
    const page = bytes.subarray(at, at + PAGE_SIZE);
    if (!isZero(page)) memory.writeBytes(physicalAddress(address + at), page);
  }
}

/** Puts writes in memory, in order; at a reset, flash with a file is left as it is. */
export function applyWrites(writes: readonly BootWrite[], memory: PhysicalMemory, isReset: boolean): void {
  for (const write of writes) {
    if (write.isFlash) {
      if (!isReset) fillFlash(write, memory);
      continue;
    }
    memory.writeBytes(physicalAddress(write.address), write.bytes);
    const end = endOf(write);
    for (let at = write.address + write.bytes.length; at < end; at += ZEROS.length) {
      memory.writeBytes(physicalAddress(at), ZEROS.subarray(0, end - at));
    }
  }
}
