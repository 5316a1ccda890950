/** What a write to a marked page does to CPUs: cached translations go, exclusive monitors clear. */
import type { PhysicalAddress } from "../address.ts";
import {
  PAGE_MONITORED,
  PAGE_SIZE,
  PAGE_WALKED,
  PAGE_WALKED_THROUGH,
  type PhysicalMemory,
  type WriteWatcher,
} from "../memory/physical.ts";
import { MAINTENANCE } from "../memory/strict_data_cache.ts";
import { type Tlb, walkedPageWritten } from "../memory/tlb.ts";
import type { Cpu } from "./cpu.ts";

/** Forgets all cached translations and controls of all CPUs; results never depend on when. */
export function dropTranslations(cpus: readonly Cpu[]): void {
  for (const cpu of cpus) cpu.tlb.drop();
}

/** Clears the monitors of other CPUs on a range; a clear is an event for WFE (Arm ARM B2.9.2, D1.16). */
function clearMonitors(cpus: readonly Cpu[], address: number, size: number, writer: number): void {
  for (const cpu of cpus) {
    if (cpu.index === writer || !cpu.monitor.watches(address, size)) continue;
    cpu.monitor.clear("otherStore");
    cpu.signalEvent("monitorCleared");
    cpu.attention = true;
  }
}

class CpuWriteWatcher implements WriteWatcher {
  readonly #tlbs: readonly Tlb[];

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly cpus: readonly Cpu[],
  ) {
    this.#tlbs = cpus.map(({ tlb }) => tlb);
  }

  written(address: PhysicalAddress, size: number, flags: number, writer: number): void {
    const offset = this.memory.hostOffset(address, size);
    if ((flags & PAGE_WALKED) !== 0) {
      // With a cache in between, memory does not tell what descriptors were.
      if (this.memory.cache !== undefined) dropTranslations(this.cpus);
      else if (walkedPageWritten(this.memory, this.#tlbs, offset, size, flags)) {
        this.#unmark(offset, size, PAGE_WALKED | PAGE_WALKED_THROUGH);
      }
    }
    if ((flags & PAGE_MONITORED) !== 0 && writer !== MAINTENANCE) {
      clearMonitors(this.cpus, address, size, writer);
      this.#unmark(offset, size, PAGE_MONITORED);
      for (const { monitor } of this.cpus) monitor.mark();
    }
  }

  #unmark(offset: number, size: number, marks: number): void {
    const last = Math.floor((offset + size - 1) / PAGE_SIZE);
    for (let page = Math.floor(offset / PAGE_SIZE); page <= last; page++) {
      this.memory.unmark(page, marks);
    }
  }
}

/** Makes memory tell the CPUs of writes that concern them, and of changes of the physical map. */
export function watchWrites(memory: PhysicalMemory, cpus: readonly Cpu[]): void {
  memory.watcher = new CpuWriteWatcher(memory, cpus);
  memory.mapChanged = () => {
    dropTranslations(cpus);
    // Code is found by translations alone, and what a flash bank does to its bytes is told like any write.
    if (memory.cache !== undefined) memory.codeObserver?.dropped();
    // Marks of pages that were memory may be gone.
    for (const { monitor } of cpus) monitor.mark();
  };
  memory.contentsReplaced = () => {
    dropTranslations(cpus);
    // What CPUs see through caches does not follow from memory.
    if (memory.cache !== undefined) memory.codeObserver?.dropped();
  };
}
