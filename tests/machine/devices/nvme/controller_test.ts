/** The NVMe controller: what a driver does with it, and what it does to a driver that is wrong. */
import { assert, assertEquals } from "@std/assert";
import { NO_DEADLINE } from "../../../../machine/clock.ts";
import { STATUS } from "../../../../machine/devices/nvme/status.ts";
import { Choices } from "../../../law/random.ts";
import { contents, DISK_SIZE, ENABLED, RAM, RAM_SIZE, REGISTER, Rig } from "./support.ts";

const DATA = RAM + 0x80_0000;
const PAGE = 4096;
const BLOCK = 512;

function ready(...options: ConstructorParameters<typeof Rig>): Rig {
  const rig = new Rig(...options);
  rig.enable();
  rig.createQueues(1);
  return rig;
}

const blocks = (first: number, count: number, more = 0) => [first, 0, (count - 1) | more];

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

Deno.test("NvmeController reads and writes by every kind of PRP", () => {
  const rig = ready();
  const disk = contents();
  const list = DATA + 0x40_0000 + 8 * 510;
  // The list begins two entries before the end of its page: the last one leads on.
  const entries = (addresses: readonly number[]) =>
    new Uint8Array(BigUint64Array.from(addresses, BigInt).buffer);
  rig.put(list, entries([DATA + 5 * PAGE, DATA + 0x50_0000]));
  rig.put(DATA + 0x50_0000, entries([DATA + 9 * PAGE, DATA + 7 * PAGE]));
  // deno-fmt-ignore
  const cases: [prp1: number, prp2: number, count: number, pieces: [address: number, size: number][]][] = [
    [DATA,        0,        8,  [[DATA, 4096]]],
    [DATA + 512,  0,        1,  [[DATA + 512, 512]]],
    [DATA + 3584, DATA + PAGE * 3, 9, [[DATA + 3584, 512], [DATA + PAGE * 3, 4096]]],
    [DATA + 2048, list,     28, [[DATA + 2048, 2048], [DATA + 5 * PAGE, 4096], [DATA + 9 * PAGE, 4096], [DATA + 7 * PAGE, 4096]]],
  ];
  for (const [prp1, prp2, count, pieces] of cases) {
    const range = disk.subarray(40 * BLOCK, (40 + count) * BLOCK);
    const command = { namespace: 1, prp1, prp2, dwords: blocks(40, count) };
    assertEquals(rig.run({ opcode: 2, ...command }, 1).status, STATUS.success);
    let at = 0;
    for (const [address, size] of pieces) {
      assertEquals(rig.bytes(address, size), range.slice(at, at + size));
      rig.put(address, range.slice(at, at + size).map((byte) => byte ^ 0xff));
      at += size;
    }
    assertEquals(rig.run({ opcode: 5, ...command }, 1).status, STATUS.compareFailure);
    assertEquals(rig.run({ opcode: 1, ...command }, 1).status, STATUS.success);
    assertEquals(rig.run({ opcode: 5, ...command }, 1).status, STATUS.success);
    assertEquals(rig.disk.peek(40 * BLOCK, at), range.slice(0, at).map((byte) => byte ^ 0xff));
    rig.disk.write(40 * BLOCK, range);
  }
});

Deno.test("NvmeController answers wrong commands with the status that says what is wrong", () => {
  const rig = ready();
  const last = DISK_SIZE / BLOCK;
  const read = { opcode: 2, namespace: 1, prp1: DATA, dwords: blocks(0, 1) };
  // deno-fmt-ignore
  const rows: [what: object, status: number][] = [
    [{ opcode: 0x7f },                              STATUS.invalidOpcode],
    [{ namespace: 0 },                              STATUS.invalidNamespace],
    [{ namespace: 257 },                            STATUS.invalidNamespace],
    [{ namespace: 2 },                              STATUS.invalidField],
    [{ flags: 0x40 },                               STATUS.invalidField],
    [{ dwords: blocks(last, 1) },                   STATUS.lbaOutOfRange],
    [{ dwords: blocks(last - 1, 2) },               STATUS.lbaOutOfRange],
    [{ dwords: [0xffff_ffff, 0xffff_ffff, 0] },     STATUS.lbaOutOfRange],
    [{ dwords: blocks(0, 1025) },                   STATUS.invalidField],
    [{ dwords: blocks(0, 16), prp2: DATA + 8 },     STATUS.invalidPrpOffset],
    [{ dwords: blocks(0, 32), prp2: DATA + PAGE },  STATUS.invalidPrpOffset],
    [{ prp1: 0x1000 },                              STATUS.dataTransferError],
    [{ prp1: RAM + RAM_SIZE - 256 },                STATUS.dataTransferError],
    [{ dwords: blocks(0, 32), prp2: 0x1000 },       STATUS.dataTransferError],
  ];
  rig.put(DATA + PAGE, Uint8Array.of(4));
  for (const [what, status] of rows) {
    assertEquals(rig.run({ ...read, ...what }, 1).status, status, JSON.stringify(what));
  }
  assertEquals(rig.run(read, 1).status, STATUS.success);
  const locked = ready(true);
  for (const opcode of [1, 8, 9]) {
    assertEquals(locked.run({ ...read, opcode }, 1).status, STATUS.namespaceProtected);
  }
});

