/** ERET: back to the state that SPSR_ELx holds, if that is a legal one (Arm ARM D1.11). */
import { HCR, highestLevel, hypervisorBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { advanceCounters, planOverflow } from "./performance_counters.ts";
import { restoreExtensions, restoreFlags, savedState, SPSR_M4, SPSR_SS } from "./pstate.ts";
import { isStepActive } from "./software_step.ts";
import { selectStackPointer } from "./stack_pointer.ts";
import { synchronizeContext } from "./strict_context.ts";
import { INDEX } from "./system_register_index.ts";
import { isSecureBelowEl3 } from "./translation_regime.ts";

// deno-fmt-ignore
const BANKS: Readonly<Record<1 | 2 | 3, { readonly elr: number; readonly spsr: number }>> = {
  1: { elr: INDEX.ELR_EL1, spsr: INDEX.SPSR_EL1 },
  2: { elr: INDEX.ELR_EL2, spsr: INDEX.SPSR_EL2 },
  3: { elr: INDEX.ELR_EL3, spsr: INDEX.SPSR_EL3 },
};

/** Illegal exception returns from AArch64 (Arm ARM D1.11); AArch32 is not there, so every return to it is one. */
function isIllegalReturn(cpu: Cpu, spsr: bigint): boolean {
  const mode = Number(spsr & 15n);
  const level = mode >> 2;
  if ((spsr & SPSR_M4) !== 0n || (mode & 2) !== 0 || mode === 1) return true;
  if (level > cpu.el || level > highestLevel(cpu)) return true;
  if (level === 2) return !cpu.features.el2 || isSecureBelowEl3(cpu);
  return level === 1 && hypervisorBit(cpu, HCR.TGE);
}

/** ELR_ELx of the present level, which must be 1 or more. */
export function exceptionLink(cpu: Cpu): bigint {
  return cpu.registers.system[BANKS[cpu.el as 1 | 2 | 3].elr] as bigint;
}

/**
 * Returns from the present level, to another address than ELR_ELx's if one is given, and gives the address to go on at,
 * which the caller makes the PC. An illegal return stays at its level with PSTATE.IL set. The level must be 1 or more.
 */
export function returnFromException(cpu: Cpu, address: bigint = exceptionLink(cpu)): bigint {
  synchronizeContext(cpu);
  const from = cpu.el as 1 | 2 | 3;
  const { system } = cpu.registers;
  const spsr = system[BANKS[from].spsr] as bigint;
  advanceCounters(cpu);
  const wasActive = isStepActive(cpu);
  restoreFlags(cpu, spsr);
  if (isIllegalReturn(cpu, spsr)) cpu.illegal = true;
  else {
    selectStackPointer(cpu, Number(spsr >> 2n & 3n) as ExceptionLevel, (spsr & 1n) === 1n ? 1 : 0);
    restoreExtensions(cpu, spsr);
  }
  cpu.singleStep = (spsr & SPSR_SS) !== 0n && !wasActive && isStepActive(cpu);
  planOverflow(cpu);
  cpu.monitor.clear("exceptionReturn");
  cpu.signalEvent("event");
  cpu.attention = true;
  cpu.surroundings.events.emit("exceptionReturned", cpu.index, {
    from,
    to: cpu.el,
    address,
    state: savedState(cpu),
  });
  return address;
}
