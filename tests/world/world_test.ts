/** Worlds: one order and one root whatever the slices, engines and threads; recording, replay, forks, diff, damage. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { z } from "zod";
import { WorkerCrew } from "../../cli/host/world_crew.ts";
import { JournalError } from "../../journal/errors.ts";
import { DivergenceError, Replay } from "../../journal/replay.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { Course, type WorldRoot } from "../../world/course.ts";
import { carryOut, carryOutApart, LocalCrew } from "../../world/crew.ts";
import { parseWorld } from "../../world/description.ts";
import { diffWorlds } from "../../world/diff.ts";
import { WorldError } from "../../world/errors.ts";
import { compareWorldEvents, type WorldEvent } from "../../world/events.ts";
import { forkWorld } from "../../world/fork.ts";
import { type NodeProgram, nodeProgram } from "../../world/node_program.ts";
import { RecordedWorld } from "../../world/run.ts";
import { seededRandom } from "../journal/support.ts";
import { PING_PONG_IMAGES as images, pingPong } from "./guests.ts";
import { type Recorded, recordWorld, replayWorld } from "./support.ts";

const first = recordWorld(pingPong());
const PING = 0, PONG = 1;
const powerOff = (time: number) => ({ time, node: PONG, input: { kind: "power", isOn: false } }) as const;

function roots({ end, run }: Recorded): string[] {
  return [...run.roots, end].map(({ time, stateRoot, historyRoot }) =>
    `${time} ${stateRoot.toHex()} ${historyRoot.toHex()}`
  );
}

Deno.test("a world of two machines and a program does what its nodes do", () => {
  // A letter that comes back is a capital; `-` stands for one that was lost while the other had no power.
  assertEquals(first.consoles, ["ABCD!-FGHIJKL", "rr", ""]);
  assertEquals(first.end.reason, "limit");
  const told = first.run.events.filter((event) => event.kind === "nodeTold");
  const bytes = told.map(({ detail }) => detail.split(" ")[1]).join("");
  assertEquals(new TextDecoder().decode(Uint8Array.fromHex(bytes)), first.consoles[PING]);
  const lost = first.run.events.filter((event) => event.kind === "messageLost");
  assertEquals(lost.map(({ reason, node }) => [reason, node]), [["off", PONG]]);
  const power = first.run.events.filter((event) =>
    event.kind === "nodePoweredOn" || event.kind === "nodePoweredOff"
  );
  assertEquals(
    power.filter(({ node }) => node === PONG).map(({ kind, time, life, cause }) => [kind, time, life, cause]),
    [
      ["nodePoweredOn", 0, 0, "start"],
      ["nodePoweredOff", 400_000, 0, "link"],
      ["nodePoweredOn", 700_000, 1, "link"],
    ],
  );
});

Deno.test("law: a world's roots and events are the same in any slice and on any engine", () => {
  const random = seededRandom(1);
  for (const engine of ["threaded"]) {
    const slice = 1000 + random(30_000);
    const other = recordWorld(pingPong(), { slice, engine });
    assertEquals(roots(other), roots(first), `slice ${slice}, engine ${engine}`);
    assertEquals(other.run.events, first.run.events, `slice ${slice}, engine ${engine}`);
  }
});

Deno.test("law: a world's roots are the same whatever the number of worker threads", async () => {
  for (const threads of [2]) {
    const world = pingPong(), found: WorldRoot[] = [], events: WorldEvent[] = [];
    const crew = await WorkerCrew.start(world, {
      ...{ images, engine: "reference", threads, files: [], path: "", module: undefined },
    });
    const course = new Course(world, {
      rooted: (root) => found.push(root),
      happened: (event) => events.push(event),
    });
    await carryOutApart(course.rounds(2_500_000), crew);
    found.push(await carryOutApart(course.end(), crew));
    await crew.finish();
    assertEquals(events, [...first.run.events], `${threads} threads`);
    const texts = found.map(({ time, stateRoot, historyRoot }) =>
      `${time} ${stateRoot.toHex()} ${historyRoot.toHex()}`
    );
    assertEquals(texts, roots(first), `${threads} threads`);
  }
});

Deno.test("events are in one order that agrees with causality", () => {
  const { events } = first.run, sent = new Set<string>();
  for (const [index, event] of events.entries()) {
    if (index > 0) assert(compareWorldEvents(events[index - 1]!, event) < 0);
    if (!("sequence" in event)) continue;
    const message = `${event.link} ${event.end} ${event.sequence}`;
    if (event.kind === "messageSent") sent.add(message);
    else assert(sent.has(message), `${event.kind} before it was sent`);
  }
});

Deno.test("WorldReplay gives the same world, and names what differs in another", () => {
  const replay = replayWorld(first.run, "threaded", 5000);
  assertEquals(replay.rootsChecked, first.run.roots.length + 1);
  assertEquals(replay.eventsChecked, first.run.events.length);
  const world = pingPong({ seed: 1 }), manifest = { ...first.run.manifest, world };
  const slower = { ...world, links: world.links.map((link) => ({ ...link, latency: link.latency + 8 })) };
  for (const [changed, message] of [[slower, "differs at 35680 ns"]] as const) {
    const run = Object.assign(Object.create(first.run) as RecordedWorld, {
      manifest: { ...manifest, world: changed },
    });
    assertStringIncludes(assertThrows(() => replayWorld(run), DivergenceError).message, message);
  }
});

Deno.test("each life of a machine has a journal that replays by itself", () => {
  const { run } = first;
  assertEquals(run.lives.map(({ node, life, start }) => [node, life, start]), [[PING, 0, 0], [PONG, 0, 0], [
    PONG,
    1,
    700_000,
  ]]);
  const ends = run.lives.map((life) =>
    new Replay(run.run(life), images, { engine: "threaded" }).runToEnd()?.reason
  );
  assertEquals(ends, ["poweredOff", "powerCut", "instant"]);
});

Deno.test("inputs are given at their times, and refused where a node cannot take them", () => {
  const inputs = [
    {
      time: 1_000_000,
      node: PING,
      input: { kind: "machine", input: { kind: "consoleReceived", bytes: Uint8Array.of(33) } },
    },
    { time: 1_000_000, node: PING, input: { kind: "command", command: "x" } },
    { time: 1_000_000, node: 2, input: { kind: "command", command: "x" } },
    { time: 1_000_000, node: PONG, input: { kind: "power", isOn: true } },
    {
      time: 1_000_000,
      node: PONG,
      input: { kind: "machine", input: { kind: "interruptInjected", interrupt: 5000 } },
    },
  ] as const;
  const recorded = recordWorld(pingPong(), { inputs });
  assertEquals([...recorded.consoles[PING]!].filter((key) => key === "!").length, 2);
  const refused = recorded.run.events.filter((event) => event.kind === "inputRefused");
  assertEquals(refused.map(({ number }) => number).sort(), [1, 2, 3, 4]);
  assertEquals(recorded.run.inputs.length, 5);
  replayWorld(recorded.run);
});

Deno.test("a fork shares the roots before it, and diff finds where two worlds part", () => {
  const fork = forkWorld(first.run, 800_000, [powerOff(900_000)]);
  const other = recordWorld(pingPong(), { inputs: fork.inputs, observer: fork.observer });
  assertEquals(fork.sharedRoots(), 1);
  const found = diffWorlds({ run: first.run, images }, { run: other.run, images }, { engine: "threaded" });
  assert(!found.isEqual);
  assertEquals(found.between, [500_000, 1_000_000]);
  assertEquals(found.events?.map((event) => event?.kind), ["messageSent", "inputGiven"]);
  assertEquals(found.machine && [found.machine.node, found.machine.life, found.machine.time], [
    PONG,
    1,
    900_000,
  ]);
  assert(diffWorlds({ run: first.run, images }, { run: recordWorld(pingPong()).run, images }).isEqual);
  assertThrows(() => forkWorld(first.run, 3_000_000, []), WorldError, "recorded from 0 to 2500000 ns");
  assertThrows(() => forkWorld(first.run, 800_000, [powerOff(1)]), WorldError, "before the fork");
});

Deno.test("a fork without edits is the same world", () => {
  const fork = forkWorld(first.run, 1_200_000, []);
  const other = recordWorld(pingPong(), { inputs: fork.inputs, observer: fork.observer });
  assertEquals(roots(other), roots(first));
});

Deno.test("loss is drawn from the seed and each message's own address", () => {
  const lossy = (seed: number) => {
    const { links, nodes, rootInterval } = pingPong();
    const world = {
      nodes,
      seed,
      rootInterval,
      links: links.map((link) => ({ ...link, lossPerMillion: link.kind === "network" ? 300_000 : 0 })),
    };
    const { run, consoles } = recordWorld(world, { until: 3_000_000 });
    return {
      lost: run.events.filter((event) => event.kind === "messageLost" && event.reason === "loss").length,
      consoles,
    };
  };
  const one = lossy(1);
  assert(one.lost > 2 && one.lost < 15, `${one.lost} lost`);
  assert(lossy(2).consoles[PING] !== one.consoles[PING]);
});

/** A program that counts its lives in what survives them. */
const counting: NodeProgram = nodeProgram({
  name: "counting",
  options: z.strictObject({}),
  start: (_options, site) => {
    const lives = (site.store.get("lives")?.[0] ?? 0) + 1;
    site.store.set("lives", Uint8Array.of(lives));
    site.tell("life", String(lives));
    return { state: () => null };
  },
});

