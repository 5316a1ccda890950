/** The GICv3 of the board: distributor, redistributors and CPU interfaces put together (Arm IHI 0069). */
import type { GicCpuInterface } from "../cpu/gic_interface.ts";
import { listOf, record } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { InterruptLine } from "./device.ts";
import type { Dma } from "./dma.ts";
import {
  CPUS_MAX,
  hasInterrupt,
  INTERRUPT_COUNT,
  type InterruptEvents,
  PRIVATE_COUNT,
  privateInput,
  sharedInput,
} from "./gic_interrupts.ts";
import { CPU_INTERFACE_FIELDS, GicV3CpuInterface } from "./gic_v3_cpu_interface.ts";
import { GicV3Distributor } from "./gic_v3_distributor.ts";
import { onBus } from "./gic_v3_frame.ts";
import {
  type Candidate,
  GICD_CTLR,
  GicV3Interrupts,
  GROUP,
  type Group,
  INTERRUPT_FIELDS,
} from "./gic_v3_interrupts.ts";
import { LPI_BASE, type LpiTarget } from "./gic_v3_lpi.ts";
import { lpiTarget } from "./gic_v3_lpi_target.ts";
import { GicV3Redistributor, REDISTRIBUTOR_FIELDS, REDISTRIBUTOR_SIZE } from "./gic_v3_redistributor.ts";
import { GicV3VirtualInterface, VIRTUAL_FIELDS } from "./gic_v3_virtual.ts";
import type { InterruptController, InterruptControllerFrame } from "./interrupt_controller.ts";

/** The inputs of a CPU that the controller drives; which of IRQ and FIQ Group 1 is, is the CPU's Security state's choice. */
export interface GicV3CpuLines {
  /** An interrupt of Group 0: FIQ. */
  readonly group0: InterruptLine;
  /** An interrupt of Secure Group 1. */
  readonly secureGroup1: InterruptLine;
  /** An interrupt of Non-secure Group 1. */
  readonly nonSecureGroup1: InterruptLine;
  /** Virtual IRQ. */
  readonly virtualIrq: InterruptLine;
  /** Virtual FIQ. */
  readonly virtualFiq: InterruptLine;
}

/** How a GICv3 is built. */
export interface GicV3Options {
  /** Name of the section. */
  readonly name: string;
  /** Where `interruptRaised` and `interruptAcknowledged` go. */
  readonly events: InterruptEvents;
  /** Outputs, one element per CPU, 1–8 of them. */
  readonly cpus: readonly GicV3CpuLines[];
  /** Two Security states. */
  readonly security: boolean;
  /** There is an ITS, and so LPIs. */
  readonly hasLpis: boolean;
  /** How the redistributors reach the tables of LPIs. */
  readonly dma: Pick<Dma, "read" | "write">;
  /** Names of the register frames in events. */
  readonly frameNames: Readonly<Record<"distributor" | "redistributors", string>>;
}

const layout = sectionLayout("gicv3", 1, {
  ...INTERRUPT_FIELDS,
  redistributors: listOf(record(REDISTRIBUTOR_FIELDS), CPUS_MAX),
  interfaces: listOf(record(CPU_INTERFACE_FIELDS), CPUS_MAX),
  virtualInterfaces: listOf(record(VIRTUAL_FIELDS), CPUS_MAX),
});

/** Number of the private interrupt by which a CPU's virtual interface asks for maintenance. */
const MAINTENANCE_INTERRUPT = 25;
const MAINTENANCE_SOURCE = "ich";

/** What is there for each CPU. */
interface CpuParts {
  readonly redistributor: GicV3Redistributor;
  readonly virtual: GicV3VirtualInterface;
  readonly face: GicV3CpuInterface;
}

/** The interrupt controller: 288 interrupts and LPIs, up to 8 CPUs, 4 list registers per CPU, affinity routing alone. */
export class GicV3 implements InterruptController {
  /** Name of the section. */
  readonly name: string;
  /** GICD, 64 KiB; GICR, 128 KiB for each CPU. */
  readonly frames: readonly InterruptControllerFrame[];
  /** What system registers reach, by CPU. */
  readonly cpuInterfaces: readonly GicCpuInterface[];
  /** Where the ITS sends LPIs. */
  readonly lpis: LpiTarget | undefined;
  readonly #options: GicV3Options;
  /** The interrupts themselves: nothing but the controller may change them. */
  readonly interrupts: GicV3Interrupts;
  readonly #parts: readonly CpuParts[];

