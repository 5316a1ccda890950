/** The monitor at EL2: hosts one guest at EL1 and EL0 on all CPUs of the machine. */
import type { Cpu } from "../machine/cpu/cpu.ts";
import type { Exception } from "../machine/cpu/exception.ts";
import { ConfigurationError } from "../machine/errors.ts";
import type { MonitorSite } from "../machine/monitor.ts";
import type { Section } from "../machine/snapshot.ts";
import type { ExceptionClass } from "../machine/cpu/syndrome.ts";
import type { ExitHandler } from "./system.ts";
import { DebugExceptions } from "./debug_exceptions.ts";
import { answerFirmwareCall } from "./firmware_calls.ts";
import { GuestSpace } from "./guest_space.ts";
import { HYPERVISOR_TIMER, HypervisorTimer } from "./hypervisor_timer.ts";
import { TrapMonitor } from "./monitor.ts";
import type { Vcpu } from "./vcpu.ts";
import { VirtualGic } from "./virtual_gic.ts";

/** HCR_EL2 of a guest in AArch64: RW; API and APK let it use pointer authentication. */
const HCR_RW = 1n << 31n, HCR_APK = 1n << 40n, HCR_API = 1n << 41n;
/** CNTHCTL_EL2.EL1PCTEN and EL1PCEN: the physical counter and timer are the guest's. */
const CNTHCTL_OPEN = 3n;

/** Hosts a guest at EL1. */
export class El2Monitor extends TrapMonitor {
  readonly level = 2;

  /** Debug exceptions of the guest, where they come to EL2. */
  readonly debug: DebugExceptions = new DebugExceptions();

  protected readonly handlers: Readonly<Partial<Record<ExceptionClass, ExitHandler>>> = {
    hypervisorCall: (vcpu, { iss }) => answerFirmwareCall(this.site, vcpu, iss),
    dataAbortLower: (vcpu, exit) => {
      this.space.dataAborted(vcpu, exit);
      return true;
    },
    instructionAbortLower: (vcpu, exit) => {
      this.space.fetchAborted(vcpu, exit);
      return true;
    },
    ...this.debug.handlers,
  };
  /** What the guest has at which address. */
  readonly space: GuestSpace = new GuestSpace(this.site);
  /** The guest's interrupt controller. */
  readonly gic: VirtualGic = new VirtualGic(this.site);
  /** EL2's timer. */
  readonly timer: HypervisorTimer = new HypervisorTimer(this.gic);

  /** Throws ConfigurationError for a board with an ITS, which is not emulated. */
  constructor(site: MonitorSite) {
    super(site);
    const { gicVersion, its } = site.board.configuration;
    if (gicVersion === 3 && its) {
      throw new ConfigurationError(
        "A monitor at EL2 emulates no interrupt translation service: leave it out with -M virt,gic-version=3,its=off",
      );
    }
    for (const { base, size, device } of this.gic.frames) this.space.emulate(base, size, device);
    const registers = this.gic.registers.map(({ name, read, write }) => ({
      name,
      read: ({ cpu }: Vcpu) => read(cpu),
      write: ({ cpu }: Vcpu, value: bigint) => write(cpu, value),
    }));
    this.add({ slug: "interrupt-controller", registers });
  }

  override reset(): void {
    this.space.reset();
    this.gic.reset();
    this.timer.reset();
    this.debug.reset();
    super.reset();
  }

  protected starting(vcpu: Vcpu): void {
    const authentication = vcpu.cpu.implements("PAuth") ? HCR_APK | HCR_API : 0n;
    vcpu.set("HCR_EL2", HCR_RW | authentication);
    vcpu.set("CNTHCTL_EL2", CNTHCTL_OPEN);
    vcpu.set("CNTVOFF_EL2", 0n);
    this.space.started(vcpu);
    this.gic.started(vcpu.cpu);
    this.timer.started(vcpu);
    this.debug.started(vcpu);
  }

  override handle(cpu: Cpu, exception: Exception): void {
    this.debug.entered(this.vcpu(cpu));
    super.handle(cpu, exception);
  }

  override save(): readonly Section[] {
    return [
      ...this.space.save(this.sectionName("space")),
      ...this.gic.save(),
      ...this.timer.save(this.sectionName("timer")),
      ...this.debug.save(this.sectionName("debug")),
      ...super.save(),
    ];
  }

  override restore(section: (name: string) => Section): void {
    this.space.restore(this.sectionName("space"), section);
    this.gic.restore(section);
    this.timer.restore(this.sectionName("timer"), section);
    this.debug.restore(this.sectionName("debug"), section);
    super.restore(section);
  }

  protected interrupted(vcpu: Vcpu, { kind }: Exception): void {
    if (kind === "serror") return this.stop(vcpu, "an SError came to EL2");
    this.gic.take(vcpu.cpu, (interrupt) => {
      if (interrupt !== HYPERVISOR_TIMER || !this.timer.isUsed) {
        return this.systems.some((system) => system.interrupt?.(vcpu, interrupt));
      }
      const due = this.timer.take(vcpu);
      for (const system of this.systems) if (due.includes(system.slug)) system.interrupt?.(vcpu, interrupt);
      return true;
    });
  }
}
