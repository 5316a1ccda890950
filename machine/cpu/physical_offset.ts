/** FEAT_ECV: CNTPOFF_EL2, the offset of the physical counter for a guest (Arm ARM D11.2.4). */
import { hasBit, monitorBit, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { INDEX } from "./system_register_index.ts";
import { isEl2Enabled, isInHost } from "./translation_regime.ts";

const CNTHCTL_ECV = 12;

/** What is taken from the physical counter for EL1, EL0 and the EL1 physical timer; 0n where that is not enabled. */
export function physicalOffset(cpu: Cpu): bigint {
  const isEnabled = hasBit(cpu, "CNTHCTL_EL2", CNTHCTL_ECV) && cpu.implements("ECV") && isEl2Enabled(cpu) &&
    !isInHost(cpu) && (!cpu.features.el3 || monitorBit(cpu, SCR.ECVEn));
  return isEnabled ? cpu.registers.system[INDEX.CNTPOFF_EL2] as bigint : 0n;
}

/** Must be called after a write of CNTPOFF_EL2, CNTHCTL_EL2, HCR_EL2 or SCR_EL3: the timer follows at once. */
export function updatePhysicalOffset(cpu: Cpu): void {
  if (cpu.implements("ECV")) cpu.timer.setPhysicalOffset(physicalOffset(cpu));
}
