/** The board's PCI Express host: its windows, its interrupts, what takes messages, and who is in which slot. */
import { type Board, boardRow, SPI_BASE } from "./board.ts";
import type { PeripheralPart, PeripheralServices } from "./compose_peripherals.ts";
import { GicV2m } from "./devices/gic_v2m.ts";
import { GicV3Its } from "./devices/gic_v3_its.ts";
import { type MessageReceiver, PCI_LINES, PCI_SLOTS, PciHost } from "./devices/pci/host_bridge.ts";
import { ConfigurationError, MachineInvariantError } from "./errors.ts";
import type { MappedDevice } from "./memory/physical.ts";
import type { DeviceConfiguration } from "./peripheral_configuration.ts";

/** Shared peripheral interrupts that messages may raise through a GICv2m (QEMU 7.2 hw/arm/virt). */
const MESSAGE_SPI = 48;
const MESSAGE_SPI_COUNT = 64;

/** The host of a board and the frames that are placed by rows of the table. */
export interface PciBuild {
  /** The host. */
  readonly host: PciHost;
  /** By the name of the row: windows, and the frames that take messages. */
  readonly frames: ReadonlyMap<string, MappedDevice>;
  /** What has state: the host before its functions, and its bridge. */
  readonly parts: readonly PeripheralPart[];
}

function hasRow(board: Board, name: string): boolean {
  return board.rows.some((row) => row.name === name);
}

function buildGicV2m(board: Board, { controller }: PeripheralServices): GicV2m {
  const { name, base } = boardRow(board, "gicv2m");
  const lines = Array.from(
    { length: MESSAGE_SPI_COUNT },
    (_, index) => controller.sharedLine(SPI_BASE + MESSAGE_SPI + index, name),
  );
  return new GicV2m({ name, base, firstInterrupt: SPI_BASE + MESSAGE_SPI, lines });
}

function buildIts(board: Board, { controller: { lpis }, events, memory }: PeripheralServices): GicV3Its {
  const { name, base } = boardRow(board, "its");
  if (lpis === undefined) throw new MachineInvariantError("The interrupt controller has no LPIs for the ITS");
  return new GicV3Its({ name, base, events, memory, lpis });
}

/** What takes messages. */
export interface MessageFrames extends Omit<PciBuild, "host"> {
  /** The registers that messages are written to. */
  readonly receivers: readonly MessageReceiver[];
}

/** Builds what takes messages. */
export function buildMessageFrames(board: Board, services: PeripheralServices): MessageFrames {
  const frames = new Map<string, MappedDevice>();
  const receivers: MessageReceiver[] = [];
  if (hasRow(board, "gicv2m")) {
    const frame = buildGicV2m(board, services);
    frames.set(frame.name, frame);
    receivers.push(frame);
  }
  const parts: PeripheralPart[] = [];
  if (hasRow(board, "its")) {
    const its = buildIts(board, services);
    frames.set(its.name, its);
    receivers.push(its);
    parts.push(its);
  }
  return { frames, parts, receivers };
}

/** Builds the host with nothing but its bridge; undefined for a board that has root ports instead. */
export function buildPciHost(
  board: Board,
  { controller, events, memory }: PeripheralServices,
  receivers: readonly MessageReceiver[],
): PciBuild | undefined {
  if (!hasRow(board, "pcieEcam")) return undefined;
  const frames = new Map<string, MappedDevice>();
  const firstSpi = boardRow(board, "pcieEcam").spi as number;
  const lines = Array.from(
    { length: PCI_LINES },
    (_, index) => controller.sharedLine(SPI_BASE + firstSpi + index, "pcie"),
  );
  const host = new PciHost({ name: "pcie", events, memory, lines, receivers });
  for (const { name, base, kind } of board.rows) {
    if (kind !== "pcie") continue;
    if (name === "pcieEcam") frames.set(name, host.configurationWindow(name));
    else frames.set(name, host.window(name, name === "pcieIo", name === "pcieIo" ? 0 : base));
  }
  return { host, frames, parts: [host, host.bridge] };
}

/** Whether a device is for the PCI Express bus. */
export function isPci({ driver }: DeviceConfiguration): boolean {
  return driver === "nvme" || driver === "nvme-ea" || driver.endsWith("-pci");
}

/**
 * The slot of each PCI device by its place in the list: the one it asks for, else the first that is free then, as
 * QEMU gives them in the order of the options. Throws ConfigurationError when two ask for one, or all are taken.
 */
export function assignSlots(
  devices: readonly DeviceConfiguration[],
): ReadonlyMap<DeviceConfiguration, number> {
  const taken = new Map<number, DeviceConfiguration>();
  const slots = new Map<DeviceConfiguration, number>();
  for (const device of devices.filter((device) => isPci(device) && device.bus === undefined)) {
    const slot = device.slot ?? firstFree(taken);
    const other = taken.get(slot);
    if (other !== undefined || slot >= PCI_SLOTS) {
      const why = other === undefined ? "all 31 are taken" : `slot ${slot} has ${other.driver} already`;
      throw new ConfigurationError(`Cannot plug -device ${device.driver} into the PCIe bus: ${why}`);
    }
    taken.set(slot, device);
    slots.set(device, slot);
  }
  return slots;
}

function firstFree(taken: ReadonlyMap<number, unknown>): number {
  let slot = 1;
  while (taken.has(slot)) slot++;
  return slot;
}
