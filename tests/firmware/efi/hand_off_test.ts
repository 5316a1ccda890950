/** The EFI shell: tables, memory map and properties, read back as a kernel reads them. */
import { assertEquals, assertThrows } from "@std/assert";
import { crc32 } from "../../../machine/crc32.ts";
import { EFI_GUID, guidBytes, guidText } from "../../../firmware/efi/guid.ts";
import { efiHandOff, type EfiHandOffOptions, efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { efiMemoryMap, type EfiRegion } from "../../../firmware/efi/memory_map.ts";
import { RUNTIME_SERVICES, type RuntimeService } from "../../../machine/uefi_services.ts";
import { kernelTree, LOADER_INITRD_AT } from "../../../firmware/loader/kernel_boot.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { parseDeviceTree } from "../../../machine/device_tree_reader.ts";

const RAM = { base: 0x4000_0000, size: 0x1000_0000 };

function options(more: Partial<EfiHandOffOptions> = {}): EfiHandOffOptions {
  const initrd = { base: LOADER_INITRD_AT, size: 4096 };
  const deviceTree = kernelTree({
    configuration: parseConfiguration({ memoryMiB: 256 }),
    append: "x",
    initrd,
  });
  return { ram: RAM, deviceTree, ...more };
}

const OFFSETS = Object.fromEntries(RUNTIME_SERVICES.map((name, index) => [name, index * 8])) as Record<
  RuntimeService,
  number
>;

Deno.test("crc32 is that of ISO 3309", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf4_3926);
});

Deno.test("guidBytes has the first three fields little-endian, and guidText reads them back", () => {
  const bytes = guidBytes(EFI_GUID.ACPI_20);
  assertEquals([...bytes], [
    0x71,
    0xe8,
    0x68,
    0x88,
    0xf1,
    0xe4,
    0xd3,
    0x11,
    0xbc,
    0x22,
    0,
    0x80,
    0xc7,
    0x3c,
    0x88,
    0x81,
  ]);
  assertEquals(guidText(bytes), EFI_GUID.ACPI_20);
  assertThrows(() => guidBytes("8868e871-e4f1-11d3-bc22"), RangeError, "is no GUID");
  assertThrows(() => guidText(bytes.subarray(1)), RangeError, "not 15");
});

Deno.test("efiMemoryMap fills RAM with conventional memory around the regions", () => {
  const region = (base: number, size: number, type: EfiRegion["type"]): EfiRegion => ({ base, size, type });
  const map = efiMemoryMap({ base: 0x1000, size: 0x9000 }, [
    region(0x8000, 0x2000, "ReservedMemoryType"),
    region(0x3000, 0x1000, "ACPIReclaimMemory"),
    region(0x1_0000, 0x1000, "MemoryMappedIO"),
  ]);
  assertEquals(map, [
    region(0x1000, 0x2000, "ConventionalMemory"),
    region(0x3000, 0x1000, "ACPIReclaimMemory"),
    region(0x4000, 0x4000, "ConventionalMemory"),
    region(0x8000, 0x2000, "ReservedMemoryType"),
    region(0x1_0000, 0x1000, "MemoryMappedIO"),
  ]);
  const bad = (...regions: EfiRegion[]) => () => efiMemoryMap(RAM, regions);
  assertThrows(bad(region(0x4000_0800, 0x1000, "LoaderData")), RangeError, "not whole pages");
  assertThrows(
    bad(region(0x4000_0000, 0x2000, "LoaderData"), region(0x4000_1000, 0x1000, "ACPIMemoryNVS")),
    RangeError,
    "ACPIMemoryNVS at 0x40001000 overlaps LoaderData at 0x40000000",
  );
});

