/** Virtualization Extensions of a GICv2: list registers and a virtual CPU interface (Arm IHI 0048B, chapter 5). */
import { u32, type ValueOf } from "../layout.ts";
import { words } from "./fixed_arrays.ts";
import { at, SGI_COUNT } from "./gic_interrupts.ts";
import { GicV2CpuInterface, type InterruptSource } from "./gic_v2_cpu_interface.ts";
import { type Candidate, ENABLE_GROUP } from "./gic_v2_interrupts.ts";
import { type RegisterMap, registerMap } from "./register_map.ts";

/** What the virtual interface of one CPU acts on. */
export interface VirtualInterfaceOptions {
  /** Deactivates a physical interrupt that stands behind a virtual one. */
  readonly deactivatePhysical: (interrupt: number) => void;
  /** Called after each change that may change outputs. */
  readonly changed: () => void;
}

/** Section fields of the hypervisor's side of a virtual interface. */
export const VIRTUAL_FIELDS = { control: u32, listRegisters: words(4) } as const;

const LIST_REGISTERS = 4;

const HCR_EN = 1 << 0;
const HCR_ENABLES = 0xff;
const HCR_EOI_COUNT = 0x1f << 27;
const HCR_EOI_COUNT_ONE = 1 << 27;

/** The bits of a list register. */
const LR_HW = 1 << 31;
const LR_GROUP1 = 1 << 30;
const LR_ACTIVE = 1 << 29;
const LR_PENDING = 1 << 28;
const LR_STATE = LR_ACTIVE | LR_PENDING;
const LR_EOI = 1 << 19;
const LR_RESERVED = 7 << 20;
const virtualId = (entry: number): number => entry & 0x3ff;
const physicalId = (entry: number): number => (entry >>> 10) & 0x3ff;
const senderOf = (entry: number): number => (entry >>> 10) & 7;
const priorityOf = (entry: number): number => ((entry >>> 23) & 0x1f) << 3;

