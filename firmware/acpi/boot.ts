/**
 * A boot with ACPI: the tables of a device tree are in RAM beside the tree itself, and A64 code decides whether the kernel
 * gets them. It looks for tables that firmware left (the EFI configuration table of ACPI 2.0 with an RSDP whose checksums
 * are right) and leaves those alone; only if there are none it compares the tree in RAM with the one that was converted
 * and puts the RSDP into the configuration table. The kernel's own tree has nothing but /chosen.
 *
 * The conversion itself is TypeScript and done when the image is built: it depends on the tree alone. Entered as
 * `efiStart` says, at EL1 or EL2 with the MMU off; needs the PL011 of board `virt`.
 */
import {
  type DeviceTree,
  DeviceTreeNode,
  type DeviceTreeProperty,
  writeDeviceTree,
} from "../../machine/device_tree.ts";
import type { Source } from "../../machine/a64/program.ts";
import { EFI_GUID, guidBytes } from "../efi/guid.ts";
import { type EfiHandOff, efiHandOff, type EfiHandOffOptions, type EfiSegment } from "../efi/hand_off.ts";
import type { ConfigurationTable } from "../efi/tables.ts";
import { EFI_PAGE, type EfiRegion } from "../efi/memory_map.ts";
import { CONSOLE, UART_ADDRESS } from "../loader/console.ts";
import { type Conversion, type ConversionOptions, convertDeviceTree } from "./convert.ts";
import { getNumber } from "./structure.ts";
import { type PlacedTables, placeTables } from "./table.ts";
import type { Range } from "./tree.ts";

/** Where the tables are by default: below the EFI shell, behind a kernel at `LOADER_KERNEL_AT`. */
export const ACPI_TABLES_AT = 0x4770_0000;
/** Bytes for the tables, then the same for the tree that they were made of. */
export const ACPI_TABLES_ROOM = 0x4_0000;
const ROOM = ACPI_TABLES_ROOM;
/** Where tables that firmware left are. */
const FIRMWARE_TABLES_AT = ACPI_TABLES_AT + 2 * ROOM;

/** The table in which a kernel keeps what it reserves for kernels after it, as the boot stub makes it: empty. */
export const RESERVATIONS: ConfigurationTable = {
  guid: "888eb0c6-8ede-4ff5-a8f0-9aee5cb977c2",
  address: ACPI_TABLES_AT + 3 * ROOM,
};
/** Its page. */
export const RESERVATIONS_REGION: EfiRegion = {
  base: RESERVATIONS.address,
  size: EFI_PAGE,
  type: "LoaderData",
};

/** What the code prints, without the line's end. */
export const ACPI_BOOT_TEXT = {
  kept: "acpi: the firmware's tables stay",
  installed: "acpi: tables of the device tree",
  otherTree: "acpi: the device tree is not the one that was converted",
  noRoom: "acpi: the EFI configuration table has no free row",
} as const;

/** A GUID that no table has: a row for the loader to fill in. */
const FREE_ROW = "00000000-0000-0000-0000-000000000000";

/** What boots. */
export interface AcpiBootOptions extends Pick<EfiHandOffOptions, "ram" | "runtime" | "kernel" | "shell"> {
  /** The machine's tree, complete, command line and initrd included. */
  readonly deviceTree: DeviceTree;
  /** How it is converted. */
  readonly conversion?: ConversionOptions;
  /** Tables that firmware left, placed at `firmwareTablesAt`. */
  readonly left?: PlacedTables;
  /** RAM that is not the kernel's besides. */
  readonly reserved?: readonly EfiRegion[];
  /** The tree as it is in RAM, when it is not the one that was converted. */
  readonly treeInMemory?: Uint8Array;
}

/** A machine's RAM before its first step, but for kernel and initrd. */
export interface AcpiBoot {
  /** What `efiLoaderOptions` takes. */
  readonly handOff: EfiHandOff;
  /** What became of the tree. */
  readonly conversion: Conversion;
  /** The tables where they are in RAM. */
  readonly tables: PlacedTables;
}

/** Where a boot finds tables that firmware left. */
export const firmwareTablesAt: number = FIRMWARE_TABLES_AT;

/** The bits of a tree that the code computes: each 8 bytes, exclusive-or, after a rotation by one. */
function fold(bytes: Uint8Array): bigint {
  let sum = 0n;
  for (let at = 0; at < bytes.length; at += 8) {
    sum = BigInt.asUintN(64, sum << 1n | sum >> 63n) ^ getNumber(bytes, at, 8);
  }
  return sum;
}

const text = (label: string, value: string): string => `${label}: .asciz "${value}\\r\\n"\n`;

