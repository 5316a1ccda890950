/** The Interrupt Translation Service: registers as QEMU 7.2's, every command, tables flat and of two levels, stalls. */
import { assertEquals } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { Clock } from "../../../machine/clock.ts";
import { GicV3Its } from "../../../machine/devices/gic_v3_its.ts";
import type { LpiTarget } from "../../../machine/devices/gic_v3_lpi.ts";
import { EventHub } from "../../../machine/events.ts";
import { PhysicalMemory } from "../../../machine/memory/physical.ts";
import { assertRoundTrip, registersOf } from "./support.ts";

const RAM = 0x4000_0000;
const QUEUE = RAM;
const DEVICES = RAM + 0x1_0000;
const COLLECTIONS = RAM + 0x2_0000;
const TRANSLATIONS = RAM + 0x3_0000;
const PAGE = RAM + 0x4_0000;
const LARGEST_QUEUE = RAM + 0x10_0000;
const CTLR = 0,
  CBASER = 0x80,
  CWRITER = 0x88,
  CREADR = 0x90,
  BASER0 = 0x100,
  BASER1 = 0x108,
  TRANSLATER = 0x1_0040;
const VALID = 1n << 63n;
const INDIRECT = 1n << 62n;

type Call = readonly (string | number | boolean)[];

function build() {
  const memory = new PhysicalMemory(0, 2 ** 21);
  memory.addRegion("ram", physicalAddress(RAM), 2 ** 21);
  const calls: Call[] = [];
  /** How many times a MOVALL has to be run again. */
  const remaining = { moves: 0 };
  const lpis: LpiTarget = {
    cpuCount: 4,
    setPending: (cpu, lpi, pending) => void calls.push([pending ? "set" : "clear", cpu, lpi]),
    configurationChanged: (cpu, lpi) => void calls.push(["changed", cpu, lpi]),
    move: (from, to, lpi) => void calls.push(["move", from, to, lpi]),
    moveAll: (from, to) => {
      calls.push(["moveAll", from, to]);
      return remaining.moves-- <= 0;
    },
  };
  const events = new EventHub(new Clock());
  const its = new GicV3Its({ name: "its", base: 0x0808_0000, events, memory, lpis });
  const { read, write } = registersOf(its);
  const write64 = (offset: number, value: bigint) => {
    write(offset, Number(value & 0xffff_ffffn));
    write(offset + 4, Number(value >> 32n));
  };
  const read64 = (offset: number) => BigInt(read(offset)) | BigInt(read(offset + 4)) << 32n;
  let end = 0;
  /** Puts a command into the queue and lets it run. */
  const run = (...words: bigint[]) => {
    const bytes = new Uint8Array(32);
    words.forEach((word, index) => new DataView(bytes.buffer).setBigUint64(index * 8, word, true));
    memory.writeBytes(physicalAddress(QUEUE + end), bytes);
    end = (end + 32) % 0x1000;
    write64(CWRITER, BigInt(end));
  };
  return { its, memory, events, calls, remaining, read, write, read64, write64, run };
}

/** Flat tables of a 64 KiB page each, a queue of one 4 KiB page, enabled. */
function ready(devices = BigInt(DEVICES) | VALID | 2n << 8n) {
  const built = build();
  built.write64(BASER0, devices);
  built.write64(BASER1, BigInt(COLLECTIONS) | VALID | 2n << 8n);
  built.write64(CBASER, BigInt(QUEUE) | VALID);
  built.write(CTLR, 1);
  return built;
}

const mapd = (device: number, bits: number, valid = true) =>
  [8n | BigInt(device) << 32n, BigInt(bits - 1), BigInt(TRANSLATIONS) | (valid ? VALID : 0n)] as const;
const mapc = (collection: number, cpu: number, valid = true) =>
  [9n, 0n, BigInt(collection) | BigInt(cpu) << 16n | (valid ? VALID : 0n)] as const;
const mapti = (device: number, event: number, lpi: number, collection: number) =>
  [0xan | BigInt(device) << 32n, BigInt(event) | BigInt(lpi) << 32n, BigInt(collection)] as const;
const onEvent = (command: number, device: number, event: number, third = 0n) =>
  [BigInt(command) | BigInt(device) << 32n, BigInt(event), third] as const;

/** Device 8 with 8 events; event 2 is LPI 8200 in collection 1 of CPU 3, collection 2 is CPU 1. */
function mapped(devices?: bigint) {
  const built = ready(devices);
  for (const command of [mapd(8, 3), mapc(1, 3), mapc(2, 1), mapti(8, 2, 8200, 1)]) built.run(...command);
  return built;
}

