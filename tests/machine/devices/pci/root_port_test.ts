/** Root ports without ECAM on the board: links, index and window, bus numbers, memory windows, interrupts, messages, resets. */
import { assertEquals, assertThrows } from "@std/assert";
import type { ConfigurationInput } from "../../../../machine/configuration.ts";
import { LINK_DOWN_DATA, ROOT_PORT, RootPort } from "../../../../machine/devices/pci/root_port.ts";
import { ConfigurationError } from "../../../../machine/errors.ts";
import { PciBridge } from "../../../../machine/devices/pci/bridge.ts";
import { PciFunction } from "../../../../machine/devices/pci/function.ts";
import { Wire } from "../support.ts";
import { buildMachine, drive } from "./board_support.ts";
import { build, testFunction } from "./support.ts";

const PORT = 0x0b00_0000, WINDOW = 0x1000_0000;
const NVME = { driver: "nvme", drive: "d0", id: "disk", bus: "rootport0", serial: "1" };
const ONES = 0xffff_ffff;

function portOf(devices: object[], more: ConfigurationInput = {}) {
  const machine = buildMachine({
    rootPorts: 2,
    drives: JSON.stringify(devices).includes("d0") ? [drive("d0")] : [],
    devices,
    ...more,
  });
  const { read, write } = machine;
  const choose = (bus: number, device = 0, number = 0) =>
    write(
      PORT + ROOT_PORT.INDEX,
      bus << ROOT_PORT.BUS_SHIFT | device << ROOT_PORT.DEVICE_SHIFT | number << ROOT_PORT.FUNCTION_SHIFT,
    );
  return {
    ...machine,
    up: () => write(PORT + ROOT_PORT.RESET, 0),
    down: () => write(PORT + ROOT_PORT.RESET, 1),
    isUp: () => (read(PORT + ROOT_PORT.STATUS) & 0x30) === 0x30,
    buses: (secondary: number, subordinate = secondary) =>
      write(PORT + 0x18, secondary << 8 | subordinate << 16),
    readBelow: (bus: number, device: number, offset: number, size: 1 | 2 | 4 = 4) => {
      choose(bus, device);
      return read(PORT + ROOT_PORT.DATA + offset, size);
    },
    writeBelow: (bus: number, device: number, offset: number, value: number, size: 1 | 2 | 4 = 4) => {
      choose(bus, device);
      write(PORT + ROOT_PORT.DATA + offset, value, size);
    },
    choose,
  };
}

Deno.test("a root port has a header of type 1, no ECAM beside it, and a link that comes up when let go", () => {
  const { read, up, down, isUp, readBelow, buses, board } = portOf([NVME]);
  assertEquals([read(PORT) >>> 0, read(PORT + 0x0e, 1), read(PORT + 0x42, 2) >>> 4], [0x2711_14e4, 1, 4]);
  assertEquals(board.memory.target(0x40_1000_0000 as never), undefined);
  buses(1);
  assertEquals([isUp(), readBelow(1, 0, 0) >>> 0, readBelow(1, 0, 0, 2)], [
    false,
    LINK_DOWN_DATA,
    0xdead & 0xffff,
  ]);
  up();
  assertEquals([isUp(), readBelow(1, 0, 0) >>> 0], [true, 0x0010_1b36]);
  down();
  assertEquals(isUp(), false);
  const empty = portOf([]);
  empty.up();
  assertEquals(empty.isUp(), false);
});

Deno.test("behind the port one device answers at every device number, at function 0 and on its bus only", () => {
  const { up, buses, readBelow, read, choose } = portOf([NVME]);
  up();
  assertEquals(readBelow(0, 0, 0) >>> 0, ONES);
  buses(5, 9);
  assertEquals(
    Array.from({ length: 32 }, (_, device) => readBelow(5, device, 0) >>> 0),
    Array(32).fill(0x0010_1b36),
  );
  for (const bus of [4, 6, 9, 10]) assertEquals(readBelow(bus, 0, 0) >>> 0, ONES, `bus ${bus}`);
  choose(5, 0, 1);
  assertEquals(read(PORT + ROOT_PORT.DATA) >>> 0, ONES);
});

const SWITCH = [
  { driver: "x3130-upstream", id: "up", bus: "rootport0" },
  { driver: "xio3130-downstream", id: "p1", bus: "up", slot: 1 },
  { driver: "xio3130-downstream", id: "p3", bus: "up", slot: 3 },
  { driver: "virtio-rng-pci", id: "rng", bus: "p1" },
  { ...NVME, bus: "p3" },
];

