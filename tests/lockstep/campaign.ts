/** Many random programs on several engines, one after another, until a difference is found and made short. */
import { compareEngines, type Contestant, locate, type Place } from "./compare.ts";
import { shrink } from "./shrink.ts";
import { type Forced, randomTrial, type Trial } from "./trial.ts";

/** What a campaign came to. */
export interface Report {
  /** Programs run. */
  programs: number;
  /** Steps of the first engine. */
  steps: number;
  /** The first difference: what is known of it, and the shortest trial that shows it. */
  found?: Place;
}

/** How long a campaign may take. */
export interface Limits {
  /** Programs at most. */
  readonly programs: number;
  /** Milliseconds at most; the last program is finished. */
  readonly milliseconds: number;
  /** Tries to make a program shorter. */
  readonly tries: number;
}

/** Who is told how a campaign goes. */
export interface Listener {
  /** A random program begins; `report` is of those before it. */
  begins?(trial: Trial, report: Report): void;
  /** A difference was found, or a shorter program that shows it is being looked for. */
  differs?(place: Place): void;
  /** A try to make the program shorter begins. */
  tries?(): void;
}

/** Runs the trials that `draw` gives for `seed`, `seed` + 1 and so on until one differs or a limit is reached. */
export function campaign(
  seed: number,
  contestants: readonly Contestant[],
  limits: Limits,
  forced: Forced = {},
  listener: Listener = {},
  draw: typeof randomTrial = randomTrial,
): Report {
  const report: Report = { programs: 0, steps: 0 }, start = performance.now();
  while (report.programs < limits.programs && performance.now() - start < limits.milliseconds) {
    const trial = draw((seed + report.programs) >>> 0, forced);
    listener.begins?.(trial, report);
    const { steps, difference } = compareEngines(trial, contestants);
    report.programs++;
    report.steps += steps;
    if (difference === undefined) continue;
    const pair = [difference.left, difference.right];
    const shows = (candidate: Trial) => {
      listener.tries?.();
      return compareEngines(candidate, pair).difference !== undefined;
    };
    const cut = locate(trial, difference);
    listener.differs?.(cut);
    const short = shrink(cut.trial, shows, limits.tries);
    report.found = locate(short, compareEngines(short, pair).difference ?? difference);
    return report;
  }
  return report;
}
