/**
 * What a monitor's guest has at which intermediate physical address: memory and devices of the board at their own
 * addresses through stage 2, but for what is emulated and for the monitor's own memory.
 */
import { type BoardRow, isMemory, RAM_BASE } from "../machine/board.ts";
import { MODELS } from "../machine/cpu/model.ts";
import type { PhysicalAddress } from "../machine/address.ts";
import { type MappedDevice, PAGE_SIZE } from "../machine/memory/physical.ts";
import type { MonitorSite } from "../machine/monitor.ts";
import type { Section } from "../machine/snapshot.ts";
import type { Exit } from "./exit.ts";
import { injectNoAnswer } from "./injection.ts";
import { decodeMmio, performMmio } from "./mmio.ts";
import { layOwnSpace, ownSpaceRegisters } from "./own_space.ts";
import { PagePool } from "./page_pool.ts";
import { Stage2 } from "./stage2.ts";
import { MEMORY_RW, MEMORY_RWX } from "./stage2_attributes.ts";
import type { Vcpu } from "./vcpu.ts";
import { VirtualBus } from "./virtual_bus.ts";

/** HCR_EL2.VM; VTCR_EL2.PS, which says the same as ID_AA64MMFR0_EL1.PARange. */
const HCR_VM = 1n, VTCR_PS = 16n;

/** A range of intermediate physical addresses. */
interface Range {
  readonly base: number;
  readonly size: number;
}

/** A guest's intermediate physical address space under a monitor at EL2. */
export class GuestSpace {
  /** Pages for tables. */
  readonly pool: PagePool;
  /** The tables. */
  readonly stage2: Stage2;
  /** What is emulated. */
  readonly bus = new VirtualBus();
  readonly #emulated: Range[] = [];

  /** `site.reserve` gives the pages. */
  constructor(private readonly site: MonitorSite) {
    const { base, size } = site.reserve;
    const { physicalSize } = MODELS[site.board.configuration.cpuModel].limits;
    this.pool = new PagePool(base as PhysicalAddress, size);
    this.stage2 = new Stage2(site.memory, this.pool, { physicalSize });
  }

  /**
   * Puts a device in place of what the board has in these pages; before the first reset. Throws RangeError when
   * something is emulated there already.
   */
  emulate(base: number, size: number, device: MappedDevice): void {
    this.bus.add(base, size, device);
    const first = base - base % PAGE_SIZE, end = Math.ceil((base + size) / PAGE_SIZE) * PAGE_SIZE;
    this.#emulated.push({ base: first, size: end - first });
  }

  /** The guest's RAM. */
  get ram(): Range {
    return { base: RAM_BASE, size: this.site.reserve.base - RAM_BASE };
  }

  /** Lays the tables down, before CPUs start. */
  reset(): void {
    this.pool.reset();
    // The first page of all, so that its address is known without being kept.
    layOwnSpace(this.site.memory, this.pool.take());
    this.stage2.reset();
    for (const row of this.site.board.rows) if (!row.secureOnly) this.#mapRow(row);
    for (const { base, size } of this.#emulated) this.stage2.unmap(undefined, base, size);
  }

  #mapRow(row: BoardRow): void {
    const base = row.base - row.base % PAGE_SIZE;
    const isRam = row.base === RAM_BASE;
    const end = isRam ? this.site.reserve.base : Math.ceil((row.base + row.size) / PAGE_SIZE) * PAGE_SIZE;
    // The type of memory is stage 1's to say; nothing is executed from devices.
    const attributes = isMemory(row) ? MEMORY_RWX : MEMORY_RW;
    this.stage2.map(undefined, base, base, end - base, attributes);
  }

  /** Puts the tables in force for a CPU that starts. */
  started(vcpu: Vcpu): void {
    const registers = ownSpaceRegisters(this.pool.base, this.stage2.vtcr >> VTCR_PS & 7n);
    for (const [name, value] of Object.entries(registers)) vcpu.set(name, value);
    vcpu.set("VTCR_EL2", this.stage2.vtcr);
    vcpu.set("VTTBR_EL2", this.stage2.vttbr);
    vcpu.change("HCR_EL2", HCR_VM);
  }

  /** A data abort of stage 2: does the access to an emulated register, or injects that nothing answers. */
  dataAborted(vcpu: Vcpu, exit: Exit): void {
    if (exit.ipa >= 0 && this.bus.find(exit.ipa) !== undefined) {
      const access = decodeMmio(vcpu.cpu);
      if (access !== undefined && performMmio(vcpu.cpu, this.bus, access)) return vcpu.skip();
    }
    injectNoAnswer(vcpu, exit);
  }

  /** A fetch that stage 2 refuses: nothing answers. */
  fetchAborted(vcpu: Vcpu, exit: Exit): void {
    injectNoAnswer(vcpu, exit);
  }

  /** Sections `NAME_pool` and `NAME_stage2`. */
  save(name: string): Section[] {
    return [this.pool.save(`${name}_pool`), this.stage2.save(`${name}_stage2`)];
  }

  /** Restores what `save` gave. */
  restore(name: string, section: (name: string) => Section): void {
    this.pool.restore(section(`${name}_pool`));
    this.stage2.restore(section(`${name}_stage2`));
  }
}
