/** Checkpoints behind a run's beginning: a replay goes on from any of them, and a bad one is refused. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { diff } from "../../journal/diff.ts";
import { JournalError, JournalFormatError } from "../../journal/errors.ts";
import { eventStream } from "../../journal/event_stream.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { FlightRecorder } from "../../journal/flight_recorder.ts";
import { fork } from "../../journal/fork.ts";
import { CheckpointWriter } from "../../journal/later_checkpoints.ts";
import { Recorder } from "../../journal/recorder.ts";
import { inputOf, Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { Timeline } from "../../journal/timeline.ts";
import { ENGINES } from "../../machine/machine.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";
import { counterGuest, recordGuest } from "./guest.ts";
import { withCheckpoints } from "./old_journals.ts";
import { SEED, seededRandom } from "./support.ts";

const guest = counterGuest(300);
const plain = recordGuest(guest, {
  machine: { rootInterval: 500 },
  inputs: [2000, 2001, 3500].map((instant) => ({
    instant,
    input: { kind: "consoleReceived", bytes: Uint8Array.of(65) },
  })),
});
const open = (bytes: Uint8Array): RecordedRun => new RecordedRun(JournalReader.open(new MemoryFile(bytes)));
const bytes = withCheckpoints(plain.run, guest.images, 1000);
const run = open(bytes);

Deno.test("a journal with checkpoints at roots is the same run, and replays from any of them", () => {
  const instants = run.laterCheckpoints.map(({ root }) => root.instant);
  assertEquals(instants.slice(0, 3), [1000, 2000, 3000]);
  assertEquals(new Replay(run, guest.images).runToEnd(), plain.end);
  for (const engine of Object.keys(ENGINES)) {
    const replay = new Replay(run, guest.images, { engine });
    for (const instant of [3999, 1000, 2000, run.lastInstant]) {
      assert(replay.goToCheckpoint(instant));
      assertEquals(replay.instant, instants.findLast((other) => other <= instant));
      if (engine === "compiled" || instant === 2000) assertEquals(replay.runToEnd(), plain.end);
    }
  }
  assertEquals(new Replay(plain.run, guest.images).goToCheckpoint(5000), false);
});

Deno.test("events late in a run are derived from a checkpoint, and are those of the whole run", () => {
  const from = 3210, wanted = [...eventStream(plain.run, guest.images, { from, classes: ["step", "trap"] })];
  assertEquals([...eventStream(run, guest.images, { from, classes: ["step", "trap"] })], wanted);
});

Deno.test("Timeline begins at a checkpoint of the journal, and is where a replay is", () => {
  const random = seededRandom(SEED),
    reference = new Timeline(plain.run, guest.images, { engine: "threaded" });
  const timeline = new Timeline(run, guest.images, { spacing: 130 });
  timeline.seek(run.lastInstant);
  assert(timeline.statistics.steps < 1000, `${timeline.statistics.steps} steps`);
  for (let turn = 0; turn < 20; turn++) {
    const instant = random(run.lastInstant + 1);
    timeline.seek(instant);
    reference.seek(instant);
    const [root, expected] = [timeline, reference].map(({ machine }) => machine.stateRoot().root);
    assertEquals(root, expected, `seed ${SEED}, instant ${instant}`);
    if (turn === 10) assertEquals([...timeline.precompute()].at(-1), run.lastInstant);
  }
  const watches = [{
    kind: "write",
    address: guest.program.symbols.get("counter")!,
    size: 8,
    space: "virtual",
  }] as const;
  for (const each of [timeline, reference]) each.seek(run.lastInstant);
  assertEquals(timeline.runBackTo({ watches }), reference.runBackTo({ watches }));
});

Deno.test("diff and fork begin at a checkpoint of the journal, with the same result", () => {
  const other = recordGuest(guest, {
    machine: { rootInterval: 500 },
    inputs: [[2000, 65], [2001, 65], [3500, 66]].map(([instant, byte]) => ({
      instant: instant!,
      input: { kind: "consoleReceived", bytes: Uint8Array.of(byte!) },
    })),
  });
  const against = (left: RecordedRun) => {
    const found = diff({ run: left, images: guest.images }, { run: other.run, images: guest.images });
    return [found.kind, "instant" in found ? found.instant : undefined];
  };
  assertEquals(against(run), against(plain.run));
  const [file, again] = [new MemoryFile(), new MemoryFile()];
  for (const [of, sink] of [[run, file], [plain.run, again]] as const) {
    const { recorder, laterInputs } = fork(of, guest.images, 2700, sink);
    for (const input of laterInputs) {
      recorder.run(input.instant);
      recorder.submit(inputOf(input), input.virtualTime);
    }
    recorder.run(1_000_000);
    assertEquals(recorder.finish("poweredOff"), plain.end);
  }
});

Deno.test("a run whose beginning is a checkpoint may have more of them", () => {
  const file = new MemoryFile();
  const flight = new FlightRecorder({ unit: "steps", count: 2000 }, () => new JournalWriter(file));
  const configuration = guest.configuration({ cpus: 2, rootInterval: 500 });
  const recorder = new Recorder({ configuration, depth: "traps", recordedBy: "test" }, guest.images, flight);
  recorder.run(1_000_000);
  const end = recorder.finish("poweredOff");
  const last = open(file.bytes), more = open(withCheckpoints(last, guest.images, 500));
  assert(last.firstInstant > 0 && more.laterCheckpoints.length > 2);
  assertEquals(more.firstInstant, last.firstInstant);
  const replay = new Replay(more, guest.images);
  assert(replay.goToCheckpoint(more.lastInstant));
  assertEquals(replay.runToEnd(), end);
});

Deno.test("checkpoints hold what changed on disks since the one before, durable or not", () => {
  const image = new MemoryImage(new Uint8Array(6 * 65536 + 512).fill(7));
  const drive = {
    id: "d",
    image: { sha256: hashOfImage(image), size: image.size, name: "" },
    readOnly: false,
  };
  const images = new Map([...guest.images, [drive.image.sha256, image] as const]);
  const unset = {
    netdev: undefined,
    mac: undefined,
    serial: undefined,
    slot: undefined,
    bootIndex: undefined,
  };
  const device = { ...unset, id: undefined, driver: "virtio-blk-device", drive: "d" } as const;
  const configuration = guest.configuration({
    cpus: 2,
    rootInterval: 500,
    drives: [drive],
    devices: [device],
  });
  const file = new MemoryFile(), writer = new JournalWriter(file);
  const recorder = new Recorder({ configuration, depth: "inputs", recordedBy: "test" }, images, writer);
  recorder.run(2600);
  recorder.finish("instant");
  const other = open(file.bytes), replay = new Replay(other, images, { history: false });
  const disk = replay.machine.board.disks.get("d")!, random = seededRandom(SEED);
  const seen = new Map<number, readonly Uint8Array[]>();
  const peek = (of: typeof disk) => [of.peek(0, of.size), of.peek(0, of.size, true)];
  const changed = withDisks(other, (root) => {
    for (let count = random(5); count > 0; count--) disk.write(random(6) * 65536, Uint8Array.of(random(256)));
    if (random(2) === 0) disk.flush();
    if (random(4) === 0) disk.losePower();
    seen.set(root, peek(disk));
  }, replay);
  for (const instant of [2500, 1000, 1500, 500, 2000]) {
    const again = new Replay(changed, images, { history: false });
    assert(again.goToCheckpoint(instant));
    assertEquals(peek(again.machine.board.disks.get("d")!), seen.get(instant), `seed ${SEED}, ${instant}`);
  }
});

/** A journal with checkpoints of what a test does at each root, and roots that say so. */
function withDisks(from: RecordedRun, act: (instant: number) => void, replay: Replay): RecordedRun {
  const result = new MemoryFile(), writer = new JournalWriter(result);
  const checkpoints = new CheckpointWriter(replay.machine);
  for (const block of from.reader.blocks) {
    if (block.kind === "index" || block.kind === "end") continue;
    if (block.kind !== "roots") {
      writer.append(block.kind, from.reader.payload(block.number), block);
      continue;
    }
    replay.machine.run(block.firstInstant);
    act(block.firstInstant);
    const { root, parts } = replay.machine.stateRoot();
    const stored = from.roots.find(({ instant }) => instant === block.firstInstant);
    writer.append("roots", { ...stored, stateRoot: root, parts }, block);
    for (const payload of checkpoints.payloads()) writer.append("checkpoint", payload, block);
  }
  writer.finish();
  return open(result.bytes);
}

