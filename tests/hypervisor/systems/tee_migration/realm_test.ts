/** A realm that moves between two machines of a world: wherever it is, whatever happens on the way, one goes on, and as if nothing had. */
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { Replay } from "../../../../journal/replay.ts";
import { Timeline } from "../../../../journal/timeline.ts";
import type { TimedWorldInput } from "../../../../world/course.ts";
import type { WorldDescription } from "../../../../world/description.ts";
import { type NodeProgram, nodeProgram } from "../../../../world/node_program.ts";
import { MemoryFile } from "../../../../journal/storage.ts";
import { carryOut, LocalCrew } from "../../../../world/crew.ts";
import { WorldRecorder } from "../../../../world/recorder.ts";
import { RecordedWorld } from "../../../../world/run.ts";
import { WorldReplay } from "../../../../world/replay.ts";
import { seededRandom } from "../../../journal/support.ts";
import { CANARY } from "../../../../firmware/tee_migration/realm.ts";
import { hosts, REALM_IMAGES as images } from "../../../../cli/systems/tee_migration/worlds.ts";

const EAST = 0, WEST = 1, UNTIL = 20_000_000;

/** What of a link a test sees and changes. */
let meddle: (bytes: Uint8Array, fromSource: boolean, number: number) => readonly Uint8Array[] = (
  bytes,
) => [bytes];

/** A node in the middle of a link. */
const meddler: NodeProgram = nodeProgram({
  name: "meddler",
  options: z.strictObject({}),
  start: (_options, site) => {
    const count = { east: 0, west: 0 };
    return {
      received(port, bytes) {
        const fromSource = port === "east";
        for (const one of meddle(bytes, fromSource, count[fromSource ? "east" : "west"]++)) {
          site.send(fromSource ? "west" : "east", one);
        }
      },
      state: () => ({ ...count }),
    };
  },
});

/** Hosts whose link goes through the node in the middle. */
const meddled: WorldDescription = hosts(
  {},
  ["east", "west"].map((name) => ({
    ...{ name: `${name}-wire`, kind: "message", latency: 20_000 },
    ends: [{ node: name, port: "mig" }, { node: "middle", port: name }],
  })),
  [{ kind: "program", name: "middle", program: "meddler" }],
);

const command = (time: number, node: number, words: string): TimedWorldInput => {
  const input = { kind: "monitorCommanded", level: 2, command: `tee-migration ${words}` } as const;
  return { time, node, input: { kind: "machine", input } };
};

interface Outcome {
  readonly consoles: readonly string[];
  readonly run: RecordedWorld;
  /** What agents did, `S` or `D` before each. */
  readonly steps: readonly string[];
}

/** Runs a world to its rest. */
function live(world: WorldDescription, inputs: readonly TimedWorldInput[], engine = "reference"): Outcome {
  const consoles = world.nodes.map(() => ""), file = new MemoryFile();
  const recorder = new WorldRecorder({ world, depth: "traps", recordedBy: "test" }, file, {
    observer: { wrote: (node, bytes) => consoles[node] += new TextDecoder().decode(bytes) },
  });
  for (const input of inputs) recorder.give(input);
  const crew = new LocalCrew(world, { images, depth: "traps", engine, programs: [meddler] });
  const reason = carryOut(recorder.course.rounds(UNTIL), crew);
  carryOut(recorder.end(), crew);
  recorder.finish(reason, crew.finish());
  const run = RecordedWorld.open(file), steps: string[] = [];
  for (const life of run.lives) {
    for (const event of run.run(life).stored({ from: 0, to: Infinity, classes: ["trap"] })) {
      if (event.kind === "teeMigrationStepped") {
        steps.push(`${event.role === "source" ? "S" : "D"} ${event.step}`);
      }
    }
  }
  return { consoles, run, steps };
}

const alone = live(hosts(), []).consoles[EAST]!;
const moved = live(hosts(), [command(1_000_000, EAST, "migrate")]);

/** Asserts that the realm has written all that it writes, wherever, and tells where it ended. */
function whole({ consoles: [east = "", west = ""] }: Outcome, what: string): "east" | "west" {
  assertEquals(east + west, alone, what);
  return west === "" ? "east" : "west";
}

Deno.test("a realm goes on elsewhere as if nothing had happened", () => {
  assertEquals(alone.length, 26);
  assertEquals(whole(moved, "moved"), "west");
  assert(moved.consoles[EAST]!.length > 3);
  const random = seededRandom(5);
  for (let round = 0; round < 1; round++) {
    const at = random(5_000_000),
      outcome = live(hosts(), [command(at, EAST, "migrate")], "threaded");
    whole(outcome, `migrated at ${at} ns`);
  }
});