Deno.test("NvmeController makes writes durable by flush, forced unit access, disabling the cache and shutdown", () => {
  const write = { opcode: 1, namespace: 1, prp1: DATA, dwords: blocks(8, 8) };
  const isDurable = (rig: Rig) => rig.disk.written.volatile === 0;
  const rows: [name: string, make: (rig: Rig) => void][] = [
    ["flush", (rig) => void rig.run({ opcode: 0, namespace: 1 }, 1)],
    ["flush of all", (rig) => void rig.run({ opcode: 0, namespace: 0xffff_ffff }, 1)],
    ["forced", (rig) => void rig.run({ ...write, dwords: blocks(16, 1, 1 << 30) }, 1)],
    ["cache off", (rig) => void rig.run({ opcode: 9, dwords: [6, 0] })],
    ["shutdown", (rig) => rig.write(REGISTER.CC, ENABLED | 1 << 14)],
  ];
  for (const [name, make] of rows) {
    const rig = ready();
    rig.run(write, 1);
    assert(!isDurable(rig), name);
    make(rig);
    assert(isDurable(rig), name);
  }
  const rig = ready();
  rig.run({ opcode: 9, dwords: [6, 0] });
  rig.run(write, 1);
  assert(isDurable(rig));
});

Deno.test("NvmeController zeroes ranges by Write Zeroes and Dataset Management", () => {
  const rig = ready();
  const expected = contents();
  assertEquals(rig.run({ opcode: 8, namespace: 1, dwords: blocks(3, 200) }, 1).status, STATUS.success);
  expected.fill(0, 3 * BLOCK, 203 * BLOCK);
  const ranges = new Uint8Array(32);
  new DataView(ranges.buffer).setUint32(4, 300, true);
  new DataView(ranges.buffer).setUint32(8, 1000, true);
  rig.put(DATA, ranges);
  assertEquals(rig.run({ opcode: 9, namespace: 1, prp1: DATA, dwords: [1, 4] }, 1).status, STATUS.success);
  expected.fill(0, 1000 * BLOCK, 1300 * BLOCK);
  assertEquals(rig.disk.peek(0, DISK_SIZE), expected);
  new DataView(ranges.buffer).setUint32(24, 0xffff_ffff, true);
  rig.put(DATA, ranges);
  assertEquals(
    rig.run({ opcode: 9, namespace: 1, prp1: DATA, dwords: [1, 4] }, 1).status,
    STATUS.lbaOutOfRange,
  );
});

/** A list of ranges for Dataset Management. */
function rangesOf(...ranges: readonly (readonly [first: number, count: number])[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ranges.length * 16);
  const view = new DataView(bytes.buffer);
  for (const [index, [first, count]] of ranges.entries()) {
    view.setUint32(index * 16 + 4, count, true);
    view.setUint32(index * 16 + 8, first, true);
  }
  return bytes;
}

Deno.test("NvmeController deallocates no more by one command than the disk has", () => {
  const rig = ready();
  const zeroed: [offset: number, size: number][] = [];
  rig.events.add({
    classes: ["detail"],
    observe: (event) => void (event.kind === "diskWritten" && zeroed.push([event.offset, event.size])),
  });
  const half = DISK_SIZE / 2 / BLOCK;
  rig.put(DATA, rangesOf([half, half], [0, half], [5, 1], [0, 2 * half]));
  assertEquals(rig.run({ opcode: 9, namespace: 1, prp1: DATA, dwords: [3, 4] }, 1).status, STATUS.success);
  assertEquals(zeroed, [[DISK_SIZE / 2, DISK_SIZE / 2], [0, DISK_SIZE / 2]]);
});

Deno.test("NvmeController leaves further commands for later once very much was deallocated", () => {
  const rig = ready(false, { size: 2 ** 34, chunk: () => new Uint8Array(2 ** 20) });
  rig.put(DATA, rangesOf([0, 2 ** 25]));
  for (let count = 0; count < 2; count++) {
    rig.submit({ opcode: 9, namespace: 1, prp1: DATA, dwords: [0, 4] }, 1);
  }
  const counts = [0, 1].map(() => {
    const before = rig.clock.now;
    rig.step();
    return [rig.clock.now - before, rig.reap(1).length];
  });
  assertEquals(counts, [[20_000, 1], [20_000, 1]]);
});

Deno.test("NvmeController compares every byte", () => {
  const rig = ready();
  rig.put(DATA, contents().subarray(0, PAGE));
  const compare = { opcode: 5, namespace: 1, prp1: DATA, dwords: blocks(0, 8) };
  assertEquals(rig.run(compare, 1).status, STATUS.success);
  for (const at of [0, 1, PAGE - 1]) {
    const wrong = contents().slice(0, PAGE);
    wrong[at]! ^= 0x80;
    rig.put(DATA, wrong);
    assertEquals(rig.run(compare, 1).status, STATUS.compareFailure, `byte ${at}`);
  }
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
  other.controller.function.restore(rig.controller.function.save());
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
  const { function: pci } = rig.controller;
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
  rig.run({ opcode: 2, namespace: 0xffff_ffff, prp1: DATA, dwords: [1 | 15 << 16] });
  rig.write(0x1000 + 8, 32);
  rig.settle();
  assertEquals(rig.reap().map(({ result }) => result), [0x1_0100]);
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