  /** Throws RangeError when there are no CPUs or more than eight. */
  constructor(options: GicV3Options) {
    const { name, cpus, security, hasLpis, frameNames } = options;
    if (cpus.length < 1 || cpus.length > CPUS_MAX) {
      throw new RangeError(
        `Cannot build a GICv3 for ${cpus.length} CPUs: it has 1 to ${CPUS_MAX} redistributors`,
      );
    }
    this.name = name;
    this.#options = options;
    this.interrupts = new GicV3Interrupts(security);
    this.#parts = cpus.map((_, cpu) => this.#buildParts(cpu));
    this.cpuInterfaces = this.#parts.map(({ face }) => face);
    const tables = this.#parts.map(({ redistributor }) => redistributor.lpis);
    this.lpis = hasLpis ? lpiTarget(tables, options.events) : undefined;
    const changed = () => this.#update();
    const distributor = new GicV3Distributor(this.#frameOptions());
    const map = GicV3Redistributor.map;
    this.frames = [
      {
        device: onBus(
          frameNames.distributor,
          GicV3Distributor.map,
          (offset) => ({ frame: distributor, offset }),
          changed,
        ),
        size: 0x1_0000,
      },
      {
        device: onBus(frameNames.redistributors, map, (offset) => this.#redistributorAt(offset), changed),
        size: REDISTRIBUTOR_SIZE * cpus.length,
      },
    ];
  }

  #frameOptions() {
    return {
      interrupts: this.interrupts,
      hasLpis: this.#options.hasLpis,
      raised: (cpu: number, interrupt: number, source: string) => this.#raised(cpu, interrupt, source),
      changed: () => this.#update(),
    };
  }

  #buildParts(cpu: number): CpuParts {
    const { cpus, dma, security, hasLpis } = this.#options;
    const isLast = cpu === cpus.length - 1;
    const redistributor = new GicV3Redistributor({ ...this.#frameOptions(), dma, cpu, isLast });
    const changed = () => this.#update();
    const deactivate = (interrupt: number) => this.#deactivate(cpu, interrupt);
    const virtual = new GicV3VirtualInterface({ deactivatePhysical: deactivate, changed });
    const face = new GicV3CpuInterface({
      virtual,
      security,
      hasLpis,
      highest: () => this.#highest(cpu),
      groupOf: (interrupt) => this.interrupts.group(cpu, interrupt),
      isSingleState: () => this.interrupts.isSingleState,
      acknowledge: (interrupt) => this.#acknowledge(cpu, interrupt),
      deactivate,
      sendSgi: (request, group, isSecure) => this.#sendSgi(cpu, request, group, isSecure),
      changed,
    });
    return { redistributor, virtual, face };
  }

  #redistributorAt(offset: number): { frame: GicV3Redistributor; offset: number } | undefined {
    const frame = this.#parts[Math.floor(offset / REDISTRIBUTOR_SIZE)]?.redistributor;
    return frame === undefined ? undefined : { frame, offset: offset % REDISTRIBUTOR_SIZE };
  }

  /** The most urgent interrupt forwarded to a CPU, LPIs included; of equals the one with the lowest number. */
  #highest(cpu: number): Candidate | undefined {
    const candidate = this.interrupts.highest(cpu);
    const best = this.#parts[cpu]!.redistributor.lpis.best;
    if (best === undefined || !(this.interrupts.state.control & GICD_CTLR.EnableGrp1NS)) return candidate;
    const priority = this.interrupts.isSingleState ? best.priority : best.priority >>> 1 | 0x80;
    if (candidate !== undefined && candidate.priority <= priority) return candidate;
    return { interrupt: best.lpi, priority, group: GROUP.nonSecure };
  }

