/** The NVMe controller: what a driver does with it, and what it does to a driver that is wrong. */
import { assert, assertEquals } from "@std/assert";
import { NO_DEADLINE } from "../../../../machine/clock.ts";
import { STATUS } from "../../../../machine/devices/nvme/status.ts";
import { Choices } from "../../../law/random.ts";
import { blocks, DATA, ENABLED, PAGE, RAM, RAM_SIZE, ready, REGISTER, Rig } from "./support.ts";

Deno.test("NvmeController becomes ready with admin queues that are possible, else fails until a reset", () => {
  const rig = new Rig();
  assertEquals([rig.read(0), rig.read(4), rig.read(8)], [0x0f01_07ff, 0x0040_0020, 0x0001_0400]);
  rig.enable();
  assertEquals(rig.read(REGISTER.CSTS), 1);
  // deno-fmt-ignore
  const wrong: [register: number, value: number][] = [
    [REGISTER.ASQ, RAM + 8], [REGISTER.ACQ, RAM + 0x800], [REGISTER.AQA, 0x1f_0000], [REGISTER.AQA, 0x1f],
  ];
  for (const [register, value] of wrong) {
    rig.write(REGISTER.CC, 0);
    assertEquals(rig.read(REGISTER.CSTS), 0);
    const before = rig.read(register);
    rig.write(register, value);
    rig.write(REGISTER.CC, ENABLED);
    assertEquals(rig.read(REGISTER.CSTS), 2, `register ${register}`);
    rig.write(REGISTER.CC, 0);
    rig.write(register, before);
  }
  rig.enable();
  rig.write(REGISTER.CC, ENABLED | 1 << 14);
  assertEquals(rig.read(REGISTER.CSTS), 9);
});

Deno.test("NvmeController completes after its latency, as well when it was saved and restored in between", () => {
  const rig = ready(), other = new Rig();
  const started = rig.clock.now;
  const identifier = rig.submit({ opcode: 2, namespace: 1, prp1: DATA, dwords: blocks(0, 8) }, 1);
  assertEquals(rig.clock.earliestDeadline, started + 20_000);
  other.put(RAM, rig.bytes(RAM, RAM_SIZE));
  for (const part of ["controller", "clock"] as const) {
    if (part === "controller") other.controller.restore(rig.controller.save());
    else other.clock.restore(rig.clock.save());
  }
  other.controller.port.restore(rig.controller.port.save());
  rig.settle();
  other.settle();
  assertEquals(rig.reap(1)[0]?.identifier, identifier);
  assertEquals(other.bytes(RAM, RAM_SIZE), rig.bytes(RAM, RAM_SIZE));
  rig.write(0x1004 + 8, 0);
  other.write(0x1004 + 8, 0);
  assertEquals(other.controller.save(), rig.controller.save());
});

Deno.test("NvmeController signals by its pin until completions are taken, unless masked", () => {
  const rig = ready();
  rig.write(REGISTER.INTMS, 1);
  rig.submit({ opcode: 0, namespace: 1 }, 1);
  rig.settle();
  assertEquals(rig.interrupt, false);
  rig.write(REGISTER.INTMC, 1);
  assertEquals(rig.interrupt, true);
  rig.reap(1);
  assertEquals(rig.interrupt, false);
  assertEquals(rig.messages, []);
});

Deno.test("NvmeController signals by MSI-X, a message for each queue that has completions", () => {
  const rig = new Rig();
  const { port: pci } = rig.controller;
  pci.writeConfig(0x42, 2, 0x8000);
  for (const vector of [0, 3]) {
    rig.write(0x2000 + 16 * vector, 0x0802_0040);
    rig.write(0x2008 + 16 * vector, 100 + vector);
    rig.write(0x200c + 16 * vector, 0);
  }
  rig.enable();
  rig.createQueues(1, 3);
  rig.messages.length = 0;
  rig.submit({ opcode: 0, namespace: 1 }, 1);
  rig.submit({ opcode: 0, namespace: 1 }, 1);
  rig.submit({ opcode: 6, prp1: DATA, dwords: [1] });
  rig.settle();
  assertEquals(rig.messages.map(({ data }) => data), [100, 103]);
  assertEquals(rig.interrupt, false);
});

Deno.test("NvmeController stops at a full completion queue and goes on when there is room", () => {
  const rig = ready();
  for (let count = 0; count < 31; count++) rig.submit({ opcode: 0, namespace: 1 }, 1);
  rig.settle();
  for (let count = 0; count < 5; count++) rig.submit({ opcode: 0, namespace: 1 }, 1);
  assertEquals(rig.clock.earliestDeadline, NO_DEADLINE);
  assertEquals(rig.reap(1).length, 31);
  rig.settle();
  assertEquals(rig.reap(1).length, 5);
});

