/** The DSDT: a Device for every node that has one, by table or as PRP0001 (ACPI 6.3, chapter 6). */
import { type Aml, device, integer, marked, name, scope, string } from "./aml.ts";
import { type Context, nextNumber } from "./context.ts";
import { globalInterrupt, interruptsOf, signalling } from "./interrupts.ts";
import { HEADER } from "./layouts.ts";
import { numbered, segmentOf } from "./names.ts";
import { hostBridge } from "./pci.ts";
import { PropertyWriter, stringsIn } from "./properties.ts";
import { gpioDescriptor, interruptDescriptor, memoryDescriptor, resourceTemplate } from "./resources.ts";
import { type AcpiTable, acpiTable } from "./table.ts";
import { regOf, type TreeNode } from "./tree.ts";

/** A device of set 1: what ACPI calls a device that the tree calls otherwise. */
export interface Counterpart {
  /** What the tree calls it. */
  readonly compatible: string;
  /** _HID. */
  readonly hid: string;
  /** Name, to be followed by the _UID. */
  readonly stem: string;
  /** It does DMA: _CCA must be there. */
  readonly isMaster?: boolean;
  /** _STA, when it is not what an absent one means. */
  readonly status?: number;
}

// deno-fmt-ignore
/** Set 1. */
export const COUNTERPARTS: readonly Counterpart[] = [
  { compatible: "arm,pl011",        hid: "ARMH0011", stem: "COM" },
  { compatible: "arm,sbsa-uart",    hid: "ARMH0011", stem: "COM" },
  { compatible: "arm,pl061",        hid: "ARMH0061", stem: "GPO" },
  { compatible: "virtio,mmio",      hid: "LNRO0005", stem: "VR", isMaster: true },
  // Present, decoding, working, but nothing to show a user.
  { compatible: "qemu,fw-cfg-mmio", hid: "QEMU0002", stem: "FWC", isMaster: true, status: 0xb },
];

/** Hosts of PCI Express whose configuration space MCFG can tell. */
export const PCI_HOSTS = ["pci-host-ecam-generic"] as const;
/** Buses that only hand addresses on. */
const BUSES = ["simple-bus", "simple-mfd"] as const;

/** How a node stands in the namespace. */
export type Role = Counterpart | "host" | "bus" | "properties";

/** The role of a node, or undefined when it is none of a device. */
export function roleOf({ options }: Context, node: TreeNode): Role | undefined {
  const forced = node.is(...options.forcePrp0001 ?? []);
  if (node.is(...PCI_HOSTS)) return "host";
  const counterpart = forced ? undefined : COUNTERPARTS.find(({ compatible }) => node.is(compatible));
  return counterpart ?? (node.is(...BUSES) ? "bus" : "properties");
}

/** Where devices are. */
const SYSTEM_BUS = "\\_SB";

/** Names that the tree of devices has before any is written, so that one can refer to another. */
export function nameDevices(context: Context, nodes: readonly TreeNode[], path: string = SYSTEM_BUS): void {
  for (const node of nodes) {
    const role = roleOf(context, node) as Role;
    const wanted = role === "host"
      ? numbered("PCI", nextNumber(context, "PCI"))
      : role === "bus"
      ? numbered("BUS", nextNumber(context, "BUS"))
      : role === "properties"
      ? segmentOf(node.stem)
      : counterpartName(context, role);
    const segment = context.names.take(wanted, node, context.report);
    context.devices.set(node, `${path}.${segment}`);
    context.report.device(node, `${path}.${segment}`);
    if (role === "bus") nameDevices(context, deviceChildren(context, node), `${path}.${segment}`);
  }
}

function counterpartName(context: Context, { stem, hid }: Counterpart): string {
  const number = nextNumber(context, `name ${hid}`);
  return hid === "QEMU0002" && number === 0 ? "FWCF" : numbered(stem, number);
}

/** Children of a bus that are devices; the others are listed. */
export function deviceChildren(
  { report }: Context,
  bus: TreeNode,
  fixed: ReadonlySet<TreeNode> = new Set(),
): TreeNode[] {
  return bus.children.filter((node) => {
    if (!node.isEnabled || fixed.has(node)) return false;
    const compatible = node.node.get("compatible");
    if (compatible !== undefined && stringsIn(compatible) !== undefined) return true;
    const reason = compatible === undefined
      ? "it has no compatible, and its name means nothing to ACPI"
      : "its compatible is no list of strings";
    report.listAll(node, reason);
    return false;
  });
}

const segmentIn = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

/** DMA of a node sees what CPUs see; inherited from buses. */
export function isCoherent(node: TreeNode): boolean {
  if (node.has("dma-coherent")) return true;
  return !node.has("dma-noncoherent") && node.parent !== undefined && isCoherent(node.parent);
}

