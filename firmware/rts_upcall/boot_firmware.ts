/**
 * Hand-off B of rts-upcall: a small UEFI firmware whose services are upcalls, boot services too. It probes the conduit,
 * turns an identity map on (UEFI 2.10 §2.3.6), tells the monitor where its tables are, and enters the kernel as UEFI's
 * loader would: at the entry of its PE/COFF header, with an image handle and the system table. What follows is Linux's
 * own boot stub: it takes memory, a memory map and the device tree, calls ExitBootServices and SetVirtualAddressMap, and
 * only then is the kernel.
 */
import { assembleProgram } from "../../machine/a64/program.ts";
import { type DeviceTree, writeDeviceTree } from "../../machine/device_tree.ts";
import { guidBytes } from "../../machine/guid.ts";
import { FUNCTION } from "../../machine/psci.ts";
import { BOOT_SERVICES, FIRMWARE_DESCRIPTION, RUNTIME_SERVICES } from "../../machine/uefi_services.ts";
import { EFI_GUID } from "../efi/guid.ts";
import { EFI_RUNTIME_REGION, EFI_SHELL_AT, type EfiHandOff } from "../efi/hand_off.ts";
import { EFI_MEMORY, EFI_PAGE, efiMemoryMap, type EfiRegion, encodeMemoryMap } from "../efi/memory_map.ts";
import {
  configurationTablesArray,
  efiTable,
  runtimePropertiesTable,
  runtimeServicesTable,
  systemTable,
  ucs2,
} from "../efi/tables.ts";
import { UART_ADDRESS } from "../loader/console.ts";
import type { MemoryRange } from "../loader/kernel_boot.ts";
import { LOADER_DEVICE_TREE_AT, LOADER_KERNEL_AT } from "../loader/pagefault_boot.ts";
import { GRANULES, leafAttributes, LOADER_MAIR, translationControl } from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";
import { firmwareImmediate, probeSource, UNPUBLISHED } from "./probe.ts";
import { type StubConduit, type Stubs, SUPPORTED_SERVICES, TEXT_OUTPUT, upcallStubs } from "./stubs.ts";

/** What the firmware boots. */
export interface BootFirmwareOptions {
  /** How stubs call. */
  readonly conduit: StubConduit;
  /** Level at which it is entered. */
  readonly level: 1 | 2;
  /** RAM that is not a monitor's. */
  readonly ram: MemoryRange;
  /** The device tree, a configuration table; the kernel's stub finds command line and initrd in it. */
  readonly deviceTree: DeviceTree;
  /** Bytes that the kernel takes at LOADER_KERNEL_AT (`image_size` of its header). */
  readonly kernelSize: number;
  /** Where the initrd is: memory that is not handed out. */
  readonly initrd: MemoryRange;
  /** The image's load options: the kernel's command line. */
  readonly loadOptions: string;
  /**
   * The processor's version in SMBIOS. Where firmware's memory can be mapped at its own addresses (48 bits of VA), Linux
   * 6.1 leaves SetVirtualAddressMap out, but on machines whose firmware depends on it: it knows them by the beginning of
   * this text, `NEEDS_VIRTUAL_MAP` for one.
   */
  readonly processor?: string;
}

/** Places from the firmware's first byte; the tables' and the stubs' regions are the kernel's to map. */
// deno-fmt-ignore
const AT = {
  DESCRIPTION: 0x2000, IMAGE: 0x3000, OPTIONS: 0x3800, BOOT_TABLE: 0x4000, OUTPUT: 0x5000, OUTPUT_MODE: 0x5100, SMBIOS: 0x5200, RECORD: 0x5300,
  TRANSLATION: 0x8000, STACK: 0x1_0000, TABLES: 0x1_0000, CODE: 0x2_0000,
} as const;
/** Places from the tables' first byte. */
const RUNTIME_TABLE = 0x100, VENDOR_TEXT = 0x200, PROPERTIES = 0x280, CONFIGURATION = 0x300;
/** Configuration tables that there is room for. */
const ROOM = 64;
/** EFI_LOADED_IMAGE_PROTOCOL_GUID. */
const LOADED_IMAGE = "5b1b31a1-9562-11d2-8e3f-00a0c969723b";
/** EFI_SMBIOS_PROTOCOL_GUID; SMBIOS 3.0. */
const SMBIOS = "03583ff6-cb36-4940-947e-b9b39f4afaf7", SMBIOS_VERSION = 3;
const LOADED_IMAGE_REVISION = 0x1000, LOADER_CODE = 1, LOADER_DATA = 2;
const DEVICE_TREE_ROOM = 0x10_0000;
const GIB = 2 ** 30;

