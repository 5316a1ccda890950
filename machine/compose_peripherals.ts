/** What the user plugged into the board: disks, networks and the devices in front of them, built from the configuration. */
import type { Board } from "./board.ts";
import type { BootImages } from "./boot_images.ts";
import type { Clock } from "./clock.ts";
import type { Device } from "./devices/device.ts";
import type { InterruptController } from "./devices/interrupt_controller.ts";
import type { PciFunction } from "./devices/pci/function.ts";
import { ConfigurationError, MachineInvariantError } from "./errors.ts";
import type { EventHub } from "./events.ts";
import type { MappedDevice, PhysicalMemory } from "./memory/physical.ts";
import { assignSlots, buildPciHost } from "./compose_pci.ts";
import type { DeviceConfiguration, DeviceDriver } from "./peripheral_configuration.ts";
import type { Section } from "./snapshot.ts";
import type { Disk } from "./storage/disk.ts";
import { Drives } from "./compose_drives.ts";

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
  readonly bridges: ReadonlyMap<string, { deliver(frame: Uint8Array): void }>;
  /** The disks by `-drive id=`; they are no parts, since a reset of the machine leaves them alone. */
  readonly disks: ReadonlyMap<string, Disk>;
  /** What is in a virtio-mmio slot, by the name of its row; undefined when it is empty. */
  transport(name: string): Device | undefined;
  /** What answers at a row of kind `pcie`, `messageFrame` or `interruptTranslation`. */
  frame(name: string): MappedDevice;
}

/** What a builder works with, beside the options of its device. */
export interface BuildContext extends PeripheralServices {
  /** The device's name in events and sections: its id, or its model and its slot on PCIe. */
  readonly name: string;
  /** Disks by id, each to be taken by one device. */
  readonly drives: Drives;
  /** Adds a part that has state. */
  addPart(part: PeripheralPart): void;
  /** Puts a function into the device's slot on PCIe, and adds it as a part. */
  plug(pciFunction: PciFunction): void;
}

/** Builds one device. */
export type Builder = (device: DeviceConfiguration, context: BuildContext) => void;

/** Every model that can be built. */
const BUILDERS: Readonly<Partial<Record<DeviceDriver, Builder>>> = {};

/** Builds what the configuration asks for; throws ConfigurationError for what cannot be. */
export function buildPeripherals(
  board: Board,
  images: BootImages,
  services: PeripheralServices,
): Peripherals {
  const { drives: driveList, devices } = board.configuration;
  const drives = new Drives(driveList, images, services.events);
  const slots = assignSlots(devices);
  const pcie = buildPciHost(board, services);
  const parts: PeripheralPart[] = [...pcie.parts];
  for (const device of devices) {
    const build = BUILDERS[device.driver];
    if (build === undefined) {
      throw new ConfigurationError(`Cannot build -device ${device.driver}: the board has no model of it yet`);
    }
    const slot = slots.get(device);
    build(device, {
      ...services,
      name: device.id ?? `${device.driver}.${slot}`,
      drives,
      addPart: (part) => parts.push(part),
      plug: (pciFunction) => {
        pcie.host.plug(slot as number, pciFunction);
        parts.push(pciFunction);
      },
    });
  }
  drives.refuseUntaken();
  return {
    parts,
    bridges: new Map(),
    disks: drives.disks,
    transport: () => undefined,
    frame: (name) => frameOf(pcie.frames, name),
  };
}

function frameOf(frames: ReadonlyMap<string, MappedDevice>, name: string): MappedDevice {
  const found = frames.get(name);
  if (found === undefined) throw new MachineInvariantError(`Nothing answers at the row "${name}"`);
  return found;
}