Deno.test("NvmeController tells a driver that asked for events of doorbells that are wrong", () => {
  const rig = ready();
  const waiting = [1, 2, 3, 4].map(() => rig.submit({ opcode: 0xc }));
  assertEquals(rig.run({ opcode: 0xc }).status, STATUS.eventLimitExceeded);
  rig.write(0x1000 + 8 * 40, 1);
  rig.settle();
  assertEquals(rig.reap().map(({ identifier, result }) => [identifier, result]), [[waiting[3], 0x1_0000]]);
  rig.write(0x1000 + 8, 32);
  rig.settle();
  assertEquals(rig.reap(), []);
  const reading = rig.submit({ opcode: 2, namespace: 0xffff_ffff, prp1: DATA, dwords: [1 | 15 << 16] });
  rig.settle();
  assertEquals(rig.reap().map(({ identifier, result }) => [identifier, result]), [
    [waiting[2], 0x1_0100],
    [reading, 0],
  ]);
});

Deno.test("EventRequests.doorbell counts a request as taken by the event that is due", () => {
  const rig = ready();
  const waiting = rig.submit({ opcode: 0xc });
  rig.settle();
  rig.write(0x1000 + 8, 32);
  rig.write(0x1000 + 8, 33);
  rig.settle();
  assertEquals(rig.reap().map(({ identifier, result }) => [identifier, result]), [[waiting, 0x1_0100]]);
  rig.run({ opcode: 2, namespace: 0xffff_ffff, prp1: DATA, dwords: [1 | 15 << 16] });
  rig.submit({ opcode: 0xc });
  rig.settle();
  assertEquals(rig.reap(), []);
});

Deno.test("setFeature agrees on the number of queues before there are any, and not after (section 5.21.1.7)", () => {
  const rig = ready();
  const number = { opcode: 9, dwords: [7, 0x1_0001] };
  assertEquals(rig.run(number).status, STATUS.sequenceError);
  rig.enable();
  assertEquals([rig.run(number).status, rig.run({ opcode: 9, dwords: [7, 0xffff] }).status], [
    STATUS.success,
    STATUS.invalidField,
  ]);
});

Deno.test("NvmeController fails for good when a queue is not in memory", () => {
  const rig = ready();
  rig.run({ opcode: 1, prp1: 0x1000, dwords: [2 | 31 << 16, 1 | 1 << 16] });
  rig.write(0x1000 + 16, 1);
  rig.settle();
  assertEquals(rig.read(REGISTER.CSTS), 3);
  rig.submit({ opcode: 0, namespace: 1 }, 1);
  assertEquals(rig.clock.earliestDeadline, NO_DEADLINE);
  rig.enable();
  assertEquals(rig.read(REGISTER.CSTS), 1);
});

Deno.test("NvmeController takes 100,000 accesses of no sense, and queues full of them, with bounded work", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Choices(seed);
  const rig = new Rig();
  const junk = Uint32Array.from({ length: 2 ** 18 }, () => random.word());
  rig.put(RAM, new Uint8Array(junk.buffer));
  const address = () => RAM + random.below(256) * PAGE;
  const registers = Object.values(REGISTER);
  let served = 0;
  for (let access = 0; access < 100_000; access++) {
    if (random.oneIn(500)) {
      rig.write(REGISTER.CC, 0);
      rig.write(REGISTER.AQA, random.word());
      rig.write(REGISTER.ASQ, random.oneIn(9) ? random.word() : address());
      rig.write(REGISTER.ACQ, random.oneIn(9) ? random.word() : address());
      rig.write(REGISTER.CC, ENABLED);
    } else if (random.oneIn(20)) {
      // A command with some sense in it, where a queue may be.
      const at = address();
      rig.put(at, Uint8Array.of(random.below(13), 0, 1, 0, 1, 0, 0, 0));
      rig.put(at + 24, new Uint8Array(BigUint64Array.of(BigInt(address()), BigInt(address())).buffer));
      rig.put(at + 40, Uint8Array.of(random.below(4), 0, random.below(32), 0, 1, 0, random.below(4), 0));
    }
    const offset = random.of([random.of(registers), random.below(0x4000), 0x1000 + 4 * random.below(8)]);
    const size = random.of([1, 2, 4, 4]);
    if (random.oneIn(3)) rig.read(offset, size);
    else if (offset !== REGISTER.CC || random.oneIn(50)) {
      rig.write(offset, random.oneIn(2) ? random.word() : random.below(40), size);
    }
    if (rig.clock.earliestDeadline !== NO_DEADLINE && random.oneIn(8)) {
      rig.step();
      served++;
    }
    if (access % 10_000 === 0) rig.controller.restore(rig.controller.save());
  }
  assert(served > 100, `${served} alarms, seed ${seed}`);
});