/** A processor for which Linux's stub calls SetVirtualAddressMap. */
export const NEEDS_VIRTUAL_MAP = "Ampere(TM) Altra(TM) Processor";

/** What the firmware says before it enters the kernel, and when the kernel came back. */
export const BOOTING = "firmware: boot services are answered",
  RETURNED = "firmware: the image came back, or faulted";

/** The code, which ends in the kernel's stub. */
function startText(base: number, { conduit, level }: BootFirmwareOptions): string {
  const layout = { granule: GRANULES["4K"], inputBits: 39 } as const;
  return `
_start: msr     daifset, #15
        msr     tpidr_el${level}, xzr
        b       probe
answered:
        mov     x0, #1
        msr     tpidr_el${level}, x0
        ldr     x0, =${LOADER_MAIR}
        msr     mair_el${level}, x0
        ldr     x0, =${translationControl(level, layout)}
        msr     tcr_el${level}, x0
        ldr     x0, =${base + AT.TRANSLATION}
        msr     ttbr0_el${level}, x0
        isb
        mrs     x0, sctlr_el${level}
        mov     x1, #0x1005
        orr     x0, x0, x1
        msr     sctlr_el${level}, x0
        isb
        ldr     x0, =${base + AT.STACK}
        mov     sp, x0
        adr     x0, booting
        bl      probe_print
        ldr     x0, =${base + AT.DESCRIPTION}
        ${conduit}     #${firmwareImmediate("Begin")}
        cbnz    x0, returned
        ldr     x21, =${LOADER_KERNEL_AT}
        ldr     w1, [x21, #0x3c]                // the PE header, AddressOfEntryPoint in it
        add     x1, x21, x1
        ldr     w2, [x1, #40]
        add     x2, x21, x2
        ldr     x0, =${base + AT.IMAGE}
        ldr     x1, =${base + AT.TABLES}
        blr     x2
returned:
        adr     x0, came_back
        bl      probe_print
        ldr     x0, =${FUNCTION.SYSTEM_OFF}
        ${conduit}     #0
        b       .

unanswered:
        mrs     x0, tpidr_el${level}
        cbnz    x0, returned                    // no answer to the probe, but a fault of what came later
        adr     x0, unpublished
        bl      probe_print
        ldr     x0, =${LOADER_DEVICE_TREE_AT}
        ldr     x21, =${LOADER_KERNEL_AT}
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        br      x21
        .ltorg
booting:
        .asciz  "${BOOTING}\\r\\n"
came_back:
        .asciz  "${RETURNED}\\r\\n"
unpublished:
        .asciz  "${UNPUBLISHED}\\r\\n"
        .balign 4
`;
}

/** Memory as the firmware found it, with what it took. */
function regionsOf(base: number, { kernelSize, initrd, ram }: BootFirmwareOptions): EfiRegion[] {
  const { WB, RO, XP, RUNTIME } = EFI_MEMORY, size = EFI_RUNTIME_REGION;
  const pages = (bytes: number) => Math.ceil(bytes / EFI_PAGE) * EFI_PAGE;
  return efiMemoryMap(ram, [
    { base, size, type: "BootServicesData" },
    { base: base + AT.TABLES, size, type: "RuntimeServicesData", attributes: WB | XP | RUNTIME },
    { base: base + AT.CODE, size, type: "RuntimeServicesCode", attributes: WB | RO | RUNTIME },
    { base: LOADER_DEVICE_TREE_AT, size: DEVICE_TREE_ROOM, type: "ACPIReclaimMemory" },
    { base: LOADER_KERNEL_AT, size: pages(kernelSize), type: "LoaderCode" },
    { base: initrd.base, size: pages(initrd.size), type: "LoaderData" },
  ]);
}

