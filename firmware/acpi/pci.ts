/** PCI Express hosts: PNP0A08 with windows and routing, MCFG, and IORT for their messages (PCI Firmware Specification 3.3). */
import {
  type Aml,
  device,
  integer,
  join,
  method,
  name,
  nameString,
  OP,
  otherwise,
  pack,
  string,
  uuid,
  when,
} from "./aml.ts";
import { type Context, enabledNodes, nextNumber } from "./context.ts";
import { isCoherent, PCI_HOSTS } from "./devices.ts";
import { type GlobalInterrupt, globalInterrupt, routeInterrupt } from "./interrupts.ts";
import { HEADER, IORT, IORT_COHERENT, IORT_STRUCTURES, MCFG, MCFG_ALLOCATION } from "./layouts.ts";
import { Parts, translators } from "./processors.ts";
import { interruptDescriptor, resourceTemplate, type Window, windowDescriptor } from "./resources.ts";
import type { AcpiTable } from "./table.ts";
import { cellGroups, regOf, type TreeNode, wideCell } from "./tree.ts";

/** Kinds of space, in bits 25:24 of the first cell of a PCI address; bit 30 says prefetchable. */
const KIND = { IO: 1, MEMORY: 2, MEMORY_64: 3 } as const;
const PREFETCHABLE = 1 << 30;
/** Cells of a PCI address, of a host's size, of an INTx specifier. */
const PCI_ADDRESS = 3, PCI_SIZE = 2;
const SLOTS = 32, PINS = 4;
const BUS_SIZE = 20n;

/** What a host's properties say. */
export interface Host {
  /** Its node. */
  readonly node: TreeNode;
  /** Segment group, 0 to 65535. */
  readonly segment: number;
  /** First bus, 0 to 255. */
  readonly firstBus: number;
  /** Last bus. */
  readonly lastBus: number;
  /** Address that bus 0 has, or would have. */
  readonly ecam: bigint;
  /** Bytes of the buses there are. */
  readonly ecamSize: bigint;
}

/** Reads a host; refuses one without configuration space for its buses. */
export function hostOf(node: TreeNode): Host {
  const [reg] = regOf(node) ?? [];
  if (reg === undefined) return node.refuse("its configuration space has no address");
  const buses = reg.size >> BUS_SIZE;
  const [firstBus = 0, lastBus = Math.min(255, firstBus + Number(buses) - 1)] = node.cells("bus-range");
  if (lastBus > 255 || firstBus > lastBus || BigInt(lastBus - firstBus + 1) > buses) {
    node.refuse(`its configuration space has not the buses ${firstBus} to ${lastBus}`);
  }
  const ecam = reg.base - (BigInt(firstBus) << BUS_SIZE);
  if (ecam < 0n) node.refuse(`its configuration space starts below the place of bus 0`);
  const segment = node.cell("linux,pci-domain") ?? 0;
  if (segment > 0xffff) node.refuse(`its PCI domain ${segment} has more than 16 bits`);
  return { node, segment, firstBus, lastBus, ecam, ecamSize: BigInt(lastBus - firstBus + 1) << BUS_SIZE };
}

/** A window for the buses, and for each row of `ranges`. */
function windows({ node, firstBus, lastBus }: Host, { report }: Context): Uint8Array[] {
  const up = (node.parent as TreeNode).count("#address-cells", 2), found: Uint8Array[] = [];
  found.push(
    windowDescriptor({ space: "bus", base: BigInt(firstBus), size: BigInt(lastBus - firstBus + 1) }, 16),
  );
  for (const row of cellGroups(node, "ranges", PCI_ADDRESS + up + PCI_SIZE)) {
    const [flags] = row as [number], kind = flags >>> 24 & 3;
    const pci = wideCell(node, row.slice(1, PCI_ADDRESS), "an address of ranges");
    const cpu = wideCell(node, row.slice(PCI_ADDRESS, PCI_ADDRESS + up), "an address of ranges");
    const size = wideCell(node, row.slice(PCI_ADDRESS + up), "a size of ranges");
    if (kind === 0 || size === 0n) {
      report.omit(node, "ranges", "a row for configuration space, or of no bytes, is no window");
      continue;
    }
    if (pci + size > 1n << 64n || cpu + size > 1n << 64n) {
      node.refuse("a window of its ranges ends behind 64 bits");
    }
    const space = kind === KIND.IO ? "io" : flags & PREFETCHABLE ? "prefetchable" : "memory";
    const window: Window = { space, base: pci, size, translation: cpu - pci };
    const isSmall = pci + size <= 1n << 32n && cpu + size <= 1n << 32n;
    found.push(windowDescriptor(window, isSmall ? 32 : 64));
  }
  return found;
}

