/** Forks of worlds: the same inputs up to a time, then others; recorded anew, and compared with the parent on the way. */
import { DivergenceError } from "../journal/replay.ts";
import { equalBytes } from "../journal/hash.ts";
import type { CourseObserver, TimedWorldInput } from "./course.ts";
import { WorldError } from "./errors.ts";
import type { RecordedWorld } from "./run.ts";

/** What a fork is given, in order. */
export interface WorldFork {
  /** The parent's inputs up to the fork, the edits, and the parent's later inputs unless they were dropped. */
  readonly inputs: readonly TimedWorldInput[];
  /** Compares the roots before the fork with the parent's; throws DivergenceError. */
  readonly observer: CourseObserver;
  /** Roots that both have, as far as it has come. */
  readonly sharedRoots: () => number;
}

/** Inputs with the numbers that come behind those of others, so that at one time they come after them. */
function numberedAfter(
  inputs: readonly TimedWorldInput[],
  edits: readonly TimedWorldInput[],
): TimedWorldInput[] {
  const first = 1 + Math.max(-1, ...inputs.map(({ number = 0 }) => number));
  return edits.map(({ time, node, input }, index) => ({ time, node, input, number: first + index }));
}

/**
 * Forks a world at a time; `from` is the time of the checkpoint at which its recording begins, if it does at one. Edits come behind the inputs that the parent has there. Throws WorldError for a time outside
 * the run or an edit before it.
 */
export function forkWorld(
  run: RecordedWorld,
  at: number,
  edits: readonly TimedWorldInput[],
  dropsInputs = false,
  from = -1,
): WorldFork {
  if (at < 0 || at > run.reach) {
    throw new WorldError(`Cannot fork at ${at} ns: the world is recorded from 0 to ${run.lastTime} ns`);
  }
  const early = edits.find(({ time }) => time < at);
  if (early !== undefined) {
    throw new WorldError(`An input at ${early.time} ns is before the fork at ${at} ns`);
  }
  const inputs = [
    ...run.inputs.filter(({ time }) => time <= at && time >= from),
    ...numberedAfter(run.inputs, edits),
    ...dropsInputs ? [] : run.inputs.filter(({ time }) => time > at),
  ];
  // What is before the checkpoint is the parent's own.
  let shared = run.roots.filter(({ time }) => time <= from).length;
  return {
    inputs,
    sharedRoots: () => shared,
    observer: {
      rooted: (root) => {
        const recorded = run.roots[shared];
        if (recorded === undefined || root.time > at || recorded.time > at) return;
        if (recorded.time !== root.time || !equalBytes(recorded.historyRoot, root.historyRoot)) {
          throw new DivergenceError(
            `The fork differs from its parent before it begins, at the root of ${root.time} ns`,
            root.time,
          );
        }
        shared++;
      },
    },
  };
}
