/** `why` and `who-wrote` on a debugger's console: where a value came from, asked from within a session. */
import type { Timeline } from "../../journal/timeline.ts";
import { lastWriters, type Subject, type Why, why } from "../../journal/why.ts";
import { UsageError } from "../errors.ts";
import { wholeNumber } from "../options.ts";
import { subjectOf } from "../subject.ts";
import type { SymbolTable } from "../symbols.ts";
import { paletteFor } from "../text.ts";
import { writerLines } from "../who_wrote.ts";
import { targetText } from "../why.ts";
import { effortText, treeLines } from "../why_text.ts";

/** Who asks: a session of a debugger. */
export interface Asker {
  /** The CPU whose registers are meant. */
  readonly cpu: { readonly index: number };
  /** Names. */
  readonly symbols: SymbolTable;
}

/** Links of a chain where no number is given: a console has not much room. */
const USUAL_DEPTH = 8;

const PLAIN = paletteFor({ isColoured: false });

/** Asks about something as it is here, and comes back to here. */
function ask<T extends Why>(
  { symbols }: Asker,
  timeline: Timeline,
  text: string | undefined,
  question: (subject: Subject, here: number) => T,
  answer: (found: T) => readonly string[],
): string {
  if (text === undefined) {
    throw new UsageError("Ask about a register, an address or a symbol: x0, 0x40080000,4");
  }
  const subject = subjectOf(text, symbols), here = timeline.instant;
  try {
    const found = question(subject, here);
    return [targetText(text, subject, found, symbols), ...answer(found)].join("\n");
  } finally {
    timeline.seek(here);
  }
}

/** The chain of steps that a value came from; a second word is how many links. */
export function whyText(session: Asker, timeline: Timeline, [what, links]: readonly string[]): string {
  const depth = links === undefined ? USUAL_DEPTH : wholeNumber(links, "why LINKS", 1, 1000);
  const { cpu: { index: cpu }, symbols } = session;
  return ask(
    session,
    timeline,
    what,
    (subject, here) => why(timeline, subject, here, { cpu, depth }),
    (found) => [...treeLines(found.root, PLAIN, symbols), effortText(found)],
  );
}

/** Who wrote something last. */
export function writerText(session: Asker, timeline: Timeline, [what]: readonly string[]): string {
  const { cpu: { index: cpu }, symbols } = session;
  return ask(
    session,
    timeline,
    what,
    (subject, here) => lastWriters(timeline, subject, here, { cpu }),
    (found) => writerLines(found, PLAIN, symbols),
  );
}
