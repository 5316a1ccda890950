/** Hosts beside realms, disks that outlive power, and realms of two CPUs that come back. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Comparison, wrongAfterPower } from "../../../../cli/systems/tee_migration/verdict.ts";
import { findings } from "../../../../cli/systems/tee_migration/host_checks.ts";
import { commanded, EAST, Lab, powered, WEST } from "../../../../cli/systems/tee_migration/migrations.ts";
import type { CheckContext } from "../../../../cli/systems/scenario.ts";
import { FRESH_DESTINATION } from "../../../../hypervisor/systems/tee_migration/destination.ts";
import { freshRecords, Records } from "../../../../hypervisor/systems/tee_migration/records.ts";
import {
  NO_COPY,
  SealedStore,
  SMALLEST_STORE,
} from "../../../../hypervisor/systems/tee_migration/sealed_store.ts";
import { MemoryImage } from "../../../../machine/storage/image.ts";
import { Disk } from "../../../../machine/storage/disk.ts";
import type { WorldSession } from "../../../../world/session.ts";
import { contentOf } from "./simulation.ts";

const context = {
  ...{ all: false, engine: "threaded", progress() {} },
  machineOptions: () => ({ engine: "threaded" }),
  breathe: () => Promise.resolve(),
} as unknown as CheckContext;

const events = { emit: () => {} } as never;
const SECRET = new Uint8Array(32).fill(7);

function emptyDisk(): Disk {
  const image = new MemoryImage(new Uint8Array(SMALLEST_STORE + 2 * 20 * 4128));
  return new Disk({ name: "sealed", image, readOnly: false, events });
}

Deno.test("SealedStore keeps records and copies, and what was not written to the end does not count", () => {
  const disk = emptyDisk(), store = new SealedStore(disk, SECRET), content = contentOf(30);
  assertEquals(store.read(), undefined);
  const image = { count: content.length, piece: (index: number) => content[index]! };
  const fresh = freshRecords(true), copy = store.seal(image, 1)!;
  store.write({ ...fresh, copy });
  const pieces: unknown[] = [];
  assert(store.open(store.read()!.copy, (piece) => void pieces.push(piece)));
  assertEquals(pieces, content);
  // Sealed anew, and power is lost before the record says so: the old copy stands.
  store.seal({ ...image, count: 5 }, 2);
  disk.losePower();
  assertEquals(store.read()!.copy, copy);
  assert(new SealedStore(disk, SECRET).open(copy, () => undefined));
  // Another host's key, another generation, a byte that is not what it was.
  assertEquals(new SealedStore(disk, SECRET.map((byte) => byte ^ 1)).read(), undefined);
  assert(!store.open({ ...copy, generation: copy.generation + 1 }, () => undefined));
  disk.write(2 * 4096 + 40, Uint8Array.of(1, 2, 3));
  assert(!store.open(copy, () => undefined));
  assert(!store.open(NO_COPY, () => undefined));
  assertEquals(store.seal({ ...image, count: 1000 }, 3), undefined);
});

Deno.test("SealedStore takes the record of the higher generation, and a damaged one for none", () => {
  const disk = emptyDisk(), store = new SealedStore(disk, SECRET), fresh = freshRecords(false);
  for (const restarts of [1, 2, 3]) store.write({ ...fresh, restarts });
  assertEquals(store.read()!.restarts, 3);
  disk.write(60, Uint8Array.of(99, 98, 97));
  assertEquals(store.read()!.restarts, 2);
  disk.write(4096 + 60, Uint8Array.of(99, 98, 97));
  assertEquals(store.read(), undefined);
});

Deno.test("Records have one place where a realm is runnable, by the commit and the word of who resumed", () => {
  const source = new Records(freshRecords(true), undefined, undefined);
  const other = new Records(freshRecords(false), undefined, undefined);
  assertEquals([source.isHere, other.isHere, other.isPrepared], [true, false, false]);
  other.persistDestination({ ...FRESH_DESTINATION, attempt: 1, phase: "prepared" }, undefined);
  assertEquals([source.isHere, other.isHere, other.isPrepared], [true, false, true]);
  source.persistSource({ epoch: 0, attempt: 1, phase: "committed" });
  assertEquals([source.isHere, other.isHere], [false, false]);
  // What was of that epoch is past there.
  assertEquals(source.now.destination, { resumed: 0, epoch: 0, attempt: 0, phase: "none" });
  other.persistDestination({ resumed: 0, epoch: 0, attempt: 1, phase: "running" }, undefined);
  assertEquals([source.isHere, other.isHere, other.now.source.epoch], [false, true, 1]);
});

Deno.test("a host is denied its realm's granules, whatever it tries", () => {
  const lab = new Lab({ engine: "threaded" });
  let found: Readonly<Record<string, number>> = {};
  const look = (session: WorldSession): void => {
    const machine = session.machineOf(EAST);
    if (machine !== undefined) found = findings(machine);
  };
  const { consoles } = lab.live([], { hosts: { hasHost: true }, look, until: 8_000_000 });
  assertEquals([consoles[0].length, found.failedCalls, found.refusals], [26, 0, 6]);
  assert(found.tries! > 1000 && found.tries! - found.faults! <= 2, JSON.stringify(found));
  assert(found.walks! > 30 && found.laps! - found.walks! <= 1, JSON.stringify(found));
});

Deno.test("a realm of two CPUs moves there and back", () => {
  const realm = new Comparison(context, { cpus: 2 });
  realm.live("there and back", [commanded(700_000, EAST, "migrate"), commanded(2_100_000, WEST, "migrate")]);
  assertEquals([realm.failures, realm.ends], [[], { east: 1, west: 0 }]);
});

Deno.test("a loss of power before the commit and behind it leaves one realm that goes on", () => {
  const realm = new Comparison(context, { hasDisk: true }), moving = commanded(1_000_000, EAST, "migrate");
  const cut = (
    node: number,
    time: number,
  ) => [powered(time, node, false), powered(time + 50_000, node, true)];
  for (const time of [1_450_000, 1_720_000]) {
    for (const node of [EAST, WEST]) realm.live(`node ${node} at ${time}`, [moving, ...cut(node, time)]);
  }
  assertEquals([realm.failures, realm.ends], [[], { east: 2, west: 2 }]);
});

Deno.test("wrongAfterPower() tells of none, of two and of two at one time", () => {
  const told = (...writes: [number, number, string][]) =>
    wrongAfterPower({
      ...{ consoles: ["", ""], told: [], visible: [] },
      writes: writes.map(([time, node, text]) => ({ time, node, text })),
      events: [],
    }, "abcdef");
  assertEquals(told([1, 0, "abc"], [2, 1, "def"]), undefined);
  assert(told([1, 0, "abc"])!.startsWith("0 copies"));
  assert(told([1, 0, "abcdef"], [2, 1, "cdef"])!.startsWith("2 copies"));
  assert(told([1, 0, "abc"], [3, 0, "d"], [2, 1, "bc"], [4, 1, "def"])!.includes("two wrote at one time"));
  assert(told([1, 0, "abx"], [2, 1, "def"])!.includes("no part"));
});

Deno.test("a machine that cannot have a host or a disk is refused with the reason", () => {
  const lab = new Lab({ engine: "threaded" });
  assertThrows(() => lab.live([], { hosts: { cluster: ["short", "short"] } }), Error, "at least 8");
});
