/** Walks over synthetic tables of every granule and level. */
import { assertEquals } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { PAGE_WALKED, PAGE_WALKED_THROUGH } from "../../../machine/memory/physical.ts";
import { TABLE_NS, TABLE_READ_ONLY, TABLE_XN, walk } from "../../../machine/memory/table_walk.ts";
import type { TableStart } from "../../../machine/memory/translation_controls.ts";
import { BIT, RAM, TableMemory } from "./support.ts";

function start(granule: number, level: number, given: Partial<TableStart> = {}): TableStart {
  const inputSize = 48, outputSize = 48;
  return {
    base: RAM,
    inputSize,
    granule,
    level,
    outputSize,
    fault: undefined,
    bigEndian: false,
    secure: false,
    cacheable: false,
    ...given,
  };
}

/** Tables 64 KiB apart, and an address with a different index at each level. */
function path(
  granule: number,
  first: number,
  last: number,
): { words: [number, bigint][]; input: number; rest: number } {
  const words: [number, bigint][] = [];
  let input = 0, rest = 0;
  for (let level = first; level <= 3; level++) {
    const span = 2 ** ((3 - level) * (granule - 3) + granule);
    const index = level + 1;
    if (level <= last) {
      words.push([
        RAM + (level - first) * 0x1_0000 + index * 8,
        BigInt(RAM + (level - first + 1) * 0x1_0000) | BIT.table,
      ]);
    } else rest += index * span;
    input += index * span;
  }
  return { words, input: input + 0x123, rest: rest + 0x123 };
}

const FIRST = new Map([[12, 0], [14, 0], [16, 1]]);

for (const granule of [12, 14, 16]) {
  Deno.test(`walk finds blocks and pages at every level of granule 2^${granule}`, () => {
    const first = FIRST.get(granule) as number;
    for (let last = granule === 12 ? 1 : 2; last <= 3; last++) {
      const { words, input, rest } = path(granule, first, last);
      const output = 0x1230_0000_0000;
      const leaf = words.pop() as [number, bigint];
      const descriptor = BigInt(output) | (last === 3 ? BIT.page : BIT.block) | BIT.AF;
      const tables = new TableMemory([...words, [leaf[0], descriptor]]);
      const found = walk(tables.memory, start(granule, first), input, 1, false, undefined);
      assertEquals(found, {
        faulted: false,
        level: last,
        address: output + rest,
        low: Number(descriptor & 0xffff_ffffn),
        high: Number(descriptor >> 32n),
        descriptor: tables.memory.hostOffset(physicalAddress(leaf[0])),
        tables: 0,
      });
      for (const [at] of words) assertEquals(tables.marks(at), PAGE_WALKED | PAGE_WALKED_THROUGH);
      const isAlone = last === 3 && granule === 12;
      assertEquals(tables.marks(leaf[0]), isAlone ? PAGE_WALKED : PAGE_WALKED | PAGE_WALKED_THROUGH);
    }
  });

  Deno.test(`walk faults on invalid and reserved descriptors at every level of granule 2^${granule}`, () => {
    const first = FIRST.get(granule) as number;
    for (let last = first; last <= 3; last++) {
      const { words, input } = path(granule, first, last);
      const leaf = words.pop() as [number, bigint];
      const hasBlocks = last < 3 && last >= (granule === 12 ? 1 : 2);
      for (const reserved of hasBlocks ? [0n, 2n] : last === 3 ? [0n, 1n, 2n] : [0n, 1n]) {
        const tables = new TableMemory([...words, [leaf[0], 0x1_0000_0000n | reserved]]);
        const fault = walk(tables.memory, start(granule, first), input, 1, false, undefined);
        assertEquals(fault, {
          faulted: true,
          kind: "translation",
          level: last,
          stage: 1,
          onWalk: false,
          ipa: -1,
        });
      }
    }
  });
}

Deno.test("walk unites the restrictions of all tables", () => {
  const { words, input } = path(12, 0, 3);
  const [, second, third] = words as [unknown, [number, bigint], [number, bigint]];
  second[1] |= BIT.XNTable | BIT.NSTable;
  third[1] |= BIT.readOnlyTable;
  const found = walk(new TableMemory(words).memory, start(12, 0), input, 1, false, undefined);
  assertEquals(found.faulted ? found : found.tables, TABLE_XN | TABLE_NS | TABLE_READ_ONLY);
});

Deno.test("walk faults on a table or block address beyond the output size, at the descriptor's level", () => {
  const { words, input } = path(12, 0, 3);
  for (const [level, word] of words.entries()) {
    const large = new TableMemory([...words, [word[0], word[1] | (1n << 40n)]]);
    const fault = walk(large.memory, start(12, 0, { outputSize: 40 }), input, 2, true, undefined);
    assertEquals(fault, { faulted: true, kind: "addressSize", level, stage: 2, onWalk: true, ipa: input });
  }
});

Deno.test("walk reports tables outside memory as external aborts at their level", () => {
  const { words, input } = path(12, 0, 2);
  (words[1] as [number, bigint])[1] = 0x9000_0000n | BIT.table;
  const fault = walk(new TableMemory(words).memory, start(12, 0), input, 1, false, undefined);
  assertEquals(fault.faulted && [fault.kind, fault.level], ["externalOnWalk", 2]);
});

Deno.test("walk reads tables below NSTable in Non-secure memory", () => {
  const { words, input } = path(12, 0, 3);
  const read = (table: bigint) => {
    const [first, ...others] = words as [[number, bigint], ...[number, bigint][]];
    const { memory } = new TableMemory([[first[0], first[1] | table], ...others]);
    const [region] = memory.regions;
    memory.regions[0] = { ...region as NonNullable<typeof region>, secureOnly: true };
    const found = walk(memory, start(12, 0, { secure: true }), input, 1, false, undefined);
    return found.faulted ? `${found.kind} ${found.level}` : "found";
  };
  assertEquals([read(0n), read(BIT.NSTable)], ["found", "externalOnWalk 1"]);
});

Deno.test("walk reads big-endian descriptors", () => {
  const tables = new TableMemory();
  const at = tables.memory.hostOffset(physicalAddress(RAM + 8));
  tables.memory.view.setBigUint64(at, 0x4000_0000n | BIT.block, false);
  const found = walk(tables.memory, start(12, 1, { bigEndian: true }), 2 ** 30 + 5, 1, false, undefined);
  assertEquals(found.faulted ? found : found.address, 0x4000_0005);
});

Deno.test("walk faults at level 0 when the registers do not allow any", () => {
  const fault = walk(
    new TableMemory().memory,
    start(12, 1, { fault: "addressSize" }),
    0,
    1,
    false,
    undefined,
  );
  assertEquals(fault.faulted && [fault.kind, fault.level], ["addressSize", 0]);
});
