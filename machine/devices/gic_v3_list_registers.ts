/** The list registers of a GICv3: virtual interrupts, as a hypervisor puts them (Arm IHI 0069, ICH_LR<n>_EL2). */
import { at } from "./gic_interrupts.ts";
import { PRIORITY_MASK } from "./gic_v3_priorities.ts";

/** How many there are. */
export const LIST_REGISTERS = 4;

/** Fields of the upper half of a list register. */
export const LR = {
  PENDING: 1 << 30,
  ACTIVE: 1 << 31,
  STATE: 1 << 31 | 1 << 30,
  HW: 1 << 29,
  GROUP1: 1 << 28,
  EOI: 1 << 9,
  PHYSICAL: 0x3ff,
} as const;

const WRITABLE = LR.STATE | LR.HW | LR.GROUP1 | PRIORITY_MASK << 16 | LR.PHYSICAL;

/** Priority of a list register, by its upper half. */
export const priorityOf = (upper: number): number => upper >>> 16 & 0xff;

/** Group of a list register, by its upper half. */
export const groupOf = (upper: number): 0 | 1 => upper & LR.GROUP1 ? 1 : 0;

/** The list register was left with a maintenance interrupt asked for. */
export const hasEnded = (upper: number): boolean => (upper & (LR.STATE | LR.HW | LR.EOI)) === LR.EOI;

/** The list register can be used for another interrupt. */
export const isFree = (upper: number): boolean => (upper & LR.STATE) === 0 && !hasEnded(upper);

/** The list registers of one CPU. */
export class ListRegisters {
  /** What is saved: two words each, the virtual INTID first. */
  words: Uint32Array = new Uint32Array(2 * LIST_REGISTERS);

  /** The reset state: all free. */
  reset(): void {
    this.words = new Uint32Array(2 * LIST_REGISTERS);
  }

  /** Reads one. */
  read(index: number): bigint {
    return BigInt(this.upper(index)) << 32n | BigInt(this.interrupt(index));
  }

  /** Writes one. */
  write(index: number, value: bigint): void {
    this.words[2 * index] = Number(BigInt.asUintN(32, value));
    this.words[2 * index + 1] = Number(value >> 32n) & WRITABLE;
  }

  /** The upper half of one. */
  upper(index: number): number {
    return at(this.words, 2 * index + 1);
  }

  /** The virtual INTID of one. */
  interrupt(index: number): number {
    return at(this.words, 2 * index);
  }

  /** Clears and sets bits of the upper half. */
  change(index: number, clear: number, set: number): void {
    this.words[2 * index + 1] = (this.upper(index) & ~clear) | set;
  }

  /** The one in which an interrupt is active; -1 when there is none. */
  findActive(interrupt: number): number {
    for (let index = 0; index < LIST_REGISTERS; index++) {
      if (this.upper(index) & LR.ACTIVE && this.interrupt(index) === interrupt) return index;
    }
    return -1;
  }

  /** Those for whose upper half something holds, one bit each. */
  matching(test: (upper: number) => boolean): number {
    let bits = 0;
    for (let index = 0; index < LIST_REGISTERS; index++) if (test(this.upper(index))) bits |= 1 << index;
    return bits;
  }
}
