/**
 * The way back: a device tree of ACPI tables. What a tree says and ACPI has no form for is not in it; of what is in it,
 * `convertDeviceTree` makes the same tables again.
 */
import { cells, type DeviceTree, DeviceTreeNode, EMPTY, strings } from "../../machine/device_tree.ts";
import { devicesBelow } from "./inverse_devices.ts";
import {
  ARM_BOOT_ARCH,
  FADT,
  GTDT,
  HEADER,
  MADT,
  MADT_STRUCTURES,
  PPTT_FLAGS,
  PPTT_NODE,
  SPCR,
  TIMER_FLAGS,
} from "./layouts.ts";
import { namespaceOf } from "./normal_form.ts";
import type { AmlObject } from "./aml_reader.ts";
import type { AcpiTable } from "./table.ts";

/** A tree, and what of the tables is not in it. */
export interface Inverse {
  /** The tree; without memory, which is the EFI memory map's to tell. */
  readonly tree: DeviceTree;
  /** Devices by path that have no node, since their _HID has no compatible. */
  readonly lost: readonly string[];
}

/** A subtable's fields. */
type Fields = Readonly<Partial<Record<string, bigint>>>;

/** What parts of an inversion share. */
export interface InverseContext {
  /** The tables by signature. */
  readonly tables: ReadonlyMap<string, AcpiTable>;
  /** The namespace by path. */
  readonly objects: ReadonlyMap<string, AmlObject>;
  /** Devices without a node so far. */
  readonly lost: string[];
  /** MADT's structures by kind. */
  readonly madt: ReadonlyMap<string, readonly Fields[]>;
  /** The phandle of a thing by a name of ours; made when it is first asked for. */
  phandle(what: string): number;
}

/** A child behind the others. */
export function append(parent: DeviceTreeNode, name: string): DeviceTreeNode {
  const node = new DeviceTreeNode(name);
  parent.children.push(node);
  return node;
}

/** An address of 64 bits as two cells. */
export function wide(...values: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * 8), view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setBigUint64(8 * index, BigInt.asUintN(64, value));
  return bytes;
}

/** Spaces of INTIDs, the highest first, with the first cell of their specifiers. */
const SPACES = [{ first: 4096, kind: 2 }, { first: 1056, kind: 3 }, { first: 32, kind: 0 }, {
  first: 16,
  kind: 1,
}];

/** The specifier of a global system interrupt. */
export function specifier(gsi: number, edge: boolean, low: boolean): number[] {
  const space = SPACES.find(({ first }) => gsi >= first) ?? { first: 0, kind: 0 };
  return [space.kind, gsi - space.first, edge ? low ? 2 : 1 : low ? 8 : 4];
}

const number = (value: bigint | undefined): number => Number(value ?? 0n);

function madtOf(table: AcpiTable | undefined): Map<string, Fields[]> {
  const found = new Map<string, Fields[]>(), bytes = table?.bytes ?? new Uint8Array(0);
  for (
    let at = HEADER.size + MADT.size;
    at + 2 <= bytes.length && bytes[at + 1] !== 0;
    at += bytes[at + 1] as number
  ) {
    const kind = Object.entries(MADT_STRUCTURES).find(([, { fields }]) =>
      Number(fields[0]?.initial) === bytes[at]
    );
    if (kind !== undefined) found.set(kind[0], [...found.get(kind[0]) ?? [], kind[1].decode(bytes, at)]);
  }
  return found;
}

function addCpus(root: DeviceTreeNode, context: InverseContext): void {
  const cpus = context.madt.get("gicc") ?? [], isWide = cpus.some(({ mpidr = 0n }) => mpidr >> 32n !== 0n);
  const node = append(root, "cpus").set("#address-cells", cells(isWide ? 2 : 1)).set("#size-cells", cells(0));
  const { armBootArch = 0n } = decode(context, "FACP", FADT);
  for (const { uid, mpidr = 0n, parkingVersion = 0n } of cpus) {
    const method = parkingVersion > 0n ? "arm,acpi-parking-protocol" : armBootArch > 0n ? "psci" : "";
    const cpu = append(node, `cpu@${mpidr.toString(16)}`).set("device_type", strings("cpu"))
      .set("compatible", strings("arm,armv8")).set("reg", isWide ? wide(mpidr) : cells(Number(mpidr)))
      .set("phandle", cells(context.phandle(`cpu ${uid}`)));
    if (method !== "") cpu.set("enable-method", strings(method));
  }
  addTopology(node, context);
}

