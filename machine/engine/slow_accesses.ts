/** Accesses that generated code leaves to its driver: registers of devices, bytes of one page, and all others. */
import type { PhysicalAddress } from "../address.ts";
import type { Cpu } from "../cpu/cpu.ts";
import { KnownRegisters } from "../cpu/known_registers.ts";
import { copyBytes, pageEntry } from "../cpu/place.ts";
import { accessLevel } from "../cpu/slow_access.ts";
import { PAGE_DIRTY, type PhysicalMemory } from "../memory/physical.ts";
import { isUnprivileged, plainAccess, readDescriptor, SHARED, SLOW } from "./threaded_layout.ts";

/** Those of a machine's CPUs; values come and go by SHARED.value. Addresses are given in halves, low first. */
export class SlowAccesses {
  /** Devices' registers by CPU. */
  readonly #registers: readonly KnownRegisters[];

  /** `shared` is the offset of the block SHARED, `words` are its words. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly shared: number,
    private readonly words: Int32Array<ArrayBuffer>,
    cpus: readonly Cpu[],
  ) {
    this.#registers = cpus.map((cpu) => new KnownRegisters(cpu));
  }

  /** Reads or writes a device's register if that is all there is to it; false, and nothing has happened, if it is not. */
  register(cpu: Cpu, low: number, high: number, descriptor: number): boolean {
    const kind = plainAccess(descriptor), size = descriptor >>> 8;
    if (kind === undefined || isUnprivileged(descriptor)) return false;
    if (size > 4 || (low & (size - 1)) !== 0) return false;
    if (!cpu.surroundings.events.takesNumbers) return false;
    return this.device(cpu, low, high, kind === "read" ? SLOW.load : SLOW.store, size);
  }

  /** The same for an access that is known to be aligned, of `size` bytes and of a kind of SLOW. */
  device(cpu: Cpu, low: number, high: number, kind: number, size: number): boolean {
    const registers = this.#registers[cpu.index] as KnownRegisters, { words } = this;
    if (kind !== SLOW.load) return registers.write(high, low, size, this.#written(size));
    const value = registers.read(high, low, size);
    if (value < 0) return false;
    words[SHARED.value >> 2] = value;
    words[(SHARED.value >> 2) + 1] = 0;
    return true;
  }

  /** What 1, 2 or 4 bytes become. */
  #written(size: number): number {
    const mask = size === 4 ? -1 : (1 << size * 8) - 1;
    return ((this.words[SHARED.value >> 2] as number) & mask) >>> 0;
  }

  /** Loads or stores if that is one of bytes in one page of memory; false, and nothing has happened, if it is not. */
  page(cpu: Cpu, low: number, high: number, descriptor: number): boolean {
    const { memory } = this, shared = this.shared + SHARED.value;
    const kind = plainAccess(descriptor), size = descriptor >>> 8;
    if (kind === undefined || (low & (size - 1)) !== 0) return false;
    const level = isUnprivileged(descriptor) ? accessLevel(cpu, "unprivileged") : cpu.el;
    const entry = pageEntry(cpu, high, low, kind, level, size);
    if (entry < 0) return false;
    const table = cpu.tlb[kind], offset = table.hostPage(entry) + (low & 0xfff);
    if (kind === "read") {
      copyBytes(memory.view, offset, shared, size);
      return true;
    }
    if (memory.pageFlags[offset >>> 12] !== PAGE_DIRTY) {
      const physical = (table.physicalPage[entry] as number) + (low & 0xfff);
      memory.markWritten(offset, size, physical as PhysicalAddress, cpu.index);
    }
    copyBytes(memory.view, shared, offset, size);
    return true;
  }

  /** Any access, or the exception that it raises. */
  any(cpu: Cpu, address: bigint, descriptor: number): void {
    const { kind, size, access } = readDescriptor(descriptor);
    if (kind === SLOW.load) this.#setValue(cpu.load(address, size, access));
    else if (kind === SLOW.store) cpu.store(address, size, this.#value(size), access);
    else if (kind === SLOW.loadExclusive) this.#setValue(cpu.loadExclusive(address, size, access));
    else this.#setValue(cpu.storeExclusive(address, size, this.#value(size), access));
  }

  #setValue(value: bigint): void {
    const { view } = this.memory, at = this.shared + SHARED.value;
    view.setBigUint64(at, value, true);
    view.setBigUint64(at + 8, value >> 64n, true);
  }

  #value(size: number): bigint {
    const { view } = this.memory, at = this.shared + SHARED.value;
    const low = view.getBigUint64(at, true);
    return size === 16 ? low | view.getBigUint64(at + 8, true) << 64n : BigInt.asUintN(size * 8, low);
  }
}
