/** The normal form of ACPI tables: a line for each thing that they say, by what it is about, without where it stands. */
import { type AmlObject, AmlReader, type AmlValue, resolveName } from "./aml_reader.ts";
import {
  FADT,
  GTDT,
  HEADER,
  IORT,
  IORT_STRUCTURES,
  MADT,
  MADT_STRUCTURES,
  MCFG,
  MCFG_ALLOCATION,
  PPTT_FLAGS,
  PPTT_NODE,
  SPCR,
} from "./layouts.ts";
import { readResources } from "./resource_reader.ts";
import { charactersOf, getNumber, type Structure } from "./structure.ts";
import type { AcpiTable } from "./table.ts";

/** Lines by name, in the order of the tables. */
export type NormalForm = ReadonlyMap<string, string>;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** What is not said of a thing but of its bytes: sums, lengths, and addresses of tables. */
const ABOUT_BYTES = /^(checksum|length|signature|dsdt|xDsdt|facs|xFacs|type|mappingOffset|nodeOffset)$/;
/** Fields that hold characters. */
const TEXTS: Readonly<Record<string, number>> = { oemId: 6, oemTableId: 8, creatorId: 4 };

/** Collects lines. */
class Lines {
  readonly all = new Map<string, string>();

  add(name: string, value: string): void {
    this.all.set(name, value);
  }

  /** A line for each field of a structure. */
  fields(name: string, layout: Structure, bytes: Uint8Array, at: number, hidden: RegExp = ABOUT_BYTES): void {
    const values: Readonly<Partial<Record<string, bigint>>> = layout.decode(bytes, at);
    for (const [field, value] of Object.entries(values)) {
      if (hidden.test(field) || value === undefined) continue;
      const size = TEXTS[field];
      this.add(
        `${name}.${field}`,
        size === undefined ? hex(value) : JSON.stringify(charactersOf(value, size).trim()),
      );
    }
  }
}

/** A subtable: where it is, and its length, which the bytes say. */
function* subtables(
  bytes: Uint8Array,
  from: number,
  lengthAt: number,
  lengthSize: number,
): Generator<[number, number]> {
  for (let at = from; at < bytes.length;) {
    const length = Number(getNumber(bytes, at + lengthAt, lengthSize));
    if (length < 2 || at + length > bytes.length) return;
    yield [at, length];
    at += length;
  }
}

function madt(lines: Lines, bytes: Uint8Array): void {
  const counts = new Map<string, number>();
  lines.fields("APIC", MADT, bytes, HEADER.size);
  for (const [at] of subtables(bytes, HEADER.size + MADT.size, 1, 1)) {
    const type = bytes[at] as number;
    const known = Object.entries(MADT_STRUCTURES).find(([, { fields }]) =>
      Number(fields[0]?.initial) === type
    );
    if (known === undefined) {
      lines.add(`APIC.type 0x${type.toString(16)}`, "unknown");
      continue;
    }
    const [kind, layout] = known, number = counts.get(kind) ?? 0;
    counts.set(kind, number + 1);
    const uid = kind === "gicc" ? MADT_STRUCTURES.gicc.decode(bytes, at).uid : undefined;
    lines.fields(`APIC.${kind}[${uid ?? number}]`, layout, bytes, at);
  }
}

function pptt(lines: Lines, bytes: Uint8Array): void {
  const names = new Map<number, string>();
  for (const [at] of subtables(bytes, HEADER.size, 1, 1)) {
    const { flags = 0n, uid = 0n, parent = 0n } = PPTT_NODE.decode(bytes, at);
    const isCpu = (Number(flags) & PPTT_FLAGS.UID_VALID) !== 0;
    const groups = Array.from(names.values()).filter((name) => name.startsWith("group")).length;
    const name = isCpu ? `cpu[${uid}]` : `group[${groups}]`;
    names.set(at, name);
    lines.fields(`PPTT.${name}`, PPTT_NODE, bytes, at, /^(type|length|parent)$/);
    lines.add(`PPTT.${name}.parent`, names.get(Number(parent)) ?? "none");
  }
}

function iort(lines: Lines, bytes: Uint8Array): void {
  const names = new Map<number, string>();
  lines.fields("IORT", IORT, bytes, HEADER.size);
  for (const [at] of subtables(bytes, Number(IORT.decode(bytes, HEADER.size).nodeOffset ?? 0n), 1, 2)) {
    const kind = bytes[at] === 0 ? "its" : bytes[at] === 2 ? "rootComplex" : undefined;
    if (kind === undefined) continue;
    const number = Array.from(names.values()).filter((name) => name.startsWith(kind)).length;
    const name = `${kind}[${number}]`, layout: Structure = IORT_STRUCTURES[kind];
    names.set(at, name);
    lines.fields(`IORT.${name}`, layout, bytes, at);
    const { mappings = 0n, mappingOffset = 0n }: Partial<Record<string, bigint>> = layout.decode(bytes, at);
    for (let index = 0; index < Number(mappings); index++) {
      const place = at + Number(mappingOffset) + index * IORT_STRUCTURES.mapping.size;
      const mapping = `IORT.${name}.mapping[${index}]`;
      lines.fields(mapping, IORT_STRUCTURES.mapping, bytes, place, /^outputReference$/);
      const { outputReference = 0n } = IORT_STRUCTURES.mapping.decode(bytes, place);
      lines.add(`${mapping}.output`, names.get(Number(outputReference)) ?? "nothing");
    }
  }
}

