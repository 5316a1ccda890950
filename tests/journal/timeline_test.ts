/** The timeline: wherever it has been, the state at an instant is the one of a replay from power-on. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { Recorder } from "../../journal/recorder.ts";
import { Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { Timeline } from "../../journal/timeline.ts";
import type { Machine } from "../../machine/machine.ts";
import { ENGINES } from "../../machine/machine.ts";
import type { EventOf, MachineEvent } from "../../machine/events.ts";
import { counterGuest, flatGuest, recordGuest } from "./guest.ts";
import { SEED, seededRandom } from "./support.ts";

const guest = counterGuest();
const recording = recordGuest(guest, {
  inputs: [{ instant: 700, input: { kind: "consoleReceived", bytes: Uint8Array.of(65) } }],
});
const { run } = recording;

/** State roots at some instants, by a replay from the beginning. */
function rootsAt(of: RecordedRun, instants: readonly number[]): Map<number, Uint8Array> {
  const replay = new Replay(of, guest.images, { engine: "threaded" });
  const roots = new Map<number, Uint8Array>();
  for (const instant of [...instants].sort((a, b) => a - b)) {
    replay.runTo(instant);
    roots.set(instant, replay.machine.stateRoot().root);
  }
  return roots;
}

const counter = guest.program.symbols.get("counter")!;
const tellCounter = (machine: Machine): bigint =>
  machine.board.memory.view.getBigUint64(machine.board.memory.hostOffset(Number(counter) as never), true);

for (const engine of Object.keys(ENGINES)) {
  Deno.test(`Timeline.seek on the ${engine} engine gives the state of a replay from power-on`, () => {
    const random = seededRandom(SEED);
    const instants = Array.from({ length: 12 }, () => random(run.lastInstant + 1));
    instants.push(0, run.lastInstant, 700, 701, 700, 699);
    const roots = rootsAt(run, instants);
    const timeline = new Timeline(run, guest.images, { engine });
    for (const instant of instants) {
      timeline.seek(instant);
      assertEquals(timeline.instant, instant);
      assertEquals(timeline.machine.stateRoot().root, roots.get(instant), `seed ${SEED}, instant ${instant}`);
    }
  });
}

Deno.test("Timeline.seek refuses an instant outside the run", () => {
  const timeline = new Timeline(run, guest.images);
  for (const instant of [-1, run.lastInstant + 1, 0.5, NaN]) {
    assertThrows(() => timeline.seek(instant), RangeError, `instant ${instant}`);
  }
});

Deno.test("Timeline.stepBack goes back over an exception, and ends at the beginning", () => {
  const timeline = new Timeline(run, guest.images);
  const taken = timeline.events(0, run.lastInstant, ["trap"])
    .find((event) => event.kind === "exceptionTaken" && event.exception === "irq") as EventOf<
      "exceptionTaken"
    >;
  timeline.seek(taken.instant + 1);
  const { index } = timeline.machine.currentCpu;
  assertEquals(index, taken.cpu);
  assertEquals(timeline.machine.currentCpu.pc, taken.vector);
  assert(timeline.stepBack());
  assertEquals(timeline.machine.board.cpus[taken.cpu]!.pc, taken.returnAddress);
  assert(timeline.stepForward());
  assertEquals(timeline.machine.currentCpu.pc, taken.vector);
  timeline.seek(0);
  assertEquals(timeline.stepBack(), false);
  timeline.seek(run.lastInstant);
  assertEquals(timeline.stepForward(), false);
});

/** The CPU that took the step of each instant, by the events of steps and interrupts. */
function cpusOfSteps(events: readonly MachineEvent[]): Map<number, number> {
  const cpus = new Map<number, number>();
  for (const event of events) {
    const isInterrupt = event.kind === "exceptionTaken" && event.exception !== "synchronous";
    if (isInterrupt || event.kind === "stepRetired") cpus.set(event.instant, event.cpu);
  }
  return cpus;
}

Deno.test("Timeline.stepBackOf and stepForwardOf go along the steps of one CPU", () => {
  const timeline = new Timeline(run, guest.images);
  const end = run.lastInstant;
  const cpus = cpusOfSteps(timeline.events(0, end));
  assertEquals(cpus.size, end);
  timeline.seek(2000);
  for (const cpu of [1, 0, 1, 1, 0]) {
    const expected = [...cpus].findLast(([instant, other]) =>
      instant < timeline.instant && other === cpu
    )![0];
    assert(timeline.stepBackOf(cpu));
    assertEquals(timeline.instant, expected);
    assertEquals(timeline.cpuOfStep(expected), cpu);
  }
  for (const cpu of [1, 0, 0, 1]) {
    const expected = [...cpus].find(([instant, other]) => instant >= timeline.instant && other === cpu)![0];
    assert(timeline.stepForwardOf(cpu));
    assertEquals(timeline.instant, expected + 1);
  }
  timeline.seek(100);
  assertEquals(timeline.stepBackOf(1), false);
  assertEquals(timeline.instant, 100);
});

Deno.test("Timeline.runBackTo finds the last write, and stands before it", () => {
  const timeline = new Timeline(run, guest.images);
  const watches = [{ kind: "write", address: counter, size: 8, space: "virtual" }] as const;
  timeline.seek(run.lastInstant);
  const last = tellCounter(timeline.machine);
  assertEquals(last, 300n);
  for (let value = last; value > last - 4n; value--) {
    const reached = timeline.runBackTo({ watches });
    assert(reached.kind === "hit");
    assertEquals(reached.instant, timeline.instant);
    assertEquals(reached.hits.map(({ instant }) => instant), [timeline.instant]);
    assertEquals(tellCounter(timeline.machine), value - 1n);
  }
  const forward = timeline.runForwardTo({ watches });
  assertEquals(forward.kind, "hit");
  assertEquals(tellCounter(timeline.machine), last - 3n);
  timeline.seek(200);
  assertEquals(timeline.runBackTo({ watches }), { kind: "beginning", instant: 0 });
});

