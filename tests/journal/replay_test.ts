/** Record and replay: equal roots at every depth, derived events equal to stored ones, marks, and what differs is named. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { eventToJson } from "../../journal/event_json.ts";
import { ALL_CLASSES, eventStream } from "../../journal/event_stream.ts";
import { DEPTHS } from "../../journal/payloads.ts";
import { DivergenceError, Replay } from "../../journal/replay.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { ENGINES } from "../../machine/machine.ts";
import { counterGuest, recordGuest } from "./guest.ts";

const guest = counterGuest();
const recordings = Object.fromEntries(DEPTHS.map((depth) => [depth, recordGuest(guest, { depth })]));
const traps = recordings["traps"]!;

Deno.test("Recorder ends with the same roots at every depth, and the guest's books balance", () => {
  for (const { end, console } of Object.values(recordings)) {
    assertEquals(end.stateRoot, traps.end.stateRoot);
    assertEquals(end.historyRoot, traps.end.historyRoot);
    assertStringIncludes(console, "counter 300, expected 300");
  }
});

for (const engine of Object.keys(ENGINES)) {
  Deno.test(`Replay checks every root of every depth on the ${engine} engine`, () => {
    for (const { run } of Object.values(recordings)) {
      const replay = new Replay(run, guest.images, { engine });
      replay.runToEnd();
      assertEquals(replay.rootsChecked, run.roots.length + 1);
      assert(run.roots.length > 1);
    }
  });
}

Deno.test("eventStream gives byte-identical events, stored at depth steps or derived at the others", () => {
  const lines = (depth: string, from: number, to?: number) =>
    [...eventStream(recordings[depth]!.run, guest.images, to === undefined ? { from } : { from, to })].map(
      eventToJson,
    );
  for (const [from, to] of [[0, 500], [1500, 2100], [2500, undefined]] as const) {
    const stored = lines("steps", from, to);
    assert(stored.length > 100);
    assertEquals(lines("traps", from, to), stored);
    assertEquals(lines("inputs", from, to), stored);
  }
});

Deno.test("eventStream filters by class without changing addresses", () => {
  const all = [...eventStream(traps.run, guest.images)];
  for (const eventClass of ALL_CLASSES) {
    const some = [...eventStream(traps.run, guest.images, { classes: [eventClass] })];
    const addresses = new Set(all.map(eventToJson));
    assert(some.every((event) => addresses.has(eventToJson(event))), eventClass);
  }
});

Deno.test("Replay.returnTo goes back to a mark, and from there the same roots follow", () => {
  const replay = new Replay(traps.run, guest.images);
  replay.runTo(700);
  const mark = replay.mark();
  const root = replay.historyRoot();
  replay.runTo(2000);
  const later = replay.machine.stateRoot().root;
  replay.returnTo(mark);
  assertEquals(replay.historyRoot(), root);
  replay.runTo(2000);
  assertEquals(replay.machine.stateRoot().root, later);
  replay.runToEnd();
});

Deno.test("Replay reaches the same state however the way there is cut into pieces", () => {
  const whole = new Replay(traps.run, guest.images);
  whole.runTo(1777);
  const pieces = new Replay(traps.run, guest.images);
  for (let instant = 0; instant < 1777; instant++) pieces.runTo(instant);
  pieces.runTo(1777);
  assertEquals(pieces.machine.stateRoot(), whole.machine.stateRoot());
});

Deno.test("Replay names the first stored event that differs", () => {
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  for (const block of traps.run.reader.blocks) {
    if (block.kind === "index") continue;
    const payload = traps.run.reader.payload(block.number);
    if (block.kind === "events") {
      const { rows } = payload as { rows: unknown[][] };
      const read = rows.findIndex(([kind]) => kind === "deviceWritten");
      if (read >= 0) rows[read] = rows[read]!.with(-1, 0x77n);
    }
    writer.append(block.kind, payload, block);
  }
  writer.finish();
  const replay = new Replay(new RecordedRun(JournalReader.open(file)), guest.images);
  const error = assertThrows(() => replay.runToEnd(), DivergenceError) as DivergenceError;
  assertStringIncludes(error.message, "value: 0x77");
  assertStringIncludes(error.message, "deviceWritten");
});

Deno.test("Replay names the section when a root differs", () => {
  const { run } = recordings["inputs"]!;
  const root = run.roots[1]!;
  root.parts.find(({ name }) => name === "memory:ram")!.hash.fill(1);
  root.stateRoot.fill(1);
  const error = assertThrows(
    () => new Replay(run, guest.images).runToEnd(),
    DivergenceError,
  ) as DivergenceError;
  assertStringIncludes(error.message, "memory:ram");
  assertEquals(error.instant, root.instant);
});