function addTopology(cpus: DeviceTreeNode, { tables, phandle }: InverseContext): void {
  const bytes = tables.get("PPTT")?.bytes;
  if (bytes === undefined) return;
  const nodes = new Map<number, DeviceTreeNode>([[0, append(cpus, "cpu-map")]]);
  for (let at = HEADER.size; at + PPTT_NODE.size <= bytes.length; at += bytes[at + 1] || PPTT_NODE.size) {
    const { flags = 0n, parent = 0n, uid } = PPTT_NODE.decode(bytes, at), bits = Number(flags);
    const above = nodes.get(Number(parent)), isCpu = (bits & PPTT_FLAGS.UID_VALID) !== 0;
    if (above === undefined) continue;
    const stem = isCpu
      ? bits & PPTT_FLAGS.THREAD ? "thread" : "core"
      : bits & PPTT_FLAGS.PHYSICAL_PACKAGE
      ? "socket"
      : "cluster";
    const node = append(above, `${stem}${above.children.length}`);
    if (isCpu) node.set("cpu", cells(phandle(`cpu ${uid}`)));
    nodes.set(at, node);
  }
}

/** Sizes of a GIC's frames, which ACPI does not tell. */
const FRAME = 0x1_0000n, ITS_FRAME = 0x2_0000n, MESSAGE_FRAME = 0x1000n;

function addGic(root: DeviceTreeNode, { madt, phandle }: InverseContext): void {
  const [gicd] = madt.get("gicd") ?? [], [cpu] = madt.get("gicc") ?? [];
  const regions = madt.get("gicr") ?? [], base = gicd?.base ?? 0n, isV3 = number(gicd?.version) >= 3;
  const cpuFrames = [cpu?.base ?? 0n, cpu?.gich ?? 0n, cpu?.gicv ?? 0n].filter((frame) => frame !== 0n);
  const reg = [
    base,
    FRAME,
    ...regions.flatMap(({ base = 0n, range = 0n }) => [base, range]),
    ...cpuFrames.flatMap((frame) => [frame, FRAME]),
  ];
  const node = append(root, `intc@${base.toString(16)}`)
    .set("compatible", strings(isV3 ? "arm,gic-v3" : "arm,cortex-a15-gic"))
    .set("reg", wide(...reg)).set("interrupt-controller", EMPTY).set("#interrupt-cells", cells(3))
    .set("#address-cells", cells(2)).set("#size-cells", cells(2)).set("ranges", EMPTY).set(
      "phandle",
      cells(phandle("gic")),
    );
  if (isV3) node.set("#redistributor-regions", cells(regions.length));
  const maintenance = number(cpu?.maintenanceInterrupt);
  if (maintenance > 0) {
    node.set("interrupts", cells(...specifier(maintenance, (number(cpu?.flags) & 4) !== 0, false)));
  }
  for (const { id, base = 0n } of madt.get("its") ?? []) {
    append(node, `its@${base.toString(16)}`).set("compatible", strings("arm,gic-v3-its")).set(
      "msi-controller",
      EMPTY,
    )
      .set("#msi-cells", cells(1)).set("reg", wide(base, ITS_FRAME)).set(
        "phandle",
        cells(phandle(`its ${id}`)),
      );
  }
  for (const { base = 0n, flags, spiBase, spiCount } of madt.get("msiFrame") ?? []) {
    const frame = append(node, `v2m@${base.toString(16)}`).set("compatible", strings("arm,gic-v2m-frame"))
      .set("msi-controller", EMPTY).set("reg", wide(base, MESSAGE_FRAME));
    if (flags === 1n) {
      frame.set("arm,msi-base-spi", cells(number(spiBase))).set("arm,msi-num-spis", cells(number(spiCount)));
    }
  }
  const performance = number(cpu?.performanceInterrupt);
  if (performance > 0) {
    append(root, "pmu").set("compatible", strings("arm,armv8-pmuv3"))
      .set("interrupts", cells(...specifier(performance, (number(cpu?.flags) & 2) !== 0, false)));
  }
}

