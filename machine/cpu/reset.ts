/** A CPU's state after reset (Arm ARM D1.9), at the level and address where the board lets it start. */
import { debugRegistersChanged } from "./breakpoints.ts";
import type { Cpu } from "./cpu.ts";
import { planOverflow } from "./performance_counters.ts";
import { SYSTEM_REGISTER_TABLE } from "./system_registers.ts";

/** Where a CPU starts. */
export interface ResetState {
  /** False when it stays off until software turns it on. */
  readonly on: boolean;
  /** First instruction. */
  readonly pc: bigint;
  /** Exception level, with its own stack pointer selected and D, A, I and F masked. */
  readonly level: 1 | 2 | 3;
}

/**
 * Resets a CPU, its timer and its interface to a GICv3: every register zero but for system registers with a reset value. Interrupt lines stay as
 * their controller drives them.
 */
export function resetCpu(cpu: Cpu, { on, pc, level }: ResetState): void {
  const { registers } = cpu;
  registers.slots.fill(0n);
  registers.v.fill(0n);
  registers.system.fill(0n);
  for (const { index, reset } of SYSTEM_REGISTER_TABLE) {
    if (index !== undefined && reset !== undefined) registers.system[index] = reset(cpu);
  }
  registers.pc = pc;
  Object.assign(cpu, {
    el: level,
    spSel: 1,
    daif: 15,
    illegal: false,
    singleStep: false,
    pan: false,
    uao: false,
    dit: false,
    ssbs: false,
    branchType: 0,
    stepStarted: false,
    pending: undefined,
    on,
    waiting: "none",
    eventRegister: false,
    eventSource: "event",
    yielded: false,
    serrorPending: false,
    attention: true,
  });
  cpu.monitor.restore(false, 0, 0);
  cpu.surroundings.strict?.resetCpu(cpu);
  cpu.timer.reset();
  cpu.surroundings.gic?.reset();
  cpu.tlb.drop();
  debugRegistersChanged(cpu);
  planOverflow(cpu);
}
