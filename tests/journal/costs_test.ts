/** What a run costs its host, by part, counted with a clock of the test's. */
import { assertEquals, assertThrows } from "@std/assert";
import { Costs, spending } from "../../journal/costs.ts";

/** Costs by a clock and a memory that tests move. */
function fixture(): { costs: Costs; host: { time: number; bytes: number } } {
  const host = { time: 100, bytes: 10 };
  return { costs: new Costs({ now: () => host.time, memory: () => host.bytes }), host };
}

Deno.test("Costs gives each moment to one part, and what is nested to the inner one", () => {
  const { costs, host } = fixture();
  costs.spend("rest");
  host.time += 1;
  spending(costs, "engine", () => {
    host.time += 2;
    spending(costs, "events", () => void (host.time += 4));
    host.time += 8;
  });
  assertThrows(() =>
    spending(costs, "journal", () => {
      host.time += 16;
      throw new Error("full");
    }), Error);
  host.time += 32;
  costs.update();
  assertEquals(costs.milliseconds, { start: 100, engine: 10, roots: 0, events: 4, journal: 16, rest: 33 });
});

Deno.test("Costs remembers the most memory that it saw", () => {
  const { costs, host } = fixture();
  for (const bytes of [5, 30, 20]) {
    host.bytes = bytes;
    costs.lookAtMemory();
  }
  assertEquals(costs.memory, 30);
});

Deno.test("spending without costs only does what it is given", () => {
  assertEquals(spending(undefined, "roots", () => 7), 7);
});
