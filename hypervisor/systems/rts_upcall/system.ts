/**
 * rts-upcall (6): UEFI's runtime services done at a higher exception level (US20190391814A1; grant US11042485B2).
 *
 * Each pointer of EFI_RUNTIME_SERVICES leads to a stub of `HVC #n` or `SMC #n` and `RET`. AAPCS64's arguments stay in X0
 * to X7; the handler takes the service from the immediate (ESR_ELx.ISS[15:0], EC 0x16 or 0x17) and the caller's level
 * from SPSR_ELx.M, reaches the caller's memory by AT (see `caller.ts`), and leaves EFI_STATUS in X0. Stubs need no data
 * and run at any address: SetVirtualAddressMap has nothing of theirs to relocate, only the tables' pointers. The
 * variables are a log on a disk that is the monitor's own (`drive=ID`): whatever the guest writes, be it its RAM or the
 * stubs, it has no way to them but the services. The same code serves EL2 and EL3.
 */
import { z } from "zod";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { FUNCTION } from "../../../machine/psci.ts";
import type { Section } from "../../../machine/snapshot.ts";
import type { Disk } from "../../../machine/storage/disk.ts";
import {
  BOOT_SERVICES,
  type BootService,
  UPCALL,
  UPCALL_ANSWER,
  upcallNamed,
} from "../../../machine/uefi_services.ts";
import { EFI_STATUS, EfiError } from "../../efi_status.ts";
import type { Exit } from "../../exit.ts";
import type { TrapMonitor } from "../../monitor.ts";
import { type ExitHandler, type MonitorSystem, type SystemRow, systemRow } from "../../system.ts";
import { type LogDevice, SMALLEST_LOG, VariableLog } from "../../variable_store/variable_log.ts";
import { VariableServices } from "../../variable_store/variable_services.ts";
import type { Vcpu } from "../../vcpu.ts";
import { beginBootServices, bootService, noBootState, virtualMap } from "./boot_services.ts";
import { Caller } from "./caller.ts";
import { getTime, setTime, UNSPECIFIED } from "./clock.ts";
import { NEVER, restoreState, saveState, type ServicesState } from "./state.ts";
import { convertTables } from "./system_table.ts";
import { getNextVariableName, getVariable, queryVariableInfo, setVariable } from "./variable_calls.ts";

const SLUG = "rts-upcall";

/** EFI_RESET_TYPE: cold, warm, shutdown, platform-specific; by PSCI. */
const RESETS = [
  FUNCTION.SYSTEM_RESET,
  FUNCTION.SYSTEM_RESET,
  FUNCTION.SYSTEM_OFF,
  FUNCTION.SYSTEM_RESET,
] as const;
/** EFI_OPTIONAL_PTR of ConvertPointer. */
const OPTIONAL_POINTER = 1n;

const { SUCCESS, INVALID_PARAMETER, UNSUPPORTED } = EFI_STATUS;

/** The disk lost power at an operation, as an operator had asked. */
class PowerLostError extends Error {}

/** Services after a reset, before any firmware ran. */
function initialState(): ServicesState {
  return {
    phase: "reset",
    timeZone: { zone: UNSPECIFIED, daylight: 0 },
    boot: noBootState(),
    volatile: [],
    operationsLeft: NEVER,
    isPowerLost: false,
  };
}

/** The services in one monitor. */
export class FirmwareServices implements MonitorSystem {
  readonly slug = SLUG;
  readonly exits: NonNullable<MonitorSystem["exits"]>;
  #state: ServicesState = initialState();
  /** What the disk has, read when it is first wanted after a reset or a restore. */
  #variables: VariableServices | undefined;

  /** `disk` is the monitor's own. */
  constructor(private readonly monitor: TrapMonitor, private readonly disk: Disk) {
    const answer: ExitHandler = (vcpu, exit) => this.#answer(vcpu, exit);
    this.exits = monitor.level === 2 ? { hypervisorCall: answer } : { secureMonitorCall: answer };
  }

