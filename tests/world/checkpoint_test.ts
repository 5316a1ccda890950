/** Checkpoints in worlds' files: replay and forks begin there, and come to what they come to from power-on. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { JournalError } from "../../journal/errors.ts";
import { Replay } from "../../journal/replay.ts";
import { MemoryFile } from "../../journal/storage.ts";
import type { TimedWorldInput } from "../../world/course.ts";
import { carryOut, LocalCrew } from "../../world/crew.ts";
import { WORLD_FORMAT } from "../../world/family.ts";
import { forkWorld } from "../../world/fork.ts";
import { WorldReplay } from "../../world/replay.ts";
import { RecordedWorld } from "../../world/run.ts";
import { seededRandom } from "../journal/support.ts";
import { PING_PONG_IMAGES as images, pingPong } from "./guests.ts";
import { type Recorded, recordWorld } from "./support.ts";

const inputs: readonly TimedWorldInput[] = [550_000, 1_000_000, 1_900_000].map((time) => ({
  ...{ time, node: 0 },
  input: { kind: "machine", input: { kind: "consoleReceived", bytes: Uint8Array.of(63) } },
}));
/** The ping-pong, of which the machines' journals have many roots. */
const nodes = pingPong().nodes.map((node) =>
  node.kind === "program" ? node : { ...node, configuration: { ...node.configuration, rootInterval: 600 } }
);
const world = pingPong({ rootInterval: 150_000, nodes });
const plain = recordWorld(world, { inputs, engine: "threaded" });
const marked = recordWorld(world, { inputs, engine: "threaded", checkpointSpacing: 200_000 });

const rootsOf = ({ run, end }: Recorded): string[] =>
  [...run.roots, end].map(({ time, historyRoot }) => `${time} ${historyRoot.toHex()}`);

Deno.test("a world with checkpoints is the same world, and its journals have some too", () => {
  assertEquals(rootsOf(marked), rootsOf(plain));
  assertEquals(marked.run.events, plain.run.events);
  assertEquals(marked.run.checkpoints.map(({ time }) => time), [
    ...[300_000, 600_000, 900_000, 1_200_000, 1_500_000, 1_800_000, 2_100_000, 2_400_000],
  ]);
  const laid = marked.run.lives.map((life) => marked.run.run(life).laterCheckpoints.length);
  assert(laid.some((count) => count > 1), `${laid} checkpoints`);
  for (const life of marked.run.lives) {
    new Replay(marked.run.run(life), images, { engine: "threaded" }).runToEnd();
  }
});

Deno.test("WorldReplay begins at any checkpoint, and finds out what is not as it was", () => {
  const { run } = marked;
  for (const checkpoint of run.checkpoints.filter((_, index) => index === 4)) {
    const crew = new LocalCrew(world, { images, engine: "threaded", resumedAt: { run, checkpoint } });
    const replay = new WorldReplay(run, {}, undefined, checkpoint);
    const root = carryOut(replay.rounds(), crew);
    assertEquals(root.historyRoot, marked.end.historyRoot, `from ${checkpoint.time}`);
    assertEquals(replay.eventsChecked, run.events.filter(({ time }) => time >= checkpoint.time).length);
  }
  const checkpoint = run.checkpoints[1]!,
    members = checkpoint.members.map((member) =>
      member.kind === "machine" && member.life !== null
        ? { ...member, life: { ...member.life, instant: member.life.instant - 1 } }
        : member
    );
  const wrong = { run, checkpoint: { ...checkpoint, members } };
  assertThrows(
    () => new LocalCrew(world, { images, engine: "threaded", resumedAt: wrong }),
    JournalError,
    "ping",
  );
});

Deno.test("a fork that is recorded from a checkpoint is the one that is recorded from power-on, with the parent's blocks", () => {
  const seed = 4, random = seededRandom(seed), { run } = marked;
  for (let round = 0; round < 1; round++) {
    const at = 300_000 + random(2_100_000), node = random(2);
    const edits: TimedWorldInput[] = [
      { time: at, node, input: { kind: "power", isOn: false } },
      { time: at + 50_000, node, input: { kind: "power", isOn: true } },
    ];
    const name = `seed ${seed}, round ${round}: node ${node} at ${at}`, dropsInputs = random(2) === 0;
    const checkpoint = run.checkpointBefore(at)!, resumedAt = { run, checkpoint };
    const short = forkWorld(run, at, edits, dropsInputs, checkpoint.time);
    const long = forkWorld(run, at, edits, dropsInputs);
    const how = { engine: "threaded", checkpointSpacing: 200_000 };
    const quick = recordWorld(world, { ...how, inputs: short.inputs, observer: short.observer, resumedAt });
    const whole = recordWorld(world, { ...how, inputs: long.inputs, observer: long.observer });
    assertEquals(rootsOf(quick), rootsOf(whole), name);
    assertEquals(quick.run.events, whole.run.events, name);
    assertEquals(short.sharedRoots(), long.sharedRoots(), name);
    // Its lives lay checkpoints where they would have from power-on.
    assertEquals(quick.file.bytes, whole.file.bytes, name);
    const { blocks } = run.reader,
      { block } = checkpoint,
      length = blocks[block]!.offset + blocks[block]!.byteLength;
    assertEquals(quick.file.bytes.slice(0, length), marked.file.bytes.slice(0, length), name);
    const isLaidLater = checkpoint.members.some((member, node) =>
      member.kind === "machine" && member.life !== null &&
      quick.run.run({ node, life: member.lives - 1 }).laterCheckpoints.at(-1)!.root.instant >
        member.life.instant
    );
    assert(isLaidLater, name);
    for (const life of quick.run.lives) {
      new Replay(quick.run.run(life), images, { engine: "threaded" }).runToEnd();
    }
    const again = new WorldReplay(quick.run);
    carryOut(again.rounds(), new LocalCrew(world, { images, engine: "threaded" }));
  }
});

for (let format = 1; format <= WORLD_FORMAT; format++) {
  Deno.test(`a world's file of format ${format} opens, and replays to its roots`, () => {
    const bytes = Deno.readFileSync(new URL(`../fixtures/worlds/format${format}.hsworld`, import.meta.url));
    const run = RecordedWorld.open(new MemoryFile(bytes));
    assertEquals([run.reader.format, run.reader.finished], [format, true]);
    const replay = new WorldReplay(run);
    const root = carryOut(replay.rounds(), new LocalCrew(run.manifest.world, { images, engine: "threaded" }));
    assertEquals(root.historyRoot, run.end!.historyRoot);
    assertEquals(replay.rootsChecked, run.roots.length + 1);
  });
}
