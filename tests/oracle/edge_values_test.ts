/** Edge values are of every kind that an instruction can be sensitive to. */
import { assert, assertEquals } from "@std/assert";
import { randomNumbers } from "../machine/a64/random_words.ts";
import { edgeValue, specialValue, tieInteger } from "./edge_values.ts";

/** Kind of a number of 32 bits. */
function kindOf(bits: bigint): string {
  const exponent = bits >> 23n & 255n, fraction = bits & 0x7f_ffffn;
  if (exponent === 0n) return fraction === 0n ? "zero" : "denormal";
  if (exponent < 255n) return "normal";
  if (fraction === 0n) return "infinity";
  return fraction >> 22n === 1n ? "quiet NaN" : "signalling NaN";
}

const KINDS = ["denormal", "infinity", "normal", "quiet NaN", "signalling NaN", "zero"];

for (const [name, draw] of [["edgeValue", edgeValue], ["specialValue", specialValue]] as const) {
  Deno.test(`${name} gives every kind of number, of both signs, in 500 draws`, () => {
    const random = randomNumbers(1);
    const values = Array.from({ length: 500 }, () => draw(32, true, random));
    assertEquals([...new Set(values.map(kindOf))].sort(), KINDS);
    for (const kind of KINDS) {
      const signs = new Set(values.filter((value) => kindOf(value) === kind).map((value) => value >> 31n));
      assertEquals(signs.size, 2, kind);
    }
  });

  Deno.test(`${name} fits its lane, of integers too`, () => {
    const random = randomNumbers(2);
    for (const width of [8, 16, 32, 64] as const) {
      for (let draws = 0; draws < 2000; draws++) {
        const value = draw(width, draws % 2 === 0, random);
        assert(value >= 0n && value < 1n << BigInt(width), `${width} bits: 0x${value.toString(16)}`);
      }
    }
  });
}

Deno.test("edgeValue gives halves between integers, where rounding has ties", () => {
  const random = randomNumbers(3), view = new DataView(new ArrayBuffer(8));
  const halves = Array.from({ length: 2000 }, () => {
    view.setBigUint64(0, edgeValue(64, true, random));
    return view.getFloat64(0);
  }).filter((value) => Math.abs(value) < 4096 && Math.abs(value % 1) === 0.5);
  assert(halves.length > 50, `${halves.length} of 2000`);
});

Deno.test("tieInteger gives integers that lie in the middle between two doubles", () => {
  const random = randomNumbers(4);
  const values = Array.from({ length: 2000 }, () => BigInt.asIntN(64, tieInteger(random)));
  assert(values.some((value) => value > 1n << 53n && (value & 0x7ffn) === 0x400n));
});
