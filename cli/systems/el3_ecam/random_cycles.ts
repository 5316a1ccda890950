/** Random configuration cycles: a shim's at EL3 and EL2, the board's own and the specifications' words agree on each. */
import {
  CYCLE_INSTRUCTIONS,
  type RandomCycle,
  randomCyclesProgram,
} from "../../../firmware/el3_ecam/random_cycles.ts";
import { ENGINES } from "../../../machine/machine.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { AT_EL2, AT_EL3, cyclesOf, REAL, recordGuest, type Server } from "./machines.ts";
import { Specified, wrongCycles } from "./specification.ts";

const SEED = 12, CYCLES = 4000, ALL_CYCLES = 200_000;
/** The function that there is, and all others. */
const FUNCTION = 0x8000, WINDOW = 0x10_0000, HEADER_AND_LISTS = 0x100, SPACE = 0x1000;

/** Cycles from a seed: most in the first quarter of the space of the function that is there. */
export function randomCycles(seed: number, count: number): RandomCycle[] {
  const numbers = seeded(seed), draw = (below: number): number => numbers.next().value % below;
  const value = (): bigint => {
    const random = BigInt(draw(2 ** 32)) << 32n | BigInt(draw(2 ** 32)), kind = draw(4);
    return kind === 0 ? 0n : kind === 1 ? 2n ** 64n - 1n : random;
  };
  return Array.from({ length: count }, () => {
    const kind = draw(CYCLE_INSTRUCTIONS.length), size = 2 ** (kind % 4), where = draw(10);
    const any = where < 7
      ? FUNCTION + draw(HEADER_AND_LISTS)
      : where < 9
      ? FUNCTION + draw(SPACE)
      : draw(WINDOW);
    return { kind, offset: any - any % size, value: value() };
  });
}

/** All of it; functions that are not there besides. */
export async function checkRandomCycles(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], count = context.all ? ALL_CYCLES : CYCLES;
  const cycles = randomCycles(SEED, count);
  let seen = 0, texts: string | undefined;
  for (const server of [AT_EL3, AT_EL2, REAL] as Server[]) {
    const program = randomCyclesProgram(cycles, server.window, server.conduit);
    const recorded = await recordGuest(context, { ...server, name: `random-${server.name}` }, program.bytes);
    const found = (cyclesOf(recorded, server.window))
      // The board's own bridge is at 00.0, where the shim has nothing.
      .filter(({ bdf }) => bdf !== 0);
    const wrong = wrongCycles(found, new Map([[8, new Specified(server.base)]]));
    failures.push(...wrong.slice(0, 3).map((line) => `${server.name}, seed ${SEED}: ${line}`));
    if (server !== REAL) {
      const text = JSON.stringify(found);
      if (texts !== undefined && texts !== text) failures.push(`seed ${SEED}: EL3's cycles are not EL2's`);
      texts = text;
      failures.push(...await context.replayOn(recorded, context.all ? [] : Object.keys(ENGINES)));
    }
    if (found.length < count) failures.push(`${server.name}: there are only ${found.length} cycles`);
    seen += found.length;
  }
  return { failures, figures: { "cycles as specified": seen } };
}
