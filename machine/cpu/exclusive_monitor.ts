/** The local exclusive monitor of a CPU (Arm ARM B2.9); write_watcher.ts clears it for others' writes. */
import type { PhysicalAddress } from "../address.ts";
import type { EventFields } from "../events.ts";
import { PAGE_MONITORED } from "../memory/physical.ts";
import { MONITOR } from "../memory/tlb.ts";
import type { Cpu } from "./cpu.ts";

/** Bytes watched by a monitor: the exclusives reservation granule, CTR_EL0.ERG = 4. */
export const RESERVATION_GRANULE = 64;

/** Why a monitor was cleared. */
export type ClearReason = EventFields<"exclusiveCleared">["reason"];

/** One CPU's local monitor; its state is in words beside the TLB, where generated code opens and closes it too. */
export class ExclusiveMonitor {
  readonly #words: Int32Array<ArrayBuffer>;
  /** Physical address while open on something else than memory. */
  #elsewhere = 0;

  /** The monitor of `cpu`. */
  constructor(private readonly cpu: Cpu) {
    this.#words = cpu.tlb.monitor;
  }

  /** True in the Exclusive Access state. */
  get open(): boolean {
    return this.#words[MONITOR.open] !== 0;
  }

  /** Bytes of the load-exclusive while open, else 0. */
  get size(): number {
    return this.#words[MONITOR.size] as number;
  }

  /** Physical address of the load-exclusive while open, else 0. */
  get address(): number {
    if (!this.open) return 0;
    const host = (this.#words[MONITOR.host] as number) >>> 0;
    return host === 0 ? this.#elsewhere : this.cpu.surroundings.memory.physicalAddress(host);
  }

  /** A load-exclusive of `size` bytes at a physical address. */
  set(address: number, size: number): void {
    this.clear("newReservation");
    this.restore(true, address, size);
    this.cpu.surroundings.events.emit("exclusiveSet", this.cpu.index, { address, size });
  }

  /** Returns to the Open Access state; nothing happens when it is in that state. */
  clear(reason: ClearReason): void {
    if (!this.open) return;
    const address = this.address;
    this.restore(false, 0, 0);
    this.cpu.surroundings.events.emit("exclusiveCleared", this.cpu.index, { address, reason });
  }

  /** Puts the monitor in a state, as reset (closed) and snapshots do, without events. */
  restore(open: boolean, address: number, size: number): void {
    const host = open ? this.cpu.surroundings.memory.hostOffset(address as PhysicalAddress) : 0;
    this.#words[MONITOR.open] = open ? 1 : 0;
    this.#words[MONITOR.size] = size;
    this.#words[MONITOR.host] = Math.max(host, 0);
    this.#elsewhere = address;
    this.mark();
  }

  /** True when a write of `size` bytes at a physical address touches the watched granule. */
  watches(address: number, size: number): boolean {
    const base = this.address - this.address % RESERVATION_GRANULE;
    return this.open && address < base + RESERVATION_GRANULE && base < address + size;
  }

  /**
   * True when a store-exclusive may write: the address and the size are those of the load-exclusive. Another address
   * in the granule, or another size, is CONSTRAINED UNPREDICTABLE (Arm ARM B2.9.5); QEMU compares the address too.
   */
  allows(address: number, size: number): boolean {
    return this.open && this.address === address && this.size === size;
  }

  /**
   * Marks the watched page, so that writes by others are noticed: other CPUs' and DMA. Every open monitor's page is
   * marked at all times; the watcher takes the mark away when no open monitor is left there.
   */
  mark(): void {
    if (!this.open) return;
    const host = (this.#words[MONITOR.host] as number) >>> 0;
    if (host === 0) return;
    this.cpu.surroundings.memory.mark(host >>> 12, PAGE_MONITORED);
  }
}

/** Marks what the CPU's monitor watches; harmless when it is marked already. */
export function markOpenMonitors(cpu: Cpu): void {
  cpu.monitor.mark();
}
