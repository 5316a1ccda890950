/** The virtual CPU interface of a GICv3: ICH registers for the hypervisor, ICV for its guest (Arm IHI 0069, chapter 6). */
import { u32, type ValueOf } from "../layout.ts";
import type { GicRegister } from "../cpu/gic_interface.ts";
import { words } from "./fixed_arrays.ts";
import { at, SPURIOUS } from "./gic_interrupts.ts";
import { IDLE } from "./gic_v3_interrupts.ts";
import {
  groupOf,
  hasEnded,
  isFree,
  LIST_REGISTERS,
  ListRegisters,
  LR,
  priorityOf,
} from "./gic_v3_list_registers.ts";
import { LPI_BASE } from "./gic_v3_lpi.ts";
import { MachineControl } from "./gic_v3_machine_control.ts";
import { activeBit, INTID_BITS, isSpecial, PRIORITY_BITS, runningPriority } from "./gic_v3_priorities.ts";

/** What the virtual interface of one CPU acts on. */
export interface VirtualInterfaceOptions {
  /** Deactivates a physical interrupt that stands behind a virtual one. */
  readonly deactivatePhysical: (interrupt: number) => void;
  /** Called after each change that may change outputs, but for writes of registers. */
  readonly changed: () => void;
}

/** Section fields of a virtual interface; a list register is two words, the virtual INTID first. */
// deno-fmt-ignore
export const VIRTUAL_FIELDS = {
  /** ICH_HCR_EL2. */
  control:          u32,
  /** ICH_VMCR_EL2. */
  machineControl:   u32,
  /** ICH_AP0R0_EL2, ICH_AP1R0_EL2. */
  activePriorities: words(2),
  listRegisters:    words(2 * LIST_REGISTERS),
} as const;

/** State of a virtual interface. */
export type VirtualState = ValueOf<typeof VIRTUAL_FIELDS>;

const HCR_EN = 1 << 0, HCR_ENABLES = 0xff, HCR_TRAPS = 0x7c00;
const HCR_EOI_COUNT = 0x1f << 27, HCR_EOI_COUNT_ONE = 1 << 27;
const HCR_WRITABLE = HCR_ENABLES | HCR_TRAPS | HCR_EOI_COUNT;

/** ICH_VTR_EL2: 5 bits of priority and preemption, 24 of INTIDs, affinity 3, ICV_DIR traps of its own, no GICv4. */
const VTR = ((PRIORITY_BITS - 1) << 29 | (PRIORITY_BITS - 1) << 26 | 1 << 23 | 1 << 21 | 1 << 20 | 1 << 19 |
  LIST_REGISTERS - 1) >>> 0;

type Behaviour = {
  readonly read?: (it: GicV3VirtualInterface) => number | bigint;
  readonly write?: (it: GicV3VirtualInterface, value: number, whole: bigint) => void;
};

