/** The law for worlds at random: any nodes, links and inputs come to the same in any slice, on any engine, in any number of threads, and forked. */
import { assertEquals } from "@std/assert";
import { WorkerCrew } from "../../cli/host/world_crew.ts";
import { Course, type TimedWorldInput, type WorldRoot } from "../../world/course.ts";
import { carryOutApart } from "../../world/crew.ts";
import { type MachineNode, parseWorld, type WorldDescription } from "../../world/description.ts";
import type { WorldEvent, WorldInput } from "../../world/events.ts";
import { WorldReplay } from "../../world/replay.ts";
import type { StoredCheckpoint } from "../../world/run.ts";
import { WorldTimeline } from "../../world/timeline.ts";
import { seededRandom } from "../journal/support.ts";
import { PING_PONG_IMAGES as images, pingPong } from "./guests.ts";
import { type Recorded, recordWorld, replayWorld } from "./support.ts";

/** Worlds; more with WORLD_TRIALS, of which every one is carried out in threads as well. */
const TRIALS = Number(Deno.env.get("WORLD_TRIALS") ?? 1), UNTIL = 1_500_000;

type Random = (below: number) => number;

/** Machines that play ping-pong on a cable, and programs that echo, type and switch. */
function randomWorld(random: Random): WorldDescription {
  const [ping, pong] = pingPong().nodes as [MachineNode, MachineNode];
  const machines = [ping, pong, ping, pong].slice(0, 1 + random(3)).map((node, index) => (
    { ...node, name: `m${index}`, isOff: random(4) === 0 }
  ));
  const latency = () => 1000 + random(120_000), lossPerMillion = random(2) * random(200_000);
  const first = { node: machines[0]!.name, port: "console" }, last = machines.at(-1)!.name;
  const sends = Array.from({ length: random(8) }, () => {
    const isSwitch = random(3) === 0;
    return {
      at: random(UNTIL),
      ...isSwitch
        ? { port: "switch", text: ["on", "off", "cycle", "odd"][random(4)] }
        : { port: "keys", text: "k".repeat(1 + random(40)) },
    };
  });
  const cable = machines.map(({ name }) => ({ node: name, port: "n0" }));
  return parseWorld({
    nodes: [
      ...machines,
      { kind: "program", name: "clock", program: "clockwork", options: { sends } },
      { kind: "program", name: "echo", program: "echo", isOff: random(4) === 0 },
    ],
    links: [
      ...machines.length > 1
        ? [{ name: "cable", kind: "network", ends: cable, latency: latency(), lossPerMillion }]
        : [],
      random(2) === 0
        ? { name: "line", kind: "serial", ends: [first, { node: "clock", port: "keys" }], latency: latency() }
        : { name: "line", kind: "serial", ends: [first, { node: "echo", port: "line" }], latency: latency() },
      {
        ...{ name: "relay", kind: "power", latency: latency() },
        ends: [{ node: "clock", port: "switch" }, { node: last, port: "power" }],
      },
    ],
    seed: random(1000),
    rootInterval: 100_000 + random(900_000),
  });
}

function randomInput(random: Random, nodes: number): TimedWorldInput {
  const bytes = new TextEncoder().encode("!".repeat(1 + random(3)));
  const inputs: readonly WorldInput[] = [
    { kind: "power", isOn: random(2) === 0 },
    { kind: "command", command: "go" },
    { kind: "machine", input: { kind: "consoleReceived", bytes } },
    { kind: "machine", input: { kind: "interruptInjected", interrupt: random(1100) } },
  ];
  return { time: random(UNTIL), node: random(nodes), input: inputs[random(inputs.length)]! };
}

function textsOf(roots: readonly WorldRoot[]): string[] {
  return roots.map(({ time, historyRoot }) => `${time} ${historyRoot.toHex()}`);
}

const rootsOf = ({ run, end }: Recorded): string[] => textsOf([...run.roots, end]);

/** Replays a recorded world from a checkpoint in threads, which have it from its file. */
async function resumedInThreads({ file, run }: Recorded, checkpoint: StoredCheckpoint, threads: number) {
  const path = await Deno.makeTempFile({ suffix: ".hsworld" });
  try {
    await Deno.writeFile(path, file.bytes);
    const crew = await WorkerCrew.start(run.manifest.world, {
      ...{ images, engine: "threaded", threads, files: [], path, checkpoint, module: undefined },
    });
    const replay = new WorldReplay(run, {}, undefined, checkpoint);
    const { historyRoot } = await carryOutApart(replay.rounds(), crew);
    await crew.finish();
    return historyRoot;
  } finally {
    await Deno.remove(path);
  }
}

async function inThreads(world: WorldDescription, inputs: readonly TimedWorldInput[], threads: number) {
  const events: WorldEvent[] = [], roots: WorldRoot[] = [];
  const crew = await WorkerCrew.start(world, {
    ...{ images, engine: "threaded", threads, files: [], path: "", module: undefined },
  });
  const course = new Course(world, {
    happened: (event) => void events.push(event),
    rooted: (root) => void roots.push(root),
  });
  for (const input of inputs) course.give(input);
  await carryOutApart(course.rounds(UNTIL), crew);
  roots.push(await carryOutApart(course.end(), crew));
  await crew.finish();
  return { events, roots: textsOf(roots) };
}

Deno.test("law: random worlds come to the same whatever carries them out, and from any of their times on", async () => {
  for (let trial = 0; trial < TRIALS; trial++) {
    const seed = Number(Deno.env.get("WORLD_SEED") ?? 1) + trial, random = seededRandom(seed);
    const world = randomWorld(random);
    const inputs = Array.from({ length: random(8) }, () => randomInput(random, world.nodes.length));
    const engine = "threaded", first = recordWorld(world, { inputs, until: UNTIL, engine });
    const slice = 1 + random(60_000), other = ["threaded", "reference"][random(2)]!;
    const again = recordWorld(world, { inputs, until: UNTIL, engine: other, slice });
    assertEquals(again.run.events, first.run.events, `seed ${seed}: slice ${slice}, ${other}`);
    assertEquals(rootsOf(again), rootsOf(first), `seed ${seed}: slice ${slice}, ${other}`);
    replayWorld(first.run, engine, 1 + random(60_000));
    if (TRIALS > 1) {
      const threads = 1 + random(world.nodes.length), found = await inThreads(world, inputs, threads);
      assertEquals(
        found,
        { events: [...first.run.events], roots: rootsOf(first) },
        `seed ${seed}: ${threads} threads`,
      );
      const marked = recordWorld(world, { inputs, until: UNTIL, engine, checkpointSpacing: 1 });
      assertEquals(rootsOf(marked), rootsOf(first), `seed ${seed}: with checkpoints`);
      const { checkpoints } = marked.run, checkpoint = checkpoints[random(checkpoints.length)];
      if (checkpoint !== undefined) {
        const found = await resumedInThreads(marked, checkpoint, threads);
        assertEquals(
          found,
          first.end.historyRoot,
          `seed ${seed}: ${threads} threads from ${checkpoint.time} ns on`,
        );
      }
    }
    const timeline = new WorldTimeline(first.run, { images, engine, spacing: 50_000 + random(500_000) });
    for (let fork = 0; fork < 2; fork++) {
      const at = random(first.run.lastTime + 1), session = timeline.at(at);
      session.run(UNTIL);
      const roots = [...session.roots, session.end()];
      assertEquals(textsOf(roots), rootsOf(first).slice(-roots.length), `seed ${seed}: from ${at} ns on`);
      assertEquals(session.consoles, [...first.consoles], `seed ${seed}: from ${at} ns on`);
    }
  }
});
