/** Direct memory access: how a device reaches memory, and what it meets where there is none. */
import type { PhysicalAddress } from "../address.ts";
import type { EventHub } from "../events.ts";
import type { PhysicalMemory } from "../memory/physical.ts";

/** The door of one device to memory: Non-secure, and behind the data cache of a strict model unless it is coherent. */
export class Dma {
  /**
   * `device` is the name in events; nothing is reached while `isAllowed` says no; `isCoherent` devices see what CPUs
   * see by cacheable accesses.
   */
  constructor(
    private readonly device: string,
    private readonly memory: PhysicalMemory,
    private readonly events: EventHub,
    private readonly isAllowed: () => boolean = () => true,
    private readonly isCoherent: boolean = false,
  ) {}

  /** The address when `size` bytes of memory are there for Non-secure accesses; flash is read, never written. */
  #memoryAt(address: bigint | number, size: number, writes: boolean): PhysicalAddress | undefined {
    const first = Number(address);
    if (!Number.isSafeInteger(first + size) || first < 0 || size < 0 || !this.isAllowed()) return undefined;
    const target = this.memory.target(first as PhysicalAddress, false);
    if (target?.kind !== "memory") return undefined;
    const { device, direct } = target.region;
    if (device !== undefined && (writes || !direct)) return undefined;
    return this.memory.hostOffset(first as PhysicalAddress, size) < 0 ? undefined : first as PhysicalAddress;
  }

  /** Whether `size` bytes of memory are at a physical address, to be read or with `writes` to be written. */
  reaches(address: bigint | number, size: number, writes = false): boolean {
    return this.#memoryAt(address, size, writes) !== undefined;
  }

  /** Copies bytes out of memory; undefined when the range is not memory throughout. */
  read(address: bigint | number, size: number): Uint8Array<ArrayBuffer> | undefined {
    const at = this.#memoryAt(address, size, false);
    if (at === undefined) return undefined;
    this.events.emit("memoryReadByDevice", 0, { device: this.device, address: at, size });
    this.memory.accessedByDevice?.(at, size, false);
    return this.isCoherent ? this.memory.viewBytes(at, size) : this.memory.readByDevice(at, size);
  }

  /** Copies bytes to memory; false, with nothing written, when the range is not memory throughout. */
  write(address: bigint | number, bytes: Uint8Array): boolean {
    const at = this.#memoryAt(address, bytes.length, true);
    if (at === undefined) return false;
    this.events.emit("memoryWrittenByDevice", 0, { device: this.device, address: at, size: bytes.length });
    if (this.isCoherent) this.memory.patchBytes(at, bytes);
    else this.memory.writeBytes(at, bytes);
    return true;
  }
}
