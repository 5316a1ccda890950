/** The real-time clock, register by register and in virtual time. */
import { assertEquals } from "@std/assert";
import { Clock } from "../../../machine/clock.ts";
import { RtcPl031 } from "../../../machine/devices/rtc_pl031.ts";
import { assertRoundTrip, registersOf, Wire } from "./support.ts";

const BASE_SECONDS = 1767225600;
const SECOND = 1_000_000_000;
const DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0c, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c;

function build(base = BASE_SECONDS) {
  const clock = new Clock();
  const line = new Wire();
  const rtc = new RtcPl031({ name: "rtc", clock, line, base });
  const pass = (nanoseconds: number) => {
    clock.skipTo(clock.now + nanoseconds);
    clock.serveAlarms();
  };
  return { rtc, clock, line, pass, ...registersOf(rtc) };
}

Deno.test("RtcPl031.RTCDR counts seconds of virtual time from the base", () => {
  const { read, pass } = build();
  assertEquals(read(DR), BASE_SECONDS);
  pass(SECOND - 1);
  assertEquals(read(DR), BASE_SECONDS);
  pass(1);
  assertEquals(read(DR), BASE_SECONDS + 1);
});

Deno.test("RtcPl031.RTCDR wraps after 32 bits", () => {
  const { read, pass } = build(0xffff_ffff);
  pass(SECOND);
  assertEquals(read(DR), 0);
});

Deno.test("RtcPl031.RTCLR sets the time and reads back", () => {
  const { read, write, pass } = build();
  pass(5 * SECOND + 7);
  write(LR, 100);
  assertEquals([read(DR), read(LR)], [100, 100]);
  pass(SECOND);
  assertEquals([read(DR), read(LR)], [101, 100]);
});

Deno.test("RtcPl031.RTCMR raises the interrupt in the nanosecond where the count becomes its value", () => {
  const { read, write, line, pass, clock } = build();
  write(IMSC, 1);
  pass(300);
  write(MR, BASE_SECONDS + 3);
  assertEquals(clock.earliestDeadline, 3 * SECOND);
  pass(3 * SECOND - 301);
  assertEquals([read(RIS), line.level], [0, false]);
  pass(1);
  assertEquals([read(RIS), read(MIS), line.level], [1, 1, true]);
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("RtcPl031.RTCMR raises the interrupt at once when the count has its value", () => {
  const { read, write } = build();
  write(MR, BASE_SECONDS);
  assertEquals([read(RIS), read(MIS)], [1, 0]);
});

Deno.test("RtcPl031.RTCIMSC lets the interrupt through", () => {
  const { read, write, line } = build();
  write(MR, BASE_SECONDS);
  assertEquals(line.level, false);
  write(IMSC, 0xffff_ffff);
  assertEquals([read(IMSC), read(MIS), line.level], [1, 1, true]);
  write(IMSC, 0);
  assertEquals([read(RIS), line.level], [1, false]);
});

Deno.test("RtcPl031.RTCICR clears the interrupt", () => {
  const { read, write, line } = build();
  write(MR, BASE_SECONDS);
  write(IMSC, 1);
  write(ICR, 0);
  assertEquals([read(RIS), read(ICR), line.level], [1, 0, true]);
  write(ICR, 1);
  assertEquals([read(RIS), line.level], [0, false]);
});

Deno.test("RtcPl031.RTCCR reads 1 whatever is written", () => {
  const { read, write } = build();
  write(CR, 0);
  assertEquals(read(CR), 1);
});

Deno.test("RtcPl031 restores a time that was set, and the level of its line", () => {
  const { rtc, write, pass } = build();
  pass(SECOND);
  write(LR, 77);
  write(IMSC, 1);
  write(MR, 77);
  const { rtc: other, read, line, pass: passOther } = build();
  passOther(SECOND);
  assertRoundTrip(rtc, other);
  assertEquals([read(DR), line.level], [77, true]);
});

Deno.test("RtcPl031.reset clears the registers and leaves the time", () => {
  const { rtc, read, write, line, clock } = build();
  for (const [offset, value] of [[LR, 50], [MR, 60], [IMSC, 1]] as const) write(offset, value);
  rtc.reset();
  assertEquals([DR, MR, LR, IMSC, RIS].map((offset) => read(offset)), [50, 0, 0, 0, 0]);
  assertEquals([line.level, clock.earliestDeadline], [false, Infinity]);
});
