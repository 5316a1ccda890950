/** How a course of a run ended, for people. */
import type { Outcome } from "../journal/course.ts";
import { END_TEXT } from "./info.ts";
import { lastLine } from "./text.ts";

const REASON_TEXT = { ...END_TEXT, limit: "still running at the limit", refused: "not taken by the machine" };

/** Lines shown of what a console wrote. */
const LINES = 3;

const linesOf = ({ console }: Outcome): string[] => console.split(/\r?\n/);

/** How many of the first lines are the same in all that consoles wrote, where they are not the same altogether. */
export function commonStart(outcomes: readonly Outcome[]): number {
  const [first, ...others] = outcomes.map(linesOf);
  const differing = first?.findIndex((line, at) => others.some((lines) => lines[at] !== line)) ?? -1;
  return differing < 0 ? Infinity : differing;
}

/** What the console wrote, from the line on in which it differs from others; its last line where it does not. */
function consoleText(outcome: Outcome, common: number): string {
  const said = linesOf(outcome).slice(common).map(lastLine).filter((line) => line !== "");
  const shown = said.length === 0 ? [lastLine(outcome.console)] : said.slice(0, LINES);
  const more = said.length > LINES ? ", …" : "";
  return shown[0] === "" ? "" : `console: ${shown.map((line) => JSON.stringify(line)).join(", ")}${more}`;
}

/** In a line; `whens` are the conditions that were looked at, and so many first lines of the console are of no interest. */
export function outcomeText(outcome: Outcome, whens: readonly string[], common = Infinity): string {
  const { reason, exitCode, console, held } = outcome;
  if (reason === "refused") return `not taken: ${console}`;
  const said = consoleText(outcome, common);
  return [
    `${REASON_TEXT[reason]}${reason === "poweredOff" ? ` with exit code ${exitCode | 0}` : ""}`,
    ...whens.map((when, index) => `${when}: ${held[index]}`),
    ...(said === "" ? [] : [said]),
  ].join("; ");
}