Deno.test("efiHandOff leads from /chosen to all tables, whose CRCs hold", () => {
  const runtime = {
    code: new Uint8Array(112),
    offsets: OFFSETS,
    supported: ["GetTime", "ResetSystem"] as const,
  };
  const handOff = efiHandOff(options({
    runtime,
    configurationTables: [{ guid: EFI_GUID.ACPI_20, address: 0x4900_0000 }],
    reserved: [{ base: 0x4900_0000, size: 0x1000, type: "ACPIReclaimMemory" }],
  }));
  const memory = (address: number, size: number): DataView => {
    const found = handOff.segments.find(({ base, bytes }) =>
      address >= base && address + size <= base + bytes.length
    );
    return new DataView(found!.bytes.buffer, address - found!.base, size);
  };
  const tree = handOff.segments.find(({ name }) => name.endsWith(".dtb"))!;
  const chosen = parseDeviceTree(tree.bytes, "the tree").root.child("chosen")!;
  const property = (name: string): number =>
    chosen.get(`linux,uefi-${name}`)!.reduce((value, byte) => value * 256 + byte, 0);
  assertEquals(property("system-table"), handOff.systemTable);
  assertEquals([property("mmap-desc-size"), property("mmap-desc-ver")], [48, 1]);
  const virtual = new Map<bigint, number>();
  const places: string[] = [];
  for (let at = 0; at < property("mmap-size"); at += 48) {
    const descriptor = memory(property("mmap-start") + at, 48);
    const base = Number(descriptor.getBigUint64(8, true));
    places.push(`${descriptor.getUint32(0, true)}:${base.toString(16)}+${descriptor.getBigUint64(24, true)}`);
    if (descriptor.getBigUint64(32, true) >> 63n) virtual.set(descriptor.getBigUint64(16, true), base);
  }
  assertEquals(places, [
    "7:40000000+30720",
    "2:47800000+16",
    "6:47810000+16",
    "5:47820000+16",
    "7:47830000+6096",
    "9:49000000+1",
    "7:49001000+28671",
  ]);
  const physical = (address: bigint): number => {
    const [from, to] = [...virtual].find(([from]) => address >= from && address < from + 0x1_0000n)!;
    return Number(address - from) + to;
  };
  const checked = (address: number, size: number, signature: string): DataView => {
    const table = memory(address, size), copy = new Uint8Array(size);
    copy.set(new Uint8Array(table.buffer, table.byteOffset, size));
    assertEquals(new TextDecoder().decode(copy.subarray(0, 8)), signature);
    assertEquals(table.getUint32(12, true), size);
    copy.fill(0, 16, 20);
    assertEquals(table.getUint32(16, true), crc32(copy));
    return table;
  };
  const system = checked(property("system-table"), 120, "IBI SYST");
  assertEquals(system.getBigUint64(96, true), 0n, "no boot services");
  const services = checked(physical(system.getBigUint64(88, true)), 136, "RUNTSERV");
  for (const [index, name] of RUNTIME_SERVICES.entries()) {
    assertEquals(physical(services.getBigUint64(24 + index * 8, true)), handOff.runtimeCode + OFFSETS[name]);
  }
  const rows = memory(physical(system.getBigUint64(112, true)), Number(system.getBigUint64(104, true)) * 24);
  const guid = (row: number): string => guidText(new Uint8Array(rows.buffer, rows.byteOffset + row * 24, 16));
  assertEquals([guid(0), rows.getBigUint64(16, true)], [EFI_GUID.ACPI_20, 0x4900_0000n]);
  assertEquals(guid(1), EFI_GUID.RT_PROPERTIES);
  assertEquals(memory(Number(rows.getBigUint64(40, true)), 8).getUint32(4, true), 0x401);
});

Deno.test("efiHandOff says what does not fit, and has no runtime regions without services", () => {
  const plain = efiHandOff(options());
  assertEquals(plain.memoryMap.filter(({ type }) => type.startsWith("Runtime")), []);
  assertEquals(
    efiLoaderOptions(plain).options[1],
    "loader,file=efi_start.bin,addr=0x47800000,force-raw=on,cpu-num=0",
  );
  assertThrows(() => efiHandOff(options({ shell: 0x4780_1000 })), RangeError, "multiple of 64 KiB");
  const code = new Uint8Array(0x1_0001);
  assertThrows(
    () => efiHandOff(options({ runtime: { code, offsets: OFFSETS, supported: [] } })),
    RangeError,
    "65537",
  );
  const reserved = Array.from({ length: 1200 }, (_, at): EfiRegion => (
    { base: 0x4a00_0000 + at * 8192, size: 4096, type: "ReservedMemoryType" }
  ));
  assertThrows(() => efiHandOff(options({ reserved })), RangeError, "memory map of");
  const configurationTables = Array.from({ length: 200 }, () => ({ guid: EFI_GUID.SMBIOS3, address: 0 }));
  assertThrows(() => efiHandOff(options({ configurationTables })), RangeError, "201 configuration tables");
});
