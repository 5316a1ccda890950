/** Page maps and the tracker: a snapshot has what memory had, shares what did not change, and comes back. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { PageMap } from "../../../machine/memory/page_map.ts";
import { PageTracker } from "../../../machine/memory/page_tracker.ts";
import { PAGE_CODE, PAGE_SIZE, PhysicalMemory } from "../../../machine/memory/physical.ts";
import { SEED, seededRandom } from "../../journal/support.ts";

const BASE = 0x40000000, PAGES = 200;

function make() {
  const memory = new PhysicalMemory(4096, PAGES * PAGE_SIZE);
  const { hostOffset } = memory.addRegion("ram", physicalAddress(BASE), PAGES * PAGE_SIZE);
  const write = (page: number, ...bytes: number[]) =>
    memory.writeBytes(physicalAddress(BASE + page * PAGE_SIZE), Uint8Array.from(bytes));
  return { memory, write, tracker: new PageTracker(memory), first: hostOffset / PAGE_SIZE };
}

Deno.test("PageMap has what it was made of, and shares groups with the map it was made from", () => {
  const bytes = new Uint8Array(PAGE_SIZE);
  const one = PageMap.of([[3, bytes], [700, bytes]]);
  assertEquals([...one.keys()], [3, 700]);
  const two = one.with([[3, undefined], [5, bytes]]);
  assertEquals([[...two.keys()], two.size, one.size], [[5, 700], 2, 2]);
  assertStrictEquals(two.groups[10], one.groups[10]);
  assertEquals([...two.differing(one)], [3, 5]);
  assertStrictEquals(one.with([]), one);
});

Deno.test("PageTracker.snapshot lists exactly the pages that hold something, and shares the others", () => {
  const { write, tracker, first } = make();
  write(3, 1);
  write(5, 0);
  const one = tracker.snapshot();
  assertEquals([...one.keys()], [first + 3]);
  write(3, 1);
  assertStrictEquals(tracker.snapshot(), one);
  write(9, 2);
  const two = tracker.snapshot();
  assertStrictEquals(two.get(first + 3), one.get(first + 3));
  assertEquals([...two.differing(one)], [first + 9]);
});

Deno.test("PageTracker.restore brings back any of many snapshots", () => {
  const { memory, write, tracker } = make();
  const random = seededRandom(SEED);
  const kept: { readonly map: PageMap; readonly bytes: Uint8Array }[] = [];
  for (let round = 0; round < 200; round++) {
    for (let count = random(8); count > 0; count--) write(random(PAGES), random(3), random(2));
    if (random(3) === 0) tracker.takeUnhashed();
    const look = (): Uint8Array => memory.readBytes(physicalAddress(BASE), PAGES * PAGE_SIZE);
    if (random(2) === 0) kept.push({ map: tracker.snapshot(), bytes: look() });
    else if (kept.length > 0) {
      const { map, bytes } = kept[random(kept.length)]!;
      tracker.restore(map);
      assertEquals(look(), bytes, `seed ${SEED}, round ${round}`);
    }
  }
});

Deno.test("PageTracker.takeWritten tells what was written, whether it changed or not, and no restore", () => {
  const { write, tracker, first } = make();
  const start = tracker.snapshot();
  assertEquals(tracker.takeWritten(), []);
  write(2, 0);
  tracker.takeUnhashed();
  write(4, 1);
  assertEquals(tracker.takeWritten(), [first + 2, first + 4]);
  write(6, 1);
  tracker.restore(start);
  assertEquals(tracker.takeWritten(), []);
});

Deno.test("PageTracker.restore tells of code in pages that change, and of no other", () => {
  const { memory, write, tracker, first } = make();
  write(1, 1);
  write(2, 2);
  const start = tracker.snapshot();
  for (const page of [1, 2, 3]) memory.mark(first + page, PAGE_CODE);
  const told: number[] = [];
  memory.codeObserver = {
    written: (hostOffset) => void told.push(hostOffset / PAGE_SIZE - first),
    dropped: () => void told.push(-1),
    breakpointChanged: () => {},
  };
  write(1, 9);
  write(2, 2);
  told.length = 0;
  tracker.restore(start);
  assertEquals(told, [1]);
  assert((memory.pageFlags[first + 1]! & PAGE_CODE) !== 0);
});
