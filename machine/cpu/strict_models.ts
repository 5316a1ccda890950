/** The strict models of a machine: caches and waiting writes that the architecture lets software see. */
import type { PhysicalAddress } from "../address.ts";
import type { EventFields, EventHub } from "../events.ts";
import type { MemoryCache, PhysicalMemory } from "../memory/physical.ts";
import { LINE_SIZE } from "../memory/strict_cache_page.ts";
import { DataCache, type DataCacheObserver } from "../memory/strict_data_cache.ts";
import { InstructionCache } from "../memory/strict_instruction_cache.ts";
import { StrictTlb } from "../memory/strict_tlb.ts";
import type { Section } from "../snapshot.ts";
import type { Cpu } from "./cpu.ts";
import { PendingWrites } from "./strict_context.ts";
import { systemRegisterNamed } from "./system_registers.ts";

/** Which models there are. */
export type StrictChoice = Readonly<Record<"tlb" | "icache" | "dcache" | "context", boolean>>;

type Reader = EventFields<"staleDataRead">["reader"];

/** What a machine's strict models hold; all of it is state. */
export class StrictModels implements MemoryCache, DataCacheObserver {
  /** TLBs by CPU. */
  readonly tlbs: readonly StrictTlb[] | undefined;
  /** Instruction caches by CPU. */
  readonly instructionCaches: readonly InstructionCache[] | undefined;
  /** The data cache of all CPUs. */
  readonly dataCache: DataCache | undefined;
  /** Waiting register writes by CPU. */
  readonly contexts: readonly PendingWrites[] | undefined;
  /** A look at what was done already, that leaves no event. */
  isQuiet = false;
  /** The last translation may be kept: whoever does the same again gets the same, without an event. */
  isLasting = true;
  #reader: Reader = "cpu";
  #cpu = 0;

  /** Empty models of `count` CPUs. */
  constructor(
    choice: StrictChoice,
    private readonly memory: PhysicalMemory,
    private readonly events: EventHub,
    count: number,
  ) {
    const each = <T>(make: () => T): T[] => Array.from({ length: count }, make);
    this.tlbs = choice.tlb ? each(() => new StrictTlb()) : undefined;
    this.instructionCaches = choice.icache ? each(() => new InstructionCache()) : undefined;
    this.dataCache = choice.dcache ? new DataCache(memory, this) : undefined;
    this.contexts = choice.context ? each(() => new PendingWrites()) : undefined;
  }

  /** Loads, stores and fetches have to look at caches, so that no quick way may leave them out. */
  get hasCaches(): boolean {
    return this.instructionCaches !== undefined || this.dataCache !== undefined;
  }

  /**
   * Quick ways may be used for data, and for code that is as the instruction cache holds it: there is no data cache, and
   * one CPU, since CPUs share what is decoded.
   */
  get allowsQuickAccess(): boolean {
    return this.dataCache === undefined && (this.instructionCaches?.length ?? 1) === 1;
  }

  /** The data cache, about to be used by a CPU. */
  dataCacheFor(cpu: number): DataCache | undefined {
    this.#cpu = cpu;
    this.#reader = "cpu";
    return this.dataCache;
  }

  /** See DataCacheObserver. */
  staleRead(address: number, used: Uint8Array, present: Uint8Array): void {
    if (this.isQuiet) return;
    this.events.emit("staleDataRead", this.#cpu, { reader: this.#reader, address, used, present });
  }

  /** See DataCacheObserver. */
  staleWritten(address: number, written: Uint8Array, replaced: Uint8Array): void {
    this.events.emit("staleDataWritten", this.#cpu, { address, written, replaced });
  }

  /** Reports what walks since the last call read that was not the newest; true when they did. */
  reportWalks(cpu: number): boolean {
    const stale = this.dataCache?.staleWalk;
    if (this.dataCache === undefined || stale === undefined) return false;
    this.dataCache.staleWalk = undefined;
    if (!this.isQuiet) this.events.emit("staleDataRead", cpu, { reader: "walk", ...stale });
    return true;
  }

  /** See MemoryCache. */
  descriptor(address: PhysicalAddress, hostOffset: number, cacheable: boolean): DataView | undefined {
    return this.dataCache?.descriptor(address, hostOffset, cacheable);
  }

  /** See MemoryCache. */
  overlay(address: number, bytes: Uint8Array): void {
    this.dataCache?.overlay(address, bytes);
  }

  /** See MemoryCache. */
  patched(address: number, bytes: Uint8Array): void {
    this.dataCache?.patch(address, bytes);
    for (const cache of this.instructionCaches ?? []) cache.patch(address, bytes);
  }

  /** See MemoryCache; events of devices are those of CPU 0. */
  readByDevice(address: number, size: number): void {
    if (this.dataCache === undefined) return;
    this.#cpu = 0;
    this.#reader = "device";
    for (let at = address; at < address + size;) {
      const end = Math.min(address + size, at - at % LINE_SIZE + LINE_SIZE);
      this.dataCache.checkMemory(at, this.memory.hostOffset(at as PhysicalAddress), end - at);
      at = end;
    }
  }

  /** A CPU is reset: its TLB, its instruction cache and its waiting writes are gone. */
  resetCpu(cpu: Cpu): void {
    this.tlbs?.[cpu.index]?.drop(() => true);
    this.instructionCaches?.[cpu.index]?.dropAll();
    // What was decoded is no longer held.
    if (this.instructionCaches !== undefined) this.memory.codeObserver?.dropped();
    this.contexts?.[cpu.index]?.clear(cpu);
  }

  /** The machine is reset: what was not cleaned is lost. */
  reset(): void {
    this.dataCache?.dropAll();
  }

  /** The sections, in the order in which they enter the state root. */
  save(): Section[] {
    return [
      ...(this.tlbs ?? []).map((tlb, index) => tlb.save(`strict_tlb${index}`)),
      ...(this.instructionCaches ?? []).map((cache, index) => cache.save(`strict_icache${index}`)),
      ...(this.dataCache === undefined ? [] : [this.dataCache.save("strict_dcache")]),
      ...(this.contexts ?? []).map((context, index) => context.save(`strict_context${index}`)),
    ];
  }

  /** Restores what `save` gave, taking sections by name; the CPUs must have been restored before. */
  restore(cpus: readonly Cpu[], take: (name: string) => Section): void {
    this.tlbs?.forEach((tlb, index) => tlb.restore(take(`strict_tlb${index}`)));
    this.instructionCaches?.forEach((cache, index) => cache.restore(take(`strict_icache${index}`)));
    this.dataCache?.restore(take("strict_dcache"));
    this.contexts?.forEach((context, index) =>
      context.restore(cpus[index] as Cpu, take(`strict_context${index}`), systemRegisterNamed)
    );
  }
}
