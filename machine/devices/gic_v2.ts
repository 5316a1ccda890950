/** The GICv2 of the board: interrupts, distributor and CPU interfaces put together (Arm IHI 0048B). */
import { listOf, record } from "../layout.ts";
import type { MappedDevice } from "../memory/physical.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { InterruptLine } from "./device.ts";
import type { InterruptController, InterruptControllerFrame } from "./interrupt_controller.ts";
import { CPU_INTERFACE_FIELDS, GicV2CpuInterface, type InterruptSource } from "./gic_v2_cpu_interface.ts";
import { byCpu, GicV2Distributor } from "./gic_v2_distributor.ts";
import {
  at,
  CPUS_MAX,
  hasInterrupt,
  INTERRUPT_COUNT,
  type InterruptEvents,
  lowestBit,
  PRIVATE_COUNT,
  privateInput,
  SGI_COUNT,
  sharedInput,
} from "./gic_interrupts.ts";
import { GicV2Interrupts, INTERRUPT_FIELDS, NON_SECURE_PRIORITY } from "./gic_v2_interrupts.ts";
import { GicV2VirtualInterface, VIRTUAL_FIELDS } from "./gic_v2_virtual.ts";
import type { RegisterMap } from "./register_map.ts";

/** The interrupt inputs of a CPU that the controller drives. */
export interface CpuInterruptLines {
  /** IRQ. */
  readonly irq: InterruptLine;
  /** FIQ. */
  readonly fiq: InterruptLine;
  /** Virtual IRQ, with the Virtualization Extensions. */
  readonly virtualIrq?: InterruptLine;
  /** Virtual FIQ, with the Virtualization Extensions. */
  readonly virtualFiq?: InterruptLine;
}

/** How a GICv2 is built. */
export interface GicV2Options {
  /** Name of the section. */
  readonly name: string;
  /** Where `interruptRaised` and `interruptAcknowledged` go. */
  readonly events: InterruptEvents;
  /** Outputs, one element per CPU, 1–8 of them. */
  readonly cpus: readonly CpuInterruptLines[];
  /** The Security Extensions: Secure and Non-secure views of the registers. */
  readonly security: boolean;
  /** Names of the register frames in events. */
  readonly frameNames: Readonly<
    Record<"distributor" | "cpuInterface" | "virtualControl" | "virtualCpuInterface", string>
  >;
}

const layout = sectionLayout("gicv2", 1, {
  ...INTERRUPT_FIELDS,
  interfaces: listOf(record(CPU_INTERFACE_FIELDS), CPUS_MAX),
  virtualControls: listOf(record(VIRTUAL_FIELDS), CPUS_MAX),
  virtualInterfaces: listOf(record(CPU_INTERFACE_FIELDS), CPUS_MAX),
});

/** Number of the private interrupt by which a CPU's virtual interface asks for maintenance. */
const MAINTENANCE_INTERRUPT = 25;

/** The interrupt controller: 288 interrupts, up to 8 CPUs, 8 bits of priority, 4 list registers per CPU. */
export class GicV2 implements InterruptController {
  /** Name of the section. */
  readonly name: string;
  /** GICD, 4 KiB. */
  readonly distributor: MappedDevice;
  /** GICC, 8 KiB: each CPU meets its own. */
  readonly cpuInterface: MappedDevice;
  /** GICH, 4 KiB: the hypervisor's side of the CPU's virtual interface. */
  readonly virtualControl: MappedDevice;
  /** GICV, 8 KiB: the guest's side of the CPU's virtual interface. */
  readonly virtualCpuInterface: MappedDevice;
  /** The frames as the board places them; what is left of 64 KiB meets nothing, as in QEMU 7.2. */
  readonly frames: readonly InterruptControllerFrame[];
  readonly #events: InterruptEvents;
  readonly #outputs: readonly CpuInterruptLines[];
  /** The interrupts themselves: nothing but the controller may change them. */
  readonly interrupts: GicV2Interrupts;
  readonly #interfaces: readonly GicV2CpuInterface[];
  readonly #virtual: readonly GicV2VirtualInterface[];

