/** What the user plugged into the board: disks, networks and the devices in front of them, built from the configuration. */
import { type Board, boardRow } from "./board.ts";
import type { CableEnd } from "./network/network.ts";
import type { BootImages } from "./boot_images.ts";
import type { Clock } from "./clock.ts";
import type { MachineConfiguration } from "./configuration.ts";
import { Networks } from "./compose_networks.ts";
import { VIRTIO_MODELS, virtioMmio, virtioPci } from "./compose_virtio.ts";
import type { Device } from "./devices/device.ts";
import type { InterruptController } from "./devices/interrupt_controller.ts";
import type { PciFunction } from "./devices/pci/function.ts";
import { ConfigurationError, MachineInvariantError } from "./errors.ts";
import type { EventHub } from "./events.ts";
import type { MappedDevice, PhysicalMemory } from "./memory/physical.ts";
import { assignSlots, buildMessageFrames, buildPciHost } from "./compose_pci.ts";
import { busDeviceName, RootPorts, switchPort } from "./compose_root_ports.ts";
import type { PciBridge } from "./devices/pci/bridge.ts";
import type { DeviceConfiguration, DeviceDriver } from "./peripheral_configuration.ts";
import type { Section } from "./snapshot.ts";
import type { Disk } from "./storage/disk.ts";
import { Drives } from "./compose_drives.ts";
import { nvme, nvmeFixed, nvmeMmio } from "./compose_nvme.ts";

/** What peripherals are built on. */
export interface PeripheralServices {
  /** Virtual time and alarms. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** What DMA reaches. */
  readonly memory: PhysicalMemory;
  /** Where interrupts go. */
  readonly controller: InterruptController;
  /** Takes each byte that a console transmits. */
  readonly transmitted: (byte: number) => void;
}

/** A console that bytes from the terminal go to. */
export interface ConsoleInput {
  /** Bytes from outside. */
  receive(bytes: Uint8Array): void;
}

/** A part with state that is not on the bus itself: a network, a function behind a bridge. */
export interface PeripheralPart {
  /** Name of the section. */
  readonly name: string;
  /** Power-on state. */
  reset(): void;
  /** The state as a named, versioned section. */
  save(): Section;
  /** Restores what `save` gave. */
  restore(section: Section): void;
}

/** All that was plugged in. */
export interface Peripherals {
  /** Parts in the order in which they are reset, saved and restored. */
  readonly parts: readonly PeripheralPart[];
  /** The networks whose frames come from outside, by name. */
  readonly bridges: ReadonlyMap<string, CableEnd>;
  /** The disks by `-drive id=`; they are no parts, since a reset of the machine leaves them alone. */
  readonly disks: ReadonlyMap<string, Disk>;
  /** The same, for those who take them after the devices: `refuseUntaken` when all have. */
  readonly drives: Drives;
  /** What the terminal's input goes to; undefined when that is the first serial port. */
  readonly console: ConsoleInput | undefined;
  /** What is in a virtio-mmio slot, or at the row of a plain device, by its name; undefined when it is empty. */
  transport(name: string): Device | undefined;
  /** What answers at a row of kind `pcie`, `rootPort`, `messageFrame` or `interruptTranslation`. */
  frame(name: string): MappedDevice;
}

/** What a builder works with, beside the options of its device. */
export interface BuildContext extends PeripheralServices {
  /** The whole configuration. */
  readonly configuration: MachineConfiguration;
  /** The board. */
  readonly board: Board;
  /** The device's name in events, sections and messages: its id, or its model and its slot on PCIe. */
  readonly name: string;
  /** Disks by id, each to be taken by one device. */
  readonly drives: Drives;
  /** Networks by id, each to be taken by one card. */
  readonly networks: Networks;
  /** How many devices have asked for this before: numbers what is numbered in the order of options. */
  count(what: string): number;
  /** Adds a part that has state. */
  addPart(part: PeripheralPart): void;
  /** Puts a function into the device's slot on PCIe, and adds it as a part. */
  plug(pciFunction: PciFunction): void;
  /** Puts a bridge into the device's place below a root port, adds it as a part, and offers its bus by the device's name. */
  plugBridge(bridge: PciBridge): void;
  /** Name and shared peripheral interrupt of a virtio-mmio slot by number. */
  virtioSlot(number: number): { readonly name: string; readonly spi: number };
  /** Puts a device at the row of that name: a virtio-mmio slot's, or one that is there for the device. */
  fill(slot: string, transport: Device): void;
  /** Offers a console for the terminal's input; the first is taken. */
  setConsole(console: ConsoleInput): void;
}

/** Builds one device. */
export type Builder = (device: DeviceConfiguration, context: BuildContext) => void;

