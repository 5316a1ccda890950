/** PSTATE as SPSR_ELx shows it (Arm ARM C5.2.18, exceptions taken from AArch64), and what an exception makes of it. */
import type { Feature } from "../a64/feature.ts";
import { hasBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { StoredRegister } from "./system_register_index.ts";
import { isInHost } from "./translation_regime.ts";

/** SPSR_ELx.SS. */
export const SPSR_SS = 1n << 21n;
/** SPSR_ELx.IL. */
export const SPSR_IL = 1n << 20n;
/** SPSR_ELx.M[4]: AArch32, which does not exist here. */
export const SPSR_M4 = 1n << 4n;

/** Fields that extensions add, by the lowest bit in SPSR_ELx. */
// deno-fmt-ignore
export const PSTATE_BIT = { BTYPE: 10, SSBS: 12, PAN: 22, UAO: 23, DIT: 24 } as const;

const PAN = 1 << PSTATE_BIT.PAN, UAO = 1 << PSTATE_BIT.UAO, DIT = 1 << PSTATE_BIT.DIT;
const SSBS = 1 << PSTATE_BIT.SSBS, BTYPE = 3 << PSTATE_BIT.BTYPE;

/** The bits of fields that a CPU has because of extensions. */
export function extensionFields(hasFeature: (feature: Feature) => boolean): number {
  const bits: readonly [Feature, number][] = [["PAN", PAN], ["UAO", UAO], ["DIT", DIT], ["SSBS", SSBS], [
    "BTI",
    BTYPE,
  ]];
  return bits.reduce((sum, [feature, bit]) => hasFeature(feature) ? sum | bit : sum, 0);
}

/** Fields that extensions add to PSTATE. */
export type ExtensionState = Pick<Cpu, "pan" | "uao" | "dit" | "ssbs" | "branchType">;

/** Those fields in the format of SPSR_ELx. */
export function extensionState({ pan, uao, dit, ssbs, branchType }: ExtensionState): number {
  return (pan ? PAN : 0) | (uao ? UAO : 0) | (dit ? DIT : 0) | (ssbs ? SSBS : 0) |
    branchType << PSTATE_BIT.BTYPE;
}

/** PSTATE in the format of SPSR_ELx. */
export function savedState(cpu: Cpu): bigint {
  return BigInt(
    (cpu.registers.nzcv << 28 | extensionState(cpu) | (cpu.singleStep ? 1 << 21 : 0) |
      (cpu.illegal ? 1 << 20 : 0) |
      cpu.daif << 6 | cpu.el << 2 | cpu.spSel) >>> 0,
  );
}

/** Sets what every exception return restores, NZCV, PAN, IL and DAIF, from a value in the format of SPSR_ELx. */
export function restoreFlags(cpu: Cpu, spsr: bigint): void {
  cpu.registers.nzcv = Number(spsr >> 28n & 15n);
  setPan(cpu, (Number(spsr & 0xffff_ffffn) & cpu.extensionFields & PAN) !== 0);
  cpu.illegal = (spsr & SPSR_IL) !== 0n;
  cpu.daif = Number(spsr >> 6n & 15n);
}

/** Sets what a legal exception return restores beside that and the level: UAO, DIT, SSBS and BTYPE. */
export function restoreExtensions(cpu: Cpu, spsr: bigint): void {
  restoreExtensionBits(cpu, Number(spsr & 0xffff_ffffn));
}

/** The same from bits 31–0 of the value. */
export function restoreExtensionBits(cpu: Cpu, spsr: number): void {
  const bits = spsr & cpu.extensionFields;
  cpu.uao = (bits & UAO) !== 0;
  cpu.dit = (bits & DIT) !== 0;
  cpu.ssbs = (bits & SSBS) !== 0;
  cpu.branchType = (bits & BTYPE) >> PSTATE_BIT.BTYPE;
}

const SCTLR: Readonly<Record<1 | 2 | 3, StoredRegister>> = { 1: "SCTLR_EL1", 2: "SCTLR_EL2", 3: "SCTLR_EL3" };
const SCTLR_SPAN = 23, SCTLR_DSSBS = 44;

/**
 * What taking an exception makes of the fields of extensions (Arm ARM AArch64.TakeException): SPAN sets PAN where the
 * regime of the target has EL0's accesses, SSBS becomes DSSBS, UAO and BTYPE are cleared; DIT stays.
 */
export function enterExtensions(cpu: Cpu, target: 1 | 2 | 3): void {
  const fields = cpu.extensionFields;
  if (fields === 0) return;
  const sctlr = SCTLR[target];
  const isGuarded = target === 1 || (target === 2 && isInHost(cpu));
  if ((fields & PAN) !== 0 && isGuarded && !hasBit(cpu, sctlr, SCTLR_SPAN)) setPan(cpu, true);
  cpu.ssbs = (fields & SSBS) !== 0 && hasBit(cpu, sctlr, SCTLR_DSSBS);
  cpu.uao = false;
  cpu.branchType = 0;
}

/** Sets PSTATE.PAN, on which accesses of EL1 and of a host at EL2 depend. */
export function setPan(cpu: Cpu, pan: boolean): void {
  if (cpu.pan === pan) return;
  cpu.pan = pan;
  cpu.tlb.forgetLevel(1);
  cpu.tlb.forgetLevel(2);
}

/** Sets DAIF (bits 3–0); interrupts are looked at again. */
export function setMasks(cpu: Cpu, daif: number): void {
  cpu.daif = daif;
  cpu.attention = true;
}
