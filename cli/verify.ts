/** `hindsight verify`: checks a journal block by block, and everything stored in it against a replay. */
import { classOf, type EventClass, type MachineEvent, writeEvent } from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import { eventStream, storedClasses } from "../journal/event_stream.ts";
import { equalBytes } from "../journal/hash.ts";
import { DivergenceError, Replay } from "../journal/replay.ts";
import { type Command, IMAGE_OPTIONS } from "./command.ts";
import { eventText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, type OpenedRun, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import type { Options } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { counted, type Palette, paletteFor } from "./text.ts";

/** Compares events by their canonical bytes. */
class EventComparison {
  readonly #writers = [new ByteWriter(), new ByteWriter()] as const;

  /** Whether the two are the same event. */
  areEqual(left: MachineEvent, right: MachineEvent): boolean {
    for (const [writer, event] of [[this.#writers[0], left], [this.#writers[1], right]] as const) {
      writer.clear();
      writeEvent(writer, event);
    }
    return equalBytes(this.#writers[0].view(), this.#writers[1].view());
  }
}

function refusal(
  stored: MachineEvent | undefined,
  derived: MachineEvent | undefined,
  palette: Palette,
): DivergenceError {
  const text = (event: MachineEvent | undefined) =>
    event === undefined ? "nothing more" : eventText(event, palette);
  const instant = Math.min(stored?.instant ?? Infinity, derived?.instant ?? Infinity);
  return new DivergenceError(
    `The journal's events differ from the replay's at instant ${instant}:\n` +
      `  stored:  ${text(stored)}\n  derived: ${text(derived)}`,
    instant,
  );
}

/** Compares all stored events, steps included, with derived ones; returns their numbers by class. */
function compareEvents(opened: OpenedRun, options: Options, host: Host): Map<EventClass, number> {
  const { run } = opened;
  const classes = storedClasses(run);
  const progress = new Progress(host, "verifying");
  const stored = run.stored({ from: 0, to: Infinity, classes });
  const derived = eventStream(run, imagesOf(opened, options), { classes }, {
    ...engineOf(options),
    derive: true,
    checkEvents: false,
  });
  const counts = new Map<EventClass, number>(classes.map((name) => [name, 0]));
  const comparison = new EventComparison();
  const palette = paletteFor(host.stderr);
  for (const event of derived) {
    const { value: other, done } = stored.next();
    if (done || !comparison.areEqual(other, event)) {
      progress.clear();
      throw refusal(done ? undefined : other, event, palette);
    }
    const name = classOf(event.kind);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    progress.update(event.instant, run.lastInstant);
  }
  progress.clear();
  const { value: left, done } = stored.next();
  if (!done) throw refusal(left, undefined, palette);
  return counts;
}

/** Goes to each checkpoint at a root, whose state has to be the root's; returns how many there are. */
function checkCheckpoints(opened: OpenedRun, options: Options, host: Host): number {
  const { run } = opened, { length } = run.laterCheckpoints;
  if (length === 0) return 0;
  const progress = new Progress(host, "checking checkpoints");
  const replay = new Replay(run, imagesOf(opened, options), { ...engineOf(options), history: false });
  for (const { root: { instant } } of run.laterCheckpoints) {
    replay.goToCheckpoint(instant);
    progress.update(instant, run.lastInstant);
  }
  progress.clear();
  return length;
}

function run(options: Options, host: Host): number {
  const opened = openRun(options.others[0]!, host);
  const { reader, run } = opened;
  for (const { number } of reader.blocks) reader.payload(number);
  const counts = compareEvents(opened, options, host);
  const checkpoints = checkCheckpoints(opened, options, host);
  const roots = run.roots.length + (run.end === undefined ? 0 : 1);
  if (options.isOn("json")) {
    const value = {
      blocks: reader.blocks.length,
      bytes: opened.size,
      torn: reader.torn ?? null,
      complete: run.end !== undefined,
      roots,
      checkpoints,
      events: Object.fromEntries(counts),
    };
    host.stdout.write(`${JSON.stringify(value)}\n`);
    return 0;
  }
  const { green } = paletteFor(host.stdout);
  const events = [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
  host.stdout.write(
    `${green("Sound")}: ${counted(reader.blocks.length, "block")} hashed, chained and decoded; ` +
      `${counted(roots, "root")} and ${
        counted([...counts.values()].reduce((sum, n) => sum + n, 0), "stored event")
      } ` +
      `(${events}) equal on replay${
        checkpoints === 0 ? "" : `, ${counted(checkpoints, "checkpoint")} the state of its root`
      }.\n`,
  );
  return 0;
}

/** The command. */
export const verify: Command = {
  operands: ["RUN"],
  details: "More than `replay`: every block is decoded, and every stored event is compared, steps included.",
  examples: ["deno task hindsight verify u.hindsight"],
  options: [
    ...ENGINE_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
