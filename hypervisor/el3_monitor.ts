/** The monitor at EL3: owns the conduit SMC and the firmware behind it, for a guest at EL2 or EL1 in Non-secure state. */
import type { Exception } from "../machine/cpu/exception.ts";
import type { ExceptionClass } from "../machine/cpu/syndrome.ts";
import type { ExitHandler } from "./system.ts";
import { answerFirmwareCall } from "./firmware_calls.ts";
import { injectExternalAbort } from "./injection.ts";
import { TrapMonitor } from "./monitor.ts";
import type { Vcpu } from "./vcpu.ts";

/** SCR_EL3: NS, RES1 bits 5–4, HCE, RW; APK, API, FGTEn and ECVEn let lower levels use extensions. */
const SCR = 1n | 3n << 4n | 1n << 8n | 1n << 10n;
const SCR_EXTENSIONS = 1n << 16n | 1n << 17n | 1n << 27n | 1n << 28n;

/** Hosts a guest below EL3. */
export class El3Monitor extends TrapMonitor {
  readonly level = 3;

  protected readonly handlers: Readonly<Partial<Record<ExceptionClass, ExitHandler>>> = {
    secureMonitorCall: (vcpu, { iss }) => answerFirmwareCall(this.site, vcpu, iss),
    dataAbortLower: (vcpu, { faultAddress, iss }) => {
      injectExternalAbort(vcpu, "data", faultAddress, iss & DATA_KEPT);
      return true;
    },
    instructionAbortLower: (vcpu, { faultAddress, iss }) => {
      injectExternalAbort(vcpu, "instruction", faultAddress, iss & FETCH_KEPT);
      return true;
    },
  };

  protected starting(vcpu: Vcpu): void {
    vcpu.set("SCR_EL3", SCR | SCR_EXTENSIONS);
  }

  protected interrupted(vcpu: Vcpu, exception: Exception): void {
    if (this.systems.some((system) => system.asynchronous?.(vcpu, exception))) return;
    const { kind } = exception;
    this.stop(vcpu, `an interrupt (${kind}) came to EL3, which routes none to itself`);
  }
}

/** ISS of an abort that is kept: the status code, which may be that of a walk, EA and FnV; of data also WnR and CM. */
const FETCH_KEPT = 0x3f | 1 << 9 | 1 << 10, DATA_KEPT = FETCH_KEPT | 1 << 6 | 1 << 8;