/** Numbers buses 1 (upstream port), 2 (inside), 3 (rng), 4 (nvme), and opens all windows. */
function open({ up, buses, writeBelow, write }: ReturnType<typeof portOf>): void {
  const window = (from: number, to: number): number => from >>> 16 | (to - 1 & 0xfff0_0000);
  up();
  buses(1, 4);
  writeBelow(1, 0, 0x18, 1 | 2 << 8 | 4 << 16);
  writeBelow(2, 1, 0x18, 2 | 3 << 8 | 3 << 16);
  writeBelow(2, 3, 0x18, 2 | 4 << 8 | 4 << 16);
  write(PORT + 0x20, window(WINDOW, WINDOW + 0x20_0000));
  writeBelow(1, 0, 0x20, window(WINDOW, WINDOW + 0x20_0000));
  writeBelow(2, 1, 0x20, window(WINDOW, WINDOW + 0x10_0000));
  writeBelow(2, 3, 0x20, window(WINDOW + 0x10_0000, WINDOW + 0x20_0000));
  write(PORT + 4, 6);
  for (const [bus, device] of [[1, 0], [2, 1], [2, 3]] as const) writeBelow(bus, device, 4, 6);
}

Deno.test("a switch takes cycles to its buses, and looks at device numbers", () => {
  const port = portOf(SWITCH), { readBelow } = port;
  open(port);
  const seen = (bus: number) =>
    Array.from({ length: 32 }, (_, device) => readBelow(bus, device, 0) >>> 0).flatMap((id, device) =>
      id === ONES ? [] : [[device, id]]
    );
  assertEquals(seen(2), [[1, 0x8233_104c], [3, 0x8233_104c]]);
  assertEquals([seen(3), seen(4)], [[[0, 0x1005_1af4]], [[0, 0x0010_1b36]]]);
  assertEquals([readBelow(1, 0, 0x42, 2) >>> 4, readBelow(2, 1, 0x42, 2) >>> 4], [5, 6]);
});

Deno.test("memory requests pass where every bridge forwards them, and endpoints are masters where every bridge is", () => {
  const port = portOf(SWITCH), { read, write, writeBelow } = port, bar = WINDOW + 0x10_0000;
  open(port);
  writeBelow(4, 0, 0x10, bar);
  writeBelow(4, 0, 4, 2);
  const version = () => read(bar + 8) >>> 0;
  assertEquals(version(), 0x0001_0400);
  for (
    const [close, reopen] of [
      [() => writeBelow(2, 3, 4, 4), () => writeBelow(2, 3, 4, 6)],
      [() => write(PORT + 4, 4), () => write(PORT + 4, 6)],
      [() => writeBelow(1, 0, 0x20, 0x0000_fff0), () => writeBelow(1, 0, 0x20, 0x1010_1000)],
    ] as const
  ) {
    close();
    assertEquals(version(), ONES);
    reopen();
    assertEquals(version(), 0x0001_0400);
  }
});

/** A card behind device 3 inside a switch on a root port, by itself. */
function cardBehindSwitch() {
  const { events, memory } = build(),
    lines = [0, 1, 2, 3].map(() => new Wire()),
    sent: [number, number][] = [];
  const receivers = [{
    address: 0x1000,
    receive: (data: number, requester: number) => void sent.push([data, requester]),
  }];
  const port = new RootPort({ name: "port", events, lines, receivers }),
    identity = { vendor: 1, device: 2, revision: 0 };
  const up = new PciBridge({ name: "up", identity: { ...identity, portType: 5 }, slots: 32, filters: true });
  const down = new PciBridge({
    name: "down",
    identity: { ...identity, portType: 6 },
    slots: 1,
    filters: true,
  });
  const card = new PciFunction(testFunction().options, { events, memory });
  port.bridge.plug(0, up, [up]);
  up.plug(3, down, [down]);
  down.plug(0, card, [card]);
  return { port, up, down, card, lines, sent, registers: port.registers() };
}

Deno.test("a line goes up through the bridges, which add their device numbers; a reset of the bus lets it go", () => {
  const { card, lines, registers } = cardBehindSwitch(), context = { cpu: 0, secure: false };
  const levels = () => lines.map(({ level }) => level);
  registers.write(ROOT_PORT.RESET, 4, 0, context);
  card.setInterrupt(true);
  assertEquals(levels(), [false, false, false, true]);
  registers.write(ROOT_PORT.RESET, 4, 1, context);
  assertEquals(levels(), [false, false, false, false]);
});

