/** Timelines of random programs: wherever one has been, the state is that of a replay, and every hit is found. */
import { assert, assertEquals } from "@std/assert";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { FlightRecorder } from "../../journal/flight_recorder.ts";
import { type BlockWriter, Recorder } from "../../journal/recorder.ts";
import { Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { Timeline, type TimelineOptions } from "../../journal/timeline.ts";
import type { MachineImages } from "../../machine/compose.ts";
import type { MachineConfiguration } from "../../machine/configuration.ts";
import { ENGINES } from "../../machine/machine.ts";
import type { WatchHit, WatchPoint } from "../../machine/watch.ts";
import { drive, type DrivePlan } from "../law/drive.ts";
import { Choices } from "../law/random.ts";
import { guestOf, hotTrial, randomTrial, type Trial } from "../lockstep/trial.ts";
import { guestOf as guestOfProgram, WINDOW } from "../machine/strict/program.ts";
import { recordGuest } from "./guest.ts";
import { StepWatch } from "./step_watch.ts";

const SEED = Number(Deno.env.get("TIMELINE_SEED") ?? 1),
  TRIALS = Number(Deno.env.get("TIMELINE_TRIALS") ?? 2);

/** A recorded random program. */
interface Recorded {
  readonly run: RecordedRun;
  readonly images: MachineImages;
  readonly seed: number;
}

function record(
  configuration: MachineConfiguration,
  images: MachineImages,
  plan: DrivePlan,
  writer: BlockWriter,
): void {
  const recorder = new Recorder({ configuration, depth: "inputs", recordedBy: "test" }, images, writer);
  const { machine } = recorder;
  const ending = drive({
    machine,
    run: (limit, paced) => recorder.run(limit, paced),
    wait: (time) => void machine.wait(time),
    submit: (input, time) => recorder.submit(input, time),
  }, plan);
  if (ending.reason === "overflow") return;
  const reason = ending.reason === "poweredOff" ? "poweredOff" : ending.isWaiting ? "resting" : "instant";
  recorder.finish(reason, 0, ending.isWaiting);
}

/** The run of a trial: whole, its last part, or one that was cut off. */
function recordedOf(trial: Trial, form: "whole" | "last" | "cut"): Recorded | undefined {
  const { configuration, images } = guestOf(trial), file = new MemoryFile();
  const writer = form === "last"
    ? new FlightRecorder({ unit: "steps", count: 1500 }, () => new JournalWriter(file))
    : new JournalWriter(file);
  record({ ...configuration, rootInterval: 500 }, images, trial.plan, writer);
  if (file.size === 0) return undefined;
  const kept = new MemoryFile(form === "cut" ? file.bytes.slice(0, Math.floor(file.size * 0.7)) : file.bytes);
  return { run: new RecordedRun(JournalReader.open(kept)), images, seed: trial.seed };
}

/** State roots by replay, as they are asked for. */
class Roots {
  readonly #known = new Map<number, string>();

  constructor({ run, images }: Recorded, instants: readonly number[]) {
    const replay = new Replay(run, images, { engine: "reference" });
    for (const instant of instants.toSorted((a, b) => a - b)) {
      replay.runTo(instant);
      this.#known.set(instant, replay.machine.stateRoot().root.toHex());
    }
  }

  of(instant: number): string {
    return this.#known.get(instant) as string;
  }
}

function optionsOf(choices: Choices): TimelineOptions {
  return {
    engine: choices.of(Object.keys(ENGINES)),
    spacing: choices.of([70, 300, 1000, 100_000]),
    checkpointMemory: choices.of([0, 2 ** 18, 2 ** 20, 2 ** 30]),
  };
}

/** Goes about at random. */
function wander(recorded: Recorded, choices: Choices): void {
  const { run, images, seed } = recorded;
  const { firstInstant: first, lastInstant: last } = run;
  const places = Array.from({ length: 10 }, () => choices.between(first, last));
  for (const { instant } of run.inputs.slice(0, 3)) places.push(instant, Math.max(first, instant - 1));
  const roots = new Roots(recorded, [...places, ...places.map((place) => Math.max(first, place - 1))]);
  const options = optionsOf(choices), timeline = new Timeline(run, images, options);
  const check = (what: string): void => {
    const root = timeline.machine.stateRoot().root.toHex();
    assertEquals(root, roots.of(timeline.instant), `seed ${seed}, ${what} ${timeline.instant}`);
  };
  let laying = timeline.precompute();
  for (let turn = 0; turn < 24; turn++) {
    const place = choices.of(places);
    timeline.seek(place);
    check("seek to");
    if (choices.oneIn(2)) {
      assertEquals(timeline.stepBack(), place > first);
      check("step back to");
    }
    if (choices.oneIn(3) && laying.next().done) laying = timeline.precompute();
    if (choices.oneIn(4)) {
      const from = choices.between(first, last);
      timeline.events(from, Math.min(last, from + 50), ["trap"]);
    }
    if (choices.oneIn(3) && timeline.instant < last) timeline.cpuOfStep(choices.between(first, last - 1));
    if (timeline.instant === place || place > first) check("still at");
  }
  const { checkpoints } = timeline.statistics;
  assert(
    options.checkpointMemory !== 0 || checkpoints <= 5,
    `${checkpoints} checkpoints without memory for any`,
  );
}

for (const form of ["whole", "last", "cut"] as const) {
  Deno.test(`Timeline.seek on random programs gives the states of a replay, ${form} journals, seeds from ${SEED}`, () => {
    for (let seed = SEED; seed < SEED + TRIALS; seed++) {
      const trial = seed % 3 === 0 ? hotTrial(seed) : randomTrial(seed);
      const recorded = recordedOf(trial, form);
      if (recorded !== undefined) wander(recorded, new Choices(seed ^ 0x7171));
    }
  });
}

const textOf = ({ point, instant, cpu }: WatchHit): string =>
  `${instant} ${cpu} ${point.kind} ${point.address.toString(16)}`;

/** Points on what the steps of a run did. */
function pointsOf(
  hits: readonly { readonly pc: bigint; readonly address: bigint | undefined }[],
  choices: Choices,
) {
  const points: WatchPoint[] = [], isWrites = choices.oneIn(2);
  for (let count = choices.between(1, 3); count > 0 && hits.length > 0; count--) {
    const { pc, address } = choices.of(hits);
    if (isWrites && address !== undefined) {
      points.push({ kind: "write", address, size: choices.of([1, 8, 64]), space: "virtual" });
    } else if (address === undefined || choices.oneIn(3)) points.push({ kind: "execute", address: pc });
    else {
      const kind = choices.of(["write", "read", "access"] as const);
      points.push({ kind, address, size: choices.of([1, 4, 8]), space: "virtual" });
    }
  }
  return points;
}

Deno.test(`Timeline.runBackTo and runForwardTo on random programs find what the steps tell, seeds from ${SEED}`, () => {
  let found = 0;
  for (let seed = SEED; seed < SEED + TRIALS; seed++) {
    const trial = seed % 3 === 0 ? hotTrial(seed) : randomTrial(seed);
    const recorded = recordedOf(trial, "whole");
    if (recorded === undefined || recorded.run.manifest.configuration.strictModels.length > 0) continue;
    const { run, images } = recorded, choices = new Choices(seed ^ 0x1234);
    const steps = new Timeline(run, images).events(0, run.lastInstant, ["step"])
      .filter((event) => event.kind === "stepRetired");
    const points = pointsOf(
      steps.map(({ pc, memory }) => ({ pc, address: memory[0]?.address })),
      choices,
    );
    const brute = new StepWatch(points);
    for (const step of steps) brute.observe(step);
    const timeline = new Timeline(run, images, optionsOf(choices));
    if (choices.oneIn(2)) { for (const _ of timeline.precompute()); }
    for (let turn = 0; turn < 6; turn++) {
      const from = choices.between(0, run.lastInstant);
      timeline.seek(from);
      const last = brute.hits.findLast(({ instant }) => instant < from);
      const back = timeline.runBackTo({ watches: points });
      const what = `seed ${seed}, back from ${from}`;
      assertEquals(back.instant, last?.instant ?? 0, what);
      assertEquals(timeline.instant, back.instant, what);
      if (back.kind === "hit") {
        found++;
        const expected = brute.hits.filter(({ instant }) => instant === back.instant).map(textOf);
        assertEquals(back.hits.map(textOf).sort(), expected.sort(), what);
      }
      timeline.seek(from);
      const first = brute.hits.map(({ point, instant }) => instant + (point.kind === "execute" ? 0 : 1))
        .filter((position) => position > from).sort((a, b) => a - b)[0];
      const forward = timeline.runForwardTo({ watches: points });
      assertEquals(forward.instant, first ?? run.lastInstant, `seed ${seed}, forward from ${from}`);
    }
  }
  assert(found > TRIALS, `${found} hits`);
});

const wait = (label: number): string => `
        mov     x11, #60
${label}:      subs    x11, x11, #1
        b.ne    ${label}b`;

/** Writes to the window while it is page0, page1 after remapping, and page1 by other tables; and waits in between. */
const REMAPPING = `
        ldr     x1, =${WINDOW}
        ldr     x2, =level3
        ldr     x4, =page1 + 0x703
        ldr     x5, =page0 + 0x703
        ldr     x6, =level1b
        mrs     x7, ttbr0_el1
        mov     x10, #4
round:  str     x10, [x1]
        ${wait(1)}
        str     xzr, [x2]
        dsb     sy
        tlbi    vmalle1
        dsb     sy
        isb
        str     x4, [x2]
        dsb     sy
        isb
        ${wait(2)}
        str     x10, [x1, #8]
        ${wait(3)}
        str     xzr, [x2]
        dsb     sy
        tlbi    vmalle1
        dsb     sy
        isb
        str     x5, [x2]
        dsb     sy
        isb
        ${wait(4)}
        msr     ttbr0_el1, x6
        isb
        ${wait(5)}
        str     x10, [x1, #16]
        ${wait(6)}
        msr     ttbr0_el1, x7
        isb
        ${wait(7)}
        subs    x10, x10, #1
        b.ne    round`;

Deno.test("Timeline.runBackTo finds every write to a virtual page that is one page and then another", () => {
  const program = {
    name: "",
    models: [],
    body: REMAPPING,
    right: 0n,
    wrong: 0n,
    event: "timeSkipped",
  } as const;
  const guest = guestOfProgram(program, false);
  const { run } = recordGuest(guest, { machine: { cpus: 1, memoryMiB: 16 } });
  const watches = [{ kind: "write", address: BigInt(WINDOW), size: 64, space: "virtual" }] as const;
  const brute = new StepWatch(watches);
  for (const step of new Timeline(run, guest.images).events(0, run.lastInstant, ["step"])) {
    brute.observe(step);
  }
  assertEquals(brute.hits.length, 12);
  for (const spacing of [20, 50, 200]) {
    const timeline = new Timeline(run, guest.images, { spacing });
    for (const _ of timeline.precompute());
    timeline.seek(run.lastInstant);
    const seen: number[] = [];
    while (timeline.runBackTo({ watches }).kind === "hit") seen.unshift(timeline.instant);
    assertEquals(seen, brute.hits.map(({ instant }) => instant), `spacing ${spacing}`);
    assert(timeline.statistics.skipped > 10 || spacing === 200, `${timeline.statistics.skipped} passed over`);
  }
});
