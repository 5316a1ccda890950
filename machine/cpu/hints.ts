/** WFI, WFE, SEV, SEVL and YIELD: waiting, waking, and the traps of waiting (Arm ARM D1.17). */
import { hasBit, HCR, hypervisorBit, monitorBit, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { isInterruptPending } from "./interrupts.ts";
import { waitSyndrome } from "./syndrome.ts";
import { raiseSynchronous } from "./take_exception.ts";
import { controlRegister } from "./translation_regime.ts";

interface WaitTraps {
  /** SCTLR_ELx bit that lets EL0 wait. */
  readonly allowed: number;
  /** HCR_EL2 bit that traps EL0 and EL1. */
  readonly hypervisor: number;
  /** SCR_EL3 bit that traps everything below EL3. */
  readonly monitor: number;
}

const WFI: WaitTraps = { allowed: 16, hypervisor: HCR.TWI, monitor: SCR.TWI };
const WFE: WaitTraps = { allowed: 18, hypervisor: HCR.TWE, monitor: SCR.TWE };

/** The level to which waiting traps, or 0. */
function trapTarget(cpu: Cpu, { allowed, hypervisor, monitor }: WaitTraps): 0 | 1 | 2 | 3 {
  if (cpu.el === 0 && !hasBit(cpu, controlRegister(cpu), allowed)) return 1;
  if (cpu.el < 2 && hypervisorBit(cpu, hypervisor)) return 2;
  return cpu.el < 3 && monitorBit(cpu, monitor) ? 3 : 0;
}

function wait(cpu: Cpu, waiting: "interrupt" | "event"): void {
  const isEvent = waiting === "event";
  const target = trapTarget(cpu, isEvent ? WFE : WFI);
  if (target !== 0) return raiseSynchronous(cpu, target, waitSyndrome(isEvent));
  cpu.waiting = waiting;
  cpu.attention = true;
  cpu.surroundings.events.emit("cpuIdled", cpu.index, { waiting });
}

/** WFI: waits unless an interrupt is pending; a trap is taken only instead of waiting. */
export function waitForInterrupt(cpu: Cpu): void {
  if (!isInterruptPending(cpu)) wait(cpu, "interrupt");
}

/** WFE: takes the event if there is one, else waits; a trap is taken only instead of waiting. */
export function waitForEvent(cpu: Cpu): void {
  if (cpu.eventRegister) {
    cpu.takeEvent();
    return;
  }
  wait(cpu, "event");
  if (cpu.waiting === "event") cpu.timer.armEventStream(true);
}

/** SEV: an event for every CPU. */
export function sendEvent(cpu: Cpu): void {
  for (const other of cpu.surroundings.cpus) other.signalEvent("event");
  cpu.attention = true;
}

/** SEVL: an event for this CPU. */
export function sendEventLocal(cpu: Cpu): void {
  cpu.signalEvent("event");
}

/** YIELD: the turn ends after this step. */
export function yieldProcessor(cpu: Cpu): void {
  cpu.yielded = true;
  cpu.attention = true;
}
