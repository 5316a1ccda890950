/** The board `virt`: one table of memories and devices, from which bus, interrupt lines and device tree follow. */
import { hex, type PhysicalAddress, physicalAddress } from "./address.ts";
import type { MachineConfiguration } from "./configuration.ts";
import { ConfigurationError } from "./errors.ts";

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** What stands in a row: decides which model answers and which nodes the device tree gets. */
export type BoardKind =
  | "flash"
  | "interruptController"
  | "memory"
  | "uart"
  | "realTimeClock"
  | "messageFrame"
  | "interruptTranslation"
  | "pcie"
  | "rootPort"
  | "gpio"
  | "virtioTransport"
  | "firmwareConfiguration"
  | "nvme";

/** One memory or device of a built board. */
export interface BoardRow {
  /** Unique: the region's or device's name in events, sections and messages. */
  readonly name: string;
  /** What it is. */
  readonly kind: BoardKind;
  /** First physical address. */
  readonly base: PhysicalAddress;
  /** Bytes. */
  readonly size: number;
  /** Shared peripheral interrupt that its line drives; interrupt number SPI_BASE + this. */
  readonly spi: number | undefined;
  /** Answers Secure accesses only; others meet nothing there, an external abort. */
  readonly secureOnly: boolean;
}

/** The machine options on which rows depend. */
// deno-fmt-ignore
const OPTIONS = {
  secure:         ({ secure }) => secure,
  secondUart:     ({ uart1 }) => uart1 === true,
  secureMemory:   ({ secure, secureRam }) => secure || secureRam === true,
  virtualization: ({ virtualization }) => virtualization,
  gicV2:          ({ gicVersion }) => gicVersion === 2,
  gicV2Virtual:   ({ gicVersion, virtualization }) => gicVersion === 2 && virtualization,
  gicV3:          ({ gicVersion }) => gicVersion === 3,
  its:            ({ gicVersion, its }) => gicVersion === 3 && its,
  pciHost:        ({ rootPorts }) => rootPorts === undefined,
  highmem:        ({ highmem, rootPorts }) => highmem && rootPorts === undefined,
  lowmem:         ({ highmem, rootPorts }) => !highmem && rootPorts === undefined,
  rootPort0:      ({ rootPorts = 0 }) => rootPorts > 0,
  rootPort1:      ({ rootPorts = 0 }) => rootPorts > 1,
  rootPort2:      ({ rootPorts = 0 }) => rootPorts > 2,
  rootPort3:      ({ rootPorts = 0 }) => rootPorts > 3,
  noFirmware:     ({ boot: { bios, pflash } }) => bios === undefined && pflash.length === 0,
} satisfies Readonly<Record<string, (configuration: MachineConfiguration) => boolean>>;

type BoardOption = keyof typeof OPTIONS;

interface TableRow extends Omit<BoardRow, "base" | "secureOnly"> {
  readonly base: number;
  readonly secureOnly: boolean | BoardOption;
  readonly when: BoardOption | undefined;
}

/** Virtio transports of the board. */
export const VIRTIO_TRANSPORTS = 32;

/** First address of RAM. */
export const RAM_BASE: PhysicalAddress = physicalAddress(0x4000_0000);

/** Number of shared peripheral interrupt 0. */
export const SPI_BASE = 32;

/** Number of private peripheral interrupt 0. */
export const PPI_BASE = 16;

/** Shared peripheral interrupts wired to the controller, as QEMU has them: GICD_TYPER.ITLinesNumber is 8. */
export const SPI_COUNT = 256;

/** Private peripheral interrupts by what drives them (Arm BSA, section 3.6; QEMU 7.2 hw/arm/virt). */
// deno-fmt-ignore
export const PPI = {
  performanceMonitor:   7,
  virtualMaintenance:   9,
  hypervisorTimer:     10,
  virtualTimer:        11,
  hypervisorVirtualTimer: 12,
  securePhysicalTimer: 13,
  physicalTimer:       14,
} as const;

/** Line of the GPIO that the power key is on. */
export const POWER_KEY_LINE = 3;

/** Lines of the Secure GPIO by what they do when they go high, as the device tree names it. */
export const SECURE_GPIO_LINES = { "gpio-poweroff": 0, "gpio-restart": 1 } as const;

const ALWAYS = undefined;
/** Root ports without ECAM, which stand where the PCI Express host is otherwise. */
const ROOT_PORTS = ["rootPort0", "rootPort1", "rootPort2", "rootPort3"] as const;
const NO_SPI = undefined;

