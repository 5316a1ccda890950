/** How a course of a run ended, for people. */
import type { Outcome } from "../journal/course.ts";
import { END_TEXT } from "./info.ts";
import { lastLine } from "./text.ts";

const REASON_TEXT = { ...END_TEXT, limit: "still running at the limit", refused: "not taken by the machine" };

/** In a line; `whens` are the conditions that were looked at. */
export function outcomeText({ reason, exitCode, console, held }: Outcome, whens: readonly string[]): string {
  if (reason === "refused") return `not taken: ${console}`;
  const last = lastLine(console);
  return [
    `${REASON_TEXT[reason]}${reason === "poweredOff" ? ` with exit code ${exitCode | 0}` : ""}`,
    ...whens.map((when, index) => `${when}: ${held[index]}`),
    ...(last === "" ? [] : [`console: ${JSON.stringify(last)}`]),
  ].join("; ");
}
