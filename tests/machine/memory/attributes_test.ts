/** Memory attributes of one stage and of both. */
import { assertEquals } from "@std/assert";
import { combineAttributes, stage2Attribute } from "../../../machine/memory/attributes.ts";

// deno-fmt-ignore
const COMBINED: readonly (readonly [name: string, first: number, second: number, result: number])[] = [
  ["Device before Normal",                  0x04, 0xff, 0x04],
  ["Device of stage 2 before Normal",       0xff, 0x08, 0x08],
  ["nGnRnE before nGRE",                    0x08, 0x00, 0x00],
  ["nGnRE before GRE",                      0x0c, 0x04, 0x04],
  ["nGRE whatever the Normal hints are",    0x08, 0x44, 0x08],
  ["Non-cacheable before write-back",       0xff, 0x44, 0x44],
  ["each of outer and inner for itself",    0xf4, 0x4f, 0x44],
  ["write-through before write-back",       0xbb, 0xff, 0xbb],
  ["write-through of stage 2, hints of 1",  0xed, 0xbb, 0xa9],
  ["write-back twice keeps hints",          0xde, 0xff, 0xde],
];

Deno.test("combineAttributes takes the stricter of two stages", () => {
  for (const [name, first, second, result] of COMBINED) {
    const a = { attribute: first, shareability: 0 }, b = { attribute: second, shareability: 0 };
    assertEquals(combineAttributes(a, b).attribute, result, name);
  }
});

Deno.test("combineAttributes takes the wider shareability, outer for Device and Non-cacheable", () => {
  const normal = (shareability: number) => ({ attribute: 0xff, shareability });
  const shares = (a: number, b: number) => combineAttributes(normal(a), normal(b)).shareability;
  assertEquals([shares(0, 0), shares(0, 3), shares(3, 2), shares(2, 0)], [0, 3, 2, 2]);
  assertEquals(combineAttributes(normal(0), { attribute: 0x44, shareability: 0 }).shareability, 2);
  assertEquals(combineAttributes(normal(0), { attribute: 0x00, shareability: 0 }).shareability, 2);
});

Deno.test("stage2Attribute reads MemAttr and HCR_EL2.CD", () => {
  const memAttr = (value: number) => stage2Attribute(value, false);
  assertEquals([0, 1, 2, 3].map(memAttr), [0x00, 0x04, 0x08, 0x0c]);
  assertEquals([0b0101, 0b1010, 0b1111, 0b0111].map(memAttr), [0x44, 0xbb, 0xff, 0x4f]);
  assertEquals(stage2Attribute(0b1111, true), 0x44);
  assertEquals(stage2Attribute(0b0001, true), 0x04);
});
