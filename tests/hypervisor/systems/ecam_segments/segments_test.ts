/** Segments: numbers, places, interrupts, requester IDs; enumeration of made-up buses; the device tree; the proof of bijection. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { bijectionProblems } from "../../../../hypervisor/systems/ecam_segments/bijection.ts";
import { describeSegments } from "../../../../hypervisor/systems/ecam_segments/device_tree.ts";
import {
  enumerate,
  enumerateAgain,
  type PortCycles,
} from "../../../../hypervisor/systems/ecam_segments/enumerate.ts";
import {
  type FoundBus,
  interruptOf,
  numberSegments,
  placeOf,
  type RootPortPlace,
  type Segment,
  SEGMENT_SIZE,
} from "../../../../hypervisor/systems/ecam_segments/segments.ts";
import { kernelTree } from "../../../../firmware/loader/kernel_boot.ts";
import { parseConfiguration } from "../../../../machine/configuration.ts";
import { BridgeHeader } from "../../../../machine/devices/pci/bridge_header.ts";

const REGION = { base: 0x40_1000_0000, size: 256 * SEGMENT_SIZE };
const PLACE: RootPortPlace = {
  name: "port",
  registers: 0x0b00_0000,
  window: { base: 0x1000_0000, size: 2 ** 27 },
  firstSpi: 112,
};

function bus(number: number, ...devices: number[]): FoundBus {
  const functions = devices.map((device) => ({ device, function: 0, identity: 0x1af4 }));
  return { port: 0, bus: number, functions, window: { base: 0x1000_0000, size: 2 ** 20 }, path: [] };
}

const numbered = (buses: readonly FoundBus[], more: Partial<Parameters<typeof numberSegments>[1]> = {}) =>
  numberSegments(buses, { shape: "segments", first: 0, ...REGION, ...more });

Deno.test("numberSegments gives each bus a segment, and says which have none", () => {
  const two = numbered([bus(1, 0), bus(4, 0, 3)], { first: 7 });
  assertEquals(two.segments.map(({ segment, base }) => [segment, base - REGION.base]), [[7, 0], [
    8,
    SEGMENT_SIZE,
  ]]);
  assertEquals(two.omissions, []);
  const many = Array.from({ length: 0x1_0001 }, (_, at) => bus(at & 0xff, 0));
  const { segments, omissions } = numbered(many, { size: 0x1_0002 * SEGMENT_SIZE });
  assertEquals([segments.length, omissions.map(({ reason }) => reason)], [0x1_0000, [
    "segment 65536 has no number of 16 bits",
  ]]);
  assertEquals(
    numbered(many.slice(0, 3), { size: 2 * SEGMENT_SIZE }).omissions[0]?.reason,
    "there is room for the ECAM of 2 buses only",
  );
  for (const first of [-1, 0x1_0000, 0.5]) {
    assertThrows(() => numbered([], { first }), RangeError, "There is no segment");
  }
});

Deno.test("placeOf finds functions, and none beside segments", () => {
  const { segments } = numbered([bus(1, 0), bus(4, 3)]);
  const at = (offset: number) => placeOf(segments, REGION.base + offset);
  assertEquals([at(0)?.isThere, at(0x8000)?.isThere, at(0x1000)?.isThere], [true, false, false]);
  const there = at(SEGMENT_SIZE + 3 * 0x8000 + 0x123);
  assertEquals([there?.segment.bus, there?.device, there?.function, there?.offset, there?.isThere], [
    4,
    3,
    0,
    0x123,
    true,
  ]);
  assertEquals([at(-1), at(2 * SEGMENT_SIZE)], [undefined, undefined]);
});

Deno.test("interruptOf adds the device numbers on the way up", () => {
  const below = (...path: number[]): FoundBus => ({ ...bus(4, 0), path });
  assertEquals(interruptOf(below(), PLACE, 0, 1), 112);
  assertEquals(interruptOf(below(), PLACE, 3, 2), 112);
  assertEquals(interruptOf(below(5, 0), PLACE, 0, 4), 112);
  assertEquals(interruptOf(below(2, 0), PLACE, 0, 1), 114);
});

/** A function of a made-up bus: an endpoint with one BAR, or a bridge with more below. */
interface Made {
  readonly bar?: number;
  readonly below?: Readonly<Record<number, Made>>;
}