/** The virtual interface of one CPU. */
export class GicV3VirtualInterface {
  // deno-fmt-ignore
  /** What the registers do; whoever writes one then has outputs updated. */
  static readonly registers: Readonly<Partial<Record<GicRegister, Behaviour>>> = {
    ICH_AP0R0_EL2:   { read: (it) => at(it.#activePriorities, 0), write: (it, value) => (it.#activePriorities[0] = value) },
    ICH_AP1R0_EL2:   { read: (it) => at(it.#activePriorities, 1), write: (it, value) => (it.#activePriorities[1] = value) },
    ICH_HCR_EL2:     { read: (it) => it.#control, write: (it, value) => (it.#control = (value & HCR_WRITABLE) >>> 0) },
    ICH_VTR_EL2:     { read: () => VTR },
    ICH_MISR_EL2:    { read: (it) => it.#maintenance() },
    ICH_EISR_EL2:    { read: (it) => it.#lists.matching(hasEnded) },
    ICH_ELRSR_EL2:   { read: (it) => it.#lists.matching(isFree) },
    ICH_VMCR_EL2:    { read: (it) => it.#machine.value, write: (it, value) => it.#machine.write(value) },
    ICH_LR0_EL2:     { read: (it) => it.#lists.read(0), write: (it, _, whole) => it.#lists.write(0, whole) },
    ICH_LR1_EL2:     { read: (it) => it.#lists.read(1), write: (it, _, whole) => it.#lists.write(1, whole) },
    ICH_LR2_EL2:     { read: (it) => it.#lists.read(2), write: (it, _, whole) => it.#lists.write(2, whole) },
    ICH_LR3_EL2:     { read: (it) => it.#lists.read(3), write: (it, _, whole) => it.#lists.write(3, whole) },
    ICV_PMR_EL1:     { read: (it) => it.#machine.priorityMask, write: (it, value) => it.#machine.writePriorityMask(value) },
    ICV_IAR0_EL1:    { read: (it) => it.#acknowledge(0) },
    ICV_IAR1_EL1:    { read: (it) => it.#acknowledge(1) },
    ICV_EOIR0_EL1:   { write: (it, value) => it.#end(0, value & INTID_BITS) },
    ICV_EOIR1_EL1:   { write: (it, value) => it.#end(1, value & INTID_BITS) },
    ICV_HPPIR0_EL1:  { read: (it) => it.#pendingView(0) },
    ICV_HPPIR1_EL1:  { read: (it) => it.#pendingView(1) },
    ICV_BPR0_EL1:    { read: (it) => it.#machine.readBinaryPoint(0), write: (it, value) => it.#machine.writeBinaryPoint(0, value) },
    ICV_BPR1_EL1:    { read: (it) => it.#machine.readBinaryPoint(1), write: (it, value) => it.#machine.writeBinaryPoint(1, value) },
    ICV_AP0R0_EL1:   { read: (it) => at(it.#activePriorities, 0), write: (it, value) => (it.#activePriorities[0] = value) },
    ICV_AP1R0_EL1:   { read: (it) => at(it.#activePriorities, 1), write: (it, value) => (it.#activePriorities[1] = value) },
    ICV_DIR_EL1:     { write: (it, value) => it.#deactivate(value & INTID_BITS) },
    ICV_RPR_EL1:     { read: (it) => it.#runningPriority() },
    ICV_CTLR_EL1:    { read: (it) => it.#machine.readGuestControl(), write: (it, value) => it.#machine.writeGuestControl(value) },
    ICV_IGRPEN0_EL1: { read: (it) => Number(it.#machine.isEnabled(0)), write: (it, value) => it.#machine.writeEnable(0, value) },
    ICV_IGRPEN1_EL1: { read: (it) => Number(it.#machine.isEnabled(1)), write: (it, value) => it.#machine.writeEnable(1, value) },
  };

  /** ICH_HCR_EL2. */
  #control = 0;
  #activePriorities: Uint32Array = new Uint32Array(2);
  readonly #machine = new MachineControl();
  readonly #lists = new ListRegisters();

  /** Starts in the reset state. */
  constructor(private readonly options: VirtualInterfaceOptions) {}

  /** Everything that is saved. */
  get state(): VirtualState {
    return {
      control: this.#control,
      machineControl: this.#machine.value,
      activePriorities: this.#activePriorities,
      listRegisters: this.#lists.words,
    };
  }

  set state({ control, machineControl, activePriorities, listRegisters }: VirtualState) {
    this.#control = control;
    this.#machine.value = machineControl;
    this.#activePriorities = activePriorities;
    this.#lists.words = listRegisters;
  }

  /** The reset state. */
  reset(): void {
    this.#control = 0;
    this.#machine.reset();
    this.#activePriorities = new Uint32Array(2);
    this.#lists.reset();
    this.options.changed();
  }

  /** ICH_HCR_EL2. */
  get control(): number {
    return this.#control;
  }

  /** The level of the maintenance interrupt. */
  get maintenanceLevel(): boolean {
    return (this.#control & HCR_EN) !== 0 && this.#maintenance() !== 0;
  }

  /** The interrupt that is signalled to the guest: Group 0 as an FIQ. */
  output(): "none" | "irq" | "fiq" {
    const index = this.#highest();
    if (index < 0 || !this.#preempts(index)) return "none";
    return groupOf(this.#lists.upper(index)) === 0 ? "fiq" : "irq";
  }

  /** The pending list register of an enabled group with the most urgent priority, the first of equals; -1 when none. */
  #highest(): number {
    let best = -1, priority = IDLE;
    for (let index = 0; index < LIST_REGISTERS; index++) {
      const upper = this.#lists.upper(index);
      if ((upper & LR.STATE) !== LR.PENDING || priorityOf(upper) >= priority) continue;
      if (!this.#machine.isEnabled(groupOf(upper))) continue;
      priority = priorityOf(upper);
      best = index;
    }
    return best;
  }

  #preempts(index: number): boolean {
    if (!(this.#control & HCR_EN)) return false;
    const upper = this.#lists.upper(index), priority = priorityOf(upper), group = groupOf(upper);
    if (priority >= this.#machine.priorityMask) return false;
    const running = this.#runningPriority();
    return running === IDLE ||
      this.#machine.groupPriority(priority, group) < this.#machine.groupPriority(running, group);
  }

  #runningPriority(): number {
    return runningPriority(at(this.#activePriorities, 0) | at(this.#activePriorities, 1));
  }

  #pendingView(group: 0 | 1): number {
    const index = this.#highest();
    return index >= 0 && groupOf(this.#lists.upper(index)) === group
      ? this.#lists.interrupt(index)
      : SPURIOUS;
  }

  #acknowledge(group: 0 | 1): number {
    const interrupt = this.#pendingView(group), index = this.#highest();
    if (index < 0 || groupOf(this.#lists.upper(index)) !== group || !this.#preempts(index)) return SPURIOUS;
    if (isSpecial(interrupt)) this.#lists.change(index, LR.PENDING, 0);
    else {
      const priority = this.#machine.groupPriority(priorityOf(this.#lists.upper(index)), group);
      this.#activePriorities[group]! |= activeBit(priority);
      this.#lists.change(index, LR.PENDING, LR.ACTIVE);
    }
    this.options.changed();
    return interrupt;
  }

  /** Ends the most urgent active priority, of Group 0 where both have it; gives it, or IDLE. */
  #dropPriority(): number {
    const priority = this.#runningPriority();
    const bit = activeBit(priority);
    const group = at(this.#activePriorities, 0) & bit ? 0 : 1;
    if (priority !== IDLE) this.#activePriorities[group]! &= ~bit;
    return priority;
  }

  /** The priority is dropped before anything is checked, and list registers stay when none was active (as in QEMU 7.2). */
  #end(group: 0 | 1, interrupt: number): void {
    if (isSpecial(interrupt)) return;
    const dropped = this.#dropPriority();
    if (dropped === IDLE) return;
    const index = this.#lists.findActive(interrupt);
    if (index < 0) {
      if (interrupt < LPI_BASE) this.#countEnd();
    } else if (groupOf(this.#lists.upper(index)) === group) {
      const isLast = this.#machine.groupPriority(priorityOf(this.#lists.upper(index)), group) === dropped;
      const splits = this.#machine.splitsEnd && interrupt < LPI_BASE;
      if (isLast && !splits) this.#makeInactive(index);
    }
  }

  #deactivate(interrupt: number): void {
    if (interrupt >= 1020 || !this.#machine.splitsEnd) return;
    const index = this.#lists.findActive(interrupt);
    if (index < 0) this.#countEnd();
    else this.#makeInactive(index);
  }

  #makeInactive(index: number): void {
    const upper = this.#lists.upper(index);
    this.#lists.change(index, LR.ACTIVE, 0);
    if (upper & LR.HW) this.options.deactivatePhysical(upper & LR.PHYSICAL);
  }

  /** Counts ends of interrupts that are in no list register. */
  #countEnd(): void {
    const count = (this.#control + HCR_EOI_COUNT_ONE) & HCR_EOI_COUNT;
    this.#control = ((this.#control & ~HCR_EOI_COUNT) | count) >>> 0;
  }

  /** ICH_MISR_EL2: each reason, where ICH_HCR_EL2 enables it; bit n of one goes with bit n of the other. */
  #maintenance(): number {
    const control = this.#control;
    const [isEnabled0, isEnabled1] = [this.#machine.isEnabled(0), this.#machine.isEnabled(1)];
    const isInUse = (upper: number) => (upper & LR.STATE) !== 0;
    const inUse = this.#lists.matching(isInUse);
    const reasons = [
      this.#lists.matching(hasEnded) !== 0,
      (inUse & inUse - 1) === 0,
      (control & HCR_EOI_COUNT) !== 0,
      this.#lists.matching((upper) => (upper & LR.STATE) === LR.PENDING) === 0,
      isEnabled0,
      !isEnabled0,
      isEnabled1,
      !isEnabled1,
    ];
    const enables = (control & HCR_ENABLES & ~1) | 1;
    return reasons.reduce((bits, holds, bit) => holds ? bits | 1 << bit : bits, 0) & enables;
  }
}