  /** Throws RangeError when there are no CPUs or more than eight. */
  constructor({ name, events, cpus, security, frameNames }: GicV2Options) {
    if (cpus.length < 1 || cpus.length > CPUS_MAX) {
      throw new RangeError(
        `Cannot build a GICv2 for ${cpus.length} CPUs: it has 1 to ${CPUS_MAX} interfaces`,
      );
    }
    this.name = name;
    this.#events = events;
    this.#outputs = cpus;
    this.interrupts = new GicV2Interrupts(cpus.length);
    const changed = () => this.#update();
    this.#interfaces = cpus.map((_, cpu) =>
      new GicV2CpuInterface({ source: this.#sourceOf(cpu), virtual: false, security, changed })
    );
    this.#virtual = cpus.map((_, cpu) =>
      new GicV2VirtualInterface({
        changed,
        deactivatePhysical: (interrupt) => this.#deactivate(cpu, interrupt),
      })
    );
    this.distributor = new GicV2Distributor({
      name: frameNames.distributor,
      interrupts: this.interrupts,
      security,
      raised: (cpu, interrupt, source) => this.#raised(cpu, interrupt, source),
      changed,
    });
    const { map } = GicV2CpuInterface;
    this.cpuInterface = frame(frameNames.cpuInterface, map, (cpu) => this.#interfaces[cpu]);
    this.virtualControl = frame(
      frameNames.virtualControl,
      GicV2VirtualInterface.map,
      (cpu) => this.#virtual[cpu],
    );
    this.virtualCpuInterface = frame(frameNames.virtualCpuInterface, map, (cpu) => this.#virtual[cpu]?.guest);
    this.frames = [
      { device: this.distributor, size: 0x1000 },
      { device: this.cpuInterface, size: 0x2000 },
      { device: this.virtualControl, size: 0x1000 },
      { device: this.virtualCpuInterface, size: 0x2000 },
    ];
  }

  #sourceOf(cpu: number): InterruptSource {
    const { interrupts } = this;
    return {
      highest: () => interrupts.highest(cpu),
      identify: (interrupt) =>
        interrupt < SGI_COUNT ? interrupt | (interrupts.sourceOf(cpu, interrupt) << 10) : interrupt,
      acknowledge: (interrupt) => {
        interrupts.acknowledge(cpu, interrupt);
        this.#events.emit("interruptAcknowledged", cpu, { interrupt });
      },
      group: (interrupt) => interrupt < INTERRUPT_COUNT ? interrupts.group(cpu, interrupt) : undefined,
      deactivate: (interrupt) => this.#deactivate(cpu, interrupt),
      unknownEnded: () => {},
    };
  }

  #deactivate(cpu: number, interrupt: number): void {
    if (interrupt < INTERRUPT_COUNT) {
      this.interrupts.assign(this.interrupts.state.active, cpu, interrupt, false);
    }
  }

  /** Whether there is an interrupt of this number, 0–287. */
  hasInterrupt(interrupt: number): boolean {
    return hasInterrupt(interrupt);
  }

  /** The input of a shared peripheral interrupt (number 32–287); `source` is what events name as its cause. */
  sharedLine(interrupt: number, source: string): InterruptLine {
    return sharedInput(interrupt, source, (...driven) => this.#setLevel(...driven));
  }

  /** The input of a private peripheral interrupt (number 16–31) of a CPU. */
  privateLine(cpu: number, interrupt: number, source: string): InterruptLine {
    return privateInput(
      this.#outputs.length,
      cpu,
      interrupt,
      source,
      (...driven) => this.#setLevel(...driven),
    );
  }

  #setLevel(cpu: number, interrupt: number, level: boolean, source: string): void {
    const { state } = this.interrupts;
    if (this.interrupts.test(state.level, cpu, interrupt) === level) return;
    if (this.interrupts.setLevel(cpu, interrupt, level)) this.#raised(cpu, interrupt, source);
    this.#update();
  }

