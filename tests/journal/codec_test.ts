/** What a journal's values survive, and what the codec refuses when writing and when reading. */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { decodeValue, encodeValue, MAX_DEPTH, MAX_VALUES } from "../../journal/codec.ts";
import { JournalPayloadError } from "../../journal/errors.ts";
import { noise, SEED, seededRandom } from "./support.ts";

function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < depth; level++) value = level % 2 ? { a: value } : [value];
  return value;
}

// deno-fmt-ignore
const KEPT: readonly unknown[] = [
  null, true, false, 0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1,
  -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, 1.5, -2.25e-300, Infinity, NaN,
  0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n),
  "", "a", "é€😀", "x".repeat(31), "x".repeat(32), "x".repeat(300), "é".repeat(40_000), "\uFEFFa", "\0",
  new Uint8Array(0), noise(255), noise(256), noise(65536),
  [], [1, [2, [3]]], Array.from({ length: 70_000 }, (_, index) => index),
  {}, { a: 1, b: { c: null } }, { "": 0, constructor: 1, toString: "x", hasOwnProperty: 2, 7: 8 },
  Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, index])),
  nested(MAX_DEPTH),
];

Deno.test("decodeValue gives back what encodeValue took", () => {
  for (const value of KEPT) assertEquals(decodeValue(encodeValue(value)), value);
});

Deno.test("decodeValue keeps number and bigint apart", () => {
  assertStrictEquals(decodeValue(encodeValue(5)), 5);
  assertStrictEquals(decodeValue(encodeValue(5n)), 5n);
  assertStrictEquals(decodeValue(encodeValue(2 ** 40)), 2 ** 40);
  assertStrictEquals(decodeValue(encodeValue(2n ** 40n)), 2n ** 40n);
});

Deno.test("decodeValue gives plain bytes and plain objects", () => {
  const value = decodeValue(encodeValue({ bytes: Uint8Array.of(1) })) as { bytes: Uint8Array };
  assertStrictEquals(value.bytes.constructor, Uint8Array);
  assertStrictEquals(Object.getPrototypeOf(value), Object.prototype);
});

Deno.test("decodeValue leaves no mark on the bytes it is given", () => {
  const bytes = encodeValue([1]);
  decodeValue(bytes);
  assertEquals(Object.keys(bytes), Object.keys(Uint8Array.from(bytes)));
});

Deno.test("encodeValue refuses what a journal cannot hold", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  // deno-fmt-ignore
  const refused: readonly unknown[] = [
    undefined, { a: undefined }, [undefined], () => 1, Symbol("a"), new Date(0), new Error("a"),
    2n ** 64n, -(2n ** 63n) - 1n, cycle, nested(MAX_DEPTH + 1), new Map([[1, 2]]),
    JSON.parse('{"__proto__": 1}'), JSON.parse('[{"a": {"__proto__": {}}}]'), "\ud800", "\uFEFF" + "x".repeat(70),
  ];
  for (const value of refused) {
    assertThrows(() => encodeValue(value), TypeError, "Cannot encode payload: ", Deno.inspect(value));
  }
});

