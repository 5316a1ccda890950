/** Calls by which a guest leaves its own code: PSCI by HVC or SMC, semihosting by HLT; and the power they act on. */
import type { Board } from "./board.ts";
import { type BootPlan, cpuOnStart, type CpuStart } from "./boot.ts";
import type { Clock } from "./clock.ts";
import type { Cpu } from "./cpu/cpu.ts";
import { debuggerMemory } from "./debugger_memory.ts";
import type { UartPl011 } from "./devices/uart_pl011.ts";
import type { EventHub } from "./events.ts";
import { hasMonitor } from "./monitor.ts";
import { type PowerController, Psci } from "./psci.ts";
import { Semihosting } from "./semihosting.ts";

/** What the board asks of the machine around it. */
export interface BoardPower {
  /** The guest ended the run. */
  powerOff(exitCode: number): void;
  /** The guest asked for a reset, after the present step. */
  reset(): void;
}

/** What calls act on. */
export interface CallSite {
  /** The configuration with its addresses. */
  readonly board: Board;
  /** How the guest starts. */
  readonly plan: BootPlan;
  /** Virtual time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** CPUs in order; there when the first call comes. */
  readonly cpus: readonly Cpu[];
  /** The console. */
  console(): UartPl011;
  /** The machine around the board. */
  readonly power: BoardPower;
  /** Puts a CPU in the state in which it starts. */
  start(cpu: Cpu, start: CpuStart): void;
  /** A byte for the console. */
  write(byte: number): void;
}

const UARTDR = 0x00;
const UARTFR = 0x18;
const UARTFR_RXFE = 1 << 4;
/** The debugger's accesses. */
const OUTSIDE = { cpu: -1, secure: true };

/** The firmware and the debugger that answer. */
export class GuestCalls {
  /** Absent when the configuration has none. */
  readonly semihosting: Semihosting | undefined;
  readonly #psci: Psci;
  readonly #isMonitored: boolean;

  /** Nothing of the site is used before the first call. */
  constructor(site: CallSite) {
    this.#psci = new Psci(site.plan.conduit, powerController(site), site.events);
    this.#isMonitored = hasMonitor(site.board.configuration, site.plan.conduit === "smc" ? 3 : 2);
    this.semihosting = site.board.configuration.semihosting ? buildSemihosting(site) : undefined;
  }

  /** HVC or SMC; false when it is not the firmware's conduit, or a monitor's. */
  firmware(cpu: Cpu, conduit: "hvc" | "smc"): boolean {
    return !this.#isMonitored && this.#call(cpu, conduit);
  }

  /** A monitor asks in its guest's place, by the guest's conduit. */
  monitorCall(cpu: Cpu): void {
    const { conduit } = this.#psci;
    if (conduit !== "none") this.#call(cpu, conduit);
  }

  #call({ index, registers }: Cpu, conduit: "hvc" | "smc"): boolean {
    const result = this.#psci.call(index, conduit, [
      registers.x(0),
      registers.x(1),
      registers.x(2),
      registers.x(3),
    ]);
    if (result === undefined) return false;
    registers.setX(0, result);
    return true;
  }

  /** HLT #0xF000; false without semihosting. */
  debugger(cpu: Cpu): boolean {
    if (this.semihosting === undefined) return false;
    const { index, registers } = cpu;
    registers.setX(0, this.semihosting.call(index, debuggerMemory(cpu), registers.x(0), registers.x(1)));
    return true;
  }
}

function powerController({ board, cpus, events, power, start }: CallSite): PowerController {
  const at = (index: number): Cpu => cpus[index] as Cpu;
  return {
    cpuCount: board.configuration.cpus,
    startCpu: (index, entry, context) => {
      const cpu = at(index);
      if (cpu.on) return "alreadyOn";
      start(cpu, cpuOnStart(board, entry));
      cpu.registers.setX(0, context);
      events.emit("cpuStarted", index, { entry, context });
      return "ok";
    },
    stopCpu: (index) => {
      at(index).on = false;
      at(index).attention = true;
      events.emit("cpuStopped", index, {});
    },
    isOn: (index) => at(index).on,
    suspend: (index) => {
      at(index).waiting = "interrupt";
      at(index).attention = true;
      events.emit("cpuIdled", index, { waiting: "interrupt" });
    },
    powerOff: (exitCode) => power.powerOff(exitCode),
    reset: () => power.reset(),
  };
}

function buildSemihosting(site: CallSite): Semihosting {
  const { board: { configuration: { rtcBase, boot: { append } } }, plan, clock, events, power } = site;
  const read = (register: number): number => site.console().read(register, 4, OUTSIDE);
  return new Semihosting({
    clock,
    events,
    rtcBase,
    heap: plan.heap,
    commandLine: append ?? "",
    consoleWrite: (byte) => site.write(byte),
    consoleRead: () => read(UARTFR) & UARTFR_RXFE ? -1 : read(UARTDR) & 0xff,
    exit: (code) => power.powerOff(code),
  });
}
