/** Software step: one instruction between an exception return and a debug exception (Arm ARM D2.12). */
import { hasBit, HCR, hypervisorBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { Exception } from "./exception.ts";
import { syndromeOf } from "./syndrome.ts";
import { isEl2Enabled, isSecureBelowEl3 } from "./translation_regime.ts";

const MDSCR_SS = 0, MDSCR_KDE = 13, MDCR_EL2_TDE = 8, MDCR_EL3_SDD = 16;
const OSLSR_OSLK = 1, OSDLR_DLK = 0, PSTATE_D = 8;
const STEP_STATUS = 0x22, ISV = 1 << 24, EX = 1 << 6;

/** The level that takes debug exceptions of EL0 and EL1: EL2 when HCR_EL2.TGE or MDCR_EL2.TDE says so. */
export function debugTarget(cpu: Cpu): 1 | 2 {
  const isRouted = hypervisorBit(cpu, HCR.TGE) ||
    (isEl2Enabled(cpu) && hasBit(cpu, "MDCR_EL2", MDCR_EL2_TDE));
  return isRouted ? 2 : 1;
}

/** Debug exceptions other than BRK are enabled at the present level (Arm ARM D2.4). */
export function areDebugExceptionsEnabled(cpu: Cpu): boolean {
  if (hasBit(cpu, "OSLSR_EL1", OSLSR_OSLK) || hasBit(cpu, "OSDLR_EL1", OSDLR_DLK)) return false;
  if (cpu.el > debugTarget(cpu)) return false;
  if (isSecureBelowEl3(cpu) && hasBit(cpu, "MDCR_EL3", MDCR_EL3_SDD)) return false;
  if (cpu.el < debugTarget(cpu)) return true;
  return hasBit(cpu, "MDSCR_EL1", MDSCR_KDE) && (cpu.daif & PSTATE_D) === 0;
}

/** Software step is active at the present level. */
export function isStepActive(cpu: Cpu): boolean {
  return hasBit(cpu, "MDSCR_EL1", MDSCR_SS) && areDebugExceptionsEnabled(cpu);
}

/** The software step exception due at a step boundary, if any: the step was taken, or PSTATE.SS was 0 from the start. */
export function pendingStep(cpu: Cpu): Exception | undefined {
  if (!isStepActive(cpu) || (cpu.singleStep && !cpu.stepStarted)) return undefined;
  // The return that began the step cleared the monitor, so it is open only after a stepped load-exclusive.
  const iss = cpu.stepStarted ? ISV | (cpu.monitor.open ? EX : 0) : 0;
  const target = debugTarget(cpu);
  const name = target > cpu.el ? "softwareStepLower" : "softwareStepSame";
  return {
    kind: "synchronous",
    target,
    syndrome: syndromeOf(name, iss | STEP_STATUS),
    returnAddress: cpu.pc,
  };
}

/** Begins the stepped instruction at a step boundary at which nothing was taken; the burst must end after it. */
export function beginStep(cpu: Cpu): void {
  cpu.stepStarted = isStepActive(cpu) && cpu.singleStep;
  if (cpu.stepStarted) cpu.attention = true;
}
