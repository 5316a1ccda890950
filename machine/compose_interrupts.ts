/** The interrupt controller of a board, wired to its CPUs. */
import { type Board, PPI, PPI_BASE } from "./board.ts";
import type { Cpu } from "./cpu/cpu.ts";
import type { InterruptLine } from "./devices/device.ts";
import type { TimerName } from "./devices/generic_timer.ts";
import { GicV2 } from "./devices/gic_v2.ts";
import type { InterruptController } from "./devices/interrupt_controller.ts";
import type { EventHub } from "./events.ts";

/** Interrupts of the generic timer by timer. */
// deno-fmt-ignore
const TIMER_PPI: Readonly<Partial<Record<TimerName, number>>> = {
  physical:       PPI.physicalTimer,
  virtual:        PPI.virtualTimer,
  hypervisor:     PPI.hypervisorTimer,
  securePhysical: PPI.securePhysicalTimer,
  hypervisorVirtual: PPI.hypervisorVirtualTimer,
};

/** An interrupt input of a CPU, as what drives it. */
function cpuLine(
  cpus: readonly Cpu[],
  index: number,
  drive: (cpu: Cpu, level: boolean) => void,
): InterruptLine {
  return {
    set: (level) => {
      const cpu = cpus[index];
      if (cpu === undefined) return;
      drive(cpu, level);
      cpu.attention = true;
    },
  };
}

/** Builds the controller that the configuration asks for; `cpus` may be filled later. */
export function buildInterruptController(
  { configuration: { cpus: count, secure } }: Board,
  events: EventHub,
  cpus: readonly Cpu[],
): InterruptController {
  const outputs = Array.from({ length: count }, (_, index) => ({
    irq: cpuLine(cpus, index, (cpu, level) => (cpu.irqLine = level)),
    fiq: cpuLine(cpus, index, (cpu, level) => (cpu.fiqLine = level)),
    virtualIrq: cpuLine(cpus, index, (cpu, level) => (cpu.virtualIrqLine = level)),
    virtualFiq: cpuLine(cpus, index, (cpu, level) => (cpu.virtualFiqLine = level)),
  }));
  const frameNames = {
    distributor: "gicd",
    cpuInterface: "gicc",
    virtualControl: "gich",
    virtualCpuInterface: "gicv",
  };
  return new GicV2({ name: "gic", events, security: secure, frameNames, cpus: outputs });
}

/** The interrupt lines of a CPU's timers. */
export function timerLines(
  controller: InterruptController,
  cpu: number,
): Readonly<Partial<Record<TimerName, InterruptLine>>> {
  return Object.fromEntries(
    Object.entries(TIMER_PPI).map(([name, ppi]) => [
      name,
      controller.privateLine(cpu, PPI_BASE + ppi, `timer${cpu} ${name}`),
    ]),
  );
}
