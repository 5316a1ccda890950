/** X0 to X6 as the registers of the other architecture that they stand for, by halves and words. */
import type { Vcpu } from "../../vcpu.ts";

/** RAX, RBX, RCX, RDX, RSI, RDI and RBP, by the number of the register that stands for each. */
export const AX = 0, BX = 1, CX = 2, DX = 3, SI = 4, DI = 5, BP = 6;

const HALF = 0xffff, HALF_BITS = 16;

/** The registers of a caller; what is written with 32 bits clears the upper half, as there. */
export class Registers {
  /** Reads and writes the guest's registers as they are. */
  constructor(readonly vcpu: Vcpu) {}

  /** Bits 31 to 0. */
  word(n: number): number {
    return Number(this.vcpu.x(n) & 0xffff_ffffn);
  }

  /** Bits 15 to 0. */
  low(n: number): number {
    return this.word(n) & HALF;
  }

  /** Bits 31 to 16. */
  high(n: number): number {
    return this.word(n) >>> HALF_BITS;
  }

  /** Writes 32 bits. */
  setWord(n: number, value: number): void {
    this.vcpu.setX(n, BigInt(value >>> 0));
  }

  /** Writes bits 31 to 16, and leaves 15 to 0. */
  setHigh(n: number, value: number): void {
    this.setWord(n, value << HALF_BITS | this.low(n));
  }

  /** What an IN of `size` bytes leaves in X0: 1 and 2 bytes leave the others as they were. */
  setInput(size: 1 | 2 | 4, value: number): void {
    if (size === 4) return this.setWord(AX, value);
    const mask = (1n << BigInt(8 * size)) - 1n;
    this.vcpu.setX(AX, this.vcpu.x(AX) & ~mask | BigInt(value >>> 0) & mask);
  }

  /** All ones of `size` bytes in X0: nothing is at the port. */
  setNothing(size: 1 | 2 | 4): void {
    this.setInput(size, 0xffff_ffff);
  }
}