/** Interrupts of the pins of slots 0 to 31 on the first bus, where the map has them. */
function pinRoutes(
  { node }: Host,
  { tree }: Context,
): { slot: number; pin: number; interrupt: GlobalInterrupt }[] {
  if (!node.has("interrupt-map")) return [];
  const slots = Array.from({ length: SLOTS }, (_, slot) => slot), pins = [1, 2, 3, 4].slice(0, PINS);
  return slots.flatMap((slot) =>
    pins.flatMap((pin) => {
      const routed = routeInterrupt(tree, node, node, [slot << 11, 0, 0], [pin]);
      const interrupt = routed && globalInterrupt(node, routed);
      return interrupt === undefined ? [] : { slot, pin, interrupt };
    })
  );
}

/** _PRT and the links it names: a PNP0C0F for each interrupt, so that its signalling is told (6.2.13). */
function routing(host: Host, context: Context): { table: Aml[]; links: Aml[] } {
  const routes = pinRoutes(host, context), links = new Map<number, { segment: string; terms: Aml }>();
  for (const { interrupt } of routes) {
    if (links.has(interrupt.gsi)) continue;
    const segment = `GSI${links.size.toString(16).toUpperCase()}`;
    if (links.size === 16) host.node.refuse("its interrupt-map has more than 16 interrupts");
    const settings = resourceTemplate([interruptDescriptor(interrupt.gsi, interrupt)]);
    links.set(interrupt.gsi, {
      segment,
      terms: device(
        segment,
        name("_HID", string("PNP0C0F")),
        name("_UID", integer(nextNumber(context, "PNP0C0F"))),
        name("_PRS", settings),
        name("_CRS", settings),
        method("_SRS", 1),
      ),
    });
  }
  const rows = routes.map(({ slot, pin, interrupt }) => {
    const link = nameString((links.get(interrupt.gsi) as { segment: string }).segment);
    return pack(integer(slot * 0x1_0000 + 0xffff), integer(pin - 1), link, integer(0));
  });
  return {
    table: rows.length === 0 ? [] : [name("_PRT", pack(...rows))],
    links: Array.from(links.values(), ({ terms }) => terms),
  };
}

/** UUID of a PCI host bridge's _OSC, and what it may grant: hotplug, SHPC, PME, AER and the capability structure. */
const HOST_BRIDGE = "33db4d5b-1ff7-401c-9657-7441c03dd766";
const GRANTED = 0x1f;
/** Bits of the first DWORD that _OSC returns. */
const UNKNOWN_UUID = 4, UNKNOWN_REVISION = 8, MASKED = 0x10;

const local = join(OP.LOCAL0), arg = (number: number): Aml => join(OP.ARG0 + number);
const differ = (one: Aml, other: Aml): Aml => join(OP.NOT, OP.EQUAL, one, other);
const orInto = (target: Aml, value: number): Aml => join(OP.OR, target, integer(value), target);

/** _OSC: what the system may control of the hierarchy (PCI Firmware Specification 4.5.1). */
function capabilities(): Aml {
  const first = nameString("CDW1"), control = nameString("CDW3");
  const field = (at: number, name: Aml): Aml => join(OP.CREATE_DWORD_FIELD, arg(3), integer(at), name);
  return method(
    "_OSC",
    4,
    field(0, first),
    when(
      join(OP.EQUAL, arg(0), uuid(HOST_BRIDGE)),
      field(8, control),
      join(OP.AND, control, integer(GRANTED), local),
      when(differ(arg(1), integer(1)), orInto(first, UNKNOWN_REVISION)),
      when(differ(control, local), orInto(first, MASKED)),
      join(OP.STORE, local, control),
    ),
    otherwise(orInto(first, UNKNOWN_UUID)),
    join(OP.RETURN, arg(3)),
  );
}