  reset(): void {
    this.#state = initialState();
    this.#variables = undefined;
  }

  #change(change: Partial<ServicesState>): void {
    this.#state = { ...this.#state, ...change };
  }

  /** The variables; boot services' own are not seen after them. */
  get variables(): VariableServices {
    return this.#variables ??= new VariableServices(new VariableLog(this.#logDevice()), this.#state.volatile);
  }

  /** The disk, until it loses power. */
  #logDevice(): LogDevice {
    const { disk } = this;
    const operate = () => {
      const left = this.#state.operationsLeft;
      if (left === 0) {
        this.#change({ isPowerLost: true });
        disk.losePower();
      }
      if (this.#state.isPowerLost) throw new PowerLostError("the disk has no power");
      if (left !== NEVER) this.#change({ operationsLeft: left - 1 });
    };
    return {
      size: disk.size,
      peek: (offset, length) => disk.peek(offset, length),
      write: (offset, sector) => {
        operate();
        disk.write(offset, sector);
      },
      flush: () => {
        operate();
        disk.flush();
      },
    };
  }

  get #isRuntime(): boolean {
    return this.#state.phase === "runtime" || this.#state.phase === "virtual";
  }

  #answer(vcpu: Vcpu, { iss }: Exit): boolean {
    const immediate = iss & 0xffff;
    if (immediate < UPCALL.FIRST || immediate > UPCALL.LAST) return false;
    const service = upcallNamed(immediate), caller = new Caller(vcpu), { events } = this.monitor.site;
    const name = service ?? `0x${immediate.toString(16)}`;
    events.emit("firmwareServiceCalled", vcpu.index, {
      service: name,
      level: vcpu.level,
      arguments: Array.from({ length: 8 }, (_, n) => vcpu.x(n)),
    });
    let status: bigint;
    try {
      status = service === undefined ? UNSUPPORTED : this.#serve(service, caller);
    } catch (error) {
      if (error instanceof PowerLostError) {
        this.monitor.stop(vcpu, `${SLUG}: the power failed while ${name} wrote to drive "${this.disk.name}"`);
        return true;
      }
      if (!(error instanceof EfiError)) throw error;
      status = error.status;
    }
    vcpu.setX(0, status);
    events.emit("firmwareServiceReturned", vcpu.index, { service: name, status, pages: caller.pages });
    return true;
  }

  #serve(service: NonNullable<ReturnType<typeof upcallNamed>>, caller: Caller): bigint {
    switch (service) {
      case "GetTime":
        return getTime(this.monitor.site, caller, this.#state.timeZone);
      case "SetTime":
        this.#change({ timeZone: setTime(this.monitor.site, caller) });
        return SUCCESS;
      case "GetVariable":
        return getVariable(caller, this.variables, this.#isRuntime);
      case "GetNextVariableName":
        return getNextVariableName(caller, this.variables, this.#isRuntime);
      case "SetVariable":
        return this.#setVariable(caller);
      case "QueryVariableInfo":
        return queryVariableInfo(caller, this.variables, this.#isRuntime);
      case "ResetSystem":
        return this.#resetSystem(caller);
      case "SetVirtualAddressMap":
        return this.#setVirtualAddressMap(caller);
      case "ConvertPointer":
        return this.#convertPointer(caller);
      case "Probe":
        return UPCALL_ANSWER;
      case "Begin":
        return this.#begin(caller);
      case "Leave":
        if (this.#isRuntime) return UNSUPPORTED;
        this.#change({ phase: "virtual" });
        return SUCCESS;
      default:
        return this.#bootService(service, caller);
    }
  }

  #setVariable(caller: Caller): bigint {
    const change = setVariable(caller, this.variables, this.#isRuntime);
    if (change === undefined) return SUCCESS;
    this.#change({ volatile: [...this.variables.volatile] });
    const { name, ...rest } = change;
    // Half of a surrogate pair is a character of UEFI's, and none of UTF-8's.
    this.monitor.site.events.emit("variableWritten", caller.vcpu.index, {
      ...rest,
      name: name.toWellFormed(),
    });
    return SUCCESS;
  }

  #resetSystem(caller: Caller): bigint {
    const call = RESETS[Number(caller.argument(0) & 0xffff_ffffn)];
    if (call === undefined) return INVALID_PARAMETER;
    const { vcpu } = caller;
    vcpu.setX(0, BigInt(call));
    this.monitor.site.firmwareCall(vcpu.cpu);
    return SUCCESS;
  }

  #setVirtualAddressMap(caller: Caller): bigint {
    const { phase, boot } = this.#state;
    if (phase !== "runtime") return UNSUPPORTED;
    boot.regions.setVirtual(virtualMap(caller));
    convertTables(caller, BigInt(boot.systemTable), (address) => boot.regions.convert(address));
    this.#change({ phase: "virtual" });
    return SUCCESS;
  }

  /** ConvertPointer(DebugDisposition, Address). */
  #convertPointer(caller: Caller): bigint {
    const place = caller.argument(1), address = caller.readNumber(place, 8);
    if (address === 0n) return caller.argument(0) === OPTIONAL_POINTER ? SUCCESS : INVALID_PARAMETER;
    const converted = this.#state.boot.regions.convert(address);
    if (this.#state.phase !== "virtual") return UNSUPPORTED;
    caller.demandWritable(place, 8);
    caller.writeNumber(place, 8, converted);
    return SUCCESS;
  }

  #begin(caller: Caller): bigint {
    if (this.#state.phase !== "reset") return UNSUPPORTED;
    this.#change({ boot: beginBootServices(caller), phase: "boot" });
    return SUCCESS;
  }

  #bootService(service: string, caller: Caller): bigint {
    const { phase, boot } = this.#state, name = BOOT_SERVICES.find((row) => row === service);
    if (phase !== "boot" || name === undefined) return UNSUPPORTED;
    const status = bootService(name satisfies BootService, caller, boot);
    if (name === "ExitBootServices" && status === SUCCESS) this.#change({ phase: "runtime" });
    return status;
  }

  prepareCommand(_vcpu: Vcpu, words: readonly string[]): () => void {
    const [command, count = ""] = words;
    if (command !== "fail-power" || words.length !== 2 || !/^\d{1,9}$/.test(count)) {
      throw new InputRefusedError(
        `There is no command "${
          words.join(" ").slice(0, 64)
        }" of ${SLUG}: fail-power N lets the disk of the ` +
          "variables lose power at its Nth operation from now, counted from 0",
      );
    }
    return () => this.#change({ operationsLeft: Number(count) });
  }

  save(): Section {
    return saveState(this.monitor.sectionName(SLUG), this.#state);
  }

  restore(section: Section): void {
    this.#state = restoreState(section);
    this.#variables = undefined;
  }
}

/** What the system is set up with. */
export interface FirmwareServicesOptions {
  /** `-drive id=` of the disk with the variables. */
  readonly drive: string;
}

/** The row of the system. */
export const RTS_UPCALL: SystemRow = systemRow<FirmwareServicesOptions>({
  slug: SLUG,
  levels: [2, 3],
  options: z.strictObject({
    drive: z.string("drive=ID names the disk of the variables: -drive if=none,id=ID,file=F,format=raw"),
  }),
  build({ drive }, monitor) {
    const disk = monitor.site.drive(drive, SLUG);
    if (disk.readOnly) throw new ConfigurationError(`${SLUG}: drive "${drive}" is read-only`);
    if (disk.size < SMALLEST_LOG) {
      throw new ConfigurationError(
        `${SLUG}: drive "${drive}" has ${disk.size} bytes, of ${SMALLEST_LOG} at least`,
      );
    }
    return new FirmwareServices(monitor, disk);
  },
});
