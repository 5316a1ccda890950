/** The clock: virtual time from instants, skips and charges; alarms in a fixed order. */
import { assertEquals, assertThrows } from "@std/assert";
import { Clock, NO_DEADLINE } from "../../machine/clock.ts";
import { ClockOverflowError } from "../../machine/errors.ts";

Deno.test("Clock.now is instants times nanoseconds per step, plus what was skipped and charged", () => {
  const clock = new Clock(8);
  clock.instant = 5;
  assertEquals(clock.now, 40);
  clock.skipTo(100);
  clock.charge(7);
  clock.instant++;
  assertEquals(clock.now, 115);
  assertThrows(() => clock.skipTo(114), RangeError, "it is 115 ns already");
});

Deno.test("Clock refuses nanoseconds per step that are no positive integer", () => {
  for (const wrong of [0, -1, 1.5, NaN]) assertThrows(() => new Clock(wrong), RangeError);
});

Deno.test("Clock.now past 2^53 ns is an error, not a rounding", () => {
  const clock = new Clock(8);
  clock.skipTo(Number.MAX_SAFE_INTEGER);
  clock.instant++;
  assertThrows(() => clock.now, ClockOverflowError);
});

Deno.test("earliestAlarmInstant is the first instant whose time is not before the deadline", () => {
  const clock = new Clock(8);
  const alarm = clock.alarm("a", () => {});
  for (const [deadline, instant] of [[0, 0], [1, 1], [8, 1], [9, 2], [16, 2]] as const) {
    alarm.set(deadline);
    assertEquals(clock.earliestAlarmInstant, instant, `deadline ${deadline}`);
  }
  clock.charge(8);
  assertEquals(clock.earliestAlarmInstant, 1);
  alarm.set(2 ** 53);
  assertEquals(clock.earliestAlarmInstant, NO_DEADLINE);
});

Deno.test("serveAlarms calls earliest first, ties in order of registration, and an alarm may set itself again", () => {
  const clock = new Clock(1);
  const order: string[] = [];
  const late = clock.alarm("late", () => order.push("late"));
  const first = clock.alarm("first", () => {
    order.push("first");
    if (order.length < 2) first.set(7);
  });
  const tied = clock.alarm("tied", () => order.push("tied"));
  late.set(9);
  first.set(5);
  tied.set(5);
  clock.skipTo(4);
  clock.serveAlarms();
  assertEquals(order, []);
  clock.skipTo(10);
  clock.serveAlarms();
  assertEquals(order, ["first", "tied", "first", "late"]);
  assertEquals(clock.earliestDeadline, NO_DEADLINE);
});

Deno.test("Clock.save and restore keep instant, offset and deadlines, and refuse another machine's alarms", () => {
  const make = (alarms: number) => {
    const clock = new Clock(8);
    return { clock, alarms: Array.from({ length: alarms }, (_, n) => clock.alarm(`a${n}`, () => {})) };
  };
  const one = make(2);
  one.clock.instant = 11;
  one.clock.charge(3);
  one.alarms[1]?.set(500);
  const other = make(2);
  other.clock.restore(one.clock.save());
  assertEquals(other.clock.save(), one.clock.save());
  assertEquals(other.clock.now, 91);
  assertEquals(other.clock.earliestDeadline, 500);
  assertThrows(() => make(3).clock.restore(one.clock.save()), RangeError, "2 alarms");
});
