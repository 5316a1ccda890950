/** The physical address space: memory in one WebAssembly memory, devices in ranges beside it. */
import { hex, type PhysicalAddress } from "../address.ts";
import { ConfigurationError } from "../errors.ts";

/** Size of the pages in which writes are tracked, in bytes. */
export const PAGE_SIZE = 4096;

/** The page changed since its hash was last taken. */
export const PAGE_DIRTY = 1;
/** The page served a translation table walk. */
export const PAGE_WALKED = 2;
/** The page holds code that an engine has decoded. */
export const PAGE_CODE = 4;
/** An exclusive monitor that outlives its turn watches the page. */
export const PAGE_MONITORED = 8;
/** The page served walks otherwise than with last descriptors of 4 KiB pages: much may have come from one descriptor. */
export const PAGE_WALKED_THROUGH = 16;

const FOUR_DIRTY = PAGE_DIRTY * 0x0101_0101;

/** Bytes beside the machine's state, if there is room: page marks, TLBs, decoded code. */
const HOST_SIZE = 2 ** 27;
/** The least that a machine runs with. */
const MINIMUM_HOST_SIZE = 2 ** 25;

/** Who makes an access: the CPU's number and the security state of the access. */
export interface AccessContext {
  /** Number of the CPU; -1 for DMA and the operator. */
  readonly cpu: number;
  /** True for Secure accesses. */
  readonly secure: boolean;
}

/** What answers at a range of physical addresses that is not memory. Sizes are 1, 2 and 4 bytes; the bus splits 8. */
export interface MappedDevice {
  /** Name shown in events and messages. */
  readonly name: string;
  /** Reads `size` bytes at `offset` from the range's base, as an unsigned little-endian number. */
  read(offset: number, size: number, context: AccessContext): number;
  /** Writes `size` bytes at `offset`. */
  write(offset: number, size: number, value: number, context: AccessContext): void;
}

/** A range of memory, RAM or the array of a flash bank. */
export interface MemoryRegion {
  /** Unique name, such as `ram`. */
  readonly name: string;
  /** First physical address. */
  readonly base: PhysicalAddress;
  /** Bytes, a multiple of PAGE_SIZE. */
  readonly size: number;
  /** Offset of the first byte in the WebAssembly memory. */
  readonly hostOffset: number;
  /** Takes writes and, while `direct` is false, reads; plain RAM has none. */
  readonly device: MappedDevice | undefined;
  /** Answers Secure accesses only; to others there is nothing. */
  readonly secureOnly: boolean;
  /** CPU reads and fetches go to the bytes; false while a flash bank answers commands. */
  direct: boolean;
}

/** A range of addresses answered by a device. */
export interface DeviceRange {
  /** First physical address. */
  readonly base: PhysicalAddress;
  /** Bytes. */
  readonly size: number;
  /** What answers. */
  readonly device: MappedDevice;
  /** Answers Secure accesses only; to others there is nothing. */
  readonly secureOnly: boolean;
  /** The device is on the bus; otherwise there is nothing. */
  isAttached: boolean;
}

/** What an access to an address meets; `undefined` is nothing, an external abort for a CPU. */
export type Target =
  | { readonly kind: "memory"; readonly region: MemoryRegion; readonly hostOffset: number }
  | { readonly kind: "device"; readonly device: MappedDevice; readonly offset: number };

/** Told of writes to memory pages that carry more than the dirty mark. */
export interface WriteWatcher {
  /** `flags` are the page's marks before the write of `size` bytes at `address`. */
  written(address: PhysicalAddress, size: number, flags: number, writer: number): void;
}

/** Caches in front of memory that strict models make visible; memory's own bytes are what devices see. */
export interface MemoryCache {
  /**
   * What a table walk sees of the 8 bytes of a descriptor at an address: a view of them at 0, or undefined when they
   * are memory's own, at `hostOffset`.
   */
  descriptor(address: PhysicalAddress, hostOffset: number, cacheable: boolean): DataView | undefined;
  /** Puts what CPUs see by cacheable accesses in place of what memory has. */
  overlay(address: number, bytes: Uint8Array): void;
  /** The operator writes bytes, for every observer; memory has them already. */
  patched(address: number, bytes: Uint8Array): void;
  /** A device reads memory. */
  readByDevice(address: number, size: number): void;
}

