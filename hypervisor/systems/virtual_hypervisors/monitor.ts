/**
 * virtual-hypervisors (18): one hypervisor kernel that is partitioned into virtual hypervisors (US11422840B2).
 *
 * EL2 has virtual machines of several instances on one PE, each with a VMID and stage 2 tables (VTTBR_EL2, Arm ARM D8.2),
 * an interrupt controller and a PL011 of its own. Everything of EL1 and EL0 changes with them. A virtual machine's time
 * is made of its own instructions and waits: CNTVOFF_EL2 is set at each change so that CNTVCT_EL0 goes on from where it
 * was, the physical counter and timer trap (CNTHCTL_EL2.EL1PCTEN = EL1PCEN = 0) and show the same time, WFI and WFE trap
 * (HCR_EL2.TWI, TWE), and a wait ends at its own deadline whenever that is seen. CNTHP fires at whole quanta of its own
 * time, whether or not anybody else is there: only then, and when it waits, it can be preempted. So what it executes,
 * reads and is interrupted by is a function of itself alone.
 */
import type { PhysicalAddress } from "../../../machine/address.ts";
import type { MonitorConfiguration } from "../../../machine/configuration.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { Exception } from "../../../machine/cpu/exception.ts";
import type { ExceptionClass } from "../../../machine/cpu/syndrome.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { Section } from "../../../machine/snapshot.ts";
import { TrapMonitor } from "../../monitor.ts";
import { layOwnSpace, ownSpaceRegisters } from "../../own_space.ts";
import { PagePool } from "../../page_pool.ts";
import { Stage2 } from "../../stage2.ts";
import type { ExitHandler } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { GUEST, TRAPS_ALL } from "../../virtual_gic.ts";
import { refuseMachine } from "./configuration.ts";
import { Consoles } from "./consoles.ts";
import { exitHandlers } from "./exits.ts";
import { Kernel } from "./kernel.ts";
import { ManagementCalls } from "./management_calls.ts";
import type { VmKey } from "./objects.ts";
import { VIRTUAL_HYPERVISORS, type VirtualHypervisorsOptions, virtualHypervisorsOptions } from "./options.ts";
import { OwnTime } from "./own_time.ts";
import { PhysicalInterrupts } from "./physical_interrupts.ts";
import { foundInstances } from "./power_on.ts";
import { trappedRegisters } from "./registers.ts";
import { Scheduler } from "./scheduler.ts";
import { restoreParts, saveParts, type StatefulParts } from "./section.ts";
import type { VirtualMachine } from "./virtual_machine.ts";
import { VirtualMachines } from "./virtual_machines.ts";
import { WorldSwitch } from "./world_switch.ts";

/** HCR_EL2: VM, FMO, IMO, AMO, TWI, TWE, TID3, RW; APK, API. */
const HCR = 1n | 7n << 3n | 1n << 13n | 1n << 14n | 1n << 18n | 1n << 31n;
const HCR_AUTHENTICATION = 1n << 40n | 1n << 41n;
/** MDCR_EL2.TPM and TPMCR. */
const MDCR = 1n << 6n | 1n << 5n;
const VTCR_PS = 16n;

/** The hypervisor at EL2 of a machine with one PE: composes its parts and answers the machine. */
export class HypervisorKernel extends TrapMonitor {
  readonly level = 2;
  protected readonly handlers: Readonly<Partial<Record<ExceptionClass, ExitHandler>>>;
  readonly #options: VirtualHypervisorsOptions;
  readonly #pool: PagePool;
  readonly #parts: StatefulParts;
  readonly #calls: ManagementCalls;

  /** Throws ConfigurationError for a machine that it cannot partition. */
  constructor(site: MonitorSite, options: VirtualHypervisorsOptions) {
    super(site);
    refuseMachine(site);
    this.#options = options;
    this.#pool = new PagePool(site.reserve.base as PhysicalAddress, site.reserve.size);
    this.#parts = this.#compose();
    const { kernel, world, scheduler, time } = this.#parts;
    this.#calls = new ManagementCalls(site, kernel, world, scheduler);
    this.handlers = exitHandlers({ site, kernel, world, scheduler, calls: this.#calls });
    this.add({
      slug: "virtual-cpus",
      registers: trappedRegisters(site.board, () => world.running, () => time.now),
    });
  }

  /** All parts; those that know one another do so by what is called later. */
  #compose(): StatefulParts {
    const { site } = this, { line, leak } = this.#options;
    const time = new OwnTime(site), kernel = this.#makeKernel();
    const machines = new VirtualMachines(site, this.#pool, {
      clears: leak !== "memory",
      transmitted: (vm, byte) => consoles.transmitted(vm, byte),
    });
    const consoles = new Consoles(site, line, machines, kernel);
    const interrupts = new PhysicalInterrupts(site, time, (cpu) => consoles.receive(cpu));
    const world = new WorldSwitch(site, leak, time, interrupts, consoles);
    const parts = { site, kernel, machines, time, interrupts, consoles, world };
    return { ...parts, scheduler: new Scheduler(parts) };
  }

