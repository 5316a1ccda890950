/** A guest whose time is scaled: timers in guest time on every engine, changes of its time, and what is refused. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { TIMER_GUEST_COUNTS, timerGuestSource } from "../../../../firmware/time_scale/timer_guest.ts";
import "../../../../hypervisor/install.ts";
import type { ConfigurationInput } from "../../../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../../../machine/errors.ts";
import type { Input, MachineEvent } from "../../../../machine/events.ts";
import { ENGINES, Machine } from "../../../../machine/machine.ts";
import { flatGuest } from "../../../journal/guest.ts";

const COUNTER_NANOSECONDS = 16;

interface Built {
  readonly machine: Machine;
  readonly console: () => string;
  /** What the guest read of its physical counter, with the machine's count. */
  readonly reads: (readonly [cpu: number, machine: bigint, guest: bigint])[];
}

function build(options: Record<string, string>, more: ConfigurationInput = {}, engine = "compiled"): Built {
  const cpus = more.cpus ?? 1;
  const guest = flatGuest(timerGuestSource({ cpus, rounds: 16, gic: more.gicVersion ?? 2 }));
  const configuration = guest.configuration({
    memoryMiB: 16,
    cpuModel: "max",
    monitors: [{ level: 2, systems: [{ name: "time-scale", options }] }],
    ...more,
  });
  const machine = new Machine(configuration, guest.images, { engine });
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  const reads: (readonly [number, bigint, bigint])[] = [];
  machine.board.events.add({
    classes: ["detail"],
    observe: (event: MachineEvent) => {
      if (event.kind !== "registerEmulated" || event.register !== "CNTPCT_EL0") return;
      reads.push([event.cpu, BigInt(Math.floor(machine.virtualTime / COUNTER_NANOSECONDS)), event.value]);
    },
  });
  return { machine, console: () => console, reads };
}

/** Lines of the guest as counts by name. */
function countsOf(console: string): Record<string, number>[] {
  return console.trim().split("\r\n").map((line) => {
    const numbers = line.trim().split(" ").map(Number);
    return Object.fromEntries(TIMER_GUEST_COUNTS.map((name, index) => [name, numbers[index] as number]));
  });
}

const CLEAN = { rounds: 16, early: 0, backwards: 0, status: 0, value: 0, apart: 0 };

for (
  const [scale, numerator, denominator, cpuModel, gicVersion] of [
    ["1/4", 1n, 4n, "max", 3],
    ["4", 4n, 1n, "cortex-a57", 2],
    ["1000/1001", 1000n, 1001n, "max", 2],
  ] as const
) {
  Deno.test(`time-scale ${scale} on ${cpuModel} with a GICv${gicVersion}: counters and timers are the guest's, alike on every engine`, () => {
    const ends = Object.keys(ENGINES).map((engine) => {
      const built = build({ scale, epoch: "1000000" }, { cpus: 2, cpuModel, gicVersion, its: false }, engine);
      assertEquals(built.machine.run(10_000_000).reason, "poweredOff");
      assertEquals(countsOf(built.console()), [CLEAN, CLEAN]);
      for (const [, machine, guest] of built.reads) {
        const exact = 1_000_000n + machine * numerator / denominator;
        assert(guest - exact <= 1n && exact - guest <= 1n, `${guest} at ${machine}`);
      }
      return { instant: built.machine.instant, root: built.machine.stateRoot().root.toHex() };
    });
    for (const end of ends) assertEquals(end, ends[0]);
  });
}

Deno.test("time-scale without FEAT_ECV leaves the virtual timer to the guest, in the machine's time", () => {
  const source = timerGuestSource({ rounds: 16 });
  const guest = flatGuest(source.replace("cbz     x28, by_compare", "nop"));
  assert(guest.program.bytes.length > 0 && source.includes("cbz     x28, by_compare"));
  const configuration = guest.configuration({
    memoryMiB: 16,
    monitors: [{ level: 2, systems: [{ name: "time-scale", options: { scale: "4" } }] }],
  });
  const machine = new Machine(configuration, guest.images);
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  assertEquals(machine.run(10_000_000).reason, "poweredOff");
  assertEquals(countsOf(console), [CLEAN]);
});

function monitor(command: string): Input {
  return { kind: "monitorCommanded", level: 2, command: `time-scale ${command}` };
}

