/** tee-migration's checks of programs that move between enclaves and realms at any instant, by shims too. */
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { EXTENSIONS_WRITE, TICKER_WRITES } from "./enclave_alone.ts";
import { liveProgram, type ProgramLife } from "./enclave_lives.ts";
import {
  ALONE,
  E64,
  EAST,
  extensions,
  R,
  randoms,
  ticker,
  WAYS,
  WEST,
  withOptions,
  wrongOf,
} from "./enclave_ways.ts";
import { type ProgramHost, type ProgramWorld, programWorld } from "./enclave_worlds.ts";

/** Wherever a program is when it moves, it writes what it writes alone; engines agree on all roots. */
export async function programsMove(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {}, count = context.all ? 50 : 2;
  for (const [at, { name, from, to }] of WAYS.entries()) {
    const world = programWorld(from, to, ticker());
    let moved = 0;
    for (const [index, random] of randoms(count, 21 + at).entries()) {
      const time = Math.floor(random * ALONE), inputs = [world.command(time, EAST, "migrate")];
      const life = liveProgram(context, world, inputs);
      failures.push(...wrongOf(life, to, TICKER_WRITES).map((what) => `${name} at ${time} ns: ${what}`));
      if (life.consoles[WEST] !== "") moved++;
      if (index === 1) {
        failures.push(...throughMarks(context, world, inputs, life).map((line) => `${name}: ${line}`));
      }
      if (index === 0 && (context.all || at === 1)) {
        failures.push(...otherEngines(context, world, inputs, life).map((line) => `${name}: ${line}`));
      }
      await context.breathe();
    }
    figures[name] = moved;
    if (moved < count * 0.8) failures.push(`${name}: only ${moved} of ${count} moved`);
    context.progress("ways", at + 1, WAYS.length);
  }
  return { failures, figures: { instants: count, ...figures } };
}

/** The same world, everything of it saved and restored 30 times on the way, where it is something else. */
function throughMarks(
  context: CheckContext,
  world: ProgramWorld,
  inputs: Parameters<typeof liveProgram>[2],
  { text, roots }: ProgramLife,
): string[] {
  const marks = Array.from({ length: 30 }, (_, index) => inputs[0]!.time + 20_000 * index);
  const other = liveProgram(context, world, inputs, { marks });
  const isEqual = other.text === text && roots.every((root, at) => root === other.roots[at]);
  return isEqual ? [] : ["saved and restored on the way, it is another"];
}

/** What other engines make of the same world, where it is something else. */
function otherEngines(
  context: CheckContext,
  world: ProgramWorld,
  inputs: Parameters<typeof liveProgram>[2],
  { roots }: ProgramLife,
): string[] {
  const engines = ["reference", "threaded", "compiled"].filter((engine) => engine !== context.engine);
  return engines.flatMap((engine) => {
    const other = liveProgram(context, world, inputs, { engine }).roots;
    const at = roots.findIndex((root, index) => root !== other[index]);
    return at < 0 && roots.length === other.length ? [] : [`on the ${engine} engine root ${at} is another`];
  });
}

/** A program whose extensions the destination lacks goes on there by shims. */
export async function shimmedMoves(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  const max = (host: ProgramHost): ProgramHost => ({ ...host, cpuModel: "max" });
  const ways = [["E→E", E64, E64], ["R→E", R, E64], ["E→R", E64, R]] as const;
  for (const [at, [name, from, to]] of ways.entries()) {
    const world = programWorld(max(from), withOptions(to, { shims: "on" }), extensions(true));
    let emulated = 0;
    for (const random of randoms(context.all ? 20 : 2, 99 + at)) {
      const time = Math.floor(random * ALONE * 0.8);
      const life = liveProgram(context, world, [world.command(time, EAST, "migrate")]);
      failures.push(...wrongOf(life, to, EXTENSIONS_WRITE).map((what) => `${name} at ${time} ns: ${what}`));
      if (life.emulated[EAST] > 0 || life.emulated[WEST] === 0) {
        failures.push(`${name} at ${time} ns: ${life.emulated.join(" and ")} instructions were emulated`);
      }
      emulated += life.emulated[WEST];
      await context.breathe();
    }
    figures[name] = emulated;
  }
  return { failures, figures };
}
