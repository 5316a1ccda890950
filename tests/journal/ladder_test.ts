/** The ladder keeps to its memory, and counts what checkpoints share once. */
import { assert, assertEquals } from "@std/assert";
import { Ladder } from "../../journal/ladder.ts";
import type { ReplayMark } from "../../journal/replay.ts";
import { SharedSize } from "../../journal/shared_size.ts";
import { physicalAddress } from "../../machine/address.ts";
import { Machine, type Snapshot } from "../../machine/machine.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";
import { flatGuest } from "./guest.ts";
import { SEED, seededRandom } from "./support.ts";

const guest = flatGuest("        b       .\n");

/** Snapshots of a machine whose memory and disk change at random; some go back to one before. */
function snapshots(count: number): Snapshot[] {
  const random = seededRandom(SEED);
  const image = new MemoryImage(new Uint8Array(8 * 65536));
  const drive = {
    id: "d",
    image: { sha256: hashOfImage(image), size: image.size, name: "" },
    readOnly: false,
  };
  const unset = {
    netdev: undefined,
    mac: undefined,
    serial: undefined,
    slot: undefined,
    bootIndex: undefined,
  };
  const device = { ...unset, id: undefined, driver: "virtio-blk-device", drive: "d" } as const;
  const configuration = guest.configuration({ memoryMiB: 16, drives: [drive], devices: [device] });
  const machine = new Machine(
    configuration,
    new Map([...guest.images, [drive.image.sha256, image] as const]),
  );
  const { memory, disks } = machine.board, all: Snapshot[] = [];
  for (let number = 0; number < count; number++) {
    if (number > 3 && random(5) === 0) machine.restore(all[random(all.length)]!);
    for (let writes = random(40); writes > 0; writes--) {
      const page = random(1024) * 4096;
      memory.writeBytes(physicalAddress(0x40100000 + page), Uint8Array.of(1 + random(255)));
    }
    if (random(3) === 0) disks.get("d")!.write(random(8) * 65536, Uint8Array.of(random(256)));
    if (random(6) === 0) disks.get("d")!.flush();
    all.push(machine.snapshot());
  }
  return all;
}

const sizeOf = (held: readonly Snapshot[]): number => {
  const size = new SharedSize();
  for (const snapshot of held) size.add(snapshot);
  return size.bytes;
};

const SNAPSHOTS = snapshots(60);

Deno.test("SharedSize is the same whatever came and went before", () => {
  const random = seededRandom(SEED), size = new SharedSize();
  let held: Snapshot[] = [];
  for (let turn = 0; turn < 300; turn++) {
    if (random(2) === 0) {
      const snapshot = SNAPSHOTS[random(SNAPSHOTS.length)]!;
      size.add(snapshot);
      held.push(snapshot);
    } else if (held.length > 0) {
      const index = random(held.length);
      size.remove(held[index]!);
      held = held.toSpliced(index, 1);
    }
    if (turn % 20 === 0) assertEquals(size.bytes, sizeOf(held), `seed ${SEED}, turn ${turn}`);
  }
  for (const snapshot of held) size.remove(snapshot);
  assertEquals(size.bytes, 0);
});

Deno.test("SharedSize counts every page once, and little beside them", () => {
  const pages = new Set(SNAPSHOTS.flatMap(({ pages }) => [...pages.keys()].map((page) => pages.get(page)!)));
  const chunks = new Set(SNAPSHOTS.flatMap(({ disks }) => {
    const { durable, volatile } = disks.get("d")!;
    return [...durable.values(), ...volatile.values()];
  }));
  const bytes = pages.size * 4096 + chunks.size * 65536, counted = sizeOf(SNAPSHOTS);
  assert(counted > bytes && counted < bytes * 1.6, `${counted} for ${bytes}`);
});

const markOf = (snapshot: Snapshot, instant: number): ReplayMark => (
  { instant, snapshot, history: undefined, nextInput: 0, nextRoot: 0 }
);

Deno.test("Ladder keeps to its limit, thins with distance, and keeps the first and the last", () => {
  const all = sizeOf(SNAPSHOTS), least = sizeOf([SNAPSHOTS[0]!, SNAPSHOTS[58]!, SNAPSHOTS[59]!]);
  for (const part of [0.3, 0.6]) {
    const limit = least + (all - least) * part, last = SNAPSHOTS.length - 1;
    const ladder = new Ladder(markOf(SNAPSHOTS[0]!, 0), limit, 100);
    for (let number = 1; number <= last; number++) {
      ladder.add(markOf(SNAPSHOTS[number]!, number * 100), number * 100);
      assert(ladder.bytes <= limit, `${ladder.bytes} of ${limit} at ${number}, seed ${SEED}`);
    }
    const kept = SNAPSHOTS.map((_, number) => ladder.before(number * 100).instant === number * 100);
    assert(kept[0] && kept[last]);
    const count = (from: number, to: number) => kept.slice(from, to).filter(Boolean).length;
    assert(count(40, 60) > count(0, 20), `${kept}`);
    assertEquals(ladder.count, count(0, 60));
    assertEquals(ladder.before(5950).instant, 5900);
    for (let number = 0; number < 20; number++) {
      ladder.addNear(markOf(SNAPSHOTS[number]!, 5800 + number), 5810);
      assert(ladder.bytes <= limit);
    }
    assert(ladder.before(5899).instant >= 5800);
  }
});

Deno.test("Ladder knows of intervals what it was told, however they are divided and joined", () => {
  const ladder = new Ladder(markOf(SNAPSHOTS[0]!, 0), 2 ** 40, 100);
  ladder.add(markOf(SNAPSHOTS[1]!, 100), 100);
  assertEquals(ladder.firstUnknown?.instant, 0);
  const turns = [{ instant: 0, cpu: 0 }, { instant: 30, cpu: 1 }, { instant: 70, cpu: 0 }];
  const written = Uint32Array.of(3, 5);
  ladder.learn(ladder.rungBefore(50), { turns, written, controls: [] });
  assertEquals(ladder.firstUnknown?.instant, 100);
  ladder.add(markOf(SNAPSHOTS[2]!, 50), 50);
  assertEquals(ladder.rungBefore(49).interval?.turns, turns.slice(0, 2));
  assertEquals(ladder.rungBefore(50).interval?.turns, [{ instant: 50, cpu: 1 }, turns[2]!]);
  assertEquals(ladder.rungBefore(50).interval?.written, written);
});