Deno.test("a program's store survives a loss of power, and a world at rest ends there", () => {
  const world = parseWorld({ nodes: [{ kind: "program", name: "a", program: "counting", isOff: true }] });
  const power = (time: number, isOn: boolean) => ({ time, node: 0, input: { kind: "power", isOn } }) as const;
  const inputs = [power(10, true), power(20, false), power(30, true)];
  const { run, end } = recordWorld(world, { programs: [counting], inputs });
  assertEquals(run.events.flatMap((event) => event.kind === "nodeTold" ? [event.detail] : []), ["1", "2"]);
  assertEquals([end.reason, end.time], ["resting", 30]);
});

Deno.test("parseWorld and crews refuse what cannot be", () => {
  const node = (name: string) => ({ kind: "program", name, program: "echo" });
  const link = (more: object) => ({
    name: "l",
    kind: "message",
    ends: [{ node: "a", port: "p" }, { node: "b", port: "p" }],
    ...more,
  });
  const cases: [unknown, string][] = [
    [{ nodes: [] }, "a world has a node"],
    [{ nodes: [node("a"), node("a")] }, 'there are two nodes "a"'],
    [{ nodes: [node("a")], links: [link({})] }, 'there is no node "b"'],
    [{ nodes: [node("a"), node("b")], links: [link({ latency: 10 })] }, "at least 1000 ns"],
    [{ nodes: [node("a"), node("b")], links: [link({}), link({ name: "m" })] }, 'link "l" has a:p already'],
    [{ nodes: [node("a"), node("b")], more: 1 }, "more"],
  ];
  for (const [value, message] of cases) {
    assertStringIncludes(assertThrows(() => parseWorld(value), WorldError).message, message);
  }
  const absent = parseWorld({ nodes: [{ kind: "program", name: "a", program: "none" }] });
  assertThrows(() => new LocalCrew(absent, { images }), WorldError, 'There is no program "none"');
  const world = pingPong(), ends = [{ node: "ping", port: "n1" }, { node: "pong", port: "n0" }];
  const wrong = { ...world, links: [{ ...world.links[0]!, ends }] };
  assertThrows(() => new LocalCrew(wrong, { images }), ConfigurationError, "-netdev link,id=n1");
  const course = new Course(world);
  carryOut(course.rounds(1000), new LocalCrew(world, { images, engine: "reference" }));
  assertThrows(() => course.give(powerOff(999)), WorldError, "has come to 1000 ns");
});

Deno.test("a world's file that is cut anywhere replays as far as it goes; a damaged one is refused", () => {
  const { bytes } = first.file, random = seededRandom(2), { blocks } = first.run.reader;
  for (let round = 0; round < 10; round++) {
    const length = blocks[1]!.offset + random(bytes.length - blocks[1]!.offset);
    const run = RecordedWorld.open(new MemoryFile(bytes.slice(0, length)));
    assertEquals(run.end, length > blocks.at(-1)!.offset ? run.end : undefined);
    if (round % 7 === 0) replayWorld(run, "threaded");
    for (const life of run.lives) {
      try {
        run.run(life);
      } catch (error) {
        assert(error instanceof JournalError, `cut at ${length}: ${error}`);
      }
    }
  }
  for (let round = 0; round < 20; round++) {
    const broken = bytes.slice(), at = random(blocks.at(-2)!.offset);
    broken[at]! ^= 1 << random(8);
    const error = assertThrows(() => RecordedWorld.open(new MemoryFile(broken)));
    assert(error instanceof JournalError, `bit at ${at}: ${error}`);
  }
});
