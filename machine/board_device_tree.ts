/** The device tree of a board, generated from its table; and what a boot adds to that tree or to a user's. */
import { createHash } from "node:crypto";
import {
  type Board,
  type BoardKind,
  type BoardRow,
  boardRow,
  POWER_KEY_LINE,
  PPI,
  RAM_BASE,
  SECURE_GPIO_LINES,
} from "./board.ts";
import type { AddressRange } from "./boot_images.ts";
import { cells, type DeviceTree, DeviceTreeNode, EMPTY, sizedCells, strings } from "./device_tree.ts";
import type { GuestModule } from "./configuration.ts";
import { ConfigurationError } from "./errors.ts";
import { releaseAddress, SPIN_TABLE_RESERVATION } from "./spin_table.ts";
import { FUNCTION, type PsciConduit } from "./psci.ts";

// Interrupt specifiers of the GIC binding.
const SHARED = 0;
const PRIVATE = 1;
const EDGE_RISING = 1;
const LEVEL_HIGH = 4;

/** First phandle, as QEMU numbers them; the clock, CPUs from the last to the first, the interrupt controller. */
const CLOCK_PHANDLE = 0x8000;

const ADDRESS_CELLS = 2;

interface Generation {
  readonly board: Board;
  readonly root: DeviceTreeNode;
  readonly chosen: DeviceTreeNode;
  /** Absent when there is no Secure world. */
  readonly secureChosen: DeviceTreeNode | undefined;
}

/** `<type number flags>` of a private interrupt; of a GICv2 the flags have the mask of CPUs that have it. */
function privateInterrupt({ configuration: { cpus, gicVersion } }: Board, number: number): number[] {
  const mask = gicVersion === 2 ? (2 ** cpus - 1) << 8 : 0;
  return [PRIVATE, number, mask | LEVEL_HIGH];
}

function reg(...rows: readonly BoardRow[]): Uint8Array {
  return sizedCells(ADDRESS_CELLS, ...rows.flatMap(({ base, size }) => [base, size]));
}

function nodeFor(root: DeviceTreeNode, name: string, { base }: BoardRow): DeviceTreeNode {
  return root.add(`${name}@${base.toString(16)}`);
}

/** Marks what only the Secure world sees. */
function secured(node: DeviceTreeNode, { secureOnly }: BoardRow): DeviceTreeNode {
  if (secureOnly) node.set("status", strings("disabled")).set("secure-status", strings("okay"));
  return node;
}