/** The region of tables that stay. */
function tables(base: number, { runtime }: Stubs): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(EFI_PAGE), at = base + AT.TABLES, code = BigInt(base + AT.CODE);
  const rows = [
    { guid: EFI_GUID.DEVICE_TREE, address: LOADER_DEVICE_TREE_AT },
    { guid: EFI_GUID.RT_PROPERTIES, address: at + PROPERTIES },
  ];
  bytes.set(systemTable({
    vendor: BigInt(at + VENDOR_TEXT),
    input: BigInt(base + AT.OUTPUT), // never read from: it has to be something
    output: BigInt(base + AT.OUTPUT),
    runtime: BigInt(at + RUNTIME_TABLE),
    boot: BigInt(base + AT.BOOT_TABLE),
    configuration: BigInt(at + CONFIGURATION),
    configurationCount: rows.length,
  }));
  const addresses = RUNTIME_SERVICES.map((name) => [name, code + BigInt(runtime[name])]);
  bytes.set(runtimeServicesTable(Object.fromEntries(addresses)), RUNTIME_TABLE);
  bytes.set(ucs2("Hindsight"), VENDOR_TEXT);
  bytes.set(runtimePropertiesTable(SUPPORTED_SERVICES), PROPERTIES);
  bytes.set(configurationTablesArray(rows), CONFIGURATION);
  return bytes;
}

/** SMBIOS 3.0 §7.5: Processor Information, of which only the version says something. */
function processorRecord(version: string): Uint8Array {
  const size = 48, strings = new TextEncoder().encode(`${version}\0\0`);
  const bytes = new Uint8Array(size + strings.length);
  bytes.set([4, size, 1]); // type, length, handle
  bytes[16] = 1;
  bytes.set(strings, size);
  return bytes;
}

/** The region of what ends with boot services. */
function bootData(base: number, options: BootFirmwareOptions, stubs: Stubs): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(AT.TRANSLATION),
    view = new DataView(bytes.buffer),
    code = BigInt(base + AT.CODE);
  const quad = (at: number, value: number | bigint) => view.setBigUint64(at, BigInt(value), true);
  const { HEADER, PROTOCOL } = FIRMWARE_DESCRIPTION, regions = regionsOf(base, options);
  quad(AT.DESCRIPTION, base + AT.TABLES);
  // A handle is the address of what it is there for.
  const protocols = [
    [LOADED_IMAGE, AT.IMAGE],
    ...(options.processor === undefined ? [] : [[SMBIOS, AT.SMBIOS] as const]),
  ] as const;
  for (const [index, value] of [ROOM, protocols.length, regions.length].entries()) {
    view.setUint32(AT.DESCRIPTION + 8 + index * 4, value, true);
  }
  for (const [index, [guid, place]] of protocols.entries()) {
    const row = AT.DESCRIPTION + HEADER + index * PROTOCOL;
    bytes.set(guidBytes(guid), row);
    quad(row + 16, base + place);
    quad(row + 24, base + place);
  }
  bytes.set(encodeMemoryMap(regions), AT.DESCRIPTION + HEADER + protocols.length * PROTOCOL);
  const loadOptions = ucs2(options.loadOptions);
  view.setUint32(AT.IMAGE, LOADED_IMAGE_REVISION, true);
  quad(AT.IMAGE + 16, base + AT.TABLES);
  view.setUint32(AT.IMAGE + 48, loadOptions.length, true);
  quad(AT.IMAGE + 56, base + AT.OPTIONS);
  quad(AT.IMAGE + 64, LOADER_KERNEL_AT);
  quad(AT.IMAGE + 72, options.kernelSize);
  view.setUint32(AT.IMAGE + 80, LOADER_CODE, true);
  view.setUint32(AT.IMAGE + 84, LOADER_DATA, true);
  bytes.set(loadOptions, AT.OPTIONS);
  const services = new Uint8Array(24 + BOOT_SERVICES.length * 8), table = new DataView(services.buffer);
  for (const [index, name] of BOOT_SERVICES.entries()) {
    table.setBigUint64(24 + index * 8, name === "Reserved" ? 0n : code + BigInt(stubs.boot[name]), true);
  }
  bytes.set(efiTable("BOOTSERV", services), AT.BOOT_TABLE);
  for (const [index, name] of TEXT_OUTPUT.entries()) {
    quad(AT.OUTPUT + index * 8, code + BigInt(stubs.output[name]));
  }
  quad(AT.OUTPUT + TEXT_OUTPUT.length * 8, base + AT.OUTPUT_MODE);
  for (const [index, offset] of stubs.smbios.entries()) quad(AT.SMBIOS + index * 8, code + BigInt(offset));
  view.setUint8(AT.SMBIOS + 32, SMBIOS_VERSION);
  quad(AT.SMBIOS + 40, base + AT.RECORD);
  bytes.set(processorRecord(options.processor ?? ""), AT.RECORD);
  return bytes;
}

