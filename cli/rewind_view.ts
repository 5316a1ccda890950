/** A run's consoles on a terminal: back and forth by keys. */
import { ATTRIBUTE, Grid, PLAIN } from "../hypervisor/terminal/grid.ts";
import { Painter } from "../hypervisor/terminal/painter.ts";
import type { ConsoleHistory } from "./console_history.ts";
import type { Host } from "./host/host.ts";
import { grouped } from "./text.ts";

/** What keys send. */
// deno-fmt-ignore
const KEYS: readonly (readonly [sent: string, key: string])[] = [
  ["\x1b[D", "left"], ["\x1b[C", "right"], ["\x1b[A", "up"], ["\x1b[B", "down"], ["\x1b[H", "home"], ["\x1b[F", "end"],
  ["\x1b[1~", "home"], ["\x1b[4~", "end"], ["\x1bOD", "left"], ["\x1bOC", "right"], ["\x1bOA", "up"], ["\x1bOB", "down"],
];
/** Lines that keys go. */
const MOVES: Readonly<Record<string, number>> = {
  left: -1,
  right: 1,
  up: -10,
  down: 10,
  home: -Infinity,
  end: Infinity,
};

/** What is shown and where it goes; knows no terminal. */
export class RewindView {
  #name: string;
  #starts: number[];
  #at: number;
  #prompt: string | undefined;
  #wanted = "";
  #note = "";

  /** Begins at the end of a console. */
  constructor(private readonly history: ConsoleHistory, name: string) {
    this.#name = name;
    this.#starts = this.#startsOf(name);
    this.#at = this.#starts.length - 1;
  }

  /** Where lines begin, and where all is written. */
  #startsOf(name: string): number[] {
    return [...this.history.lineStarts(name), Infinity];
  }

  /** The instant that is shown. */
  get instant(): number {
    return this.#starts[this.#at] ?? Infinity;
  }

  /** Takes a key; "end" and "jump" end the view. */
  key(key: string): "end" | "jump" | undefined {
    this.#note = "";
    if (this.#prompt !== undefined) return this.#typed(key);
    if (key === "q" || key === "\x03") return "end";
    if (key === "\r") return "jump";
    if (key in MOVES) this.#go(this.#at + (MOVES[key] as number));
    else if (key === "/") this.#prompt = "";
    else if (key === "n") this.#find(1);
    else if (key === "N") this.#find(-1);
    else if (/^[1-9]$/.test(key)) this.#choose(Number(key) - 1);
    return undefined;
  }

  #typed(key: string): undefined {
    const prompt = this.#prompt as string;
    if (key === "\r") {
      this.#prompt = undefined;
      this.#wanted = prompt;
      this.#find(1);
    } else if (key === "\x1b" || key === "\x03") this.#prompt = undefined;
    else if (key === "\x7f") this.#prompt = prompt.slice(0, -1);
    else if (key.length === 1 && key >= " ") this.#prompt = prompt + key;
    return undefined;
  }

  #go(to: number): void {
    this.#at = Math.max(0, Math.min(this.#starts.length - 1, to));
  }

  #choose(index: number): void {
    const name = this.history.names[index], { instant } = this;
    if (name === undefined) return;
    this.#name = name;
    this.#starts = this.#startsOf(name);
    this.#go(this.#starts.findIndex((start) => start >= instant));
  }

  /** To the next place, or the one before, at which the text was printed: the line behind it is next. */
  #find(direction: 1 | -1): void {
    if (this.#wanted === "") return;
    const places = this.history.search(this.#name, this.#wanted).map(({ lastInstant }) =>
      this.#starts.findIndex((start) => start > lastInstant)
    );
    const found = direction > 0 ? places.find((at) => at > this.#at) : places.findLast((at) => at < this.#at);
    if (found === undefined) {
      this.#note = `"${this.#wanted}" is not printed ${direction > 0 ? "later" : "before"}`;
    } else this.#at = found;
  }

  /** The console's cells, and a row below them. */
  grid(): Grid {
    const { screen } = this.history.at(this.#name, this.instant), { columns, rows } = screen;
    const grid = new Grid(columns, rows + 1);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) grid.set(x, y, screen.grid.code(x, y), screen.grid.pen(x, y));
    }
    const instant = this.instant === Infinity ? "end" : `instant ${grouped(this.instant)}`;
    const names = this.history.names.map((name, index) => `${index + 1} ${name}`).join(" ");
    const line = this.#prompt === undefined
      ? ` ${this.#name}: ${instant}, line ${this.#at} of ${this.#starts.length - 1}  ${
        this.#note || `${names}  / n N Enter q`
      }`
      : `/${this.#prompt}`;
    const pen = { ...PLAIN, attributes: ATTRIBUTE.reverse };
    for (let x = 0; x < columns; x++) grid.set(x, rows, line.charCodeAt(x) || 0x20, pen);
    return grid;
  }
}

/** Splits what came into keys. */
export function keysOf(text: string): string[] {
  const keys: string[] = [];
  while (text !== "") {
    const found = KEYS.find(([sent]) => text.startsWith(sent));
    keys.push(found?.[1] ?? text[0] as string);
    text = text.slice(found?.[0].length ?? 1);
  }
  return keys;
}

/** Shows consoles until the user has enough; the instant to look at the machine at, if that was asked for. */
export async function rewindOnTerminal(
  history: ConsoleHistory,
  name: string,
  host: Host,
): Promise<number | undefined> {
  const view = new RewindView(history, name), done = new AbortController();
  let result: "end" | "jump" | undefined;
  const first = view.grid();
  const painter = new Painter(first.columns, first.rows, (bytes) => host.stdout.write(bytes));
  const modes = { cursorVisible: false, cursorKeys: false, keypad: false, bracketedPaste: false };
  const show = (): void =>
    painter.paint({
      grid: view.grid(),
      x: 0,
      y: 0,
      modes: { ...modes, mouse: 0, mouseFormat: 0, focus: false },
    });
  painter.attach(first.columns, first.rows);
  show();
  host.stdin.setRaw(true);
  host.stdin.start((bytes) => {
    for (const key of keysOf(new TextDecoder().decode(bytes))) result ??= view.key(key);
    if (result === undefined) show();
    else done.abort();
  }, () => done.abort());
  while (!done.signal.aborted) await host.sleep(60_000, done.signal);
  host.stdin.setRaw(false);
  host.stdout.write("\x1b[?25h\x1b[0m\r\n");
  return result === "jump" ? view.instant : undefined;
}
