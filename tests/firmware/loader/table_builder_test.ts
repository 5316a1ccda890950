/** The tables that the A64 builder makes in a machine are those that the TypeScript builder makes, and lead where asked. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MAP_RESULT, TABLE_BUILDER, tablesBlock } from "../../../firmware/loader/table_builder.ts";
import {
  GRANULES,
  type GranuleShift,
  leafAttributes,
  type TranslationLayout,
} from "../../../firmware/loader/translation_layout.ts";
import {
  leavesOf,
  lookUpTables,
  type Mapping,
  TranslationTableBuilder,
} from "../../../firmware/loader/translation_tables.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { seededRandom } from "../../journal/support.ts";
import { patch, quadAt, runPlaced } from "./guest.ts";

const BASE = 0x4200_0000, ROOM = 0x4300_0000n;

/** A program that maps ranges one after another and leaves each result in `results`. */
function mappingGuest(layout: TranslationLayout, mappings: readonly Mapping[], tables: number) {
  const rows = mappings.map(({ virtual, physical, size, attributes }) =>
    `.quad ${virtual}, ${physical}, ${size}, ${attributes}`
  );
  return assembleProgram([{
    name: "guest",
    text: `
        adr     x0, tables
        ldr     x1, =${ROOM}
        mov     x2, #${tables}
        bl      tables_begin
        adr     x20, rows
        adr     x21, results
        mov     x22, #${mappings.length}
1:      adr     x0, tables
        ldp     x1, x2, [x20], #16
        ldp     x3, x4, [x20], #16
        bl      map_range
        str     x0, [x21], #8
        subs    x22, x22, #1
        b.ne    1b
2:      wfi
        b       2b
        .ltorg
        .balign 8
rows:   ${rows.join("\n")}
results: .space ${8 * mappings.length}, 0xff
${tablesBlock("tables", layout)}`,
  }, TABLE_BUILDER], { base: BigInt(BASE) });
}

/** Runs the guest with RAM full of ones where tables go; what it made and what came back for each range. */
function built(layout: TranslationLayout, mappings: readonly Mapping[], tables: number) {
  const program = mappingGuest(layout, mappings, tables);
  const { machine, stop } = runPlaced([{ program, at: BASE }], {
    limit: 1_000_000,
    prepare: (machine) => patch(machine, ROOM, new Uint8Array(tables << layout.granule).fill(0xff)),
  });
  assertEquals(stop.reason, "resting");
  const results = mappings.map((_, index) =>
    Number(quadAt(machine, program.symbols.get("results")! + BigInt(8 * index)))
  );
  return { read: (address: bigint) => quadAt(machine, address), results };
}

const granulesOf = Object.values(GRANULES);

/** Ranges of one to five granules, or of blocks, none over another. */
function randomMappings(layout: TranslationLayout, seed: number): Mapping[] {
  const random = seededRandom(seed), { granule, inputBits } = layout;
  return Array.from({ length: 3 }, (_, index) => {
    const shift = BigInt(index === 2 ? granule + (granule - 3) : granule);
    const top = BigInt(index + 1) << BigInt(inputBits - 3);
    const pages = BigInt(random(2 ** 20)) << shift;
    return {
      virtual: top + (pages & ((1n << BigInt(inputBits - 4)) - 1n)),
      physical: BigInt(random(2 ** 12)) << shift,
      size: BigInt(1 + random(5)) << shift,
      attributes: leafAttributes(1, index === 1 ? "device" : "image"),
    };
  });
}

Deno.test("map_range builds what TranslationTableBuilder builds, for granules and sizes of input addresses", () => {
  let seed = 1;
  for (const granule of granulesOf) {
    for (const inputBits of granule === 12 ? [48, 39, 33] : [48]) {
      const layout: TranslationLayout = { granule, inputBits };
      const mappings = randomMappings(layout, seed++), tables = 10;
      const { read, results } = built(layout, mappings, tables);
      const why = `granule ${granule}, ${inputBits} bits, seed ${seed - 1}`;
      assertEquals(results, mappings.map(() => MAP_RESULT.mapped), why);
      const builder = new TranslationTableBuilder(layout, ROOM, tables);
      for (const mapping of mappings) builder.map(mapping);
      const { bytes } = builder;
      for (let at = 0; at < bytes.length; at += 8) {
        const address = ROOM + BigInt(at);
        if (read(address) !== builder.read(address)) {
          assertEquals(read(address).toString(16), builder.read(address).toString(16), `${why}: +${at}`);
        }
      }
      for (const { virtual, physical, size } of mappings) {
        const last = lookUpTables(layout, ROOM, read, virtual + size - 1n);
        assert(last.kind === "mapped" && last.physical === physical + size - 1n, why);
        assertEquals(lookUpTables(layout, ROOM, read, virtual + size).kind, "fault", why);
      }
      const leaves = [...leavesOf(layout, ROOM, read)];
      const total = leaves.reduce((sum, leaf) => sum + leaf.size, 0n);
      assertEquals(total, mappings.reduce((sum, { size }) => sum + size, 0n), why);
    }
  }
});

Deno.test("map_range says what it cannot map: tables run out, or something is there", () => {
  const granule: GranuleShift = 12, layout = { granule, inputBits: 48 } as const;
  const attributes = leafAttributes(1, "image");
  const page = { virtual: 0x12_3456_7000n, physical: 0x4000_0000n, size: 0x1000n, attributes };
  const block = { ...page, virtual: 0x12_3440_0000n, size: 0x20_0000n };
  const far = { ...page, virtual: 0x7012_3456_7000n };
  const { read, results } = built(layout, [page, page, block, far], 4);
  assertEquals(results, [
    MAP_RESULT.mapped,
    MAP_RESULT.mappedAlready,
    MAP_RESULT.mappedAlready,
    MAP_RESULT.noTable,
  ]);
  const leaves = [...leavesOf(layout, ROOM, read)].map(({ virtual }) => virtual);
  assertEquals([leaves[0], leaves.at(-1)], [block.virtual, page.virtual]); // what came before the conflict stays
  const builder = new TranslationTableBuilder(layout, ROOM, 4);
  builder.map(page);
  assertThrows(() => builder.map(page), RangeError, "mapped already");
  assertThrows(() => builder.map(block), RangeError, "mapped already");
  assertThrows(() => builder.map(far), RangeError, "in use");
  assertThrows(() => new TranslationTableBuilder(layout, 0x123n, 1), RangeError, "aligned");
  assertThrows(
    () => new TranslationTableBuilder({ granule, inputBits: 49 }, 0n, 1),
    RangeError,
    "between 25 and 48",
  );
});

Deno.test("lookUpTables gives the level of a fault", () => {
  const layout = { granule: 12, inputBits: 48 } as const;
  const builder = new TranslationTableBuilder(layout, 0x4000_0000n, 4);
  builder.map({ virtual: 0x4020_1000n, physical: 0n, size: 0x1000n, attributes: 0n });
  const levelOf = (address: bigint) => {
    const found = lookUpTables(layout, 0x4000_0000n, builder.read, address);
    return found.kind === "fault" ? found.level : undefined;
  };
  assertEquals([1n << 47n, 0x8000_0000n, 0x4040_0000n, 0x4020_0000n, 0x4020_1000n].map(levelOf), [
    0,
    1,
    2,
    3,
    undefined,
  ]);
  assertEquals(levelOf(1n << 48n), 0);
});
