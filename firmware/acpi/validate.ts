/** What a reader of ACPI tables relies on, checked: structures, references, and what Linux on arm64 asks for besides. */
import { AmlError, type AmlObject, type AmlValue, resolveName } from "./aml_reader.ts";
import {
  FADT,
  FADT_FLAGS,
  GTDT,
  HEADER,
  IORT,
  IORT_STRUCTURES,
  MADT,
  MADT_STRUCTURES,
  MCFG,
  MCFG_ALLOCATION,
  PPTT_NODE,
  SPCR,
} from "./layouts.ts";
import { namespaceOf } from "./normal_form.ts";
import { readResources } from "./resource_reader.ts";
import { getNumber } from "./structure.ts";
import type { AcpiTable } from "./table.ts";
import { readTables, type TableMemory } from "./tables_reader.ts";

/** What a check adds to. */
type Problems = string[];
/** The table's own checks; the MADT's tell the CPUs' _UIDs. */
type Check = (bytes: Uint8Array, problems: Problems, objects: ReadonlyMap<string, AmlObject>) => void;

/** Subtables fill a table; each has the size of its kind, or more for one that is not known. */
function subtables(
  { bytes, from, lengthSize, name }: { bytes: Uint8Array; from: number; lengthSize: number; name: string },
  problems: Problems,
  visit: (at: number, length: number) => void,
): void {
  for (let at = from; at < bytes.length;) {
    const length = Number(getNumber(bytes, at + 1, lengthSize));
    if (length < 4 || at + length > bytes.length) {
      problems.push(`${name}: the structure at ${at} has ${length} bytes`);
      return;
    }
    visit(at, length);
    at += length;
  }
}

const exactly = (name: string, bytes: Uint8Array, size: number, problems: Problems): void => {
  if (bytes.length !== HEADER.size + size) {
    problems.push(`${name}: it has ${bytes.length} bytes, not ${HEADER.size + size}`);
  }
};

const madt: Check = (bytes, problems, objects) => {
  const uids = new Set<bigint>(), mpidrs = new Set<bigint>(), counts = new Map<string, number>();
  subtables({ bytes, from: HEADER.size + MADT.size, lengthSize: 1, name: "APIC" }, problems, (at, length) => {
    const known = Object.entries(MADT_STRUCTURES).find(([, { fields }]) =>
      Number(fields[0]?.initial) === bytes[at]
    );
    if (known === undefined || known[1].size !== length) {
      problems.push(`APIC: the structure at ${at} is of no known kind and size`);
    } else counts.set(known[0], (counts.get(known[0]) ?? 0) + 1);
    if (known?.[0] !== "gicc") return;
    const { uid = 0n, mpidr = 0n } = MADT_STRUCTURES.gicc.decode(bytes, at);
    if (uids.has(uid) || mpidrs.has(mpidr)) {
      problems.push(`APIC: two CPUs have _UID ${uid} or MPIDR 0x${mpidr.toString(16)}`);
    }
    uids.add(uid);
    mpidrs.add(mpidr);
  });
  if (counts.get("gicd") !== 1 || uids.size === 0) {
    problems.push("APIC: there is not one distributor, or no CPU");
  }
  const devices = new Set<bigint>();
  for (const { path, value } of objects.values()) {
    if (!path.endsWith("._HID") || value?.kind !== "string" || value.value !== "ACPI0007") continue;
    const uid = objects.get(path.replace(/_HID$/, "_UID"))?.value;
    if (uid?.kind === "integer") devices.add(uid.value);
  }
  if (uids.size !== devices.size || [...uids].some((uid) => !devices.has(uid))) {
    problems.push("APIC: its CPUs are not those of the namespace");
  }
};

const fadt: Check = (bytes, problems) => {
  exactly("FACP", bytes, FADT.size, problems);
  const { flags = 0n, minorRevision = 0n } = FADT.decode(bytes, HEADER.size);
  const revision = (bytes[HEADER.offset("revision")] as number) * 256 + Number(minorRevision);
  if (revision < 0x501) problems.push("FACP: Linux on arm64 wants revision 5.1");
  if ((Number(flags) & FADT_FLAGS.HW_REDUCED) === 0) {
    problems.push("FACP: Linux on arm64 wants hardware-reduced ACPI");
  }
};

const pptt: Check = (bytes, problems) => {
  const seen = new Set<number>([0]);
  subtables({ bytes, from: HEADER.size, lengthSize: 1, name: "PPTT" }, problems, (at, length) => {
    const { parent = 0n } = PPTT_NODE.decode(bytes, at);
    if (length !== PPTT_NODE.size || !seen.has(Number(parent))) {
      problems.push(`PPTT: the node at ${at} has no parent`);
    }
    seen.add(at);
  });
};

