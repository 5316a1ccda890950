/** `hindsight rewind`: consoles as they were, texts by the instant at which they were printed, and the machine there. */
import { Replay } from "../journal/replay.ts";
import { type Command, IMAGE_OPTIONS } from "./command.ts";
import { ConsoleHistory, LINE, type Printed } from "./console_history.ts";
import { cpuText } from "./cpu_view.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { UsageError } from "./errors.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, type OpenedRun, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { type Options, refuseOutside } from "./options.ts";
import { replayTo } from "./replay.ts";
import { rewindOnTerminal } from "./rewind_view.ts";
import { grouped, paletteFor, secondsText } from "./text.ts";

/** Most rows of one answer. */
const MOST_FOUND = 10_000;

function historyOf(opened: OpenedRun, options: Options, host: Host): ConsoleHistory {
  const replay = new Replay(opened.run, imagesOf(opened, options), engineOf(options));
  const history = new ConsoleHistory(replay.machine);
  const progress = new Progress(host, "replaying");
  replayTo(replay, opened.run.lastInstant, progress);
  replay.runToEnd();
  progress.clear();
  return history;
}

/** The console that is meant: by its name, else the shell's where there is one. */
function consoleOf(options: Options, history: ConsoleHistory): string {
  const name = options.text("console") ?? (history.names.includes("shell") ? "shell" : LINE);
  if (!history.names.includes(name)) {
    throw new UsageError(`There is no console "${name}" in this run: there are ${history.names.join(", ")}`);
  }
  return name;
}

function showScreen(history: ConsoleHistory, name: string, at: number, options: Options, host: Host): void {
  const { screen } = history.at(name, at);
  const rows = Array.from({ length: screen.rows }, (_, y) => screen.grid.text(y));
  if (options.isOn("json")) {
    const cursor = { column: screen.x + 1, row: screen.y + 1 };
    host.stdout.write(`${JSON.stringify({ console: name, instant: at, cursor, rows })}\n`);
  } else host.stdout.write(rows.map((row) => `${row}\n`).join(""));
}

function expressionOf(text: string): string | RegExp {
  const [, source] = /^\/(.+)\/$/.exec(text) ?? [];
  if (source === undefined) return text;
  try {
    return new RegExp(source, "m");
  } catch (error) {
    throw new UsageError(`--search ${text}: ${(error as Error).message}`);
  }
}

function showFound(found: readonly Printed[], options: Options, host: Host): void {
  const { dim } = paletteFor(host.stdout);
  for (const printed of found.slice(0, MOST_FOUND)) {
    const { console, instant, virtualTime, text } = printed;
    if (options.isOn("json")) host.stdout.write(`${JSON.stringify(printed)}\n`);
    else {
      const place = `${grouped(instant).padStart(15)}  ${secondsText(virtualTime).padStart(16)}  ${
        console.padEnd(6)
      }`;
      host.stdout.write(`${dim(place)}  ${text}\n`);
    }
  }
}

/** The machine when the step at an instant is next. */
function showMachine(opened: OpenedRun, at: number, options: Options, host: Host): void {
  const replay = new Replay(opened.run, imagesOf(opened, options), engineOf(options));
  const progress = new Progress(host, "replaying");
  replayTo(replay, at, progress);
  progress.clear();
  const { machine } = replay, palette = paletteFor(host.stdout);
  host.stdout.write(`instant ${grouped(machine.instant)}, ${secondsText(machine.virtualTime)}\n`);
  for (const cpu of machine.board.cpus) host.stdout.write(`${cpuText(cpu, palette)}\n`);
  host.stdout.write(
    `go on from here: hindsight gdb ${opened.path} --at ${at}, state --at ${at}, fork ${opened.path} --at ${at}\n`,
  );
}

async function run(options: Options, host: Host): Promise<number> {
  const opened = openRun(options.others[0]!, host), at = options.number("at"), text = options.text("search");
  refuseOutside("--at", at, opened.run);
  if (options.isOn("jump") && text === undefined) {
    throw new UsageError("--jump goes to what --search finds: give that too");
  }
  const wanted = text === undefined ? undefined : expressionOf(text);
  const history = historyOf(opened, options, host);
  if (wanted !== undefined) {
    const names = options.text("console") === undefined ? history.names : [consoleOf(options, history)];
    // What the line shows is what other consoles have, where there are any.
    const searched = names.length > 1 ? names.filter((name) => name !== LINE) : names;
    const found = searched.flatMap((name) => history.search(name, wanted))
      .filter(({ instant }) => instant >= (at ?? 0)).sort((a, b) => a.instant - b.instant);
    const [first] = found;
    if (first === undefined) {
      host.stderr.write(
        `hindsight: "${text}" was never printed${at === undefined ? "" : ` from instant ${at} on`}\n`,
      );
      return 1;
    }
    if (!options.isOn("jump")) showFound(found, options, host);
    else {
      showScreen(history, first.console, first.lastInstant + 1, options, host);
      if (!options.isOn("json")) showMachine(opened, first.instant, options, host);
    }
    return 0;
  }
  const name = consoleOf(options, history);
  if (at !== undefined || !host.stdin.isTerminal || !host.stdout.isTerminal) {
    showScreen(history, name, at ?? opened.run.lastInstant + 1, options, host);
    return 0;
  }
  const chosen = await rewindOnTerminal(history, name, host);
  if (chosen !== undefined) showMachine(opened, Math.min(chosen, opened.run.lastInstant), options, host);
  return 0;
}

/** The command. */
export const rewind: Command = {
  operands: ["RUN"],
  details:
    `Derived by replaying. With --at: a console's screen when the step at that instant is next. With --search: where a text
was printed, or what /EXPRESSION/ matches, by the instant of the step that wrote its first byte; --jump shows the
screen that had it, and the machine before that step. Without them, on a terminal: left and right go a line back and
forth, up and down ten, Home and End to the ends, / searches, n and N go to the next and the one before, digits choose
the console, Enter shows the machine there, q ends. The consoles of a run with serial-consoles are shell and log beside
the line itself, whether the line showed them or not.`,
  examples: [
    "deno task hindsight rewind u.hindsight --at 5000000",
    "deno task hindsight rewind u.hindsight --search 'DRAM:' --jump",
  ],
  options: [
    {
      name: "console",
      value: "NAME",
      help: "line, and with serial-consoles shell (then the default) or log",
    },
    { name: "at", value: "N", help: "the screen at this instant; with --search from there on" },
    {
      name: "search",
      value: "TEXT",
      help: "where this was printed, or /EXPRESSION/; in all consoles by default",
    },
    { name: "jump", help: "show the screen and the machine at the first place" },
    ...ENGINE_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
