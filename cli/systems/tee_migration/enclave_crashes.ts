/** tee-migration's checks of programs whose agents crash, or whose link loses and changes messages, on the way. */
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { TICKER_WRITES } from "./enclave_alone.ts";
import { liveProgram } from "./enclave_lives.ts";
import { EAST, MOVE_AT, ticker, WAYS, WEST, wrongOf } from "./enclave_ways.ts";
import { programWorld } from "./enclave_worlds.ts";

/** Either agent crashes at every message of a migration: one program goes on, and it is whole. */
export async function programCrashes(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], ends = { east: 0, west: 0 };
  let crashes = 0;
  for (const { name, from, to } of context.all ? WAYS : WAYS.slice(1, 2)) {
    const world = programWorld(from, to, ticker()), move = world.command(MOVE_AT, EAST, "migrate");
    const { events } = liveProgram(context, world, [move]);
    const times = [...new Set(events.filter((event) => "sequence" in event).map(({ time }) => time))];
    // Each message in the long set, and before and behind it; every third one otherwise.
    for (const time of times.filter((_, index) => context.all || index % 4 === 1)) {
      for (const node of [EAST, WEST] as const) {
        for (const later of context.all ? [0, 8] : [8]) {
          const life = liveProgram(context, world, [move, world.command(time + later, node, "crash")]);
          failures.push(
            ...wrongOf(life, to, TICKER_WRITES).map((what) =>
              `${name}, crash of ${node} at ${time + later} ns: ${what}`
            ),
          );
          ends[life.consoles[WEST] === "" ? "east" : "west"]++;
          crashes++;
        }
      }
      await context.breathe();
    }
  }
  if (ends.east === 0 || ends.west === 0) {
    failures.push("it ended at one host always: crashes came too early or too late");
  }
  return { failures, figures: { crashes, ...ends } };
}

/** What a link can do to a message. */
const MEDDLINGS: Readonly<Record<string, (bytes: Uint8Array) => readonly Uint8Array[]>> = {
  lost: () => [],
  "tampered with": (bytes) => [bytes.map((byte, at) => at === bytes.length - 1 ? byte ^ 1 : byte)],
  "sent twice": (bytes) => [bytes, bytes],
  cut: (bytes) => [bytes.slice(0, bytes.length >> 1)],
};

/** Every message of both directions, in every way. */
export async function programMeddling(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], { from, to } = WAYS[1]!;
  const world = programWorld(from, to, ticker(), "meddler"),
    inputs = [world.command(MOVE_AT, EAST, "migrate")];
  const count = [0, 0];
  liveProgram(context, world, inputs, {
    meddle: (bytes, fromSource) => (count[fromSource ? 0 : 1]!++, [bytes]),
  });
  let tried = 0;
  for (const [what, change] of Object.entries(MEDDLINGS).slice(0, context.all ? undefined : 2)) {
    for (const [direction, messages] of count.entries()) {
      for (let number = 0; number < messages; number += context.all ? 1 : 4) {
        const meddle = (bytes: Uint8Array, fromSource: boolean, at: number) =>
          fromSource === (direction === 0) && at === number ? change(bytes) : [bytes];
        const life = liveProgram(context, world, inputs, { meddle });
        const side = direction === 0 ? "to" : "from";
        failures.push(
          ...wrongOf(life, to, TICKER_WRITES).map((wrong) =>
            `message ${number} ${side} the destination ${what}: ${wrong}`
          ),
        );
        tried++;
      }
    }
    await context.breathe();
  }
  return { failures, figures: { tried } };
}
