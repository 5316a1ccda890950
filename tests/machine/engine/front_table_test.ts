/** Front tables: which one a pair of contexts gets, and when what is in it is forgotten. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { FRONT_ENTRIES, FRONT_ENTRY_SIZE, FrontTables } from "../../../machine/engine/front_table.ts";
import type { Tlb } from "../../../machine/memory/tlb.ts";
import { Machine } from "../../../machine/machine.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";

const SIZE = FRONT_ENTRIES * FRONT_ENTRY_SIZE;

function newTables() {
  const { memory } = new Machine(parseConfiguration({}), new Map()).board;
  const tlb = { translations: 1 }, marked = { count: 1 };
  const tables = new FrontTables(memory, tlb as Tlb, marked);
  /** The table of two contexts, in which something is entered. */
  const fill = (lower: number, upper: number): number => {
    const offset = tables.select(lower, upper);
    memory.bytes.fill(1, offset, offset + SIZE);
    return offset;
  };
  const isEmpty = (offset: number) =>
    memory.bytes.subarray(offset, offset + SIZE).every((byte) => byte === 0xff);
  return { tables, tlb, marked, fill, isEmpty };
}

Deno.test("FrontTables.select finds what four pairs of contexts left, and gives the oldest to a fifth", () => {
  const { tables, fill, isEmpty } = newTables();
  const pairs = [[16, 32], [32, 16], [16, 48], [48, 32]] as const;
  const offsets = pairs.map(([lower, upper]) => fill(lower, upper));
  assertEquals(new Set(offsets).size, 4);
  assertEquals(pairs.map(([lower, upper]) => tables.select(lower, upper)), offsets);
  assert(!offsets.some(isEmpty));
  assertEquals(tables.select(64, 80), offsets[0]);
  assertEquals(offsets.map(isEmpty), [true, false, false, false]);
  assertNotEquals(tables.select(16, 32), offsets[0]);
});

Deno.test("FrontTables.select clears a table when translations or marks are others than when it was filled", () => {
  for (const change of ["translations", "marks"] as const) {
    const { tables, tlb, marked, fill, isEmpty } = newTables();
    const offset = fill(16, 32), other = fill(32, 32);
    if (change === "translations") tlb.translations++;
    else marked.count++;
    assertEquals(tables.select(16, 32), offset);
    assertEquals([isEmpty(offset), isEmpty(other)], [true, false], change);
    assertEquals(tables.select(32, 32), other);
    assert(isEmpty(other), change);
  }
});
