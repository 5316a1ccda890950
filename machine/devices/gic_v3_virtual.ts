/** The virtual CPU interface of a GICv3: ICH registers for the hypervisor, ICV for its guest (Arm IHI 0069, chapter 6). */
import { u32, type ValueOf } from "../layout.ts";
import type { GicRegister } from "../cpu/gic_interface.ts";
import { words } from "./fixed_arrays.ts";
import { at, lowestBit, SPURIOUS } from "./gic_interrupts.ts";
import { LPI_BASE } from "./gic_v3_lpi.ts";
import { IDLE } from "./gic_v3_interrupts.ts";

/** What the virtual interface of one CPU acts on. */
export interface VirtualInterfaceOptions {
  /** Deactivates a physical interrupt that stands behind a virtual one. */
  readonly deactivatePhysical: (interrupt: number) => void;
  /** Called after each change that may change outputs. */
  readonly changed: () => void;
}

const LIST_REGISTERS = 4;

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

/** Priorities and group priorities have this many bits. */
export const PRIORITY_BITS = 5;
/** The least binary point, by which no bit of priority is left out. */
export const MINIMUM_BINARY_POINT: number = 7 - PRIORITY_BITS;
/** The bits of a priority that there are. */
export const PRIORITY_MASK: number = 0x100 - 2 ** (8 - PRIORITY_BITS);

const HCR_EN = 1 << 0, HCR_ENABLES = 0xff, HCR_TRAPS = 0x7c00;
const HCR_EOI_COUNT = 0x1f << 27, HCR_EOI_COUNT_ONE = 1 << 27;

/** Bits of ICH_VMCR_EL2: VENG0, VENG1, VFIQEn, VCBPR, VEOIM, VBPR1, VBPR0, VPMR. */
const VMCR_ENABLE: readonly [number, number] = [1, 2];
const VMCR_FIQ = 1 << 3, VMCR_CBPR = 1 << 4, VMCR_EOIM = 1 << 9;
const VMCR_WRITABLE = 0xf8fc_0213, VMCR_BINARY_POINTS = 0x00fc_0000;
const BINARY_POINT_SHIFT = [21, 18] as const, PRIORITY_MASK_SHIFT = 24;

/** Bits of the upper half of a list register. */
const LR_PENDING = 1 << 30, LR_ACTIVE = 1 << 31, LR_STATE = LR_ACTIVE | LR_PENDING;
const LR_HW = 1 << 29, LR_GROUP1 = 1 << 28, LR_EOI = 1 << 9, LR_PHYSICAL = 0x3ff;
const LR_WRITABLE = LR_STATE | LR_HW | LR_GROUP1 | PRIORITY_MASK << 16 | LR_PHYSICAL;

/** ICH_VTR_EL2: 5 bits of priority and preemption, 24 of INTIDs, affinity 3, ICV_DIR traps of its own, no GICv4. */
const VTR = ((PRIORITY_BITS - 1) << 29 | (PRIORITY_BITS - 1) << 26 | 1 << 23 | 1 << 21 | 1 << 20 | 1 << 19 |
  LIST_REGISTERS - 1) >>> 0;
/** ICV_CTLR_EL1 but for CBPR and EOImode: affinity 3, 24 bits of INTIDs, bits of priority. */
export const CONTROL_FIXED: number = 1 << 15 | 1 << 11 | (PRIORITY_BITS - 1) << 8;
export const CONTROL_CBPR = 1, CONTROL_EOIMODE = 2;

const INTID_BITS = 0xff_ffff;
/** INTIDs 1020 to 1023 are no interrupts. */
export const isSpecial = (interrupt: number): boolean => interrupt >= 1020 && interrupt <= SPURIOUS;

const priorityOf = (upper: number): number => upper >>> 16 & 0xff;
const groupOf = (upper: number): 0 | 1 => upper & LR_GROUP1 ? 1 : 0;

type Behaviour = {
  readonly read?: (it: GicV3VirtualInterface) => number | bigint;
  readonly write?: (it: GicV3VirtualInterface, value: number, whole: bigint) => void;
};

