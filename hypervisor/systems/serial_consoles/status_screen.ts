/** The status screen: what the machine and its consoles are and do, as text for a terminal; nothing in it but the machine's state. */
import { CONSOLE_KEYS, CONSOLES } from "./options.ts";

/** A CPU on the screen. */
export interface CpuStatus {
  /** "off", "runs", "waits" or "held". */
  readonly state: string;
  /** Exceptions that came to the monitor. */
  readonly exits: number;
}

/** A console on the screen. */
export interface ConsoleStatus {
  /** Its name. */
  readonly name: string;
  /** Bytes to it and from it. */
  readonly written: number;
  readonly typed: number;
  /** Bytes that found no room. */
  readonly overruns: number;
  /** Its owner, in a word. */
  readonly owner: string;
}

/** What the screen says. */
export interface Status {
  readonly columns: number;
  readonly rows: number;
  /** Virtual time in nanoseconds, and steps of the machine. */
  readonly virtualTime: number;
  readonly instant: number;
  /** Bytes of the guest's RAM. */
  readonly memory: number;
  readonly cpuModel: string;
  readonly cpus: readonly CpuStatus[];
  readonly consoles: readonly ConsoleStatus[];
  /** The line: its terminal, encoding, bytes out and in, and how often the console was switched. */
  readonly terminal: string;
  readonly encoding: string;
  readonly sent: number;
  readonly received: number;
  readonly switches: number;
}

/** Hours, minutes, seconds and milliseconds. */
function timeText(nanoseconds: number): string {
  const milliseconds = Math.floor(nanoseconds / 1e6);
  const part = (size: number, of: number, digits = 2): string =>
    String(Math.floor(milliseconds / size) % of).padStart(digits, "0");
  return `${Math.floor(milliseconds / 3_600_000)}:${part(60_000, 60)}:${part(1000, 60)}.${part(1, 1000, 3)}`;
}

const TITLE = "\x1b[30;43m", TEXT = "\x1b[37;44m", STRONG = "\x1b[1;33;44m", KEYS = "\x1b[30;47m";

/** A line over the whole width. */
function line(look: string, text: string, columns: number): string {
  return `${look}${text.slice(0, columns).padEnd(columns)}`;
}

/** What is written on the console's terminal. */
export function statusText(status: Status): string {
  const { columns, rows } = status;
  const keys = CONSOLES.map((name) => `${CONSOLE_KEYS[name]} ${name}`).join("  ");
  const body: (readonly [look: string, text: string])[] = [
    [STRONG, "  Machine"],
    [TEXT, `    ${status.cpus.length} × ${status.cpuModel}, ${Math.floor(status.memory / 2 ** 20)} MiB`],
    [TEXT, `    Virtual time ${timeText(status.virtualTime)}    Instant ${status.instant}`],
    ...status.cpus.map(({ state, exits }, index) =>
      [TEXT, `    CPU ${index}  ${state.padEnd(6)} ${exits} exits`] as const
    ),
    [TEXT, ""],
    [STRONG, "  Consoles"],
    [TEXT, "    name     owner      written      typed   overruns"],
    ...status.consoles.map(({ name, owner, written, typed, overruns }) =>
      [
        TEXT,
        `    ${name.padEnd(8)} ${owner.padEnd(6)} ${String(written).padStart(11)} ${
          String(typed).padStart(10)
        } ${String(overruns).padStart(10)}`,
      ] as const
    ),
    [TEXT, ""],
    [STRONG, "  Line"],
    [TEXT, `    ${status.terminal}, ${status.encoding}; ${status.sent} bytes out, ${status.received} in`],
    [TEXT, `    ${status.switches} switches`],
  ];
  const lines = [
    line(TITLE, "  Hindsight", columns),
    line(TEXT, "", columns),
    ...body.map(([look, text]) => line(look, text, columns)),
  ].slice(0, rows - 1);
  while (lines.length < rows - 1) lines.push(line(TEXT, "", columns));
  lines.push(line(KEYS, ` Ctrl-G Ctrl-B: ${keys}    r refresh`, columns - 1));
  // The last column of the last row is left alone: nothing scrolls.
  return `\x1b[?25l\x1b[0m\x1b[H${lines.map((text, y) => `\x1b[${y + 1};1H${text}`).join("")}`;
}
