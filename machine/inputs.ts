/** Delivery of inputs: all that reaches the machine from outside, at a step boundary. */
import { hex, physicalAddress } from "./address.ts";
import type { Cpu } from "./cpu/cpu.ts";
import { isSystemRegister, patchSystemRegister } from "./cpu/system_registers.ts";
import { InputRefusedError } from "./errors.ts";
import type { Input } from "./events.ts";
import type { InstalledMonitor } from "./monitor.ts";
import type { PhysicalMemory } from "./memory/physical.ts";

/** What inputs act on. */
export interface InputTarget {
  /** CPUs in order. */
  readonly cpus: readonly Cpu[];
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** Feeds bytes to the console's receiver. */
  receive(bytes: Uint8Array): void;
  /** True when the interrupt controller has this interrupt. */
  hasInterrupt(interrupt: number): boolean;
  /** Makes an interrupt of the interrupt controller pending. */
  injectInterrupt(interrupt: number): void;
  /** True when the CPU can take a step now. */
  canRun(cpu: Cpu): boolean;
  /** Gives the CPU the next turn. */
  forceSwitch(cpu: number): void;
  /** The networks whose frames come from outside, by name. */
  readonly bridges: ReadonlyMap<string, { deliver(frame: Uint8Array): void }>;
  /** There is a power key. */
  readonly hasPowerKey: boolean;
  /** Presses the power key. */
  pressPowerKey(): void;
  /** The CPU whose turn it is. */
  readonly currentCpu: Cpu;
  /** Monitors, which take commands. */
  readonly monitors: readonly InstalledMonitor[];
  /** Ends the run as a loss of power does. */
  cutPower(): void;
}

function monitorFor({ monitors }: InputTarget, level: number, what: string): InstalledMonitor {
  const found = monitors.find((monitor) => monitor.level === level);
  if (found !== undefined) return found;
  throw new InputRefusedError(`Cannot ${what}: no monitor is installed at EL${level} (see --monitor)`);
}

function messageFor({ monitors, currentCpu }: InputTarget, port: string, bytes: Uint8Array): () => void {
  for (const monitor of monitors) {
    const taken = monitor.prepareMessage(currentCpu, port, bytes);
    if (taken !== undefined) return taken;
  }
  throw new InputRefusedError(`There is no monitor with a port "${port}" (see --monitor)`);
}

/** No memory is there, and inputs may name addresses beyond it. */
const HIGHEST_ADDRESS = 2 ** 52 - 1;

function cpuOf(target: InputTarget, index: number): Cpu {
  const cpu = target.cpus[index];
  if (cpu === undefined) {
    throw new InputRefusedError(`There is no cpu${index}: the machine has ${target.cpus.length} CPUs`);
  }
  return cpu;
}

const GENERAL = /^x([0-9]|[12][0-9]|30)$/;

/** The write of a register by name: x0–x30, sp, pc, nzcv, or a system register in the Arm ARM's spelling. */
function registerPatch(cpu: Cpu, name: string, value: bigint): () => void {
  const general = GENERAL.exec(name);
  if (general !== null) return () => cpu.registers.setX(Number(general[1]), value);
  if (name === "sp") return () => (cpu.registers.sp = value);
  if (name === "pc") return () => (cpu.registers.pc = value);
  if (name === "nzcv") return () => (cpu.registers.nzcv = Number(value & 15n));
  if (!isSystemRegister(name)) {
    throw new InputRefusedError(
      `There is no register "${name}": use x0–x30, sp, pc, nzcv or a system register such as VBAR_EL1`,
    );
  }
  return () => patchSystemRegister(cpu, name, value);
}

/**
 * Checks an input and returns what applies it; throws InputRefusedError, with nothing changed, when this machine
 * cannot take it at this instant.
 */
export function prepareInput(target: InputTarget, input: Input): () => void {
  switch (input.kind) {
    case "consoleReceived":
      return () => target.receive(input.bytes);
    case "interruptInjected":
      if (!target.hasInterrupt(input.interrupt)) {
        throw new InputRefusedError(`There is no interrupt ${input.interrupt} in the interrupt controller`);
      }
      return () => target.injectInterrupt(input.interrupt);
    case "cpuSwitchForced":
      if (!target.canRun(cpuOf(target, input.target))) {
        throw new InputRefusedError(`Cannot switch to cpu${input.target}: it is off or waiting`);
      }
      return () => target.forceSwitch(input.target);
    case "timeScaleChanged":
      return monitorFor(target, 2, "change a time scale")
        .prepareTimeScale(input.numerator, input.denominator);
    case "monitorCommanded":
      return monitorFor(target, input.level, "command a monitor").prepareCommand(
        target.currentCpu,
        input.command,
      );
    case "messageReceived":
      return messageFor(target, input.port, input.bytes);
    case "networkFrameReceived": {
      const bridge = target.bridges.get(input.network);
      if (bridge === undefined) {
        const names = [...target.bridges.keys()].join(", ") || "none";
        throw new InputRefusedError(
          `There is no network "${input.network}" that takes frames from outside: there are ${names}`,
        );
      }
      return () => bridge.deliver(input.bytes);
    }
    case "powerCut":
      return () => target.cutPower();
    case "powerButtonPressed":
      if (!target.hasPowerKey) {
        throw new InputRefusedError(
          "There is no power key: as in QEMU, a machine with firmware (-bios, -pflash) has no PL061 for it",
        );
      }
      return () => target.pressPowerKey();
    case "memoryPatched": {
      const address = physicalAddress(Math.min(input.address, HIGHEST_ADDRESS));
      if (target.memory.hostOffset(address, input.bytes.length) < 0) {
        throw new InputRefusedError(`Cannot patch ${hex(input.address)}: there is no memory`);
      }
      return () => target.memory.patchBytes(address, input.bytes);
    }
    case "registerPatched":
      return registerPatch(cpuOf(target, input.target), input.register, input.value);
  }
}