  /**
   * Makes an interrupt pending on behalf of the operator, as GICD_ISPENDR does, or GICD_SPENDSGIR for an SGI, which the
   * CPU then has from itself. `cpu` matters for private interrupts only. Throws RangeError when there is no such one.
   */
  inject(interrupt: number, cpu = 0): void {
    if (!this.hasInterrupt(interrupt) || !(cpu in this.#outputs)) {
      throw new RangeError(`Cannot inject interrupt ${interrupt} of cpu${cpu}: there is none`);
    }
    const wasPending = this.interrupts.isPending(cpu, interrupt);
    if (interrupt < SGI_COUNT) this.interrupts.sendSgi(cpu, interrupt, 1 << cpu);
    else this.interrupts.assign(this.interrupts.state.latched, cpu, interrupt, true);
    if (!wasPending) this.#raised(cpu, interrupt, "operator");
    this.#update();
  }

  /** A shared interrupt is told as one of its lowest-numbered target CPU, or of CPU 0 while it has none. */
  #raised(cpu: number, interrupt: number, source: string): void {
    const targets = interrupt < PRIVATE_COUNT ? 1 << cpu : at(this.interrupts.state.targets, interrupt);
    const told = targets === 0 ? 0 : lowestBit(targets);
    this.#events.emit("interruptRaised", told, { interrupt, source });
  }

  /** Whether an interrupt is signalled to a CPU, masked there or not: what ends WFI. */
  pendingFor(cpu: number): boolean {
    return this.#interfaces[cpu]?.output() !== "none";
  }

  #update(): void {
    for (const [cpu, lines] of this.#outputs.entries()) {
      drive(this.#interfaces[cpu]!, lines.irq, lines.fiq);
      drive(this.#virtual[cpu]!.guest, lines.virtualIrq, lines.virtualFiq);
    }
    for (const [cpu, { maintenanceLevel }] of this.#virtual.entries()) {
      this.#setLevel(cpu, MAINTENANCE_INTERRUPT, maintenanceLevel, this.virtualControl.name);
    }
  }

  /**
   * Power-on state: everything disabled, inputs low. With `nonSecure`, as Secure firmware hands it on: all interrupts in
   * Group 1, their priorities and the priority masks at 0x80.
   */
  reset(nonSecure = false): void {
    this.interrupts.reset(nonSecure);
    for (const each of this.#virtual) each.reset();
    for (const each of this.#interfaces) {
      each.reset();
      if (nonSecure) each.state.priorityMask = NON_SECURE_PRIORITY;
    }
    this.#update();
  }

  /** The whole controller, inputs included. */
  save(): Section {
    return layout.encode(this.name, {
      ...this.interrupts.state,
      interfaces: this.#interfaces.map(({ state }) => state),
      virtualControls: this.#virtual.map(({ state }) => state),
      virtualInterfaces: this.#virtual.map(({ guest }) => guest.state),
    });
  }

  /**
   * Restores what `save` gave, inputs included, and drives the outputs. Restored before the devices whose lines it has,
   * it takes their driving the same levels again as no change. Throws RangeError for another number of CPUs.
   */
  restore(section: Section): void {
    const { interfaces, virtualControls, virtualInterfaces, ...state } = layout.decode(section);
    const counts = [interfaces, virtualControls, virtualInterfaces].map(({ length }) => length);
    if (counts.some((count) => count !== this.#outputs.length)) {
      throw new RangeError(
        `Cannot restore section "${section.name}": it has ${
          counts[0]
        } CPUs, the machine ${this.#outputs.length}`,
      );
    }
    this.interrupts.state = state;
    for (const cpu of this.#outputs.keys()) {
      this.#interfaces[cpu]!.state = interfaces[cpu]!;
      this.#virtual[cpu]!.state = virtualControls[cpu]!;
      this.#virtual[cpu]!.guest.state = virtualInterfaces[cpu]!;
    }
    this.#update();
  }
}

function drive(
  face: GicV2CpuInterface,
  irq: InterruptLine | undefined,
  fiq: InterruptLine | undefined,
): void {
  const output = face.output();
  irq?.set(output === "irq");
  fiq?.set(output === "fiq");
}

/** A register frame in which each CPU meets registers of its own. */
function frame<D>(
  name: string,
  map: RegisterMap<D, never>,
  deviceOf: (cpu: number) => D | undefined,
): MappedDevice {
  return {
    name,
    read: (offset, size, context) => {
      const own = byCpu(context);
      const device = deviceOf(own.cpu);
      return device === undefined ? 0 : map.read(device, {}, offset, size, own);
    },
    write: (offset, size, value, context) => {
      const own = byCpu(context);
      const device = deviceOf(own.cpu);
      if (device !== undefined) map.write(device, {}, offset, size, value, own);
    },
  };
}
