/** NVMe controllers of a board. */
import { createHash } from "node:crypto";
import { blockName, boardRow, SPI_BASE } from "./board.ts";
import type { BuildContext } from "./compose_peripherals.ts";
import { NvmeController } from "./devices/nvme/controller.ts";
import type { NvmeOptions } from "./devices/nvme/execution.ts";
import { NvmeBlock } from "./devices/nvme/mmio.ts";
import { fixedNvmeFunction, nvmeFunction } from "./devices/nvme/pci.ts";
import type { DeviceConfiguration } from "./peripheral_configuration.ts";

/** A serial number that follows from the seed, where QEMU would ask for one. */
function derivedSerial(seed: number, name: string): string {
  return createHash("sha256").update(`serial ${seed} ${name}`).digest("hex").slice(0, 16);
}

/** What a controller of that name is built on. */
function optionsOf({ drive, serial }: DeviceConfiguration, context: BuildContext, name: string): NvmeOptions {
  const { clock, events, memory, configuration: { seed } } = context;
  const disk = context.drives.take(drive, name);
  return { name, serial: serial ?? derivedSerial(seed, name), disk, clock, events, memory };
}

/** A controller in its PCIe slot. */
export function nvme(device: DeviceConfiguration, context: BuildContext): void {
  const options = optionsOf(device, context, context.name);
  const controller = new NvmeController(options, (registers) => nvmeFunction(options, registers));
  context.addPart(controller);
  context.plug(controller.port);
}

/** The end of the first window of PCI's memory, where controllers are whose place is for good, by their number. */
const FIXED_BASE = 0x3e00_0000, FIXED_STRIDE = 0x1_0000;

/** A controller in its PCIe slot that cannot be moved. */
export function nvmeFixed(device: DeviceConfiguration, context: BuildContext): void {
  const options = optionsOf(device, context, context.name);
  const base = FIXED_BASE + context.count("fixed") * FIXED_STRIDE;
  const controller = new NvmeController(options, (registers) => fixedNvmeFunction(options, base, registers));
  context.addPart(controller);
  context.plug(controller.port);
}

/** A controller that is no function of PCI, at its row of the board. */
export function nvmeMmio(device: DeviceConfiguration, context: BuildContext): void {
  const { name, spi } = boardRow(context.board, blockName(device, context.count("nvme-mmio")));
  const line = context.controller.sharedLine(SPI_BASE + (spi as number), name);
  context.fill(name, new NvmeBlock(optionsOf(device, context, name), line));
}
