/** The virtio devices of a board: models by kind, and the transport that a driver's name asks for. */
import { SPI_BASE, VIRTIO_TRANSPORTS } from "./board.ts";
import type { BuildContext, Builder } from "./compose_peripherals.ts";
import { VirtioPci } from "./devices/pci/virtio_pci.ts";
import { VirtioBlock } from "./devices/virtio/block.ts";
import { VirtioConsole } from "./devices/virtio/console.ts";
import { VirtioCore } from "./devices/virtio/core.ts";
import type { VirtioModel } from "./devices/virtio/device.ts";
import { VirtioMmio } from "./devices/virtio/mmio.ts";
import { VirtioNet } from "./devices/virtio/net.ts";
import { VirtioRng } from "./devices/virtio/rng.ts";
import { ConfigurationError } from "./errors.ts";
import type { DeviceConfiguration } from "./peripheral_configuration.ts";

/** Builds the kind of device, whatever is in front of it. */
export type ModelBuilder = (device: DeviceConfiguration, context: BuildContext) => VirtioModel;

/** QEMU's first address; each further card without `mac=` has the next. */
const FIRST_MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;

function macOf({ mac }: DeviceConfiguration, { count }: BuildContext): Uint8Array {
  if (mac !== undefined) return Uint8Array.from(mac.split(":"), (digits) => parseInt(digits, 16));
  return Uint8Array.from(FIRST_MAC, (byte, index) => index === 5 ? byte + count("mac") : byte);
}

/** Every kind, by the middle of its drivers' names. */
export const VIRTIO_MODELS = {
  blk: ({ driver, drive, serial }, { drives, name, configuration: { cpus } }) =>
    new VirtioBlock({
      disk: drives.take(drive, name),
      serial: serial ?? "",
      queues: driver === "virtio-blk-pci" ? cpus : 1, // as QEMU has it by default
    }),
  net: (device, context) =>
    new VirtioNet({
      network: context.networks.take(device.netdev, context.name),
      mac: macOf(device, context),
    }),
  rng: (_, { configuration: { seed } }) => new VirtioRng({ seed }),
  serial: (_, { transmitted, setConsole }) => {
    const console = new VirtioConsole({ transmitted });
    setConsole(console);
    return console;
  },
} as const satisfies Readonly<Record<string, ModelBuilder>>;

/** A device in the next virtio-mmio slot: as in QEMU the last slot is the first to be filled. */
export function virtioMmio(buildModel: ModelBuilder): Builder {
  return (device, context) => {
    const slot = VIRTIO_TRANSPORTS - 1 - context.count("virtio-mmio");
    if (slot < 0) {
      throw new ConfigurationError(
        `Cannot plug -device ${device.driver}: all ${VIRTIO_TRANSPORTS} virtio-mmio slots are taken`,
      );
    }
    const { clock, events, memory, controller, configuration } = context;
    const { name, spi } = context.virtioSlot(slot);
    const model = buildModel(device, { ...context, name: device.id ?? `${device.driver} in ${name}` });
    context.fill(
      name,
      new VirtioMmio({
        name,
        version: configuration.virtioMmioLegacy ? 1 : 2,
        core: new VirtioCore({ name, model, clock, events, memory }),
        line: controller.sharedLine(SPI_BASE + spi, name),
      }),
    );
  };
}

/** A device in its PCIe slot. */
export function virtioPci(buildModel: ModelBuilder): Builder {
  return (device, context) => {
    const { name, clock, events, memory } = context;
    const core = new VirtioCore({ name, model: buildModel(device, context), clock, events, memory });
    const transport = new VirtioPci(core, { events, memory });
    context.addPart(transport);
    context.plug(transport.pciFunction);
  };
}