const iort: Check = (bytes, problems) => {
  const { nodeCount = 0n, nodeOffset = 0n } = IORT.decode(bytes, HEADER.size), seen = new Set<number>();
  const from = Number(nodeOffset) < HEADER.size + IORT.size ? bytes.length : Number(nodeOffset);
  subtables({ bytes, from, lengthSize: 2, name: "IORT" }, problems, (at, length) => {
    const { mappings = 0n, mappingOffset = 0n } = IORT_STRUCTURES.rootComplex.decode(bytes, at);
    for (let index = 0; index < Number(mappings); index++) {
      const place = Number(mappingOffset) + index * IORT_STRUCTURES.mapping.size;
      const { outputReference = 0n } = IORT_STRUCTURES.mapping.decode(bytes, at + place);
      if (place + IORT_STRUCTURES.mapping.size > length || !seen.has(Number(outputReference))) {
        problems.push(`IORT: mapping ${index} of the node at ${at} leads nowhere`);
      }
    }
    seen.add(at);
  });
  if (seen.size !== Number(nodeCount)) problems.push(`IORT: it says ${nodeCount} nodes and has ${seen.size}`);
};

const mcfg: Check = (bytes, problems) => {
  const size = bytes.length - HEADER.size - MCFG.size;
  if (size <= 0 || size % MCFG_ALLOCATION.size !== 0) problems.push(`MCFG: ${size} bytes are no allocations`);
};

const CHECKS: Readonly<Record<string, Check>> = {
  APIC: madt,
  FACP: fadt,
  PPTT: pptt,
  IORT: iort,
  MCFG: mcfg,
  GTDT: (bytes, problems) => exactly("GTDT", bytes, GTDT.size, problems),
  SPCR: (bytes, problems) => exactly("SPCR", bytes, SPCR.size, problems),
};

const scopeOf = (path: string): string => path.slice(0, path.lastIndexOf(".")) || "\\";

/** Names in packages mean something. */
function references(
  path: string,
  value: AmlValue,
  objects: ReadonlyMap<string, AmlObject>,
  problems: Problems,
): void {
  if (value.kind === "package") {
    for (const element of value.elements) references(path, element, objects, problems);
  }
  if (value.kind === "reference" && resolveName(objects, scopeOf(path), value.name) === undefined) {
    problems.push(`DSDT: ${path} names ${value.name}, which there is not`);
  }
}

/** _HIDs, resources and references; each object once. */
function namespace(dsdt: AcpiTable, problems: Problems): ReadonlyMap<string, AmlObject> {
  let objects: ReadonlyMap<string, AmlObject>;
  try {
    objects = namespaceOf(dsdt);
  } catch (error) {
    if (!(error instanceof AmlError)) throw error;
    problems.push(`DSDT: ${error.message}`);
    return new Map();
  }
  const ids = new Set<string>();
  for (const { path, kind, value } of objects.values()) {
    if (value !== undefined) references(path, value, objects, problems);
    if (
      /\._(CRS|PRS)$/.test(path) && (value?.kind !== "buffer" || readResources(value.bytes) === undefined)
    ) {
      problems.push(`DSDT: ${path} is no resource template`);
    }
    if (kind !== "device") continue;
    const hid = objects.get(`${path}._HID`)?.value, uid = objects.get(`${path}._UID`)?.value;
    if (hid?.kind !== "string" || !/^([A-Z]{3}|[A-Z0-9]{4})[0-9A-F]{4}$/.test(hid.value)) {
      problems.push(`DSDT: ${path} has no _HID of the form AAA#### or NNNN####`);
    } else if (hid.value === "PRP0001" && !hasCompatible(objects.get(`${path}._DSD`)?.value)) {
      problems.push(`DSDT: ${path} is PRP0001 without a compatible`);
    } else {
      const id = `${hid.value} ${uid?.kind === "integer" ? uid.value : path}`;
      if (ids.has(id)) problems.push(`DSDT: two devices are ${id}`);
      ids.add(id);
    }
  }
  const count = [...objects.values()].length;
  if (count === 0) problems.push("DSDT: it is empty");
  return objects;
}

function hasCompatible(value: AmlValue | undefined): boolean {
  if (value?.kind !== "package") return false;
  const rows = value.elements[1];
  return rows?.kind === "package" &&
    rows.elements.some((row) =>
      row.kind === "package" && row.elements[0]?.kind === "string" && row.elements[0].value === "compatible"
    );
}

/** What is wrong with tables in memory, a line each; none means that they are valid. */
export function validateTables(memory: TableMemory, rsdp: number): string[] {
  const { tables, problems: found } = readTables(memory, rsdp), problems = [...found];
  const dsdt = tables.find(({ signature }) => signature === "DSDT");
  if (dsdt === undefined) return [...problems, "there is no DSDT"];
  const objects = namespace(dsdt, problems);
  for (const { signature, bytes } of tables) CHECKS[signature]?.(bytes, problems, objects);
  for (const needed of ["FACP", "APIC"]) {
    if (!tables.some(({ signature }) => signature === needed)) problems.push(`there is no ${needed}`);
  }
  return problems;
}
