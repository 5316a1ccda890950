/** The nodes of interrupt controllers and of the PCI Express host, which refers to them. */
import { type Board, type BoardKind, type BoardRow, PPI } from "./board.ts";
import { cells, type DeviceTreeNode, EMPTY, sizedCells, strings } from "./device_tree.ts";
import {
  cpuPhandle,
  describeDma,
  type Generation,
  LEVEL_HIGH,
  nodeFor,
  PRIVATE,
  privateInterrupt,
  reg,
  SHARED,
} from "./device_tree_nodes.ts";

/** The GIC with its frames, and what stands beside it in QEMU's tree, the PMU. */
export function addInterruptController({ board, root }: Generation, rows: readonly BoardRow[]): void {
  const phandle = cpuPhandle(board, 0) + 1;
  root.set("interrupt-parent", cells(phandle));
  const node = nodeFor(root, "intc", rows[0] as BoardRow)
    .set("#interrupt-cells", cells(3))
    .set("interrupt-controller", EMPTY)
    .set("#address-cells", cells(2))
    .set("#size-cells", cells(2))
    .set("ranges", EMPTY);
  if (board.configuration.gicVersion === 2) node.set("compatible", strings("arm,cortex-a15-gic"));
  else node.set("compatible", strings("arm,gic-v3")).set("#redistributor-regions", cells(1));
  node.set("reg", reg(...rows));
  // QEMU gives no mask of CPUs here.
  if (board.configuration.virtualization) {
    node.set("interrupts", cells(PRIVATE, PPI.virtualMaintenance, LEVEL_HIGH));
  }
  node.set("phandle", cells(phandle));
  root.add("pmu")
    .set("compatible", strings("arm,armv8-pmuv3"))
    .set("interrupts", cells(...privateInterrupt(board, PPI.performanceMonitor)));
}

/** Rows that take messages; a board has one of them at most. */
const MESSAGE_KINDS: ReadonlySet<BoardKind> = new Set(["messageFrame", "interruptTranslation"]);

/** True when something takes messages beside the interrupt controller. */
export function hasMessages(board: Board): boolean {
  return board.rows.some(({ kind }) => MESSAGE_KINDS.has(kind));
}

/** Phandle of what takes messages: the one after the interrupt controller's. */
export function messagePhandle(board: Board): number {
  return cpuPhandle(board, 0) + 2;
}

/** What takes messages is a child of the interrupt controller. */
function messageController({ root }: Generation, name: string, row: BoardRow): DeviceTreeNode {
  const controller = root.children.find((node) => node.name.startsWith("intc@")) as DeviceTreeNode;
  return nodeFor(controller, name, row);
}

/** GICv2m. */
export function addMessageFrame(generation: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows) {
    messageController(generation, "v2m", row)
      .set("compatible", strings("arm,gic-v2m-frame"))
      .set("msi-controller", EMPTY)
      .set("reg", reg(row))
      .set("phandle", cells(messagePhandle(generation.board)));
  }
}

/** The GICv3's ITS. */
export function addInterruptTranslation(generation: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows) {
    messageController(generation, "its", row)
      .set("compatible", strings("arm,gic-v3-its"))
      .set("msi-controller", EMPTY)
      .set("#msi-cells", cells(1))
      .set("reg", reg(row))
      .set("phandle", cells(messagePhandle(generation.board)));
  }
}

/** Kinds of space in the first cell of a PCI address, and the four pins of a slot. */
const PCI_IO = 0x0100_0000;
const PCI_MEMORY = 0x0200_0000;
const PCI_MEMORY_64 = 0x0300_0000;
const PCI_PINS = [0, 1, 2, 3];
const PCI_BUS_SIZE = 2 ** 20;

/** Each pin of slots 0–3, after which the pattern repeats, to the controller's interrupt. */
function pciInterruptMap(board: Board, firstSpi: number): Uint8Array {
  const controller = cpuPhandle(board, 0) + 1;
  return cells(...PCI_PINS.flatMap((slot) =>
    PCI_PINS.flatMap((pin) => [
      ...[slot << 11, 0, 0, pin + 1], // the pin of the slot
      ...[controller, 0, 0, SHARED, firstSpi + (slot + pin) % PCI_PINS.length, LEVEL_HIGH],
    ])
  ));
}

/** The PCI Express host: its windows, INTx and where messages go. */
export function addPcie(generation: Generation, rows: readonly BoardRow[]): void {
  const { board, root } = generation;
  const named = (name: string): BoardRow | undefined => rows.find((row) => row.name === name);
  const range = (name: string, kind: number, first?: number): [number, number][] => {
    const row = named(name);
    return row === undefined ? [] : [[kind, 1], [first ?? row.base, 2], [row.base, 2], [row.size, 2]];
  };
  const ecam = named("pcieEcam") as BoardRow;
  const node = nodeFor(root, "pcie", named("pcieMmio") as BoardRow)
    .set("compatible", strings("pci-host-ecam-generic"))
    .set("device_type", strings("pci"))
    .set("#address-cells", cells(3))
    .set("#size-cells", cells(2))
    .set("linux,pci-domain", cells(0))
    .set("bus-range", cells(0, ecam.size / PCI_BUS_SIZE - 1));
  describeDma(generation, node);
  if (hasMessages(board)) {
    node.set("msi-map", cells(0, messagePhandle(board), 0, 0x1_0000));
  }
  node.set("reg", reg(ecam))
    .set(
      "ranges",
      mixedCells(
        ...range("pcieIo", PCI_IO, 0),
        ...range("pcieMmio", PCI_MEMORY),
        ...range("pcieMmio64", PCI_MEMORY_64),
      ),
    )
    .set("#interrupt-cells", cells(1))
    .set("interrupt-map", pciInterruptMap(board, ecam.spi as number))
    .set("interrupt-map-mask", cells(0x1800, 0, 0, 7));
}

/** `compatible` of a root port without ECAM. */
export const ROOT_PORT_COMPATIBLE = "hindsight,indexed-root-port";

/** Root ports without ECAM: their registers, their window, INTx of what is on the link, and where messages go. */
export function addRootPorts(generation: Generation, rows: readonly BoardRow[]): void {
  const { board, root } = generation, controller = cpuPhandle(board, 0) + 1;
  for (const row of rows) {
    const window = rows.find(({ name }) => name === `${row.name}Mmio`), { spi } = row;
    if (window === undefined || spi === undefined) continue;
    const node = nodeFor(root, "pcie", row)
      .set("compatible", strings(ROOT_PORT_COMPATIBLE))
      .set("device_type", strings("pci"))
      .set("#address-cells", cells(3))
      .set("#size-cells", cells(2));
    describeDma(generation, node);
    if (hasMessages(board)) node.set("msi-map", cells(0, messagePhandle(board), 0, 0x1_0000));
    node.set("reg", reg(row))
      .set("ranges", mixedCells([PCI_MEMORY, 1], [window.base, 2], [window.base, 2], [window.size, 2]))
      .set("#interrupt-cells", cells(1))
      .set(
        "interrupt-map",
        cells(
          ...PCI_PINS.flatMap((pin) => [0, 0, 0, pin + 1, controller, 0, 0, SHARED, spi + pin, LEVEL_HIGH]),
        ),
      )
      .set("interrupt-map-mask", cells(0, 0, 0, 7));
  }
}

/** Numbers, each in its own count of cells. */
function mixedCells(...values: readonly [value: number, count: number][]): Uint8Array {
  return new Uint8Array(values.flatMap(([value, count]) => [...sizedCells(count, value)]));
}
