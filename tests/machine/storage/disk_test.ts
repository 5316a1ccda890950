/** Disks: what was written is read, what was flushed survives, and snapshots are what they were. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Clock } from "../../../machine/clock.ts";
import { EventHub, type MachineEvent } from "../../../machine/events.ts";
import { Disk, OVERLAY_CHUNK_SIZE } from "../../../machine/storage/disk.ts";
import { hashOfImage, MemoryImage, zeroChunk } from "../../../machine/storage/image.ts";
import { Choices } from "../../law/random.ts";

const SIZE = 3 * 2 ** 20 + 5 * 512;

function contents(size = SIZE): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, at) => (at * 7 + (at >>> 13)) & 0xff);
}

function make({ readOnly = false } = {}) {
  const events = new EventHub(new Clock());
  const seen: MachineEvent[] = [];
  events.add({ classes: ["detail"], observe: (event) => void seen.push(event) });
  const disk = new Disk({ name: "drive0", image: new MemoryImage(contents()), readOnly, events });
  return { disk, seen };
}

Deno.test("Disk reads the image until it is written, and what was written after", () => {
  const { disk } = make();
  const expected = contents();
  assertEquals(disk.read(0, SIZE), expected);
  const edges = [0, OVERLAY_CHUNK_SIZE - 3, 2 ** 20 - 1, SIZE - 512];
  for (const at of edges) {
    disk.write(at, new Uint8Array(512).fill(0xa5));
    expected.fill(0xa5, at, at + 512);
  }
  assertEquals(disk.read(0, SIZE), expected);
});

Deno.test("Disk keeps after a power cut what was flushed, and nothing else", () => {
  const { disk } = make();
  disk.write(1000, new Uint8Array(100).fill(1));
  disk.flush();
  disk.write(1050, new Uint8Array(100).fill(2));
  assertEquals(
    disk.peek(1000, 150, true),
    Uint8Array.of(...Array(100).fill(1), ...contents().subarray(1100, 1150)),
  );
  assertEquals(disk.peek(1000, 150), Uint8Array.of(...Array(50).fill(1), ...Array(100).fill(2)));
  const durable = disk.peek(0, SIZE, true);
  disk.losePower();
  assertEquals(disk.peek(0, SIZE), durable);
});

Deno.test("Disk.root tells durable from volatile, and equal contents written differently alike", () => {
  const one = make().disk, other = make().disk;
  const untouched = one.root();
  one.write(0, new Uint8Array(1024).fill(9));
  assertNotEquals(one.root(), untouched);
  other.write(512, new Uint8Array(512).fill(9));
  assertNotEquals(one.root(), other.root());
  other.write(0, new Uint8Array(512).fill(9));
  assertEquals(one.root(), other.root());
  one.flush();
  assertNotEquals(one.root(), other.root());
  other.flush();
  assertEquals(one.root(), other.root());
});

Deno.test("Disk.restore returns to any snapshot, whatever happened since, on another disk too", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Choices(seed);
  let { disk } = make();
  let now = contents(), durable = contents();
  const marks: { saved: ReturnType<Disk["save"]>; now: typeof now; durable: typeof now; root: Uint8Array }[] =
    [];
  for (let round = 0; round < 120; round++) {
    const what = random.below(11);
    if (what === 10) {
      const at = random.below(SIZE - 1), length = random.below(Math.min(SIZE - at, 400_000));
      disk.writeZeroes(at, length);
      now.fill(0, at, at + length);
    } else if (what < 6) {
      const at = random.below(SIZE - 1), bytes = new Uint8Array(random.below(Math.min(SIZE - at, 200_000)));
      bytes.fill(random.below(256));
      disk.write(at, bytes);
      now.set(bytes, at);
    } else if (what === 6) {
      disk.flush();
      durable = now.slice();
    } else if (what === 7) {
      disk.losePower();
      now = durable.slice();
    } else if (what === 8 || marks.length === 0) {
      marks.push({ saved: disk.save(), now: now.slice(), durable: durable.slice(), root: disk.root() });
    } else {
      const mark = marks[random.below(marks.length)]!;
      if (random.below(2) === 0) disk = make().disk;
      disk.restore(mark.saved);
      now = mark.now.slice();
      durable = mark.durable.slice();
      assertEquals(disk.root(), mark.root, `seed ${seed}, round ${round}`);
    }
    if (round % 20 !== 0) continue;
    assert(disk.peek(0, SIZE).every((byte, at) => byte === now[at]), `seed ${seed}, round ${round}`);
    assert(
      disk.peek(0, SIZE, true).every((byte, at) => byte === durable[at]),
      `seed ${seed}, round ${round}`,
    );
  }
});

Deno.test("Disk.restore refuses chunks that do not fit", () => {
  const { disk } = make();
  const owner = {}, hash = undefined;
  for (
    const [index, size] of [[0, 512], [48, OVERLAY_CHUNK_SIZE], [49, 0], [-1, OVERLAY_CHUNK_SIZE]] as const
  ) {
    const durable = new Map([[index, { bytes: new Uint8Array(size), owner, hash }]]);
    assertThrows(() => disk.restore({ durable, volatile: new Map() }), RangeError, "does not fit");
  }
});

Deno.test("Disk tells of reads, writes and flushes, and refuses what is outside or read-only", () => {
  const { disk, seen } = make();
  disk.write(512, new Uint8Array(1024));
  disk.read(0, 512);
  disk.flush();
  disk.peek(0, 512);
  const facts = seen.map(({ instant: _instant, cpu: _cpu, index: _index, ...fact }) => fact);
  assertEquals(facts as unknown[], [
    { kind: "diskWritten", disk: "drive0", offset: 512, size: 1024 },
    { kind: "diskRead", disk: "drive0", offset: 0, size: 512 },
    { kind: "diskFlushed", disk: "drive0" },
  ]);
  assertThrows(() => disk.read(SIZE - 511, 512), RangeError, "drive0");
  assertThrows(() => disk.write(-1, new Uint8Array(1)), RangeError, "drive0");
  assertThrows(() => make({ readOnly: true }).disk.write(0, new Uint8Array(1)), RangeError, "read-only");
});

Deno.test("hashOfImage is the SHA-256 of the chunks' SHA-256", async () => {
  const bytes = contents();
  const digests: number[] = [];
  for (let at = 0; at < SIZE; at += 2 ** 20) {
    digests.push(...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice(at, at + 2 ** 20))));
  }
  const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(digests))).toHex();
  assertEquals(hashOfImage(new MemoryImage(bytes)), expected);
  const zeros = { size: 2 ** 21, chunk: zeroChunk };
  assertEquals(hashOfImage(zeros), hashOfImage(new MemoryImage(new Uint8Array(2 ** 21))));
});
