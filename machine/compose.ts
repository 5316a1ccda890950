/** Composition: from the board table to memory, devices, CPUs and wires, and their reset. */
import { type Board, buildBoard, POWER_KEY_LINE, PPI, PPI_BASE } from "./board.ts";
import { type BootPlan, type CpuStart, planBoot } from "./boot.ts";
import { applyWrites, type BootImages, type BootWrite } from "./boot_images.ts";
import { Clock } from "./clock.ts";
import { type BoardPower, GuestCalls } from "./compose_calls.ts";
import { buildDevices, consoleName } from "./compose_devices.ts";
import { buildInterruptController, timerLines } from "./compose_interrupts.ts";
import { buildPeripherals, type Peripherals } from "./compose_peripherals.ts";
import type { MachineConfiguration, StrictModelName } from "./configuration.ts";
import { Cpu } from "./cpu/cpu.ts";
import { restoreCpu, saveCpu } from "./cpu/cpu_section.ts";
import { watchWrites } from "./cpu/memory_access.ts";
import { overflowDue } from "./cpu/performance_counters.ts";
import { CPU_STATE_SIZE } from "./cpu/registers.ts";
import { resetCpu } from "./cpu/reset.ts";
import { StrictModels } from "./cpu/strict_models.ts";
import { patchSystemRegister } from "./cpu/system_registers.ts";
import { DetachableDevice } from "./devices/detachable.ts";
import type { Device } from "./devices/device.ts";
import { GenericTimer } from "./devices/generic_timer.ts";
import type { InterruptController } from "./devices/interrupt_controller.ts";
import { GpioKey } from "./devices/gpio_key.ts";
import type { GpioPl061 } from "./devices/gpio_pl061.ts";
import type { UartPl011 } from "./devices/uart_pl011.ts";
import { EventHub } from "./events.ts";
import { PhysicalMemory } from "./memory/physical.ts";
import { ConfigurationError } from "./errors.ts";
import { buildMonitors, hasMonitor, type InstalledMonitor, monitorMemory } from "./monitor.ts";
import type { CableEnd } from "./network/network.ts";
import type { Section } from "./snapshot.ts";
import type { Disk } from "./storage/disk.ts";

/** The bytes of images by SHA-256, 64 lower-case hexadecimal digits. */
export type MachineImages = BootImages;

/** Exit code of a run that a monitor ended. */
const MONITOR_STOPPED = 255;
/** Exit code of a run that `--stop-at` ended. */
export const STOPPED_AT = 254;
/** The GPIO with the power key. */
const POWER_GPIO = "gpio";
/** A built board: everything of the machine but its schedule and power. */
export class VirtBoard {
  /** Virtual time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** Physical memory and the bus. */
  readonly memory: PhysicalMemory;
  /** CPUs in order. */
  readonly cpus: readonly Cpu[];
  /** Takes each byte that the console transmits; set by whoever listens. */
  transmitted: (byte: number) => void = () => {};
  /** Called with each message of a monitor; its bytes are good during the call only. */
  messaged: (port: string, bytes: Uint8Array) => void = () => {};
  readonly #board: Board;
  readonly #plan: BootPlan;
  readonly #gic: InterruptController;
  readonly #console: Device;
  readonly #powerKey: GpioKey | undefined;
  readonly #devices: readonly Device[];
  readonly #calls: GuestCalls;
  readonly #strict: StrictModels | undefined;
  readonly #peripherals: Peripherals;
  readonly #power: BoardPower;
  /** Software at EL2 and EL3 written in TypeScript. */
  readonly monitors: readonly InstalledMonitor[];

  /** What is put in memory at power-on, in order: a later one wins. */
  get bootWrites(): readonly BootWrite[] {
    return this.#plan.writes;
  }

