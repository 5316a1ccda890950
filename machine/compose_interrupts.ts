/** The interrupt controller of a board, wired to its CPUs. */
import { type Board, PPI, PPI_BASE } from "./board.ts";
import type { Cpu } from "./cpu/cpu.ts";
import type { InterruptLine } from "./devices/device.ts";
import type { TimerName } from "./devices/generic_timer.ts";
import { Dma } from "./devices/dma.ts";
import { GicV2 } from "./devices/gic_v2.ts";
import { GicV3 } from "./devices/gic_v3.ts";
import type { InterruptController } from "./devices/interrupt_controller.ts";
import type { EventHub } from "./events.ts";
import type { PhysicalMemory } from "./memory/physical.ts";

/** Interrupts of the generic timer by timer. */
// deno-fmt-ignore
const TIMER_PPI: Readonly<Partial<Record<TimerName, number>>> = {
  physical:       PPI.physicalTimer,
  virtual:        PPI.virtualTimer,
  hypervisor:     PPI.hypervisorTimer,
  securePhysical: PPI.securePhysicalTimer,
  hypervisorVirtual: PPI.hypervisorVirtualTimer,
};

/** Inputs of a CPU that an interrupt controller drives. */
type CpuInput =
  | "irqLine"
  | "fiqLine"
  | "secureGroup1Line"
  | "nonSecureGroup1Line"
  | "virtualIrqLine"
  | "virtualFiqLine";

/** An interrupt input of a CPU, as what drives it; nothing is to be looked at again while it stays as it is. */
function cpuLine(cpus: readonly Cpu[], index: number, input: CpuInput): InterruptLine {
  return {
    set: (level) => {
      const cpu = cpus[index];
      if (cpu === undefined || cpu[input] === level) return;
      cpu[input] = level;
      cpu.attention = true;
    },
  };
}

/** What an interrupt controller is built on. */
export interface InterruptServices {
  /** Where events go. */
  readonly events: EventHub;
  /** Where tables of LPIs are. */
  readonly memory: PhysicalMemory;
  /** The CPUs that it interrupts; may be filled later. */
  readonly cpus: readonly Cpu[];
}

function buildGicV2({ configuration: { cpus: count, secure } }: Board, services: InterruptServices): GicV2 {
  const { events, cpus } = services;
  const outputs = Array.from({ length: count }, (_, index) => ({
    irq: cpuLine(cpus, index, "irqLine"),
    fiq: cpuLine(cpus, index, "fiqLine"),
    virtualIrq: cpuLine(cpus, index, "virtualIrqLine"),
    virtualFiq: cpuLine(cpus, index, "virtualFiqLine"),
  }));
  const frameNames = {
    distributor: "gicd",
    cpuInterface: "gicc",
    virtualControl: "gich",
    virtualCpuInterface: "gicv",
  };
  return new GicV2({ name: "gic", events, security: secure, frameNames, cpus: outputs });
}

function buildGicV3(
  { configuration: { cpus: count, secure, its } }: Board,
  services: InterruptServices,
): GicV3 {
  const { events, memory, cpus } = services;
  const outputs = Array.from({ length: count }, (_, index) => ({
    group0: cpuLine(cpus, index, "fiqLine"),
    secureGroup1: cpuLine(cpus, index, "secureGroup1Line"),
    nonSecureGroup1: cpuLine(cpus, index, "nonSecureGroup1Line"),
    virtualIrq: cpuLine(cpus, index, "virtualIrqLine"),
    virtualFiq: cpuLine(cpus, index, "virtualFiqLine"),
  }));
  return new GicV3({
    name: "gic",
    events,
    security: secure,
    hasLpis: its,
    dma: new Dma("gicr", memory, events),
    frameNames: { distributor: "gicd", redistributors: "gicr" },
    cpus: outputs,
  });
}

/** Builds the controller that the configuration asks for. */
export function buildInterruptController(board: Board, services: InterruptServices): InterruptController {
  return board.configuration.gicVersion === 2 ? buildGicV2(board, services) : buildGicV3(board, services);
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
