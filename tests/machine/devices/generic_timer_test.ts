/** The generic timers on virtual time: counts, conditions, lines to the nanosecond, event streams. */
import { assertEquals } from "@std/assert";
import { Clock, NANOSECONDS_PER_COUNT } from "../../../machine/clock.ts";
import {
  COUNTER_FREQUENCY,
  GenericTimer,
  TIMER_NAMES,
  type TimerName,
} from "../../../machine/devices/generic_timer.ts";
import { assertRoundTrip, Wire } from "./support.ts";

const ENABLE = 1, IMASK = 2, ISTATUS = 4;
const MAX = (1n << 64n) - 1n;

function build() {
  const clock = new Clock();
  const lines = Object.fromEntries(TIMER_NAMES.map((name) => [name, new Wire()])) as Record<TimerName, Wire>;
  const events: number[] = [];
  const timer = new GenericTimer({ name: "timer0", clock, lines, onEvent: () => events.push(clock.now) });
  /** Moves time on through every deadline. */
  const pass = (until: number) => {
    while (clock.earliestDeadline <= until) {
      clock.skipTo(Math.max(clock.now, clock.earliestDeadline));
      clock.serveAlarms();
    }
    clock.skipTo(until);
  };
  return { clock, lines, events, timer, pass };
}

Deno.test("GenericTimer.count is virtual time at 62.5 MHz, rounded down", () => {
  const { timer, pass } = build();
  assertEquals(COUNTER_FREQUENCY * NANOSECONDS_PER_COUNT, 1_000_000_000);
  pass(15);
  assertEquals(timer.count(), 0n);
  pass(16);
  assertEquals(timer.count(), 1n);
  pass(1_000_000_007);
  assertEquals(timer.count(), 62_500_000n);
});

Deno.test("GenericTimer.virtualCount is the count less the offset, modulo 2^64", () => {
  const { timer, pass } = build();
  pass(160);
  timer.setVirtualOffset(3n);
  assertEquals([timer.virtualCount(), timer.virtualOffset], [7n, 3n]);
  timer.setVirtualOffset(11n);
  assertEquals(timer.virtualCount(), MAX);
  timer.setVirtualOffset(-1n);
  assertEquals([timer.virtualCount(), timer.virtualOffset], [11n, MAX]);
});

for (const name of TIMER_NAMES) {
  Deno.test(`GenericTimer raises the ${name} line in the nanosecond where the count reaches the compare value`, () => {
    const { timer, lines, clock, pass } = build();
    pass(100);
    timer.writeCompareValue(name, 1000n);
    timer.writeControl(name, ENABLE);
    assertEquals([clock.earliestDeadline, timer.readControl(name)], [16_000, ENABLE]);
    pass(15_999);
    assertEquals([lines[name].level, timer.readControl(name)], [false, ENABLE]);
    pass(16_000);
    assertEquals([lines[name].level, timer.readControl(name)], [true, ENABLE | ISTATUS]);
    for (const other of TIMER_NAMES) assertEquals(lines[other].level, other === name);
    assertEquals(clock.earliestDeadline, Infinity);
  });

  Deno.test(`GenericTimer lowers the ${name} line when it is masked, disabled or set to a later value`, () => {
    const { timer, lines, pass } = build();
    pass(1600);
    timer.writeControl(name, ENABLE);
    assertEquals(lines[name].level, true);
    timer.writeControl(name, ENABLE | IMASK);
    assertEquals([lines[name].level, timer.readControl(name)], [false, ENABLE | IMASK | ISTATUS]);
    timer.writeControl(name, IMASK);
    assertEquals([lines[name].level, timer.readControl(name)], [false, IMASK]);
    timer.writeControl(name, ENABLE | ISTATUS);
    assertEquals(lines[name].level, true);
    timer.writeCompareValue(name, 101n);
    assertEquals([lines[name].level, timer.readControl(name)], [false, ENABLE]);
  });

  Deno.test(`GenericTimer timer values of the ${name} timer are signed distances from the count`, () => {
    const { timer, lines, pass } = build();
    pass(1600);
    timer.writeTimerValue(name, 50);
    assertEquals([timer.readCompareValue(name), timer.readTimerValue(name)], [150n, 50]);
    pass(1600 + 51 * 16);
    assertEquals(timer.readTimerValue(name), 0xffff_ffff);
    timer.writeTimerValue(name, 0xffff_fff0);
    assertEquals(timer.readCompareValue(name), 135n);
    timer.writeControl(name, ENABLE);
    assertEquals(lines[name].level, true);
  });
}

