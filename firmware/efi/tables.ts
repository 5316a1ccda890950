/** EFI tables as bytes: table headers, system table, runtime services table, configuration tables (UEFI 2.10 §4). */
import { crc32 } from "../../machine/crc32.ts";
import { guidBytes } from "../../machine/guid.ts";
import { RUNTIME_SERVICES, type RuntimeService } from "../../machine/uefi_services.ts";

/** EFI_SYSTEM_TABLE_REVISION and the like: UEFI 2.10. */
export const EFI_REVISION = 2 << 16 | 100;

const HEADER_SIZE = 24;

/** EFI_TABLE_HEADER and what follows it, `contents` with 24 bytes left free in front; the CRC is computed. */
export function efiTable(signature: string, contents: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(contents.buffer, contents.byteOffset, contents.length);
  for (let at = 0; at < 8; at++) view.setUint8(at, signature.charCodeAt(at));
  view.setUint32(8, EFI_REVISION, true);
  view.setUint32(12, contents.length, true);
  view.setUint32(16, 0, true);
  view.setUint32(20, 0, true);
  view.setUint32(16, crc32(contents), true);
  return contents;
}

/** EFI_RT_SUPPORTED_*: bits of RuntimeServicesSupported (UEFI 2.10 §4.6.2), which has an order of its own. */
// deno-fmt-ignore
const SUPPORTED_BIT: Readonly<Record<RuntimeService, number>> = {
  GetTime: 0x1, SetTime: 0x2, GetWakeupTime: 0x4, SetWakeupTime: 0x8, GetVariable: 0x10,
  GetNextVariableName: 0x20, SetVariable: 0x40, SetVirtualAddressMap: 0x80, ConvertPointer: 0x100,
  GetNextHighMonotonicCount: 0x200, ResetSystem: 0x400, UpdateCapsule: 0x800,
  QueryCapsuleCapabilities: 0x1000, QueryVariableInfo: 0x2000,
};

/** EFI_RUNTIME_SERVICES; every service has an address, those that are not supported too. */
export function runtimeServicesTable(
  addresses: Readonly<Record<RuntimeService, bigint>>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_SIZE + RUNTIME_SERVICES.length * 8), view = new DataView(bytes.buffer);
  for (const [index, service] of RUNTIME_SERVICES.entries()) {
    view.setBigUint64(HEADER_SIZE + index * 8, addresses[service], true);
  }
  return efiTable("RUNTSERV", bytes);
}

/** EFI_RT_PROPERTIES_TABLE: which services can be called after ExitBootServices. */
export function runtimePropertiesTable(supported: readonly RuntimeService[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint16(0, 1, true);
  view.setUint16(2, 8, true);
  view.setUint32(4, supported.reduce((mask, service) => mask | SUPPORTED_BIT[service], 0), true);
  return new Uint8Array(view.buffer);
}

/** A row of the system table's ConfigurationTable. */
export interface ConfigurationTable {
  /** Which table, as text. */
  readonly guid: string;
  /** Its physical address. */
  readonly address: number;
}

/** The array of EFI_CONFIGURATION_TABLE. */
export function configurationTablesArray(tables: readonly ConfigurationTable[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(tables.length * 24), view = new DataView(bytes.buffer);
  for (const [index, { guid, address }] of tables.entries()) {
    bytes.set(guidBytes(guid), index * 24);
    view.setBigUint64(index * 24 + 16, BigInt(address), true);
  }
  return bytes;
}

/** Pointers of a system table; what is left out is NULL, as ExitBootServices leaves it. */
export interface SystemTablePointers {
  /** FirmwareVendor: a UCS-2 text. */
  readonly vendor: bigint;
  /** ConIn and ConOut: console protocols. */
  readonly input?: bigint;
  readonly output?: bigint;
  /** RuntimeServices. */
  readonly runtime?: bigint;
  /** BootServices. */
  readonly boot?: bigint;
  /** ConfigurationTable and the number of its rows. */
  readonly configuration: bigint;
  readonly configurationCount: number;
}

/** Bytes of EFI_SYSTEM_TABLE. */
export const SYSTEM_TABLE_SIZE = 120;
/** FirmwareRevision: ours. */
const FIRMWARE_REVISION = 0x1_0000;

/** EFI_SYSTEM_TABLE. */
export function systemTable(pointers: SystemTablePointers): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SYSTEM_TABLE_SIZE), view = new DataView(bytes.buffer);
  const { vendor, input = 0n, output = 0n, runtime = 0n, boot = 0n, configuration, configurationCount } =
    pointers;
  view.setBigUint64(24, vendor, true);
  view.setUint32(32, FIRMWARE_REVISION, true);
  view.setBigUint64(48, input, true);
  view.setBigUint64(64, output, true);
  view.setBigUint64(88, runtime, true);
  view.setBigUint64(96, boot, true);
  view.setBigUint64(104, BigInt(configurationCount), true);
  view.setBigUint64(112, configuration, true);
  return efiTable("IBI SYST", bytes);
}

/** A text as UEFI has it: UCS-2, little-endian, with a zero at the end. */
export function ucs2(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((text.length + 1) * 2), view = new DataView(bytes.buffer);
  for (let at = 0; at < text.length; at++) view.setUint16(at * 2, text.charCodeAt(at), true);
  return bytes;
}
