/** Devices and memories of a board, built and placed row by row of its table. */
import { type Board, type BoardKind, type BoardRow, SECURE_GPIO_LINES, SPI_BASE } from "./board.ts";
import type { Clock } from "./clock.ts";
import type { DetachableName, MachineConfiguration } from "./configuration.ts";
import type { Peripherals } from "./compose_peripherals.ts";
import type { Device, InterruptLine } from "./devices/device.ts";
import { DetachableDevice, type Movable } from "./devices/detachable.ts";
import { Dma } from "./devices/dma.ts";
import { FlashCfi } from "./devices/flash_cfi.ts";
import { FwCfg, type FwCfgItem } from "./devices/fw_cfg.ts";
import { GpioPl061 } from "./devices/gpio_pl061.ts";
import type { InterruptController } from "./devices/interrupt_controller.ts";
import { RtcPl031 } from "./devices/rtc_pl031.ts";
import { UartPl011 } from "./devices/uart_pl011.ts";
import { EmptyVirtioMmio } from "./devices/virtio/mmio_empty.ts";
import { MachineInvariantError } from "./errors.ts";
import type { EventHub } from "./events.ts";
import type { PhysicalMemory } from "./memory/physical.ts";

/** The UART that people type at. */
export function consoleName({ consoleInput }: MachineConfiguration): "uart0" | "uart1" {
  return consoleInput === "uart1" ? "uart1" : "uart0";
}

/** What the devices of the board are built on. */
export interface DeviceContext {
  /** The board. */
  readonly board: Board;
  /** Physical memory and the bus. */
  readonly memory: PhysicalMemory;
  /** Virtual time and alarms. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** Where interrupts go. */
  readonly controller: InterruptController;
  /** What the user plugged in. */
  readonly peripherals: Peripherals;
  /** What fw_cfg serves. */
  readonly firmwareItems: readonly FwCfgItem[];
  /** Takes each byte that the console transmits. */
  readonly transmitted: (byte: number) => void;
  /** The machine's power, for what turns it off or has it reset. */
  readonly power: { powerOff(exitCode: number): void; reset(): void };
}

/** A row being built. */
interface Site extends DeviceContext {
  readonly row: BoardRow;
  /** Puts a device on the bus whose state is its own. */
  place(device: Device): void;
  /** Keeps a device that is on the bus already. */
  keep(device: Device): void;
}

/** The row's interrupt; each row of such a kind has one. */
function lineOf({ row: { name, spi }, controller }: Site): InterruptLine {
  if (spi === undefined) throw new MachineInvariantError(`The board gives "${name}" no interrupt`);
  return controller.sharedLine(SPI_BASE + spi, name);
}

function addFlash({ row: { name, base, size, secureOnly }, board, memory, keep }: Site): void {
  const { pflash } = board.configuration.boot;
  const readOnly = pflash.some(({ readOnly }, bank) => readOnly && name === `flash${bank}`);
  const flash = new FlashCfi({ name, base, memory, readOnly });
  keep(flash);
  flash.connect(memory.addRegion(name, base, size, { device: flash, secureOnly }));
}

function addFrame({ row: { name, base, secureOnly }, controller, memory }: Site): void {
  const frame = controller.frames.find(({ device }) => device.name === name);
  if (frame === undefined) throw new MachineInvariantError(`The interrupt controller has no frame "${name}"`);
  memory.addDevice(base, frame.size, frame.device, secureOnly);
}

/** Lines on which Secure software turns the machine off, or has it reset. */
function securePower({ power }: Site): (line: number, level: boolean) => void {
  const actions = new Map<number, () => void>([
    [SECURE_GPIO_LINES["gpio-poweroff"], () => power.powerOff(0)],
    [SECURE_GPIO_LINES["gpio-restart"], () => power.reset()],
  ]);
  return (line, level) => {
    if (level) actions.get(line)?.();
  };
}

/** Places a device, behind a gate where the configuration unplugs it. */
function placeDetachable(site: Site, build: (line: InterruptLine, name: string) => Movable): void {
  const { row: { name, base, size, secureOnly }, board, memory } = site;
  const line = lineOf(site);
  if (!board.configuration.unplugged?.includes(name as DetachableName)) return site.place(build(line, name));
  const device = new DetachableDevice({ memory, line, build, name });
  site.keep(device);
  device.placed(memory.addDevice(base, size, device, secureOnly));
}

/** Its state is in the peripherals' parts. */
function addPeripheral({ row: { name, base, size, secureOnly }, memory, peripherals }: Site): void {
  memory.addDevice(base, size, peripherals.frame(name), secureOnly);
}

/** What each kind of row becomes: memory, and what answers beside it or instead of it. */
const BUILDERS: Readonly<Record<BoardKind, (site: Site) => void>> = {
  memory: ({ row: { name, base, size, secureOnly }, memory }) =>
    void memory.addRegion(name, base, size, { secureOnly }),
  flash: addFlash,
  interruptController: addFrame,
  uart: (site) => {
    const { row, board, transmitted } = site;
    const written = row.name === consoleName(board.configuration) ? transmitted : () => {};
    placeDetachable(site, (line, name) => new UartPl011({ name, line, transmitted: written }));
  },
  realTimeClock: (site) => {
    const { clock, board: { configuration: { rtcBase: base } } } = site;
    placeDetachable(site, (line, name) => new RtcPl031({ name, line, clock, base }));
  },
  gpio: (site) => {
    const { row: { name, secureOnly } } = site;
    site.place(
      new GpioPl061({ name, line: lineOf(site), driven: secureOnly ? securePower(site) : () => {} }),
    );
  },
  messageFrame: addPeripheral,
  interruptTranslation: addPeripheral,
  pcie: addPeripheral,
  rootPort: addPeripheral,
  virtioTransport: ({ row: { name }, board, peripherals, place }) => {
    const version = board.configuration.virtioMmioLegacy ? 1 : 2;
    place(peripherals.transport(name) ?? new EmptyVirtioMmio({ name, version }));
  },
  nvme: ({ row: { name }, peripherals, place }) => {
    const block = peripherals.transport(name);
    if (block === undefined) throw new MachineInvariantError(`Nothing was built for "${name}"`);
    place(block);
  },
  firmwareConfiguration: ({ row: { name }, memory, events, firmwareItems, place }) =>
    place(new FwCfg({ name, dma: new Dma(name, memory, events), items: firmwareItems })),
};

/** Builds every row and puts it in the address space; devices with a state of their own, in the table's order. */
export function buildDevices(context: DeviceContext): Device[] {
  const devices: Device[] = [];
  for (const row of context.board.rows) {
    const { base, size, secureOnly } = row;
    const keep = (device: Device) => void devices.push(device);
    const place = (device: Device) => {
      keep(device);
      context.memory.addDevice(base, size, device, secureOnly);
    };
    BUILDERS[row.kind]({ ...context, row, place, keep });
  }
  return devices;
}
