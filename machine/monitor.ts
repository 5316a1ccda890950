/** The seam of monitors: software at EL2 or EL3 written in TypeScript, named by the configuration and built by whoever provides it. */
import { type Board, boardRow, RAM_BASE } from "./board.ts";
import type { Clock } from "./clock.ts";
import type { MachineConfiguration, MonitorConfiguration } from "./configuration.ts";
import type { Cpu, Monitor } from "./cpu/cpu.ts";
import { ConfigurationError } from "./errors.ts";
import type { EventHub } from "./events.ts";
import type { MappedDevice, PhysicalMemory } from "./memory/physical.ts";
import type { Section } from "./snapshot.ts";
import type { Disk } from "./storage/disk.ts";

/** A range of physical addresses that belongs to a monitor. */
export interface MonitorMemory {
  /** First physical address, a multiple of 2 MiB. */
  readonly base: number;
  /** Bytes, a multiple of 2 MiB; 0 for none. */
  readonly size: number;
}

/** A device of the board that is not on its bus at power-on: a monitor can do its work. */
export interface UnpluggedDevice {
  /** Name of its row. */
  readonly name: string;
  /** First physical address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** It is on the bus now, and does its work itself. */
  readonly isAttached: boolean;
  /** A model that does the work while it is not, connected to the same interrupt; always the same one. */
  standIn(): StandIn;
  /** Has the device on the bus, where it goes on from what the model did. */
  attach(): void;
  /** Takes the device off the bus; the model goes on. */
  detach(): void;
}

/** A model of a device in a monitor. */
export interface StandIn extends MappedDevice {
  /** Power-on state. */
  reset(): void;
  /** Its state. */
  save(): Section;
  /** Restores what `save` gave. */
  restore(section: Section): void;
}

/** What a monitor stands on: architectural state, and the firmware below it. */
export interface MonitorSite {
  /** The board, as its guest sees it. */
  readonly board: Board;
  /** Virtual time, to charge for what handlers do. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** Physical memory and devices. */
  readonly memory: PhysicalMemory;
  /** CPUs in order; filled before the first call of a monitor. */
  readonly cpus: readonly Cpu[];
  /** RAM that is neither in the device tree nor used by a boot. */
  readonly reserve: MonitorMemory;
  /** Devices that the board has behind gates, shut at power-on: their work can be done by a monitor. */
  readonly unplugged: readonly UnpluggedDevice[];
  /** Asks the board's firmware: PSCI with the arguments in X0–X3 of the CPU, the result in X0. */
  firmwareCall(cpu: Cpu): void;
  /** Ends the run after the present step, with exit code 255. */
  powerOff(): void;
  /** Sends a message out of the machine; whoever connects machines carries it from the port of that name on. */
  transmit(port: string, bytes: Uint8Array): void;
  /**
   * Takes a disk for itself, by its `-drive id=`, while the monitor is built: its guest has no way to it. `taker` is
   * named in messages. Throws ConfigurationError when there is none, or another has it.
   */
  drive(id: string, taker: string): Disk;
}

/** A monitor in a machine. */
export interface InstalledMonitor extends Monitor {
  /** The exception level that is its own. */
  readonly level: 2 | 3;
  /** It shares its level with the guest's own software there, and takes only exceptions that are its own. */
  readonly isShared?: boolean;
  /** Power-on and reset, before any CPU starts. */
  reset(): void;
  /** A CPU is in the state in which it starts, below the monitor's level: sets the registers of that level. */
  started(cpu: Cpu): void;
  /** Checks an operator's time scale and returns what applies it; throws InputRefusedError, with nothing changed. */
  prepareTimeScale(numerator: number, denominator: number): () => void;
  /** Checks an operator's command and returns what does it on a CPU; throws InputRefusedError, with nothing changed. */
  prepareCommand(cpu: Cpu, command: string): () => void;
  /**
   * Checks a message from outside and returns what takes it; throws InputRefusedError, with nothing changed. Undefined
   * where the monitor has no port of that name.
   */
  prepareMessage(cpu: Cpu, port: string, bytes: Uint8Array): (() => void) | undefined;
  /** Sections with names of their own. */
  save(): readonly Section[];
  /** Restores what `save` gave, by name. */
  restore(section: (name: string) => Section): void;
}

