/** Timelines of worlds: a world at any time that goes on in another way is the one that is recorded from power-on. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { z } from "zod";
import type { TimedWorldInput } from "../../world/course.ts";
import { parseWorld } from "../../world/description.ts";
import { WorldError } from "../../world/errors.ts";
import { forkWorld } from "../../world/fork.ts";
import { type NodeProgram, nodeProgram } from "../../world/node_program.ts";
import type { WorldSession } from "../../world/session.ts";
import { WorldTimeline } from "../../world/timeline.ts";
import { seededRandom } from "../journal/support.ts";
import { PING_PONG_IMAGES as images, pingPong } from "./guests.ts";
import { recordWorld } from "./support.ts";

const first = recordWorld(pingPong());
const UNTIL = 2_500_000;
const power = (time: number, node: number, isOn: boolean): TimedWorldInput => (
  { time, node, input: { kind: "power", isOn } }
);

/** Roots as text: of a recorded fork those not before the time, of a session all. */
function texts(
  roots: readonly {
    readonly time: number;
    readonly stateRoot: Uint8Array;
    readonly historyRoot: Uint8Array;
  }[],
): string[] {
  return roots.map(({ time, stateRoot, historyRoot }) =>
    `${time} ${stateRoot.toHex()} ${historyRoot.toHex()}`
  );
}

/** How a session goes on to its end. */
function goOn(session: WorldSession, edits: readonly TimedWorldInput[]) {
  for (const edit of edits) session.give(edit);
  session.run(UNTIL);
  const end = session.end();
  return { roots: texts([...session.roots, end]), events: session.events, consoles: session.consoles };
}

Deno.test("law: a fork from a timeline has the roots, events and consoles of one recorded from power-on", () => {
  const seed = 5, random = seededRandom(seed);
  const timeline = new WorldTimeline(first.run, { images, engine: "threaded", spacing: 200_000 });
  for (let round = 0; round < 3; round++) {
    const at = random(UNTIL), node = random(3), isOn = random(2) === 0;
    const edits = [power(at, node, isOn), power(at + random(400_000), random(3), !isOn)]
      .filter(({ time }) => time < UNTIL);
    const dropsInputs = random(2) === 0;
    const lived = goOn(timeline.at(at, { dropsInputs }), edits);
    const fork = forkWorld(first.run, at, edits, dropsInputs);
    const { run, end, consoles } = recordWorld(pingPong(), { inputs: fork.inputs, engine: "threaded" });
    const name = `seed ${seed}, round ${round}: ${at} ns, node ${node}`;
    // A root at the very time comes before what is given then.
    assertEquals(lived.roots, texts([...run.roots, end].filter(({ time }) => time > at)), name);
    assertEquals(lived.consoles, [...consoles], name);
    assertEquals(lived.events, run.events.filter(({ time }) => time >= at), name);
  }
  assert(timeline.statistics.marks > 3);
});

Deno.test("a timeline with little memory keeps few marks, and gives the same", () => {
  const timeline = new WorldTimeline(first.run, {
    images,
    engine: "threaded",
    spacing: 100_000,
    markMemory: 1,
  });
  const ends = [1_700_000, 300_000, 1_700_000].map((at) => goOn(timeline.at(at), []).roots.at(-1));
  assertEquals(ends, Array(3).fill(texts([first.end])[0]));
  assert(timeline.statistics.marks <= 3, `${timeline.statistics.marks} marks`);
  assertThrows(() => timeline.at(UNTIL + 1), WorldError, "recorded from 0 to 2500000 ns");
});

Deno.test("a root that is due when it is returned to a time is taken", () => {
  const sends = [{ at: 10, port: "out", text: "a" }, { at: 900_000, port: "out", text: "b" }];
  const world = parseWorld({
    nodes: [
      { kind: "program", name: "clock", program: "clockwork", options: { sends } },
      { kind: "program", name: "echo", program: "echo" },
    ],
    links: [{
      name: "l",
      kind: "message",
      latency: 1000,
      ends: [{ node: "clock", port: "out" }, { node: "echo", port: "in" }],
    }],
    rootInterval: 100_000,
  });
  const { run, end } = recordWorld(world, { until: 1_000_000 });
  const timeline = new WorldTimeline(run, { images });
  for (let time = 0; time < 2; time++) {
    const session = timeline.at(50_000);
    session.run(1_000_000);
    assertEquals(texts([...session.roots, session.end()]), texts([...run.roots, end]));
  }
});

/** A program that keeps what it should not: outside its state and its site. */
function leaky(): NodeProgram {
  let outside = 0;
  return nodeProgram({
    name: "leaky",
    options: z.strictObject({}),
    start: (_options, site) => {
      site.wakeAt(site.now + 100);
      return { woken: () => site.wakeAt(site.now + 100), state: () => ({ count: outside++ }) };
    },
  });
}

/** Counts what it is told, here and in its store; goes on from its state. */
const counter: NodeProgram = nodeProgram({
  name: "counter",
  options: z.strictObject({}),
  start: (_options, site) => counting(site, 0),
  resume: (state, _options, site) => counting(site, (state as { count: number }).count),
});

function counting(site: Parameters<NodeProgram["start"]>[1], start: number) {
  let count = start;
  const kept = site.store.get("kept") ?? Uint8Array.of(0);
  site.store.set("kept", kept);
  return {
    commanded(word: string) {
      if (word === "fail") throw new WorldError("it does not");
      kept[0]!++;
      site.tell("count", `${++count} ${kept[0]}`);
    },
    state: () => ({ count }),
  };
}

const command = (time: number, text: string): TimedWorldInput => (
  { time, node: 0, input: { kind: "command", command: text } }
);

Deno.test("programs come back by what they were told or by what they keep, with their stores", () => {
  const inputs = ["go", "fail", "go"].map((text, index) => command(10 + index, text));
  inputs.push(power(20, 0, false), power(30, 0, true), command(40, "go"), command(50, "go"));
  const told = nodeProgram({ ...counter, resume: undefined } as unknown as NodeProgram);
  for (const program of [counter, told]) {
    const world = parseWorld({ nodes: [{ kind: "program", name: "a", program: "counter" }] });
    const { run } = recordWorld(world, { programs: [program], inputs, until: 100 });
    const details = (events: typeof run.events) =>
      events.flatMap((event) => event.kind === "nodeTold" ? [event.detail] : []);
    assertEquals(details(run.events), ["1 1", "2 2", "1 3", "2 4"]);
    const timeline = new WorldTimeline(run, { images, programs: [program], spacing: 10 });
    for (
      const [at, expected] of [[45, ["2 4"]], [12, ["2 2", "1 3", "2 4"]], [25, ["1 3", "2 4"]]] as const
    ) {
      const session = timeline.at(at);
      session.run(100);
      assertEquals(details(session.events), [...expected], `at ${at}`);
      assertEquals(session.storeOf(0)?.get("kept"), Uint8Array.of(4));
    }
  }
});

Deno.test("a program that looks at more than its site is found out", () => {
  const world = parseWorld({ nodes: [{ kind: "program", name: "a", program: "leaky" }] });
  const { run } = recordWorld(world, { programs: [leaky()], until: 1000 });
  const timeline = new WorldTimeline(run, { images, programs: [leaky()], spacing: 300 });
  timeline.at(600);
  assertThrows(() => timeline.at(300), WorldError, 'program "leaky" did something else');
});
