/**
 * The EFI shell around a kernel: what Linux finds when UEFI's boot stub has run and left (hand-off A). No firmware runs;
 * `/chosen` of the device tree says where the system table and the memory map are (`linux,uefi-*`,
 * Documentation/arm/uefi.rst), SetVirtualAddressMap counts as called. UEFI 2.10 §2.3.6 (AArch64), §4, §7.2.
 */
import { cells, type DeviceTree, sizedCells, writeDeviceTree } from "../../machine/device_tree.ts";
import type { Source } from "../../machine/a64/program.ts";
import { LOADER_DEVICE_TREE_AT, LOADER_KERNEL_AT } from "../loader/pagefault_boot.ts";
import type { MemoryRange } from "../loader/kernel_boot.ts";
import { RUNTIME_SERVICES, type RuntimeService } from "../../machine/uefi_services.ts";
import { EFI_GUID } from "./guid.ts";
import {
  EFI_DESCRIPTOR_SIZE,
  EFI_DESCRIPTOR_VERSION,
  EFI_MEMORY,
  EFI_PAGE,
  efiMemoryMap,
  type EfiRegion,
  encodeMemoryMap,
} from "./memory_map.ts";
import { efiStart } from "./start.ts";
import {
  type ConfigurationTable,
  configurationTablesArray,
  runtimePropertiesTable,
  runtimeServicesTable,
  systemTable,
  ucs2,
} from "./tables.ts";

/** Runtime services: code that needs no data and runs wherever it is mapped. */
export interface EfiRuntime {
  /** The code, at most `EFI_RUNTIME_REGION` bytes; its pages are read-only to the kernel. */
  readonly code: Uint8Array;
  /** Where in it each service starts; those not supported answer EFI_UNSUPPORTED. */
  readonly offsets: Readonly<Record<RuntimeService, number>>;
  /** Those that do something after ExitBootServices. */
  readonly supported: readonly RuntimeService[];
  /** Virtual address of the shell's first page; by default `EFI_RUNTIME_VIRTUAL`. The kernel maps runtime regions there. */
  readonly virtual?: bigint;
  /** False: the code is in its place, and the kernel is told of no services; for a start that finds out first. */
  readonly isPublished?: boolean;
}

/** What is handed over. */
export interface EfiHandOffOptions {
  /** RAM that is the kernel's or the shell's: not what a monitor keeps. Whole pages. */
  readonly ram: MemoryRange;
  /** The machine's tree as the kernel shall have it, command line and initrd included; `/chosen` is added to. */
  readonly deviceTree: DeviceTree;
  /** Rows of the system table's ConfigurationTable (RSDP, SMBIOS, …), whose tables are in RAM by a segment of the caller's. */
  readonly configurationTables?: readonly ConfigurationTable[];
  /** RAM that is not ConventionalMemory beside the shell's own: ACPI tables, mailboxes, devices of runtime services. */
  readonly reserved?: readonly EfiRegion[];
  /** Runtime services; without them the kernel is told that there are none. */
  readonly runtime?: EfiRuntime;
  /** Where the kernel is, a multiple of 2 MiB (default `LOADER_KERNEL_AT`). */
  readonly kernel?: number;
  /** Where the device tree goes, a multiple of 8, with 1 MiB of room (default `LOADER_DEVICE_TREE_AT`). */
  readonly deviceTreeAt?: number;
  /** Where the shell's `EFI_SHELL_SIZE` bytes go, a multiple of 64 KiB (default `EFI_SHELL_AT`). */
  readonly shell?: number;
  /** Code that runs before the kernel (see `efiStart`); it may use EFI_SYSTEM_TABLE and EFI_PROPERTIES, addresses. */
  readonly before?: readonly Source[];
}