/** Told of what concerns decoded code. */
export interface CodeObserver {
  /** A write of `size` bytes at an offset of the machine's memory follows, within a page marked PAGE_CODE. */
  written(hostOffset: number, size: number): void;
  /** Nothing that was read from memory before can be relied on. */
  dropped(): void;
  /** A breakpoint of some CPU on a virtual address (56 bits, without its tag) was armed or disarmed. */
  breakpointChanged(address: bigint): void;
}

/** The machine's physical memory map and its bytes. */
export class PhysicalMemory {
  /** The one WebAssembly memory: CPU state first, then every region. */
  readonly memory: WebAssembly.Memory;
  /** All bytes of the WebAssembly memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Little-endian access to the same bytes. */
  readonly view: DataView<ArrayBuffer>;
  /**
   * One byte of PAGE_* marks for each page of the WebAssembly memory. Writes set PAGE_DIRTY here; all else goes through
   * `mark`, `unmark` and `clearDirty`.
   */
  readonly pageFlags: Uint8Array<ArrayBuffer>;
  /** Regions in order of mapping. */
  readonly regions: MemoryRegion[] = [];
  /** Device ranges in order of mapping. */
  readonly ranges: DeviceRange[] = [];
  /** Asked before writes to marked pages; set by the machine. */
  watcher: WriteWatcher | undefined;
  /** Caches that can be seen, if a strict model has any. */
  cache: MemoryCache | undefined;
  /** The engine that keeps decoded code, if any. */
  codeObserver: CodeObserver | undefined;
  /** Told of bytes that a device's DMA, or the operator, reads or writes, by whoever watches them. */
  accessedByDevice: ((address: PhysicalAddress, size: number, write: boolean) => void) | undefined;
  /** Called when a region changes between memory and device behaviour, so that cached translations go. */
  mapChanged: () => void = () => {};
  /** Called when a restore has replaced what pages hold: cached translations go; decoded code was told page by page. */
  contentsReplaced: () => void = () => {};
  /**
   * Called after writes to some of `count` pages from `first` began to need attention: they lost PAGE_DIRTY or got
   * another mark. An engine that lets writes to pages marked PAGE_DIRTY alone pass unseen forgets these pages then.
   */
  marksChanged: (first: number, count: number) => void = () => {};
  /** Four marks at a time. */
  readonly #flagWords: Int32Array<ArrayBuffer>;
  #used: number;
  readonly #regionsEnd: number;
  #hostUsed: number;

  /**
   * `capacity` is the sum of all regions in bytes; `reserved` bytes in front hold CPU state. `host` bytes more are for
   * what engines keep beside the machine's state (`reserveHost`); they are given as far as there is room.
   */
  constructor(reserved: number, capacity: number, host: number = HOST_SIZE) {
    const pages = Math.min(65536, Math.ceil((reserved + capacity + host) / 65536));
    if (reserved + capacity + MINIMUM_HOST_SIZE > pages * 65536) {
      throw new ConfigurationError(
        `Cannot build a machine with ${
          Math.ceil(capacity / 2 ** 20)
        } MiB of memory: one WebAssembly memory ` +
          `holds 4096 MiB; use -m 3G or less`,
      );
    }
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(this.memory.buffer as ArrayBuffer);
    this.view = new DataView(this.memory.buffer as ArrayBuffer);
    this.#used = reserved;
    this.#regionsEnd = Math.ceil((reserved + capacity) / PAGE_SIZE) * PAGE_SIZE;
    this.#hostUsed = this.#regionsEnd;
    const flags = pages * (65536 / PAGE_SIZE);
    this.pageFlags = new Uint8Array(this.memory.buffer as ArrayBuffer, this.reserveHost(flags), flags);
    this.#flagWords = new Int32Array(this.pageFlags.buffer, this.pageFlags.byteOffset, flags / 4);
  }

  /** Bytes left for `reserveHost`. */
  get hostLeft(): number {
    return this.bytes.length - this.#hostUsed;
  }

