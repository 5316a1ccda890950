/** The virtual machines that are on: made with a VMID, blocks of RAM and a boot image, and taken apart again. */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { RAM_BASE } from "../../../machine/board.ts";
import { MODELS } from "../../../machine/cpu/model.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { PagePool } from "../../page_pool.ts";
import type { Vcpu } from "../../vcpu.ts";
import { planVmBoot } from "./boot.ts";
import { startingContext } from "./context.ts";
import {
  BLOCK_PAGES,
  type Image,
  type Instance,
  keyOf,
  PAGE_BYTES,
  type VmKey,
  type VmObject,
} from "./objects.ts";
import { BlockPool, type Range } from "./ram.ts";
import { VirtualMachine, type VmState } from "./virtual_machine.ts";

/** How virtual machines are made. */
export interface VirtualMachinesOptions {
  /** Blocks are cleared when they are taken. */
  readonly clears: boolean;
  /** Takes a byte of a console. */
  readonly transmitted: (vm: VirtualMachine, byte: number) => void;
}

/** All of them, in the order in which they were turned on. */
export class VirtualMachines {
  /** One was on since power-on. */
  hasRun = false;
  /** Bits of a physical address. */
  readonly physicalSize: number;
  readonly #on = new Map<number, VirtualMachine>();
  #blocks: BlockPool;

  /** `pool` is what tables are made of; of the site's memory nothing is used before the first call. */
  constructor(
    private readonly site: MonitorSite,
    private readonly pool: PagePool,
    private readonly options: VirtualMachinesOptions,
  ) {
    this.physicalSize = MODELS[site.board.configuration.cpuModel].limits.physicalSize;
    this.#blocks = new BlockPool(site.memory, { base: 0, size: 0 }, [], options.clears);
  }

  /** The machine's RAM without the monitor's own. */
  get ram(): Range {
    return { base: RAM_BASE, size: this.site.reserve.base - RAM_BASE };
  }

  /** Power-on: none is on, and all RAM is free but what is taken. Answers the pages that are free. */
  reset(taken: readonly Range[]): number {
    this.#blocks = new BlockPool(this.site.memory, this.ram, taken, this.options.clears);
    return this.#blocks.free * BLOCK_PAGES;
  }

  /** None is on. */
  clear(): void {
    this.#on.clear();
    this.hasRun = false;
  }

  /** Those that are on. */
  get all(): readonly VirtualMachine[] {
    return [...this.#on.values()];
  }

  /** How many are on. */
  get count(): number {
    return this.#on.size;
  }

  /** One that is on. */
  find(key: VmKey): VirtualMachine | undefined {
    return this.#on.get(keyOf(key));
  }

  /** One that is on, by its objects. */
  findObject(instance: Instance, vm: VmObject): VirtualMachine | undefined {
    return this.find({ instance: instance.number, vm: vm.number });
  }

  /** Nothing of what virtual machines have: an image can be there. */
  isStorage({ address, size }: Image): boolean {
    const { base, size: all } = this.ram;
    return address >= base && address + size <= base + all && !this.#blocks.touches(address, size);
  }

  /** Turns one on, whose first context is made with `vcpu`; throws CallError when its images do not fit. */
  start(vcpu: Vcpu, instance: Instance, vm: VmObject, image: Image, initrd: Image | undefined): void {
    const read = ({ address, size }: Image): Uint8Array =>
      this.site.memory.readBytes(address as PhysicalAddress, size);
    const boot = planVmBoot({
      board: this.site.board,
      size: vm.pages * PAGE_BYTES,
      name: `${instance.name}/${vm.name}`,
      kernel: read(image),
      initrd: initrd && read(initrd),
      arguments: vm.arguments,
    });
    const key = { instance: instance.number, vm: vm.number };
    const machine = this.#make(key, this.#freeVmid(), this.#blocks.take(vm.pages / BLOCK_PAGES));
    machine.reset();
    for (const { ipa, bytes } of boot.writes) machine.memory.write(ipa, bytes);
    machine.context = startingContext(vcpu, boot.pc, boot.tree);
    this.#on.set(keyOf(key), machine);
    this.hasRun = true;
  }

  #make(key: VmKey, vmid: number, blocks: readonly number[]): VirtualMachine {
    const { site, pool, physicalSize, options: { transmitted } } = this;
    return new VirtualMachine(key, { site, pool, physicalSize, transmitted }, vmid, blocks);
  }

  #freeVmid(): number {
    const taken = new Set(this.all.map(({ vmid }) => vmid));
    for (let vmid = 1;; vmid++) if (!taken.has(vmid)) return vmid;
  }

  /** Gives what one had of the machine back. */
  end(machine: VirtualMachine): void {
    machine.release();
    this.#blocks.give(machine.memory.blocks);
    this.#on.delete(keyOf(machine));
  }

  /** States of all. */
  get state(): readonly VmState[] {
    return this.all.map(({ state }) => state);
  }

  /** Restores what `state` gave. */
  restore(states: readonly VmState[]): void {
    this.#blocks.restore(states.flatMap(({ blocks }) => blocks));
    this.#on.clear();
    for (const state of states) {
      const machine = this.#make(state, state.vmid, state.blocks);
      machine.restore(state);
      this.#on.set(keyOf(state), machine);
    }
  }
}