/** The journal with the payloads of its checkpoints' blocks changed, or left out. */
function forged(change: (payload: Record<string, unknown>, number: number) => unknown): Uint8Array {
  const { reader } = run, file = new MemoryFile(), writer = new JournalWriter(file);
  let number = 0;
  for (const block of reader.blocks) {
    if (block.kind === "index") continue;
    const payload = reader.payload(block.number);
    const other = block.kind === "checkpoint"
      ? change(payload as Record<string, unknown>, number++)
      : payload;
    if (other !== undefined) writer.append(block.kind, other, block);
  }
  writer.finish();
  return file.bytes;
}

Deno.test("a checkpoint at a root is refused when it is damaged, or of another machine", () => {
  const on = (part: string, change: (payload: Record<string, unknown>) => unknown) =>
    forged((payload) => payload["part"] === part ? change(payload) : payload);
  // deno-fmt-ignore
  const cases: readonly (readonly [message: string, bytes: () => Uint8Array])[] = [
    ['its section "memory:ram" is not equal', () => on("pages", (payload) => ({ ...payload, bytes: (payload["bytes"] as Uint8Array).slice().fill(1, 0, 8) }))],
    ['the machine has no memory "rom"',       () => on("pages", (payload) => ({ ...payload, region: "rom" }))],
    ["is outside or there twice",             () => on("pages", (payload) => ({ ...payload, numbers: (payload["numbers"] as Uint8Array).slice().fill(255, 0, 4) }))],
    ["is not valid: since",                   () => on("difference", (payload) => ({ ...payload, since: -1 }))],
    ["is a difference to instant 7",          () => on("difference", (payload) => ({ ...payload, since: 7 }))],
    ["is not whole",                          () => on("difference", (payload) => ({ ...payload, blocks: 9 }))],
    ["is not valid: part",                    () => forged((payload, number) => number === 0 ? undefined : payload)],
    ['section "power" is missing',            () => on("difference", (payload) => ({ ...payload, sections: (payload["sections"] as { name: string }[]).filter(({ name }) => name !== "power") }))],
  ];
  for (const [message, make] of cases) {
    const error = assertThrows(() => {
      const bad = open(make());
      new Replay(bad, guest.images).goToCheckpoint(bad.lastInstant);
    }, JournalFormatError) as Error;
    assertStringIncludes(error.message, message);
  }
});

Deno.test("a journal that was cut anywhere has the checkpoints that are whole", () => {
  const random = seededRandom(SEED), counts = new Set<number>();
  for (let turn = 0; turn < 40; turn++) {
    const length = 1000 + random(bytes.length - 1000);
    let cut: RecordedRun;
    try {
      cut = open(bytes.slice(0, length));
    } catch (error) {
      assert(error instanceof JournalError, `seed ${SEED}, ${length}: ${error}`);
      continue;
    }
    counts.add(cut.laterCheckpoints.length);
    const replay = new Replay(cut, guest.images);
    if (replay.goToCheckpoint(cut.lastInstant)) replay.runToEnd();
  }
  assert(counts.size > 1, `seed ${SEED}`);
});
