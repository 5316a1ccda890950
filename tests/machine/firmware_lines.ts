/** The files of fw_cfg as lines of text, for the fixture of QEMU's. */
import type { ConfigurationInput } from "../../machine/configuration.ts";

/** A machine whose files are compared. */
export interface FirmwareCase {
  /** In the fixture. */
  readonly name: string;
  /** Here. */
  readonly configuration: ConfigurationInput;
  /** In QEMU. */
  readonly options: readonly string[];
}

const DEVICES = [
  ["virtio-blk-device", "drive=d0", 3],
  ["virtio-blk-pci", "drive=d1", 2],
  ["nvme", "drive=d2", 1],
  ["virtio-net-device", "netdev=n0", 0],
  ["virtio-net-pci", "netdev=n1", 9],
] as const;

/** A machine with one device of each model that boots; the network card on PCIe is in the last slot but one. */
const PLUGGED: FirmwareCase = {
  name: "devices with bootindex",
  configuration: {
    devices: DEVICES.map(([driver, , bootIndex]) => ({
      ...{
        driver,
        bootIndex,
        id: undefined,
        drive: undefined,
        netdev: undefined,
        mac: undefined,
        serial: undefined,
      },
      slot: driver === "virtio-net-pci" ? 30 : undefined,
    })),
  },
  options: [
    ...[0, 1, 2].flatMap((index) => ["-blockdev", `driver=null-co,node-name=d${index}`]),
    ...[0, 1].flatMap((index) => ["-netdev", `user,id=n${index}`]),
    ...DEVICES.flatMap(([driver, plugged, index]) => {
      const more = driver === "nvme" ? ",serial=x" : driver === "virtio-net-pci" ? ",addr=0x1e,romfile=" : "";
      return ["-device", `${driver},${plugged},bootindex=${index}${more}`];
    }),
  ],
};

/** The machines. */
export function firmwareCases(): FirmwareCase[] {
  const sizes = [[1, 128], [4, 1024], [8, 2047], [3, 3072]].map(([cpus = 1, memoryMiB = 128]) => ({
    name: `smp ${cpus}, m ${memoryMiB}`,
    configuration: { cpus, memoryMiB },
    options: ["-smp", String(cpus), "-m", String(memoryMiB)],
  }));
  return [...sizes, PLUGGED];
}

/** Case, name, size and bytes of each file. */
export function firmwareLines(name: string, files: Iterable<readonly [string, Uint8Array]>): string[] {
  return Array.from(files, ([file, bytes]) => `${name}: ${file} ${bytes.length} ${bytes.toHex()}`.trimEnd());
}