Deno.test("Timeline.runBackTo passes over what cannot have written, and misses nothing", () => {
  const table = guest.program.symbols.get("table")!;
  const writes = new Timeline(run, guest.images).events(0, run.lastInstant, ["step"]).flatMap((event) =>
    event.kind === "stepRetired" && event.memory.some(({ write, address }) => write && address === table)
      ? [event.instant]
      : []
  );
  assertEquals(writes.length, 2);
  for (const space of ["virtual", "physical"] as const) {
    for (const engine of Object.keys(ENGINES)) {
      const timeline = new Timeline(run, guest.images, { engine, spacing: 100 });
      for (const _ of timeline.precompute());
      timeline.seek(run.lastInstant);
      const watches = [{ kind: "write", address: table, size: 8, space }] as const;
      for (const instant of writes.toReversed()) {
        const reached = timeline.runBackTo({ watches });
        assertEquals([reached.kind, reached.instant], ["hit", instant], `${space} ${engine}`);
      }
      assertEquals(timeline.runBackTo({ watches }).kind, "beginning");
      const { skipped } = timeline.statistics;
      assert(skipped > run.lastInstant / 100 / 2, `${skipped} intervals passed over, ${space} ${engine}`);
    }
  }
});

Deno.test("Timeline.runForwardTo stops before the step of an execute watch, and passes the one it begins at", () => {
  const timeline = new Timeline(run, guest.images);
  const address = guest.program.symbols.get("load0")!;
  const watches = [{ kind: "execute", address, cpu: 0 }] as const;
  const seen: number[] = [];
  for (;;) {
    const reached = timeline.runForwardTo({ watches });
    if (reached.kind !== "hit") break;
    assertEquals(timeline.machine.board.cpus[0]!.pc, address);
    seen.push(reached.instant);
  }
  assertEquals(seen.length, 150);
  assertEquals(timeline.instant, run.lastInstant);
  for (const instant of seen.slice(-5).reverse()) {
    assertEquals(timeline.runBackTo({ watches }).instant, instant);
  }
});

Deno.test("Timeline.runForwardTo and runBackTo find where a predicate becomes true", () => {
  const timeline = new Timeline(run, guest.images);
  const predicate = (machine: Machine): boolean => tellCounter(machine) === 5n;
  const reached = timeline.runForwardTo({ predicate });
  assertEquals(reached.kind, "hit");
  timeline.seek(reached.instant + 500);
  assertEquals(timeline.runBackTo({ predicate }), reached);
  assertEquals(timeline.runForwardTo({ predicate }, reached.instant + 10), {
    kind: "limit",
    instant: reached.instant + 10,
  });
});

Deno.test("Timeline.events gives what the stream gives, the end's included, and comes back", () => {
  const timeline = new Timeline(run, guest.images);
  timeline.seek(1234);
  const root = timeline.machine.stateRoot().root;
  const all = timeline.events(0, Infinity);
  assertEquals(timeline.instant, 1234);
  assertEquals(timeline.machine.stateRoot().root, root);
  assertEquals(timeline.events(600, 800), all.filter(({ instant }) => instant >= 600 && instant < 800));
  assertEquals(all.filter(({ kind }) => kind === "consoleReceived").map(({ instant }) => instant), [700]);
});

Deno.test("Timeline.precompute goes to the end and stays where it is", () => {
  const timeline = new Timeline(run, guest.images);
  timeline.seek(500);
  const reached = [...timeline.precompute()];
  assertEquals(reached.at(-1), run.lastInstant);
  assertEquals(timeline.instant, 500);
  assert(timeline.statistics.checkpoints > 0);
});

/** Resets the machine the first time, powers off the second. */
const resetter = flatGuest(`
        ldr     x1, =0x46000000
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        mov     x3, #50
2:      subs    x3, x3, #1
        b.ne    2b
        ldr     x0, =0x84000009
        cmp     x2, #2
        b.ne    1f
        ldr     x0, =0x84000008
1:      hvc     #0
        b       .
`);

Deno.test("Timeline goes back over a reset, and to the power-off", () => {
  const file = new MemoryFile(), configuration = resetter.configuration({ cpus: 2, rootInterval: 20 });
  const manifest = { configuration, depth: "traps", recordedBy: "test" } as const;
  const recorder = new Recorder(manifest, resetter.images, new JournalWriter(file));
  let stop = recorder.run(1000);
  while (stop.reason === "requested") stop = recorder.run(1000);
  assertEquals(stop.reason, "poweredOff");
  recorder.finish("poweredOff");
  const run = new RecordedRun(JournalReader.open(file));
  const roots = new Map<number, Uint8Array>(), replay = new Replay(run, resetter.images);
  for (let instant = 0; instant <= run.lastInstant; instant++) {
    replay.runTo(instant);
    roots.set(instant, replay.machine.stateRoot().root);
  }
  const watches = [{ kind: "write", address: 0x46000000n, size: 8, space: "physical" }] as const;
  for (const engine of Object.keys(ENGINES)) {
    const timeline = new Timeline(run, resetter.images, { engine, spacing: 30 });
    timeline.seek(run.lastInstant);
    do {
      assertEquals(
        timeline.machine.stateRoot().root,
        roots.get(timeline.instant),
        `${engine} ${timeline.instant}`,
      );
    } while (timeline.stepBack());
    timeline.seek(run.lastInstant);
    const seen: number[] = [];
    while (timeline.runBackTo({ watches }).kind === "hit") seen.push(timeline.instant);
    assertEquals(seen.length, 2, engine);
  }
});