// deno-fmt-ignore
const HOSTILE: readonly [name: string, bytes: readonly number[], message: string][] = [
  ["nothing",                     [],                                     "cut short"],
  ["a second value",              [0x01, 0x02],                           "bytes after the value's end"],
  ["the unused type",             [0xc1],                                 "unused type 0xc1"],
  ["undefined",                   [0xd4, 0x00, 0x00],                     "extension"],
  ["a record definition",         [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1], "extension"],
  ["a timestamp",                 [0xd6, 0xff, 0, 0, 0, 0],               "extension"],
  ["fixext 2",                    [0xd5, 1, 0, 0],                        "extension"],
  ["fixext 8",                    [0xd7, 1, 0, 0, 0, 0, 0, 0, 0, 0],      "extension"],
  ["ext 8",                       [0xc7, 1, 1, 0],                        "extension"],
  ["ext 16",                      [0xc8, 0, 1, 1, 0],                     "extension"],
  ["ext 32 of 4 GiB",             [0xc9, 255, 255, 255, 255, 1],          "extension"],
  ["bin 32 of 4 GiB",             [0xc6, 255, 255, 255, 255],             "a length of 4294967295"],
  ["str 32 of 4 GiB",             [0xdb, 255, 255, 255, 255],             "a length of 4294967295"],
  ["array 32 of 4 Gi",            [0xdd, 255, 255, 255, 255],             "a length of 4294967295"],
  ["map 32 of 4 Gi",              [0xdf, 255, 255, 255, 255],             "a length of 4294967295"],
  ["a map with half its values",  [0x82, 0xa1, 0x61, 1],                  "a length of 2"],
  ["an array that is cut",        [0x92, 0x01],                           "a length of 2"],
  ["a float that is cut",         [0xcb, 0, 0],                           "cut short"],
  ["a count that is cut",         [0xdd, 0, 0],                           "cut short"],
  ["text that is cut",            [0xa3, 0x61],                           "a length of 3"],
  ["text that is not UTF-8",      [0xa1, 0xff],                           "not UTF-8"],
  ["a surrogate",                 [0xa3, 0xed, 0xa0, 0x80],               "not UTF-8"],
  ["a number as key",             [0x81, 0x01, 0x01],                     "a key that is not text"],
  ["a map as key",                [0x81, 0x80, 0x01],                     "a key that is not text"],
  ["bytes as key",                [0x81, 0xc4, 1, 0x61, 0x01],            "a key that is not text"],
  ["__proto__ as key",            [0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x80], 'a key "__proto__"'],
  ["__proto__ as str 32 key",     [0x81, 0xdb, 0, 0, 0, 9, ...new TextEncoder().encode("__proto__"), 0x80], 'a key "__proto__"'],
];

for (const [name, bytes, message] of HOSTILE) {
  Deno.test(`decodeValue refuses ${name}`, () => {
    assertThrows(() => decodeValue(Uint8Array.from(bytes)), JournalPayloadError, message);
  });
}

Deno.test("decodeValue refuses nesting of a million without a stack overflow", () => {
  for (const token of [0x91, 0x81]) {
    const bytes = new Uint8Array(2_000_000).fill(token);
    if (token === 0x81) bytes.forEach((_, index) => index % 2 && (bytes[index] = 0xa0));
    assertThrows(() => decodeValue(bytes), JournalPayloadError, `nesting deeper than ${MAX_DEPTH}`);
  }
});

Deno.test("decodeValue refuses more values than memory should hold", () => {
  const bytes = new Uint8Array(5 + MAX_VALUES).fill(0x80);
  bytes.set([0xdd]);
  new DataView(bytes.buffer).setUint32(1, MAX_VALUES);
  assertThrows(() => decodeValue(bytes), JournalPayloadError, `more than ${MAX_VALUES} values`);
});

Deno.test("decodeValue pollutes no prototype", () => {
  const value = decodeValue(encodeValue({ constructor: { prototype: { polluted: 1 } } })) as Record<
    string,
    unknown
  >;
  assert(Object.hasOwn(value, "constructor"));
  assertStrictEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test(`decodeValue refuses or reads consistently any bytes (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const base = encodeValue({ a: [1, -5, 2n ** 60n, "text", noise(20)], b: { c: null, d: [true, 1.5, {}] } });
  let [refused, read] = [0, 0];
  for (let round = 0; round < 20_000; round++) {
    const bytes = round % 2 ? base.slice() : Uint8Array.from({ length: 1 + random(12) }, () => random(256));
    if (round % 2) {
      for (let flips = random(3); flips >= 0; flips--) bytes[random(bytes.length)] = random(256);
    }
    try {
      const value = decodeValue(bytes);
      assertEquals(decodeValue(encodeValue(value)), value, `seed ${SEED}, round ${round}`);
      read++;
    } catch (error) {
      if (!(error instanceof JournalPayloadError)) {
        throw new Error(`seed ${SEED}, round ${round}`, { cause: error });
      }
      refused++;
    }
  }
  assert(refused > 1000 && read > 1000, `seed ${SEED}: ${refused} refused, ${read} read`);
});