/** Builds a monitor; throws ConfigurationError naming a system or an option that there is not. */
export type MonitorBuilder = (configuration: MonitorConfiguration, site: MonitorSite) => InstalledMonitor;

/** What a monitor calls itself in its guest's device tree; undefined for one that is not to be found there. */
export type MonitorBrand = (configuration: MonitorConfiguration) => string | undefined;

let provided: MonitorBuilder | undefined, brandOf: MonitorBrand | undefined;

/** Says who builds monitors, once, before the first machine with one is built, and what they call themselves. */
export function provideMonitors(builder: MonitorBuilder, brand?: MonitorBrand): void {
  provided = builder;
  brandOf = brand;
}

/** `compatible` of the node /hypervisor in the device tree of a machine's guest, or undefined for no such node. */
export function monitorBrand({ monitors = [] }: MachineConfiguration): string | undefined {
  return monitors.map((monitor) => brandOf?.(monitor)).find((brand) => brand !== undefined);
}

/** Builds the monitors of a machine. Throws ConfigurationError. */
export function buildMonitors(site: MonitorSite): InstalledMonitor[] {
  const { monitors = [] } = site.board.configuration;
  if (monitors.length === 0) return [];
  const builder = provided;
  if (builder === undefined) {
    throw new ConfigurationError(
      "Cannot build a monitor: nobody provides them; import hypervisor/install.ts before machines are built",
    );
  }
  refuseTwins(site.board.configuration);
  const built = monitors.map((monitor) => builder(monitor, site));
  refuseWrongLevels(site.board.configuration, built);
  return built;
}

function refuseTwins({ monitors = [] }: MachineConfiguration): void {
  for (const level of [2, 3]) {
    if (monitors.filter((monitor) => monitor.level === level).length < 2) continue;
    throw new ConfigurationError(`Cannot install two monitors at EL${level}: give all systems to one`);
  }
}

/** A level belongs to a monitor or to the guest, unless the monitor shares it. */
function refuseWrongLevels(configuration: MachineConfiguration, built: readonly InstalledMonitor[]): void {
  const { virtualization, secure } = configuration;
  const el2 = built.find(({ level }) => level === 2);
  if (el2?.isShared === true && !virtualization) {
    throw new ConfigurationError(
      "Cannot install a monitor that shares EL2 where the guest has none: use -M virt,virtualization=on",
    );
  }
  if (el2 !== undefined && el2.isShared !== true && virtualization) {
    throw new ConfigurationError(
      "Cannot install a monitor at EL2 with virtualization=on, which gives EL2 to the guest: leave one out",
    );
  }
  if (hasMonitor(configuration, 3) && secure) {
    throw new ConfigurationError(
      "Cannot install a monitor at EL3 with secure=on, which gives EL3 to the guest: leave one out",
    );
  }
}

/** Whether a level belongs to a monitor. */
export function hasMonitor({ monitors = [] }: MachineConfiguration, level: 2 | 3): boolean {
  return monitors.some((monitor) => monitor.level === level);
}

const MIB = 2 ** 20;
/** Monitors' memory is whole blocks of this size. */
const BLOCK = 2 * MIB;
/** RAM that stays with the guest. */
const LEAST_GUEST_RAM = 8 * MIB;

/** The RAM of a monitor at EL2, the end of RAM: room for a stage 2 of 4 KiB pages throughout, and 4 MiB. Throws ConfigurationError. */
export function monitorMemory(board: Board): MonitorMemory {
  const { size } = boardRow(board, "ram");
  const end = RAM_BASE + size;
  if (!hasMonitor(board.configuration, 2)) return { base: end, size: 0 };
  const base = Math.floor((end - 4 * MIB - size / 128) / BLOCK) * BLOCK;
  if (base - RAM_BASE < LEAST_GUEST_RAM) {
    throw new ConfigurationError(
      `Cannot install a monitor at EL2 in ${size / MIB} MiB of RAM: it takes some itself; use -m 16 or more`,
    );
  }
  return { base, size: end - base };
}
