/**
 * A realm where it is: its CPUs, its memory, how all of it comes to stand still, and how it goes on. The realm's memory is
 * at its own addresses, from the start of RAM on.
 */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { bytes, flag, listOf, u32 } from "../../../machine/layout.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../../../machine/memory/physical.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import type { Vcpu } from "../../vcpu.ts";
import {
  applyState,
  captureCpu,
  captureState,
  type CpuState,
  obstacle,
  stoppedCpus,
} from "./canonical_state.ts";
import type { Planted } from "./planted.ts";
import { type Piece, STATE_PLACE, type TeeImage } from "./pieces.ts";

/** Who waits for EL2's timer: a CPU that is to stand still is brought there, and again when it cannot yet. */
export const TIMER_USER = "tee-migration";
/** Virtual nanoseconds that sealing, or opening, a piece takes. */
const PIECE_NANOSECONDS = 2000;
/** Counts of the system counter after which a CPU that cannot stand still yet is looked at again: 16 µs. */
const RETRY_COUNTS = 1000n;
/** Most bytes of a canonical state. */
const MOST_STATE = 1 << 21;

/** Fields of a section. */
export const REALM_FIELDS = {
  isWanted: flag,
  isFrozen: flag,
  /** CPUs that stand still already. */
  stopped: stoppedCpus,
  /** Of a frozen realm: its state; of one that comes: as much as has come. */
  state: bytes(MOST_STATE),
  pages: listOf(u32, 1 << 20),
} as const;

/** What a section has of a realm. */
export interface RealmState {
  /** It is asked to stand still. */
  readonly isWanted: boolean;
  /** It stands still. */
  readonly isFrozen: boolean;
  /** CPUs that stand still. */
  readonly stopped: readonly CpuState[];
  /** Its state. */
  readonly state: Uint8Array;
  /** Numbers of its pages that are not zero, from the start of RAM on. */
  readonly pages: number[];
}

/** What a realm has of a machine. */
export interface RealmPlace {
  /** First physical address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** How many CPUs, the first ones. */
  readonly cpus: number;
}

/** A realm, or room for one. */
export class Realm {
  #isWanted = false;
  #isFrozen = false;
  #stopped: CpuState[] = [];
  #state: Uint8Array = new Uint8Array(0);
  #pages: readonly number[] = [];

  /** `frozen` is called when it stands still as it was asked to. */
  constructor(
    private readonly monitor: El2Monitor,
    readonly place: RealmPlace,
    private readonly planted: Planted | undefined,
    private readonly frozen: (image: TeeImage) => void,
  ) {
    monitor.timer.use(TIMER_USER);
  }

