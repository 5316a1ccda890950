/** PSTATE as SPSR_ELx shows it (Arm ARM C5.2.18, exceptions taken from AArch64). */
import type { Cpu } from "./cpu.ts";

/** SPSR_ELx.SS. */
export const SPSR_SS = 1n << 21n;
/** SPSR_ELx.IL. */
export const SPSR_IL = 1n << 20n;
/** SPSR_ELx.M[4]: AArch32, which does not exist here. */
export const SPSR_M4 = 1n << 4n;

/** PSTATE in the format of SPSR_ELx. */
export function savedState(cpu: Cpu): bigint {
  return BigInt(
    (cpu.registers.nzcv << 28 | (cpu.singleStep ? 1 << 21 : 0) | (cpu.illegal ? 1 << 20 : 0) |
      cpu.daif << 6 | cpu.el << 2 | cpu.spSel) >>> 0,
  );
}

/** Sets NZCV, IL and DAIF from a value in the format of SPSR_ELx. */
export function restoreFlags(cpu: Cpu, spsr: bigint): void {
  cpu.registers.nzcv = Number(spsr >> 28n & 15n);
  cpu.illegal = (spsr & SPSR_IL) !== 0n;
  cpu.daif = Number(spsr >> 6n & 15n);
}

/** Sets DAIF (bits 3–0); interrupts are looked at again. */
export function setMasks(cpu: Cpu, daif: number): void {
  cpu.daif = daif;
  cpu.attention = true;
}
