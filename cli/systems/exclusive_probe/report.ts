/** What the probe said on its console, taken apart. */
import { CommandError } from "../../errors.ts";
import { operationName, type ProbeOperation } from "../../../firmware/exclusive_probe/operations.ts";
import { lastLine } from "../../text.ts";

/** What a level's rounds come to. */
export type Verdict = "bare" | "virtualized" | "inconclusive";

/** A report of the probe. */
export interface ProbeReport {
  /** Rounds of each operation. */
  readonly rounds: number;
  /** Failed stores by the operation's name, `el1 CTR_EL0`. */
  readonly failures: ReadonlyMap<string, number>;
  /** Verdicts by exception level. */
  readonly verdicts: Readonly<Record<0 | 1, Verdict>>;
}

/** What a report says of one level. */
export interface LevelReport {
  /** As in ProbeReport. */
  readonly rounds: number;
  /** As in ProbeReport, of the operations asked for. */
  readonly failures: ReadonlyMap<string, number>;
  /** The level's verdict. */
  readonly verdict: Verdict;
}

/** Reads what a console's text reports of these operations, and of a level. Throws CommandError for a part that is not there. */
export function parseLevel(text: string, operations: readonly ProbeOperation[], level: 0 | 1): LevelReport {
  const missing = (what: string): CommandError =>
    new CommandError(`the probe did not tell ${what}; its last line is ${JSON.stringify(lastLine(text))}`);
  const numberOf = (pattern: RegExp, what: string): number => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw missing(what);
    return Number(found);
  };
  const rounds = numberOf(/rounds (\d+)\r?$/m, "its rounds");
  const failures = new Map(operations.map((operation) => {
    const name = operationName(operation);
    return [name, numberOf(new RegExp(`${name} (\\d+)\\r?$`, "m"), name)];
  }));
  const words = ["bare", "virtualized", "inconclusive"] as const;
  const verdict = words.find((word) => text.includes(`el${level} verdict ${word}`));
  if (verdict === undefined) throw missing(`its verdict on EL${level}`);
  return { rounds, failures, verdict };
}

/** Reads a report of these operations out of a console's text. Throws CommandError for one that is not whole. */
export function parseReport(text: string, operations: readonly ProbeOperation[]): ProbeReport {
  const [el0, el1] = ([0, 1] as const).map((level) => parseLevel(text, operations, level));
  return { rounds: el0!.rounds, failures: el0!.failures, verdicts: { 0: el0!.verdict, 1: el1!.verdict } };
}