/** A root port over made-up functions; true bus numbers are what is written to headers. */
function madePort(
  link: Made | undefined,
  window = PLACE.window.size,
): PortCycles & { headers: BridgeHeader[] } {
  const identity = (portType: 4 | 5 | 6) => ({ vendor: 1, device: 2, revision: 0, portType });
  const root = new BridgeHeader(identity(4)), headers = [root], bridges = new Map<Made, BridgeHeader>();
  const bars = new Map<Made, number>();
  const find = (
    header: BridgeHeader,
    below: Readonly<Record<number, Made>>,
    bus: number,
    device: number,
  ): Made | undefined => {
    if (header.secondary === 0 || bus < header.secondary || bus > header.subordinate) return undefined;
    if (bus === header.secondary) return below[header === root ? 0 : device];
    for (const made of Object.values(below)) {
      const bridge = bridges.get(made), found = bridge && find(bridge, made.below!, bus, device);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const visit = (made: Made): void => {
    if (made.below === undefined) return;
    const header = new BridgeHeader(identity(5));
    headers.push(header);
    bridges.set(made, header);
    Object.values(made.below).forEach(visit);
  };
  if (link !== undefined) visit(link);
  const all = (size: number): number => 2 ** (size * 8) - 1;
  const at = (bus: number, device: number, number: number): Made | undefined =>
    link === undefined || number > 0 ? undefined : find(root, { 0: link }, bus, device);
  return {
    headers,
    place: { ...PLACE, window: { base: PLACE.window.base, size: window } },
    start: () => link !== undefined,
    readPort: (offset, size) => root.read(offset, size),
    writePort: (offset, size, value) => void root.write(offset, size, value >>> 0),
    read: (bus, device, number, offset, size) => {
      const made = at(bus, device, number);
      if (made === undefined) return all(size);
      const bridge = bridges.get(made);
      if (bridge !== undefined) return bridge.read(offset, size);
      return offset === 0 ? 0x1af4_1000 : offset === 0x10 ? bars.get(made) ?? 0 : 0;
    },
    write: (bus, device, number, offset, size, value) => {
      const made = at(bus, device, number), bridge = made && bridges.get(made);
      bridge?.write(offset, size, value >>> 0);
      if (made !== undefined && bridge === undefined && offset === 0x10) {
        bars.set(made, (value & -(made.bar ?? 0)) >>> 0);
      }
    },
  };
}

const MIB = 2 ** 20, OPTIONS = { bridges: "nest", windowSize: Infinity } as const;

Deno.test("enumerate numbers all ports' buses in one set, and gives nested windows", () => {
  const disk: Made = { bar: 0x4000 }, big: Made = { bar: 2 * MIB };
  const tree: Made = { below: { 0: { below: { 0: disk } }, 5: { below: { 0: big, 1: disk } } } };
  const second = madePort(tree), ports = [madePort(disk), second];
  const { buses, omissions } = enumerate(ports, OPTIONS);
  assertEquals(omissions, []);
  assertEquals(
    buses.map((
      { port, bus, functions, window, path },
    ) => [port, bus, functions.length, window.base / MIB, window.size / MIB, path]),
    [[0, 1, 1, 256, 1, []], [1, 4, 1, 256, 1, [0, 0]], [1, 5, 2, 257, 4, [5, 0]]],
  );
  assertEquals(second.headers.map(({ secondary, subordinate }) => [secondary, subordinate]), [
    [2, 5],
    [3, 5],
    [4, 4],
    [5, 5],
  ]);
  for (const header of second.headers) assertEquals(header.isBusMaster, true);
  const [root, , first] = second.headers as [BridgeHeader, BridgeHeader, BridgeHeader];
  assertEquals([root.forwards(256 * MIB), root.forwards(261 * MIB - 1), root.forwards(261 * MIB)], [
    true,
    true,
    false,
  ]);
  assertEquals([first.forwards(257 * MIB - 1), first.forwards(257 * MIB)], [true, false]);
  const again = enumerateAgain(second, 1, OPTIONS, { first: 2, last: 5 });
  assertEquals(again, { buses: buses.slice(1), omissions: [] });
});

Deno.test("enumerate leaves out empty ports, refused bridges, endpoints without room, and buses without a number", () => {
  const reasons = (link: Made | undefined, more = {}, window = 2 ** 27) => {
    const { buses, omissions } = enumerate([madePort(link, window)], { ...OPTIONS, ...more });
    return [buses.map(({ bus }) => bus), omissions.map(({ reason }) => reason)];
  };
  const disk: Made = { bar: MIB }, wide = Array.from({ length: 32 }, (): Made => ({ below: { 0: disk } }));
  assertEquals(reasons(undefined), [[], ["nothing is plugged in"]]);
  assertEquals(reasons({ below: { 0: disk } }, { bridges: "refuse" }), [[], ["a bridge, which is refused"]]);
  assertEquals(reasons({ below: { 0: disk, 1: disk, 2: { bar: 4096 } } }, {}, 2 * MIB)[1], [
    "4096 bytes of memory do not fit into the window any more",
  ]);
  assertEquals(reasons({ below: { 0: disk, 1: { bar: 4 * MIB } } }, { windowSize: 2 * MIB }), [[2], [
    "4194304 bytes of memory do not fit into the window any more",
  ]]);
  const deep: Made = { below: Object.fromEntries(wide.map((_, at) => [at, { below: { ...wide } }])) };
  const [found, left] = reasons(deep, {}, 2 ** 29) as [number[], string[]];
  assertEquals([found.at(-1), left.every((reason) => reason.startsWith("no bus has a number left"))], [
    255,
    true,
  ]);
  assertEquals(left.length > 0, true);
});

Deno.test("describeSegments puts hosts in the place of root ports, and refuses another board's tree", () => {
  const configuration = (rootPorts: number) => parseConfiguration({ gicVersion: 3, rootPorts });
  const tree = kernelTree({
    configuration: configuration(1),
    append: "",
    initrd: { base: 0x4800_0000, size: 1 },
  });
  const names = () => tree.root.children.map(({ name }) => name).filter((name) => name.startsWith("pcie"));
  assertEquals(names(), ["pcie@b000000"]);
  describeSegments(tree, [PLACE], numbered([bus(1, 0), bus(4, 3)]).segments);
  assertEquals(names(), ["pcie@4010000000", "pcie@4010100000"]);
  const second = tree.root.child("pcie@4010100000")!;
  const cellsOf = (name: string) => {
    const value = second.get(name)!, view = new DataView(value.buffer, value.byteOffset, value.length);
    return Array.from({ length: value.length / 4 }, (_, at) => view.getUint32(at * 4));
  };
  assertEquals(cellsOf("linux,pci-domain"), [1]);
  assertEquals(cellsOf("bus-range"), [0, 0]);
  assertEquals([cellsOf("msi-map")[0], ...cellsOf("msi-map").slice(2)], [0, 0x400, 0x100]);
  assertEquals(cellsOf("interrupt-map").slice(0, 4), [3 << 11, 0, 0, 1]);
  assertThrows(() => describeSegments(tree, [PLACE], []), RangeError, "does not have port");
});

Deno.test("segments and the tree that they are merged into are bijections to the same functions; a wrong map is found", () => {
  const buses = [bus(1, 0), bus(4, 0, 3, 31), bus(255, 7)];
  const { segments } = numbered(buses), { segments: tree } = numbered(buses, { shape: "tree", first: 9 });
  assertEquals(
    tree.map(({ segment, shown, base }) => [segment, shown, (base - REGION.base) / SEGMENT_SIZE]),
    [
      [9, 1, 1],
      [9, 4, 4],
      [9, 255, 255],
    ],
  );
  assertEquals(bijectionProblems(segments, tree), []);
  const wrong = (change: Partial<Segment>): string => {
    const other = tree.map((one, at) => at === 1 ? { ...one, ...change } : one);
    return bijectionProblems(segments, other).join("\n");
  };
  assertMatch(wrong({ bus: 1 }), /are one function/);
  assertMatch(wrong({ bus: 5 }), /other requester IDs/);
  assertMatch(wrong({ functions: [] }), /the tree 256,65336/);
  assertMatch(wrong({ base: tree[0]!.base }), /9:4:0\.0 and|not in one place|are one function/);
});