/** An Arm PrimeCell behind the 24 MHz clock. */
function primeCell(
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

function cpuPhandle({ configuration: { cpus } }: Board, index: number): number {
  return CLOCK_PHANDLE + cpus - index;
}

/** CPUs and their topology: one socket with one cluster. */
function addCpus({ board, root }: Generation, usesPsci: boolean): void {
  const { cpus } = board.configuration;
  const node = root.add("cpus").set("#address-cells", cells(1)).set("#size-cells", cells(0));
  for (let index = cpus - 1; index >= 0; index--) {
    const cpu = node.add(`cpu@${index.toString(16)}`)
      .set("device_type", strings("cpu"))
      .set("compatible", strings("arm,cortex-a57")); // that of max too, as in QEMU 7.2
    if (board.configuration.enableMethod === "spin-table") {
      cpu.set("enable-method", strings("spin-table"));
      cpu.set("cpu-release-addr", sizedCells(ADDRESS_CELLS, releaseAddress(index)));
    } else if (usesPsci && cpus > 1) cpu.set("enable-method", strings("psci"));
    cpu.set("reg", cells(index)).set("phandle", cells(cpuPhandle(board, index)));
  }
  const cluster = node.add("cpu-map").add("socket0").add("cluster0");
  for (let index = cpus - 1; index >= 0; index--) {
    cluster.add(`core${index}`).set("cpu", cells(cpuPhandle(board, index)));
  }
}

function addFlash({ root }: Generation, rows: readonly BoardRow[]): void {
  const groups = rows.some(({ secureOnly }) => secureOnly) ? rows.map((row) => [row]) : [rows];
  for (const group of groups) {
    const first = group[0] as BoardRow;
    const node = nodeFor(root, first.secureOnly ? "secflash" : "flash", first)
      .set("compatible", strings("cfi-flash"))
      .set("reg", reg(...group))
      .set("bank-width", cells(4));
    secured(node, first);
  }
}

function addInterruptController({ board, root }: Generation, rows: readonly BoardRow[]): void {
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

/** Number after the interrupt controller's. */
function messagePhandle(board: Board): number {
  return cpuPhandle(board, 0) + 2;
}

/** What takes messages is a child of the interrupt controller. */
function messageController({ root }: Generation, name: string, row: BoardRow): DeviceTreeNode {
  const controller = root.children.find((node) => node.name.startsWith("intc@")) as DeviceTreeNode;
  return nodeFor(controller, name, row);
}

function addMessageFrame(generation: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows) {
    messageController(generation, "v2m", row)
      .set("compatible", strings("arm,gic-v2m-frame"))
      .set("msi-controller", EMPTY)
      .set("reg", reg(row))
      .set("phandle", cells(messagePhandle(generation.board)));
  }
}

function addInterruptTranslation(generation: Generation, rows: readonly BoardRow[]): void {
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

function addPcie(generation: Generation, rows: readonly BoardRow[]): void {
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
  if (board.rows.some(({ kind }) => MESSAGE_KINDS.has(kind))) {
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

/** Numbers, each in its own count of cells. */
function mixedCells(...values: readonly [value: number, count: number][]): Uint8Array {
  return new Uint8Array(values.flatMap(([value, count]) => [...sizedCells(count, value)]));
}

/** RAM is described last, by `describeBoot`, since that also does it for a user's tree. */
function addMemory({ root }: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows.filter(({ secureOnly }) => secureOnly)) {
    secured(nodeFor(root, "secram", row).set("device_type", strings("memory")).set("reg", reg(row)), row);
  }
}

function addUarts({ root, chosen, secureChosen }: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows) {
    const node = primeCell(root, row, "pl011", ["uartclk", "apb_pclk"]);
    (row.secureOnly ? secureChosen : chosen)?.set("stdout-path", strings(`/${node.name}`));
  }
}

function addRealTimeClock({ root }: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows) primeCell(root, row, "pl031", ["apb_pclk"]);
}

/** KEY_POWER of Linux's input events. */
const KEY_POWER = 116;
/** Active high. */
const GPIO_FLAGS = 0;

/** A line of the board's GPIO controller: as the property `gpios`. */
function gpioLine(phandle: number, line: number): Uint8Array {
  return cells(phandle, line, GPIO_FLAGS);
}

/** GPIO controllers, numbered after what takes messages; the power key, and what Secure software turns off with. */
function addGpios({ board, root }: Generation, rows: readonly BoardRow[]): void {
  const hasMessages = board.rows.some(({ kind }) => MESSAGE_KINDS.has(kind));
  const first = messagePhandle(board) + (hasMessages ? 1 : 0);
  for (const [index, row] of rows.entries()) {
    const phandle = first + index;
    const node = nodeFor(root, "pl061", row)
      .set("reg", reg(row))
      .set("compatible", strings("arm,pl061", "arm,primecell"))
      .set("#gpio-cells", cells(2))
      .set("gpio-controller", EMPTY)
      .set("interrupts", cells(SHARED, row.spi ?? 0, LEVEL_HIGH))
      .set("clocks", cells(CLOCK_PHANDLE))
      .set("clock-names", strings("apb_pclk"))
      .set("phandle", cells(phandle));
    secured(node, row);
    if (row.secureOnly) {
      for (const [name, line] of Object.entries(SECURE_GPIO_LINES)) {
        const user = root.add(name).set("compatible", strings(name)).set("gpios", gpioLine(phandle, line));
        secured(user, row);
      }
    } else {
      root.add("gpio-keys").set("compatible", strings("gpio-keys")).add("poweroff")
        .set("label", strings("GPIO Key Poweroff"))
        .set("linux,code", cells(KEY_POWER))
        .set("gpios", gpioLine(phandle, POWER_KEY_LINE));
    }
  }
}

/** Devices see what CPUs see, unless a strict model has a data cache in between. */
function describeDma({ board }: Generation, node: DeviceTreeNode): void {
  if (!board.configuration.strictModels.includes("dcache")) node.set("dma-coherent", EMPTY);
}

/** Last to first, so that they stand in the order of their addresses. */
function addVirtioTransports(generation: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows.toReversed()) {
    const node = nodeFor(generation.root, "virtio_mmio", row)
      .set("compatible", strings("virtio,mmio"))
      .set("reg", reg(row))
      .set("interrupts", cells(SHARED, row.spi ?? 0, EDGE_RISING));
    describeDma(generation, node);
  }
}