/**
 * QEMU 7.2's map, in the order in which QEMU describes it in the device tree. Not built, and so neither on the bus
 * nor in the tree: ACPI event device (0x09080000, which takes the PL061's place under firmware with ACPI), NVDIMM
 * (0x09090000), PCDIMM (0x09070000), SMMU (0x09050000), platform bus (0x0c000000, SPI 112–175; see NVME_BLOCKS).
 */
// deno-fmt-ignore
const TABLE: readonly TableRow[] = [
  // name               kind                      base         size        SPI      Secure only          only with
  row("flash0",        "flash",                  0x0000_0000, 64 * MIB,   NO_SPI,  "secure",            ALWAYS),
  row("flash1",        "flash",                  0x0400_0000, 64 * MIB,   NO_SPI,  false,               ALWAYS),
  row("gicd",          "interruptController",    0x0800_0000, 64 * KIB,   NO_SPI,  false,               ALWAYS),
  row("gicc",          "interruptController",    0x0801_0000, 64 * KIB,   NO_SPI,  false,               "gicV2"),
  row("gich",          "interruptController",    0x0803_0000, 64 * KIB,   NO_SPI,  false,               "gicV2Virtual"),
  row("gicv",          "interruptController",    0x0804_0000, 64 * KIB,   NO_SPI,  false,               "gicV2Virtual"),
  row("gicr",          "interruptController",    0x080a_0000, 0xf6_0000,  NO_SPI,  false,               "gicV3"), // answers for CPUs there are
  row("gicv2m",        "messageFrame",           0x0802_0000,  4 * KIB,   NO_SPI,  false,               "gicV2"),
  row("its",           "interruptTranslation",   0x0808_0000, 128 * KIB,  NO_SPI,  false,               "its"),
  row("uart0",         "uart",                   0x0900_0000,  4 * KIB,   1,       false,               ALWAYS),
  row("secureRam",     "memory",                 0x0e00_0000, 16 * MIB,   NO_SPI,  true,                "secureMemory"),
  row("uart1",         "uart",                   0x0904_0000,  4 * KIB,   8,       true,                "secure"),
  row("uart1",         "uart",                   0x0904_0000,  4 * KIB,   8,       false,               "secondUart"), // QEMU 9.1's
  row("rtc",           "realTimeClock",          0x0901_0000,  4 * KIB,   2,       false,               ALWAYS),
  row("pcieMmio",      "pcie",                   0x1000_0000, 0x2eff_0000, NO_SPI, false,               "pciHost"),
  row("pcieIo",        "pcie",                   0x3eff_0000, 64 * KIB,   NO_SPI,  false,               "pciHost"),
  ...ROOT_PORTS.flatMap((name, n) => [ // registers, with SPI 112 + 4n to 115 + 4n, and a window of memory space
  row(name,            "rootPort",               0x0b00_0000 + n * 64 * KIB,  64 * KIB,  112 + 4 * n, false,    name),
  row(`${name}Mmio`,   "rootPort",               0x1000_0000 + n * 128 * MIB, 128 * MIB, NO_SPI, false,         name)]),
  row("pcieEcam",      "pcie",                   0x3f00_0000, 16 * MIB,   3,       false,               "lowmem"), // SPI 3–6
  row("pcieEcam",      "pcie",                0x40_1000_0000, 256 * MIB,  3,       false,               "highmem"),
  row("pcieMmio64",    "pcie",                0x80_0000_0000, 512 * GIB,  NO_SPI,  false,               "highmem"),
  row("gpio",          "gpio",                   0x0903_0000,  4 * KIB,   7,       false,               "noFirmware"),
  row("secureGpio",    "gpio",                   0x090b_0000,  4 * KIB,   0,       true,                "secure"),
  ...Array.from({ length: VIRTIO_TRANSPORTS }, (_, n) =>
  row(`virtio${n}`,    "virtioTransport",        0x0a00_0000 + n * 0x200, 0x200,  16 + n,  false,      ALWAYS)),
  row("fwCfg",         "firmwareConfiguration",  0x0902_0000, 0x18,       NO_SPI,  false,               ALWAYS),
  row("ram",           "memory",                 RAM_BASE,    0,          NO_SPI,  false,               ALWAYS), // size: -m
];

function row(
  name: string,
  kind: BoardKind,
  base: number,
  size: number,
  spi: number | undefined,
  secureOnly: boolean | BoardOption,
  when: BoardOption | undefined,
): TableRow {
  return { name, kind, base, size, spi, secureOnly, when };
}

/** Where NVMe controllers are that are no functions of PCI, in the place of QEMU's platform bus. */
export const NVME_BLOCKS = {
  base: 0x0c00_0000,
  stride: 0x1_0000,
  most: 8,
  firstSpi: 112,
  size: 0x4000,
} as const;

