/** tee-migration's faults planted in hosts of programs: each is found by what the checks look at. */
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { TICKER_WRITES } from "./enclave_alone.ts";
import { liveProgram, type ProgramLifeOptions } from "./enclave_lives.ts";
import { notRefused, REFUSALS } from "./enclave_refusals.ts";
import {
  ALONE,
  E64,
  EAST,
  extensions,
  MAX_E,
  randoms,
  ticker,
  type Way,
  WAYS,
  withOptions,
  wrongOf,
} from "./enclave_ways.ts";
import { programWorld } from "./enclave_worlds.ts";

/** Faults planted in hosts, and a migration in which each is to be found. */
const PLANTS: readonly (readonly [
  planted: string,
  way: Way,
  options?: ProgramLifeOptions & { readonly lost?: number },
])[] = [
  ["kept-memory", WAYS[2]!],
  ["plain-page", WAYS[1]!],
  ["no-vector", WAYS[2]!],
  ["no-flags", WAYS[1]!],
  ["more-time", WAYS[2]!],
  // Its word that all is there is lost, and the source goes on.
  ["no-commit", WAYS[1]!, { lost: 1 }],
];

/** Each fault is found by what these checks look at. */
export async function plantedInPrograms(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const [planted, { from, to }, { lost } = {}] of PLANTS) {
    const options = { planted };
    const world = programWorld(
      withOptions(from, options),
      withOptions(to, options),
      ticker(),
      lost === undefined ? undefined : "meddler",
    );
    const meddle = lost === undefined ? {} : { meddle: losing() };
    const found = randoms(8, 5).some((random) => {
      const inputs = [world.command(Math.floor(random * ALONE * 0.8), EAST, "migrate")];
      return wrongOf(liveProgram(context, world, inputs, meddle), to, TICKER_WRITES).length > 0;
    });
    if (!found) failures.push(`with "${planted}" planted nothing was found`);
    await context.breathe();
  }
  const [, , missing] = REFUSALS, open = withOptions(E64, { planted: "open-door" });
  const refusal = { ...missing!(), world: programWorld(MAX_E, open, extensions(true)) };
  if (notRefused(context, refusal).length === 0) failures.push('with "open-door" planted nothing was found');
  return { failures, figures: { planted: PLANTS.length + 1 } };
}

/** Number of `end` among the types of messages. */
const END = 6;

/** Loses the destination's `prepared`, which are small messages behind those for pieces: all but accepted and taken. */
function losing(): NonNullable<ProgramLifeOptions["meddle"]> {
  let ended = false;
  return (bytes, fromSource) => {
    // The type is the head's first byte: see BODIES of messages.ts.
    if (fromSource) ended ||= bytes[0] === END;
    return !fromSource && ended ? [] : [bytes];
  };
}
