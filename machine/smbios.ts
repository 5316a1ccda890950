/** SMBIOS tables (DMTF DSP0134 3.0) as QEMU's virt gives them to firmware, byte by byte: system, chassis, CPU, memory. */
import { ByteWriter } from "./layout.ts";

/** What the tables say of the machine. */
export interface SmbiosFacts {
  /** Cores of the one socket. */
  readonly cpus: number;
  /** Size of the one memory module in MiB. */
  readonly memoryMiB: number;
}

/** A structure: type, handle, fields after them as pairs of size and value, and the strings that fields number from 1. */
interface Structure {
  readonly type: number;
  readonly handle: number;
  readonly fields: readonly (readonly [size: 1 | 2 | 4 | 8 | 16, value: number])[];
  readonly strings: readonly string[];
}

const MANUFACTURER = "QEMU";
/** The version of the board that this one is compatible with. */
const VERSION = "virt-7.2";

const UNKNOWN = 2;
const SAFE = 3;
/** No structure, and no information. */
const NONE_16 = 0xfffe;
const UNKNOWN_16 = 0xffff;
const MEMORY_ARRAY = 0x1000;

/** Field by field: DSP0134 §7.2, 7.4, 7.5, 7.17, 7.18, 7.33 and 7.45. */
// deno-fmt-ignore
function structures({ cpus, memoryMiB }: SmbiosFacts): readonly Structure[] {
  return [
    { type: 1, handle: 0x100, strings: [MANUFACTURER, "QEMU Virtual Machine", VERSION], fields: [
      [1, 1], [1, 2], [1, 3], [1, 0],                                   // manufacturer, product, version, serial number
      [16, 0], [1, 6], [1, 0], [1, 0],                                  // UUID, woken by the power switch, SKU, family
    ] },
    { type: 3, handle: 0x300, strings: [MANUFACTURER, VERSION], fields: [
      [1, 1], [1, 1], [1, 2], [1, 0], [1, 0],                           // manufacturer, type: other, version, serial, asset
      [1, SAFE], [1, SAFE], [1, SAFE], [1, UNKNOWN],                    // boot-up, power, thermal and security states
      [4, 0], [1, 0], [1, 0], [1, 0], [1, 0], [1, 0],                   // OEM, height, cords, elements, their size, SKU
    ] },
    { type: 4, handle: 0x400, strings: ["CPU 0", MANUFACTURER, VERSION], fields: [
      [1, 1], [1, 3], [1, 1], [1, 2], [8, 0], [1, 3], [1, 0],           // socket, CPU, family: other, manufacturer, ID, version, voltage
      [2, 0], [2, 2000], [2, 2000], [1, 0x41], [1, 1],                  // clock, highest and present speed in MHz, enabled, upgrade
      [2, UNKNOWN_16], [2, UNKNOWN_16], [2, UNKNOWN_16],                // caches
      [1, 0], [1, 0], [1, 0], [1, cpus], [1, cpus], [1, cpus],          // serial, asset, part; cores, those enabled, threads
      [2, UNKNOWN], [2, 1], [2, cpus], [2, cpus], [2, cpus],            // characteristics, family; the same counts
    ] },
    { type: 16, handle: MEMORY_ARRAY, strings: [], fields: [
      [1, 1], [1, 3], [1, 6], [4, memoryMiB * 1024],                    // location: other, system memory, multi-bit ECC, KiB
      [2, NONE_16], [2, 1], [8, 0],                                     // no errors, one module, no larger size
    ] },
    { type: 17, handle: 0x1100, strings: ["DIMM 0", MANUFACTURER], fields: [
      [2, MEMORY_ARRAY], [2, NONE_16], [2, UNKNOWN_16], [2, UNKNOWN_16], // array, errors, widths
      [2, memoryMiB], [1, 9], [1, 0], [1, 1], [1, 0], [1, 7], [2, UNKNOWN], // MiB, DIMM, set, locator, bank, RAM, detail
      [2, 0], [1, 2], [1, 0], [1, 0], [1, 0], [1, 0],                   // speed, manufacturer, serial, asset, part, rank
      [4, 0], [2, 0], [2, 0], [2, 0], [2, 0],                           // larger size, speed, voltages
    ] },
    { type: 32, handle: 0x2000, strings: [], fields: [[4, 0], [2, 0], [1, 0]] }, // reserved, booted without errors
    { type: 127, handle: 0x7f00, strings: [], fields: [] },
  ];
}

const encoder = new TextEncoder();
const HEADER_SIZE = 4;

/** Header, fields, strings each ended by a zero, and a zero at the end; two zeros when there are no strings. */
function writeStructure(writer: ByteWriter, { type, handle, fields, strings }: Structure): void {
  writer.u8(type);
  writer.u8(fields.reduce((size, [bytes]) => size + bytes, HEADER_SIZE));
  writer.u16(handle);
  for (const [size, value] of fields) {
    for (let at = 0, rest = value; at < size; at++, rest = Math.floor(rest / 256)) writer.u8(rest % 256);
  }
  writer.raw(encoder.encode(strings.map((text) => `${text}\0`).join("") || "\0"));
  writer.u8(0);
}

/** The tables one after another. */
export function smbiosTables(facts: SmbiosFacts): Uint8Array {
  const writer = new ByteWriter();
  for (const structure of structures(facts)) writeStructure(writer, structure);
  return writer.bytes();
}

/** The entry point of SMBIOS 3.0 (§5.2.2) for tables of that size; firmware puts in their address and the checksum. */
export function smbiosAnchor(tableSize: number): Uint8Array {
  const writer = new ByteWriter();
  const anchor = encoder.encode("_SM3_");
  writer.raw(anchor);
  for (const byte of [0, 24, 3, 0, 0, 1, 0]) writer.u8(byte); // checksum, size, versions of specification and entry point
  writer.u32(tableSize);
  writer.u64(0n);
  return writer.bytes();
}
