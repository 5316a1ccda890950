/**
 * dt2acpi: ACPI tables of a device tree (US20210026648A1). Table set 1 has what ACPI has a form for: CPUs, GIC and MSI
 * frames in MADT, timers in GTDT, PSCI in FADT's ARM_BOOT_ARCH, PCI Express in MCFG, IORT and PNP0A08, the console in SPCR,
 * devices by their _HID. Table set 2 has the rest: Device with _HID PRP0001 and a _DSD of the node's properties.
 * ACPI 6.3; Devicetree Specification 0.4.
 */
import type { DeviceTree } from "../../machine/device_tree.ts";
import { parseDeviceTree } from "../../machine/device_tree_reader.ts";
import { dbg2, spcr } from "./console.ts";
import type { Context, ConversionOptions } from "./context.ts";
import { deviceChildren, dsdt, nameDevices } from "./devices.ts";
import { refuseInterruptCycles } from "./interrupts.ts";
import { listFixed, listRest } from "./fixed_nodes.ts";
import { Names } from "./names.ts";
import { iort, mcfg } from "./pci.ts";
import { fadt, gicOf, gtdt, madt, pptt, processorsOf } from "./processors.ts";
import { type NodeMapping, type Omission, type Renaming, Report } from "./report.ts";
import type { AcpiTable } from "./table.ts";
import { type Range, Tree } from "./tree.ts";

export type { ConversionOptions, Parking } from "./context.ts";
export { DeviceTreeRefusal } from "./tree.ts";

/** Memory that a tree describes. */
export interface MemoryOfTree {
  /** RAM. */
  readonly ram: readonly Range[];
  /** What of it is not the operating system's. */
  readonly reserved: readonly Range[];
}

/** What a device tree becomes. */
export interface Conversion {
  /** FADT, DSDT and the others; see `placeTables`. */
  readonly tables: readonly AcpiTable[];
  /** What became of each node, in the order of the tree: every node has a place or a reason. */
  readonly nodes: readonly NodeMapping[];
  /** Properties that ACPI has no form for. */
  readonly omissions: readonly Omission[];
  /** Devices that got another name than their node suggests. */
  readonly renamings: readonly Renaming[];
  /** What the EFI memory map has to say, since ACPI's tables do not. */
  readonly memory: MemoryOfTree;
}

/**
 * Converts a device tree. Throws DeviceTreeRefusal, which names the node, for a tree that contradicts itself: unknown or
 * cyclic interrupt parents, two CPUs with one MPIDR, addresses of more than 64 bits, and what has no GIC or CPU.
 */
export function convertDeviceTree(deviceTree: DeviceTree, options: ConversionOptions = {}): Conversion {
  const tree = new Tree(deviceTree), report = new Report();
  for (const node of tree.nodes) {
    if (!node.isEnabled) report.list(node, "its status, or that of a node above, is not okay");
  }
  refuseInterruptCycles(tree);
  const context: Context = {
    tree,
    options,
    report,
    names: new Names(),
    processors: processorsOf(tree, report),
    gic: gicOf(tree),
    devices: new Map(),
    counters: new Map(),
  };
  const { fixed, memory } = listFixed(context, deviceTree.reservations);
  const nodes = deviceChildren(context, tree.root, fixed);
  nameDevices(context, nodes);
  const tables = [
    fadt(context),
    madt(context),
    gtdt(context),
    pptt(context),
    mcfg(context),
    spcr(context),
    dbg2(context),
    iort(context),
  ];
  const all = [...tables, dsdt(context, nodes)].filter((table) => table !== undefined);
  listRest(context);
  return {
    tables: all,
    nodes: report.mappings(tree),
    omissions: report.omissions,
    renamings: report.renamings,
    memory,
  };
}

/** Converts a flattened tree; throws ConfigurationError for bytes that are none, else as `convertDeviceTree`. */
export function convertBlob(bytes: Uint8Array, what: string, options: ConversionOptions = {}): Conversion {
  return convertDeviceTree(parseDeviceTree(bytes, what), options);
}