  #acknowledge(cpu: number, interrupt: number): void {
    if (interrupt >= LPI_BASE) this.#parts[cpu]!.redistributor.lpis.setPending(interrupt, false);
    else this.interrupts.acknowledge(cpu, interrupt);
    this.#options.events.emit("interruptAcknowledged", cpu, { interrupt });
  }

  #deactivate(cpu: number, interrupt: number): void {
    if (interrupt >= INTERRUPT_COUNT) return;
    this.interrupts.assign(this.interrupts.state.active, cpu, interrupt, false);
  }

  /** ICC_SGI0R_EL1 and its like: IRM sends to all others, otherwise a target list of CPUs that agree in affinities 1 to 3. */
  #sendSgi(from: number, request: bigint, group: Group, isSecure: boolean): void {
    const field = (shift: bigint, width: number) => Number(BigInt.asUintN(width, request >> shift));
    const isToOthers = field(40n, 1) === 1, interrupt = field(24n, 4);
    const others = this.#parts.reduce((bits, _, cpu) => cpu === from ? bits : bits | 1 << cpu, 0);
    const isHere = field(16n, 8) === 0 && field(32n, 8) === 0 && field(48n, 8) === 0;
    const targets = isToOthers ? others : isHere ? field(0n, 16) : 0;
    const asked = group === GROUP.secure && this.interrupts.isSingleState ? GROUP.zero : group;
    for (const cpu of this.#parts.keys()) {
      const isTarget = (targets >>> cpu & 1) === 1;
      if (!isTarget || !this.interrupts.acceptsSgi(cpu, interrupt, asked, isSecure)) continue;
      this.#latch(cpu, interrupt, `cpu${from}`);
    }
  }

  #latch(cpu: number, interrupt: number, source: string): void {
    const wasPending = this.interrupts.isPending(cpu, interrupt);
    this.interrupts.assign(this.interrupts.state.latched, cpu, interrupt, true);
    if (!wasPending) this.#raised(cpu, interrupt, source);
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
    return privateInput(this.#parts.length, cpu, interrupt, source, (...driven) => this.#setLevel(...driven));
  }

  #setLevel(cpu: number, interrupt: number, level: boolean, source: string): void {
    if (this.interrupts.test(this.interrupts.state.level, cpu, interrupt) === level) return;
    if (this.interrupts.setLevel(cpu, interrupt, level)) this.#raised(cpu, interrupt, source);
    this.#update();
  }

  /**
   * Makes an interrupt pending on behalf of the operator, as GICD_ISPENDR does. `cpu` matters for private interrupts
   * only. Throws RangeError when there is no such one.
   */
  inject(interrupt: number, cpu = 0): void {
    if (!this.hasInterrupt(interrupt) || !(cpu in this.#parts)) {
      throw new RangeError(`Cannot inject interrupt ${interrupt} of cpu${cpu}: there is none`);
    }
    this.#latch(cpu, interrupt, "operator");
    this.#update();
  }

  /** A shared interrupt is told as one of the CPU it is routed to, or of CPU 0 while that does not exist. */
  #raised(cpu: number, interrupt: number, source: string): void {
    const target = interrupt < PRIVATE_COUNT ? cpu : this.interrupts.targetOf(interrupt);
    this.#options.events.emit("interruptRaised", target in this.#parts ? target : 0, { interrupt, source });
  }

  #update(): void {
    for (const [cpu, { face, virtual }] of this.#parts.entries()) {
      const lines = this.#options.cpus[cpu]!;
      const group = face.output(), guest = virtual.output();
      lines.group0.set(group === GROUP.zero);
      lines.secureGroup1.set(group === GROUP.secure);
      lines.nonSecureGroup1.set(group === GROUP.nonSecure);
      lines.virtualIrq.set(guest === "irq");
      lines.virtualFiq.set(guest === "fiq");
    }
    for (const [cpu, { virtual: { maintenanceLevel } }] of this.#parts.entries()) {
      this.#setLevel(cpu, MAINTENANCE_INTERRUPT, maintenanceLevel, MAINTENANCE_SOURCE);
    }
  }

  /** Power-on state: everything disabled, inputs low; with `nonSecure`, all interrupts in Non-secure Group 1. */
  reset(nonSecure = false): void {
    this.interrupts.reset(nonSecure);
    for (const { redistributor } of this.#parts) redistributor.reset();
    for (const { face } of this.#parts) face.reset();
    this.#update();
  }

  /** The whole controller, inputs included. */
  save(): Section {
    return layout.encode(this.name, {
      ...this.interrupts.state,
      redistributors: this.#parts.map(({ redistributor }) => redistributor.state),
      interfaces: this.#parts.map(({ face }) => face.state),
      virtualInterfaces: this.#parts.map(({ virtual }) => virtual.state),
    });
  }

  /**
   * Restores what `save` gave, inputs included, and drives the outputs. Restored before the devices whose lines it has,
   * it takes their driving the same levels again as no change. Throws RangeError for another number of CPUs.
   */
  restore(section: Section): void {
    const { redistributors, interfaces, virtualInterfaces, ...state } = layout.decode(section);
    const counts = [redistributors, interfaces, virtualInterfaces].map(({ length }) => length);
    if (counts.some((count) => count !== this.#parts.length)) {
      throw new RangeError(
        `Cannot restore section "${section.name}": it has ${
          counts[0]
        } CPUs, the machine ${this.#parts.length}`,
      );
    }
    this.interrupts.state = state;
    for (const [cpu, { redistributor, face, virtual }] of this.#parts.entries()) {
      redistributor.state = redistributors[cpu]!;
      face.state = interfaces[cpu]!;
      virtual.state = virtualInterfaces[cpu]!;
    }
    this.#update();
  }
}
