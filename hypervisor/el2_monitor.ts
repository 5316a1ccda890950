/** The monitor at EL2: hosts one guest at EL1 and EL0 on all CPUs of the machine. */
import type { Exception } from "../machine/cpu/exception.ts";
import type { ExceptionClass } from "../machine/cpu/syndrome.ts";
import type { ExitHandler } from "./system.ts";
import { answerFirmwareCall } from "./firmware_calls.ts";
import { injectExternalAbort } from "./injection.ts";
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
    dataAbortLower: (vcpu, { faultAddress }) => {
      injectExternalAbort(vcpu, "data", faultAddress);
      return true;
    },
    instructionAbortLower: (vcpu, { faultAddress }) => {
      injectExternalAbort(vcpu, "instruction", faultAddress);
      return true;
    },
  };

  protected starting(vcpu: Vcpu): void {
    const authentication = vcpu.cpu.implements("PAuth") ? HCR_APK | HCR_API : 0n;
    vcpu.set("HCR_EL2", HCR_RW | authentication);
    vcpu.set("CNTHCTL_EL2", CNTHCTL_OPEN);
    vcpu.set("CNTVOFF_EL2", 0n);
  }

  protected interrupted(vcpu: Vcpu, { kind }: Exception): void {
    this.stop(vcpu, `an interrupt (${kind}) came to EL2, which routes none to itself`);
  }
}