/** _CRS of what `reg` and `interrupts` say, and of more. */
function resources(context: Context, node: TreeNode, more: readonly Uint8Array[]): Aml[] {
  const { report } = context, descriptors: Uint8Array[] = [...more];
  const reg = regOf(node);
  if (reg === undefined) report.omit(node, "reg", "a bus above hands its addresses to no processor");
  for (const { base, size } of reg ?? []) {
    if (size === 0n) report.omit(node, "reg", "a range of no bytes is no resource");
    else descriptors.push(memoryDescriptor(base, size));
  }
  for (const interrupt of interruptsOf(context.tree, node)) {
    const descriptor = interruptResource(context, node, interrupt);
    if (descriptor === undefined) {
      report.omit(node, "interrupts", `${interrupt.controller.path} has no interrupts in ACPI`);
    } else descriptors.push(descriptor);
  }
  return descriptors.length === 0 ? [] : [name("_CRS", resourceTemplate(descriptors))];
}

/** A GIC's interrupt, or a GPIO's; undefined for another controller's. */
function interruptResource(
  { report, devices }: Context,
  node: TreeNode,
  interrupt: ReturnType<typeof interruptsOf>[number],
): Uint8Array | undefined {
  const global = globalInterrupt(node, interrupt);
  if (global !== undefined) {
    if (global.both) {
      report.omit(node, "interrupts", "an interrupt cannot be of both edges; it is of rising ones");
    }
    return interruptDescriptor(global.gsi, global);
  }
  const { controller, specifier: [line = 0, flags = 0] } = interrupt, path = devices.get(controller);
  if (path === undefined || !controller.has("gpio-controller") || line > 0xffff) return undefined;
  return gpioDescriptor(path, line, signalling(flags) ?? { edge: false, low: false });
}

const identified = (context: Context, hid: string): Aml[] => [
  name("_HID", string(hid)),
  name("_UID", integer(nextNumber(context, hid))),
];

const coherence = (node: TreeNode): Aml => name("_CCA", integer(isCoherent(node) ? 1 : 0));

/** A device of set 1: by its _HID the driver knows what the tree's properties said. */
function counterpartDevice(context: Context, node: TreeNode, { hid, status, isMaster }: Counterpart): Aml[] {
  const { report } = context;
  for (const { name } of node.node.properties) {
    if (/^(clocks|clock-names|assigned-clock.*|.*-supply|pinctrl-.*|resets|power-domains)$/.test(name)) {
      report.omit(node, name, "under ACPI firmware keeps clocks, supplies and pins as they are");
    }
  }
  for (const child of node.children) report.listAll(child, `${hid} has no devices below it`);
  return [
    ...identified(context, hid),
    ...(status === undefined ? [] : [name("_STA", integer(status))]),
    ...(isMaster || isCoherent(node) ? [coherence(node)] : []),
    ...resources(context, node, []),
  ];
}

/** A device of set 2: by its compatible the driver of the device tree binds, and reads its properties (_DSD). */
function propertyDevice(context: Context, node: TreeNode, path: string): Aml[] {
  const { descriptors, terms } = new PropertyWriter(context, node, path).write();
  return [
    ...identified(context, "PRP0001"),
    coherence(node),
    ...resources(context, node, descriptors),
    ...terms,
  ];
}

function deviceOf(context: Context, node: TreeNode): Aml {
  const path = context.devices.get(node) as string, role = roleOf(context, node) as Role;
  const terms = role === "host" ? hostBridge(context, node, coherence(node)) : role === "bus"
    ? [
      ...identified(context, "ACPI0004"),
      ...deviceChildren(context, node).map((child) => deviceOf(context, child)),
    ]
    : role === "properties"
    ? propertyDevice(context, node, path)
    : counterpartDevice(context, node, role);
  return marked(node.path, device(segmentIn(path), ...terms));
}

/** ACPI0007: a processor, by the _UID of its MADT entry. */
function processorDevices({ processors, report, names }: Context): Aml[] {
  return processors.map(({ node, uid }) => {
    const segment = names.take(numbered("C", uid), node, report);
    report.device(node, `${SYSTEM_BUS}.${segment}`);
    return marked(node.path, device(segment, name("_HID", string("ACPI0007")), name("_UID", integer(uid))));
  });
}

/** The DSDT of the devices that have names, and the CPUs. */
export function dsdt(context: Context, nodes: readonly TreeNode[]): AcpiTable {
  const { tree, report } = context;
  const terms = [...processorDevices(context), ...nodes.map((node) => deviceOf(context, node))];
  const { bytes, marks } = marked(tree.root.path, scope("_SB", ...terms));
  for (const { key, at, size } of marks) report.placeAt(key, "DSDT", HEADER.size + at, size);
  return acpiTable("DSDT", 2, [bytes]);
}