  /** Throws ConfigurationError when the board cannot be built or an image does not fit. */
  constructor(configuration: MachineConfiguration, images: MachineImages, power: BoardPower) {
    this.#power = power;
    this.#board = buildBoard(configuration);
    this.#plan = planBoot(this.#board, images);
    this.clock = new Clock(configuration.nanosecondsPerStep);
    this.events = new EventHub(this.clock);
    this.memory = new PhysicalMemory(configuration.cpus * CPU_STATE_SIZE, this.#board.memorySize);
    const cpus: Cpu[] = [];
    this.cpus = cpus;
    this.#strict = this.#buildStrict(configuration);
    this.#gic = buildInterruptController(this.#board, { events: this.events, memory: this.memory, cpus });
    this.#calls = this.#buildCalls(power);
    for (let index = 0; index < configuration.cpus; index++) cpus.push(this.#buildCpu(index, configuration));
    this.#peripherals = buildPeripherals(this.#board, images, {
      clock: this.clock,
      events: this.events,
      memory: this.memory,
      controller: this.#gic,
      transmitted: (byte) => this.#write(byte),
    });
    this.#devices = buildDevices({
      board: this.#board,
      memory: this.memory,
      clock: this.clock,
      events: this.events,
      controller: this.#gic,
      peripherals: this.#peripherals,
      firmwareItems: this.#plan.firmwareItems,
      transmitted: (byte) => this.#write(byte),
      power,
    });
    this.#powerKey = this.#buildPowerKey();
    this.#console = this.#devices.find(({ name }) => name === consoleName(configuration)) as Device;
    watchWrites(this.memory, cpus);
    this.monitors = buildMonitors({
      board: this.#board,
      clock: this.clock,
      events: this.events,
      memory: this.memory,
      cpus,
      reserve: monitorMemory(this.#board),
      unplugged: this.#devices.filter((device) => device instanceof DetachableDevice),
      firmwareCall: (cpu) => this.#calls.monitorCall(cpu),
      powerOff: () => power.powerOff(MONITOR_STOPPED),
      transmit: (port, bytes) => {
        this.messaged(port, bytes);
        this.events.emit("messageTransmitted", 0, { port, bytes });
      },
      drive: (id, taker) => this.#peripherals.drives.take(id, taker),
    });
    this.#peripherals.drives.refuseUntaken();
    for (const monitor of this.monitors) {
      for (const cpu of cpus) cpu.monitors[monitor.level] = monitor;
    }
    if (configuration.devices.length > 0 || this.monitors.length > 0) refuseSharedNames(this.save());
  }

  #write(byte: number): void {
    this.transmitted(byte);
  }

  #buildCalls(power: BoardPower): GuestCalls {
    return new GuestCalls({
      board: this.#board,
      plan: this.#plan,
      clock: this.clock,
      events: this.events,
      cpus: this.cpus,
      power,
      console: () => this.#consoleUart,
      start: (cpu, start) => this.#start(cpu, start),
      write: (byte) => this.#write(byte),
    });
  }

  #buildStrict({ strictModels, cpus }: MachineConfiguration): StrictModels | undefined {
    if (strictModels.length === 0) return undefined;
    const has = (name: StrictModelName): boolean => strictModels.includes(name);
    const choice = { tlb: has("tlb"), icache: has("icache"), dcache: has("dcache"), context: has("context") };
    const strict = new StrictModels(choice, this.memory, this.events, cpus);
    if (strict.hasCaches) this.memory.cache = strict;
    return strict;
  }

  #buildCpu(index: number, configuration: MachineConfiguration): Cpu {
    const { cpuModel, secure, virtualization } = configuration;
    const el2 = virtualization || hasMonitor(configuration, 2), el3 = secure || hasMonitor(configuration, 3);
    const lines = timerLines(this.#gic, index);
    const onEvent = () => {
      const cpu = this.cpus[index];
      cpu?.signalEvent("eventStream");
    };
    const timer = new GenericTimer({ name: `timer${index}`, clock: this.clock, lines, onEvent });
    const overflow = {
      line: this.#gic.privateLine(index, PPI_BASE + PPI.performanceMonitor, `pmu${index}`),
      alarm: this.clock.alarm(`pmu${index}`, () => overflowDue(this.cpus[index] as Cpu)),
    };
    return new Cpu(index, { model: cpuModel, el2, el3 }, {
      memory: this.memory,
      clock: this.clock,
      events: this.events,
      cpus: this.cpus,
      strict: this.#strict,
      gic: this.#gic.cpuInterfaces?.[index],
      overflow,
      vectorLooped: configuration.stopAt?.includes("vector-loop")
        ? () => this.#power.powerOff(STOPPED_AT)
        : undefined,
      firmwareCall: (cpu, conduit) => this.#calls.firmware(cpu, conduit),
      semihostingCall: (cpu) => this.#calls.debugger(cpu),
    }, timer);
  }

  get #consoleUart(): UartPl011 {
    const device = this.#console;
    return (device instanceof DetachableDevice ? device.active : device) as UartPl011;
  }

  #buildPowerKey(): GpioKey | undefined {
    const gpio = this.#devices.find((device) => device.name === POWER_GPIO) as GpioPl061 | undefined;
    if (gpio === undefined) return undefined;
    return new GpioKey("powerKey", this.clock, (level) => gpio.drive(POWER_KEY_LINE, level));
  }

  /** Bytes from outside for the console's receiver. */
  receive(bytes: Uint8Array): void {
    (this.#peripherals.console ?? this.#consoleUart).receive(bytes);
  }

  /** The networks whose frames come from outside, by name. */
  get bridges(): ReadonlyMap<string, CableEnd> {
    return this.#peripherals.bridges;
  }

  /** The disks by `-drive id=`. */
  get disks(): ReadonlyMap<string, Disk> {
    return this.#peripherals.disks;
  }

  /** There is a power key. */
  get hasPowerKey(): boolean {
    return this.#powerKey !== undefined;
  }

  /** Presses the power key, which comes up by itself; nothing happens where there is none. */
  pressPowerKey(): void {
    this.#powerKey?.press();
  }

  /** True when the interrupt controller has this interrupt. */
  hasInterrupt(interrupt: number): boolean {
    return this.#gic.hasInterrupt(interrupt);
  }

  /** Makes an interrupt pending as the operator. */
  injectInterrupt(interrupt: number): void {
    this.#gic.inject(interrupt);
  }

  /**
   * The power-on state: devices and CPUs reset, images in place. At a reset, memory keeps what no image covers, and
   * flash banks and disks what the guest wrote, as in QEMU.
   */
  powerOn(isReset = false): void {
    this.#gic.reset(this.#plan.resetsNonSecure);
    for (const device of this.#devices) device.reset();
    this.#powerKey?.reset();
    for (const part of this.#peripherals.parts) part.reset();
    this.#calls.semihosting?.reset();
    this.#strict?.reset();
    applyWrites(this.#plan.writes, this.memory, isReset);
    for (const monitor of this.monitors) monitor.reset();
    for (const cpu of this.cpus) this.#start(cpu, this.#plan.cpus[cpu.index] as CpuStart);
  }

  #start(cpu: Cpu, start: CpuStart): void {
    resetCpu(cpu, start);
    for (const [name, value] of Object.entries(start.registers)) patchSystemRegister(cpu, name, value);
    for (const monitor of this.monitors) monitor.started(cpu);
    cpu.attention = true;
  }

  /** Sections in the order in which they enter the state root. */
  save(): Section[] {
    const cpus = this.cpus.flatMap((cpu) => [...saveCpu(cpu), cpu.timer.save()]);
    const { semihosting } = this.#calls;
    return [
      this.clock.save(),
      ...cpus,
      this.#gic.save(),
      ...this.#devices.map((device) => device.save()),
      ...this.#peripherals.parts.map((part) => part.save()),
      ...semihosting === undefined ? [] : [semihosting.save()],
      ...this.#strict?.save() ?? [],
      ...this.monitors.flatMap((monitor) => monitor.save()),
    ];
  }

  /** Restores sections by name; the interrupt controller first, so that lines driven again change nothing. */
  restore(section: (name: string) => Section): void {
    this.clock.restore(section("clock"));
    this.#gic.restore(section("gic"));
    for (const device of this.#devices) device.restore(section(device.name));
    for (const part of this.#peripherals.parts) part.restore(section(part.name));
    for (const cpu of this.cpus) {
      restoreCpu(cpu, section);
      cpu.timer.restore(section(`timer${cpu.index}`));
    }
    this.#calls.semihosting?.restore(section("semihosting"));
    this.#strict?.restore(this.cpus, section);
    for (const monitor of this.monitors) monitor.restore(section);
    this.clock.restore(section("clock"));
  }
}

/** The sections that the machine adds to the board's. */
const MACHINE_SECTIONS: readonly string[] = ["events", "schedule", "power"];

/** Sections are named by what the user names as well. */
function refuseSharedNames(sections: readonly Section[]): void {
  const names = new Set<string>(MACHINE_SECTIONS);
  for (const { name } of sections) {
    if (names.has(name)) {
      throw new ConfigurationError(
        `Cannot use id=${name}: the board has something of that name; choose another`,
      );
    }
    names.add(name);
  }
}

/** Builds a board. */
export function composeBoard(
  configuration: MachineConfiguration,
  images: MachineImages,
  power: BoardPower,
): VirtBoard {
  return new VirtBoard(configuration, images, power);
}
