/** Where el3-ecam shows memory-mapped devices as functions of PCI, and how the device tree tells of it. */
import { type Board, type BoardRow, NVME_BLOCKS } from "../../../machine/board.ts";
import { cells, type DeviceTreeNode, sizedCells, strings } from "../../../machine/device_tree.ts";
import { cpuPhandle, describeDma, LEVEL_HIGH, SHARED } from "../../../machine/device_tree_nodes.ts";

/** The window of one bus, in a gap of the board's map; its PCI domain, the board's own being 0. */
export const ECAM = { base: 0x0d00_0000, size: 0x10_0000, segment: 1 } as const;

/** Device number of the first function, of the others those behind: each is function 0 of a device of its own. */
const FIRST_DEVICE = 1;

/** Bus, device and function of a block by its number. */
export function bdfOf(number: number): number {
  return FIRST_DEVICE + number << 3;
}

/** The devices of a board that are shown. */
export function blocksOf({ rows }: Board): BoardRow[] {
  return rows.filter(({ kind }) => kind === "nvme");
}

/** 32-bit memory, in the first cell of a PCI address; its cells, of pins, devices and specifiers of the GIC. */
const PCI_MEMORY = 0x0200_0000, PIN_A = 1, DEVICE_MASK = 0xf800, PIN_MASK = 7;

/**
 * Puts a host bridge in place of the devices: one bus, a window of memory around them, each one's pin to its own interrupt.
 */
export function describeHost(board: Board, root: DeviceTreeNode): void {
  for (const { base } of blocksOf(board)) root.remove(({ name }) => name === `nvme@${base.toString(16)}`);
  const { base, stride, most } = NVME_BLOCKS, controller = cpuPhandle(board, 0) + 1;
  const node = root.add(`pcie@${ECAM.base.toString(16)}`)
    .set("compatible", strings("pci-host-ecam-generic"))
    .set("device_type", strings("pci"))
    .set("#address-cells", cells(3))
    .set("#size-cells", cells(2))
    .set("linux,pci-domain", cells(ECAM.segment))
    .set("bus-range", cells(0, 0));
  describeDma({ board }, node);
  const map = blocksOf(board).flatMap(({ spi = 0 }, number) => [
    ...[bdfOf(number) << 8, 0, 0, PIN_A],
    ...[controller, 0, 0, SHARED, spi, LEVEL_HIGH],
  ]);
  node.set("reg", sizedCells(2, ECAM.base, ECAM.size))
    .set("ranges", cells(PCI_MEMORY, 0, base, 0, base, 0, stride * most))
    .set("#interrupt-cells", cells(1))
    .set("interrupt-map", cells(...map))
    .set("interrupt-map-mask", cells(DEVICE_MASK, 0, 0, PIN_MASK));
}