/** Everything at its own address: devices in the first gibibyte, RAM after it. */
function translation(base: number, { level, ram }: BootFirmwareOptions): Uint8Array<ArrayBuffer> {
  const layout = { granule: GRANULES["4K"], inputBits: 39 } as const;
  const builder = new TranslationTableBuilder(layout, BigInt(base + AT.TRANSLATION), 4);
  const page = BigInt(UART_ADDRESS), devices = leafAttributes(level, "device");
  builder.map({ virtual: page, physical: page, size: BigInt(EFI_PAGE), attributes: devices });
  for (let at = ram.base; at < ram.base + ram.size; at += GIB) {
    const image = leafAttributes(level, "image");
    builder.map({ virtual: BigInt(at), physical: BigInt(at), size: BigInt(GIB), attributes: image });
  }
  return builder.bytes;
}

/** RAM before the first step, but for the kernel and the initrd. Throws RangeError for what does not fit. */
export function bootFirmware(options: BootFirmwareOptions): EfiHandOff {
  const base = EFI_SHELL_AT, stubs = upcallStubs(options.conduit), tree = writeDeviceTree(options.deviceTree);
  if (tree.length > DEVICE_TREE_ROOM) {
    throw new RangeError(`The device tree has ${tree.length} bytes, of ${DEVICE_TREE_ROOM} at most`);
  }
  if (options.loadOptions.length > 1000) {
    throw new RangeError("The load options are longer than 1000 characters");
  }
  const sources = [{ name: "boot_firmware", text: startText(base, options) }, probeSource(options.conduit)];
  const start = assembleProgram(sources, { base: BigInt(base) }), data = bootData(base, options, stubs);
  if (start.size > AT.DESCRIPTION) {
    throw new RangeError(`The start has ${start.size} bytes, of ${AT.DESCRIPTION} at most`);
  }
  data.set(start.bytes);
  return {
    entry: base,
    segments: [
      { name: "firmware.bin", base, bytes: data },
      { name: "firmware_translation.bin", base: base + AT.TRANSLATION, bytes: translation(base, options) },
      { name: "firmware_tables.bin", base: base + AT.TABLES, bytes: tables(base, stubs) },
      { name: "firmware_code.bin", base: base + AT.CODE, bytes: stubs.code },
      { name: "firmware_tree.dtb", base: LOADER_DEVICE_TREE_AT, bytes: tree },
    ],
    memoryMap: regionsOf(base, options),
    systemTable: base + AT.TABLES,
    runtimeCode: base + AT.CODE,
  };
}