Deno.test("GicV3Its's identification is QEMU 7.2's", () => {
  const { read, read64 } = build();
  assertEquals([read(CTLR), read(4), read64(8)], [0x8000_0000, 0x43b, 0x1f_0001_efb1n]);
  const parts = [0x44, 0, 0, 0, 0x94, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];
  assertEquals(parts.map((_, index) => read(0xffd0 + index * 4)), parts);
  assertEquals([read64(BASER0), read64(BASER1), read64(0x110)], [
    0x0107_0000_0000_0200n,
    0x0407_0000_0000_0200n,
    0n,
  ]);
});

Deno.test("GicV3Its.GITS_BASERn keeps type and size of entries, and everything while enabled", () => {
  const { read64, write64, write } = build();
  write64(BASER0, 0xffff_ffff_ffff_ffffn);
  write64(0x110, 0xffff_ffff_ffff_ffffn);
  assertEquals([read64(BASER0), read64(0x110)], [0xf9e7_ffff_ffff_ffffn, 0n]);
  write(CTLR, 1);
  write64(BASER0, 0n);
  write64(CBASER, VALID);
  assertEquals([read64(BASER0), read64(CBASER)], [0xf9e7_ffff_ffff_ffffn, 0n]);
});

Deno.test("GicV3Its translates a message through device, event and collection", () => {
  const { its, calls } = mapped();
  its.receive(2, 8);
  assertEquals(calls, [["set", 3, 8200]]);
});

Deno.test("GicV3Its ignores messages that are not mapped, and all while disabled", () => {
  const { its, calls, write } = mapped();
  for (const [event, device] of [[1, 8], [8, 8], [2, 9], [2, 0xffff], [0xffff_ffff, 8]] as const) {
    its.receive(event, device);
  }
  write(TRANSLATER, 2);
  write(CTLR, 0);
  its.receive(2, 8);
  assertEquals(calls, []);
});

Deno.test("GicV3Its.GITS_TRANSLATER written by a CPU is device 0's", () => {
  const { calls, run, write } = mapped();
  run(...mapd(0, 3));
  write(TRANSLATER, 2);
  assertEquals(calls, [["set", 3, 8200]]);
});

Deno.test("GicV3Its runs INT, CLEAR, INV, INVALL, MOVALL and SYNC", () => {
  const { calls, run, read64 } = mapped();
  run(...onEvent(0x03, 8, 2));
  run(...onEvent(0x04, 8, 2));
  run(...onEvent(0x0c, 8, 2));
  run(0x0dn, 0n, 2n);
  run(0x0en, 0n, 3n << 16n, 1n << 16n);
  run(0x05n);
  assertEquals(calls, [
    ["set", 3, 8200],
    ["clear", 3, 8200],
    ["changed", 3, 8200],
    ["changed", 1, "all"],
    ["moveAll", 3, 1],
  ]);
  assertEquals(read64(CREADR), 10n * 32n);
});

Deno.test("GicV3Its.MAPI gives an interrupt the number of its event", () => {
  const { its, calls, run } = ready();
  run(...mapd(8, 16));
  run(...mapc(1, 2));
  run(...onEvent(0x0b, 8, 9000, 1n));
  run(...onEvent(0x0b, 8, 100, 1n));
  its.receive(9000, 8);
  its.receive(100, 8);
  assertEquals(calls, [["set", 2, 9000]]);
});

Deno.test("GicV3Its.MOVI moves what is pending and where the event goes", () => {
  const { its, calls, run } = mapped();
  run(...onEvent(0x01, 8, 2, 2n));
  its.receive(2, 8);
  run(...onEvent(0x01, 8, 2, 7n)); // not mapped: stays
  its.receive(2, 8);
  assertEquals(calls, [["move", 3, 1, 8200], ["set", 1, 8200], ["set", 1, 8200]]);
});

Deno.test("GicV3Its.DISCARD, MAPD and MAPC without Valid take mappings away", () => {
  const { its, calls, run } = mapped();
  run(...onEvent(0x0f, 8, 2));
  its.receive(2, 8);
  assertEquals(calls.splice(0), [["clear", 3, 8200]]);
  run(...mapti(8, 2, 8200, 1));
  run(...mapc(1, 3, false));
  its.receive(2, 8);
  run(...mapc(1, 0));
  its.receive(2, 8);
  run(...mapd(8, 3, false));
  its.receive(2, 8);
  assertEquals(calls, [["set", 0, 8200]]);
});

Deno.test("GicV3Its passes over commands that are wrong", () => {
  const { its, calls, run, read64 } = mapped();
  run(...mapti(8, 3, 8191, 1)); // no LPI
  run(...mapti(8, 4, 65536, 1)); // more bits than there are
  run(...mapti(8, 9, 8201, 1)); // beyond the device's events
  run(...mapc(5, 4)); // no such CPU
  run(...mapti(8, 5, 8201, 5));
  run(...mapd(9, 17)); // more events than there can be
  run(0xffn);
  run(0x0en, 0n, 9n << 16n, 1n << 16n);
  for (const event of [3, 4, 5, 9]) its.receive(event, 8);
  its.receive(2, 9);
  assertEquals([calls, read64(CREADR)], [[], 12n * 32n]);
});

