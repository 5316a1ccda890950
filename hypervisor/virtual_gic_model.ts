/** The model behind a virtual interrupt controller: the machine's own GICv2 or GICv3, without Security states and LPIs. */
import type { MachineConfiguration } from "../machine/configuration.ts";
import type { GicCpuInterface } from "../machine/cpu/gic_interface.ts";
import type { InterruptLine } from "../machine/devices/device.ts";
import {
  type BankedInterrupts,
  type BankedState,
  type InterruptEvents,
  PRIVATE_COUNT,
} from "../machine/devices/gic_interrupts.ts";
import { GicV2 } from "../machine/devices/gic_v2.ts";
import { GicV3 } from "../machine/devices/gic_v3.ts";
import type {
  InterruptController,
  InterruptControllerFrame,
} from "../machine/devices/interrupt_controller.ts";
import type { Section } from "../machine/snapshot.ts";

/** Bits of an output: the virtual CPU's IRQ and FIQ. */
export const OUTPUT = { irq: 1, fiq: 2 } as const;

/** A model and its inputs. */
export interface GicModel {
  /** Name of its section. */
  readonly name: string;
  /** Its interrupts. */
  readonly interrupts: BankedInterrupts<BankedState>;
  /** The frames that a machine without EL2 has: the distributor first. */
  readonly frames: readonly InterruptControllerFrame[];
  /** What the system registers of each CPU reach; undefined for a GICv2. */
  readonly cpuInterfaces: readonly GicCpuInterface[] | undefined;
  /** Drives an input; `cpu` matters for private ones only. */
  drive(cpu: number, interrupt: number, level: boolean): void;
  /** Makes an interrupt pending as the operator; throws RangeError when there is none. */
  inject(interrupt: number, cpu: number): void;
  /** Power-on state. */
  reset(): void;
  /** The model's section. */
  save(): Section;
  /** Restores what `save` gave. */
  restore(section: Section): void;
}

/** Called when an output may have changed: its CPU, its bit in OUTPUT and its level. */
export type OutputChanged = (cpu: number, bit: number, level: boolean) => void;

const NAME = "monitor2.gic";
/** What events name as the cause of an interrupt that a physical one, or the monitor, drives. */
const SOURCE = "monitor";
const NOWHERE: InterruptLine = { set: () => {} };

type Built = InterruptController & { readonly interrupts: BankedInterrupts<BankedState> };

function buildV2(cpus: number, events: InterruptEvents, changed: OutputChanged): Built {
  const lines = (cpu: number) => ({
    irq: { set: (level: boolean) => changed(cpu, OUTPUT.irq, level) },
    fiq: { set: (level: boolean) => changed(cpu, OUTPUT.fiq, level) },
  });
  return new GicV2({
    name: NAME,
    events,
    security: false,
    frameNames: {
      distributor: "vgicd",
      cpuInterface: "vgicc",
      virtualControl: "vgich",
      virtualCpuInterface: "vgicv",
    },
    cpus: Array.from({ length: cpus }, (_, cpu) => lines(cpu)),
  });
}

/** Group 0 is an FIQ; Group 1 of the one Security state an IRQ. */
function buildV3(cpus: number, events: InterruptEvents, changed: OutputChanged): Built {
  const lines = (cpu: number) => ({
    group0: { set: (level: boolean) => changed(cpu, OUTPUT.fiq, level) },
    nonSecureGroup1: { set: (level: boolean) => changed(cpu, OUTPUT.irq, level) },
    secureGroup1: NOWHERE,
    virtualIrq: NOWHERE,
    virtualFiq: NOWHERE,
  });
  return new GicV3({
    name: NAME,
    events,
    security: false,
    hasLpis: false,
    dma: { read: () => undefined, write: () => false },
    frameNames: { distributor: "vgicd", redistributors: "vgicr" },
    cpus: Array.from({ length: cpus }, (_, cpu) => lines(cpu)),
  });
}

/** The model that a configuration's board has, for a virtual machine of as many CPUs. */
export function buildModel(
  { gicVersion, cpus }: MachineConfiguration,
  events: InterruptEvents,
  changed: OutputChanged,
): GicModel {
  const built = gicVersion === 2 ? buildV2(cpus, events, changed) : buildV3(cpus, events, changed);
  return {
    name: NAME,
    interrupts: built.interrupts,
    frames: built.frames.slice(0, 2),
    cpuInterfaces: built.cpuInterfaces,
    drive: (cpu, interrupt, level) => {
      const line = interrupt < PRIVATE_COUNT
        ? built.privateLine(cpu, interrupt, SOURCE)
        : built.sharedLine(interrupt, SOURCE);
      line.set(level);
    },
    inject: (interrupt, cpu) => built.inject(interrupt, cpu),
    reset: () => built.reset(),
    save: () => built.save(),
    restore: (section) => built.restore(section),
  };
}
