/** Scaled counters: exact, inverted exactly, never backwards; and what no scale can be. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { GuestClock } from "../../../../hypervisor/systems/time_scale/guest_clock.ts";
import { multiplierOf, parseScale, scaleProblem } from "../../../../hypervisor/systems/time_scale/scale.ts";
import { FREQUENCY, VirtualTime } from "../../../../hypervisor/systems/time_scale/virtual_time.ts";

const SEED = 20260101;

/** Numbers below 2^32 from a seed (xorshift32). */
function numbers(seed: number): () => number {
  let x = seed >>> 0;
  return () => {
    x = (x ^ (x << 13)) >>> 0;
    x = (x ^ (x >>> 17)) >>> 0;
    return x = (x ^ (x << 5)) >>> 0;
  };
}

const SCALES = [[1, 4], [1, 1], [4, 1], [1000, 1001], [1, 65536], [32767, 1], [3, 7]] as const;

for (const [numerator, denominator] of SCALES) {
  Deno.test(`GuestClock at ${numerator}/${denominator} is exact to one count in a guest hour, and inverted exactly`, () => {
    const clock = new GuestClock(), next = numbers(SEED);
    clock.reset(1000n, 5n, multiplierOf(BigInt(numerator), BigInt(denominator)));
    const hour = 3600n * FREQUENCY * BigInt(denominator) / BigInt(numerator);
    for (let round = 0; round < 300; round++) {
      const passed = (BigInt(next()) << 16n | BigInt(next() & 0xffff)) % hour;
      const got = clock.at(1000n + passed) - 5n, exact = passed * BigInt(numerator) / BigInt(denominator);
      assert(got - exact <= 1n && exact - got <= 1n, `seed ${SEED} round ${round}: ${got} for ${exact}`);
      const first = clock.firstReaching(got + 5n) as bigint;
      assertEquals(clock.at(first), got + 5n, `seed ${SEED} round ${round}`);
      assert(
        first === 1000n || clock.at(first - 1n) < got + 5n,
        `seed ${SEED} round ${round}: not the first`,
      );
    }
  });
}

Deno.test("GuestClock never goes backwards whatever is done to it, and its inverse holds across all pieces", () => {
  const clock = new GuestClock(), next = numbers(SEED + 1);
  let count = 0n, last = 0n;
  for (let round = 0; round < 2000; round++) {
    count += BigInt(next() % 1_000_000);
    const value = clock.at(count);
    assert(value >= last, `seed ${SEED + 1} round ${round}: ${value} after ${last}`);
    last = value;
    const mult = multiplierOf(BigInt(next() % 1000), BigInt(1 + next() % 1000));
    if (round % 3 === 0) clock.rebase(count, round % 9 === 0 ? 0n : mult);
    else if (round % 3 === 1) clock.ramp(count, mult, BigInt(1 + next() % 500_000));
    assertEquals(clock.at(count), value, "a change is no step");
    const wanted = value + BigInt(1 + next() % 100_000), first = clock.firstReaching(wanted);
    if (first === undefined) continue;
    assert(clock.at(first) >= wanted && clock.at(first - 1n) < wanted, `seed ${SEED + 1} round ${round}`);
  }
});

Deno.test("GuestClock that stands still reaches nothing, and goes on from there", () => {
  const clock = new GuestClock();
  clock.rebase(100n, 0n);
  assertEquals([clock.at(100n), clock.at(1_000_000n)], [100n, 100n]);
  assertEquals(clock.firstReaching(101n), undefined);
  assertEquals(clock.firstReaching(100n), 100n);
  const copy = new GuestClock();
  copy.state = clock.state;
  copy.rebase(1000n, multiplierOf(2n, 1n));
  assertEquals([copy.at(1000n), copy.at(1001n)], [100n, 102n]);
});

Deno.test("ten seconds of the guest are ten seconds by the scale of the machine's counter, to one count", () => {
  for (const [numerator, denominator] of [[1, 4], [1, 1], [4, 1], [1000, 1001]] as const) {
    const time = new VirtualTime();
    time.reset(0n, { numerator, denominator });
    for (const start of [0n, 12345n, 999_999_999n]) {
      const from = time.firstReaching(start) as bigint,
        to = time.firstReaching(start + 10n * FREQUENCY) as bigint;
      const exact = 10n * FREQUENCY * BigInt(denominator) / BigInt(numerator);
      assert(
        to - from - exact <= 1n && exact - (to - from) <= 1n,
        `${numerator}/${denominator}: ${to - from}`,
      );
    }
  }
});

Deno.test("VirtualTime.migrate keeps the guest's count and rate on a host of another frequency", () => {
  const time = new VirtualTime();
  time.reset(7n, { numerator: 1, denominator: 1 });
  const before = time.at(1_000_000n);
  time.migrate(1_000_000n, 24_000_000n);
  assertEquals(time.at(1_000_000n), before);
  // A count of the slower host is 2.6 of the guest's: it moves by 2 or 3, and a second later is a second later.
  const steps = new Set(
    Array.from(
      { length: 500 },
      (_, n) => Number(time.at(1_000_001n + BigInt(n)) - time.at(1_000_000n + BigInt(n))),
    ),
  );
  assertEquals([...steps].sort(), [0, 2, 3]);
  const second = time.at(1_000_000n + FREQUENCY) - before;
  assert(second - FREQUENCY <= 3n && FREQUENCY - second <= 3n, `${second}`);
  const wanted = before + 12_345n, first = time.firstReaching(wanted) as bigint;
  assert(time.at(first) >= wanted && time.at(first - 1n) < wanted);
});

Deno.test("scaleProblem refuses what is not positive, too fast or too slow, with the reason", () => {
  const problem = (numerator: number, denominator: number) => scaleProblem({ numerator, denominator }) ?? "";
  for (const [numerator, denominator] of SCALES) assertEquals(problem(numerator, denominator), "");
  assertMatch(problem(0, 1), /not positive/);
  assertMatch(problem(-1, 4), /not positive/);
  assertMatch(problem(1, 0), /not positive/);
  assertMatch(problem(32768, 1), /overflow/);
  assertMatch(problem(1, 65537), /precision/);
  assertMatch(problem(0.5, 1), /whole numbers/);
  const time = new VirtualTime();
  time.reset(0xffff_fff0_0000_0000n, { numerator: 1, denominator: 1 });
  assertMatch(time.problem(0n, { numerator: 32767, denominator: 1 }, 0n) ?? "", /overflow/);
  assertEquals(time.problem(0n, { numerator: 1, denominator: 65536 }, 0n), undefined);
});

Deno.test("parseScale reads fractions and decimals", () => {
  assertEquals(parseScale("1000/1001"), { numerator: 1000, denominator: 1001 });
  assertEquals(parseScale("4"), { numerator: 4, denominator: 1 });
  assertEquals(parseScale("0.25"), { numerator: 25, denominator: 100 });
  assertEquals(parseScale("-1/4"), { numerator: -1, denominator: 4 });
  for (const text of ["", "x", "1/", "1/2/3", "1e3", ".5"]) assertEquals(parseScale(text), undefined, text);
});