/** The terms of a host's device. */
export function hostBridge(context: Context, node: TreeNode, coherence: Aml): Aml[] {
  const host = hostOf(node), { table, links } = routing(host, context), { report } = context;
  for (const child of node.children) report.listAll(child, "what is on PCI is found there");
  if (node.has("dma-ranges")) report.omit(node, "dma-ranges", "there is no _DMA for it yet");
  const motherboard = device(
    "RES0",
    name("_HID", string("PNP0C02")),
    name(
      "_CRS",
      resourceTemplate([
        windowDescriptor({
          space: "memory",
          base: host.ecam + (BigInt(host.firstBus) << BUS_SIZE),
          size: host.ecamSize,
        }, 64),
      ]),
    ),
  );
  return [
    name("_HID", string("PNP0A08")),
    name("_CID", string("PNP0A03")),
    name("_SEG", integer(host.segment)),
    name("_BBN", integer(host.firstBus)),
    name("_UID", integer(nextNumber(context, "PNP0A08"))),
    coherence,
    ...table,
    ...links,
    method("_CBA", 0, join(OP.RETURN, integer(host.ecam))),
    name("_CRS", resourceTemplate(windows(host, context))),
    capabilities(),
    motherboard,
  ];
}

/** MCFG; undefined without hosts. Refuses two hosts with one bus of a segment. */
export function mcfg(context: Context): AcpiTable | undefined {
  const hosts = enabledNodes(context, ...PCI_HOSTS).map(hostOf), parts = new Parts();
  if (hosts.length === 0) return undefined;
  parts.add(MCFG.encode());
  for (const [index, { node, segment, firstBus, lastBus, ecam }] of hosts.entries()) {
    const other = hosts.slice(0, index).find((host) =>
      host.segment === segment && host.firstBus <= lastBus && firstBus <= host.lastBus
    );
    if (other !== undefined) {
      node.refuse(`its PCI domain ${segment} and buses are those of ${other.node.path} too`);
    }
    parts.add(MCFG_ALLOCATION.encode({ base: ecam, segment, startBus: firstBus, endBus: lastBus }), node);
  }
  return parts.table("MCFG", 1, context.report);
}

/** Requester IDs and what they are to an ITS. */
interface MessageMap {
  readonly first: number;
  readonly its: TreeNode;
  readonly to: number;
  readonly count: number;
}

/** `msi-map`, or `msi-parent` for all; an ITS's only, since a GICv2m needs no map. */
function messageMaps({ node }: Host, context: Context): MessageMap[] {
  const { tree } = context, maps: MessageMap[] = [];
  const target = (phandle: number): TreeNode =>
    tree.withPhandle(phandle) ?? node.refuse(`its MSI controller 0x${phandle.toString(16)} is unknown`);
  const [parent] = node.cells("msi-parent");
  if (parent !== undefined) maps.push({ first: 0, its: target(parent), to: 0, count: 0x1_0000 });
  for (
    const [first, phandle, to, count] of cellGroups(node, "msi-map", 4) as [number, number, number, number][]
  ) {
    if (count > 0) maps.push({ first, its: target(phandle), to, count });
  }
  return maps.filter(({ its }) => translators(context).includes(its));
}

/** IORT: ITS groups, and root complexes whose requester IDs are mapped to them; undefined without either. */
export function iort(context: Context): AcpiTable | undefined {
  const { report } = context, groups = new Map<TreeNode, number>(), parts = new Parts();
  const hosts = enabledNodes(context, ...PCI_HOSTS).map(hostOf).map((host) => ({
    host,
    maps: messageMaps(host, context),
  }))
    .filter(({ maps }) => maps.length > 0);
  if (hosts.length === 0) return undefined;
  // One root complex for each segment, whose hosts share it: a system looks for it by the segment.
  const segments = [...Map.groupBy(hosts, ({ host }) => host.segment)];
  parts.add(IORT.encode({ nodeCount: translators(context).length + segments.length }));
  for (const [itsId, node] of translators(context).entries()) {
    groups.set(node, HEADER.size + parts.add(IORT_STRUCTURES.its.encode({ itsId }), node));
  }
  for (const [index, [segment, sharers]] of segments.entries()) {
    const { rootComplex, mapping } = IORT_STRUCTURES;
    const maps = sharers.flatMap(({ host: { node }, maps }) => maps.map((map) => ({ ...map, node })));
    const coherent = sharers.every(({ host: { node } }) => isCoherent(node));
    const values = {
      length: rootComplex.size + maps.length * mapping.size,
      identifier: groups.size + index,
      mappings: maps.length,
      coherency: coherent ? 1 : 0,
      memoryFlags: coherent ? IORT_COHERENT : 0,
      segment,
    };
    parts.add(rootComplex.encode(values), (sharers[0] as (typeof hosts)[number]).host.node);
    for (const { first, its, to, count, node } of maps) {
      const outputReference = groups.get(its) as number;
      parts.add(
        mapping.encode({ inputBase: first, count: count - 1, outputBase: to, outputReference }),
        node,
      );
    }
  }
  return parts.table("IORT", 3, report);
}
