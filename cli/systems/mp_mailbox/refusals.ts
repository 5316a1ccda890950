/** Tables that the loader must not act on: it says why, starts nobody, touches nothing, and enters the kernel with one CPU. */
import { kernelDeviceTree } from "../../../firmware/loader/kernel_boot.ts";
import { MAILBOX_PREFIX } from "../../../firmware/mp_mailbox/loader.ts";
import { singleDeviceTree } from "../../../firmware/mp_mailbox/patch_device_tree.ts";
import { WOKEN } from "../../../firmware/mp_mailbox/wake_kernel.ts";
import { acpiTable, type PlacedTables, seal } from "../../../firmware/acpi/table.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import {
  cells,
  type DeviceTree,
  type DeviceTreeNode,
  strings,
  writeDeviceTree,
} from "../../../machine/device_tree.ts";
import { parseDeviceTree } from "../../../machine/device_tree_reader.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { FUNCTION } from "../../../machine/psci.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { firstDifference, handOverOf } from "./hand_over.ts";
import { type Kind, TABLES_AT } from "./machines.ts";
import { recordWake, TABLES_SIZE } from "./small.ts";
import { type SmallAcpi, smallAcpi, type SmallAcpiOptions } from "./small_acpi.ts";

/** A tree that is not as it should be. */
interface BadTree {
  readonly name: string;
  /** What the loader says. */
  readonly says: string;
  /** Changes the tree. */
  readonly edit?: (tree: DeviceTree) => void;
  /** Changes its bytes; then nobody can make a copy of it. */
  readonly damage?: (bytes: Uint8Array) => void;
}

/** Tables of ACPI that are not as they should be. */
interface BadAcpi {
  readonly name: string;
  readonly says: string;
  readonly options?: SmallAcpiOptions;
  readonly edit?: (placed: PlacedTables) => PlacedTables;
  readonly more?: Partial<SmallAcpi>;
  /** Tables in place of the machine's. */
  readonly tables?: (acpi: SmallAcpi) => SmallAcpi["tables"];
}

const cpuNode = ({ root }: DeviceTree, number: number): DeviceTreeNode =>
  root.child("cpus")!.child(`cpu@${number}`)!;
const word = (bytes: Uint8Array, at: number, value: number): void =>
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value);
const wordAt = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);

// deno-fmt-ignore
const BAD_TREES: readonly BadTree[] = [
  { name: "magic",        says: "the device tree's header is damaged",         damage: (bytes) => word(bytes, 0, 0xd00dfeee) },
  { name: "version",      says: "the device tree's header is damaged",         damage: (bytes) => word(bytes, 20, 16) },
  { name: "size",         says: "the device tree's header is damaged",         damage: (bytes) => word(bytes, 4, 0x40_0000) },
  { name: "structure",    says: "the device tree's blocks lie outside it",     damage: (bytes) => word(bytes, 36, wordAt(bytes, 4)) },
  { name: "strings",      says: "the device tree's blocks lie outside it",     damage: (bytes) => word(bytes, 12, wordAt(bytes, 4)) },
  { name: "reservations", says: "the device tree's blocks lie outside it",     damage: (bytes) => word(bytes, 16, wordAt(bytes, 4) - 8 & ~7) },
  { name: "last name",    says: "the device tree's blocks lie outside it",     damage: (bytes) => bytes.fill(0x61, wordAt(bytes, 12), wordAt(bytes, 12) + wordAt(bytes, 32)) },
  { name: "token",        says: "the device tree's tokens are damaged",        damage: (bytes) => word(bytes, wordAt(bytes, 8) + 8, 7) },
  { name: "property",     says: "the device tree's tokens are damaged",        damage: (bytes) => word(bytes, wordAt(bytes, 8) + 12, 0x7fff_ffff) },
  { name: "end",          says: "the device tree's tokens are damaged",        damage: (bytes) => word(bytes, wordAt(bytes, 8) + wordAt(bytes, 36) - 4, 4) },
  { name: "cells",        says: "the device tree has addresses of another size", edit: ({ root }) => void root.set("#address-cells", cells(1)) },
  { name: "protocol",     says: "a CPU is enabled by an unknown protocol",     edit: (tree) => void cpuNode(tree, 2).set("enable-method", strings("vendor,other")) },
  { name: "spin-table",   says: "a CPU is enabled by an unknown protocol",     edit: (tree) => void cpuNode(tree, 1).set("enable-method", strings("spin-table")) },
  { name: "conduit",      says: "PSCI has an unknown conduit",                 edit: ({ root }) => void root.child("psci")!.set("method", strings("svc")) },
  { name: "no PSCI",      says: "PSCI has an unknown conduit",                 edit: ({ root }) => root.remove(({ name }) => name === "psci") },
  { name: "silent PSCI",  says: "PSCI does not answer",                        edit: ({ root }) => void root.child("psci")!.set("method", strings("smc")) },
  { name: "twice",        says: "two CPUs have one number",                    edit: (tree) => void cpuNode(tree, 2).set("reg", cells(1)) },
  { name: "no number",    says: "a CPU has no number",                         edit: (tree) => void cpuNode(tree, 2).set("reg", cells(0, 0, 2)) },
  { name: "another boot CPU", says: "the CPU that runs is not described",      edit: (tree) => void cpuNode(tree, 0).set("reg", cells(9)) },
  { name: "too many",     says: "there are too many CPUs",                     edit: ({ root }) => { for (let cpu = 3; cpu < 20; cpu++) root.child("cpus")!.add(`cpu@${cpu}`).set("device_type", strings("cpu")).set("enable-method", strings("psci")).set("reg", cells(cpu)); } },
  { name: "no GIC",       says: "there is no interrupt controller that is known", edit: ({ root }) => root.remove(({ name }) => name.startsWith("intc")) },
];

