/** The device tree of a board, generated from its table. */
import { createHash } from "node:crypto";
import {
  type Board,
  type BoardKind,
  type BoardRow,
  POWER_KEY_LINE,
  PPI,
  SECURE_GPIO_LINES,
} from "./board.ts";
import {
  addInterruptController,
  addInterruptTranslation,
  addMessageFrame,
  addPcie,
  addRootPorts,
  hasMessages,
  messagePhandle,
} from "./board_device_tree_interrupts.ts";
import { cells, type DeviceTree, DeviceTreeNode, EMPTY, sizedCells, strings } from "./device_tree.ts";
import {
  ADDRESS_CELLS,
  CLOCK_PHANDLE,
  cpuPhandle,
  describeDma,
  EDGE_RISING,
  type Generation,
  LEVEL_HIGH,
  nodeFor,
  primeCell,
  privateInterrupt,
  reg,
  secured,
  SHARED,
} from "./device_tree_nodes.ts";
import { monitorBrand } from "./monitor.ts";
import { describeByMonitors } from "./monitor_description.ts";
import { releaseAddress, SPIN_TABLE_RESERVATION } from "./spin_table.ts";

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

/** RAM is described last, by `describeBoot`, since that also does it for a user's tree. */
function addMemory({ root }: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows.filter(({ secureOnly }) => secureOnly)) {
    secured(nodeFor(root, "secram", row).set("device_type", strings("memory")).set("reg", reg(row)), row);
  }
}

function addUarts({ root, chosen, secureChosen }: Generation, rows: readonly BoardRow[]): void {
  const nodes = rows.map((row) => primeCell(root, row, "pl011", ["uartclk", "apb_pclk"]));
  for (const [at, { secureOnly, name }] of rows.entries()) {
    if (name === "uart1" && !secureOnly) continue;
    (secureOnly ? secureChosen : chosen)?.set("stdout-path", strings(`/${nodes[at]?.name}`));
  }
  if (rows.length < 2 || rows.some(({ secureOnly }) => secureOnly)) return;
  const aliases = root.add("aliases");
  for (const [at, { name }] of nodes.entries()) aliases.set(`serial${at}`, strings(`/${name}`));
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
  const first = messagePhandle(board) + (hasMessages(board) ? 1 : 0);
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

/** NVMe controllers that are no functions of PCI; no driver of Linux asks for them. */
function addNvmeBlocks(generation: Generation, rows: readonly BoardRow[]): void {
  for (const row of rows) {
    const node = nodeFor(generation.root, "nvme", row)
      .set("compatible", strings("hindsight,nvme-mmio"))
      .set("reg", reg(row))
      .set("interrupts", cells(SHARED, row.spi ?? 0, LEVEL_HIGH));
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
  rootPort:              addRootPorts,
  gpio:                  addGpios,
  virtioTransport:       addVirtioTransports,
  firmwareConfiguration: addFirmwareConfiguration,
  nvme:                  addNvmeBlocks,
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
  // In the order of the binding; what comes last can be left out (Linux, arm,arch_timer.yaml).
  const later = board.configuration.virtualTimer === false ? [] : [PPI.virtualTimer, PPI.hypervisorTimer];
  const timers = [PPI.securePhysicalTimer, PPI.physicalTimer, ...later];
  root.add("timer")
    .set("compatible", strings("arm,armv8-timer", "arm,armv7-timer"))
    .set("always-on", EMPTY)
    .set("interrupts", cells(...timers.flatMap((number) => privateInterrupt(board, number))));
  addCpus(generation, usesPsci);
  for (const rows of runsOfKind(board.rows)) DESCRIPTIONS[(rows[0] as BoardRow).kind](generation, rows);
  describeByMonitors(board, root);
  const brand = monitorBrand(board.configuration);
  if (brand !== undefined) root.add("hypervisor").set("compatible", strings(brand));
  const isSpinning = board.configuration.enableMethod === "spin-table";
  return { root, reservations: isSpinning ? [SPIN_TABLE_RESERVATION] : [], bootCpu: 0 };
}