Deno.test("a migration replays, as a world and as each machine's run, and every instant of it can be gone to", () => {
  const { run } = moved;
  const replay = new WorldReplay(run);
  carryOut(replay.rounds(), new LocalCrew(run.manifest.world, { images, engine: "threaded" }));
  assertEquals(replay.eventsChecked, run.events.length);
  for (const life of run.lives) {
    const recorded = run.run(life);
    assertEquals(
      new Replay(recorded, images, { engine: "threaded" }).runToEnd()?.historyRoot,
      recorded.end?.historyRoot,
    );
    const timeline = new Timeline(recorded, images, { engine: "reference" });
    const arrivals = recorded.inputs.map(({ instant }) => instant);
    const places = [...new Set([recorded.lastInstant, ...arrivals.slice(-3), 0])];
    const rootAt = (instant: number): string => {
      timeline.seek(instant);
      return timeline.machine.stateRoot().root.toHex();
    };
    const roots = places.map(rootAt);
    assertEquals(places.toReversed().map(rootAt).toReversed(), roots);
  }
});

Deno.test("a policy that is not met is refused with no page sent, and the realm stays", () => {
  const refused = live(hosts({ features: "CRC32+LSE" }), [command(1_000_000, EAST, "migrate")]);
  assertEquals(whole(refused, "refused"), "east");
  assertEquals(refused.steps, ["S policySent", "S policyRefused", "S rolledBack", "D policyRefused"]);
});

Deno.test("a host that has not the cluster's key gets nothing", () => {
  const stranger = live(hosts({ cluster: ["our cluster's key", "another's key, not ours"] }), [
    command(100_000, EAST, "migrate"),
  ]);
  assertEquals(whole(stranger, "stranger"), "east");
  assertEquals(stranger.steps, ["S policySent", "S rolledBack", "D violated", "D violated"]);
});

Deno.test("what a link does to any message leaves one realm that goes on", () => {
  const ways: Readonly<Record<string, (bytes: Uint8Array) => readonly Uint8Array[]>> = {
    tampered: (bytes) => [bytes.map((byte, at) => at === bytes.length - 1 ? byte ^ 1 : byte)],
    lost: () => [],
    twice: (bytes) => [bytes, bytes],
  };
  const places: [boolean, number][] = [[true, 2]];
  for (const [name, way] of Object.entries(ways)) {
    for (const [fromSource, number] of places) {
      meddle = (bytes, direction, at) => direction === fromSource && at === number ? way(bytes) : [bytes];
      whole(live(meddled, [command(1_000_000, EAST, "migrate")]), `${name} ${fromSource} ${number}`);
    }
  }
});

Deno.test("an agent's crash at any step of a migration leaves one realm that goes on", () => {
  const times = moved.run.events.filter((event) => event.kind === "messageDelivered").map(({ time }) => time);
  const ends = new Set<string>();
  // Before the answer to the offer, and before the commit.
  for (const [at, node] of [[1, EAST], [7, WEST]] as const) {
    const inputs = [command(1_000_000, EAST, "migrate"), command(times[at]!, node, "crash")];
    ends.add(whole(live(hosts(), inputs), `crash before message ${at} of node ${node}`));
  }
  assertEquals([...ends].sort(), ["east", "west"]);
});

Deno.test("the destination's loss of power before it is prepared leaves the realm where it was", () => {
  // Behind `prepared` its memory would have to survive, which it does not.
  for (const time of [1_260_000]) {
    const cut = { time, node: WEST, input: { kind: "power", isOn: false } } as const;
    assertEquals(whole(live(hosts(), [command(1_000_000, EAST, "migrate"), cut]), `cut at ${time}`), "east");
  }
});

Deno.test("what the realm knows is not on the link, and not at the source any more", () => {
  const sent: Uint8Array[] = [];
  meddle = (bytes) => {
    sent.push(bytes);
    return [bytes];
  };
  const outcome = live(meddled, [command(1_000_000, EAST, "migrate")]);
  assertEquals(whole(outcome, "through the middle"), "west");
  assert(sent.length > 5 && sent.some(({ length }) => length > 20_000));
  for (const bytes of sent) assert(!bytes.toHex().includes(CANARY.slice(0, 16)));
  const holds = (node: number): boolean => {
    const life = outcome.run.lives.find((one) => one.node === node)!, recorded = outcome.run.run(life);
    const replay = new Replay(recorded, images, { engine: "threaded" });
    replay.runToEnd();
    const { memory } = replay.machine.board, ram = memory.regions.find(({ name }) => name === "ram")!;
    const bytes = memory.bytes.subarray(ram.hostOffset, ram.hostOffset + ram.size);
    const canary = Uint8Array.fromHex(CANARY);
    for (let at = bytes.indexOf(canary[0]!); at >= 0; at = bytes.indexOf(canary[0]!, at + 1)) {
      if (canary.every((byte, index) => bytes[at + index] === byte)) return true;
    }
    return false;
  };
  assertEquals([holds(EAST), holds(WEST)], [false, true]);
});
