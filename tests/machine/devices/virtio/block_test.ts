/** The virtio block device, by a driver over virtio-mmio in both versions. */
import { assertEquals } from "@std/assert";
import { VirtioBlock } from "../../../../machine/devices/virtio/block.ts";
import { assertRoundTrip } from "../support.ts";
import { type Buffer, MemoryDisk, RAM, RAM_SIZE, REGISTER, Rig } from "./support.ts";

const IN = 0, OUT = 1, SCSI = 2, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13;
const OK = 0, IOERR = 1, UNSUPP = 2;
const F_FLUSH = 1n << 9n, F_CONFIG_WCE = 1n << 11n;

function header(type: number, sector: number | bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, type, true);
  new DataView(bytes.buffer).setBigUint64(8, BigInt(sector), true);
  return bytes;
}

function range(sector: number, count: number, flags = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(sector), true);
  new DataView(bytes.buffer).setUint32(8, count, true);
  new DataView(bytes.buffer).setUint32(12, flags, true);
  return bytes;
}

function build(version: 1 | 2 = 1, disk = new MemoryDisk(64 * 512), features = F_FLUSH | F_CONFIG_WCE) {
  const rig = new Rig(new VirtioBlock({ disk, serial: "SERIAL" }), version);
  rig.start(features);
  /** Does a request and gives its status. */
  const request = (type: number, sector: number | bigint, ...data: Buffer[]): number => {
    const status = rig.output(1);
    rig.poke(status.address, Uint8Array.of(0xee));
    rig.submit(0, [rig.input(header(type, sector)), ...data, status]);
    rig.wait();
    return rig.peek(status.address, 1)[0] as number;
  };
  return { rig, disk, request };
}

for (const version of [1, 2] as const) {
  Deno.test(`VirtioBlock reads and writes sectors in buffers of any kind, version ${version}`, () => {
    const { rig, disk, request } = build(version);
    const [a, b] = [rig.output(100), rig.output(1024 - 100)];
    assertEquals(request(IN, 3, a, b), OK);
    const read = [...rig.peek(a.address, a.size), ...rig.peek(b.address, b.size)];
    assertEquals(read, [...disk.bytes.subarray(3 * 512, 5 * 512)]);
    assertEquals(rig.usedEntry(0, 0), [0, 1025]);
    const bytes = Uint8Array.from({ length: 1024 }, (_, index) => 255 - index);
    assertEquals(request(OUT, 62, rig.input(bytes.subarray(0, 511)), rig.input(bytes.subarray(511))), OK);
    assertEquals(disk.bytes.subarray(62 * 512), bytes);
    assertEquals(rig.usedEntry(0, 1)[1], 1);
  });
}

/** What QEMU 7.2 answers, or the specification where it leaves the value open. */
// deno-fmt-ignore
const ANSWERS: readonly [string, (rig: Rig, request: (type: number, sector: number | bigint, ...data: Buffer[]) => number) => number, number][] = [
  ["reading past the end",             (rig, request) => request(IN, 63, rig.output(1024)), IOERR],
  ["reading far past the end",         (rig, request) => request(IN, 2n ** 64n - 1n, rig.output(512)), IOERR],
  ["reading no whole sectors",         (rig, request) => request(IN, 0, rig.output(511)), IOERR],
  ["reading nothing",                  (_, request) => request(IN, 0), OK],
  ["writing past the end",             (rig, request) => request(OUT, 64, rig.input(new Uint8Array(512))), IOERR],
  ["a SCSI command",                   (_, request) => request(SCSI, 0), UNSUPP],
  ["an unknown type",                  (_, request) => request(20, 0), UNSUPP],
  ["a barrier",                        (rig, request) => request(0x8000_0000, 0, rig.output(512)), OK],
  ["discarding",                       (rig, request) => request(DISCARD, 0, rig.input(range(1, 2))), OK],
  ["discarding past the end",          (rig, request) => request(DISCARD, 0, rig.input(range(63, 2))), IOERR],
  ["discarding with the unmap flag",   (rig, request) => request(DISCARD, 0, rig.input(range(1, 2, 1))), UNSUPP],
  ["two ranges at once",               (rig, request) => request(DISCARD, 0, rig.input(new Uint8Array(32))), UNSUPP],
  ["zeroing with an unknown flag",     (rig, request) => request(WRITE_ZEROES, 0, rig.input(range(1, 2, 2))), UNSUPP],
  ["zeroing without data to the device", (rig, request) => request(WRITE_ZEROES - 1, 0, rig.input(range(1, 2))), UNSUPP],
];

