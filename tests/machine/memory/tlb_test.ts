/** Contexts, fills and drops of the software TLB. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { type AccessControls, Tlb, walkedPageWritten } from "../../../machine/memory/tlb.ts";
import { PAGE_WALKED, PAGE_WALKED_THROUGH } from "../../../machine/memory/physical.ts";
import { RAM, TableMemory } from "./support.ts";

const named = (name: string, lowerContext = 1): AccessControls =>
  ({ name, lowerContext, upperContext: 2 }) as never;

Deno.test("Tlb.contextsOf gives equal controls equal numbers until a drop", () => {
  const tlb = new Tlb();
  const [a, b] = tlb.contextsOf("a", "b");
  assertNotEquals(a, b);
  assertEquals(tlb.contextsOf("b", "c")[0], b);
  assertEquals(tlb.contextsOf("a", "b"), [a, b]);
  tlb.drop();
  const [later] = tlb.contextsOf("a", "b");
  assert(![a, b].includes(later));
});

Deno.test("TlbTable.find hits the page and context that were filled, and no other", () => {
  const tlb = new Tlb();
  const high = 0xffff_ff80, low = 0x9234_5678;
  tlb.fill(tlb.read, high, low, 7, 0x5678, 0x4000_5678, -1, true);
  const index = tlb.read.find(high, 0x9234_5000, 7);
  assert(index >= 0);
  assertEquals([tlb.read.hostPage(index), tlb.read.physicalPage[index], tlb.read.mustAlign(index)], [
    0x5000,
    0x4000_5000,
    true,
  ]);
  assertEquals(tlb.read.find(high, 0x9234_6000, 7), -1);
  assertEquals(tlb.read.find(high ^ 1, low, 7), -1);
  assertEquals(tlb.read.find(high, low, 8), -1);
  assertEquals(tlb.write.find(high, low, 7), -1);
  assertEquals(new Tlb().read.find(0, 0, 0), -1);
});

Deno.test("Tlb never lets a number come back to entries of an earlier use", () => {
  const tlb = new Tlb();
  const [first] = tlb.contextsOf("first", "upper");
  tlb.fill(tlb.read, 0, 0x1000, first, 0, 0, -1, false);
  let cameBack = false;
  for (let round = 0; round < 5000; round++) {
    const [lower] = tlb.contextsOf(`${round}`, "upper");
    assert(lower > 0 && lower < 4096);
    assertEquals(tlb.read.find(0, 0x1000, lower), -1, `round ${round}`);
    cameBack ||= lower === first;
  }
  assert(cameBack);
});

Deno.test("Tlb.recall finds recent controls of a level, and none after a drop", () => {
  const tlb = new Tlb();
  const is = (name: string) => (controls: AccessControls) =>
    (controls as unknown as { name: string }).name === name;
  for (let count = 0; count < 9; count++) tlb.enforce(1, named(`${count}`));
  tlb.forgetControls();
  assertEquals(tlb.recall(1, is("0")), undefined);
  assertEquals(tlb.recall(1, is("8")) !== undefined, true);
  assertEquals(tlb.recall(0, is("8")), undefined);
  tlb.drop();
  assertEquals(tlb.recall(1, is("8")), undefined);
});

Deno.test("Tlb.forgetLevel forgets the controls of one level, which can be recalled", () => {
  const tlb = new Tlb(), controls = named("x", 5);
  for (const level of [0, 1, 2]) tlb.enforce(level, controls);
  tlb.forgetLevel(1);
  assertEquals([...tlb.contexts], [5, 2, 0, 0, 5, 2, 0, 0]);
  assertEquals(tlb.levels, [controls, undefined, controls, undefined]);
  assertEquals(tlb.recall(1, () => true), controls);
});

Deno.test("TlbTable.isGuarded tells guarded pages from others", () => {
  const tlb = new Tlb();
  tlb.fill(tlb.execute, 0, 0x1000, 7, 0, 0, -1, false, true);
  tlb.fill(tlb.execute, 0, 0x2000, 7, 0, 0, -1, true);
  const [one, two] = [0x1000, 0x2000].map((low) => tlb.execute.find(0, low, 7)) as [number, number];
  assertEquals([tlb.execute.isGuarded(one), tlb.execute.mustAlign(one)], [true, false]);
  assertEquals([tlb.execute.isGuarded(two), tlb.execute.mustAlign(two)], [false, true]);
});

Deno.test("Tlb.enforce keeps big-endian levels off the quick path", () => {
  const tlb = new Tlb();
  tlb.enforce(1, named("little", 5));
  assertEquals([...tlb.contexts.subarray(2, 4)], [5, 2]);
  tlb.forgetControls();
  tlb.enforce(1, { ...named("big", 5), bigEndian: true });
  assertEquals([...tlb.contexts], [0, 0, 0, 0, 0, 0, 0, 0]);
  assert(tlb.levels[1] !== undefined);
});

Deno.test("walkedPageWritten drops for valid descriptors of either byte order, not for empty entries", () => {
  const tables = new TableMemory([[RAM, 0x4000_0003n], [RAM + 16, 0x0100_0000_0000_0000n], [
    RAM + 24,
    0x00ff_ffff_ffff_fffen,
  ]]);
  const dropped = (address: number, size: number) => {
    const tlb = new Tlb();
    tlb.enforce(1, named("x"));
    const result = walkedPageWritten(
      tables.memory,
      [tlb],
      tables.memory.hostOffset(physicalAddress(address)),
      size,
      PAGE_WALKED_THROUGH,
    );
    assertEquals(tlb.levels[1] === undefined, result);
    return result;
  };
  assertEquals(dropped(RAM, 8), true);
  assertEquals(dropped(RAM + 7, 1), true);
  assertEquals(dropped(RAM + 8, 8), false);
  assertEquals(dropped(RAM + 16, 4), true);
  assertEquals(dropped(RAM + 24, 8), false);
  assertEquals(dropped(RAM + 8, 16), true);
});

Deno.test("walkedPageWritten forgets only what came from the last descriptors written", () => {
  const valid = [0, 1, 2, 3, 512].map((index): [number, bigint] => [RAM + index * 8, 0x4000_0003n]);
  const { memory } = new TableMemory(valid);
  const table = memory.hostOffset(physicalAddress(RAM));
  const tlb = new Tlb();
  const pages = [0, 1, 2, 3] as const;
  const fill = () => {
    for (const page of pages) {
      for (const kind of ["read", "write", "execute"] as const) {
        tlb.fill(tlb[kind], 0, page << 12, 16, 0, 0, table + page * 8, false);
      }
      tlb.code.enter(0, page << 12, 16, 0, table + page * 8, false);
    }
  };
  const known = () =>
    pages.filter((page) => {
      const found = ["read", "write", "execute", "code"].map((kind) =>
        tlb[kind as "read"].find(0, page << 12, 16) >= 0
      );
      assertEquals(new Set(found).size, 1);
      return found[0];
    });
  const write = (at: number, size: number) => walkedPageWritten(memory, [tlb], table + at, size, PAGE_WALKED);
  fill();
  const { generation } = tlb;
  assertEquals([write(8, 8), known()], [false, [0, 2, 3]]);
  assertNotEquals(tlb.generation, generation);
  assertEquals([write(20, 1), known()], [false, [0, 3]]);
  // One that nothing came from, but others of its page are in use.
  assertEquals([write(8, 8), known()], [false, [0, 3]]);
  // Another page of descriptors, from which nothing came.
  assertEquals([write(4096, 8), known()], [true, [0, 3]]);
  fill();
  assertEquals([write(12, 8), known()], [false, [0, 3]]);
  assertEquals([write(0, 64), known()], [false, []]);
  assertEquals(write(0, 64), true);
});