  #makeKernel(): Kernel {
    const first = (): Vcpu => this.vcpu(this.site.cpus[0] as Cpu);
    return new Kernel({
      start: (instance, vm, image, initrd) =>
        this.#parts.machines.start(first(), instance, vm, image, initrd),
      resume: (instance, vm) => this.#parts.scheduler.resume(instance, vm),
      stop: (key) => this.#parts.scheduler.stop(first(), key),
      running: (key) => this.#parts.machines.find(key),
      attach: (key) => void (this.#parts.consoles.attached = key),
      isStorage: (image) => this.#parts.machines.isStorage(image),
      planeChanged: (instance, state, generation) =>
        this.site.events.emit("managementPlaneChanged", 0, { instance, state, generation }),
    });
  }

  /** Instances, groups and virtual machines as objects. */
  get kernel(): Kernel {
    return this.#parts.kernel;
  }

  /** Virtual machines that are on, in the order in which they were turned on. */
  get running(): readonly VirtualMachine[] {
    return this.#parts.machines.all;
  }

  /** What each that is on has had: its own steps, and nanoseconds of its own time. */
  get usage(): readonly (VmKey & { readonly steps: number; readonly time: number })[] {
    const { world, time } = this.#parts;
    return this.running.map((vm) => {
      const used = vm === world.current ? { steps: time.steps, time: time.now } : vm;
      return { instance: vm.instance, vm: vm.vm, steps: used.steps, time: used.time };
    });
  }

  override reset(): void {
    const { machines, time, interrupts, consoles, world, scheduler, kernel } = this.#parts;
    this.#pool.reset();
    layOwnSpace(this.site.memory, this.#pool.take());
    machines.clear();
    world.reset();
    scheduler.stopping.clear();
    time.reset();
    interrupts.isTimerOpen = false;
    consoles.attached = undefined;
    foundInstances(this.site, this.#options.manifest, machines, kernel);
    super.reset();
  }

  protected starting(vcpu: Vcpu): void {
    const { cpu } = vcpu, { machines: { physicalSize }, interrupts } = this.#parts;
    vcpu.set("HCR_EL2", HCR | (cpu.implements("PAuth") ? HCR_AUTHENTICATION : 0n));
    vcpu.set("CNTHCTL_EL2", 0n);
    vcpu.change("MDCR_EL2", MDCR);
    const sizeField = new Stage2(this.site.memory, this.#pool, { physicalSize }).vtcr >> VTCR_PS & 7n;
    for (const [name, value] of Object.entries(ownSpaceRegisters(this.#pool.base, sizeField))) {
      vcpu.set(name, value);
    }
    cpu.surroundings.gic?.write("ICH_HCR_EL2", TRAPS_ALL, { ...GUEST, level: 2 });
    interrupts.start(cpu);
  }

  override handle(cpu: Cpu, exception: Exception): void {
    const { scheduler } = this.#parts;
    scheduler.entered();
    super.handle(cpu, exception);
    scheduler.left();
  }

  protected interrupted(vcpu: Vcpu, { kind }: Exception): void {
    if (kind === "serror") return this.stop(vcpu, "an SError came to EL2");
    this.#parts.interrupts.drain(vcpu);
  }

  protected override returning(vcpu: Vcpu): void {
    this.#parts.scheduler.returning(vcpu);
  }

  override prepareTimeScale(): () => void {
    throw new InputRefusedError("Cannot change a time scale: virtual machines have times of their own");
  }

  override prepareCommand(_cpu: Cpu, command: string): () => void {
    return this.#calls.prepareCommand(command);
  }

  override prepareMessage(_cpu: Cpu, port: string, bytes: Uint8Array): (() => void) | undefined {
    return this.#calls.prepareMessage(port, bytes);
  }

  override save(): readonly Section[] {
    return [
      this.#pool.save(this.sectionName("vm_pool")),
      saveParts(this.sectionName(VIRTUAL_HYPERVISORS), this.#parts),
      ...super.save(),
    ];
  }

  override restore(section: (name: string) => Section): void {
    this.#pool.restore(section(this.sectionName("vm_pool")));
    restoreParts(section(this.sectionName(VIRTUAL_HYPERVISORS)), this.#parts);
    super.restore(section);
  }
}

/** The kernel of a configuration that asks for it alone. Throws ConfigurationError. */
export function buildHypervisorKernel(
  { systems }: MonitorConfiguration,
  site: MonitorSite,
): HypervisorKernel {
  const [first, ...others] = systems;
  if (first === undefined || others.length > 0) {
    throw new ConfigurationError(
      `Cannot enable ${VIRTUAL_HYPERVISORS} beside others at EL2: it has all of it`,
    );
  }
  const parsed = virtualHypervisorsOptions.safeParse(first.options);
  if (parsed.success) return new HypervisorKernel(site, parsed.data);
  const [issue] = parsed.error.issues;
  throw new ConfigurationError(
    `Cannot set the system ${VIRTUAL_HYPERVISORS} up: ${issue?.path.join(".")}: ${issue?.message}`,
  );
}
