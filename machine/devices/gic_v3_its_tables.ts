/**
 * The tables of an Interrupt Translation Service, in guest memory as the guest placed them (Arm IHI 0069, section 5.2).
 * Their formats are IMPLEMENTATION DEFINED; the sizes of entries are QEMU 7.2's. Nothing is cached.
 *
 * | Entry           | Bytes | Bits                                                             |
 * | --------------- | ----- | ---------------------------------------------------------------- |
 * | device          | 8     | 0 valid; 5:1 bits of EventID less one; 51:8 address of its table |
 * | collection      | 8     | 0 valid; 31:16 processor number                                  |
 * | translation     | 12    | 0 valid; 31:16 collection; 63:32 physical interrupt              |
 */
import type { Dma } from "./dma.ts";

/** Bits of a DeviceID, of an EventID and of a collection's number. */
export const ITS_ID_BITS = 16;

/** Bytes of a translation; GITS_TYPER says so. */
export const TRANSLATION_SIZE = 12;

/** Bytes of an entry of the device or collection table; GITS_BASERn says so. */
export const TABLE_ENTRY_SIZE = 8;

/** A device whose interrupts are translated. */
export interface DeviceEntry {
  /** Its EventIDs are below this. */
  readonly events: number;
  /** Physical address of its translations. */
  readonly table: number;
}

/** What one event of one device becomes. */
export interface Translation {
  /** Number of the collection. */
  readonly collection: number;
  /** Number of the LPI. */
  readonly interrupt: number;
}

const VALID = 1n;
const ID_MASK = 0xffffn;
const ADDRESS_MASK = 0x000f_ffff_ffff_ff00n;

/** Fields of GITS_BASERn. */
const BASER_VALID = 1n << 63n;
const BASER_INDIRECT = 1n << 62n;
const PAGE_SIZES = [0x1000, 0x4000, 0x1_0000, 0x1_0000] as const;
const FIRST_LEVEL_SIZE = 8;
const FIRST_LEVEL_VALID = 1n << 63n;

/** A table as a GITS_BASERn places it. */
export class ItsTable {
  /** Entries; numbers from this on have none. */
  readonly count: number;
  readonly #base: number;
  readonly #pageSize: number;
  readonly #isIndirect: boolean;

  /** `baser` is the register's value; a table that is not valid has no entries. */
  constructor(baser: bigint, private readonly dma: Dma) {
    this.#pageSize = PAGE_SIZES[Number(baser >> 8n & 3n)] as number;
    this.#isIndirect = (baser & BASER_INDIRECT) !== 0n;
    // With pages of 64 KiB, bits 15:12 hold bits 51:48 of the address.
    const address = this.#pageSize === 0x1_0000
      ? (baser & 0xffff_ffff_0000n) | (baser >> 12n & 0xfn) << 48n
      : baser & 0xffff_ffff_f000n;
    this.#base = Number(address);
    const bytes = (Number(baser & 0xffn) + 1) * this.#pageSize;
    const perPage = this.#pageSize / TABLE_ENTRY_SIZE;
    const count = this.#isIndirect ? bytes / FIRST_LEVEL_SIZE * perPage : bytes / TABLE_ENTRY_SIZE;
    this.count = (baser & BASER_VALID) === 0n ? 0 : Math.min(count, 2 ** ITS_ID_BITS);
  }

  /** Where an entry is: undefined when its second-level page is not there, "stall" when memory is not. */
  #addressOf(index: number): number | undefined | "stall" {
    if (!this.#isIndirect) return this.#base + index * TABLE_ENTRY_SIZE;
    const perPage = this.#pageSize / TABLE_ENTRY_SIZE;
    const first = read64(this.dma, this.#base + Math.floor(index / perPage) * FIRST_LEVEL_SIZE);
    if (first === undefined) return "stall";
    if ((first & FIRST_LEVEL_VALID) === 0n) return undefined;
    const page = Number(first & 0xf_ffff_ffff_f000n) - Number(first & 0xf_ffff_ffff_f000n) % this.#pageSize;
    return page + index % perPage * TABLE_ENTRY_SIZE;
  }

  /** An entry; 0n where there is none, "stall" when memory is not there. */
  read(index: number): bigint | "stall" {
    if (index >= this.count) return 0n;
    const address = this.#addressOf(index);
    if (address === "stall") return "stall";
    return address === undefined ? 0n : read64(this.dma, address) ?? "stall";
  }

  /** Writes an entry, where there is one; "stall" when memory is not there. */
  write(index: number, value: bigint): "done" | "stall" {
    if (index >= this.count) return "done";
    const address = this.#addressOf(index);
    if (address === undefined) return "done";
    return address !== "stall" && write64(this.dma, address, value) ? "done" : "stall";
  }
}

function read64(dma: Dma, address: number): bigint | undefined {
  const bytes = dma.read(address, 8);
  return bytes === undefined ? undefined : new DataView(bytes.buffer).getBigUint64(0, true);
}

function write64(dma: Dma, address: number, value: bigint): boolean {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return dma.write(address, bytes);
}

/** The entry of a device with 2^`eventBits` events; invalid without one. */
export function encodeDevice(
  entry: { readonly eventBits: number; readonly table: bigint } | undefined,
): bigint {
  return entry === undefined ? 0n : VALID | BigInt(entry.eventBits - 1) << 1n | entry.table & ADDRESS_MASK;
}

/** The device of an entry, if it is valid. */
export function decodeDevice(entry: bigint): DeviceEntry | undefined {
  if ((entry & VALID) === 0n) return undefined;
  return { events: 2 ** (Number(entry >> 1n & 0x1fn) + 1), table: Number(entry & ADDRESS_MASK) };
}

/** The entry of a collection: the processor number of its target; invalid without one. */
export function encodeCollection(target: number | undefined): bigint {
  return target === undefined ? 0n : VALID | BigInt(target) << 16n;
}

/** The target of a collection's entry, if it is valid. */
export function decodeCollection(entry: bigint): number | undefined {
  return (entry & VALID) === 0n ? undefined : Number(entry >> 16n & ID_MASK);
}

/** Reads a device's translation of an event: undefined when it is not valid, "stall" when memory is not there. */
export function readTranslation(
  dma: Dma,
  device: DeviceEntry,
  event: number,
): Translation | undefined | "stall" {
  const value = read64(dma, device.table + event * TRANSLATION_SIZE);
  if (value === undefined) return "stall";
  if ((value & VALID) === 0n) return undefined;
  return { collection: Number(value >> 16n & ID_MASK), interrupt: Number(value >> 32n) };
}

/** Writes a device's translation of an event; invalid without one. */
export function writeTranslation(
  dma: Dma,
  device: DeviceEntry,
  event: number,
  translation: Translation | undefined,
): "done" | "stall" {
  const value = translation === undefined
    ? 0n
    : VALID | BigInt(translation.collection) << 16n | BigInt(translation.interrupt) << 32n;
  return write64(dma, device.table + event * TRANSLATION_SIZE, value) ? "done" : "stall";
}
