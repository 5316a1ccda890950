/** Split virtqueues: rings, indirect tables, suppression of interrupts, and drivers that break the rules. */
import { assertEquals } from "@std/assert";
import { FEATURE } from "../../../../machine/devices/virtio/device.ts";
import { VirtioRng } from "../../../../machine/devices/virtio/rng.ts";
import { REGISTER, Rig } from "./support.ts";

const NEXT = 1, WRITE = 2, INDIRECT = 4;
const NEEDS_RESET = 0x40;
const NOWHERE = 0x2_0000_0000;

function build(features = 0n, version: 1 | 2 = 2, size = 8): Rig {
  const rig = new Rig(new VirtioRng({ seed: 1 }), version);
  rig.start(features, size);
  return rig;
}

Deno.test("Virtqueue uses what is available, in order, round and round", () => {
  for (const size of [1, 2, 7, 8]) {
    const rig = build(0n, 2, size);
    for (let round = 0; round < 20; round++) {
      const chains = Array.from({ length: size }, (_, index) => [rig.output(index + 1)]);
      rig.submit(0, ...chains);
      rig.wait();
      assertEquals(rig.usedIndex(0), (round + 1) * size);
      for (let index = 0; index < size; index++) {
        assertEquals(rig.usedEntry(0, round * size + index), [index, index + 1]);
      }
    }
  }
});

Deno.test("Virtqueue's indices wrap at 65536", () => {
  const rig = build();
  const [queue] = rig.slot.core.queues;
  queue?.restore({ ...queue.state(), nextAvailable: 65534, nextUsed: 65534 });
  rig.poke16(rig.available(0) + 2, 65534);
  for (let count = 0; count < 3; count++) rig.submit(0, [rig.output(count + 1)]);
  rig.wait();
  assertEquals([rig.usedIndex(0), rig.usedEntry(0, 65535)[1], rig.usedEntry(0, 0)[1]], [1, 2, 3]);
});

Deno.test("Virtqueue follows a table of indirect descriptors", () => {
  const rig = build(FEATURE.INDIRECT_DESC);
  const table = rig.room(32);
  const [a, b] = [rig.output(3), rig.output(5)];
  rig.descriptor(table, 0, BigInt(a.address), 3, NEXT | WRITE, 1);
  rig.descriptor(table, 1, BigInt(b.address), 5, WRITE, 0);
  rig.descriptor(rig.descriptors(0), 0, BigInt(table), 32, INDIRECT, 0);
  rig.offer(0, 0);
  rig.write(REGISTER.QueueNotify, 0);
  rig.wait();
  assertEquals([rig.usedIndex(0), ...rig.usedEntry(0, 0)], [1, 0, 8]);
});

Deno.test("Virtqueue leaves what is too much for one time until the latency has passed again", () => {
  const rig = build(FEATURE.INDIRECT_DESC, 2, 128), other = build(FEATURE.INDIRECT_DESC, 2, 128);
  const table = rig.room(1024 * 16), { address } = rig.output(1);
  for (let index = 0; index < 1024; index++) {
    rig.descriptor(table, index, BigInt(address), 1, WRITE | (index < 1023 ? NEXT : 0), index + 1);
  }
  rig.descriptor(rig.descriptors(0), 0, BigInt(table), 1024 * 16, INDIRECT, 0);
  for (let count = 0; count < 128; count++) rig.offer(0, 0);
  rig.write(REGISTER.QueueNotify, 0);
  const { model: { latencyNanoseconds } } = rig;
  const done = Array.from({ length: 5 }, () => {
    const before = rig.events.nextIndex;
    rig.clock.skipTo(rig.clock.now + latencyNanoseconds);
    rig.clock.serveAlarms();
    other.slot.restore(rig.slot.save());
    assertEquals(other.slot.core.state(), rig.slot.core.state());
    return [rig.usedIndex(0), rig.line.level, rig.events.nextIndex - before < 2 ** 17];
  });
  // 1024 descriptors, the bytes in them and the making of random ones: 31 are 32 Ki units of work.
  assertEquals(done, [31, 62, 93, 124, 128].map((used) => [used, true, true]));
  assertEquals(rig.clock.earliestDeadline, Infinity);
});

Deno.test("Virtqueue sends no interrupt when the driver wants none, but fills the ring", () => {
  const rig = build();
  rig.poke16(rig.available(0), 1);
  rig.submit(0, [rig.output(4)]);
  rig.wait();
  assertEquals([rig.usedIndex(0), rig.line.level], [1, false]);
});

Deno.test("Virtqueue sends an interrupt at the index that the driver names, and names its own", () => {
  const rig = build(FEATURE.EVENT_IDX);
  const usedEvent = rig.available(0) + 4 + 8 * 2;
  const availableEvent = rig.used(0) + 4 + 8 * 8;
  const interrupts = [0, 2, 2, 2].map((event) => {
    rig.poke16(usedEvent, event);
    rig.write(REGISTER.InterruptACK, 3);
    rig.submit(0, [rig.output(4)]);
    rig.wait();
    return rig.line.level;
  });
  // The first is always told; then event 2 means: once the third was used.
  assertEquals([interrupts, rig.peek16(availableEvent)], [[true, false, true, false], 4]);
});

