/** ACPI tables found in memory from an RSDP, checked on the way (ACPI 6.3, 5.2). */
import { FADT, HEADER, RSDP } from "./layouts.ts";
import { checksum, type PlacedTable, tableHeader } from "./table.ts";
import { charactersOf, getNumber } from "./structure.ts";

/** Memory that tables lie in. */
export interface TableMemory {
  /** Physical address of the first byte. */
  readonly base: number;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** What was found, and what is wrong with it. */
export interface FoundTables {
  /** XSDT first, the tables in its order, the DSDT behind the FADT; those whose length does not fit are missing. */
  readonly tables: readonly PlacedTable[];
  /** One line for each thing that is wrong. */
  readonly problems: readonly string[];
}

const FIRST_PART = 20;

/** The sum of all bytes is 0. */
const isSealed = (bytes: Uint8Array): boolean => checksum(bytes, bytes.length) === 0;

/** Follows an RSDP at an address. */
export function readTables({ base, bytes }: TableMemory, rsdp: number): FoundTables {
  const problems: string[] = [], tables: PlacedTable[] = [];
  const at = (address: number, size: number): Uint8Array<ArrayBuffer> | undefined =>
    address >= base && address + size <= base + bytes.length
      ? Uint8Array.from(bytes.subarray(address - base, address - base + size))
      : undefined;
  const table = (address: number, what: string): PlacedTable | undefined => {
    const head = at(address, HEADER.size), length = head === undefined ? 0 : tableHeader(head).length;
    const all = length < HEADER.size ? undefined : at(address, length);
    if (all === undefined) {
      problems.push(`${what} is not in memory as a whole`);
      return undefined;
    }
    const { signature } = tableHeader(all);
    if (!/^[A-Z0-9]{4}$/.test(signature)) {
      problems.push(`${what} has the signature ${JSON.stringify(signature)}`);
    }
    if (!isSealed(all)) problems.push(`${signature}: its checksum is wrong`);
    const found = { signature, bytes: all, address };
    tables.push(found);
    return found;
  };
  const root = at(rsdp, RSDP.size);
  if (root === undefined) return { tables, problems: ["the RSDP is not in memory"] };
  if (charactersOf(getNumber(root, 0, 8), 8) !== "RSD PTR ") problems.push("RSDP: its signature is wrong");
  if (!isSealed(root.subarray(0, FIRST_PART)) || !isSealed(root)) problems.push("RSDP: a checksum is wrong");
  const xsdt = table(Number(RSDP.decode(root).xsdt), "the XSDT");
  if (xsdt === undefined) return { tables, problems };
  if (xsdt.signature !== "XSDT" || (xsdt.bytes.length - HEADER.size) % 8 !== 0) {
    problems.push("XSDT: it is no list of tables");
  }
  for (let entry = HEADER.size; entry + 8 <= xsdt.bytes.length; entry += 8) {
    const found = table(
      Number(getNumber(xsdt.bytes, entry, 8)),
      `entry ${(entry - HEADER.size) / 8} of the XSDT`,
    );
    if (found?.signature !== "FACP") continue;
    const dsdt = table(Number(FADT.decode(found.bytes, HEADER.size).xDsdt ?? 0n), "the FADT's DSDT");
    if (dsdt !== undefined && dsdt.signature !== "DSDT") {
      problems.push("FACP: what X_DSDT points to is no DSDT");
    }
  }
  if (!tables.some(({ signature }) => signature === "FACP")) problems.push("XSDT: there is no FADT");
  return { tables, problems };
}
