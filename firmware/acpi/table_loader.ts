/** QEMU's way of handing ACPI tables to firmware: files of fw_cfg, and a script that places them (QEMU docs/specs/acpi, bios-linker-loader). */
import { FADT, HEADER, RSDP } from "./layouts.ts";
import { checksum, type PlacedTables } from "./table.ts";
import { characters, charactersOf, getNumber, putNumber, structure } from "./structure.ts";
import type { TableMemory } from "./tables_reader.ts";

/** Names of the files. */
export const LOADER_FILES = {
  rsdp: "etc/acpi/rsdp",
  tables: "etc/acpi/tables",
  script: "etc/table-loader",
} as const;

const NAME = 56;
/** A command of the script: 128 bytes, of which each uses what it needs. */
const COMMAND_SIZE = 128;
// deno-fmt-ignore
const COMMANDS = {
  allocate: structure("command:4=1 file:56 alignment:4 zone:1"),
  addPointer: structure("command:4=2 file:56 source:56 offset:4 size:1"),
  addChecksum: structure("command:4=3 file:56 offset:4 start:4 length:4"),
} as const;
/** Zones: anywhere below 4 GiB; below 1 MiB on a PC, which is where an RSDP belongs. */
const HIGH = 1, LOW = 2;

const nameOf = (field: bigint): string => charactersOf(field, NAME).replace(/\0.*$/, "");
const fieldOf = (name: string): bigint => characters(name, NAME, "\0");

/** A script or files that do not fit together; the message says where. */
export class TableLoaderError extends Error {
  /** Name of the class. */
  override name = "TableLoaderError";
}

/**
 * Carries out a script as firmware does: files one behind another from `base` on. Returns the memory, and where the RSDP is.
 * Throws TableLoaderError for a command that is not understood or leads out of its file.
 */
export function runTableLoader(
  script: Uint8Array,
  files: ReadonlyMap<string, Uint8Array>,
  base: number,
): { readonly memory: TableMemory; readonly rsdp: number } {
  const places = new Map<string, { address: number; bytes: Uint8Array }>();
  let end = base;
  const placed = (name: string, at: number, size: number) => {
    const place = places.get(name);
    if (place !== undefined && at + size <= place.bytes.length) return place;
    throw new TableLoaderError(`the script speaks of offset ${at} of ${name}, which it has not allocated`);
  };
  for (let at = 0; at + COMMAND_SIZE <= script.length; at += COMMAND_SIZE) {
    const kind = Number(getNumber(script, at, 4));
    if (kind === 1) {
      const { file = 0n, alignment = 1n } = COMMANDS.allocate.decode(script, at),
        name = nameOf(file),
        bytes = files.get(name);
      if (bytes === undefined) throw new TableLoaderError(`the script allocates ${name}, which there is not`);
      const address = Math.ceil(end / Number(alignment)) * Number(alignment);
      places.set(name, { address, bytes: Uint8Array.from(bytes) });
      end = address + bytes.length;
    } else if (kind === 2) {
      const { file = 0n, source = 0n, offset = 0n, size = 0n } = COMMANDS.addPointer.decode(script, at);
      const { bytes } = placed(nameOf(file), Number(offset), Number(size)),
        { address } = placed(nameOf(source), 0, 0);
      const value = getNumber(bytes, Number(offset), Number(size)) + BigInt(address);
      putNumber(bytes, Number(offset), Number(size), value);
    } else if (kind === 3) {
      const { file = 0n, offset = 0n, start = 0n, length = 0n } = COMMANDS.addChecksum.decode(script, at);
      const { bytes } = placed(nameOf(file), Number(start), Number(length)), from = Number(start);
      bytes[Number(offset)] = checksum(bytes.subarray(from, from + Number(length)), Number(offset) - from);
    } else if (kind !== 0) throw new TableLoaderError(`the script has a command ${kind} at ${at}`);
  }
  const memory = new Uint8Array(end - base);
  for (const { address, bytes } of places.values()) memory.set(bytes, address - base);
  return { memory: { base, bytes: memory }, rsdp: placed(LOADER_FILES.rsdp, 0, RSDP.size).address };
}

/** Bytes of the RSDP's first checksum. */
const FIRST_PART = 20;

/** The files that make firmware place these tables: pointers are offsets in their file, and checksums are to be made. */
export function tableLoaderFiles(
  { rsdp, bytes, tables }: PlacedTables,
): ReadonlyMap<string, Uint8Array<ArrayBuffer>> {
  const xsdt = tables.find(({ signature }) => signature === "XSDT") as (typeof tables)[number];
  const start = xsdt.address, contents = Uint8Array.from(bytes.subarray(start - rsdp));
  const root = Uint8Array.from(bytes.subarray(0, RSDP.size)), commands: Uint8Array[] = [];
  const { tables: TABLES, rsdp: ROOT } = LOADER_FILES;
  const command = (part: Uint8Array): void => {
    const padded = new Uint8Array(COMMAND_SIZE);
    padded.set(part);
    commands.push(padded);
  };
  const pointer = (name: string, blob: Uint8Array, offset: number): void => {
    putNumber(blob, offset, 8, getNumber(blob, offset, 8) - BigInt(start));
    command(COMMANDS.addPointer.encode({ file: fieldOf(name), source: fieldOf(TABLES), offset, size: 8 }));
  };
  const sum = (name: string, blob: Uint8Array, offset: number, from: number, length: number): void => {
    blob[offset] = 0;
    command(COMMANDS.addChecksum.encode({ file: fieldOf(name), offset, start: from, length }));
  };
  command(COMMANDS.allocate.encode({ file: fieldOf(ROOT), alignment: 16, zone: LOW }));
  command(COMMANDS.allocate.encode({ file: fieldOf(TABLES), alignment: 64, zone: HIGH }));
  for (const { signature, address, bytes: { length } } of tables) {
    const at = address - start;
    if (signature === "FACP") pointer(TABLES, contents, at + HEADER.size + FADT.offset("xDsdt"));
    for (let entry = HEADER.size; signature === "XSDT" && entry < length; entry += 8) {
      pointer(TABLES, contents, at + entry);
    }
    sum(TABLES, contents, at + HEADER.offset("checksum"), at, length);
  }
  pointer(ROOT, root, RSDP.offset("xsdt"));
  sum(ROOT, root, RSDP.offset("checksum"), 0, FIRST_PART);
  sum(ROOT, root, RSDP.offset("extendedChecksum"), 0, RSDP.size);
  const script = new Uint8Array(commands.length * COMMAND_SIZE);
  for (const [index, part] of commands.entries()) script.set(part, index * COMMAND_SIZE);
  return new Map([[ROOT, root], [TABLES, contents], [LOADER_FILES.script, script]]);
}