/** The code; it goes on at `enter_kernel`, or prints a reason and stops. */
function code(tree: Uint8Array, treeAt: number, rsdp: number): Source {
  const guid = guidBytes(EFI_GUID.ACPI_20);
  return {
    name: "acpi_boot",
    text: `
        ldr     x26, =${UART_ADDRESS}
        ldr     x5, =0x${getNumber(guid, 0, 8).toString(16)}
        ldr     x6, =0x${getNumber(guid, 8, 8).toString(16)}
        ldr     x9, =EFI_SYSTEM_TABLE
        ldp     x10, x11, [x9, #104]            // NumberOfTableEntries, ConfigurationTable
        and     x11, x11, #0xffff               // it is in the system table's own 64 KiB
        add     x11, x11, x9
        mov     x12, #0                         // the free row
next_row:
        cbz     x10, convert
        ldp     x13, x14, [x11]
        cmp     x13, x5
        ccmp    x14, x6, #0, eq
        b.eq    found
        orr     x13, x13, x14
        cbnz    x13, 1f
        mov     x12, x11
1:      add     x11, x11, #24
        sub     x10, x10, #1
        b       next_row

found:  mov     x12, x11                        // without an RSDP in it, the row is as good as free
        ldr     x15, [x11, #16]
        cbz     x15, convert
        ldr     x13, [x15]
        ldr     x14, =0x2052545020445352        // "RSD PTR "
        cmp     x13, x14
        b.ne    convert
        mov     x13, #36
        mov     x14, #0
1:      ldrb    w16, [x15], #1
        add     x14, x14, x16
        subs    x13, x13, #1
        b.ne    1b
        tst     x14, #0xff
        b.ne    convert
        adr     x0, kept
        bl      put_text
        b       enter_kernel

convert:
        ldr     x1, =${treeAt}
        mov     x2, #${Math.ceil(tree.length / 8)}
        mov     x3, #0
1:      ldr     x4, [x1], #8
        ror     x3, x3, #63
        eor     x3, x3, x4
        subs    x2, x2, #1
        b.ne    1b
        ldr     x4, =0x${fold(tree).toString(16)}
        cmp     x3, x4
        adr     x0, other_tree
        b.ne    stop
        adr     x0, no_room
        cbz     x12, stop
        stp     x5, x6, [x12]
        ldr     x1, =${rsdp}
        str     x1, [x12, #16]
        adr     x0, installed
        bl      put_text
        b       enter_kernel

stop:   bl      put_text
1:      wfi
        b       1b
${CONSOLE.text}
${text("kept", ACPI_BOOT_TEXT.kept)}${text("installed", ACPI_BOOT_TEXT.installed)}
${text("other_tree", ACPI_BOOT_TEXT.otherTree)}${text("no_room", ACPI_BOOT_TEXT.noRoom)}
        .balign 8
        .ltorg
`,
  };
}

/** A tree with nothing but the /chosen of another, without the console, which SPCR tells. */
export function stubTree({ root }: DeviceTree): DeviceTree {
  const stub = new DeviceTreeNode(""), chosen = new DeviceTreeNode("chosen");
  const copy = ({ name, value }: DeviceTreeProperty): DeviceTreeProperty => ({
    name,
    value: Uint8Array.from(value),
  });
  stub.properties.push(
    ...root.properties.filter(({ name }) => /^#(address|size)-cells$/.test(name)).map(copy),
  );
  const all = root.child("chosen")?.properties ?? [];
  chosen.properties.push(...all.filter(({ name }) => !name.endsWith("stdout-path")).map(copy));
  stub.children.push(chosen);
  return { root: stub, reservations: [], bootCpu: 0 };
}

const pages = (size: number): number => Math.ceil(size / EFI_PAGE) * EFI_PAGE;

function regionOf(base: number, bytes: Uint8Array): EfiRegion {
  return { base, size: pages(bytes.length), type: "ACPIReclaimMemory" };
}

/** What a tree reserves, in whole pages. */
function reservedRegion({ base, size }: Range): EfiRegion {
  const start = Math.floor(Number(base) / EFI_PAGE) * EFI_PAGE;
  return { base: start, size: pages(Number(base + size) - start), type: "ReservedMemoryType" };
}

/** Builds a boot. Throws DeviceTreeRefusal for a tree without tables, RangeError for what does not fit. */
export function acpiBoot(options: AcpiBootOptions): AcpiBoot {
  const { deviceTree, left, reserved = [], conversion: how } = options;
  const conversion = convertDeviceTree(deviceTree, how);
  const tables = placeTables(conversion.tables, ACPI_TABLES_AT);
  const blob = writeDeviceTree(deviceTree), treeAt = ACPI_TABLES_AT + ROOM;
  const tree = new Uint8Array(Math.ceil(blob.length / 8) * 8);
  tree.set(blob);
  if (tables.bytes.length > ROOM || tree.length > ROOM || (left?.bytes.length ?? 0) > ROOM) {
    throw new RangeError(`The tables or the device tree have more than ${ROOM} bytes`);
  }
  const inMemory = Uint8Array.from(options.treeInMemory ?? tree);
  const kept: EfiSegment[] = left === undefined
    ? []
    : [{ name: "acpi_left.bin", base: left.rsdp, bytes: left.bytes }];
  const segments: EfiSegment[] = [
    { name: "acpi_tables.bin", base: tables.rsdp, bytes: tables.bytes },
    { name: "acpi_tree.dtb", base: treeAt, bytes: inMemory },
    ...kept,
  ];
  const row = left === undefined
    ? { guid: FREE_ROW, address: 0 }
    : { guid: EFI_GUID.ACPI_20, address: left.rsdp };
  const handOff = efiHandOff({
    ...options,
    deviceTree: stubTree(deviceTree),
    configurationTables: [RESERVATIONS, row],
    reserved: [
      ...reserved,
      ...conversion.memory.reserved.map(reservedRegion),
      RESERVATIONS_REGION,
      ...segments.map(({ base, bytes }) => regionOf(base, bytes)),
    ],
    before: [code(tree, treeAt, tables.rsdp)],
  });
  return { handOff: { ...handOff, segments: [...handOff.segments, ...segments] }, conversion, tables };
}