/** The virtual interface of one CPU. */
export class GicV3VirtualInterface {
  // deno-fmt-ignore
  /** What the registers do. */
  static readonly registers: Readonly<Partial<Record<GicRegister, Behaviour>>> = {
    ICH_AP0R0_EL2:   { read: (it) => at(it.state.activePriorities, 0), write: (it, value) => it.#writeActivePriorities(0, value) },
    ICH_AP1R0_EL2:   { read: (it) => at(it.state.activePriorities, 1), write: (it, value) => it.#writeActivePriorities(1, value) },
    ICH_HCR_EL2:     { read: (it) => it.state.control, write: (it, value) => it.#writeControl(value) },
    ICH_VTR_EL2:     { read: () => VTR },
    ICH_MISR_EL2:    { read: (it) => it.#maintenance() },
    ICH_EISR_EL2:    { read: (it) => it.#matching(hasEnded) },
    ICH_ELRSR_EL2:   { read: (it) => it.#matching(isFree) },
    ICH_VMCR_EL2:    { read: (it) => it.state.machineControl, write: (it, value) => it.#writeMachineControl(value & VMCR_WRITABLE) },
    ...listRegister(0), ...listRegister(1), ...listRegister(2), ...listRegister(3),
    ICV_PMR_EL1:     { read: (it) => it.#priorityMask, write: (it, value) => it.#replace(0xff, PRIORITY_MASK_SHIFT, value & PRIORITY_MASK) },
    ICV_IAR0_EL1:    { read: (it) => it.#acknowledge(0) },
    ICV_IAR1_EL1:    { read: (it) => it.#acknowledge(1) },
    ICV_EOIR0_EL1:   { write: (it, value) => it.#end(0, value & INTID_BITS) },
    ICV_EOIR1_EL1:   { write: (it, value) => it.#end(1, value & INTID_BITS) },
    ICV_HPPIR0_EL1:  { read: (it) => it.#pendingView(0) },
    ICV_HPPIR1_EL1:  { read: (it) => it.#pendingView(1) },
    ICV_BPR0_EL1:    { read: (it) => it.#binaryPoint(0), write: (it, value) => it.#replace(7, BINARY_POINT_SHIFT[0], value) },
    ICV_BPR1_EL1:    { read: (it) => it.#readBinaryPoint1(), write: (it, value) => it.#writeBinaryPoint1(value) },
    ICV_AP0R0_EL1:   { read: (it) => at(it.state.activePriorities, 0), write: (it, value) => it.#writeActivePriorities(0, value) },
    ICV_AP1R0_EL1:   { read: (it) => at(it.state.activePriorities, 1), write: (it, value) => it.#writeActivePriorities(1, value) },
    ICV_DIR_EL1:     { write: (it, value) => it.#deactivate(value & INTID_BITS) },
    ICV_RPR_EL1:     { read: (it) => it.#runningPriority() },
    ICV_CTLR_EL1:    { read: (it) => it.#readGuestControl(), write: (it, value) => it.#writeGuestControl(value) },
    ICV_IGRPEN0_EL1: { read: (it) => it.state.machineControl & 1, write: (it, value) => it.#replace(1, 0, value) },
    ICV_IGRPEN1_EL1: { read: (it) => it.state.machineControl >>> 1 & 1, write: (it, value) => it.#replace(1, 1, value) },
  };

  /** Everything that is saved. */
  state: VirtualState = initialState();

  /** Starts in the reset state. */
  constructor(private readonly options: VirtualInterfaceOptions) {}

  /** The reset state. */
  reset(): void {
    this.state = initialState();
    this.options.changed();
  }

  /** The level of the maintenance interrupt. */
  get maintenanceLevel(): boolean {
    return (this.state.control & HCR_EN) !== 0 && this.#maintenance() !== 0;
  }

  /** The interrupt that is signalled to the guest: Group 0 as an FIQ. */
  output(): "none" | "irq" | "fiq" {
    const index = this.#highest();
    if (index < 0 || !this.#preempts(index)) return "none";
    return groupOf(this.#upper(index)) === 0 ? "fiq" : "irq";
  }

  /** Reads a list register. */
  readListRegister(index: number): bigint {
    return BigInt(this.#upper(index)) << 32n | BigInt(at(this.state.listRegisters, 2 * index));
  }

  /** Writes a list register. */
  writeListRegister(index: number, value: bigint): void {
    this.state.listRegisters[2 * index] = Number(BigInt.asUintN(32, value));
    this.state.listRegisters[2 * index + 1] = Number(value >> 32n) & LR_WRITABLE;
    this.options.changed();
  }

  #upper(index: number): number {
    return at(this.state.listRegisters, 2 * index + 1);
  }

  #interruptOf(index: number): number {
    return at(this.state.listRegisters, 2 * index);
  }

  #changeState(index: number, clear: number, set: number): void {
    this.state.listRegisters[2 * index + 1] = (this.#upper(index) & ~clear) | set;
  }

  get #priorityMask(): number {
    return this.state.machineControl >>> PRIORITY_MASK_SHIFT;
  }

  #binaryPoint(group: 0 | 1): number {
    return this.state.machineControl >>> BINARY_POINT_SHIFT[group] & 7;
  }

  /** The pending list register of an enabled group with the most urgent priority, the first of equals; -1 when none. */
  #highest(): number {
    let best = -1, priority = IDLE;
    for (let index = 0; index < LIST_REGISTERS; index++) {
      const upper = this.#upper(index);
      if ((upper & LR_STATE) !== LR_PENDING || priorityOf(upper) >= priority) continue;
      if (!(this.state.machineControl & VMCR_ENABLE[groupOf(upper)])) continue;
      priority = priorityOf(upper);
      best = index;
    }
    return best;
  }

  /** The part of a priority that decides preemption. */
  #groupPriority(priority: number, group: 0 | 1): number {
    const ownPoint = group === 1 && !(this.state.machineControl & VMCR_CBPR);
    return priority & (-2 << (ownPoint ? this.#binaryPoint(1) - 1 : this.#binaryPoint(0)));
  }

  #preempts(index: number): boolean {
    if (!(this.state.control & HCR_EN)) return false;
    const upper = this.#upper(index), priority = priorityOf(upper), group = groupOf(upper);
    if (priority >= this.#priorityMask) return false;
    const running = this.#runningPriority();
    return running === IDLE || this.#groupPriority(priority, group) < this.#groupPriority(running, group);
  }

  #runningPriority(): number {
    const bits = at(this.state.activePriorities, 0) | at(this.state.activePriorities, 1);
    return bits === 0 ? IDLE : lowestBit(bits) << (8 - PRIORITY_BITS);
  }

  #pendingView(group: 0 | 1): number {
    const index = this.#highest();
    return index >= 0 && groupOf(this.#upper(index)) === group ? this.#interruptOf(index) : SPURIOUS;
  }

  #acknowledge(group: 0 | 1): number {
    const interrupt = this.#pendingView(group), index = this.#highest();
    if (index < 0 || groupOf(this.#upper(index)) !== group || !this.#preempts(index)) return SPURIOUS;
    if (isSpecial(interrupt)) this.#changeState(index, LR_PENDING, 0);
    else {
      const level = this.#groupPriority(priorityOf(this.#upper(index)), group) >>> (8 - PRIORITY_BITS);
      this.state.activePriorities[group]! |= 1 << level;
      this.#changeState(index, LR_PENDING, LR_ACTIVE);
    }
    this.options.changed();
    return interrupt;
  }

  /** Ends the most urgent active priority, of Group 0 where both have it; gives it, or IDLE. */
  #dropPriority(): number {
    const priority = this.#runningPriority();
    const bit = 1 << (priority >>> (8 - PRIORITY_BITS));
    const group = at(this.state.activePriorities, 0) & bit ? 0 : 1;
    if (priority !== IDLE) this.state.activePriorities[group]! &= ~bit;
    return priority;
  }

  #findActive(interrupt: number): number {
    for (let index = 0; index < LIST_REGISTERS; index++) {
      if (this.#upper(index) & LR_ACTIVE && this.#interruptOf(index) === interrupt) return index;
    }
    return -1;
  }

  /** The priority is dropped before anything is checked, and list registers stay when none was active (as in QEMU 7.2). */
  #end(group: 0 | 1, interrupt: number): void {
    if (isSpecial(interrupt)) return;
    const dropped = this.#dropPriority();
    if (dropped === IDLE) return;
    const index = this.#findActive(interrupt);
    if (index < 0) {
      if (interrupt < LPI_BASE) this.#countEnd();
    } else if (groupOf(this.#upper(index)) === group) {
      const isLast = this.#groupPriority(priorityOf(this.#upper(index)), group) === dropped;
      const splits = (this.state.machineControl & VMCR_EOIM) !== 0 && interrupt < LPI_BASE;
      if (isLast && !splits) this.#makeInactive(index);
    }
    this.options.changed();
  }

  #deactivate(interrupt: number): void {
    if (interrupt >= 1020 || !(this.state.machineControl & VMCR_EOIM)) return;
    const index = this.#findActive(interrupt);
    if (index < 0) this.#countEnd();
    else this.#makeInactive(index);
    this.options.changed();
  }

  #makeInactive(index: number): void {
    const upper = this.#upper(index);
    this.#changeState(index, LR_ACTIVE, 0);
    if (upper & LR_HW) this.options.deactivatePhysical(upper & LR_PHYSICAL);
  }

  /** Counts ends of interrupts that are in no list register. */
  #countEnd(): void {
    const { control } = this.state;
    const count = (control + HCR_EOI_COUNT_ONE) & HCR_EOI_COUNT;
    this.state.control = ((control & ~HCR_EOI_COUNT) | count) >>> 0;
  }

  #writeControl(value: number): void {
    this.state.control = (value & (HCR_ENABLES | HCR_TRAPS | HCR_EOI_COUNT)) >>> 0;
    this.options.changed();
  }

  #writeActivePriorities(group: 0 | 1, value: number): void {
    this.state.activePriorities[group] = value;
    this.options.changed();
  }

  /** Binary points do not fall below their minima: 2 for Group 0, 3 for Group 1. */
  #writeMachineControl(value: number): void {
    const point = (group: 0 | 1) =>
      Math.max(value >>> BINARY_POINT_SHIFT[group] & 7, MINIMUM_BINARY_POINT + group) <<
      BINARY_POINT_SHIFT[group];
    this.state.machineControl = ((value & ~VMCR_BINARY_POINTS) | point(0) | point(1) | VMCR_FIQ) >>> 0;
    this.options.changed();
  }

  /** Replaces a field of ICH_VMCR_EL2. */
  #replace(mask: number, shift: number, value: number): void {
    this.#writeMachineControl((this.state.machineControl & ~(mask << shift)) | (value & mask) << shift);
  }

  #readBinaryPoint1(): number {
    return this.state.machineControl & VMCR_CBPR
      ? Math.min(this.#binaryPoint(0) + 1, 7)
      : this.#binaryPoint(1);
  }

  #writeBinaryPoint1(value: number): void {
    if (!(this.state.machineControl & VMCR_CBPR)) this.#replace(7, BINARY_POINT_SHIFT[1], value);
  }

  #readGuestControl(): number {
    const { machineControl } = this.state;
    return CONTROL_FIXED | (machineControl & VMCR_CBPR ? CONTROL_CBPR : 0) |
      (machineControl & VMCR_EOIM ? CONTROL_EOIMODE : 0);
  }

  #writeGuestControl(value: number): void {
    const bits = (value & CONTROL_CBPR ? VMCR_CBPR : 0) | (value & CONTROL_EOIMODE ? VMCR_EOIM : 0);
    this.#writeMachineControl((this.state.machineControl & ~(VMCR_CBPR | VMCR_EOIM)) | bits);
  }

  /** List registers for which something holds, one bit each. */
  #matching(test: (upper: number) => boolean): number {
    let bits = 0;
    for (let index = 0; index < LIST_REGISTERS; index++) if (test(this.#upper(index))) bits |= 1 << index;
    return bits;
  }

  /** ICH_MISR_EL2: each reason, where ICH_HCR_EL2 enables it; bit n of one goes with bit n of the other. */
  #maintenance(): number {
    const { control, machineControl } = this.state;
    const isInUse = (upper: number) => (upper & LR_STATE) !== 0;
    const inUse = this.#matching(isInUse);
    const reasons = [
      this.#matching(hasEnded) !== 0,
      (inUse & inUse - 1) === 0,
      (control & HCR_EOI_COUNT) !== 0,
      this.#matching((upper) => (upper & LR_STATE) === LR_PENDING) === 0,
      (machineControl & VMCR_ENABLE[0]) !== 0,
      (machineControl & VMCR_ENABLE[0]) === 0,
      (machineControl & VMCR_ENABLE[1]) !== 0,
      (machineControl & VMCR_ENABLE[1]) === 0,
    ];
    const enables = (control & HCR_ENABLES & ~1) | 1;
    return reasons.reduce((bits, holds, bit) => holds ? bits | 1 << bit : bits, 0) & enables;
  }
}

function listRegister(index: number): Record<string, Behaviour> {
  return {
    [`ICH_LR${index}_EL2`]: {
      read: (it) => it.readListRegister(index),
      write: (it, _value, whole) => it.writeListRegister(index, whole),
    },
  };
}

/** The list register was left with a maintenance interrupt asked for. */
function hasEnded(upper: number): boolean {
  return (upper & (LR_STATE | LR_HW | LR_EOI)) === LR_EOI;
}

/** The list register can be used for another interrupt. */
function isFree(upper: number): boolean {
  return (upper & LR_STATE) === 0 && !hasEnded(upper);
}

function initialState(): VirtualState {
  return {
    control: 0,
    machineControl: VMCR_FIQ | MINIMUM_BINARY_POINT << BINARY_POINT_SHIFT[0] |
      (MINIMUM_BINARY_POINT + 1) << BINARY_POINT_SHIFT[1],
    activePriorities: new Uint32Array(2),
    listRegisters: new Uint32Array(2 * LIST_REGISTERS),
  };
}
