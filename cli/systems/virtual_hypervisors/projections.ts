/** What virtual machines of recorded runs know of them: lines to compare, and where two part. */
import { eventStream } from "../../../journal/event_stream.ts";
import { PROJECTED_CLASSES, projectedEvents, projectedJson } from "../../../journal/projection.ts";
import type { EventClass } from "../../../machine/events.ts";
import type { CheckContext, Recorded } from "../scenario.ts";

/** Whose lines. */
export interface Owner {
  /** Number of the instance. */
  readonly instance: number;
  /** Number of the virtual machine. */
  readonly vm: number;
}

/** Lines made between two looks at signals. */
const SLICE = 20_000;

/** The projected journal of one virtual machine, line by line; what is not stored is derived on another engine. */
export function* projectedLines(
  context: CheckContext,
  { run, images, engine }: Recorded,
  { instance, vm }: Owner,
  more: readonly EventClass[] = [],
): Generator<string> {
  const other = engine === "threaded" ? "compiled" : "threaded";
  const classes = [...PROJECTED_CLASSES, ...more];
  const events = eventStream(run, images, { classes }, context.machineOptions(other));
  for (const projected of projectedEvents(events, instance, vm)) yield projectedJson(projected);
}

/** All of it. */
export async function projectionOf(
  context: CheckContext,
  recorded: Recorded,
  owner: Owner,
  more: readonly EventClass[] = [],
): Promise<string[]> {
  const lines: string[] = [];
  for (const line of projectedLines(context, recorded, owner, more)) {
    if (lines.push(line) % SLICE === 0) await context.breathe();
  }
  return lines;
}

/** Where two projected journals part: number of the line and both lines; undefined when they are the same. */
export async function firstDifference(
  context: CheckContext,
  left: readonly string[],
  right: Iterable<string>,
): Promise<{ readonly line: number; readonly left: string; readonly right: string } | undefined> {
  let line = 0;
  for (const text of right) {
    if (text !== left[line]) return { line, left: left[line] ?? "nothing", right: text };
    if (++line % SLICE === 0) await context.breathe();
  }
  return line < left.length ? { line, left: left[line] as string, right: "nothing" } : undefined;
}