function mcfg(lines: Lines, bytes: Uint8Array): void {
  for (
    let at = HEADER.size + MCFG.size;
    at + MCFG_ALLOCATION.size <= bytes.length;
    at += MCFG_ALLOCATION.size
  ) {
    const { segment, startBus } = MCFG_ALLOCATION.decode(bytes, at);
    lines.fields(`MCFG.segment ${segment} bus ${startBus}`, MCFG_ALLOCATION, bytes, at);
  }
}

/** UUIDs, strings and numbers as texts. */
function dataText(value: AmlValue, objects: ReadonlyMap<string, AmlObject>, scope: string): string {
  switch (value.kind) {
    case "integer":
      return hex(value.value);
    case "string":
      return JSON.stringify(value.value);
    case "buffer":
      return `[${Array.from(value.bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")}]`;
    case "reference":
      return resolveName(objects, scope, value.name)?.path ?? `${value.name}?`;
    case "package":
      return `{${value.elements.map((element) => dataText(element, objects, scope)).join(", ")}}`;
  }
}

const scopeOf = (path: string): string => path.slice(0, path.lastIndexOf(".")) || "\\";
const plain = (path: string): string => path.replaceAll(/_+(?=\.|$)/g, "") || path;

function routingRow(
  value: AmlValue,
  objects: ReadonlyMap<string, AmlObject>,
  scope: string,
): [string, string] | undefined {
  if (value.kind !== "package") return undefined;
  const [address, pin, source, index] = value.elements.map((element) => dataText(element, objects, scope));
  return [`slot ${Number(address) >>> 16} pin ${Number(pin)}`, `${source} ${index}`];
}

function object(
  lines: Lines,
  { path, kind, value, body, parameters }: AmlObject,
  objects: ReadonlyMap<string, AmlObject>,
): void {
  const name = `DSDT.${plain(path)}`, scope = scopeOf(path);
  if (kind === "device") lines.add(name, "device");
  if (kind === "method") {
    lines.add(
      `${name}()`,
      `${parameters}: ${Array.from(body ?? [], (byte) => byte.toString(16).padStart(2, "0")).join(" ")}`,
    );
  }
  if (value === undefined) return;
  const resources = value.kind === "buffer" ? readResources(value.bytes) : undefined;
  if (resources !== undefined) {
    for (const [index, { text, pins, source }] of resources.entries()) {
      lines.add(`${name}[${index}]`, pins === undefined ? text : `${text} ${source} pins ${pins.join(" ")}`);
    }
  } else if (path.endsWith("._PRT") && value.kind === "package") {
    for (const row of value.elements) {
      const [pin, link] = routingRow(row, objects, scope) ?? ["?", "?"];
      lines.add(`${name} ${pin}`, link);
    }
  } else lines.add(name, dataText(value, objects, scope));
}

/** Objects of a DSDT by path; throws AmlError for what is not read. */
export function namespaceOf(dsdt: AcpiTable): ReadonlyMap<string, AmlObject> {
  const objects = new AmlReader(dsdt.bytes.subarray(HEADER.size)).read();
  return new Map(objects.map((object) => [object.path, object]));
}

function dsdt(lines: Lines, table: AcpiTable): void {
  const objects = namespaceOf(table);
  for (const one of objects.values()) object(lines, one, objects);
}

/** Lines of a table that has one structure. */
const PLAIN: Readonly<Record<string, Structure>> = { FACP: FADT, GTDT, SPCR };

/** The normal form of tables; throws AmlError for a DSDT that cannot be read. */
export function normalForm(tables: readonly AcpiTable[]): NormalForm {
  const lines = new Lines();
  for (const table of tables) {
    const { signature, bytes } = table, layout = PLAIN[signature];
    if (signature === "XSDT") continue;
    lines.add(signature, "table");
    lines.fields(signature, HEADER, bytes, 0);
    if (layout !== undefined) lines.fields(signature, layout, bytes, HEADER.size);
    else if (signature === "APIC") madt(lines, bytes);
    else if (signature === "PPTT") pptt(lines, bytes);
    else if (signature === "IORT") iort(lines, bytes);
    else if (signature === "MCFG") mcfg(lines, bytes);
    else if (signature === "DSDT") dsdt(lines, table);
    else {lines.add(
        `${signature} contents`,
        Array.from(bytes.subarray(HEADER.size), (byte) => byte.toString(16).padStart(2, "0")).join(" "),
      );}
  }
  return lines.all;
}

/** A line that two sets of tables do not have in common; undefined is no such line. */
export interface Difference {
  /** What it is about. */
  readonly name: string;
  /** What the first says. */
  readonly one: string | undefined;
  /** What the other says. */
  readonly other: string | undefined;
}

/** All lines that differ: the least that turns one set of tables into the other. */
export function differences(one: NormalForm, other: NormalForm): Difference[] {
  const names = new Set([...one.keys(), ...other.keys()]);
  return Array.from(names, (name) => ({ name, one: one.get(name), other: other.get(name) }))
    .filter((line) => line.one !== line.other);
}