  get #vcpus(): Vcpu[] {
    return this.monitor.site.cpus.slice(0, this.place.cpus).map((cpu) => this.monitor.vcpu(cpu));
  }

  /** It stands still as a whole. */
  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** There is a state that can be resumed. */
  get isWhole(): boolean {
    return this.#state.length > 0;
  }

  /** No CPU runs, nothing is kept; memory stays as it is. */
  reset(): void {
    this.#isWanted = false;
    this.#forget();
  }

  #forget(): void {
    this.#isFrozen = false;
    this.#stopped = [];
    this.#state = new Uint8Array(0);
    this.#pages = [];
  }

  /** Asks it to stand still. */
  freeze(): void {
    this.#isWanted = true;
    for (const vcpu of this.#running()) this.#summon(vcpu, 0n);
  }

  #running(): Vcpu[] {
    return this.#vcpus.filter(({ cpu }) => cpu.on);
  }

  /** Brings a CPU to EL2 after some counts. */
  #summon(vcpu: Vcpu, counts: bigint): void {
    this.monitor.timer.set(vcpu, TIMER_USER, vcpu.get("CNTPCT_EL0") + counts);
    vcpu.cpu.attention = true;
  }

  /**
   * A CPU goes back to the realm, unless it is to stand still. When all stand, the realm does, or they go on and are asked
   * again later: one that waited for another would keep an interrupt in service.
   */
  returning(vcpu: Vcpu): void {
    if (!this.#isWanted || !vcpu.cpu.on) return;
    this.monitor.timer.set(vcpu, TIMER_USER, undefined);
    this.#stopped.push(captureCpu(vcpu));
    vcpu.set("CNTV_CTL_EL0", 0n);
    vcpu.cpu.on = false;
    vcpu.cpu.attention = true;
    if (this.#running().length > 0) return;
    if (obstacle(this.monitor, vcpu, this.#stopped) !== undefined) {
      this.#release();
      for (const running of this.#running()) this.#summon(running, RETRY_COUNTS);
      return;
    }
    this.#isWanted = false;
    this.#isFrozen = true;
    this.#state = captureState(this.monitor, vcpu, this.#stopped);
    this.#stopped = [];
    this.#pages = this.#used();
    this.frozen(this.image());
  }

  /** Those that stand go on where they were. */
  #release(): void {
    for (const { index, registers } of this.#stopped.splice(0)) {
      const vcpu = this.#vcpus[index] as Vcpu;
      vcpu.set("CNTV_CTL_EL0", registers.find(({ name }) => name === "CNTV_CTL_EL0")?.value ?? 0n);
      start(vcpu.cpu);
    }
  }

  /** Numbers of the pages that are not zero. */
  #used(): number[] {
    return usedPages(this.monitor.site.memory, this.place.base, this.place.size / PAGE_SIZE);
  }

  /** What stands still, in pieces: its state, and its pages that are not zero. */
  image(): TeeImage {
    const { clock, memory } = this.monitor.site, { base } = this.place;
    const state = this.#state, parts = Math.ceil(state.length / PAGE_SIZE), pages = this.#pages;
    return {
      count: parts + pages.length,
      piece: (index) => {
        clock.charge(PIECE_NANOSECONDS);
        if (index < parts) {
          const at = index * PAGE_SIZE;
          return { place: STATE_PLACE + at, bytes: state.slice(at, at + PAGE_SIZE) };
        }
        const place = base + (pages[index - parts] as number) * PAGE_SIZE;
        return { place, bytes: memory.readBytes(place as PhysicalAddress, PAGE_SIZE) };
      },
    };
  }

  /** What has come, all of it, in pieces. */
  arrived(): TeeImage {
    this.#pages = this.#used();
    return this.image();
  }

  /** Takes a piece of one that comes; why it cannot, or undefined. */
  put({ place, bytes }: Piece): string | undefined {
    const { site } = this.monitor, { base, size } = this.place;
    site.clock.charge(PIECE_NANOSECONDS);
    if (place >= STATE_PLACE) {
      const at = place - STATE_PLACE;
      if (at !== this.#state.length || at + bytes.length > MOST_STATE) return "its state is not in order";
      const state = new Uint8Array(at + bytes.length);
      state.set(this.#state);
      state.set(bytes, at);
      this.#state = state;
      return undefined;
    }
    const isPage = place >= base && place + PAGE_SIZE <= base + size && place % PAGE_SIZE === 0;
    if (!isPage || bytes.length !== PAGE_SIZE) return "it has a page where the realm has no memory";
    site.memory.patchBytes(place as PhysicalAddress, bytes);
    return undefined;
  }

  /** It goes on from its state, with all CPUs that were on. Nothing while one runs that is not asked to stand still. */
  resume(): void {
    if (!this.isWhole) return;
    const on = applyState(this.monitor, this.#vcpus, this.#state);
    this.#forget();
    if (this.planted === "no-state") { for (const { cpu } of on) cpu.registers.v.fill(0n); }
    for (const { cpu } of on) start(cpu);
  }

  /** What stands still goes on, and what was asked to stand still is not any more. */
  thaw(): void {
    this.#isWanted = false;
    for (const vcpu of this.#running()) this.monitor.timer.set(vcpu, TIMER_USER, undefined);
    if (this.#isFrozen) this.resume();
    else this.#release();
  }

  /** Puts a realm that stands still in place of one that is kept elsewhere. */
  stand(): void {
    this.#isFrozen = true;
    this.#pages = this.#used();
  }

  /** Clears its memory; its CPUs stand still. */
  clear(): void {
    const wipes = this.planted !== "no-wipe";
    const { memory } = this.monitor.site, zeros = new Uint8Array(PAGE_SIZE);
    this.#isWanted = false;
    for (const vcpu of this.#vcpus) {
      vcpu.cpu.on = false;
      vcpu.set("CNTV_CTL_EL0", 0n);
    }
    for (const page of wipes ? this.#used() : []) {
      memory.patchBytes((this.place.base + page * PAGE_SIZE) as PhysicalAddress, zeros);
    }
    this.#forget();
  }

  /** For a section. */
  save(): RealmState {
    return {
      isWanted: this.#isWanted,
      isFrozen: this.#isFrozen,
      stopped: [...this.#stopped],
      state: this.#state,
      pages: [...this.#pages],
    };
  }

  /** Restores what `save` gave. */
  restore({ isWanted, isFrozen, stopped, state, pages }: RealmState): void {
    this.#isWanted = isWanted;
    this.#isFrozen = isFrozen;
    this.#stopped = [...stopped];
    this.#state = state;
    this.#pages = pages;
  }
}

/** Numbers, from a physical address on, of the pages of RAM that are not zero. */
export function usedPages(memory: PhysicalMemory, base: number, count: number): number[] {
  const offset = memory.hostOffset(base as PhysicalAddress, count * PAGE_SIZE), used: number[] = [];
  const { buffer, byteOffset } = memory.bytes, perPage = PAGE_SIZE / 4;
  const words = new Int32Array(buffer, byteOffset + offset, count * perPage);
  for (let page = 0; page < count; page++) {
    for (let at = page * perPage; at < (page + 1) * perPage; at++) {
      if (words[at] === 0) continue;
      used.push(page);
      break;
    }
  }
  return used;
}

function start(cpu: Vcpu["cpu"]): void {
  cpu.on = true;
  cpu.waiting = "none";
  cpu.attention = true;
}
