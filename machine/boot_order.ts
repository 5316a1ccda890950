/** The order in which firmware tries devices, by `bootindex=`: Open Firmware paths as QEMU writes them for EDK2. */
import { type Board, boardRow, VIRTIO_TRANSPORTS } from "./board.ts";
import { assignSlots } from "./compose_pci.ts";
import type { DeviceDriver } from "./peripheral_configuration.ts";

/** QEMU's root of PCIe has no address of its own. */
const PCIE = "/pci@ffffffffffffffff";

/** How each model's path goes on, `where` being its slot on PCIe or its transport's address. */
const PATHS: Readonly<Partial<Record<DeviceDriver, (where: string) => string>>> = {
  "virtio-blk-device": (where) => `/virtio-mmio@${where}/disk@0,0`,
  "virtio-net-device": (where) => `/virtio-mmio@${where}/ethernet-phy@0`,
  "virtio-blk-pci": (where) => `${PCIE}/scsi@${where}/disk@0,0`,
  "virtio-net-pci": (where) => `${PCIE}/ethernet@${where}/ethernet-phy@0`,
  "nvme-ea": (where) => `${PCIE}/pci1b36,0010@${where}/namespace@1,0`,
  "nvme": (where) => `${PCIE}/pci1b36,0010@${where}/namespace@1,0`,
};

/** The contents of `bootorder`: a path a line and a zero at the end; nothing when no device has an index. */
export function bootOrder(board: Board): string {
  const { devices } = board.configuration;
  const slots = assignSlots(devices);
  const paths: { readonly index: number; readonly path: string }[] = [];
  let transports = VIRTIO_TRANSPORTS;
  for (const device of devices) {
    if (device.bus !== undefined) continue;
    const slot = slots.get(device);
    if (slot === undefined && device.driver.endsWith("-device")) transports--;
    const path = PATHS[device.driver];
    if (device.bootIndex === undefined || path === undefined || transports < 0) continue;
    const where = slot ?? boardRow(board, `virtio${transports}`).base;
    paths.push({
      index: device.bootIndex,
      path: path(where.toString(16).padStart(slot === undefined ? 16 : 1, "0")),
    });
  }
  const lines = paths.sort((a, b) => a.index - b.index).map(({ path }) => path);
  return lines.length === 0 ? "" : `${lines.join("\n")}\0`;
}