/** The name of such a controller and of its row, from its number among them. */
export function blockName({ id }: { readonly id: string | undefined }, number: number): string {
  return id ?? `nvme-mmio.${number}`;
}

/** Rows of those that a configuration has; throws ConfigurationError for too many. */
function nvmeBlocks({ devices }: MachineConfiguration): BoardRow[] {
  const { base, stride, most, firstSpi, size } = NVME_BLOCKS;
  const blocks = devices.filter(({ driver }) => driver === "nvme-mmio");
  if (blocks.length > most) {
    throw new ConfigurationError(
      `Cannot build -device nvme-mmio ${blocks.length} times: there is room for ${most}`,
    );
  }
  return blocks.map((device, number) => ({
    name: blockName(device, number),
    kind: "nvme",
    base: physicalAddress(base + number * stride),
    size,
    spi: firstSpi + number,
    secureOnly: false,
  }));
}

/** A board as a configuration makes it. */
export interface Board {
  /** Every memory and device, in the table's order. */
  readonly rows: readonly BoardRow[];
  /** Configuration that made it. */
  readonly configuration: MachineConfiguration;
  /** Bytes of all memories, for the capacity of PhysicalMemory. */
  readonly memorySize: number;
  /** Highest exception level that exists. */
  readonly highestLevel: 1 | 2 | 3;
}

/** Whether a row's bytes are memory in the one WebAssembly memory; flash is, with a device beside it. */
export function isMemory({ kind }: BoardRow): boolean {
  return kind === "memory" || kind === "flash";
}

/** The rows that exist with these options; throws ConfigurationError when two overlap. */
export function buildBoard(configuration: MachineConfiguration): Board {
  if (configuration.uart1 && configuration.secure) {
    throw new ConfigurationError(
      "Cannot build the board with uart1=on and secure=on, which has a second serial port of its own: leave one out",
    );
  }
  const rows = TABLE
    .filter(({ when }) => when === undefined || OPTIONS[when](configuration))
    .map(({ when: _, ...row }): BoardRow => ({
      ...row,
      base: physicalAddress(row.base),
      size: row.name === "ram" ? configuration.memoryMiB * MIB : row.size,
      secureOnly: typeof row.secureOnly === "string"
        ? OPTIONS[row.secureOnly](configuration)
        : row.secureOnly,
    }))
    .concat(nvmeBlocks(configuration));
  refuseTwinNames(rows);
  refuseOverlap(rows);
  if (configuration.consoleInput === "uart1" && !configuration.uart1) {
    throw new ConfigurationError(
      "Cannot connect the terminal to the second serial port: there is none; add uart1=on to -M virt",
    );
  }
  for (const name of configuration.unplugged ?? []) {
    if (rows.some((row) => row.name === name)) continue;
    throw new ConfigurationError(`Cannot unplug ${name}: the board has none; add uart1=on to -M virt`);
  }
  return {
    rows,
    configuration,
    memorySize: rows.filter(isMemory).reduce((sum, { size }) => sum + size, 0),
    highestLevel: configuration.secure ? 3 : configuration.virtualization ? 2 : 1,
  };
}

/** Users name blocks, and must not choose a name that the board has. */
function refuseTwinNames(rows: readonly BoardRow[]): void {
  for (const { name } of rows.filter(({ kind }) => kind === "nvme")) {
    if (rows.filter((row) => row.name === name).length < 2) continue;
    throw new ConfigurationError(
      `Cannot use id=${name}: the board has something of that name; choose another`,
    );
  }
}

function refuseOverlap(rows: readonly BoardRow[]): void {
  const sorted = [...rows].sort((a, b) => a.base - b.base);
  for (const [index, { name, base, size }] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined && base + size > next.base) {
      throw new ConfigurationError(
        `Cannot build the board: "${name}" at ${hex(base)} overlaps "${next.name}" at ${hex(next.base)}`,
      );
    }
  }
}

/** The row of that name; throws RangeError when the board has none. */
export function boardRow(board: Board, name: string): BoardRow {
  const found = board.rows.find((row) => row.name === name);
  if (found === undefined) throw new RangeError(`Cannot find "${name}" on the board`);
  return found;
}

/** The memory that holds a whole range, or undefined; an empty range belongs to the memory at its address. */
export function memoryAt(board: Board, address: number, size: number): BoardRow | undefined {
  return board.rows.find((row) =>
    isMemory(row) && address >= row.base && address + Math.max(size, 1) <= row.base + row.size
  );
}
