/** CPUs: MADT (with the GIC), FADT's boot architecture, GTDT, PPTT. */
import { type Context, enabledNodes, type Processor } from "./context.ts";
import { gicVersion, globalInterrupt, interruptsOf } from "./interrupts.ts";
import {
  ARM_BOOT_ARCH,
  FADT,
  FADT_FLAGS,
  GICC_FLAGS,
  GTDT,
  HEADER,
  MADT,
  MADT_STRUCTURES,
  MSI_SPI_SELECT,
  PPTT_FLAGS,
  PPTT_NODE,
  TIMER_FLAGS,
} from "./layouts.ts";
import type { Report } from "./report.ts";
import { type AcpiTable, acpiTable } from "./table.ts";
import { regOf, type Tree, type TreeNode, wideCell } from "./tree.ts";

/** Affinity fields of MPIDR_EL1. */
const AFFINITY = 0xff_00ff_ffffn;

/** The CPUs of a tree; refuses two with one MPIDR, and an MPIDR with more than affinities. */
export function processorsOf(tree: Tree, report: Report): Processor[] {
  const node = tree.at("/cpus"), found: Processor[] = [];
  if (node === undefined) return tree.root.refuse("there are no /cpus");
  for (const cpu of node.children.filter((child) => child.strings("device_type")[0] === "cpu")) {
    if (!cpu.isEnabled) continue;
    const mpidr = wideCell(cpu, cpu.cells("reg"), "its MPIDR");
    if ((mpidr & ~AFFINITY) !== 0n || !cpu.has("reg")) {
      cpu.refuse(`its reg 0x${mpidr.toString(16)} has no affinities of an MPIDR`);
    }
    const other = found.find((processor) => processor.mpidr === mpidr);
    if (other !== undefined) {
      cpu.refuse(`its MPIDR 0x${mpidr.toString(16)} is that of ${other.node.path} too`);
    }
    found.push({ node: cpu, mpidr, uid: found.length });
  }
  if (found.length === 0) node.refuse("there is no CPU to be used");
  for (const child of node.children) {
    if (child.strings("device_type")[0] !== "cpu" && child.stem !== "cpu-map") {
      report.listAll(child, "caches and idle states of CPUs are left to PSCI and the CPU's own registers");
    }
  }
  return found;
}

/** The one interrupt controller that the MADT describes. */
export function gicOf(tree: Tree): TreeNode {
  const [gic, other] = tree.nodes.filter((node) => node.isEnabled && gicVersion(node) !== undefined);
  if (gic === undefined) return tree.root.refuse("there is no GIC, without which ACPI has no interrupts");
  if (other !== undefined) other.refuse(`ACPI has one GIC distributor, and there is ${gic.path}`);
  return gic;
}

/** Parts of a table, each with the node that it comes from. */
export class Parts {
  /** The parts. */
  readonly bytes: Uint8Array[] = [];
  readonly #places: { readonly node: TreeNode; readonly at: number; readonly size: number }[] = [];
  /** Bytes of all parts. */
  size = 0;

  /** Adds a part; returns its offset from the table's contents. */
  add(part: Uint8Array, ...nodes: readonly (TreeNode | undefined)[]): number {
    const at = this.size;
    for (const node of nodes) if (node !== undefined) this.#places.push({ node, at, size: part.length });
    this.bytes.push(part);
    this.size += part.length;
    return at;
  }