for (const [what, act, status] of ANSWERS) {
  Deno.test(`VirtioBlock answers ${what} with status ${status} and changes nothing`, () => {
    const { rig, disk, request } = build();
    assertEquals(act(rig, request), status);
    assertEquals(disk.bytes, new MemoryDisk(disk.size).bytes);
  });
}

Deno.test("VirtioBlock fills with zeros, and flushes", () => {
  const { rig, disk, request } = build();
  assertEquals(request(WRITE_ZEROES, 0, rig.input(range(1, 2, 1))), OK);
  const expected = new MemoryDisk(disk.size).bytes.fill(0, 512, 1536);
  assertEquals([disk.bytes, disk.flushes], [expected, 0]);
  assertEquals([request(FLUSH, 0), disk.flushes], [OK, 1]);
});

Deno.test("VirtioBlock gives its serial number, cut or ended by a zero", () => {
  const { rig, request } = build();
  const id = rig.output(20);
  rig.poke(id.address, new Uint8Array(20).fill(0xff));
  assertEquals(request(GET_ID, 0, id), OK);
  assertEquals([...rig.peek(id.address, 9)], [0x53, 0x45, 0x52, 0x49, 0x41, 0x4c, 0, 0xff, 0xff]);
  const short = rig.output(4);
  assertEquals([request(GET_ID, 0, short), ...rig.peek(short.address, 4)], [OK, 0x53, 0x45, 0x52, 0x49]);
});

Deno.test("VirtioBlock flushes each write when the driver cannot flush, or turns the write cache off", () => {
  const simple = build(1, undefined, 0n);
  assertEquals(simple.rig.read(REGISTER.Config + 32, 1), 0);
  simple.request(OUT, 0, simple.rig.input(new Uint8Array(512)));
  assertEquals(simple.disk.flushes, 1);
  const { rig, disk, request } = build();
  assertEquals(rig.read(REGISTER.Config + 32, 1), 1);
  request(OUT, 0, rig.input(new Uint8Array(512)));
  assertEquals(disk.flushes, 0);
  rig.write(REGISTER.Config + 32, 0, 1);
  request(OUT, 0, rig.input(new Uint8Array(512)));
  assertEquals([disk.flushes, rig.read(REGISTER.Config + 32, 1)], [1, 0]);
});

Deno.test("VirtioBlock refuses writes to a read-only disk and says that it is one", () => {
  const { rig, request } = build(1, new MemoryDisk(64 * 512, true));
  assertEquals(rig.read(REGISTER.DeviceFeatures) & 0x20, 0x20);
  assertEquals(request(OUT, 0, rig.input(new Uint8Array(512))), IOERR);
  assertEquals(request(WRITE_ZEROES, 0, rig.input(range(0, 1))), IOERR);
});

Deno.test("VirtioBlock leaves what follows the last whole sector alone", () => {
  const { rig, request } = build(1, new MemoryDisk(1000));
  assertEquals(rig.read(REGISTER.Config), 1);
  assertEquals([request(IN, 0, rig.output(512)), request(IN, 1, rig.output(512))], [OK, IOERR]);
});

Deno.test("VirtioBlock completes after its latency, and as well when it was saved and restored in between", () => {
  const disk = new MemoryDisk(64 * 512);
  const { rig } = build(1, disk);
  const [data, status] = [rig.output(512), rig.output(1)];
  rig.submit(0, [rig.input(header(IN, 5)), data, status]);
  rig.wait(19_999);
  assertEquals([rig.usedIndex(0), rig.line.level], [0, false]);
  const other = new Rig(new VirtioBlock({ disk, serial: "SERIAL" }));
  other.poke(RAM, rig.peek(RAM, RAM_SIZE));
  other.clock.restore(rig.clock.save());
  assertRoundTrip(rig.slot, other.slot);
  other.clock.restore(rig.clock.save());
  for (const each of [rig, other]) {
    each.setSizes([8]);
    each.wait(1);
    assertEquals([each.usedIndex(0), each.line.level, each.read(REGISTER.InterruptStatus)], [1, true, 1]);
    assertEquals(each.peek(data.address, 512), disk.bytes.subarray(5 * 512, 6 * 512));
  }
  assertEquals(other.slot.save(), rig.slot.save());
  assertEquals(other.peek(RAM, RAM_SIZE), rig.peek(RAM, RAM_SIZE));
});
