/** The device tree of a machine whose root ports are shown as segments: a host of generic ECAM for each. */
import { ROOT_PORT_COMPATIBLE } from "../../../machine/board_device_tree_interrupts.ts";
import { cells, type DeviceTree, DeviceTreeNode, sizedCells, strings } from "../../../machine/device_tree.ts";
import { LEVEL_HIGH, SHARED } from "../../../machine/device_tree_nodes.ts";
import { interruptOf, type RootPortPlace, type Segment, SEGMENT_SIZE } from "./segments.ts";

/** Cells of a PCI address in memory space of 32 bits. */
const PCI_MEMORY = 0x0200_0000;
/** Requester IDs of a bus. */
const REQUESTERS = 256;
const PINS = [1, 2, 3, 4];

const isRootPort = (node: DeviceTreeNode): boolean =>
  new TextDecoder().decode(node.get("compatible") ?? new Uint8Array(0)) === `${ROOT_PORT_COMPATIBLE}\0`;

/** Numbers, each in its own count of cells. */
function wide(...values: readonly [value: number, count: number][]): Uint8Array {
  return new Uint8Array(values.flatMap(([value, count]) => [...sizedCells(count, value)]));
}

function phandleOf(root: DeviceTreeNode): number {
  const value = root.get("interrupt-parent");
  return value === undefined ? 0 : new DataView(value.buffer, value.byteOffset).getUint32(0);
}

/** The phandle of what takes messages, from a root port's msi-map. */
function messagesOf(port: DeviceTreeNode): number | undefined {
  const map = port.get("msi-map");
  return map === undefined ? undefined : new DataView(map.buffer, map.byteOffset).getUint32(4);
}

function hostNode(
  root: DeviceTreeNode,
  port: DeviceTreeNode,
  place: RootPortPlace,
  segment: Segment,
): DeviceTreeNode {
  const { base, window, functions } = segment, controller = phandleOf(root), messages = messagesOf(port);
  const devices = [...new Set(functions.map(({ device }) => device))];
  const interrupts = devices.flatMap((device) =>
    PINS.flatMap((pin) => [
      ...[device << 11, 0, 0, pin],
      ...[controller, 0, 0, SHARED, interruptOf(segment, place, device, pin), LEVEL_HIGH],
    ])
  );
  const node = new DeviceTreeNode(`pcie@${base.toString(16)}`);
  node.set("interrupt-map-mask", cells(0xf800, 0, 0, 7))
    .set("interrupt-map", cells(...interrupts))
    .set("#interrupt-cells", cells(1))
    .set("ranges", wide([PCI_MEMORY, 1], [window.base, 2], [window.base, 2], [window.size, 2]))
    .set("reg", wide([base, 2], [SEGMENT_SIZE, 2]));
  if (messages !== undefined) {
    node.set("msi-map", cells(segment.shown << 8, messages, segment.bus << 8, REQUESTERS));
  }
  const coherent = port.get("dma-coherent");
  if (coherent !== undefined) node.set("dma-coherent", coherent);
  return node.set("bus-range", cells(segment.shown, segment.shown))
    .set("linux,pci-domain", cells(segment.segment))
    .set("#size-cells", cells(2))
    .set("#address-cells", cells(3))
    .set("device_type", strings("pci"))
    .set("compatible", strings("pci-host-ecam-generic"));
}

/**
 * Puts a host for each segment in place of the root ports of a tree. Throws RangeError for a tree that does not have the
 * ports in order of their registers' addresses.
 */
export function describeSegments(
  { root }: DeviceTree,
  places: readonly RootPortPlace[],
  segments: readonly Segment[],
): void {
  const ports = places.map(({ name, registers }) => {
    const node = root.child(`pcie@${registers.toString(16)}`);
    if (node === undefined || !isRootPort(node)) {
      throw new RangeError(`The device tree does not have ${name}`);
    }
    return node;
  });
  const first = root.children.indexOf(ports[0] as DeviceTreeNode);
  const hosts = segments.map((segment) =>
    hostNode(root, ports[segment.port] as DeviceTreeNode, places[segment.port] as RootPortPlace, segment)
  );
  root.children.splice(first, 0, ...hosts);
  root.remove((node) => ports.includes(node));
}