Deno.test("Virtqueue tells a legacy driver with NOTIFY_ON_EMPTY of the last buffer, wanted or not", () => {
  const rig = build(FEATURE.NOTIFY_ON_EMPTY, 1);
  rig.poke16(rig.available(0), 1);
  rig.submit(0, [rig.output(4)]);
  rig.wait();
  assertEquals(rig.line.level, true);
});

/** Each breaks a rule of section 2.7; QEMU 7.2 calls virtio_error for it. */
// deno-fmt-ignore
const BROKEN: readonly [string, (rig: Rig) => void][] = [
  ["an available index too far ahead",        (rig) => rig.poke16(rig.available(0) + 2, 9)],
  ["a head that is no descriptor",            (rig) => rig.offer(0, 8)],
  ["a next that is no descriptor",            (rig) => (one(rig, NEXT | WRITE, 8), rig.offer(0, 0))],
  ["a loop",                                  (rig) => (one(rig, NEXT | WRITE, 0), rig.offer(0, 0))],
  ["a buffer of no bytes",                    (rig) => (one(rig, WRITE, 0, rig.output(4).address, 0), rig.offer(0, 0))],
  ["a buffer where no memory is",             (rig) => (one(rig, WRITE, 0, NOWHERE), rig.offer(0, 0))],
  ["a buffer that ends where no memory is",   (rig) => (one(rig, WRITE, 0, 0x400f_fffe), rig.offer(0, 0))],
  ["a readable buffer after a writable one",  (rig) => rig.offer(0, rig.chain(0, [rig.output(4), rig.input([1])]))],
  ["an indirect table of no bytes",           (rig) => (one(rig, INDIRECT, 0, rig.room(32), 0), rig.offer(0, 0))],
  ["an indirect table of half an entry",      (rig) => (one(rig, INDIRECT, 0, rig.room(32), 24), rig.offer(0, 0))],
  ["an indirect table where no memory is",    (rig) => (one(rig, INDIRECT, 0, NOWHERE, 16), rig.offer(0, 0))],
  ["an indirect table in an indirect table",  (rig) => nested(rig)],
  ["an indirect table that is a loop",        (rig) => {
    const table = rig.room(32);
    rig.descriptor(table, 0, BigInt(rig.output(4).address), 4, NEXT | WRITE, 1);
    rig.descriptor(table, 1, BigInt(rig.output(4).address), 4, NEXT | WRITE, 0);
    one(rig, INDIRECT, 0, table, 32);
    rig.offer(0, 0);
  }],
];

function one(rig: Rig, flags: number, next: number, address = rig.output(4).address, size = 4): void {
  rig.descriptor(rig.descriptors(0), 0, BigInt(address), size, flags, next);
}

function nested(rig: Rig): void {
  const table = rig.room(16);
  rig.descriptor(table, 0, BigInt(table), 16, INDIRECT, 0);
  one(rig, INDIRECT, 0, table, 16);
  rig.offer(0, 0);
}

for (const [what, act] of BROKEN) {
  Deno.test(`Virtqueue stops at ${what}, and goes on after a reset`, () => {
    for (const version of [1, 2] as const) {
      const rig = build(0n, version);
      act(rig);
      rig.write(REGISTER.QueueNotify, 0);
      rig.wait();
      const isModern = version === 2;
      assertEquals([rig.usedIndex(0), rig.read(REGISTER.Status) & NEEDS_RESET], [
        0,
        isModern ? NEEDS_RESET : 0,
      ]);
      assertEquals([rig.line.level, rig.read(REGISTER.InterruptStatus)], [isModern, isModern ? 3 : 0]);
      rig.submit(0, [rig.output(4)]);
      rig.wait();
      assertEquals(rig.usedIndex(0), 0);
      rig.start();
      rig.submit(0, [rig.output(4)]);
      rig.wait();
      assertEquals([rig.usedIndex(0), rig.line.level], [1, true]);
    }
  });
}

Deno.test("Virtqueue stops when its rings are where no memory is", () => {
  for (
    const [register, high] of [[REGISTER.QueueDesc, 2], [REGISTER.QueueDriver, 2], [
      REGISTER.QueueDevice,
      2 ** 31,
    ]]
  ) {
    const rig = build();
    rig.offer(0, rig.chain(0, [rig.output(4)]));
    rig.write(REGISTER.QueueSel, 0);
    rig.write(REGISTER.QueueReady, 0);
    rig.write((register as number) + 4, high as number);
    rig.write(REGISTER.QueueReady, 1);
    rig.write(REGISTER.QueueNotify, 0);
    rig.wait();
    assertEquals([rig.usedIndex(0), rig.read(REGISTER.Status) & NEEDS_RESET], [0, NEEDS_RESET]);
  }
});

Deno.test("Virtqueue is left alone while it is not enabled, and its size is not changed while it is", () => {
  const rig = build();
  rig.write(REGISTER.QueueSel, 0);
  rig.write(REGISTER.QueueNum, 4);
  assertEquals(rig.slot.core.queues[0]?.size, 8);
  rig.write(REGISTER.QueueReady, 0);
  rig.submit(0, [rig.output(4)]);
  rig.wait();
  assertEquals(rig.usedIndex(0), 0);
  for (const [size, expected] of [[4, 4], [0, 4], [1025, 4], [1024, 1024]]) {
    rig.write(REGISTER.QueueNum, size as number);
    assertEquals(rig.slot.core.queues[0]?.size, expected);
  }
});
