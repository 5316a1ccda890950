/** Physical memory as boot services hand it out: regions by type, allocated and freed by pages (UEFI 2.10 §7.2). */
import { EFI_STATUS, EfiError } from "../../efi_status.ts";

/** A run of pages of one type. */
export interface Region {
  /** EFI_MEMORY_TYPE. */
  readonly type: number;
  /** First physical address. */
  readonly base: number;
  /** Pages of 4096 bytes. */
  readonly pages: number;
  /** Attribute. */
  readonly attributes: bigint;
  /** VirtualStart; 0n before SetVirtualAddressMap. */
  readonly virtual: bigint;
}

/** Pages of UEFI. */
export const PAGE = 4096;
/** EfiConventionalMemory, and the last type that there is. */
const CONVENTIONAL = 7, LAST_TYPE = 14;
const WRITE_BACK = 8n;
/** EFI_MEMORY_RUNTIME. */
const RUNTIME = 1n << 63n;
const DESCRIPTOR = 48;
/** EFI_ALLOCATE_TYPE. */
const ANY = 0, BELOW = 1, AT = 2;

const endOf = ({ base, pages }: Pick<Region, "base" | "pages">): number => base + pages * PAGE;

/** Regions in order, without overlaps. */
export class MemoryRegions {
  #regions: Region[];
  /** Changes whenever a region does: MapKey. */
  key = 1;

  /** What there is. */
  constructor(regions: Iterable<Region>) {
    this.#regions = [...regions].sort((one, other) => one.base - other.base);
  }

  /** All of them. */
  get all(): readonly Region[] {
    return this.#regions;
  }

  /** Gives a range within one region another type; neighbours that are alike become one. */
  #retype(from: Region, base: number, pages: number, type: number): void {
    const before = (base - from.base) / PAGE, after = from.pages - before - pages;
    const pieces: Region[] = [
      { ...from, pages: before },
      { ...from, type, base, pages },
      { ...from, base: base + pages * PAGE, pages: after },
    ].filter((piece) => piece.pages > 0);
    this.#regions.splice(this.#regions.indexOf(from), 1, ...pieces);
    this.#regions = this.#regions.reduce<Region[]>((merged, region) => {
      const last = merged.at(-1);
      const isAlike = last?.type === region.type && last.attributes === region.attributes &&
        endOf(last) === region.base && last.virtual === 0n && region.virtual === 0n;
      if (isAlike) merged[merged.length - 1] = { ...last, pages: last.pages + region.pages };
      else merged.push(region);
      return merged;
    }, []);
    this.key++;
  }

  /** AllocatePages: the highest place that is free, or the one that is asked for. `address` is a limit or that place. */
  allocate(how: number, type: number, pages: number, address: number): number {
    if (how > AT || type > LAST_TYPE || type === CONVENTIONAL || pages < 1) {
      throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    }
    const free = this.#regions.filter((region) =>
      region.type === CONVENTIONAL && region.attributes === WRITE_BACK
    );
    if (how === AT) {
      const found = free.find((region) => region.base <= address && address + pages * PAGE <= endOf(region));
      if (address % PAGE !== 0) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
      if (found === undefined) throw new EfiError(EFI_STATUS.NOT_FOUND);
      this.#retype(found, address, pages, type);
      return address;
    }
    const limit = how === BELOW ? address + 1 : Infinity;
    for (const region of free.reverse()) {
      const end = Math.min(endOf(region), limit), base = Math.floor((end - pages * PAGE) / PAGE) * PAGE;
      if (base < region.base) continue;
      this.#retype(region, base, pages, type);
      return base;
    }
    throw new EfiError(EFI_STATUS.OUT_OF_RESOURCES);
  }

  /** FreePages. */
  free(base: number, pages: number): void {
    const found = this.#regions.find((region) =>
      region.type !== CONVENTIONAL && region.base <= base && base + pages * PAGE <= endOf(region)
    );
    if (base % PAGE !== 0 || pages < 1) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    if (found === undefined || found.attributes !== WRITE_BACK) throw new EfiError(EFI_STATUS.NOT_FOUND);
    this.#retype(found, base, pages, CONVENTIONAL);
  }

  /** The memory map's descriptors. */
  bytes(): Uint8Array<ArrayBuffer> {
    const view = new DataView(new ArrayBuffer(this.#regions.length * DESCRIPTOR));
    for (const [index, { type, base, pages, attributes, virtual }] of this.#regions.entries()) {
      view.setUint32(index * DESCRIPTOR, type, true);
      const values = [BigInt(base), virtual, BigInt(pages), attributes];
      for (const [at, value] of values.entries()) {
        view.setBigUint64(index * DESCRIPTOR + 8 + at * 8, value, true);
      }
    }
    return new Uint8Array(view.buffer);
  }

  /** Descriptors read back, `size` bytes from each to the next. */
  static parse(bytes: Uint8Array, size: number = DESCRIPTOR): Region[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => {
      const number = (at: number) => view.getBigUint64(index * size + at, true);
      return {
        type: view.getUint32(index * size, true),
        base: Number(number(8) & (1n << 52n) - 1n),
        pages: Number(number(24) & (1n << 40n) - 1n),
        attributes: number(32),
        virtual: number(16),
      };
    });
  }

  /**
   * SetVirtualAddressMap: the caller's map says where each runtime region is. Throws EFI_NO_MAPPING for one that it
   * leaves out, EFI_NOT_FOUND for one that there is not.
   */
  setVirtual(map: readonly Region[]): void {
    const wanted = map.filter(({ attributes }) => (attributes & RUNTIME) !== 0n);
    const isOf = (region: Region, other: Region) =>
      region.base === other.base && region.pages === other.pages;
    const own = this.#regions.filter(({ attributes }) => (attributes & RUNTIME) !== 0n);
    if (!wanted.every((region) => own.some((other) => isOf(region, other)))) {
      throw new EfiError(EFI_STATUS.NOT_FOUND);
    }
    if (!own.every((region) => wanted.some((other) => isOf(region, other)))) {
      throw new EfiError(EFI_STATUS.NO_MAPPING);
    }
    this.#regions = this.#regions.map((region) => {
      const found = wanted.find((other) => isOf(region, other));
      return found === undefined ? region : { ...region, virtual: found.virtual };
    });
  }

  /** The virtual address of a physical one in a runtime region; EFI_NOT_FOUND outside. */
  convert(address: bigint): bigint {
    const found = this.#regions.find((region) =>
      (region.attributes & RUNTIME) !== 0n && address >= BigInt(region.base) &&
      address < BigInt(endOf(region))
    );
    if (found === undefined) throw new EfiError(EFI_STATUS.NOT_FOUND);
    return BigInt.asUintN(64, address - BigInt(found.base) + found.virtual);
  }
}

/** AnyPages, as AllocatePool asks. */
export const ALLOCATE_ANY_PAGES: number = ANY;
