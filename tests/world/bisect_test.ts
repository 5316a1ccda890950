/** Bisect of worlds: the first time of something, the inputs that it takes, and windows of power cuts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { z } from "zod";
import { bisectTime } from "../../world/bisect.ts";
import { minimizeWorldInputs } from "../../world/bisect_inputs.ts";
import type { TimedWorldInput } from "../../world/course.ts";
import { parseWorld } from "../../world/description.ts";
import { WorldError } from "../../world/errors.ts";
import { type NodeProgram, nodeProgram } from "../../world/node_program.ts";
import { cutWindows } from "../../world/power_cuts.ts";
import { searched } from "../../world/search.ts";
import type { WorldSession } from "../../world/session.ts";
import { WorldTimeline } from "../../world/timeline.ts";
import { seededRandom } from "../journal/support.ts";
import { PING_PONG_IMAGES as images, pingPong } from "./guests.ts";
import { recordWorld } from "./support.ts";

const first = recordWorld(pingPong(), { engine: "threaded" });
const PING = 0, UNTIL = 2_500_000;

Deno.test("bisectTime finds the nanosecond in which something begins to hold, and who did it", () => {
  const timeline = new WorldTimeline(first.run, { images, engine: "threaded", spacing: 100_000 });
  const found = searched(bisectTime(timeline, ({ consoles }) => consoles[PING]!.includes("-"), 16));
  assert(found.kind === "found");
  const had = (time: number) => timeline.at(time).consoles[PING]!.includes("-");
  assertEquals([had(found.time - 1), had(found.time)], [false, true]);
  assertEquals(found.nodes, [PING]);
  // With an event: a loss between the nodes.
  const lost = first.run.events.find(({ kind }) => kind === "messageLost")!;
  const off = searched(bisectTime(timeline, (session) => session.machineOf(1) === undefined, 16));
  assert(off.kind === "found" && off.time < lost.time);
  assertEquals(off.events.map(({ kind, node, time }) => [kind, node, time]), [
    ["messageDelivered", 1, 400_000],
    ["nodePoweredOff", 1, 400_000],
  ]);
  assertEquals(searched(bisectTime(timeline, () => false, 4)).kind, "never");
  assertEquals(searched(bisectTime(timeline, () => true, 4)).kind, "always");
});

/** How the first machine's console reads in the end. */
const consoleAtEnd = (session: WorldSession): string => {
  session.run(UNTIL);
  return session.consoles[PING]!.includes("?!") ? "wrong" : "right";
};

Deno.test("minimizeWorldInputs keeps the inputs without which a world does not go wrong", () => {
  const typed = (time: number, text: string): TimedWorldInput => ({
    ...{ time, node: PING },
    input: { kind: "machine", input: { kind: "consoleReceived", bytes: new TextEncoder().encode(text) } },
  });
  const inputs = [..."xy?zv!w"].map((text, index) => typed(1_000_000 + 100_000 * index, text));
  // Wrong is when both of two keys are there and neither is between others: the letters go round every 60 µs or so.
  const { run } = recordWorld(pingPong(), { inputs, engine: "threaded" });
  const timeline = new WorldTimeline(run, { images, engine: "threaded" });
  const verdict = (session: WorldSession): string => {
    session.run(UNTIL);
    const text = session.consoles[PING]!.slice(4);
    return text.includes("?") && text.replace(/[A-Z-]/g, "").indexOf("!", 1) > 0 ? "wrong" : "right";
  };
  const found = minimizeWorldInputs(timeline, { verdict });
  assert(found.kind === "found");
  assertEquals(found.inputs.map(({ time }) => time), [1_200_000, 1_500_000]);
  assertEquals([found.verdict, found.without, found.candidates], ["wrong", "right", 7]);
  assertEquals(minimizeWorldInputs(timeline, { verdict: consoleAtEnd }).kind, "indifferent");
  // Against a world in which it goes right, only what is not the same is tried: here one key more, and one less.
  const other = recordWorld(pingPong(), {
    inputs: [...inputs.slice(0, 5), typed(1_550_000, "-"), inputs[6]!],
    engine: "threaded",
  });
  const differences = minimizeWorldInputs(timeline, { verdict, other: other.run.inputs });
  assert(differences.kind === "found");
  assertEquals([differences.inputs, differences.missing].map((list) => list.map(({ time }) => time)), [
    [1_500_000],
    [],
  ]);
  assertEquals([differences.candidates, differences.without], [2, "right"]);
  const reverse = minimizeWorldInputs(new WorldTimeline(other.run, { images, engine: "threaded" }), {
    verdict,
    other: run.inputs,
  });
  assert(reverse.kind === "found");
  assertEquals([reverse.verdict, reverse.inputs.length, reverse.missing.length], ["right", 0, 1]);
  assertThrows(
    () => minimizeWorldInputs(timeline, { verdict, other: run.inputs }),
    WorldError,
    "given the same",
  );
  const isOther = { verdict, isCandidate: () => false };
  assertThrows(() => minimizeWorldInputs(timeline, isOther), WorldError, "no inputs that could be left out");
});

/** A program that installs in three writes to its store, of which the first two together are not whole; boots from it. */
function installer(first: number, second: number): NodeProgram {
  return nodeProgram({
    name: "installer",
    options: z.strictObject({}),
    start: (_options, site) => {
      const has = (name: string) => site.store.has(name);
      site.tell("booted", has("old") || (has("new") && has("table")) ? "whole" : "bricked");
      if (!site.store.has("table") && !has("new")) site.store.set("old", Uint8Array.of(1));
      const plan = [
        [first, () => void site.store.delete("old")],
        [
          second,
          () => (site.store.set("new", Uint8Array.of(1)), void site.store.set("table", Uint8Array.of(1))),
        ],
      ] as const;
      let done = 0;
      if (has("new")) return { state: () => ({ done }) };
      site.wakeAt(plan[0]![0]);
      return {
        woken() {
          plan[done++]![1]();
          site.wakeAt(plan[done]?.[0] ?? Infinity);
        },
        state: () => ({ done }),
      };
    },
  });
}

function booted(session: WorldSession, time: number): string {
  session.dropInputs(() => true);
  session.give({ time, node: 0, input: { kind: "power", isOn: false } });
  session.give({ time: time + 10, node: 0, input: { kind: "power", isOn: true } });
  session.run(time + 20);
  return session.events.flatMap((event) => event.kind === "nodeTold" ? [event.detail] : []).at(-1)!;
}

Deno.test("cutWindows finds the window in which a power cut bricks a node, to the nanosecond", () => {
  const seed = 3, random = seededRandom(seed);
  for (let round = 0; round < 3; round++) {
    // The window may be of a single nanosecond among a million.
    const low = 1000 + random(900_000), high = low + 1 + (round === 0 ? 0 : random(2000));
    const programs = [installer(low, high)];
    const world = parseWorld({ nodes: [{ kind: "program", name: "a", program: "installer", options: {} }] });
    const { run } = recordWorld(world, { programs, until: 1_000_000 });
    const timeline = new WorldTimeline(run, { images, programs, spacing: 100_000 });
    const search = { node: 0, from: 10, to: 999_000, verdict: booted, samples: 8 };
    const windows = searched(cutWindows(timeline, search));
    // What is due at a time comes before the cut at that time.
    assertEquals(windows.map(({ from, to, verdict }) => [from, to, verdict]), [
      [10, low - 1, "whole"],
      [low, high - 1, "bricked"],
      [high, 999_000, "whole"],
    ], `seed ${seed}, round ${round}`);
  }
});
