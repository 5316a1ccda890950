/** The pairs of addresses that bridge-space moves between, and how they are tried. */
import { assertEquals, assertThrows } from "@std/assert";
import { loadedAt, pokeLines, pokesOf } from "../../../../cli/systems/bridge_space/forks.ts";
import { fixedPairs, randomPairs } from "../../../../cli/systems/bridge_space/pairs.ts";
import { bridgeProgram, refusalOf } from "../../../../firmware/bridge_space/image.ts";

Deno.test("fixedPairs has every refusal that a pair can get, as refusalOf says", () => {
  for (const bits of [40, 44]) {
    const pairs = fixedPairs(bits);
    assertEquals(pairs.map((pair) => refusalOf(pair, bits)), pairs.map(({ refusal }) => refusal));
    const refusals = new Set(pairs.map(({ refusal }) => refusal));
    assertEquals(refusals.size, 8); // seven, and none
  }
});

Deno.test("randomPairs are the same for a seed, and not for another", () => {
  const first = (seed: number) => {
    const pairs = randomPairs(seed, 40);
    return Array.from({ length: 20 }, () => pairs.next().value);
  };
  assertEquals(first(1), first(1));
  assertEquals(first(1).every((pair, index) => pair?.to === first(2)[index]?.to), false);
});

Deno.test("pokesOf puts one pair where the loader said its parameters are", () => {
  const parameters = Number(bridgeProgram().symbols.get("parameters"));
  const loaded = loadedAt("x\r\nbridge: parameters at 0000000044003000, memory from 0000000050000000\r\n");
  assertEquals(loaded, 0x4400_3000 - parameters);
  assertEquals(pokeLines(pokesOf({ from: 0x5600_0000n, to: 16n, startsKernel: true }, loaded)), [
    "poke 0x44003000 0x0000000000000001",
    "poke 0x44003100 0x0000000056000000",
    "poke 0x44003108 0x0000000000000010",
    "poke 0x44003110 0x0000000000000001",
  ]);
  assertThrows(() => loadedAt("nothing"), Error, "never came to its parameters");
});