/** A change of a byte of a placed table, or of the RSDP without a signature. */
const flipped =
  (signature: string | undefined, at: number, isSealed = false) => (placed: PlacedTables): PlacedTables => {
    const bytes = Uint8Array.from(placed.bytes);
    const table = placed.tables.find((one) => one.signature === signature);
    const start = table === undefined ? 0 : table.address - placed.rsdp;
    bytes[start + at]! ^= 0xff;
    if (isSealed && table !== undefined) seal(bytes.subarray(start, start + table.bytes.length));
    return { ...placed, bytes };
  };

/** The offset of the first GICC's second entry's length in a MADT with a GICD before. */
const GICC_LENGTH_AT = 44 + 24 + 1;
/** The offset of an XSDT's first pointer's third byte: another place, in no memory. */
const POINTER_AT = 36 + 3;

// deno-fmt-ignore
const BAD_ACPI: readonly BadAcpi[] = [
  { name: "RSDP's signature", says: "a table of ACPI has another signature",    edit: flipped(undefined, 0) },
  { name: "RSDP's sum",       says: "a table of ACPI has a wrong checksum",     edit: flipped(undefined, 9) },
  { name: "XSDT's sum",       says: "a table of ACPI has a wrong checksum",     edit: flipped("XSDT", 10) },
  { name: "FADT's sum",       says: "a table of ACPI has a wrong checksum",     edit: flipped("FACP", 100) },
  { name: "MADT's sum",       says: "a table of ACPI has a wrong checksum",     edit: flipped("APIC", 44 + 24 + 70) },
  { name: "MADT's length",    says: "a table of ACPI has a wrong length",       edit: flipped("APIC", 6) },
  { name: "MADT's entries",   says: "the MADT's entries are damaged",           edit: flipped("APIC", GICC_LENGTH_AT, true) },
  { name: "a wild pointer",   says: "a table lies outside memory",              edit: flipped("XSDT", POINTER_AT, true) },
  { name: "no FADT",          says: "there is no FADT or no MADT",              edit: flipped("FACP", 0) },
  { name: "no PSCI",          says: "a CPU is enabled by an unknown protocol",  options: { armBootArch: 0 } },
  { name: "a short FADT",     says: "a table of ACPI has a wrong length",       tables: ({ tables }) => tables.map((table) => table.signature === "FACP" ? acpiTable("FACP", 4, [table.bytes.subarray(36, 120)]) : table) },
  { name: "twice",            says: "two CPUs have one number",                 options: { cpus: [{ mpidr: 0 }, { mpidr: 1 }, { mpidr: 1, id: 2 }] } },
  { name: "another boot CPU", says: "the CPU that runs is not described",       options: { cpus: [{ mpidr: 1 }, { mpidr: 2 }] } },
  { name: "another GIC",      says: "there is no interrupt controller that is known", options: { gicVersion: 4 } },
  { name: "wrong conduit",    says: "PSCI does not answer",                     options: { armBootArch: 1 } },
  { name: "no reservation",   says: "the mailboxes are not in reserved memory", more: { isUnreserved: true } },
];

