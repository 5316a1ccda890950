/** The commands of a client's console: one table. */
import { hex } from "../../machine/address.ts";
import { ALL_CLASSES } from "../../journal/event_stream.ts";
import type { Timeline } from "../../journal/timeline.ts";
import { UsageError } from "../errors.ts";
import { eventText } from "../event_text.ts";
import { type Asker, whyText, writerText } from "../gdb/monitor_origins.ts";
import { wholeNumber } from "../options.ts";
import { bytesText, grouped, paletteFor, secondsText } from "../text.ts";
import type { DapSession } from "./session.ts";

/** Steps on each side of `events` without a number, and most of them. */
const EVENTS = { usual: 5, most: 10_000 };

const PLAIN = paletteFor({ isColoured: false });

/** One command. */
interface ConsoleRow {
  readonly name: string;
  /** Its arguments, in brackets what may be left out. */
  readonly operands: string;
  readonly help: string;
  readonly run: (session: DapSession, words: readonly string[]) => string;
}

function instant({ debuggee: { timeline } }: DapSession): string {
  const { machine } = timeline;
  return `instant ${grouped(timeline.instant)} of ${grouped(timeline.firstInstant)} to ` +
    `${grouped(timeline.lastInstant)}, virtual time ${
      secondsText(machine.virtualTime)
    }, turn of cpu${machine.currentCpu.index}`;
}

function seek(session: DapSession, [text = ""]: readonly string[]): string {
  const { timeline, motion } = session.debuggee;
  const to = wholeNumber(text, "seek", timeline.firstInstant, timeline.lastInstant);
  session.begin(`Going to instant ${grouped(to)}`, motion.seek(to), to);
  return `going to instant ${grouped(to)}`;
}

function events({ debuggee: { timeline, symbols } }: DapSession, [text]: readonly string[]): string {
  const here = timeline.instant;
  const count = text === undefined ? EVENTS.usual : wholeNumber(text, "events", 1, EVENTS.most);
  const from = Math.max(timeline.firstInstant, here - count),
    to = Math.min(timeline.lastInstant, here + count);
  const all = timeline.events(from, to, ALL_CLASSES);
  const line = (event: (typeof all)[number]): string => eventText(event, PLAIN, symbols);
  return [
    ...all.filter((event) => event.instant < here).map(line),
    `--- here, at instant ${grouped(here)} ---`,
    ...all.filter((event) => event.instant >= here).map(line),
  ].join("\n");
}

function symbols({ debuggee: { symbols: table }, cpu }: DapSession, [what]: readonly string[]): string {
  if (table.isEmpty) return "There are no symbols: launch with `symbols`";
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
function asking(
  answer: (asker: Asker, timeline: Timeline, words: readonly string[]) => string,
): ConsoleRow["run"] {
  return (session, words) => {
    const { timeline, symbols } = session.debuggee;
    session.checkStopped();
    return answer({ cpu: session.cpu, symbols }, timeline, words);
  };
}

function statistics({ debuggee: { timeline } }: DapSession): string {
  const { checkpoints, checkpointBytes } = timeline.statistics;
  return `${grouped(checkpoints)} checkpoints, ${bytesText(checkpointBytes)}`;
}

function help(): string {
  const width = Math.max(...COMMANDS.map(({ name, operands }) => name.length + operands.length + 1));
  return [
    ...COMMANDS.map(({ name, operands, help: text }) =>
      `${`${name} ${operands}`.trim().padEnd(width)}  ${text}`
    ),
    'Anything else is an expression: x0 + 8, load(sp, 8), memory(0x40000000, 4), symbol("main"), ESR_EL1.',
  ].join("\n");
}

// deno-fmt-ignore
const COMMANDS: readonly ConsoleRow[] = [
  { name: "instant",     operands: "",            run: instant,    help: "where in the run this is" },
  { name: "seek",        operands: "N",           run: seek,       help: "go to instant N" },
  { name: "events",      operands: "[N]",         run: events,     help: "what happened within N steps of here (5)" },
  { name: "why",         operands: "WHAT [LINKS]", run: asking(whyText),    help: "where a register's or memory's value came from" },
  { name: "who-wrote",   operands: "WHAT",        run: asking(writerText), help: "who wrote it last" },
  { name: "root",        operands: "",            run: ({ debuggee: { timeline: { machine } } }) => `state root ${machine.stateRoot().root.toHex()} at instant ${grouped(machine.instant)}`, help: "the state root here" },
  { name: "symbols",     operands: "[ADDR|NAME]", run: symbols,    help: "the name of an address (the PC), or the addresses of a name" },
  { name: "checkpoints", operands: "",            run: statistics, help: "what is kept for going back" },
  { name: "help",        operands: "",            run: help,       help: "this text" },
];

/** What a command says; undefined for what is none. Throws UsageError for one that is misused. */
export function consoleCommand(session: DapSession, text: string): string | undefined {
  const [name, ...words] = text.trim().split(/\s+/);
  const row = COMMANDS.find((command) => command.name === name);
  if (row === undefined) return undefined;
  const most = row.operands === "" ? 0 : row.operands.split(" ").length;
  if (words.length <= most) return row.run(session, words);
  // `instant > 5` is an expression.
  if (most === 0) return undefined;
  throw new UsageError(`Write: ${row.name} ${row.operands}`);
}
