/** The virtio network card: frames both ways, merged buffers, filters, control commands. */
import { assertEquals } from "@std/assert";
import { VirtioNet } from "../../../../machine/devices/virtio/net.ts";
import { NetworkBridge } from "../../../../machine/network/bridge.ts";
import { FEATURE } from "../../../../machine/devices/virtio/device.ts";
import { EventHub } from "../../../../machine/events.ts";
import { Clock } from "../../../../machine/clock.ts";
import { REGISTER, Rig } from "./support.ts";

const NEXT = 1, WRITE = 2, INDIRECT = 4;
const RX = 0, TX = 1, CONTROL = 2;
const F_MRG_RXBUF = 1n << 15n, F_CTRL_VQ = 1n << 17n, F_CTRL_MAC_ADDR = 1n << 23n;
const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const BROADCAST = new Uint8Array(6).fill(0xff);

function build(features = 0n, version: 1 | 2 = 1) {
  const sent: Uint8Array[] = [];
  const events = new EventHub(new Clock());
  events.add({
    classes: ["detail"],
    observe: (event) => {
      if (event.kind === "networkFrameTransmitted" && event.network === "n0") sent.push(event.bytes);
    },
  });
  const network = new NetworkBridge({ name: "n0", events });
  const rig = new Rig(new VirtioNet({ network, mac: MAC }), version);
  rig.start(features);
  return { rig, network, sent };
}

/** A frame of `size` bytes to an address. */
function frameTo(address: Uint8Array, size = 60): Uint8Array<ArrayBuffer> {
  const frame = Uint8Array.from({ length: size }, (_, index) => index);
  frame.set(address);
  return frame;
}

for (const [version, features, headerSize] of [[1, 0n, 10], [1, F_MRG_RXBUF, 12], [2, 0n, 12]] as const) {
  Deno.test(`VirtioNet sends and receives behind a header of ${headerSize} bytes, version ${version}`, () => {
    const { rig, network, sent } = build(features, version);
    const frame = frameTo(BROADCAST, 1514);
    rig.submit(TX, [
      rig.input([...new Uint8Array(headerSize), ...frame.subarray(0, 9)]),
      rig.input(frame.subarray(9)),
    ]);
    rig.wait();
    assertEquals([sent, rig.usedEntry(TX, 0)[1]], [[frame], 0]);
    const buffer = rig.output(2000);
    rig.submit(RX, [buffer]);
    network.deliver(frame);
    assertEquals(rig.usedEntry(RX, 0)[1], headerSize + 1514);
    assertEquals(rig.peek(buffer.address + headerSize, 1514), frame);
    const header = new Uint8Array(headerSize);
    if (headerSize === 12) header[10] = 1;
    assertEquals(rig.peek(buffer.address, headerSize), header);
  });
}

Deno.test("VirtioNet spreads a frame over merged buffers, or loses it when there are too few", () => {
  const { rig, network } = build(F_MRG_RXBUF);
  const buffers = [rig.output(40), rig.output(40), rig.output(40)];
  rig.submit(RX, ...buffers.slice(0, 1).map((buffer) => [buffer]));
  network.deliver(frameTo(BROADCAST));
  assertEquals(rig.usedIndex(RX), 0);
  rig.submit(RX, ...buffers.slice(1).map((buffer) => [buffer]));
  const frame = frameTo(BROADCAST);
  network.deliver(frame);
  assertEquals([rig.usedIndex(RX), rig.usedEntry(RX, 0), rig.usedEntry(RX, 1)], [2, [0, 40], [1, 32]]);
  const [first, second] = buffers.map(({ address }) => rig.peek(address, 40));
  assertEquals([first?.[10], [...first?.subarray(12) ?? [], ...second?.subarray(0, 32) ?? []]], [2, [
    ...frame,
  ]]);
});

Deno.test("VirtioNet loses a frame that would take thousands of buffers, and keeps these", () => {
  const { rig, network } = build(F_MRG_RXBUF | FEATURE.INDIRECT_DESC);
  rig.start(F_MRG_RXBUF | FEATURE.INDIRECT_DESC, 16);
  const table = rig.room(1024 * 16), { address } = rig.output(20);
  for (let index = 0; index < 1024; index++) {
    const isLast = index === 1023;
    rig.descriptor(table, index, BigInt(address), isLast ? 20 : 1, isLast ? WRITE : NEXT, index + 1);
  }
  rig.descriptor(rig.descriptors(RX), 0, BigInt(table), 1024 * 16, INDIRECT, 0);
  for (let count = 0; count < 16; count++) rig.offer(RX, 0);
  const taken = [60, 100, 60].map((size) => {
    network.deliver(frameTo(BROADCAST, size));
    return [rig.usedIndex(RX), rig.slot.core.state().queues[RX]?.nextAvailable];
  });
  assertEquals(taken, [[4, 4], [4, 4], [8, 8]]);
});

