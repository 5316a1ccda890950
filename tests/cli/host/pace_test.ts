/** Tests of pacing. */
import { assertEquals } from "@std/assert";
import { Pace } from "../../../cli/host/pace.ts";

/** A clock that sleeps at once, `late` milliseconds too long each time. */
class FakeClock {
  time = 0;
  slept = 0;
  constructor(readonly late: number, readonly onSleep: () => void = () => {}) {}
  now(): number {
    return this.time;
  }
  sleep(milliseconds: number, until: AbortSignal): Promise<void> {
    this.onSleep();
    const spent = until.aborted ? milliseconds / 4 : milliseconds + this.late;
    this.time += spent;
    this.slept += spent;
    return Promise.resolve();
  }
}

Deno.test("Pace saves up spans too short for a timer", async () => {
  const clock = new FakeClock(0);
  const pace = new Pace(clock);
  const { signal } = new AbortController();
  let waits = 0;
  for (let span = 0; span < 100; span++) {
    if (!pace.isWorthWaiting(100_000)) continue;
    waits++;
    assertEquals(await pace.wait(100_000, signal), 100_000);
  }
  assertEquals([waits, Math.round(clock.slept)], [5, 10]);
});

Deno.test("Pace makes up for waits that took too long", async () => {
  const clock = new FakeClock(1);
  const pace = new Pace(clock);
  const { signal } = new AbortController();
  for (let span = 0; span < 100; span++) {
    if (pace.isWorthWaiting(5_000_000)) await pace.wait(5_000_000, signal);
  }
  assertEquals(Math.abs(clock.time - 500) <= 2, true, `${clock.time} ms for 500 ms`);
});

Deno.test("Pace.wait gives the part of the span that passed before a key", async () => {
  const controller = new AbortController();
  const clock = new FakeClock(0, () => controller.abort());
  const pace = new Pace(clock);
  assertEquals(pace.isWorthWaiting(8_000_000), true);
  assertEquals(await pace.wait(8_000_000, controller.signal), 2_000_000);
});
