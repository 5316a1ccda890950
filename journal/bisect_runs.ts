/** Bisect between two runs: where they part, and which of their inputs are not the same. */
import type { InputEvent } from "../machine/events.ts";
import { alignEvents } from "./diff_align.ts";
import { diff, type Difference, type DiffOptions, type DiffSide } from "./diff.ts";
import { PairClassifier } from "./diff_kinds.ts";

/** Two inputs that belong together and differ, or one that only one run has. */
export interface InputDifference {
  /** The first run's. */
  readonly left?: InputEvent;
  /** The second run's. */
  readonly right?: InputEvent;
  /** They say the same at another time. */
  readonly isTiming: boolean;
}

/** What two runs have in common and what not. */
export interface RunsBisection {
  /** The first divergent event. */
  readonly difference: Difference;
  /** Inputs of both runs that are the same, the instant included. */
  readonly equalInputs: number;
  /** Those that are not, in order. */
  readonly inputs: readonly InputDifference[];
}

/** Finds the first divergent event of two runs, and all inputs that differ: by the law, with the machines, the cause. */
export function bisectRuns(left: DiffSide, right: DiffSide, options: DiffOptions = {}): RunsBisection {
  const classifier = new PairClassifier();
  const inputs: InputDifference[] = [];
  let equalInputs = 0;
  for (const aligned of alignEvents(left.run.inputs, right.run.inputs)) {
    const [one, other] = [aligned.left as InputEvent | undefined, aligned.right as InputEvent | undefined];
    const difference = one === undefined || other === undefined ? undefined : classifier.classify(one, other);
    if (difference === "same") equalInputs++;
    else {
      inputs.push({
        ...one === undefined ? {} : { left: one },
        ...other === undefined ? {} : { right: other },
        isTiming: difference === "timing",
      });
    }
  }
  return { difference: diff(left, right, options), equalInputs, inputs };
}