/** The board's tree of a kind of machine. */
export function boardTree({ gic, level, cpus }: Omit<Kind, "by">): Uint8Array<ArrayBuffer> {
  const configuration = parseConfiguration({
    gicVersion: gic,
    virtualization: level === 2,
    cpus,
    memoryMiB: 16,
  });
  return kernelDeviceTree({ configuration, append: "quiet", initrd: { base: 0x4800_0000, size: 0 } });
}

/** A tree with something wrong. */
function badTree(kind: Kind, { edit, damage }: BadTree): Uint8Array {
  const tree = parseDeviceTree(boardTree(kind), "a tree");
  edit?.(tree);
  const bytes = writeDeviceTree(tree);
  damage?.(bytes);
  return bytes;
}

/** One machine: what it says, that nobody was started and nothing touched, and the same on QEMU. */
async function refuse(
  context: CheckContext,
  kind: Kind,
  { name, says }: BadTree | BadAcpi,
  more: { readonly tree?: Uint8Array; readonly acpi?: SmallAcpi; readonly isDamaged?: boolean },
): Promise<string[]> {
  const failures: string[] = [], fail = (text: string) => failures.push(`${kind.by}, ${name}: ${text}`);
  const run = await recordWake(context, kind, { ...more, coming: [], actions: [] }),
    { recorded, machine } = run;
  const line = `${MAILBOX_PREFIX}one CPU only: ${says}\r\n`;
  if (recorded.console !== `${line}${WOKEN}\r\n`) fail(`it says ${JSON.stringify(recorded.console)}`);
  for (const event of eventStream(recorded.run, recorded.images, { classes: ["trap", "detail"] })) {
    if (event.kind === "cpuStarted") fail(`CPU ${event.cpu} was started`);
    if (event.kind === "firmwareCalled" && event.function === FUNCTION.CPU_ON_64) fail("CPU_ON was called");
  }
  const range = { base: TABLES_AT, size: TABLES_SIZE };
  const found = handOverOf(recorded, machine.loader, range, context.machineOptions());
  if (found === undefined) fail("the loader never leaves");
  else {
    const expected = more.isDamaged === true ? found.treeBefore : singleDeviceTree(found.treeBefore);
    if (firstDifference(found.after, found.before) !== undefined) fail("it changed ACPI's tables");
    if (firstDifference(found.treeAfter, found.treeBefore) !== undefined) fail("it changed the tree");
    if (firstDifference(found.tree, expected) !== undefined) fail("the kernel gets another tree");
  }
  await context.breathe();
  if (!context.all) return failures;
  const qemu = await context.qemu({ options: machine.options, files: machine.files });
  if (qemu.console !== recorded.console) fail(`on QEMU it says ${JSON.stringify(qemu.console)}`);
  return failures;
}

/** Bad trees. */
export async function badTrees(context: CheckContext, kind: Kind): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const [index, bad] of BAD_TREES.entries()) {
    context.progress("trees", index, BAD_TREES.length);
    failures.push(
      ...await refuse(context, kind, bad, { tree: badTree(kind, bad), isDamaged: bad.damage !== undefined }),
    );
  }
  return { failures, figures: { trees: BAD_TREES.length } };
}

/** Bad tables of ACPI. */
export async function badAcpi(context: CheckContext, kind: Kind): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const [index, bad] of BAD_ACPI.entries()) {
    context.progress("tables", index, BAD_ACPI.length);
    const acpi = smallAcpi(kind, bad.options), { edit, more, tables } = bad;
    const made = { ...acpi, ...tables && { tables: tables(acpi) }, ...edit && { edit }, ...more };
    failures.push(...await refuse(context, kind, bad, { acpi: made }));
  }
  return { failures, figures: { tables: BAD_ACPI.length } };
}
