/** The flight recorder: what it keeps replays from a checkpoint to the same roots, and a bad checkpoint is refused. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { bisect } from "../../journal/bisect.ts";
import { diff } from "../../journal/diff.ts";
import { JournalFormatError } from "../../journal/errors.ts";
import { eventToJson } from "../../journal/event_json.ts";
import { eventStream } from "../../journal/event_stream.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { FlightRecorder, type Kept } from "../../journal/flight_recorder.ts";
import type { Depth, RunEnd } from "../../journal/payloads.ts";
import { compilePredicate } from "../../journal/predicate.ts";
import { Recorder } from "../../journal/recorder.ts";
import { Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { ENGINES } from "../../machine/machine.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";
import { counterGuest, recordGuest } from "./guest.ts";

const guest = counterGuest(600);
const INPUTS = [
  { instant: 300, input: { kind: "consoleReceived", bytes: Uint8Array.of(65) } },
  { instant: 4000, input: { kind: "consoleReceived", bytes: Uint8Array.of(66) } },
  { instant: 6000, input: { kind: "consoleReceived", bytes: Uint8Array.of(67) } },
] as const;
const machine = { rootInterval: 500 };
const whole = recordGuest(guest, { machine, inputs: INPUTS });

/** The last stretch of the run that `whole` is. */
function keepLast(kept: Kept, depth: Depth): { run: RecordedRun; end: RunEnd; reader: JournalReader } {
  const file = new MemoryFile();
  const flight = new FlightRecorder(kept, () => new JournalWriter(file));
  const configuration = guest.configuration({ cpus: 2, ...machine });
  const recorder = new Recorder({ configuration, depth, recordedBy: "test" }, guest.images, flight);
  for (const { instant, input } of INPUTS) {
    recorder.run(instant);
    recorder.submit(input);
  }
  recorder.run(1_000_000);
  const end = recorder.finish("poweredOff");
  assertEquals(flight.byteLength, file.size);
  const reader = JournalReader.open(file);
  return { run: new RecordedRun(reader), end, reader };
}

for (const depth of ["inputs", "traps", "steps"] as const) {
  Deno.test(`FlightRecorder at depth ${depth} keeps a journal that replays to the roots of the whole run`, () => {
    const { run, end } = keepLast({ unit: "steps", count: 2000 }, depth);
    assertEquals([end.stateRoot, end.historyRoot], [whole.end.stateRoot, whole.end.historyRoot]);
    const kept = run.lastInstant - run.firstInstant;
    assert(run.firstInstant % 500 === 0 && kept >= 2000 && kept < 4000, `kept ${kept}`);
    for (const engine of Object.keys(ENGINES)) {
      const replay = new Replay(run, guest.images, { engine });
      assertEquals(replay.instant, run.firstInstant);
      assertEquals(replay.runToEnd(), end);
      assertEquals(replay.rootsChecked, run.roots.length + 1);
    }
  });
}

Deno.test("FlightRecorder keeps the inputs at the checkpoint's own instant", () => {
  const { run } = keepLast({ unit: "steps", count: whole.end.instant - 6000 }, "inputs");
  assertEquals(run.firstInstant, 4000);
  assertEquals(run.inputs.map(({ instant }) => instant), [4000, 6000]);
  new Replay(run, guest.images).runToEnd();
});

Deno.test("FlightRecorder measures virtual time, and keeps a short run from power-on", () => {
  const { run } = keepLast({ unit: "nanoseconds", count: 8 * 1000 }, "inputs");
  assert(run.end!.virtualTime - run.checkpoint!.root.virtualTime >= 8000);
  assert(run.firstInstant > 0);
  const all = keepLast({ unit: "nanoseconds", count: 1e12 }, "traps").run;
  assertEquals([all.firstInstant, all.checkpoint], [0, undefined]);
  new Replay(all, guest.images).runToEnd();
});

Deno.test("a run that begins at a checkpoint has the events, states and differences of the whole run", () => {
  const { run } = keepLast({ unit: "steps", count: 2000 }, "inputs");
  const from = run.firstInstant + 100;
  const lines = (of: RecordedRun) => [...eventStream(of, guest.images, { from })].map(eventToJson);
  assertEquals(lines(run), lines(whole.run));
  assertEquals([...eventStream(run, guest.images)].length > lines(run).length, true);
  assertEquals(diff({ run, images: guest.images }, { run: whole.run, images: guest.images }).kind, "equal");
  const replay = new Replay(run, guest.images);
  assertThrows(() => replay.runTo(run.firstInstant - 1), RangeError, "the run is at");
  const predicate = compilePredicate(`instant >= ${from}`);
  const found = bisect(run, guest.images, predicate);
  assertEquals(found.kind === "found" && found.instant, from);
  assertEquals(bisect(run, guest.images, compilePredicate("instant > 3")).kind, "always");
});

/** The journal with the payloads of its checkpoint's blocks changed. */
function changed(reader: JournalReader, change: (payload: Record<string, unknown>) => unknown): RecordedRun {
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  for (const block of reader.blocks) {
    if (block.kind === "index") continue;
    const payload = reader.payload(block.number);
    const other = block.kind === "checkpoint" ? change(payload as Record<string, unknown>) : payload;
    if (other !== undefined) writer.append(block.kind, other, block);
  }
  writer.finish();
  return new RecordedRun(JournalReader.open(file));
}