/** Every model that can be built. */
// deno-fmt-ignore
const BUILDERS: Readonly<Partial<Record<DeviceDriver, Builder>>> = {
  "virtio-blk-device":    virtioMmio(VIRTIO_MODELS.blk),
  "virtio-blk-pci":       virtioPci(VIRTIO_MODELS.blk),
  "virtio-net-device":    virtioMmio(VIRTIO_MODELS.net),
  "virtio-net-pci":       virtioPci(VIRTIO_MODELS.net),
  "virtio-rng-device":    virtioMmio(VIRTIO_MODELS.rng),
  "virtio-rng-pci":       virtioPci(VIRTIO_MODELS.rng),
  "virtio-serial-device": virtioMmio(VIRTIO_MODELS.serial),
  "virtio-serial-pci":    virtioPci(VIRTIO_MODELS.serial),
  "nvme":                 nvme,
  "nvme-mmio":            nvmeMmio,
  "nvme-ea":              nvmeFixed,
  "x3130-upstream":       switchPort,
  "xio3130-downstream":   switchPort,
};

/** Builds what the configuration asks for; throws ConfigurationError for what cannot be. */
export function buildPeripherals(
  board: Board,
  images: BootImages,
  services: PeripheralServices,
): Peripherals {
  const { configuration } = board;
  const drives = new Drives(configuration.drives, images, services.events);
  const networks = new Networks(configuration.networks, services, images);
  const slots = assignSlots(configuration.devices);
  const messages = buildMessageFrames(board, services);
  const pcie = buildPciHost(board, services, messages.receivers);
  const rootPorts = new RootPorts(board, services, messages.receivers);
  const frames = new Map([...messages.frames, ...pcie?.frames ?? [], ...rootPorts.frames]);
  const parts: PeripheralPart[] = [
    ...messages.parts,
    ...pcie?.parts ?? [],
    ...rootPorts.parts,
    ...networks.parts,
  ];
  const transports = new Map<string, Device>();
  const consoles: ConsoleInput[] = [];
  const shared = {
    ...services,
    configuration,
    board,
    drives,
    networks,
    count: counter(),
    addPart: (part: PeripheralPart) => void parts.push(part),
    virtioSlot: (number: number) => virtioSlot(board, number),
    fill: (slot: string, transport: Device) => void transports.set(slot, transport),
    setConsole: (console: ConsoleInput) => void consoles.push(console),
  };
  for (const device of configuration.devices) {
    const build = BUILDERS[device.driver];
    if (build === undefined) {
      throw new ConfigurationError(`Cannot build -device ${device.driver}: the board has no model of it yet`);
    }
    if (device.bus !== undefined) {
      buildOnBus(device, build, shared, rootPorts);
      continue;
    }
    const slot = slots.get(device);
    build(device, {
      ...shared,
      name: device.id ?? `${device.driver}.${slot}`,
      plug: (pciFunction) => {
        if (pcie === undefined) throw new ConfigurationError(withoutBus(device));
        pcie.host.plug(slot as number, pciFunction);
        parts.push(pciFunction);
      },
      plugBridge: () => {
        throw new ConfigurationError(withoutBus(device));
      },
    });
  }
  networks.refuseUntaken();
  return {
    parts,
    bridges: networks.bridges,
    disks: drives.disks,
    drives,
    console: terminalOf(configuration, consoles),
    transport: (name) => transports.get(name),
    frame: (name) => frameOf(frames, name),
  };
}

function withoutBus({ driver }: DeviceConfiguration): string {
  return `Cannot plug -device ${driver}: say where by bus=, a root port such as rootport0 (of rootports= in -M virt) or a switch's`;
}

/** A device below a root port: it is reset with its bus, too. */
function buildOnBus(
  device: DeviceConfiguration,
  build: Builder,
  shared: Omit<BuildContext, "name" | "plug" | "plugBridge">,
  rootPorts: RootPorts,
): void {
  const { bridge, slot } = rootPorts.place(device), own: PeripheralPart[] = [];
  const addPart = (part: PeripheralPart): void => {
    own.push(part);
    shared.addPart(part);
  };
  const name = busDeviceName(device, slot);
  build(device, {
    ...shared,
    name,
    addPart,
    plug: (pciFunction) => {
      addPart(pciFunction);
      bridge.plug(slot, pciFunction, own);
    },
    plugBridge: (below) => {
      addPart(below);
      bridge.plug(slot, below, own);
      rootPorts.offer(name, below);
    },
  });
}

/** Counts each thing from 0. */
function counter(): (what: string) => number {
  const counts = new Map<string, number>();
  return (what) => {
    const count = counts.get(what) ?? 0;
    counts.set(what, count + 1);
    return count;
  };
}

function virtioSlot(board: Board, number: number): { name: string; spi: number } {
  const { name, spi } = boardRow(board, `virtio${number}`);
  return { name, spi: spi as number };
}

/** The virtio console that has the terminal's input, when the configuration wants one. */
function terminalOf(
  { consoleInput }: MachineConfiguration,
  consoles: readonly ConsoleInput[],
): ConsoleInput | undefined {
  if (consoleInput !== "virtio") return undefined;
  const [console] = consoles;
  if (console === undefined) {
    throw new ConfigurationError(
      "Cannot connect the terminal to a virtio console: there is none; add -device virtio-serial-pci",
    );
  }
  return console;
}

function frameOf(frames: ReadonlyMap<string, MappedDevice>, name: string): MappedDevice {
  const found = frames.get(name);
  if (found === undefined) throw new MachineInvariantError(`Nothing answers at the row "${name}"`);
  return found;
}
