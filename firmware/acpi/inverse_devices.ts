/** Devices of the namespace as nodes of a device tree; see `invertTables`. */
import { cells, type DeviceTreeNode, EMPTY, strings } from "../../machine/device_tree.ts";
import { type AmlObject, type AmlValue, resolveName } from "./aml_reader.ts";
import { COUNTERPARTS } from "./devices.ts";
import { append, type InverseContext, specifier, wide } from "./inverse.ts";
import { HEADER, IORT, IORT_STRUCTURES, MCFG, MCFG_ALLOCATION } from "./layouts.ts";
import { readResources, type Resource } from "./resource_reader.ts";
import { getNumber } from "./structure.ts";

const plain = (path: string): string => path.replaceAll(/_+(?=\.|$)/g, "");

function valueOf({ objects }: InverseContext, path: string, name: string): AmlValue | undefined {
  return objects.get(`${path}.${name}`)?.value;
}

function integerOf(context: InverseContext, path: string, name: string): bigint | undefined {
  const value = valueOf(context, path, name);
  return value?.kind === "integer" ? value.value : undefined;
}

function resourcesOf(context: InverseContext, path: string, name = "_CRS"): Resource[] {
  const value = valueOf(context, path, name);
  return value?.kind === "buffer" ? readResources(value.bytes) ?? [] : [];
}

const EDGE = 2n, LOW = 4n;

/** `<type number flags>` of a descriptor of an interrupt. */
function specifierOf({ fields: { interrupt = 0n, flags = 0n } }: Resource): number[] {
  return specifier(Number(interrupt), (flags & EDGE) !== 0n, (flags & LOW) !== 0n);
}

/** Ranges of registers, in order. */
function memory(resources: readonly Resource[]): bigint[] {
  return resources.flatMap(({ kind, fields }) =>
    kind === "memory32Fixed"
      ? [fields.base ?? 0n, fields.size ?? 0n]
      : kind === "qword"
      ? [fields.minimum ?? 0n, fields.size ?? 0n]
      : []
  );
}

/** `reg`, `interrupts` and coherence of a device. */
function describe(node: DeviceTreeNode, path: string, context: InverseContext): void {
  const resources = resourcesOf(context, path), ranges = memory(resources);
  if (ranges.length > 0) node.set("reg", wide(...ranges));
  const interrupts = resources.filter(({ kind }) => kind === "interrupt").flatMap(specifierOf);
  if (interrupts.length > 0) node.set("interrupts", cells(...interrupts));
  if (integerOf(context, path, "_CCA") === 1n) node.set("dma-coherent", EMPTY);
  if (resources.some(({ kind }) => kind === "interrupt" || kind === "gpio") || ranges.length > 0) return;
}

/** A device's name, with its first address behind it. */
function nodeName(stem: string, path: string, context: InverseContext): string {
  const [base] = memory(resourcesOf(context, path));
  return base === undefined ? stem : `${stem}@${base.toString(16)}`;
}

const segmentIn = (path: string): string => path.slice(path.lastIndexOf(".") + 1).replace(/_+$/, "");

/** Devices right below a scope become nodes in their order. */
export function devicesBelow(parent: DeviceTreeNode, scope: string, context: InverseContext): void {
  for (const { path, kind } of context.objects.values()) {
    if (kind !== "device" || path.slice(0, path.lastIndexOf(".")) !== scope) continue;
    const value = valueOf(context, path, "_HID"), hid = value?.kind === "string" ? value.value : "";
    const counterpart = COUNTERPARTS.find((row) => row.hid === hid);
    if (hid === "ACPI0007") continue; // /cpus has it
    if (hid === "PNP0A08") addHost(parent, path, context);
    else if (hid === "PRP0001") addProperties(parent, path, context);
    else if (hid === "ACPI0004") {
      const bus = append(parent, segmentIn(path).toLowerCase()).set("compatible", strings("simple-bus"))
        .set("#address-cells", cells(2)).set("#size-cells", cells(2)).set("ranges", EMPTY);
      devicesBelow(bus, path, context);
    } else if (counterpart === undefined) context.lost.push(plain(path));
    else {
      const [, stem = counterpart.compatible] = counterpart.compatible.split(",");
      const node = append(parent, nodeName(stem, path, context)).set(
        "compatible",
        strings(counterpart.compatible),
      )
        .set("phandle", cells(context.phandle(plain(path))));
      if (stem === "pl061") node.set("gpio-controller", EMPTY).set("#gpio-cells", cells(2));
      describe(node, path, context);
    }
  }
}

