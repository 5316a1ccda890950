/** Control bits in effect: system registers of EL2 and EL3 as the present security state sees them. */
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { INDEX, type StoredRegister } from "./system_register_index.ts";
import { effectiveHcr, isEl2Enabled } from "./translation_regime.ts";

/** Bits of HCR_EL2 that are asked for by number. */
// deno-fmt-ignore
export const HCR = {
  FMO: 3, IMO: 4, AMO: 5, VF: 6, VI: 7, VSE: 8, TWI: 13, TWE: 14, TID1: 16, TID2: 17, TID3: 18, TSC: 19,
  TIDCP: 20, TACR: 21, TSW: 22, TPC: 23, TPU: 24, TTLB: 25, TVM: 26, TGE: 27, TDZ: 28, HCD: 29, TRVM: 30,
  E2H: 34, APK: 40, API: 41,
} as const;

/** Bits of SCR_EL3 that are asked for by number. */
// deno-fmt-ignore
export const SCR = { NS: 0, IRQ: 1, FIQ: 2, EA: 3, SMD: 7, HCE: 8, RW: 10, ST: 11, TWI: 12, TWE: 13, APK: 16, API: 17, FGTEn: 27, ECVEn: 28 } as const;

/** A bit of a stored register, as it stands. */
export function hasBit(cpu: Cpu, register: StoredRegister, bit: number): boolean {
  return ((cpu.registers.systemHalves[INDEX[register] * 2 + (bit >> 5)] as number) >>> (bit & 31) & 1) === 1;
}

/** A bit of HCR_EL2 as it acts: 0 where EL2 does not exist or is not enabled, or where TGE turns the bit off. */
export function hypervisorBit(cpu: Cpu, bit: number): boolean {
  return isEl2Enabled(cpu) && (effectiveHcr(cpu) >> BigInt(bit) & 1n) === 1n;
}

/** A bit of SCR_EL3, 0 where EL3 does not exist; NS is not asked for here but with `isSecureBelowEl3`. */
export function monitorBit(cpu: Cpu, bit: number): boolean {
  return cpu.features.el3 && hasBit(cpu, "SCR_EL3", bit);
}

/** The highest level that exists. */
export function highestLevel(cpu: Cpu): ExceptionLevel {
  return cpu.features.el3 ? 3 : cpu.features.el2 ? 2 : 1;
}

/** HCR_EL2.TGE sends what would go to EL1 from EL0 to EL2. */
export function trapsGeneralExceptions(cpu: Cpu): boolean {
  return cpu.el === 0 && hypervisorBit(cpu, HCR.TGE);
}