Deno.test("GenericTimer compares unsigned: a value before the count that wrapped is never met", () => {
  const { timer, lines, clock } = build();
  timer.writeTimerValue("physical", -1);
  timer.writeControl("physical", ENABLE);
  assertEquals([timer.readCompareValue("physical"), lines.physical.level], [MAX, false]);
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("GenericTimer virtual timer follows its offset at once, other timers do not", () => {
  const { timer, lines, clock, pass } = build();
  for (const name of ["virtual", "physical"] as const) {
    timer.writeCompareValue(name, 100n);
    timer.writeControl(name, ENABLE);
  }
  pass(1600);
  assertEquals([lines.virtual.level, lines.physical.level], [true, true]);
  timer.setVirtualOffset(60n);
  assertEquals([lines.virtual.level, lines.physical.level, clock.earliestDeadline], [false, true, 2560]);
  assertEquals(timer.readTimerValue("virtual"), 60);
  pass(2560);
  assertEquals(lines.virtual.level, true);
});

Deno.test("GenericTimer physical timer follows its own offset at once, the others and the count do not", () => {
  const { timer, lines, clock, pass } = build();
  for (const name of ["virtual", "physical", "hypervisor"] as const) {
    timer.writeCompareValue(name, 100n);
    timer.writeControl(name, ENABLE);
  }
  pass(1600);
  timer.setPhysicalOffset(60n);
  assertEquals([lines.virtual.level, lines.physical.level, lines.hypervisor.level], [true, false, true]);
  assertEquals([timer.count(), timer.readTimerValue("physical"), clock.earliestDeadline], [100n, 60, 2560]);
  pass(2560);
  assertEquals(lines.physical.level, true);
});

Deno.test("GenericTimer virtual condition of a compare value of 0 holds on where the count wraps to zero", () => {
  const { timer, lines, clock, pass } = build();
  timer.setVirtualOffset(10n);
  timer.writeControl("virtual", ENABLE);
  pass(10 * NANOSECONDS_PER_COUNT);
  assertEquals(timer.virtualCount(), 0n);
  assertEquals(lines.virtual.level, true);
  assertEquals(clock.earliestDeadline, Infinity, "an alarm at the present would be served for ever");
});

Deno.test("GenericTimer virtual condition ends where a negative virtual count wraps to zero", () => {
  const { timer, lines, clock, pass } = build();
  timer.setVirtualOffset(10n);
  timer.writeCompareValue("virtual", 5n);
  timer.writeControl("virtual", ENABLE);
  assertEquals([timer.virtualCount(), lines.virtual.level, clock.earliestDeadline], [MAX - 9n, true, 160]);
  pass(160);
  assertEquals([timer.virtualCount(), lines.virtual.level, clock.earliestDeadline], [0n, false, 240]);
  pass(240);
  assertEquals([timer.virtualCount(), lines.virtual.level], [5n, true]);
});

Deno.test("GenericTimer sets no deadline for a timer that is masked, or that has no line", () => {
  const clock = new Clock();
  const timer = new GenericTimer({ name: "timer0", clock, lines: { physical: new Wire() } });
  timer.writeCompareValue("physical", 100n);
  timer.writeControl("physical", ENABLE | IMASK);
  timer.writeCompareValue("virtual", 100n);
  timer.writeControl("virtual", ENABLE);
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("GenericTimer.armEventStream gives an event at each transition of the chosen bit, and none before", () => {
  const { timer, events, clock, pass } = build();
  timer.setEventStream("physical", true, 2, false);
  assertEquals(clock.earliestDeadline, Infinity);
  pass(16);
  timer.armEventStream(true);
  pass(16 * 21);
  assertEquals(events, [4, 12, 20].map((count) => count * 16));
  timer.setEventStream("physical", true, 2, true);
  pass(16 * 33);
  assertEquals(events.slice(3), [24, 32].map((count) => count * 16));
  timer.armEventStream(false);
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("GenericTimer virtual event stream follows the virtual count", () => {
  const { timer, events, pass } = build();
  timer.setVirtualOffset(3n);
  timer.setEventStream("virtual", true, 0, false);
  timer.armEventStream(true);
  pass(16 * 5);
  assertEquals(events, [2, 4].map((count) => count * 16));
});

Deno.test("GenericTimer.reset disables everything", () => {
  const { timer, lines, clock } = build();
  timer.setVirtualOffset(5n);
  timer.setPhysicalOffset(6n);
  for (const name of TIMER_NAMES) timer.writeControl(name, ENABLE);
  timer.setEventStream("virtual", true, 3, true);
  timer.armEventStream(true);
  const { timer: fresh } = build();
  timer.reset();
  assertEquals(timer.save(), fresh.save());
  assertEquals(TIMER_NAMES.map((name) => lines[name].level), TIMER_NAMES.map(() => false));
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("GenericTimer restores with the clock and goes on as before", () => {
  const { timer, clock, pass } = build();
  pass(1600);
  timer.setVirtualOffset(7n);
  timer.setPhysicalOffset(8n);
  timer.writeTimerValue("virtual", 1000);
  timer.writeControl("virtual", ENABLE);
  timer.writeControl("hypervisor", ENABLE);
  timer.setEventStream("virtual", true, 4, true);
  timer.armEventStream(true);
  const other = build();
  other.clock.restore(clock.save());
  assertRoundTrip(timer, other.timer);
  assertEquals([other.lines.hypervisor.level, other.clock.earliestDeadline], [true, clock.earliestDeadline]);
  other.pass(1600 + 16_000);
  assertEquals([other.lines.virtual.level, other.events.length > 10], [true, true]);
});