/** Set 2: the properties of the _DSD. */
function addProperties(parent: DeviceTreeNode, path: string, context: InverseContext): void {
  const node = append(parent, nodeName(segmentIn(path).toLowerCase(), path, context));
  const gpios = resourcesOf(context, path).filter(({ kind }) => kind === "gpio");
  addSections(node, valueOf(context, path, "_DSD"), { path, gpios, context });
  node.set("phandle", cells(context.phandle(plain(path))));
  describe(node, path, context);
}

/** A device whose properties are read. */
interface Owner {
  readonly path: string;
  readonly gpios: readonly Resource[];
  readonly context: InverseContext;
}

/** Pairs of a UUID and a package: properties first, data nodes second. */
function addSections(node: DeviceTreeNode, data: AmlValue | undefined, owner: Owner): void {
  const [, properties, , children] = data?.kind === "package" ? data.elements : [];
  const rows = (value: AmlValue | undefined) => value?.kind === "package" ? value.elements : [];
  for (const row of rows(properties)) {
    const [key, value] = rows(row);
    if (key?.kind === "string" && value !== undefined) {
      node.properties.push({ name: key.value, value: bytesOf(key.value, value, owner) });
    }
  }
  for (const row of rows(children)) {
    const [key, target] = rows(row);
    if (key?.kind !== "string" || target?.kind !== "string") continue;
    const data = owner.context.objects.get(`${owner.path}.${target.value.padEnd(4, "_")}`)?.value;
    addSections(append(node, key.value), data, owner);
  }
}

/** Properties that are bytes though their values are integers. */
const isBytes = (name: string): boolean => /(^|-)mac-address$|^(rng|kaslr)-seed$|^address-bits$/.test(name);

function bytesOf(name: string, value: AmlValue, owner: Owner): Uint8Array {
  const elements = value.kind === "package" ? value.elements : [value];
  const texts = elements.flatMap((element) => element.kind === "string" ? [element.value] : []);
  if (texts.length > 0) return strings(...texts);
  const numbers = elements.map((element) => element.kind === "integer" ? Number(element.value) : 0);
  if (isBytes(name)) return Uint8Array.from(numbers);
  if (!elements.some(({ kind }) => kind === "reference")) return cells(...numbers);
  if (/(^|-)gpios?$/.test(name)) return gpiosOf(numbers, owner);
  const { objects, phandle } = owner.context;
  return cells(...elements.map((element, index) => {
    if (element.kind !== "reference") return numbers[index] as number;
    return phandle(plain(resolveName(objects, owner.path, element.name)?.path ?? element.name));
  }));
}

/** <device, resource, pin, active low> become <controller line flags>. */
function gpiosOf(numbers: readonly number[], { gpios, context }: Owner): Uint8Array {
  const found: number[] = [];
  for (let at = 0; at + 4 <= numbers.length; at += 4) {
    const [, index = 0, pin = 0, low = 0] = numbers.slice(at, at + 4), resource = gpios[index];
    found.push(context.phandle(resource?.source ?? ""), resource?.pins?.[pin] ?? 0, low);
  }
  return cells(...found);
}

/** First cells of PCI addresses. */
const IO = 0x0100_0000, MEMORY = 0x0200_0000, MEMORY_64 = 0x0300_0000, PREFETCHABLE = 0x4000_0000;

function rangesOf(resources: readonly Resource[]): number[] {
  const halves = (value: bigint): number[] => [Number(value >> 32n), Number(value & 0xffff_ffffn)];
  return resources.flatMap(
    ({ fields: { type, minimum = 0n, size = 0n, translation = 0n, specific = 0n } }) => {
      if (type !== 0n && type !== 1n) return [];
      const isLarge = minimum + size > 1n << 32n, kind = type === 1n ? IO : isLarge ? MEMORY_64 : MEMORY;
      const prefetchable = type === 0n && (specific & 6n) === 6n ? PREFETCHABLE : 0;
      return [
        kind | prefetchable,
        ...halves(minimum),
        ...halves(BigInt.asUintN(64, minimum + translation)),
        ...halves(size),
      ];
    },
  );
}

