/** The commands of gdb's `monitor`: one table. */
import { hex, type PhysicalAddress } from "../../machine/address.ts";
import { peekPhysical } from "../../machine/debugger_memory.ts";
import { ALL_CLASSES } from "../../journal/event_stream.ts";
import type { Timeline } from "../../journal/timeline.ts";
import { UsageError } from "../errors.ts";
import { eventText } from "../event_text.ts";
import { failureOf } from "../failure.ts";
import { wholeNumber } from "../options.ts";
import { suggestion } from "../suggest.ts";
import { bytesText, grouped, hexDump, paletteFor, secondsText } from "../text.ts";
import { whyText, writerText } from "./monitor_origins.ts";
import type { Answer, GdbSession } from "./session.ts";

/** Steps on each side of `events` without a number, and most of them. */
const EVENTS = { usual: 5, most: 10_000 };
/** Most bytes of `phys`. */
const LONGEST_DUMP = 4096;
/** Steps of a slice of `seek`. */
const SEEK_SLICE = 1 << 24;

const PLAIN = paletteFor({ isColoured: false });

/** A command: words in, text out, perhaps after a while. */
type Run = (session: GdbSession, words: readonly string[]) => string | Generator<void, string>;

/** One command of `monitor`. */
interface MonitorRow {
  readonly name: string;
  /** Its arguments, in brackets what may be left out. */
  readonly operands: string;
  readonly help: string;
  readonly run: Run;
}

/** What gdb has to be told after the machine moved behind its back. */
const STALE = "gdb does not know: type `maintenance flush register-cache`, or see `monitor help`";

function timelineOf({ target: { timeline } }: GdbSession): Timeline {
  if (timeline !== undefined) return timeline;
  throw new UsageError("This needs a recorded run: end the recording, then `hindsight gdb RUN`");
}

function instant({ target: { machine, timeline } }: GdbSession): string {
  const range = timeline === undefined
    ? ""
    : ` of ${grouped(timeline.firstInstant)} to ${grouped(timeline.lastInstant)}`;
  return `instant ${grouped(machine.instant)}${range}, virtual time ${secondsText(machine.virtualTime)}, ` +
    `turn of cpu${machine.currentCpu.index}`;
}

function* seek(session: GdbSession, [text = ""]: readonly string[]): Generator<void, string> {
  const timeline = timelineOf(session);
  const to = wholeNumber(text, "seek", timeline.firstInstant, timeline.lastInstant);
  timeline.seek(timeline.startOf(to));
  while (timeline.instant < to) {
    timeline.seek(Math.min(to, timeline.instant + SEEK_SLICE));
    yield;
  }
  session.selected = session.meant = timeline.machine.currentCpu.index;
  session.stopped = { kind: "stepped", cpu: session.selected };
  return `${instant(session)}\n${STALE}`;
}

function events(session: GdbSession, [text]: readonly string[]): string {
  const timeline = timelineOf(session), here = timeline.instant;
  const count = text === undefined ? EVENTS.usual : wholeNumber(text, "events", 1, EVENTS.most);
  const from = Math.max(timeline.firstInstant, here - count),
    to = Math.min(timeline.lastInstant, here + count);
  const all = timeline.events(from, to, ALL_CLASSES);
  const lines = all.map((event) => ({ event, line: eventText(event, PLAIN, session.symbols) }));
  const next = lines.findIndex(({ event }) => event.instant >= here);
  const marker = `${"".padStart(14)}  --- here, at instant ${grouped(here)} ---`;
  const before = next < 0 ? lines : lines.slice(0, next), after = next < 0 ? [] : lines.slice(next);
  return [...before.map(({ line }) => line), marker, ...after.map(({ line }) => line)].join("\n");
}

function root({ target: { machine } }: GdbSession): string {
  return `state root ${machine.stateRoot().root.toHex()} at instant ${grouped(machine.instant)}`;
}

function physical({ cpu }: GdbSession, [address = "", length = "64"]: readonly string[]): string {
  const at = wholeNumber(address, "phys ADDRESS", 0, 2 ** 52 - 1);
  const size = wholeNumber(length, "phys LENGTH", 1, LONGEST_DUMP);
  const bytes = peekPhysical(cpu, { physical: at as PhysicalAddress, secure: true }, size);
  if (bytes.length > 0) return hexDump(at, bytes);
  throw new UsageError(
    `There is no memory at ${hex(at)}; devices are not read, since reading may change them`,
  );
}