function decode(
  context: InverseContext,
  signature: string,
  layout: { decode(bytes: Uint8Array, at: number): Fields },
): Fields {
  const table = context.tables.get(signature);
  return table === undefined ? {} : layout.decode(table.bytes, HEADER.size);
}

/** Names of the binding, with the fields. */
const TIMERS = {
  "sec-phys": "secure",
  phys: "physical",
  virt: "virtual",
  "hyp-phys": "hypervisor",
  "hyp-virt": "hypervisorVirtual",
};

function addTimer(root: DeviceTreeNode, context: InverseContext): void {
  if (!context.tables.has("GTDT")) return;
  const gtdt = decode(context, "GTDT", GTDT), names: string[] = [], interrupts: number[] = [];
  for (const [name, field] of Object.entries(TIMERS)) {
    const gsi = number(gtdt[`${field}Interrupt`]), flags = number(gtdt[`${field}Flags`]);
    if (gsi === 0) continue;
    names.push(name);
    interrupts.push(
      ...specifier(gsi, (flags & TIMER_FLAGS.EDGE) !== 0, (flags & TIMER_FLAGS.ACTIVE_LOW) !== 0),
    );
  }
  const node = append(root, "timer").set("compatible", strings("arm,armv8-timer"))
    .set("interrupts", cells(...interrupts)).set("interrupt-names", strings(...names));
  if (number(gtdt.physicalFlags) & TIMER_FLAGS.ALWAYS_ON) node.set("always-on", EMPTY);
}

/** Rates by SPCR's numbers. */
const RATES: Readonly<Record<number, string>> = { 3: ":9600", 4: ":19200", 6: ":57600", 7: ":115200" };

/** The path of the node whose first register is at an address. */
function pathAt(node: DeviceTreeNode, address: bigint, path = ""): string | undefined {
  for (const child of node.children) {
    const reg = child.get("reg"), at = `${path}/${child.name}`;
    if (
      reg !== undefined && reg.length >= 8 &&
      new DataView(reg.buffer, reg.byteOffset).getBigUint64(0) === address
    ) return at;
    const below = pathAt(child, address, at);
    if (below !== undefined) return below;
  }
  return undefined;
}

/** The tree of tables; throws AmlError for a DSDT that is not understood. */
export function invertTables(tables: readonly AcpiTable[]): Inverse {
  const bySignature = new Map(tables.map((table) => [table.signature, table]));
  const dsdt = bySignature.get("DSDT"), phandles = new Map<string, number>(), lost: string[] = [];
  const context: InverseContext = {
    tables: bySignature,
    objects: dsdt === undefined ? new Map() : namespaceOf(dsdt),
    lost,
    madt: madtOf(bySignature.get("APIC")),
    phandle(what) {
      const known = phandles.get(what) ?? phandles.size + 1;
      phandles.set(what, known);
      return known;
    },
  };
  const root = new DeviceTreeNode("").set("#address-cells", cells(2)).set("#size-cells", cells(2))
    .set("interrupt-parent", cells(context.phandle("gic"))).set("compatible", strings("acpi,tables"));
  addCpus(root, context);
  addGic(root, context);
  addTimer(root, context);
  const boot = number(decode(context, "FACP", FADT).armBootArch);
  if (boot & ARM_BOOT_ARCH.PSCI_COMPLIANT) {
    append(root, "psci").set("compatible", strings("arm,psci-1.0", "arm,psci-0.2"))
      .set("method", strings(boot & ARM_BOOT_ARCH.PSCI_USE_HVC ? "hvc" : "smc"));
  }
  devicesBelow(root, "\\_SB_", context);
  const spcr = decode(context, "SPCR", SPCR), chosen = append(root, "chosen");
  const console = spcr.register === undefined ? undefined : pathAt(root, spcr.register);
  if (console !== undefined) {
    chosen.set("stdout-path", strings(console + (RATES[number(spcr.baudRate)] ?? "")));
  }
  return { tree: { root, reservations: [], bootCpu: 0 }, lost };
}