function addFirmwareConfiguration(generation: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows) {
    const node = nodeFor(generation.root, "fw-cfg", row)
      .set("compatible", strings("qemu,fw-cfg-mmio"))
      .set("reg", reg(row));
    describeDma(generation, node);
  }
}

/** What each kind of row becomes in the tree. */
// deno-fmt-ignore
const DESCRIPTIONS: Readonly<Record<BoardKind, (generation: Generation, rows: readonly BoardRow[]) => void>> = {
  flash:                 addFlash,
  interruptController:   addInterruptController,
  memory:                addMemory,
  uart:                  addUarts,
  realTimeClock:         addRealTimeClock,
  messageFrame:          addMessageFrame,
  interruptTranslation:  addInterruptTranslation,
  pcie:                  addPcie,
  gpio:                  addGpios,
  virtioTransport:       addVirtioTransports,
  firmwareConfiguration: addFirmwareConfiguration,
};

/** Neighbours of one kind together, since banks of flash and frames of one controller share a node. */
function runsOfKind(rows: readonly BoardRow[]): BoardRow[][] {
  const runs: BoardRow[][] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last?.[0]?.kind === row.kind) last.push(row);
    else runs.push([row]);
  }
  return runs;
}

/** Bytes of a random-looking property, from the configuration's seed. */
function seedBytes({ configuration: { seed } }: Board, purpose: string, count: number): Uint8Array {
  const digest = createHash("sha256").update(`device tree ${purpose} ${seed}`).digest();
  return new Uint8Array(digest.subarray(0, count));
}

function addChosen(board: Board, root: DeviceTreeNode, name: string): DeviceTreeNode {
  return root.add(name)
    .set("kaslr-seed", seedBytes(board, `${name} kaslr-seed`, 8))
    .set("rng-seed", seedBytes(board, `${name} rng-seed`, 32));
}

/**
 * The board's device tree as QEMU 7.2 makes it, property for property, but for what the board has not (see the table
 * in board.ts) and for seeds. `usesPsci` says whether the board has a PSCI conduit, before the boot has its say.
 */
export function boardDeviceTree(board: Board, usesPsci: boolean): DeviceTree {
  const root = new DeviceTreeNode("")
    .set("compatible", strings("linux,dummy-virt"))
    .set("#address-cells", cells(ADDRESS_CELLS))
    .set("#size-cells", cells(ADDRESS_CELLS))
    .set("model", strings("linux,dummy-virt"));
  const chosen = addChosen(board, root, "chosen");
  const secureChosen = board.configuration.secure ? addChosen(board, root, "secure-chosen") : undefined;
  const generation = { board, root, chosen, secureChosen };
  root.add("apb-pclk")
    .set("compatible", strings("fixed-clock"))
    .set("#clock-cells", cells(0))
    .set("clock-frequency", cells(24_000_000))
    .set("clock-output-names", strings("clk24mhz"))
    .set("phandle", cells(CLOCK_PHANDLE));
  const timers = [PPI.securePhysicalTimer, PPI.physicalTimer, PPI.virtualTimer, PPI.hypervisorTimer];
  root.add("timer")
    .set("compatible", strings("arm,armv8-timer", "arm,armv7-timer"))
    .set("always-on", EMPTY)
    .set("interrupts", cells(...timers.flatMap((number) => privateInterrupt(board, number))));
  addCpus(generation, usesPsci);
  for (const rows of runsOfKind(board.rows)) DESCRIPTIONS[(rows[0] as BoardRow).kind](generation, rows);
  const isSpinning = board.configuration.enableMethod === "spin-table";
  return { root, reservations: isSpinning ? [SPIN_TABLE_RESERVATION] : [], bootCpu: 0 };
}