Deno.test("time-scale changed on the way never goes backwards nor lets a timer be early", () => {
  const changes: Input[] = [
    { kind: "timeScaleChanged", numerator: 4, denominator: 1 },
    { kind: "timeScaleChanged", numerator: 1, denominator: 7 },
    monitor("ramp 2 500"),
    monitor("freeze"),
    monitor("thaw"),
    monitor("migrate 24000000"),
    monitor("scale 1000/1001"),
    monitor("migrate 100000000"),
  ];
  const { machine, console, reads } = build({}, { cpus: 4 });
  let next = 0;
  for (let instant = 1000; machine.run(instant).reason !== "poweredOff"; instant += 1000) {
    if (machine.instant < instant) assertEquals(machine.run(instant).reason, "limit");
    if (next < changes.length) machine.submit(changes[next++] as Input);
    assert(instant < 10_000_000, "the guest does not end");
  }
  assertEquals(next, changes.length);
  assertEquals(countsOf(console()), [CLEAN, CLEAN, CLEAN, CLEAN]);
  for (const [index, [, , guest]] of reads.entries()) {
    const before = reads[index - 1]?.[2] ?? 0n;
    assert(guest >= before, `read ${index}: ${guest} after ${before}`);
  }
});

Deno.test("time-scale frozen keeps a guest's timers from coming until it is thawed", () => {
  const { machine } = build({});
  machine.run(1000);
  machine.submit(monitor("freeze"));
  assertEquals(machine.run(10_000_000).reason, "resting");
  machine.submit(monitor("thaw"));
  assertEquals(machine.run(10_000_000).reason, "poweredOff");
});

Deno.test("time-scale makes a timer that a faster time has passed pending at once", () => {
  const { machine, reads } = build({ scale: "1/1000" });
  for (;;) {
    const stop = machine.run(10_000, true);
    assert(stop.reason === "waiting", stop.reason);
    if (stop.deadline > machine.virtualTime + 1_000_000) break;
    machine.wait(stop.deadline);
  }
  const before = machine.virtualTime, read = reads.length;
  machine.submit({ kind: "timeScaleChanged", numerator: 32767, denominator: 1 });
  while (reads.length === read) machine.run(machine.instant + 10);
  assert(machine.virtualTime - before < 10_000, `the timer took ${machine.virtualTime - before} ns`);
});

Deno.test("time-scale with a skew shows itself to the guest: its CPUs' clocks go backwards between them", () => {
  const { machine, console } = build({ skew: "0:100000" }, { cpus: 2 });
  assertEquals(machine.run(10_000_000).reason, "poweredOff");
  const [first, second] = countsOf(console()) as [Record<string, number>, Record<string, number>];
  assert((first.backwards as number) > 10, `${first.backwards}`);
  for (const counts of [first, second]) assertEquals<object>({ ...counts, backwards: 0 }, CLEAN);
});

Deno.test("time-scale goes on from a snapshot as if there had been none", () => {
  const whole = build({ scale: "1/4" }, { cpus: 2 });
  whole.machine.run(4000);
  whole.machine.submit(monitor("ramp 3 2000"));
  const half = whole.machine.instant + 2000;
  whole.machine.run(half);
  const other = build({ scale: "1/4" }, { cpus: 2 });
  other.machine.restore(whole.machine.snapshot());
  for (const { machine } of [whole, other]) assertEquals(machine.run(10_000_000).reason, "poweredOff");
  assertEquals(other.machine.stateRoot(), whole.machine.stateRoot());
});

Deno.test("time-scale refuses scales and commands that cannot be, with the reason and nothing changed", () => {
  for (
    const [options, reason] of [
      [{ scale: "0" }, /not positive/],
      [{ scale: "-1/4" }, /not positive/],
      [{ scale: "40000" }, /overflow/],
      [{ scale: "1/100000" }, /precision/],
      [{ scale: "fast" }, /no scale/],
      [{ epoch: "-1" }, /counts/],
      [{ skew: "0:1" }, /skew names 2 CPUs/],
      [{ speed: "2" }, /speed/],
    ] as const
  ) {
    assertMatch(assertThrows(() => build(options), ConfigurationError).message, reason);
  }
  const { machine } = build({ skew: "5" });
  machine.run(1000);
  const root = machine.stateRoot();
  for (
    const [input, reason] of [
      [{ kind: "timeScaleChanged", numerator: 0, denominator: 1 }, /not positive/],
      [{ kind: "timeScaleChanged", numerator: 1, denominator: 0 }, /not positive/],
      [{ kind: "timeScaleChanged", numerator: 4_000_000_000, denominator: 1 }, /overflow/],
      [monitor("scale 0"), /not positive/],
      [monitor("ramp 2"), /takes 2 words/],
      [monitor("ramp 2 0"), /duration/],
      [monitor("skew 0 4"), /5 counts ahead/],
      [monitor("skew 3 4"), /no cpu3/],
      [monitor("migrate 5"), /CNTFRQ/],
      [monitor("rewind"), /no command "rewind"/],
    ] as const
  ) {
    assertMatch(assertThrows(() => machine.submit(input), InputRefusedError).message, reason);
  }
  assertEquals(machine.stateRoot(), root);
});
