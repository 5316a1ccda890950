/** The virtio entropy device and the virtio console. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { VirtioConsole } from "../../../../machine/devices/virtio/console.ts";
import { FEATURE } from "../../../../machine/devices/virtio/device.ts";
import { VirtioRng } from "../../../../machine/devices/virtio/rng.ts";
import { createHash } from "node:crypto";
import { REGISTER, Rig } from "./support.ts";

function entropy(rig: Rig, size: number): Uint8Array {
  const buffer = rig.output(size);
  const index = rig.usedIndex(0);
  rig.submit(0, [buffer]);
  rig.wait();
  return rig.peek(buffer.address, rig.usedEntry(0, index)[1]);
}

Deno.test("VirtioRng gives a stream derived from the seed, however it is asked for", () => {
  const build = (seed: number): Rig => {
    const rig = new Rig(new VirtioRng({ seed }));
    rig.start();
    return rig;
  };
  const blocks = [0, 1].map((block) => createHash("sha256").update(`virtio-rng virtio0 5 ${block}`).digest());
  const expected = new Uint8Array([...blocks[0] ?? [], ...blocks[1] ?? []]);
  assertEquals(entropy(build(5), 64), expected);
  const rig = build(5);
  assertEquals([...entropy(rig, 1), ...entropy(rig, 40), ...entropy(rig, 23)], [...expected]);
  rig.start();
  assertNotEquals(entropy(rig, 64), expected);
  rig.slot.reset();
  rig.start();
  assertEquals(entropy(rig, 64), expected);
  assertNotEquals(entropy(build(6), 64), expected);
});

Deno.test("VirtioRng answers 4096 bytes at most", () => {
  const rig = new Rig(new VirtioRng({ seed: 0 }));
  rig.start();
  assertEquals(entropy(rig, 5000).length, 4096);
});

function console() {
  const sent: number[] = [];
  const model = new VirtioConsole({ transmitted: (byte) => sent.push(byte) });
  const rig = new Rig(model);
  rig.start();
  const type = (text: string): void => model.receive(new TextEncoder().encode(text));
  return { rig, sent, type };
}

Deno.test("VirtioConsole transmits all that is in its buffers, in order", () => {
  const { rig, sent } = console();
  rig.submit(1, [rig.input([0x61, 0x62]), rig.input([0x63])], [rig.input([0x64])]);
  rig.wait();
  assertEquals([sent, rig.usedIndex(1)], [[0x61, 0x62, 0x63, 0x64], 2]);
});

Deno.test("VirtioConsole transmits no more than 1 MiB of a chain, and the next one later", () => {
  const { rig, sent } = console();
  rig.start(0n, 64);
  const buffer = rig.input(new Uint8Array(0x1_0000).fill(0x61));
  rig.submit(1, Array.from({ length: 17 }, () => buffer), [rig.input([0x62])]);
  const counts = [0, 1].map(() => {
    rig.clock.skipTo(rig.clock.earliestDeadline);
    rig.clock.serveAlarms();
    return [sent.length, rig.usedIndex(1)];
  });
  assertEquals([counts, sent.at(-1)], [[[2 ** 20, 1], [2 ** 20 + 1, 2]], 0x62]);
});

Deno.test("VirtioConsole keeps what is typed until there are buffers, over a reset by the driver too", () => {
  const { rig, type } = console();
  type("abcde");
  rig.start();
  const buffers = [rig.output(3), rig.output(8), rig.output(8)];
  rig.submit(0, ...buffers.map((buffer) => [buffer]));
  rig.wait();
  type("f");
  const text = buffers.map(({ address }, index) =>
    new TextDecoder().decode(rig.peek(address, rig.usedEntry(0, index)[1]))
  );
  assertEquals(text, ["abc", "de", "f"]);
  rig.slot.reset();
  rig.start();
  rig.submit(0, [rig.output(4)]);
  rig.wait();
  assertEquals(rig.usedIndex(0), 0);
});

Deno.test("VirtioConsole asks a driver with EVENT_IDX for further buffers when what was typed fills all", () => {
  const { rig, type } = console();
  rig.start(FEATURE.EVENT_IDX);
  rig.submit(0, [rig.output(3)]);
  rig.wait();
  type("abcde");
  const availableEvent = rig.used(0) + 4 + 8 * 8;
  assertEquals([rig.usedIndex(0), rig.peek16(availableEvent)], [1, 1]);
});

Deno.test("VirtioConsole transmits emergency characters before any queue is there", () => {
  const { rig, sent } = console();
  rig.write(REGISTER.Status, 0);
  rig.write(REGISTER.Config + 8, 0x21);
  assertEquals([sent, rig.read(REGISTER.Config + 8)], [[0x21], 0]);
});

Deno.test("VirtioConsole, as every virtio device, sees memory as the driver's cached accesses do", () => {
  const { rig, sent } = console();
  const buffer = rig.input([1, 2]);
  const patched: number[] = [];
  rig.memory.cache = {
    descriptor: () => undefined,
    overlay: (address, bytes) => void (address === buffer.address && bytes.fill(9)),
    patched: (address) => patched.push(address),
    readByDevice: () => assertEquals("read behind the cache", "never"),
  };
  rig.submit(1, [buffer]);
  rig.wait();
  assertEquals([sent, patched], [[9, 9], [rig.used(1) + 4, rig.used(1) + 2]]);
});