/** What a boot tells its guest through the tree. */
export interface BootDescription {
  /** `-append`; not written when absent or empty. */
  readonly append: string | undefined;
  /** Where the initrd is, when a kernel is entered directly. */
  readonly initrd: AddressRange | undefined;
  /** What a hypervisor starts, in the order given. */
  readonly modules: readonly GuestModule[];
  /** How PSCI is called; with `none` no node is written. */
  readonly conduit: PsciConduit;
}

/** A root property of one cell that must be there. */
function rootCell(root: DeviceTreeNode, name: string, what: string): number {
  const value = root.get(name);
  const cell = value?.length === 4 ? new DataView(value.buffer, value.byteOffset).getUint32(0) : 0;
  if (cell < 1 || cell > 4) {
    throw new ConfigurationError(`Cannot load ${what}: its root has no ${name} between 1 and 4`);
  }
  return cell;
}

/** A kernel or initrd for a guest of the hypervisor that is booted (the multiboot binding that Xen reads). */
function describeModule(chosen: DeviceTreeNode, { kind, address, image, bootargs }: GuestModule): void {
  const node = chosen.add(`module@0x${address.toString(16).padStart(8, "0")}`)
    .set("reg", sizedCells(2, address, image.size))
    .set(
      "compatible",
      strings("multiboot,module", kind === "kernel" ? "multiboot,kernel" : "multiboot,ramdisk"),
    );
  if (bootargs !== undefined) node.set("bootargs", strings(bootargs));
}

/**
 * Adds RAM, the command line, the initrd and PSCI to a tree, as QEMU 7.2 does before it hands one over, be it the
 * board's own or a user's; `what` names it in messages. Throws ConfigurationError when a user's tree cannot take them.
 */
export function describeBoot(board: Board, { root }: DeviceTree, boot: BootDescription, what: string): void {
  const addressCells = rootCell(root, "#address-cells", what);
  const sizeCells = rootCell(root, "#size-cells", what);
  const { size } = boardRow(board, "ram");
  root.remove(({ name }) => name === "memory" || name.startsWith("memory@"));
  root.add(`memory@${RAM_BASE.toString(16)}`)
    .set("device_type", strings("memory"))
    .set("reg", new Uint8Array([...sizedCells(addressCells, RAM_BASE), ...sizedCells(sizeCells, size)]));
  const chosen = root.require("chosen");
  for (const module of boot.modules) describeModule(chosen, module);
  if (boot.append !== undefined && boot.append !== "") chosen.set("bootargs", strings(boot.append));
  if (boot.initrd !== undefined) {
    chosen.set("linux,initrd-start", cells(boot.initrd.base));
    chosen.set("linux,initrd-end", cells(boot.initrd.limit));
  }
  if (boot.conduit === "none") return;
  root.remove(({ name }) => name === "psci");
  root.add("psci")
    .set("compatible", strings("arm,psci-1.0", "arm,psci-0.2", "arm,psci"))
    .set("method", strings(boot.conduit))
    .set("cpu_suspend", cells(FUNCTION.CPU_SUSPEND_64))
    .set("cpu_off", cells(FUNCTION.CPU_OFF))
    .set("cpu_on", cells(FUNCTION.CPU_ON_64))
    .set("migrate", cells(FUNCTION.MIGRATE_64));
}
