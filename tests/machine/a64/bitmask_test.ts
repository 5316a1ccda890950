/** Tests of bitmask immediates. */
import { assertEquals } from "@std/assert";
import { decodeBitmask, encodeBitmask } from "../../../machine/a64/bitmask.ts";

/** All encodings that are not reserved, for a register width. */
function* encodings(width: number) {
  for (let bits = 0; bits < 8192; bits++) {
    const encoding = { N: bits >> 12, immr: bits >> 6 & 63, imms: bits & 63 };
    const value = decodeBitmask(encoding, width);
    if (value !== undefined) yield { encoding, value };
  }
}

Deno.test("decodeBitmask has as many values as the Arm ARM's immediates: 5334 of 64 bits, 1302 of 32", () => {
  assertEquals(new Set(Array.from(encodings(64), ({ value }) => value)).size, 5334);
  assertEquals(new Set(Array.from(encodings(32), ({ value }) => value)).size, 1302);
});

Deno.test("encodeBitmask is the inverse of decodeBitmask for every immediate", () => {
  for (const width of [32, 64]) {
    for (const { value, encoding } of encodings(width)) {
      const again = encodeBitmask(value, width);
      assertEquals(again && decodeBitmask(again, width), value, JSON.stringify(encoding));
    }
  }
});

Deno.test("encodeBitmask refuses zero, all ones and what is no rotated run of ones", () => {
  for (const value of [0n, 0xffffffffn, 5n, 0x12345678n, 0x101n, 0xff00ff01n]) {
    assertEquals(encodeBitmask(value, 32), undefined, value.toString(16));
  }
  assertEquals(encodeBitmask(0xffffffffffffffffn, 64), undefined);
  assertEquals(encodeBitmask(0xffffffffn, 64), { N: 1, immr: 0, imms: 31 });
});
