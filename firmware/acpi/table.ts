/** ACPI tables as bytes: header, checksum, and all of them placed in memory behind an RSDP (ACPI 6.3, 5.2). */
import { FADT, HEADER, RSDP } from "./layouts.ts";
import { characters, charactersOf, concatenate, getNumber, putNumber } from "./structure.ts";

/** A table that is not yet at an address. */
export interface AcpiTable {
  /** Four characters, such as APIC. */
  readonly signature: string;
  /** All of it; pointers to other tables are 0 until it is placed. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Who made the tables. */
const OEM = { oemId: "HNDSGT", oemTableId: "DT2ACPI ", creatorId: "HNDS", revision: 1 } as const;

/** The byte that makes the sum of all a multiple of 256; `at` is where it will stand. */
export function checksum(bytes: Uint8Array, at: number): number {
  const sum = bytes.reduce((total, byte, index) => index === at ? total : total + byte & 0xff, 0);
  return -sum & 0xff;
}

const CHECKSUM_AT = HEADER.offset("checksum");

/** Computes a table's checksum anew. */
export function seal(bytes: Uint8Array): void {
  bytes[CHECKSUM_AT] = checksum(bytes, CHECKSUM_AT);
}

/** A table of what is behind its header. */
export function acpiTable(signature: string, revision: number, parts: readonly Uint8Array[]): AcpiTable {
  const contents = concatenate(parts), length = HEADER.size + contents.length;
  const header = HEADER.encode({
    signature: characters(signature, 4),
    length,
    revision,
    oemId: characters(OEM.oemId, 6),
    oemTableId: characters(OEM.oemTableId, 8),
    oemRevision: OEM.revision,
    creatorId: characters(OEM.creatorId, 4),
    creatorRevision: OEM.revision,
  });
  const bytes = concatenate([header, contents]);
  seal(bytes);
  return { signature, bytes };
}

/** The signature and length of the table at the start of some bytes. */
export function tableHeader(bytes: Uint8Array): { signature: string; length: number; revision: number } {
  return {
    signature: charactersOf(getNumber(bytes, 0, 4), 4),
    length: Number(getNumber(bytes, HEADER.offset("length"), 4)),
    revision: Number(getNumber(bytes, HEADER.offset("revision"), 1)),
  };
}

/** A table at an address. */
export interface PlacedTable extends AcpiTable {
  /** Physical address. */
  readonly address: number;
}

/** All tables in memory. */
export interface PlacedTables {
  /** Physical address of the first byte, which is the RSDP's. */
  readonly rsdp: number;
  /** RSDP, XSDT and all tables. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** XSDT first, then the tables in the order given. */
  readonly tables: readonly PlacedTable[];
}

/** Tables start at multiples of this; the specification wants none. */
const ALIGNMENT = 64;
const aligned = (value: number): number => Math.ceil(value / ALIGNMENT) * ALIGNMENT;

/** Bytes of an XSDT that names `count` tables. */
const xsdtSize = (count: number): number => HEADER.size + 8 * count;

/**
 * Puts tables at `base`, a multiple of 16 below 2^53: the RSDP, the XSDT, and the tables, of which the FADT points to the
 * DSDT. Throws RangeError when there is no DSDT or no FADT.
 */
export function placeTables(tables: readonly AcpiTable[], base: number): PlacedTables {
  if (base % 16 !== 0) {
    throw new RangeError(`The RSDP cannot be at 0x${base.toString(16)}: no multiple of 16`);
  }
  const listed = tables.filter(({ signature }) => signature !== "DSDT");
  const xsdtAt = base + aligned(RSDP.size);
  let at = xsdtAt + aligned(xsdtSize(listed.length));
  const placed = tables.map(({ signature, bytes }): PlacedTable => {
    const address = at;
    at += aligned(bytes.length);
    return { signature, address, bytes: Uint8Array.from(bytes) };
  });
  const addressOf = (signature: string): number => {
    const found = placed.find((table) => table.signature === signature);
    if (found === undefined) throw new RangeError(`There is no ${signature} among the tables`);
    return found.address;
  };
  const fadt = placed.find(({ address }) => address === addressOf("FACP")) as PlacedTable;
  putNumber(fadt.bytes, HEADER.size + FADT.offset("xDsdt"), 8, addressOf("DSDT"));
  seal(fadt.bytes);
  const pointers = placed.filter(({ signature }) => signature !== "DSDT").map(({ address }) => {
    const pointer = new Uint8Array(8);
    putNumber(pointer, 0, 8, address);
    return pointer;
  });
  const xsdt: PlacedTable = { ...acpiTable("XSDT", 1, pointers), address: xsdtAt };
  const all = [xsdt, ...placed], bytes = new Uint8Array(at - base);
  bytes.set(rootPointer(xsdtAt));
  for (const table of all) bytes.set(table.bytes, table.address - base);
  return { rsdp: base, bytes, tables: all };
}

/** Bytes of the RSDP's first checksum, which is revision 0's. */
const FIRST_PART = 20;

/** An RSDP for an XSDT at an address. */
export function rootPointer(xsdt: number): Uint8Array<ArrayBuffer> {
  const bytes = RSDP.encode({ signature: characters("RSD PTR ", 8), oemId: characters(OEM.oemId, 6), xsdt });
  const first = RSDP.offset("checksum"), extended = RSDP.offset("extendedChecksum");
  bytes[first] = checksum(bytes.subarray(0, FIRST_PART), first);
  bytes[extended] = checksum(bytes, extended);
  return bytes;
}
