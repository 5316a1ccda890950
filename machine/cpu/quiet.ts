/** The state in which system instructions that kernels use all the time have no more than their plain effect. */
import { hasBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { mayTrapFineGrained } from "./fine_grained_traps.ts";
import { isInterruptPending } from "./interrupts.ts";
import { type TrapName, trapOf } from "./system_register_traps.ts";

const MDSCR_SS = 0;

/** Controls that trap reads of ESR_EL1 and FAR_EL1. */
const MEMORY_READS: readonly TrapName[] = ["TRVM"];

/** Controls that trap DAIF, CTR_EL0, DCZID_EL0's subject, cache maintenance by address or EL1's TLBI. */
const CONTROLS: readonly TrapName[] = ["UMA", "UCT", "UCI", "DZE", "TID2", "TPC", "TPU", "TTLB", "TDZ"];

/**
 * True above EL0 while none of these instructions traps, no one listens to what they write, and no strict model sees
 * what they maintain. Constant until a burst ends.
 */
export function isQuiet(cpu: Cpu): boolean {
  const { strict, events } = cpu.surroundings;
  if (cpu.el === 0 || strict !== undefined || events.wantsDetails || cpu.samplesInstructions) return false;
  if (hasBit(cpu, "MDSCR_EL1", MDSCR_SS)) return false;
  return trapOf(cpu, CONTROLS, false) === undefined && !mayTrapFineGrained(cpu);
}

/**
 * True while no change of the masks lets anything be taken. Until a burst ends it stays so: whatever makes an interrupt
 * pending asks for attention.
 */
export function isSettled(cpu: Cpu): boolean {
  return !isInterruptPending(cpu);
}

/** True when, in such a state, SPSR_EL1, ELR_EL1, ESR_EL1 and FAR_EL1 are at EL1 what their names say and do not trap. */
export function isKernelQuiet(cpu: Cpu): boolean {
  return cpu.el === 1 && trapOf(cpu, MEMORY_READS, true) === undefined;
}
