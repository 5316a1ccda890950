/**
 * Memory that a realm's runtime has for a program: a pool, in which the program's pages are one behind the other by its
 * header, and a page in which the runtime finds the registers of a program that came.
 */
import type { PhysicalAddress } from "../../../../machine/address.ts";
import type { Cpu } from "../../../../machine/cpu/cpu.ts";
import { u53 } from "../../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";
import type { El2Monitor } from "../../../el2_monitor.ts";
import { translateGuest } from "../../../guest_memory.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { HEADER_BYTES, pagesOf, placedBytes, placeOf, type ProgramHeader } from "./program_image.ts";
import type { ProgramState } from "./program_state.ts";
import { clearMemory } from "./secure_space.ts";

/** Fields of a section. */
export const MEMORY_FIELDS = { pool: u53, poolSize: u53, context: u53 } as const;

/** What a section has of it. */
export interface MemoryState {
  /** Where the pool is. */
  readonly pool: number;
  /** Its bytes. */
  readonly poolSize: number;
  /** Where the page of registers is; 0 for nowhere. */
  readonly context: number;
}

/** Before the runtime has told of any. */
export const NO_MEMORY: MemoryState = { pool: 0, poolSize: 0, context: 0 };

/** A range of the realm's memory. */
interface Range {
  readonly base: number;
  readonly size: number;
}

/** The runtime's memory for a program. */
export class RuntimeMemory {
  #pool: Range = { base: 0, size: 0 };
  #context = 0;

  /** `el2` has the realm. */
  constructor(private readonly el2: El2Monitor) {}

  /** The range of the realm's memory that Xn and Xn+1 name, of so many bytes at most; undefined for what is none. */
  rangeIn(vcpu: Vcpu, n: number, most = Infinity): Range | undefined {
    const [base, size] = [Number(vcpu.x(n)), Number(vcpu.x(n + 1))];
    return size > 0 && size <= most && this.#isWithin(base, size) ? { base, size } : undefined;
  }

  /** The page of the realm's memory that Xn names; undefined for what is none. */
  pageIn(vcpu: Vcpu, n: number): number | undefined {
    const base = Number(vcpu.x(n));
    return this.#isWithin(base, PAGE_SIZE) ? base : undefined;
  }

  #isWithin(base: number, size: number): boolean {
    const { ram } = this.el2.space;
    return base % PAGE_SIZE === 0 && base >= ram.base && base + size <= ram.base + ram.size;
  }

  /** The runtime has told where its memory is. */
  setAside(pool: Range, context = this.#context): void {
    this.#pool = pool;
    this.#context = context;
  }

  /** Bytes of the pool. */
  get capacity(): number {
    return this.#pool.size;
  }

  /** A program's pages are no more than the pool has room for. */
  hasRoom(header: ProgramHeader): boolean {
    return placedBytes(header, PAGE_SIZE) <= this.#pool.size;
  }

  /** The runtime maps every page of a program to where the pool has it. */
  isMapped(cpu: Cpu, header: ProgramHeader): boolean {
    return [...pagesOf(header)].every((address) => {
      const place = translateGuest(cpu, "s12e0", BigInt(address));
      return !place.faulted && place.address === this.#at(header, address);
    });
  }

  #at(header: ProgramHeader, address: number): PhysicalAddress {
    return (this.#pool.base + (placeOf(header, address, PAGE_SIZE) as number)) as PhysicalAddress;
  }

  /** The page at an address. */
  read(header: ProgramHeader, address: number): Uint8Array {
    return this.el2.site.memory.viewBytes(this.#at(header, address), PAGE_SIZE);
  }

  /** Puts a page at an address. */
  write(header: ProgramHeader, address: number, contents: Uint8Array): void {
    this.el2.site.memory.patchBytes(this.#at(header, address), contents);
  }

  /** Puts a program's header and registers where the runtime looks for them. */
  writeContext({ header, x, registers, pc, flags, v }: ProgramState): void {
    const words = BigUint64Array.from([...x, ...registers, pc, flags, ...v]);
    const context = new Uint8Array(PAGE_SIZE);
    context.set(header);
    context.set(new Uint8Array(words.buffer), HEADER_BYTES);
    this.el2.site.memory.patchBytes(this.#context as PhysicalAddress, context);
  }

  /** Clears what is set aside. */
  clear(): void {
    this.#clear(this.#pool);
    this.#clear({ base: this.#context, size: this.#context === 0 ? 0 : PAGE_SIZE });
  }

  /** Clears all of the realm. */
  clearAll(): void {
    this.#clear(this.el2.space.ram);
  }

  #clear({ base, size }: Range): void {
    clearMemory(this.el2.site.memory, base, size);
  }

  /** What a section has. */
  save(): MemoryState {
    const { base: pool, size: poolSize } = this.#pool;
    return { pool, poolSize, context: this.#context };
  }

  /** Restores it. */
  restore({ pool, poolSize, context }: MemoryState): void {
    this.#pool = { base: pool, size: poolSize };
    this.#context = context;
  }
}