Deno.test("a message has the bus and device that its sender captured from writes, and passes bridges that are masters", () => {
  const { port, up, down, card, sent, registers } = cardBehindSwitch(), context = { cpu: 0, secure: false };
  const cycle = (bus: number, device: number, offset: number, size: number, value: number) =>
    port.bridge.cycle({ bus, device, function: 0, offset, size, value });
  const signal = () => {
    card.setInterrupt(false);
    card.signal(0);
    return sent.splice(0);
  };
  registers.write(ROOT_PORT.RESET, 4, 0, context);
  port.bridge.writeConfig(0x18, 4, 1 << 8 | 9 << 16);
  cycle(1, 0, 0x18, 4, 1 | 2 << 8 | 9 << 16);
  cycle(2, 3, 0x18, 4, 2 | 7 << 8 | 7 << 16);
  cycle(7, 0, 4, 2, 7);
  cycle(7, 0, 0x43, 1, 0x80);
  const [, bar] = testFunction().options.bars;
  for (const [at, value] of [[0, 0x1000], [4, 0], [8, 0x55], [12, 0]] as const) {
    card.writeBar(bar!, at, 4, value);
  }
  assertEquals(signal(), []);
  const bridges = [up, down, port.bridge];
  for (const bridge of bridges) bridge.writeConfig(4, 2, 4);
  assertEquals(signal(), [[0x55, 0x700]]);
  for (const bridge of bridges) {
    bridge.writeConfig(4, 2, 0);
    assertEquals(signal(), [], bridge.name);
    bridge.writeConfig(4, 2, 4);
  }
  // Not by a ghost behind the switch, but by another number of the bus.
  cycle(7, 5, 0x3c, 1, 0);
  assertEquals(signal(), [[0x55, 0x700]]);
  down.writeConfig(0x18, 4, 2 | 8 << 8 | 8 << 16);
  cycle(8, 0, 0x3c, 1, 0);
  assertEquals(signal(), [[0x55, 0x800]]);
});

Deno.test("a write to a ghost gives the endpoint behind a root port that number; Secondary Bus Reset takes it", () => {
  const { events, memory } = build(), sent: number[] = [], lines = [0, 1, 2, 3].map(() => new Wire());
  const receivers = [{
    address: 0x1000,
    receive: (_data: number, requester: number) => void sent.push(requester),
  }];
  const { bridge, registers } = (() => {
    const port = new RootPort({ name: "port", events, lines, receivers });
    return { bridge: port.bridge, registers: port.registers() };
  })();
  const card = new PciFunction(testFunction().options, { events, memory });
  bridge.plug(0, card, [card]);
  registers.write(ROOT_PORT.RESET, 4, 0, { cpu: 0, secure: false });
  bridge.writeConfig(0x18, 4, 5 << 8 | 5 << 16);
  bridge.writeConfig(4, 2, 4);
  const write = (device: number, offset: number, size: number, value: number) =>
    void bridge.cycle({ bus: 5, device, function: 0, offset, size, value });
  write(0, 4, 2, 7);
  write(0, 0x43, 1, 0x80);
  const [, bar] = testFunction().options.bars;
  for (const [at, value] of [[0, 0x1000], [12, 0]] as const) card.writeBar(bar!, at, 4, value);
  card.signal(0);
  write(9, 0x3c, 1, 0);
  card.signal(0);
  assertEquals(sent, [0x500, 0x548]);
  bridge.writeConfig(0x3e, 2, 0x40);
  assertEquals([card.usesMsix, bridge.cycle({ bus: 5, device: 0, function: 0, offset: 0, size: 4 })], [
    false,
    ONES,
  ]);
});

Deno.test("a reset of the link brings endpoints back to power-on, and not the port", () => {
  const port = portOf([NVME]), { up, down, buses, writeBelow, readBelow, read } = port;
  up();
  buses(7);
  writeBelow(7, 0, 0x10, WINDOW);
  assertEquals(readBelow(7, 0, 0x10) >>> 0, WINDOW + 4);
  down();
  up();
  assertEquals([readBelow(7, 0, 0x10) >>> 0, read(PORT + 0x19, 1)], [4, 7]);
});

Deno.test("a board with root ports restores what it saved", () => {
  const port = portOf(SWITCH), other = portOf(SWITCH);
  open(port);
  const sections = port.board.save(),
    named = (name: string) => sections.find((section) => section.name === name)!;
  other.board.restore(named);
  assertEquals(other.board.save(), sections);
  assertEquals(other.readBelow(4, 0, 0) >>> 0, 0x0010_1b36);
});

Deno.test("devices are refused where there is no such bus, or no place on it", () => {
  const cases: [object[], string][] = [
    [[{ ...NVME, bus: "rootport7" }], "there is no such bus before it; there are rootport0, rootport1"],
    [[NVME, { driver: "virtio-rng-pci", bus: "rootport0" }], "there is no such place left"],
    [[{ driver: "virtio-rng-pci" }], "say where by bus="],
    [[{ driver: "xio3130-downstream", id: "p", bus: "rootport0" }], "it goes into an x3130-upstream"],
    [[SWITCH[0]!, { driver: "virtio-rng-pci", bus: "up" }], "only xio3130-downstream goes in there"],
  ];
  for (const [devices, message] of cases) assertThrows(() => portOf(devices), ConfigurationError, message);
  assertThrows(() => portOf([], { rootPorts: 5 }), ConfigurationError, "at most 4");
});
