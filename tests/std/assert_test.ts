/** Each assertion passes and fails on the values it should, with the kind of error it should. */
import * as upstream from "@std/assert";
import {
  assert,
  assertEquals,
  AssertionError,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  equal,
} from "@std/assert";

class Base extends Error {}
class Derived extends Base {}
const cycle = (): unknown => {
  const it: { self?: unknown } = {};
  it.self = it;
  return it;
};

// deno-fmt-ignore
const EQUAL: [unknown, unknown][] = [
  [1, 1], [NaN, NaN], [0, -0], [1n, 1n], ["a", "a"], [null, null],
  [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }], [{ a: 1, b: 2 }, { b: 2, a: 1 }],
  [{ a: 1 }, Object.assign(Object.create(null), { a: 1 })],
  [new Uint8Array([1, 2]), new Uint8Array([1, 2])], [new Uint8Array([1]).buffer, new Uint8Array([1]).buffer],
  [new Map([[{ k: 1 }, "v"]]), new Map([[{ k: 1 }, "v"]])], [new Set([{ a: 1 }, 2]), new Set([2, { a: 1 }])],
  [/a/g, /a/g], [new Date(5), new Date(5)], [new Error("x"), new Error("x")], [cycle(), cycle()],
];

// deno-fmt-ignore
const UNEQUAL: [unknown, unknown][] = [
  [1, "1"], [1, 1n], [null, undefined], [0, null], [{}, null], [{}, []],
  [{ a: 1 }, { a: 1, b: 2 }], [{ a: undefined }, {}], [{ a: undefined }, { b: undefined }],
  [[1, 2], [2, 1]], [[1], [1, 2]], [[, 1], [1]],
  [new Uint8Array([1]), new Int8Array([1])], [new Uint8Array([1, 2]), new Uint8Array([1, 3])], [[1], new Uint8Array([1])],
  [new Map([["k", 1]]), new Map([["k", 2]])], [new Map([["k", 1]]), new Map([["j", 1]])],
  [new Set([1, 2]), new Set([1, 3])], [new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }])],
  [/a/, /a/i], [new Date(5), new Date(6)], [new Error("x"), new Error("y")], [new Base("x"), new Derived("x")],
  [{ [Symbol.iterator]: 1 }, {}], [() => 1, () => 1],
];

Deno.test("equal() and assertEquals() hold for equal values", () => {
  for (const [a, b] of EQUAL) {
    assert(equal(a, b) && equal(b, a), Deno.inspect([a, b]));
    assertEquals(a, b);
    assertThrows(() => upstream.assertNotEquals(a, b), AssertionError);
  }
});

Deno.test("equal() and assertEquals() fail for unequal values", () => {
  for (const [a, b] of UNEQUAL) {
    assert(!equal(a, b) && !equal(b, a), Deno.inspect([a, b]));
    assertThrows(() => assertEquals(a, b, "note"), AssertionError, "note");
    upstream.assertNotEquals(a, b);
  }
});

/** For each assertion: a call that passes and one that fails. */
// deno-fmt-ignore
const ROWS: [name: string, passes: () => void, fails: () => void][] = [
  ["assert",              () => upstream.assert(1),                           () => upstream.assert("")],
  ["assertFalse",         () => upstream.assertFalse(0),                      () => upstream.assertFalse({})],
  ["assertStrictEquals",  () => upstream.assertStrictEquals(NaN, NaN),        () => upstream.assertStrictEquals(0, -0)],
  ["assertExists",        () => upstream.assertExists(0),                     () => upstream.assertExists(undefined)],
  ["assertInstanceOf",    () => upstream.assertInstanceOf(new Derived(), Base), () => upstream.assertInstanceOf(null, Base)],
  ["assertMatch",         () => upstream.assertMatch("abc", /b/),             () => upstream.assertMatch("abc", /d/)],
  ["assertNotMatch",      () => upstream.assertNotMatch("abc", /d/),          () => upstream.assertNotMatch("abc", /b/)],
  ["assertStringIncludes", () => assertStringIncludes("abc", "bc"),           () => assertStringIncludes("abc", "ac")],
  ["assertArrayIncludes", () => upstream.assertArrayIncludes([{ a: 1 }, 2], [{ a: 1 }]), () => upstream.assertArrayIncludes([1], [2])],
  ["assertGreater",       () => upstream.assertGreater(2, 1),                 () => upstream.assertGreater(1, 1)],
  ["assertGreaterOrEqual", () => upstream.assertGreaterOrEqual(1n, 1n),       () => upstream.assertGreaterOrEqual(0, 1)],
  ["assertLess",          () => upstream.assertLess(1, 2),                    () => upstream.assertLess(1, NaN)],
  ["assertLessOrEqual",   () => upstream.assertLessOrEqual(1, 1),             () => upstream.assertLessOrEqual(2, 1)],
  ["assertIsError",       () => upstream.assertIsError(new Derived("m"), Base, /m/), () => upstream.assertIsError(new Base("m"), Derived)],
  ["assertThrows",        () => assertThrows(() => { throw new Derived("m"); }, Base, "m"), () => assertThrows(() => 1)],
  ["assertThrows on the class", () => assertThrows(() => { throw 1; }),       () => assertThrows(() => { throw new Base(); }, Derived)],
  ["assertThrows on the text", () => assertThrows(() => { throw new Base("m"); }, Base), () => assertThrows(() => { throw new Base("m"); }, Base, "n")],
];

for (const [name, passes, fails] of ROWS) {
  Deno.test(`${name} passes and fails as it should`, () => {
    passes();
    let thrown: unknown;
    try {
      fails();
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof AssertionError, `threw ${thrown}`);
  });
}

Deno.test("assertThrows() and assertRejects() return the error", async () => {
  const error = new Derived("m");
  const thrown = assertThrows(() => {
    throw error;
  }, Base);
  const rejected = await assertRejects(() => Promise.reject(error), Base, "m");
  assert(thrown === error && rejected === error);
});

Deno.test("assertRejects() fails when nothing rejects, and when the function throws at once", async () => {
  await assertRejects(
    () => assertRejects(() => Promise.resolve(1)),
    AssertionError,
    "Expected function to reject",
  );
  const throws = () => {
    throw new Base("m");
  };
  await assertRejects(() => assertRejects(throws), AssertionError, "Function throws");
});

Deno.test("fail() and unreachable() always throw", () => {
  assertThrows(() => upstream.fail("why"), AssertionError, "Failed assertion: why");
  assertThrows(() => upstream.unreachable(), AssertionError, "Unreachable.");
});

Deno.test("assertEquals() shows the difference", () => {
  const error = assertThrows(() => assertEquals({ a: 1, b: 2 }, { a: 1, b: 3 }), AssertionError);
  assertStringIncludes(error.message, "b: 2");
  assertStringIncludes(error.message, "b: 3");
});