/** Bytes to be put into RAM. */
export interface EfiSegment {
  /** A name for a file. */
  readonly name: string;
  /** Physical address. */
  readonly base: number;
  /** What goes there. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A machine's RAM before its first step, but for the kernel, initrd and tables of the caller's. */
export interface EfiHandOff {
  /** Where CPU 0 starts. */
  readonly entry: number;
  /** What to load. */
  readonly segments: readonly EfiSegment[];
  /** The memory map that the kernel gets. */
  readonly memoryMap: readonly EfiRegion[];
  /** Physical address of the system table. */
  readonly systemTable: number;
  /** Physical address of the runtime services' code. */
  readonly runtimeCode: number;
}

/** Where the shell is by default: behind a kernel at `LOADER_KERNEL_AT`, before an initrd at `LOADER_INITRD_AT`. */
export const EFI_SHELL_AT = 0x4780_0000;
/** Runtime regions are multiples of this, whatever the kernel's granule (UEFI 2.10 §2.3.6). */
export const EFI_RUNTIME_REGION = 0x1_0000;
/** Bytes of the shell: the start with the memory map, the tables, the services' code. */
export const EFI_SHELL_SIZE = 3 * EFI_RUNTIME_REGION;
/** Where Linux's own stub has runtime regions from: 512 MiB, in the lower half, apart from RAM. */
export const EFI_RUNTIME_VIRTUAL = 0x2000_0000n;
/** Most bytes of a device tree. */
const DEVICE_TREE_ROOM = 0x10_0000;

/** `efi_secureboot_mode`: Debian's kernels refuse the rest of the properties without this one. */
const SECURE_BOOT_DISABLED = 2;

/** What firmware calls itself. */
const VENDOR = "Hindsight";

/** Offsets from the shell's start. */
const MAP = 0x1000, TABLES = EFI_RUNTIME_REGION, CODE = 2 * EFI_RUNTIME_REGION;
/** Offsets in the region of tables. */
const RUNTIME_TABLE = 0x100, VENDOR_TEXT = 0x200, PROPERTIES = 0x280, CONFIGURATION = 0x300;
/** Configuration tables that there is room for. */
const MOST_TABLES = Math.floor((EFI_PAGE - CONFIGURATION) / 24);

/** The shell's own regions. */
function shellRegions(shell: number, runtime: EfiRuntime | undefined): EfiRegion[] {
  const size = EFI_RUNTIME_REGION, { WB, RO, XP, RUNTIME } = EFI_MEMORY;
  if (runtime === undefined) {
    return [
      { base: shell, size, type: "LoaderData" },
      { base: shell + TABLES, size, type: "ACPIReclaimMemory" },
      { base: shell + CODE, size, type: "LoaderData" },
    ];
  }
  const isPublished = runtime.isPublished ?? true, virtual = runtime.virtual ?? EFI_RUNTIME_VIRTUAL;
  const region = (type: EfiRegion["type"], offset: number, attributes: bigint): EfiRegion => ({
    base: shell + offset,
    size,
    type,
    attributes: isPublished ? attributes | RUNTIME : attributes,
    ...(isPublished ? { virtual: virtual + BigInt(offset) } : {}),
  });
  return [
    { base: shell, size, type: "LoaderData" },
    region("RuntimeServicesData", TABLES, WB | RO | XP),
    region("RuntimeServicesCode", CODE, WB | RO),
  ];
}

/** The region of tables. */
function tablesRegion(shell: number, options: EfiHandOffOptions): Uint8Array<ArrayBuffer> {
  const { configurationTables = [] } = options, bytes = new Uint8Array(EFI_PAGE);
  const runtime = options.runtime?.isPublished === false ? undefined : options.runtime;
  const rows = [...configurationTables, {
    guid: EFI_GUID.RT_PROPERTIES,
    address: shell + TABLES + PROPERTIES,
  }];
  if (rows.length > MOST_TABLES) {
    throw new RangeError(
      `${rows.length} configuration tables are more than there is room for: ${MOST_TABLES}`,
    );
  }
  const base = runtime === undefined ? BigInt(shell) : runtime.virtual ?? EFI_RUNTIME_VIRTUAL;
  const place = (offset: number) => base + BigInt(TABLES + offset);
  const pointers = {
    vendor: place(VENDOR_TEXT),
    configuration: place(CONFIGURATION),
    configurationCount: rows.length,
  };
  if (runtime !== undefined) {
    const addresses = RUNTIME_SERVICES.map((
      service,
    ) => [service, base + BigInt(CODE + runtime.offsets[service])]);
    bytes.set(runtimeServicesTable(Object.fromEntries(addresses)), RUNTIME_TABLE);
  }
  bytes.set(systemTable(runtime === undefined ? pointers : { ...pointers, runtime: place(RUNTIME_TABLE) }));
  bytes.set(ucs2(VENDOR), VENDOR_TEXT);
  bytes.set(runtimePropertiesTable(runtime?.supported ?? []), PROPERTIES);
  bytes.set(configurationTablesArray(rows), CONFIGURATION);
  return bytes;
}

/**
 * The EFI shell of a kernel. Load the segments, the kernel and what else is described, and start CPU 0 at `entry`.
 * Throws RangeError for what does not fit or overlaps.
 */
export function efiHandOff(options: EfiHandOffOptions): EfiHandOff {
  const { ram, deviceTree, reserved = [], runtime, shell = EFI_SHELL_AT } = options;
  const { kernel = LOADER_KERNEL_AT, deviceTreeAt = LOADER_DEVICE_TREE_AT } = options;
  if (shell % EFI_RUNTIME_REGION !== 0) {
    throw new RangeError(`The EFI shell at 0x${shell.toString(16)} is not on a multiple of 64 KiB`);
  }
  if (runtime !== undefined && runtime.code.length > EFI_RUNTIME_REGION) {
    throw new RangeError(`Runtime services of ${runtime.code.length} bytes are larger than their region`);
  }
  const memoryMap = efiMemoryMap(ram, [...shellRegions(shell, runtime), ...reserved]);
  const map = encodeMemoryMap(memoryMap);
  if (MAP + map.length > EFI_RUNTIME_REGION) {
    throw new RangeError(`A memory map of ${memoryMap.length} regions is larger than there is room for`);
  }
  const chosen = deviceTree.root.require("chosen");
  chosen.set("linux,uefi-system-table", sizedCells(2, shell + TABLES));
  chosen.set("linux,uefi-mmap-start", sizedCells(2, shell + MAP));
  chosen.set("linux,uefi-mmap-size", cells(map.length));
  chosen.set("linux,uefi-mmap-desc-size", cells(EFI_DESCRIPTOR_SIZE));
  chosen.set("linux,uefi-mmap-desc-ver", cells(EFI_DESCRIPTOR_VERSION));
  chosen.set("linux,uefi-secure-boot", cells(SECURE_BOOT_DISABLED));
  const tree = writeDeviceTree(deviceTree);
  if (tree.length > DEVICE_TREE_ROOM) {
    throw new RangeError(`The device tree has ${tree.length} bytes, of ${DEVICE_TREE_ROOM} at most`);
  }
  const symbols = {
    EFI_SYSTEM_TABLE: BigInt(shell + TABLES),
    EFI_PROPERTIES: BigInt(shell + TABLES + PROPERTIES),
    EFI_RUNTIME_CODE: BigInt(shell + CODE),
  };
  const start = efiStart({
    at: shell,
    deviceTree: deviceTreeAt,
    kernel,
    symbols,
    ...(options.before === undefined ? {} : { before: options.before }),
  });
  if (start.size > MAP) throw new RangeError(`The start has ${start.size} bytes, of ${MAP} at most`);
  const segments = [
    { name: "efi_start.bin", base: shell, bytes: start.bytes },
    { name: "efi_map.bin", base: shell + MAP, bytes: map },
    { name: "efi_tables.bin", base: shell + TABLES, bytes: tablesRegion(shell, options) },
    ...(runtime === undefined
      ? []
      : [{ name: "efi_code.bin", base: shell + CODE, bytes: Uint8Array.from(runtime.code) }]),
    { name: "efi_tree.dtb", base: deviceTreeAt, bytes: tree },
  ];
  return { entry: shell, segments, memoryMap, systemTable: shell + TABLES, runtimeCode: shell + CODE };
}

/** Options of `hindsight record` and of QEMU, with files of that name, for the segments and the start of CPU 0. */
export function efiLoaderOptions(
  { entry, segments }: EfiHandOff,
): { readonly options: string[]; readonly files: Record<string, Uint8Array> } {
  const options = segments.flatMap(({ name, base }) => {
    const start = base === entry ? ",cpu-num=0" : "";
    return ["-device", `loader,file=${name},addr=0x${base.toString(16)},force-raw=on${start}`];
  });
  return { options, files: Object.fromEntries(segments.map(({ name, bytes }) => [name, bytes])) };
}
