/** A machine's NVMe controllers that are no functions of PCI, for tests of who shows them. */
import type { ConfigurationInput } from "../../machine/configuration.ts";
import { plainDevice } from "../../cli/qemu_devices.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";

const SIZE = 2 ** 16, image = new MemoryImage(Uint8Array.from({ length: SIZE }, (_, at) => at * 7 & 0xff));
const sha256 = hashOfImage(image);

/** Their disks, to be put beside a machine's images. */
export const NVME_IMAGES = [[sha256, image]] as const;

/** So many of them, each with a disk of 64 KiB. */
export function nvmeBlocks(
  count: number,
  driver: "nvme-mmio" | "nvme-ea" = "nvme-mmio",
): Pick<ConfigurationInput, "drives" | "devices"> {
  const numbers = Array.from({ length: count }, (_, number) => number);
  return {
    drives: numbers.map((n) => ({
      id: `d${n}`,
      image: { sha256, size: SIZE, name: "disk.img" },
      readOnly: false,
    })),
    devices: numbers.map((n) => ({ ...plainDevice(driver), drive: `d${n}`, serial: `s${n}` })),
  };
}