function symbols(session: GdbSession, [what]: readonly string[]): string {
  const { symbols: table, cpu } = session;
  if (table.isEmpty) return "There are no symbols: start hindsight with --symbols FILE";
  if (what === undefined || /^0x[0-9a-f]{1,16}$/i.test(what)) {
    const address = what === undefined ? cpu.pc : BigInt(what);
    return `${hex(address)}${table.label(address) || " has no name"}`;
  }
  const found = table.addressesOf(what);
  return found.length === 0
    ? `There is no symbol ${what}`
    : found.map((address) => hex(address, 16)).join("\n");
}

/** A question about the recorded run. */
function asking(answer: (session: GdbSession, timeline: Timeline, words: readonly string[]) => string): Run {
  return (session, words) => answer(session, timelineOf(session), words);
}

function statistics(session: GdbSession): string {
  const { checkpoints, checkpointBytes } = timelineOf(session).statistics;
  return `${grouped(checkpoints)} checkpoints, ${bytesText(checkpointBytes)}`;
}

function recording({ target }: GdbSession, [what]: readonly string[]): string {
  if (what !== "end" || target.endRecording === undefined) {
    throw new UsageError(
      target.endRecording === undefined
        ? "Nothing is being recorded: this is a recorded run"
        : "Write: record end",
    );
  }
  target.endRecording();
  return "The recording ends here: detach, then `hindsight gdb RUN` goes back and forth in it";
}

function help(): string {
  const width = Math.max(...COMMANDS.map(({ name, operands }) => name.length + operands.length + 1));
  return [
    ...COMMANDS.map(({ name, operands, help: text }) =>
      `${`${name} ${operands}`.trim().padEnd(width)}  ${text}`
    ),
    "",
    "To go to an instant and have gdb notice, define once:",
    "  define seek",
    "  monitor seek $arg0",
    "  maintenance flush register-cache",
    "  frame",
    "  end",
    "$instant and $virtual_time are registers: `break f if $instant > 1000000`.",
  ].join("\n");
}

// deno-fmt-ignore
const COMMANDS: readonly MonitorRow[] = [
  { name: "instant",     operands: "",              run: instant,    help: "where in the run this is" },
  { name: "seek",        operands: "N",             run: seek,       help: "go to instant N" },
  { name: "events",      operands: "[N]",           run: events,     help: "what happened within N steps of here (5)" },
  { name: "why",         operands: "WHAT [LINKS]",  run: asking(whyText),    help: "where a register's or memory's value came from" },
  { name: "who-wrote",   operands: "WHAT",          run: asking(writerText), help: "who wrote it last" },
  { name: "root",        operands: "",              run: root,       help: "the state root here" },
  { name: "symbols",     operands: "[ADDR|NAME]",   run: symbols,    help: "the name of an address (the PC), or the addresses of a name" },
  { name: "phys",        operands: "ADDR [LEN]",    run: physical,   help: "memory at a physical address, 64 bytes or LEN" },
  { name: "checkpoints", operands: "",              run: statistics, help: "what is kept for going back" },
  { name: "record",      operands: "end",           run: recording,  help: "end the recording of a run that is being recorded" },
  { name: "help",        operands: "",              run: help,       help: "this text" },
];

/** Carries out a command, its output on the client's console. */
export function monitorCommand(session: GdbSession, text: string): Answer {
  const [name = "help", ...words] = text.trim().split(/\s+/).filter((word) => word !== "");
  const row = COMMANDS.find((command) => command.name === name);
  const work = function* (): Generator<void, string> {
    try {
      if (row === undefined) {
        const names = COMMANDS.map((command) => command.name);
        throw new UsageError(
          `There is no command "${name}"${suggestion(name, names) || `; there are ${names.join(", ")}`}`,
        );
      }
      const output = row.run(session, words);
      session.print(`${typeof output === "string" ? output : yield* output}\n`);
    } catch (error) {
      session.print(`${failureOf(error).message}\n`);
    }
    return "OK";
  };
  return { work: work(), interrupted: () => "OK" };
}
