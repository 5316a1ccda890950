/** The monitor at EL2: hosts one guest at EL1 and EL0 on all CPUs of the machine. */
import type { Exception } from "../machine/cpu/exception.ts";
import type { Section } from "../machine/snapshot.ts";
import type { ExceptionClass } from "../machine/cpu/syndrome.ts";
import type { ExitHandler } from "./system.ts";
import { answerFirmwareCall } from "./firmware_calls.ts";
import { GuestSpace } from "./guest_space.ts";
import { TrapMonitor } from "./monitor.ts";
import type { Vcpu } from "./vcpu.ts";

/** HCR_EL2 of a guest in AArch64: RW; API and APK let it use pointer authentication. */
const HCR_RW = 1n << 31n, HCR_APK = 1n << 40n, HCR_API = 1n << 41n;
/** CNTHCTL_EL2.EL1PCTEN and EL1PCEN: the physical counter and timer are the guest's. */
const CNTHCTL_OPEN = 3n;

/** Hosts a guest at EL1. */
export class El2Monitor extends TrapMonitor {
  readonly level = 2;

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
  };
  /** What the guest has at which address. */
  readonly space: GuestSpace = new GuestSpace(this.site);

  override reset(): void {
    this.space.reset();
    super.reset();
  }

  protected starting(vcpu: Vcpu): void {
    const authentication = vcpu.cpu.implements("PAuth") ? HCR_APK | HCR_API : 0n;
    vcpu.set("HCR_EL2", HCR_RW | authentication);
    vcpu.set("CNTHCTL_EL2", CNTHCTL_OPEN);
    vcpu.set("CNTVOFF_EL2", 0n);
    this.space.started(vcpu);
  }

  override save(): readonly Section[] {
    return [...this.space.save(this.sectionName("space")), ...super.save()];
  }

  override restore(section: (name: string) => Section): void {
    this.space.restore(this.sectionName("space"), section);
    super.restore(section);
  }

  protected interrupted(vcpu: Vcpu, { kind }: Exception): void {
    this.stop(vcpu, `an interrupt (${kind}) came to EL2, which routes none to itself`);
  }
}
