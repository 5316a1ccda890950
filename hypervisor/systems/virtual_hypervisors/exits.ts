/** What exits of a virtual CPU do: WFI and WFE, HVC (PSCI and calls), and aborts of stage 2. */
import type { ExceptionClass } from "../../../machine/cpu/syndrome.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { Psci } from "../../../machine/psci.ts";
import type { Exit } from "../../exit.ts";
import { injectNoAnswer } from "../../injection.ts";
import { decodeMmio, performMmio } from "../../mmio.ts";
import type { ExitHandler } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { Kernel } from "./kernel.ts";
import { CALL_IMMEDIATE, type ManagementCalls } from "./management_calls.ts";
import type { VmObject } from "./objects.ts";
import type { Scheduler } from "./scheduler.ts";
import type { WorldSwitch } from "./world_switch.ts";

/** Who has to do with exits. */
export interface ExitParts {
  /** The monitor's. */
  readonly site: MonitorSite;
  /** Virtual machines as objects: PSCI turns them off. */
  readonly kernel: Kernel;
  /** Who is on the CPU. */
  readonly world: WorldSwitch;
  /** Is told when a turn is over. */
  readonly scheduler: Scheduler;
  /** Takes HVC #0x48. */
  readonly calls: ManagementCalls;
}

/** Handlers by exception class; nothing of the parts is used before the first exit. */
export function exitHandlers(parts: ExitParts): Readonly<Partial<Record<ExceptionClass, ExitHandler>>> {
  return {
    waitTrapped: (vcpu, exit) => wait(parts, vcpu, exit),
    hypervisorCall: (vcpu, exit) => called(parts, vcpu, exit),
    dataAbortLower: (vcpu, exit) => dataAborted(parts, vcpu, exit),
    instructionAbortLower: (vcpu, exit) => (injectNoAnswer(vcpu, exit), true),
  };
}

/** WFI, WFE: the first waits for an interrupt; the second may end at any time, and does. */
function wait({ world, scheduler }: ExitParts, vcpu: Vcpu, { iss }: Exit): boolean {
  vcpu.skip();
  if ((iss & 1) === 1) return true;
  world.sample(vcpu);
  if (world.running.interrupts.lines === 0n) scheduler.idle();
  return true;
}

/** Registers of its interrupt controller and console are emulated; where there is nothing, the bus says so. */
function dataAborted({ world }: ExitParts, vcpu: Vcpu, exit: Exit): boolean {
  const { bus } = world.running;
  if (exit.ipa >= 0 && bus.find(exit.ipa) !== undefined) {
    world.sample(vcpu);
    const access = decodeMmio(vcpu.cpu);
    if (access !== undefined && performMmio(vcpu.cpu, bus, access)) return vcpu.skip(), true;
  }
  injectNoAnswer(vcpu, exit);
  return true;
}

function called(parts: ExitParts, vcpu: Vcpu, { iss }: Exit): boolean {
  const immediate = iss & 0xffff;
  if (immediate === CALL_IMMEDIATE) return parts.calls.callFromGuest(vcpu), true;
  if (immediate !== 0) return false;
  const result = psciOf(parts, vcpu).call(0, "hvc", [vcpu.x(0), vcpu.x(1), vcpu.x(2), vcpu.x(3)]);
  vcpu.setX(0, result ?? -1n);
  return true;
}

/** PSCI (Arm DEN 0022) of the virtual machine on the CPU, which has one. */
function psciOf({ site, kernel, world, scheduler }: ExitParts, vcpu: Vcpu): Psci {
  const { running } = world, vm = kernel.vm(running);
  const off = (outcome: VmObject["outcome"]): void => {
    vm.isOn = false;
    vm.outcome = outcome;
    scheduler.stop(vcpu, running);
  };
  return new Psci("hvc", {
    cpuCount: 1,
    startCpu: () => "alreadyOn",
    stopCpu: () => off("off"),
    isOn: () => true,
    suspend: () => {
      if (running.interrupts.lines === 0n) scheduler.idle();
    },
    powerOff: () => off("off"),
    reset: () => off("reset"),
  }, site.events);
}
