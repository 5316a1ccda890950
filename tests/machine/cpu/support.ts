/** A CPU on its own for tests: memory, clock, events and a timer, but no board. */
import type { CpuModel } from "../../../machine/a64/feature.ts";
import { Clock } from "../../../machine/clock.ts";
import { Cpu, type CpuFeatures } from "../../../machine/cpu/cpu.ts";
import type { StrictModels } from "../../../machine/cpu/strict_models.ts";
import type { GicCpuInterface } from "../../../machine/cpu/gic_interface.ts";
import { resetCpu } from "../../../machine/cpu/reset.ts";
import { CPU_STATE_SIZE } from "../../../machine/cpu/registers.ts";
import { GenericTimer } from "../../../machine/devices/generic_timer.ts";
import { physicalAddress } from "../../../machine/address.ts";
import { EventHub, type EventKind, type MachineEvent } from "../../../machine/events.ts";
import { PhysicalMemory } from "../../../machine/memory/physical.ts";

/** First address of the RAM of a test CPU. */
export const RAM = 0x4000_0000;

/** What a test may choose. */
export interface TestOptions {
  /** -cpu; cortex-a57 by default. */
  readonly model?: CpuModel;
  /** EL2 exists. */
  readonly el2?: boolean;
  /** EL3 exists. */
  readonly el3?: boolean;
  /** Number of CPUs. */
  readonly count?: number;
  /** Answers HVC and SMC. */
  readonly firmware?: "hvc" | "smc";
  /** Semihosting is on. */
  readonly semihosting?: boolean;
  /** The interface of every CPU to a GICv3. */
  readonly gic?: GicCpuInterface;
  /** Strict models of the CPUs. */
  readonly strict?: (memory: PhysicalMemory, events: EventHub) => StrictModels;
}

/** CPUs after reset at their highest level, and what happened to them. */
export interface TestCpus {
  /** The first CPU. */
  readonly cpu: Cpu;
  /** All CPUs. */
  readonly cpus: readonly Cpu[];
  /** Virtual time. */
  readonly clock: Clock;
  /** Every event since the start. */
  readonly events: MachineEvent[];
  /** Calls of firmware and semihosting. */
  readonly calls: string[];
}

/** Builds CPUs and resets them. */
export function testCpus(options: TestOptions = {}): TestCpus {
  const { model = "cortex-a57", el2 = false, el3 = false, count = 1, firmware, semihosting = false } =
    options;
  const memory = new PhysicalMemory(CPU_STATE_SIZE * count, 1 << 20);
  memory.addRegion("ram", physicalAddress(RAM), 1 << 20);
  const clock = new Clock();
  const hub = new EventHub(clock);
  const events: MachineEvent[] = [];
  hub.add({ classes: ["trap", "detail", "device"], observe: (event) => void events.push(event) });
  const cpus: Cpu[] = [];
  const calls: string[] = [];
  const features: CpuFeatures = { model, el2, el3 };
  const surroundings = {
    strict: options.strict?.(memory, hub),
    gic: options.gic,
    memory,
    clock,
    events: hub,
    cpus,
    firmwareCall: (_cpu: Cpu, conduit: "hvc" | "smc") => {
      if (conduit === firmware) calls.push(conduit);
      return conduit === firmware;
    },
    semihostingCall: () => {
      if (semihosting) calls.push("semihosting");
      return semihosting;
    },
  };
  for (let index = 0; index < count; index++) {
    const timer = new GenericTimer({ name: `timer${index}`, clock, lines: {} });
    const cpu = new Cpu(index, features, surroundings, timer);
    cpus.push(cpu);
    resetCpu(cpu, { on: true, pc: BigInt(RAM), level: el3 ? 3 : el2 ? 2 : 1 });
  }
  return { cpu: cpus[0] as Cpu, cpus, clock, events, calls };
}

/** The events of a kind, in order. */
export function eventsOf<K extends EventKind>(
  { events }: TestCpus,
  kind: K,
): Extract<MachineEvent, { kind: K }>[] {
  return events.filter((event): event is Extract<MachineEvent, { kind: K }> => event.kind === kind);
}

/** Puts a CPU at a level with its own stack pointer, without an exception. */
export function putAt(cpu: Cpu, level: 0 | 1 | 2 | 3): void {
  cpu.el = level;
  cpu.spSel = level === 0 ? 0 : 1;
}