Deno.test("Replay refuses a checkpoint that is damaged, cut or of another machine", () => {
  const { reader } = keepLast({ unit: "steps", count: 2000 }, "inputs");
  const isPages = ({ part }: Record<string, unknown>) => part === "pages";
  // deno-fmt-ignore
  const cases: readonly (readonly [message: string, change: (payload: Record<string, unknown>) => unknown])[] = [
    ['its section "memory:ram" is not equal', (payload) =>
      isPages(payload) ? { ...payload, bytes: (payload["bytes"] as Uint8Array).slice().fill(1, 0, 8) } : payload],
    ["a part of it is missing", (payload) => isPages(payload) ? undefined : payload],
    ['the machine has no memory "rom"', (payload) => isPages(payload) ? { ...payload, region: "rom" } : payload],
    ["is outside or there twice", (payload) =>
      isPages(payload) ? { ...payload, numbers: (payload["numbers"] as Uint8Array).slice().fill(255, 0, 4) } : payload],
    ["has not one number for each page", (payload) =>
      isPages(payload) ? { ...payload, bytes: new Uint8Array(0) } : payload],
    ['section "power" is missing', (payload) => isPages(payload) ? payload : {
      ...payload, sections: (payload["sections"] as { name: string }[]).filter(({ name }) => name !== "power") }],
    ["it names a CPU that there is not", (payload) => isPages(payload) ? payload : {
      ...payload, sections: (payload["sections"] as { name: string; bytes: Uint8Array }[]).map((section) =>
        section.name === "schedule" ? { ...section, bytes: section.bytes.with(0, 2) } : section) }],
    ['section "clock"', (payload) => isPages(payload) ? payload : {
      ...payload, sections: (payload["sections"] as { name: string; bytes: Uint8Array }[]).map((section) =>
        section.name === "clock" ? { ...section, bytes: section.bytes.slice(1) } : section) }],
  ];
  for (const [message, change] of cases) {
    const run = changed(reader, change);
    const error = assertThrows(() => new Replay(run, guest.images), JournalFormatError) as Error;
    assertStringIncludes(error.message, "Cannot begin at the checkpoint of instant ");
    assertStringIncludes(error.message, message.startsWith('section "clock"') ? "" : message, error.message);
  }
  const headless = () => changed(reader, (payload) => isPages(payload) ? payload : undefined);
  assertThrows(headless, JournalFormatError, "is not valid: part");
});

Deno.test("RecordedRun refuses a checkpoint behind events", () => {
  const { reader } = keepLast({ unit: "steps", count: 2000 }, "inputs");
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  const blocks = reader.blocks.filter(({ kind }) => kind !== "index");
  const isCheckpoint = ({ kind }: { kind: string }) => kind === "checkpoint";
  for (const block of [...blocks.filter((block) => !isCheckpoint(block)), ...blocks.filter(isCheckpoint)]) {
    writer.append(block.kind, reader.payload(block.number), block);
  }
  writer.finish();
  assertThrows(() => new RecordedRun(JournalReader.open(file)), JournalFormatError, "comes too late");
});

Deno.test("a checkpoint holds what was written to disks, durable or not", () => {
  const image = new MemoryImage(new Uint8Array(3 * 65536 + 512).fill(7));
  const drive = {
    id: "d",
    image: { sha256: hashOfImage(image), size: image.size, name: "" },
    readOnly: false,
  };
  const images = new Map([...guest.images, [drive.image.sha256, image] as const]);
  const unset = {
    id: undefined,
    netdev: undefined,
    mac: undefined,
    serial: undefined,
    slot: undefined,
    bootIndex: undefined,
  };
  const device = { ...unset, driver: "virtio-blk-device", drive: "d" } as const;
  const configuration = guest.configuration({ cpus: 2, ...machine, drives: [drive], devices: [device] });
  const file = new MemoryFile();
  const flight = new FlightRecorder({ unit: "steps", count: 1000 }, () => new JournalWriter(file));
  const recorder = new Recorder({ configuration, depth: "inputs", recordedBy: "test" }, images, flight);
  recorder.run(700);
  // As a guest's driver would have: nothing of it is an input, so only a checkpoint can tell.
  const disk = recorder.machine.board.disks.get("d")!;
  disk.write(100, Uint8Array.of(1, 2, 3));
  disk.write(3 * 65536, Uint8Array.of(4));
  disk.flush();
  disk.write(65536, new Uint8Array(65536).fill(5));
  recorder.run(4200);
  const end = recorder.finish("instant");
  const run = new RecordedRun(JournalReader.open(file));
  assert(run.firstInstant > 700, `begins at ${run.firstInstant}`);
  const replay = new Replay(run, images);
  assertEquals(replay.runToEnd(), end);
  const replayed = replay.machine.board.disks.get("d")!;
  for (const durable of [false, true]) {
    assertEquals(replayed.peek(0, replayed.size, durable), disk.peek(0, disk.size, durable));
  }
  assertEquals(replayed.written, { durable: 2, volatile: 1 });
});
