/** NVMe controllers of a board. */
import { createHash } from "node:crypto";
import type { BuildContext } from "./compose_peripherals.ts";
import { NvmeController } from "./devices/nvme/controller.ts";
import type { DeviceConfiguration } from "./peripheral_configuration.ts";

/** A serial number that follows from the seed, where QEMU would ask for one. */
function derivedSerial(seed: number, name: string): string {
  return createHash("sha256").update(`serial ${seed} ${name}`).digest("hex").slice(0, 16);
}

/** A controller in its PCIe slot. */
export function nvme({ drive, serial }: DeviceConfiguration, context: BuildContext): void {
  const { name, clock, events, memory, configuration: { seed } } = context;
  const disk = context.drives.take(drive, name);
  const controller = new NvmeController({
    name,
    serial: serial ?? derivedSerial(seed, name),
    disk,
    clock,
    events,
    memory,
  });
  context.addPart(controller);
  context.plug(controller.function);
}