Deno.test("GicV3Its finds devices in a table of two levels", () => {
  const { its, memory, calls, run } = ready(BigInt(DEVICES) | VALID | INDIRECT | 2n << 8n);
  const first = new Uint8Array(8);
  new DataView(first.buffer).setBigUint64(0, BigInt(PAGE) | VALID, true);
  memory.writeBytes(physicalAddress(DEVICES), first);
  run(...mapc(1, 3));
  run(...mapd(8, 3));
  run(...mapti(8, 2, 8200, 1));
  run(...mapd(0x2000, 3)); // in the second page, which is not there
  run(...mapti(0x2000, 2, 8201, 1));
  its.receive(2, 8);
  its.receive(2, 0x2000);
  assertEquals(calls, [["set", 3, 8200]]);
  assertEquals(memory.readBytes(physicalAddress(PAGE + 64), 1)[0], 5, "valid, 3 bits of events");
});

Deno.test("GicV3Its stalls when tables or queue are not in memory, and goes on when asked to", () => {
  const { read64, write64, write, run, calls } = ready(0x1_0000_0000n | VALID);
  run(...mapd(8, 3));
  assertEquals(read64(CREADR), 1n);
  write(CTLR, 0);
  write64(BASER0, BigInt(DEVICES) | VALID);
  write(CTLR, 1);
  assertEquals([read64(CREADR), calls], [32n, []]);
  write(CTLR, 0);
  write64(CBASER, 0x1_0000_0000n | VALID);
  write(CTLR, 1);
  assertEquals(read64(CREADR), 1n);
});

/** Fills the largest queue that there is but for the one entry that stays free. */
function runLargestQueue({ memory, write, write64 }: ReturnType<typeof mapped>, words: readonly bigint[]) {
  const view = new DataView(new ArrayBuffer(0x10_0000));
  for (let at = 0; at < view.byteLength; at += 32) {
    words.forEach((word, index) => view.setBigUint64(at + index * 8, word, true));
  }
  memory.writeBytes(physicalAddress(LARGEST_QUEUE), new Uint8Array(view.buffer));
  write(CTLR, 0);
  write64(CBASER, BigInt(LARGEST_QUEUE) | VALID | 0xffn);
  write(CTLR, 1);
  write(CWRITER, 0xf_ffe0);
}

Deno.test("GicV3Its.CWRITER starts no more work than is bounded, and reads go on with what waits", () => {
  const built = mapped(), { its, events, calls, read, read64 } = built;
  runLargestQueue(built, onEvent(0x03, 8, 2)); // each reads itself, a device, a translation and a collection
  const first = 4 + 2 ** 13; // 4 when it was enabled
  assertEquals([its.state.CREADR, calls.length], [BigInt(first * 32), first]);
  const before = events.nextIndex;
  assertEquals([read(CREADR), events.nextIndex - before], [(first + 2 ** 13) * 32, 2 ** 15]);
  while (read64(CREADR) !== 0xf_ffe0n);
  assertEquals(calls.length, 2 ** 15 - 1);
});

Deno.test("GicV3Its carries a full queue of commands out at once that touch nothing", () => {
  const built = mapped();
  runLargestQueue(built, [0x05n]);
  assertEquals(built.its.state.CREADR, 0xf_ffe0n);
});

Deno.test("GicV3Its runs a MOVALL again that is not finished", () => {
  const { its, calls, remaining, read64, run } = mapped();
  remaining.moves = 2;
  run(0x0en, 0n, 3n << 16n, 1n << 16n); // by two writes
  assertEquals([its.state.CREADR, calls.length], [4n * 32n, 2]);
  assertEquals([read64(CREADR), calls.length], [5n * 32n, 3]);
});

Deno.test("GicV3Its wraps its queue and ignores an end beyond it", () => {
  const { read64, write64, run } = ready();
  for (let count = 0; count < 130; count++) run(0x05n);
  assertEquals(read64(CREADR), 2n * 32n);
  write64(CWRITER, 0x1000n);
  assertEquals(read64(CREADR), 2n * 32n);
});

Deno.test("GicV3Its waits with its queue until it is enabled", () => {
  const { read64, write64, write } = build();
  write64(CBASER, BigInt(QUEUE) | VALID);
  write64(CWRITER, 64n);
  assertEquals(read64(CREADR), 0n);
  write(CTLR, 1);
  assertEquals(read64(CREADR), 64n);
  assertEquals(read64(CTLR) & 0xffff_ffffn, 0x8000_0001n);
});

Deno.test("GicV3Its restores what it saved", () => {
  const { its, read64 } = mapped();
  assertRoundTrip(its, build().its);
  its.reset();
  assertEquals(its.save().bytes, build().its.save().bytes);
  assertEquals(read64(CBASER), 0n);
});