  /** The table of the parts. */
  table(signature: string, revision: number, report: Report): AcpiTable {
    for (const { node, at, size } of this.#places) report.place(node, signature, HEADER.size + at, size);
    return acpiTable(signature, revision, this.bytes);
  }
}

/** Interrupts of a performance monitor, by CPU where it names them. */
function performanceInterrupt(context: Context): { node: TreeNode; gsi: number; edge: boolean } | undefined {
  const node = context.tree.nodes.find((node) =>
    node.isEnabled && node.compatible.some((text) => /^arm,.*-pmu(v3)?$/.test(text))
  );
  if (node === undefined) return undefined;
  const [first] = interruptsOf(context.tree, node);
  const interrupt = first && globalInterrupt(node, first);
  if (interrupt !== undefined) return { node, ...interrupt };
  context.report.list(node, "it has no interrupt of the GIC");
  return undefined;
}

const PPI_LIMIT = 32;

/** The GIC's frames, in the order of `reg`. */
function gicFrames({ gic }: Context) {
  const reg = regOf(gic);
  if (reg === undefined || reg[0] === undefined) return gic.refuse("it has no address");
  const base = (index: number) => reg[index]?.base ?? 0n;
  if (gicVersion(gic) === 2) {
    return { gicd: reg[0], gicc: base(1), gich: base(2), gicv: base(3), redistributors: [] };
  }
  const count = gic.cell("#redistributor-regions") ?? 1, after = 1 + count;
  const redistributors = reg.slice(1, after);
  if (redistributors.length < count || count === 0) {
    gic.refuse("it has fewer redistributor regions than it says");
  }
  return { gicd: reg[0], gicc: base(after), gich: base(after + 1), gicv: base(after + 2), redistributors };
}

/** MADT: distributor, CPU interfaces, redistributors, ITSs or MSI frames. */
export function madt(context: Context): AcpiTable {
  const { gic, tree, report, processors, options: { parking } } = context;
  const { gicd, gicc, gich, gicv, redistributors } = gicFrames(context), parts = new Parts();
  const version = gicVersion(gic) as 2 | 3, pmu = performanceInterrupt(context);
  if (pmu !== undefined && pmu.gsi >= PPI_LIMIT && processors.length > 1) {
    report.list(pmu.node, "its interrupt is one SPI for all CPUs");
  }
  const [maintenance] = interruptsOf(tree, gic).map((interrupt) => globalInterrupt(gic, interrupt));
  parts.add(MADT.encode(), tree.at("/cpus"));
  parts.add(MADT_STRUCTURES.gicd.encode({ base: gicd.base, version }), gic);
  for (const { node, mpidr, uid } of processors) {
    const flags = GICC_FLAGS.ENABLED | (pmu?.edge ? GICC_FLAGS.PERFORMANCE_EDGE : 0) |
      (maintenance?.edge ? GICC_FLAGS.MAINTENANCE_EDGE : 0);
    const values = {
      interface: uid,
      uid,
      flags,
      performanceInterrupt: pmu?.gsi ?? 0,
      base: gicc,
      gicv,
      gich,
      maintenanceInterrupt: maintenance?.gsi ?? 0,
      mpidr,
      parkingVersion: parking?.version ?? 0,
      parkedAddress: parking?.mailboxes[uid] ?? 0,
    };
    parts.add(MADT_STRUCTURES.gicc.encode(values), node, gic, pmu?.node);
  }
  if (pmu !== undefined) {
    report.list(pmu.node, "a field of each CPU's entry; the CPU's driver binds to ACPI0007");
  }
  for (const { base, size } of redistributors) {
    if (size >> 32n !== 0n) gic.refuse("a redistributor region has 4 GiB or more");
    parts.add(MADT_STRUCTURES.gicr.encode({ base, range: size }), gic);
  }
  for (const property of ["redistributor-stride", "dma-noncoherent"]) {
    if (gic.has(property)) report.omit(gic, property, "MADT has no field for it");
  }
  messageEntries(context, parts);
  return parts.table("APIC", 5, report);
}

/** ITSs of a context, in the order of their translation IDs. */
export function translators(context: Context): TreeNode[] {
  return enabledNodes(context, "arm,gic-v3-its");
}

function messageEntries(context: Context, parts: Parts): void {
  for (const [id, node] of translators(context).entries()) {
    const frame = regOf(node)?.[0] ?? node.refuse("it has no address");
    parts.add(MADT_STRUCTURES.its.encode({ id, base: frame.base }), node);
  }
  for (const [id, node] of enabledNodes(context, "arm,gic-v2m-frame").entries()) {
    const frame = regOf(node)?.[0] ?? node.refuse("it has no address");
    const spiBase = node.cell("arm,msi-base-spi"), spiCount = node.cell("arm,msi-num-spis");
    const isGiven = spiBase !== undefined && spiCount !== undefined;
    const override = isGiven ? { flags: MSI_SPI_SELECT, spiBase, spiCount } : {};
    parts.add(MADT_STRUCTURES.msiFrame.encode({ id, base: frame.base, ...override }), node);
  }
}

/** FADT: hardware-reduced ACPI, and PSCI. */
export function fadt(context: Context): AcpiTable {
  const { report, options: { parking, isHeadless } } = context, parts = new Parts();
  const psci = context.tree.nodes.find((node) =>
    node.isEnabled && node.compatible.some((text) => text.startsWith("arm,psci"))
  );
  const boot = parking !== undefined || psci === undefined ? 0 : bootArchitecture(psci, report);
  if (psci !== undefined && parking !== undefined) report.list(psci, "CPUs are started by mailboxes");
  const contents = FADT.encode({
    flags: FADT_FLAGS.HW_REDUCED | (isHeadless === true ? FADT_FLAGS.HEADLESS : 0),
    minorRevision: 3,
    armBootArch: boot,
  });
  parts.add(contents);
  if (psci !== undefined && boot !== 0) {
    report.place(psci, "FACP", HEADER.size + FADT.offset("armBootArch"), 2);
    for (const name of ["cpu_suspend", "cpu_off", "cpu_on", "migrate"]) {
      if (psci.has(name)) report.omit(psci, name, "PSCI 0.2 and later have fixed function identifiers");
    }
  }
  return parts.table("FACP", 6, report);
}

function bootArchitecture(psci: TreeNode, report: Report): number {
  if (!psci.compatible.some((text) => /^arm,psci-(0\.2|1\.\d+)$/.test(text))) {
    report.list(psci, "ACPI knows PSCI from version 0.2 on");
    return 0;
  }
  const [method] = psci.strings("method");
  if (method !== "hvc" && method !== "smc") {
    psci.refuse(`its method is ${JSON.stringify(method ?? "")}, not hvc or smc`);
  }
  return ARM_BOOT_ARCH.PSCI_COMPLIANT | (method === "hvc" ? ARM_BOOT_ARCH.PSCI_USE_HVC : 0);
}

/** The timers of the binding, in its order, with their names and fields. */
const TIMERS = [
  ["sec-phys", "secure"],
  ["phys", "physical"],
  ["virt", "virtual"],
  ["hyp-phys", "hypervisor"],
  ["hyp-virt", "hypervisorVirtual"],
] as const;

/** GTDT; undefined when the tree has no generic timer. */
export function gtdt(context: Context): AcpiTable | undefined {
  const [timer] = enabledNodes(context, "arm,armv8-timer"), { tree, report } = context, parts = new Parts();
  if (timer === undefined) return undefined;
  const interrupts = interruptsOf(tree, timer), names = timer.strings("interrupt-names");
  const alwaysOn = timer.has("always-on") ? TIMER_FLAGS.ALWAYS_ON : 0;
  const values: Record<string, number> = {};
  for (const [index, [name, field]] of TIMERS.entries()) {
    const interrupt = interrupts[names.length > 0 ? names.indexOf(name) : index];
    const global = interrupt && globalInterrupt(timer, interrupt);
    if (global === undefined) continue;
    values[`${field}Interrupt`] = global.gsi;
    values[`${field}Flags`] = alwaysOn | (global.edge ? TIMER_FLAGS.EDGE : 0) |
      (global.low ? TIMER_FLAGS.ACTIVE_LOW : 0);
  }
  for (const property of ["clock-frequency", "arm,no-tick-in-suspend", "allwinner,erratum-unknown1"]) {
    if (timer.has(property)) report.omit(timer, property, "GTDT has no field for it");
  }
  parts.add(GTDT.encode(values), timer);
  return parts.table("GTDT", 3, report);
}

/** PPTT of `cpu-map`; undefined without one: MPIDRs tell the topology then. */
export function pptt(context: Context): AcpiTable | undefined {
  const { tree, report, processors } = context, map = tree.at("/cpus/cpu-map"), parts = new Parts();
  if (map === undefined) return undefined;
  const add = (
    node: TreeNode,
    flags: number,
    parent: number,
    uid = 0,
    ...others: readonly TreeNode[]
  ): number => HEADER.size + parts.add(PPTT_NODE.encode({ flags, parent, uid }), node, ...others);
  const leaf = (node: TreeNode, parent: number, thread: number): void => {
    const [phandle] = node.cells("cpu"), cpu = phandle === undefined ? undefined : tree.withPhandle(phandle);
    const processor = processors.find((one) => one.node === cpu);
    if (processor === undefined) report.list(node, "it names no CPU that is to be used");
    else add(node, PPTT_FLAGS.LEAF | PPTT_FLAGS.UID_VALID | thread, parent, processor.uid, processor.node);
  };
  const below = (node: TreeNode, parent: number): void => {
    for (const child of node.children) {
      if (child.has("cpu")) leaf(child, parent, child.stem.startsWith("thread") ? PPTT_FLAGS.THREAD : 0);
      else {below(
          child,
          add(child, child.stem.startsWith("socket") ? PPTT_FLAGS.PHYSICAL_PACKAGE : 0, parent),
        );}
    }
  };
  const hasSockets = map.children.some((child) => child.stem.startsWith("socket"));
  if (hasSockets) report.list(map, "its sockets are in PPTT");
  below(map, hasSockets ? 0 : add(map, PPTT_FLAGS.PHYSICAL_PACKAGE, 0));
  return parts.table("PPTT", 2, report);
}