/** Rows of _PRT as an interrupt-map, each with the interrupt of its link. */
function interruptMap(path: string, context: InverseContext): number[] {
  const table = valueOf(context, path, "_PRT"), gic = context.phandle("gic");
  return (table?.kind === "package" ? table.elements : []).flatMap((row) => {
    const [address, pin, source] = row.kind === "package" ? row.elements : [];
    if (address?.kind !== "integer" || pin?.kind !== "integer" || source?.kind !== "reference") return [];
    const link = resolveName(context.objects, path, source.name),
      [interrupt] = resourcesOf(context, (link as AmlObject)?.path ?? "");
    if (interrupt === undefined) return [];
    return [
      Number(address.value >> 16n) << 11,
      0,
      0,
      Number(pin.value) + 1,
      gic,
      0,
      0,
      ...specifierOf(interrupt),
    ];
  });
}

/** Mappings of a segment's requester IDs, from IORT. */
function messageMap(segment: bigint, { tables, phandle, madt }: InverseContext): number[] {
  const bytes = tables.get("IORT")?.bytes, groups = new Map<bigint, bigint>(), map: number[] = [];
  if (bytes === undefined) return map;
  const { its, rootComplex, mapping } = IORT_STRUCTURES;
  for (let at = Number(IORT.decode(bytes, HEADER.size).nodeOffset); at + 16 <= bytes.length;) {
    const length = Number(getNumber(bytes, at + 1, 2));
    if (bytes[at] === 0) groups.set(BigInt(at), its.decode(bytes, at).itsId ?? 0n);
    const complex = rootComplex.decode(bytes, at);
    for (
      let index = 0;
      bytes[at] === 2 && complex.segment === segment && index < Number(complex.mappings);
      index++
    ) {
      const row = mapping.decode(bytes, at + Number(complex.mappingOffset) + index * mapping.size);
      const id = groups.get(row.outputReference ?? 0n);
      // QEMU's tables speak of an ITS that there is not.
      if (!(madt.get("its") ?? []).some((its) => its.id === id)) continue;
      map.push(Number(row.inputBase), phandle(`its ${id}`), Number(row.outputBase), Number(row.count) + 1);
    }
    if (length === 0) break;
    at += length;
  }
  return map;
}

/** A host of PCI Express, by its MCFG allocation. */
function addHost(parent: DeviceTreeNode, path: string, context: InverseContext): void {
  const segment = integerOf(context, path, "_SEG") ?? 0n, first = integerOf(context, path, "_BBN") ?? 0n;
  const bytes = context.tables.get("MCFG")?.bytes ?? new Uint8Array(0);
  for (
    let at = HEADER.size + MCFG.size;
    at + MCFG_ALLOCATION.size <= bytes.length;
    at += MCFG_ALLOCATION.size
  ) {
    const { base = 0n, startBus = 0n, endBus = 0n, segment: own } = MCFG_ALLOCATION.decode(bytes, at);
    if (own !== segment || startBus !== first) continue;
    const reg = [base + (startBus << 20n), (endBus - startBus + 1n) << 20n] as const;
    const node = append(parent, `pcie@${reg[0].toString(16)}`).set(
      "compatible",
      strings("pci-host-ecam-generic"),
    )
      .set("device_type", strings("pci")).set("#address-cells", cells(3)).set("#size-cells", cells(2))
      .set("#interrupt-cells", cells(1)).set("reg", wide(...reg)).set(
        "bus-range",
        cells(Number(startBus), Number(endBus)),
      )
      .set("linux,pci-domain", cells(Number(segment))).set(
        "ranges",
        cells(...rangesOf(resourcesOf(context, path))),
      );
    const map = interruptMap(path, context), messages = messageMap(segment, context);
    if (map.length > 0) {
      node.set("interrupt-map", cells(...map)).set("interrupt-map-mask", cells(0xf800, 0, 0, 7));
    }
    if (messages.length > 0) node.set("msi-map", cells(...messages));
    if (integerOf(context, path, "_CCA") === 1n) node.set("dma-coherent", EMPTY);
    return;
  }
  context.lost.push(plain(path));
}
