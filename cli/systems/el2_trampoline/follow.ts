/** Replays of the checks: on another engine, with roots compared, and with eyes on the worlds and the boundaries. */
import type { TrampolineImage } from "../../../firmware/el2_trampoline/image.ts";
import { Replay } from "../../../journal/replay.ts";
import type { CheckContext, Recorded } from "../scenario.ts";
import { Boundaries } from "./boundaries.ts";
import { leakTexts, WorldVectors } from "./world_vectors.ts";

/** What a replay saw. */
export interface Followed {
  /** The worlds' registers. */
  readonly worlds: WorldVectors;
  /** EL2's boundaries. */
  readonly boundaries: Boundaries;
  /** What is wrong, a line each. */
  readonly failures: readonly string[];
}

const SLICE = 1 << 22;

/** Replays a run to its end on an engine. Throws DivergenceError where it is not what was recorded. */
export async function follow(
  context: CheckContext,
  recorded: Recorded,
  image: TrampolineImage,
  engine: string,
): Promise<Followed> {
  const { run, images } = recorded, replay = new Replay(run, images, context.machineOptions(engine));
  const worlds = new WorldVectors(replay.machine), boundaries = new Boundaries(replay.machine, image);
  while (replay.instant < run.lastInstant) {
    replay.runTo(Math.min(run.lastInstant, replay.instant + SLICE));
    context.progress(`looking at ${worlds.switches} switches`);
    await context.breathe();
  }
  replay.runToEnd();
  return { worlds, boundaries, failures: [...leakTexts(worlds), ...boundaries.mismatches] };
}
