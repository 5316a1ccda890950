/** The guests of time-scale: what they are made for, and what they cannot be made for. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { elfExecutable } from "../../../firmware/elf.ts";
import {
  CLOCK_PROGRAM_BASE,
  CLOCK_PROGRAM_LINE,
  clockProgramSource,
} from "../../../firmware/time_scale/clock_program.ts";
import { TIMER_GUEST_BASE, timerGuestSource } from "../../../firmware/time_scale/timer_guest.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";

for (const gic of [2, 3] as const) {
  Deno.test(`timerGuestSource runs on the bare board with a GICv${gic}, and finds nothing wrong`, () => {
    const guest = flatGuest(timerGuestSource({ cpus: 2, rounds: 8, longest: 256, gic }));
    assertEquals(guest.program.base, TIMER_GUEST_BASE);
    const machine = new Machine(
      guest.configuration({ cpus: 2, memoryMiB: 16, gicVersion: gic }),
      guest.images,
    );
    let console = "";
    machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
    assertEquals(machine.run(1_000_000).reason, "poweredOff");
    assertEquals(console, "8 0 0 0 0 0 \r\n".repeat(2));
  });
}

Deno.test("timerGuestSource refuses numbers that cannot be", () => {
  assertMatch(assertThrows(() => timerGuestSource({ cpus: 9 }), RangeError).message, /9 CPUs/);
  assertMatch(assertThrows(() => timerGuestSource({ rounds: 3 }), RangeError).message, /3 rounds/);
  assertMatch(assertThrows(() => timerGuestSource({ longest: 100 }), RangeError).message, /100 counts/);
});

Deno.test("clockProgramSource assembles to a static executable with its line", () => {
  const source = clockProgramSource({ threads: 4, reads: 10, sleeps: 2 });
  const program = assembleProgram(source, { name: "clocks", base: CLOCK_PROGRAM_BASE });
  const file = elfExecutable(program);
  assert(new TextDecoder("latin1").decode(file).includes(CLOCK_PROGRAM_LINE));
  assertThrows(() => clockProgramSource({ threads: 0, reads: 1, sleeps: 0 }), RangeError);
  assertThrows(() => clockProgramSource({ threads: 1, reads: 0, sleeps: 0 }), RangeError);
});
