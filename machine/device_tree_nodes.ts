/** Parts of which the nodes of a board's device tree are made. */
import type { Board, BoardRow } from "./board.ts";
import { cells, type DeviceTreeNode, EMPTY, sizedCells, strings } from "./device_tree.ts";

/** Shared peripheral interrupt, in the first cell of an interrupt specifier (GIC binding). */
export const SHARED = 0;
/** Private peripheral interrupt, likewise. */
export const PRIVATE = 1;
/** Flags of an interrupt specifier. */
export const EDGE_RISING = 1;
/** Flags of an interrupt specifier. */
export const LEVEL_HIGH = 4;

/** First phandle, as QEMU numbers them; the clock, CPUs from the last to the first, the interrupt controller. */
export const CLOCK_PHANDLE = 0x8000;

/** `#address-cells` and `#size-cells` of the root. */
export const ADDRESS_CELLS = 2;

/** A tree being made. */
export interface Generation {
  /** What it describes. */
  readonly board: Board;
  /** The tree's root. */
  readonly root: DeviceTreeNode;
  /** Its `chosen`. */
  readonly chosen: DeviceTreeNode;
  /** Absent when there is no Secure world. */
  readonly secureChosen: DeviceTreeNode | undefined;
}

/** `<type number flags>` of a private interrupt; of a GICv2 the flags have the mask of CPUs that have it. */
export function privateInterrupt({ configuration: { cpus, gicVersion } }: Board, number: number): number[] {
  const mask = gicVersion === 2 ? (2 ** cpus - 1) << 8 : 0;
  return [PRIVATE, number, mask | LEVEL_HIGH];
}

/** `reg` of a node at the root, a range for each row. */
export function reg(...rows: readonly BoardRow[]): Uint8Array {
  return sizedCells(ADDRESS_CELLS, ...rows.flatMap(({ base, size }) => [base, size]));
}

/** Adds a node named by what it is and its row's address. */
export function nodeFor(root: DeviceTreeNode, name: string, { base }: BoardRow): DeviceTreeNode {
  return root.add(`${name}@${base.toString(16)}`);
}

/** Marks what only the Secure world sees. */
export function secured(node: DeviceTreeNode, { secureOnly }: BoardRow): DeviceTreeNode {
  if (secureOnly) node.set("status", strings("disabled")).set("secure-status", strings("okay"));
  return node;
}

/** An Arm PrimeCell behind the 24 MHz clock. */
export function primeCell(
  root: DeviceTreeNode,
  row: BoardRow,
  part: string,
  clocks: readonly string[],
): DeviceTreeNode {
  return secured(
    nodeFor(root, part, row)
      .set("compatible", strings(`arm,${part}`, "arm,primecell"))
      .set("reg", reg(row))
      .set("interrupts", cells(SHARED, row.spi ?? 0, LEVEL_HIGH))
      .set("clocks", cells(...clocks.map(() => CLOCK_PHANDLE)))
      .set("clock-names", strings(...clocks)),
    row,
  );
}

/** Phandle of a CPU; the interrupt controller's is the one after CPU 0's. */
export function cpuPhandle({ configuration: { cpus } }: Board, index: number): number {
  return CLOCK_PHANDLE + cpus - index;
}

/** Devices see what CPUs see, unless a strict model has a data cache in between. */
export function describeDma({ board }: Pick<Generation, "board">, node: DeviceTreeNode): void {
  if (!board.configuration.strictModels.includes("dcache")) node.set("dma-coherent", EMPTY);
}