Deno.test("VirtioNet loses what does not fit one buffer when buffers are not merged", () => {
  const { rig, network } = build();
  rig.submit(RX, [rig.output(40)], [rig.output(2000)]);
  network.deliver(frameTo(BROADCAST));
  assertEquals(rig.usedIndex(RX), 0);
});

Deno.test("VirtioNet and its bridge pass no frame that is none by its size", () => {
  const { rig, network, sent } = build();
  for (const size of [13, 1515]) {
    rig.submit(TX, [rig.input(new Uint8Array(10 + size))]);
    rig.submit(RX, [rig.output(3000)]);
    network.deliver(new Uint8Array(size));
  }
  rig.wait();
  assertEquals([sent.length, rig.usedIndex(TX), rig.usedIndex(RX)], [0, 2, 0]);
});

Deno.test("VirtioNet loses frames before the driver is ready", () => {
  const { rig, network } = build();
  rig.submit(RX, [rig.output(2000)]);
  rig.write(REGISTER.Status, 3);
  network.deliver(frameTo(BROADCAST));
  assertEquals(rig.usedIndex(RX), 0);
});

function table(...lists: readonly (readonly Uint8Array[])[]): number[] {
  return lists.flatMap((list) => [list.length, 0, 0, 0, ...list.flatMap((address) => [...address])]);
}

const OTHER = Uint8Array.of(2, 0, 0, 0, 0, 9);
const GROUP = Uint8Array.of(1, 0, 0x5e, 0, 0, 1);
const many = (first: number, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => Uint8Array.of(first, 0, 0, 0, 0, index));

/** Commands, and who then is heard: own address, another, a group, all. */
// deno-fmt-ignore
const COMMANDS: readonly [string, readonly (readonly number[])[], readonly number[], string][] = [
  ["nothing",              [],                                              [],        "mac other group all"],
  ["promiscuous off",      [[0, 0, 0]],                                     [0],       "mac all"],
  ["all multicast",        [[0, 0, 0], [0, 1, 1]],                          [0, 0],    "mac group all"],
  ["all unicast",          [[0, 0, 0], [0, 2, 1]],                          [0, 0],    "mac other all"],
  ["no multicast",         [[0, 0, 0], [0, 1, 1], [0, 3, 1]],               [0, 0, 0], "mac all"],
  ["no unicast",           [[0, 0, 0], [0, 4, 1]],                          [0, 0],    "all"],
  ["no broadcast",         [[0, 0, 0], [0, 5, 1]],                          [0, 0],    "mac"],
  ["tables",               [[0, 0, 0], [1, 0, ...table([OTHER], [GROUP])]], [0, 0],    "mac other group all"],
  ["tables too long",      [[0, 0, 0], [1, 0, ...table(many(2, 65), many(1, 65))]], [0, 0], "mac other group all"],
  ["another address",      [[0, 0, 0], [1, 1, ...OTHER]],                   [0, 0],    "other all"],
  ["half a table",         [[0, 0, 0], [1, 0, ...table([OTHER])]],          [0, 1],    "mac all"],
  ["a table cut off",      [[0, 0, 0], [1, 0, 9, 0, 0, 0, 1]],              [0, 1],    "mac all"],
  ["an address cut off",   [[0, 0, 0], [1, 1, 2]],                          [0, 1],    "mac all"],
  ["unknown commands",     [[0, 6, 1], [1, 2], [4, 0], [0, 0]],             [1, 1, 1, 1], "mac other group all"],
];

for (const [what, commands, results, heard] of COMMANDS) {
  Deno.test(`VirtioNet with ${what} hears ${heard}`, () => {
    const { rig, network } = build(F_CTRL_VQ | F_CTRL_MAC_ADDR);
    const given = commands.map((command) => {
      const result = rig.output(1);
      rig.submit(CONTROL, [
        rig.input(command.slice(0, 2)),
        ...command.length > 2 ? [rig.input(command.slice(2))] : [],
        result,
      ]);
      rig.wait();
      return rig.peek(result.address, 1)[0];
    });
    assertEquals(given, [...results]);
    const hears = Object.entries({ mac: MAC, other: OTHER, group: GROUP, all: BROADCAST }).filter(
      ([, address]) => {
        const before = rig.usedIndex(RX);
        rig.submit(RX, [rig.output(200)]);
        network.deliver(frameTo(address));
        return rig.usedIndex(RX) !== before;
      },
    );
    assertEquals(hears.map(([name]) => name).join(" "), heard);
  });
}

Deno.test("VirtioNet takes its address from a legacy driver's write, and has its own again after a reset", () => {
  const { rig } = build();
  rig.write(REGISTER.Config + 5, 0x77, 1);
  assertEquals(rig.read(REGISTER.Config + 4, 2), 0x7734);
  rig.start(F_CTRL_MAC_ADDR);
  rig.write(REGISTER.Config + 5, 0x77, 1);
  assertEquals([rig.read(REGISTER.Config + 4, 2), rig.read(REGISTER.Config + 6, 2)], [0x5634, 1]);
});
