/** The caller's system table as the services change it: pointers, configuration tables, CRCs (UEFI 2.10 §4). */
import { crc32 } from "../../../machine/crc32.ts";
import { guidText } from "../../../machine/guid.ts";
import { RUNTIME_SERVICES } from "../../../machine/uefi_services.ts";
import { EFI_STATUS, EfiError } from "../../efi_status.ts";
import type { Caller } from "./caller.ts";

/** Offsets in EFI_SYSTEM_TABLE. */
// deno-fmt-ignore
const VENDOR = 24, INPUT = 40, RUNTIME = 88, BOOT = 96, COUNT = 104, TABLES = 112, SIZE = 120;
const CRC = 16, HEADER = 24, ROW = 24;

function changeTable(caller: Caller, address: bigint, size: number, change: (table: DataView) => void): void {
  const bytes = caller.read(address, size), view = new DataView(bytes.buffer);
  change(view);
  view.setUint32(CRC, 0, true);
  view.setUint32(CRC, crc32(bytes), true);
  caller.demandWritable(address, size);
  caller.write(address, bytes);
}

/** ExitBootServices: consoles and boot services are gone. */
export function leaveBootServices(caller: Caller, systemTable: bigint): void {
  changeTable(caller, systemTable, SIZE, (table) => {
    for (let at = INPUT; at < RUNTIME; at += 8) table.setBigUint64(at, 0n, true);
    table.setBigUint64(BOOT, 0n, true);
  });
}

/** SetVirtualAddressMap: every pointer of the tables that lies in a runtime region becomes virtual. */
export function convertTables(
  caller: Caller,
  systemTable: bigint,
  convert: (address: bigint) => bigint,
): void {
  const services = caller.readNumber(systemTable + BigInt(RUNTIME), 8);
  changeTable(caller, services, HEADER + RUNTIME_SERVICES.length * 8, (table) => {
    for (let at = HEADER; at < table.byteLength; at += 8) {
      table.setBigUint64(at, convert(table.getBigUint64(at, true)), true);
    }
  });
  changeTable(caller, systemTable, SIZE, (table) => {
    for (const at of [VENDOR, RUNTIME, TABLES]) {
      table.setBigUint64(at, convert(table.getBigUint64(at, true)), true);
    }
  });
}

/** InstallConfigurationTable(Guid, Table): adds, changes or, with a null table, removes a row. */
export function installConfigurationTable(caller: Caller, systemTable: bigint, room: number): bigint {
  const guid = caller.readGuid(caller.argument(0)), address = caller.argument(1);
  const count = Number(caller.readNumber(systemTable + BigInt(COUNT), 8));
  const tables = caller.readNumber(systemTable + BigInt(TABLES), 8);
  if (count > room) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
  const bytes = caller.read(tables, count * ROW);
  const rows = Array.from({ length: count }, (_, at) => bytes.slice(at * ROW, (at + 1) * ROW));
  const at = rows.findIndex((row) => guidText(row.subarray(0, 16)) === guid);
  if (address === 0n) {
    if (at < 0) throw new EfiError(EFI_STATUS.NOT_FOUND);
    rows.splice(at, 1);
  } else {
    const row = at < 0 ? new Uint8Array(ROW) : rows[at] as Uint8Array<ArrayBuffer>;
    row.set(caller.read(caller.argument(0), 16));
    new DataView(row.buffer, row.byteOffset, ROW).setBigUint64(16, address, true);
    if (at < 0) rows.push(row);
  }
  if (rows.length > room) throw new EfiError(EFI_STATUS.OUT_OF_RESOURCES);
  caller.demandWritable(tables, rows.length * ROW);
  caller.write(tables, Uint8Array.from(rows.flatMap((row) => [...row])));
  changeTable(caller, systemTable, SIZE, (table) => table.setBigUint64(COUNT, BigInt(rows.length), true));
  return EFI_STATUS.SUCCESS;
}
