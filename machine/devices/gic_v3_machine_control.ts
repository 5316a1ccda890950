/** ICH_VMCR_EL2: the controls of a guest's CPU interface, whole for the hypervisor, by ICV registers for the guest. */
import {
  CONTROL_CBPR,
  CONTROL_EOIMODE,
  CONTROL_FIXED,
  groupPriority,
  MINIMUM_BINARY_POINT,
  PRIORITY_MASK,
} from "./gic_v3_priorities.ts";

/** VENG0, VENG1, VFIQEn, VCBPR, VEOIM, VBPR1, VBPR0, VPMR. */
const ENABLE: readonly [number, number] = [1, 2];
const FIQ = 1 << 3, CBPR = 1 << 4, EOIM = 1 << 9;
const WRITABLE = 0xf8fc_0213, BINARY_POINTS = 0x00fc_0000;
const BINARY_POINT_SHIFT = [21, 18] as const, PRIORITY_MASK_SHIFT = 24;

const AT_RESET = FIQ | MINIMUM_BINARY_POINT << BINARY_POINT_SHIFT[0] |
  (MINIMUM_BINARY_POINT + 1) << BINARY_POINT_SHIFT[1];

/** The register of one CPU. */
export class MachineControl {
  /** All of it. */
  value: number = AT_RESET;

  /** The reset state. */
  reset(): void {
    this.value = AT_RESET;
  }

  /** Writes the whole register; binary points do not fall below their minima: 2 for Group 0, 3 for Group 1. */
  write(value: number): void {
    const point = (group: 0 | 1) =>
      Math.max(value >>> BINARY_POINT_SHIFT[group] & 7, MINIMUM_BINARY_POINT + group) <<
      BINARY_POINT_SHIFT[group];
    this.value = (value & WRITABLE & ~BINARY_POINTS | point(0) | point(1) | FIQ) >>> 0;
  }

  #replace(mask: number, shift: number, value: number): void {
    this.write((this.value & ~(mask << shift)) | (value & mask) << shift);
  }

  /** A group is enabled: ICV_IGRPEN<n>_EL1. */
  isEnabled(group: 0 | 1): boolean {
    return (this.value & ENABLE[group]) !== 0;
  }

  /** Writes ICV_IGRPEN<n>_EL1. */
  writeEnable(group: 0 | 1, value: number): void {
    this.#replace(1, group, value);
  }

  /** ICV_PMR_EL1. */
  get priorityMask(): number {
    return this.value >>> PRIORITY_MASK_SHIFT;
  }

  /** Writes ICV_PMR_EL1. */
  writePriorityMask(value: number): void {
    this.#replace(0xff, PRIORITY_MASK_SHIFT, value & PRIORITY_MASK);
  }

  /** The guest ends interrupts in two steps: EOImode of ICV_CTLR_EL1. */
  get splitsEnd(): boolean {
    return (this.value & EOIM) !== 0;
  }

  get #isCommon(): boolean {
    return (this.value & CBPR) !== 0;
  }

  #binaryPoint(group: 0 | 1): number {
    return this.value >>> BINARY_POINT_SHIFT[group] & 7;
  }

  /** ICV_BPR<n>_EL1; with CBPR that of Group 1 reads one more than that of Group 0. */
  readBinaryPoint(group: 0 | 1): number {
    return group === 1 && this.#isCommon ? Math.min(this.#binaryPoint(0) + 1, 7) : this.#binaryPoint(group);
  }

  /** Writes ICV_BPR<n>_EL1; with CBPR that of Group 1 is not written. */
  writeBinaryPoint(group: 0 | 1, value: number): void {
    if (group === 0 || !this.#isCommon) this.#replace(7, BINARY_POINT_SHIFT[group], value);
  }

  /** The part of a priority that decides preemption. */
  groupPriority(priority: number, group: 0 | 1): number {
    const isOwn = group === 1 && !this.#isCommon;
    return groupPriority(priority, isOwn ? this.#binaryPoint(1) - 1 : this.#binaryPoint(0));
  }

  /** ICV_CTLR_EL1. */
  readGuestControl(): number {
    return CONTROL_FIXED | (this.#isCommon ? CONTROL_CBPR : 0) | (this.splitsEnd ? CONTROL_EOIMODE : 0);
  }

  /** Writes ICV_CTLR_EL1. */
  writeGuestControl(value: number): void {
    const bits = (value & CONTROL_CBPR ? CBPR : 0) | (value & CONTROL_EOIMODE ? EOIM : 0);
    this.write((this.value & ~(CBPR | EOIM)) | bits);
  }
}