  /**
   * Sets bytes of the machine's memory aside for what is no part of its state (caches, decoded code, page marks);
   * returns their offset, a multiple of PAGE_SIZE. Throws RangeError when they do not fit.
   */
  reserveHost(size: number): number {
    const offset = this.#hostUsed;
    if (size > this.hostLeft) {
      throw new RangeError(
        `Cannot reserve ${size} bytes beside the machine's memory: ${this.hostLeft} are left`,
      );
    }
    this.#hostUsed = Math.ceil((offset + size) / PAGE_SIZE) * PAGE_SIZE;
    return offset;
  }

  #refuseOverlap(name: string, base: number, size: number): void {
    for (const other of [...this.regions, ...this.ranges]) {
      if (base < other.base + other.size && other.base < base + size) {
        const taken = "name" in other ? other.name : other.device.name;
        throw new RangeError(`Cannot map "${name}" at ${hex(base)}: range overlaps "${taken}"`);
      }
    }
  }

  /** Maps memory; throws RangeError when ranges overlap or the capacity given at construction is used up. */
  addRegion(
    name: string,
    base: PhysicalAddress,
    size: number,
    options: { readonly device?: MappedDevice; readonly secureOnly?: boolean } = {},
  ): MemoryRegion {
    this.#refuseOverlap(name, base, size);
    if (size % PAGE_SIZE !== 0 || this.#used + size > this.#regionsEnd) {
      throw new RangeError(`Cannot map "${name}" at ${hex(base)}: ${size} bytes do not fit`);
    }
    const { device, secureOnly = false } = options;
    const region = { name, base, size, hostOffset: this.#used, device, secureOnly, direct: true };
    this.#used += size;
    this.regions.push(region);
    return region;
  }

  /** Maps a device; throws RangeError when ranges overlap. */
  addDevice(base: PhysicalAddress, size: number, device: MappedDevice, secureOnly = false): DeviceRange {
    this.#refuseOverlap(device.name, base, size);
    const range = { base, size, device, secureOnly, isAttached: true };
    this.ranges.push(range);
    return range;
  }

  /** Takes a device off the bus, or puts it back. */
  setAttached(range: DeviceRange, isAttached: boolean): void {
    if (range.isAttached === isAttached) return;
    range.isAttached = isAttached;
    this.mapChanged();
  }

  /** Switches a region between memory behaviour and its device's. */
  setDirect(region: MemoryRegion, direct: boolean): void {
    if (region.direct === direct) return;
    region.direct = direct;
    this.mapChanged();
  }

  /** What answers an access to an address; memory regions first. */
  target(address: PhysicalAddress, secure = true): Target | undefined {
    for (const region of this.regions) {
      const offset = address - region.base;
      if (offset >= 0 && offset < region.size) {
        if (region.secureOnly && !secure) return undefined;
        return { kind: "memory", region, hostOffset: region.hostOffset + offset };
      }
    }
    for (const { base, size, device, secureOnly, isAttached } of this.ranges) {
      const offset = address - base;
      if (offset >= 0 && offset < size) {
        return !isAttached || secureOnly && !secure ? undefined : { kind: "device", device, offset };
      }
    }
    return undefined;
  }

  /** Offset in the WebAssembly memory of the byte that a CPU reads at an address; -1 where something else answers. */
  directOffset(address: PhysicalAddress, secure: boolean): number {
    for (const { base, size, hostOffset, secureOnly, direct } of this.regions) {
      const offset = address - base;
      if (offset >= 0 && offset < size) return direct && (secure || !secureOnly) ? hostOffset + offset : -1;
    }
    return -1;
  }

  /** Offset in the WebAssembly memory of plain bytes at an address, or -1; ignores a region's device. */
  hostOffset(address: PhysicalAddress, size = 1): number {
    for (const region of this.regions) {
      const offset = address - region.base;
      if (offset >= 0 && offset + size <= region.size) return region.hostOffset + offset;
    }
    return -1;
  }

  /** The physical address of an offset within a region. */
  physicalAddress(hostOffset: number): PhysicalAddress {
    const found = this.regions.find(({ hostOffset: first, size }) =>
      hostOffset >= first && hostOffset < first + size
    );
    if (found === undefined) throw new RangeError(`Cannot find what is at offset ${hostOffset}: no region`);
    return (found.base + (hostOffset - found.hostOffset)) as PhysicalAddress;
  }

  /** Adds marks other than PAGE_DIRTY to a page of the WebAssembly memory. */
  mark(page: number, marks: number): void {
    const flags = this.pageFlags[page] as number;
    if ((flags & marks) === marks) return;
    this.pageFlags[page] = flags | marks;
    this.marksChanged(page, 1);
  }

  /** Takes marks other than PAGE_DIRTY from a page. */
  unmark(page: number, marks: number): void {
    this.pageFlags[page] = (this.pageFlags[page] as number) & ~marks;
  }

  #hasDirtyOf16(page: number): boolean {
    const words = this.#flagWords, at = page >>> 2;
    const first = (words[at] as number) | (words[at + 1] as number);
    return ((first | (words[at + 2] as number) | (words[at + 3] as number)) & FOUR_DIRTY) !== 0;
  }

  /** Takes PAGE_DIRTY from `count` pages from `first`; returns the numbers of those that had it, in order. */
  clearDirty(first: number, count: number): number[] {
    const { pageFlags } = this, pages: number[] = [];
    for (let page = first; page < first + count; page++) {
      if ((page & 15) === 0 && !this.#hasDirtyOf16(page)) {
        page += 15;
        continue;
      }
      const flags = pageFlags[page] as number;
      if ((flags & PAGE_DIRTY) === 0) continue;
      pageFlags[page] = flags & ~PAGE_DIRTY;
      pages.push(page);
    }
    if (pages.length > 0) this.marksChanged(first, count);
    return pages;
  }

  /** Marks the pages of a write before it happens, and tells the watcher of pages that carry more marks. */
  markWritten(hostOffset: number, size: number, address: PhysicalAddress, writer: number): void {
    const last = (hostOffset + size - 1) >>> 12;
    for (let page = hostOffset >>> 12; page <= last; page++) {
      const flags = this.pageFlags[page] as number;
      if (flags === PAGE_DIRTY) continue;
      this.pageFlags[page] = flags | PAGE_DIRTY;
      if ((flags & PAGE_CODE) !== 0) this.#codeWritten(page, hostOffset, size);
      if ((flags & ~PAGE_DIRTY) !== 0) this.watcher?.written(address, size, flags, writer);
    }
  }

  #codeWritten(page: number, hostOffset: number, size: number): void {
    const start = Math.max(hostOffset, page * PAGE_SIZE);
    const end = Math.min(hostOffset + size, (page + 1) * PAGE_SIZE);
    this.codeObserver?.written(start, end - start);
  }

  /** Copies bytes out of memory; throws RangeError when the range is not memory throughout. */
  readBytes(address: PhysicalAddress, size: number): Uint8Array<ArrayBuffer> {
    const offset = this.hostOffset(address, size);
    if (offset < 0) throw new RangeError(`Cannot read ${size} bytes at ${hex(address)}: not memory`);
    return this.bytes.slice(offset, offset + size);
  }

  /** Copies bytes as a CPU would read them through its caches; throws RangeError as `readBytes`. */
  viewBytes(address: PhysicalAddress, size: number): Uint8Array<ArrayBuffer> {
    const bytes = this.readBytes(address, size);
    this.cache?.overlay(address, bytes);
    return bytes;
  }

  /** Reads bytes as a device's DMA does; throws RangeError as `readBytes`. */
  readByDevice(address: PhysicalAddress, size: number): Uint8Array<ArrayBuffer> {
    this.cache?.readByDevice(address, size);
    return this.readBytes(address, size);
  }

  /** Writes bytes as the operator does: CPUs see them, and devices; throws RangeError as `writeBytes`. */
  patchBytes(address: PhysicalAddress, bytes: Uint8Array): void {
    this.writeBytes(address, bytes);
    this.cache?.patched(address, bytes);
  }

  /** Writes bytes as DMA, an image loader or the operator does; throws RangeError when the range is not memory. */
  writeBytes(address: PhysicalAddress, bytes: Uint8Array, writer = -1): void {
    const offset = this.hostOffset(address, bytes.length);
    if (offset < 0) throw new RangeError(`Cannot write ${bytes.length} bytes at ${hex(address)}: not memory`);
    if (bytes.length > 0) this.markWritten(offset, bytes.length, address, writer);
    if (writer === -1) this.accessedByDevice?.(address, bytes.length, true);
    this.bytes.set(bytes, offset);
  }
}
