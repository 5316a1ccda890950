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

/** Reads a report of these operations out of a console's text. Throws CommandError for one that is not whole. */
export function parseReport(text: string, operations: readonly ProbeOperation[]): ProbeReport {
  const number = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const missing = (what: string): CommandError =>
    new CommandError(`the probe did not tell ${what}; its last line is ${JSON.stringify(lastLine(text))}`);
  const rounds = number(/^.*rounds (\d+)\r?$/m);
  if (rounds === undefined) throw missing("its rounds");
  const failures = new Map<string, number>();
  for (const operation of operations) {
    const name = operationName(operation);
    const failed = number(new RegExp(`${name} (\\d+)\\r?$`, "m"));
    if (failed === undefined) throw missing(name);
    failures.set(name, failed);
  }
  const verdict = (level: 0 | 1): Verdict => {
    const found = new RegExp(`el${level} verdict (bare|virtualized|inconclusive)`).exec(text)?.[1];
    if (found === undefined) throw missing(`its verdict on EL${level}`);
    return found as Verdict;
  };
  return { rounds, failures, verdicts: { 0: verdict(0), 1: verdict(1) } };
}