/** The virtual interface of one CPU: GICH for the hypervisor, GICV for its guest. */
export class GicV2VirtualInterface implements InterruptSource {
  // deno-fmt-ignore
  /** Registers, at their offsets from GICH. */
  static readonly map: RegisterMap<GicV2VirtualInterface, never> = registerMap<GicV2VirtualInterface>()([
    // offset name      access bits reset       behaviour
    [0x000, "GICH_HCR",   "RW", 32, 0x0000_0000, { read: (it) => it.state.control, write: (it, value) => it.#writeControl(value) }],
    [0x004, "GICH_VTR",   "RO", 32, 0x9000_0003, { read: () => 0x9000_0003 }],
    [0x008, "GICH_VMCR",  "RW", 32, 0x004c_0000, { read: (it) => it.#readMachineControl(), write: (it, value) => it.#writeMachineControl(value) }],
    [0x010, "GICH_MISR",  "RO",  8, 0x0000_0000, { read: (it) => it.#maintenance() }],
    [0x020, "GICH_EISR",  "RO", 32, 0x0000_0000, { read: (it, { index }) => index === 0 ? it.#matching(hasEnded) : 0 }, 2],
    [0x030, "GICH_ELRSR", "RO", 32, 0x0000_000f, { read: (it, { index }) => index === 0 ? it.#matching(isFree) : 0 }, 2],
    [0x0f0, "GICH_APR",   "RW", 32, 0x0000_0000, { read: (it) => at(it.guest.state.activePriorities, 0), write: (it, value) => it.#writeActivePriorities(value) }],
    [0x100, "GICH_LR",    "RW", 32, 0x0000_0000, { read: (it, { index }) => at(it.state.listRegisters, index), write: (it, value, { index }) => it.#writeListRegister(index, value) }, LIST_REGISTERS],
  ]);

  /** The virtual CPU interface, GICV. */
  readonly guest: GicV2CpuInterface;
  /** Everything that is saved beside the guest's interface. */
  state: ValueOf<typeof VIRTUAL_FIELDS> = { control: 0, listRegisters: new Uint32Array(LIST_REGISTERS) };
  readonly #options: VirtualInterfaceOptions;

  /** Starts in the power-on state. */
  constructor(options: VirtualInterfaceOptions) {
    this.#options = options;
    const { changed } = options;
    this.guest = new GicV2CpuInterface({ source: this, virtual: true, security: false, changed });
  }

  /** Power-on state. */
  reset(): void {
    this.state = { control: 0, listRegisters: new Uint32Array(LIST_REGISTERS) };
    this.guest.reset();
  }

  /** The level of the maintenance interrupt. */
  get maintenanceLevel(): boolean {
    return (this.state.control & HCR_EN) !== 0 && this.#maintenance() !== 0;
  }

  /** The most urgent pending list register, while the interface is enabled. */
  highest(): Candidate | undefined {
    if (!(this.state.control & HCR_EN)) return undefined;
    let best: Candidate | undefined;
    for (const entry of this.state.listRegisters) {
      const priority = priorityOf(entry);
      if ((entry & LR_STATE) !== LR_PENDING || (best !== undefined && priority >= best.priority)) continue;
      best = { interrupt: virtualId(entry), priority, group: entry & LR_GROUP1 ? 1 : 0 };
    }
    return best;
  }

  #find(interrupt: number, state: number): number {
    return this.state.listRegisters.findIndex((entry) =>
      virtualId(entry) === interrupt && (entry & state) !== 0
    );
  }

  /** The number of a pending virtual interrupt, with its sender if it is an SGI of software's making. */
  identify(interrupt: number): number {
    const entry = at(this.state.listRegisters, this.#find(interrupt, LR_PENDING));
    return interrupt < SGI_COUNT && !(entry & LR_HW) ? interrupt | (senderOf(entry) << 10) : interrupt;
  }

  /** From pending to active. */
  acknowledge(interrupt: number): void {
    const index = this.#find(interrupt, LR_PENDING);
    this.state.listRegisters[index] = (at(this.state.listRegisters, index) & ~LR_PENDING) | LR_ACTIVE;
  }

  /** Group of the virtual interrupt, if a list register has it as active. */
  group(interrupt: number): 0 | 1 | undefined {
    const index = this.#find(interrupt, LR_ACTIVE);
    return index < 0 ? undefined : at(this.state.listRegisters, index) & LR_GROUP1 ? 1 : 0;
  }

  /** Makes the virtual interrupt inactive, and the physical one behind it. */
  deactivate(interrupt: number): void {
    const index = this.#find(interrupt, LR_ACTIVE);
    const entry = at(this.state.listRegisters, index);
    this.state.listRegisters[index] = entry & ~LR_ACTIVE;
    if (entry & LR_HW) this.#options.deactivatePhysical(physicalId(entry));
  }

  /** Counts ends of interrupts that were in no list register, for the hypervisor. */
  unknownEnded(): void {
    const count = (this.state.control + HCR_EOI_COUNT_ONE) & HCR_EOI_COUNT;
    this.state.control = ((this.state.control & ~HCR_EOI_COUNT) | count) >>> 0;
  }

  #writeControl(value: number): void {
    this.state.control = (value & (HCR_ENABLES | HCR_EOI_COUNT)) >>> 0;
    this.#options.changed();
  }

  #writeListRegister(index: number, value: number): void {
    this.state.listRegisters[index] = value & ~LR_RESERVED;
    this.#options.changed();
  }

  #writeActivePriorities(value: number): void {
    this.guest.state.activePriorities[0] = value;
    this.#options.changed();
  }

  /** GICV_CTLR, ABPR, BPR and PMR of the guest in one word. */
  #readMachineControl(): number {
    const { control, aliasedBinaryPoint, binaryPoint, priorityMask } = this.guest.state;
    const masks = (aliasedBinaryPoint << 18) | (binaryPoint << 21) | (priorityMask >>> 3 << 27);
    return (control | masks) >>> 0;
  }

  #writeMachineControl(value: number): void {
    this.guest.load({
      control: value & 0x3ff,
      aliasedBinaryPoint: (value >>> 18) & 7,
      binaryPoint: (value >>> 21) & 7,
      priorityMask: value >>> 27 << 3,
    });
    this.#options.changed();
  }

  /** List registers for which something holds, one bit each. */
  #matching(test: (entry: number) => boolean): number {
    return this.state.listRegisters.reduce((bits, entry, index) => test(entry) ? bits | 1 << index : bits, 0);
  }

  /** GICH_MISR: each reason, where GICH_HCR enables it; bit n of one goes with bit n of the other. */
  #maintenance(): number {
    const { control, listRegisters } = this.state;
    const inUse = listRegisters.filter((entry) => (entry & LR_STATE) !== 0).length;
    const pending = listRegisters.filter((entry) => (entry & LR_STATE) === LR_PENDING).length;
    const guestEnables = this.guest.state.control;
    const reasons = [
      this.#matching(hasEnded) !== 0,
      inUse < 2,
      (control & HCR_EOI_COUNT) !== 0,
      pending === 0,
      (guestEnables & ENABLE_GROUP[0]) !== 0,
      (guestEnables & ENABLE_GROUP[0]) === 0,
      (guestEnables & ENABLE_GROUP[1]) !== 0,
      (guestEnables & ENABLE_GROUP[1]) === 0,
    ];
    const enables = (control & HCR_ENABLES & ~1) | 1;
    return reasons.reduce((bits, holds, bit) => holds ? bits | 1 << bit : bits, 0) & enables;
  }
}

/** The list register was left with a maintenance interrupt asked for. */
function hasEnded(entry: number): boolean {
  return (entry & LR_STATE) === 0 && !(entry & LR_HW) && (entry & LR_EOI) !== 0;
}

/** The list register can be used for another interrupt. */
function isFree(entry: number): boolean {
  return (entry & LR_STATE) === 0 && !hasEnded(entry);
}
