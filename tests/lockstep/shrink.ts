/** Makes a trial that shows a difference shorter: fewer steps, inputs, CPUs and lines. */
import { parseConfiguration } from "../../machine/configuration.ts";
import type { Trial } from "./trial.ts";

/** True when a trial still shows the difference; false for what cannot be built. */
export type Shows = (trial: Trial) => boolean;

/** Removes as many elements of a list as it can, in halves, quarters and so on down to single ones. */
function fewest<T>(list: readonly T[], isEnough: (fewer: readonly T[]) => boolean): readonly T[] {
  let kept = list;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length;) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (isEnough(fewer)) kept = fewer;
      else at += size;
    }
  }
  return kept;
}

/** Simpler values of settings, each tried for itself; the others fall back to their defaults. */
const SIMPLE: Readonly<Record<string, unknown>> = { cpus: 1, strictModels: [] };

function simplerSettings(trial: Trial, shows: Shows): Trial {
  const defaults: Readonly<Record<string, unknown>> = { ...parseConfiguration({}), ...SIMPLE };
  let best = trial;
  for (const name of Object.keys(trial.program.settings)) {
    if (name === "memoryMiB" || best.program.settings[name] === defaults[name]) continue;
    const settings = { ...best.program.settings, [name]: defaults[name] };
    const simpler = { ...best, program: { ...best.program, settings } };
    if (shows(simpler)) best = simpler;
  }
  return best;
}

/** Without lines that are not needed; those with labels only after the others, since the rest may need them. */
function fewerLines(source: string, isEnough: (source: string) => boolean): string {
  let lines = source.split("\n").filter((line) => line.trim() !== "");
  for (const isChosen of [(line: string) => !/^\s*\w+:/.test(line), () => true]) {
    const chosen = lines.flatMap((line, at) => isChosen(line) ? [at] : []);
    const without = (kept: readonly number[]) => {
      const keep = new Set(kept);
      return lines.filter((line, at) => !isChosen(line) || keep.has(at));
    };
    lines = without(fewest(chosen, (kept) => isEnough(without(kept).join("\n"))));
  }
  return lines.join("\n");
}

/** The shortest trial found in a number of tries: as long as anything can be left out, it is. */
export function shrink(trial: Trial, shows: Shows, tries: number): Trial {
  let left = tries, best = trial, size = Infinity;
  const isShown: Shows = (candidate) => {
    try {
      return left > 0 && left-- > 0 && shows(candidate);
    } catch {
      return false;
    }
  };
  const sizeOf = ({ program, plan }: Trial) => program.source.length + plan.inputs.length;
  while (sizeOf(best) < size && left > 0) {
    size = sizeOf(best);
    best = simplerSettings(best, isShown);
    const withInputs = (inputs: Trial["plan"]["inputs"]): Trial => ({
      ...best,
      plan: { ...best.plan, inputs },
    });
    best = withInputs(fewest(best.plan.inputs, (inputs) => isShown(withInputs(inputs))));
    const withSource = (source: string): Trial => ({ ...best, program: { ...best.program, source } });
    best = withSource(fewerLines(best.program.source, (source) => isShown(withSource(source))));
  }
  return best;
}
