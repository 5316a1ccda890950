/** EFI memory maps: all of RAM by what it is for, as GetMemoryMap gives it (UEFI 2.10 §7.2.3). */
import type { MemoryRange } from "../loader/kernel_boot.ts";

/** EFI_MEMORY_TYPE, by the specification's name without `Efi`. */
// deno-fmt-ignore
export const EFI_MEMORY_TYPE = {
  ReservedMemoryType: 0, LoaderCode: 1, LoaderData: 2, BootServicesCode: 3, BootServicesData: 4,
  RuntimeServicesCode: 5, RuntimeServicesData: 6, ConventionalMemory: 7, UnusableMemory: 8,
  ACPIReclaimMemory: 9, ACPIMemoryNVS: 10, MemoryMappedIO: 11, MemoryMappedIOPortSpace: 12,
  PalCode: 13, PersistentMemory: 14,
} as const;

/** A name of `EFI_MEMORY_TYPE`. */
export type EfiMemoryType = keyof typeof EFI_MEMORY_TYPE;

/** EFI_MEMORY_UC, WC, WT, WB, XP, RO and RUNTIME: bits of a descriptor's Attribute. */
// deno-fmt-ignore
export const EFI_MEMORY = {
  UC: 1n, WC: 2n, WT: 4n, WB: 8n, XP: 0x4000n, RO: 0x2_0000n, RUNTIME: 1n << 63n,
} as const;

/** A page of UEFI, whatever the kernel's. */
export const EFI_PAGE = 4096;

/**
 * A descriptor: a range of physical addresses, multiples of 4096. Linux takes what is LoaderCode to BootServicesData,
 * ConventionalMemory and (reserved until used) ACPIReclaimMemory as free; it never maps other memory as RAM, so that
 * firmware's pages, mailboxes and the like stay as they are.
 */
export interface EfiRegion extends MemoryRange {
  /** What it is for. */
  readonly type: EfiMemoryType;
  /** Attribute; by default EFI_MEMORY_WB, which makes it memory (without WB, WT and WC it is none to Linux). */
  readonly attributes?: bigint;
  /** VirtualStart, of regions with EFI_MEMORY_RUNTIME after SetVirtualAddressMap; default 0. */
  readonly virtual?: bigint;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/**
 * The memory map of a machine: `regions` in order of their addresses, with ConventionalMemory in the gaps of `ram`.
 * Regions may lie outside RAM (devices). Throws RangeError for one that is not whole pages or overlaps another.
 */
export function efiMemoryMap(ram: MemoryRange, regions: readonly EfiRegion[]): EfiRegion[] {
  const sorted = [...regions].sort((one, other) => one.base - other.base), map: EfiRegion[] = [];
  for (const { base, size, type } of [...sorted, { ...ram, type: "RAM" }]) {
    if (base % EFI_PAGE !== 0 || size % EFI_PAGE !== 0 || size <= 0) {
      throw new RangeError(
        `${type} at ${hex(base)} of ${hex(size)} bytes is not whole pages of ${EFI_PAGE} bytes`,
      );
    }
  }
  const end = ram.base + ram.size;
  let free = ram.base, last = "", limit = -1;
  const fill = (to: number) => {
    if (to > free) map.push({ base: free, size: to - free, type: "ConventionalMemory" });
  };
  for (const region of sorted) {
    const what = `${region.type} at ${hex(region.base)}`;
    if (region.base < limit) throw new RangeError(`${what} overlaps ${last}`);
    if (region.base < end) fill(Math.min(region.base, end));
    map.push(region);
    last = what;
    limit = region.base + region.size;
    free = Math.max(free, limit);
  }
  fill(end);
  return map;
}

/** EFI_MEMORY_DESCRIPTOR_VERSION. */
export const EFI_DESCRIPTOR_VERSION = 1;
/** Bytes from one descriptor to the next: more than it has, as the specification wants readers to expect. */
export const EFI_DESCRIPTOR_SIZE = 48;

/** A memory map as bytes, `EFI_DESCRIPTOR_SIZE` for each descriptor. */
export function encodeMemoryMap(map: readonly EfiRegion[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(map.length * EFI_DESCRIPTOR_SIZE), view = new DataView(bytes.buffer);
  for (const [index, { base, size, type, attributes = EFI_MEMORY.WB, virtual = 0n }] of map.entries()) {
    const at = index * EFI_DESCRIPTOR_SIZE;
    view.setUint32(at, EFI_MEMORY_TYPE[type], true);
    view.setBigUint64(at + 8, BigInt(base), true);
    view.setBigUint64(at + 16, virtual, true);
    view.setBigUint64(at + 24, BigInt(size / EFI_PAGE), true);
    view.setBigUint64(at + 32, attributes, true);
  }
  return bytes;
}
