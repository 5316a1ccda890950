/** Commands of an NVMe controller that move data, and what they leave on the disk. */
import { assert, assertEquals } from "@std/assert";
import { STATUS } from "../../../../machine/devices/nvme/status.ts";
import {
  BLOCK,
  blocks,
  contents,
  DATA,
  DISK_SIZE,
  ENABLED,
  PAGE,
  RAM,
  RAM_SIZE,
  ready,
  REGISTER,
  Rig,
} from "./support.ts";

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
