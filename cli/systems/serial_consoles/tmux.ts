/** A terminal that is not ours: a pane of tmux that shows the bytes it is fed, driven and read through tmux's control mode. */
import { ATTRIBUTE, COLOUR, type Grid, RIGHT_HALF } from "../../../hypervisor/terminal/grid.ts";
import { latin1, latin1Bytes } from "../../../machine/debugger_packets.ts";
import { SkippedError } from "../qemu.ts";

/** What a terminal shows, in a form that is the same whoever says it: a text for each row, looks between braces. */
export interface Shown {
  /** Rows from the top; only what differs from plain blanks counts at their ends. */
  readonly rows: readonly string[];
  /** The cursor. */
  readonly x: number;
  readonly y: number;
  readonly isCursorVisible: boolean;
}

interface Answer {
  readonly resolve: (lines: string[]) => void;
  readonly lines: string[];
}

const CONFIGURATION = [
  "set -g status off",
  "set -g default-terminal tmux-256color",
  "set -g history-limit 10",
  "set -g escape-time 0",
  "set -g allow-rename off",
];

/** Bytes that are written to the pane before it is asked whether it has them. */
const SLICE = 16384;

/** A pane of a tmux server of its own. */
export class TmuxTerminal {
  readonly #process: Deno.ChildProcess;
  readonly #commands: WritableStreamDefaultWriter<Uint8Array>;
  #fifo!: Deno.FsFile;
  readonly #answers: Answer[] = [];
  #sent = 0;
  #taken = 0;
  #wake: (() => void) | undefined;
  #isInAnswer = false;
  #isClosed = false;

  private constructor(
    readonly columns: number,
    readonly height: number,
    private readonly folder: string,
    configuration: string,
    size: string[],
  ) {
    const [fifo, replies] = [`${folder}/line`, `${folder}/replies`];
    this.#process = new Deno.Command("tmux", {
      args: [
        ...["-u", "-S", `${folder}/socket`, "-f", configuration, "-C", "new-session", ...size],
        // What the terminal answers comes out of the pane's own input.
        `stty raw -echo; exec 3<&0; cat <&3 > ${replies} & exec cat < ${fifo}`,
      ],
      env: { LANG: "C.UTF-8", LC_ALL: "C.UTF-8", TERM: "xterm-256color" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#commands = this.#process.stdin.getWriter();
  }

  /** Starts a server with a pane of a size. Throws SkippedError where there is no tmux. */
  static async open(columns: number, height: number): Promise<TmuxTerminal> {
    if (Deno.permissions.querySync({ name: "run", command: "tmux" }).state !== "granted") {
      throw new SkippedError("needs tmux; Deno has to be told: --allow-run=tmux,mkfifo");
    }
    const folder = Deno.makeTempDirSync({ prefix: "hindsight-tmux-" });
    Deno.writeTextFileSync(`${folder}/tmux.conf`, CONFIGURATION.join("\n") + "\n");
    Deno.writeTextFileSync(`${folder}/replies`, "");
    const size = ["-x", String(columns), "-y", String(height)];
    let terminal: TmuxTerminal;
    try {
      const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/line`] }).output();
      if (!success) throw new Deno.errors.NotFound("mkfifo");
      terminal = new TmuxTerminal(columns, height, folder, `${folder}/tmux.conf`, size);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new SkippedError("needs tmux, which is not installed");
    }
    // Bytes of no character may end a piece.
    void terminal.#read(terminal.#process.stdout);
    terminal.#fifo = await Deno.open(`${folder}/line`, { write: true });
    return terminal;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const piece of stream) {
      const lines = (rest + latin1(piece)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#line(line);
    }
    this.#isClosed = true;
    this.#wake?.();
    for (const { resolve } of this.#answers.splice(0)) resolve([]);
  }

  #line(line: string): void {
    const current = this.#answers[0];
    if (this.#isInAnswer) {
      if (!/^%(end|error) /.test(line)) return void current?.lines.push(line);
      this.#isInAnswer = false;
      this.#answers.shift();
      current?.resolve(current.lines);
    } else if (line.startsWith("%begin ")) {
      // The first answer is to the command line; nobody waits for it.
      this.#isInAnswer = true;
      if (/ 0$/.test(line)) this.#answers.unshift({ resolve: () => {}, lines: [] });
    } else if (line.startsWith("%output ")) {
      const text = line.slice(line.indexOf(" ", 8) + 1);
      this.#taken += text.length - 3 * (text.match(/\\[0-7]{3}/g)?.length ?? 0);
      this.#wake?.();
    }
  }

  #ask(command: string): Promise<string[]> {
    const { promise, resolve } = Promise.withResolvers<string[]>();
    this.#answers.push({ resolve, lines: [] });
    void this.#commands.write(new TextEncoder().encode(`${command}\n`));
    return promise;
  }

  /** Writes bytes to the pane, and waits until it has taken them. */
  async feed(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += SLICE) {
      const piece = bytes.subarray(at, at + SLICE);
      for (let done = 0; done < piece.length;) done += await this.#fifo.write(piece.subarray(done));
      this.#sent += piece.length;
      while (this.#taken < this.#sent && !this.#isClosed) {
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    }
    if (this.#isClosed) throw new Error("tmux ended");
  }

  /** What the pane shows. What was erased in a background is not told by tmux at the end of a row: "attributes" then. */
  async shown(counted: Counted = "looks"): Promise<Shown> {
    const cells = this.#ask("capture-pane -p -e -N");
    const [place = ""] = await this.#ask("display-message -p '#{cursor_x} #{cursor_y} #{cursor_flag}'");
    const lines = await cells, [x = -1, y = -1, flag = -1] = place.split(" ").map(Number);
    const decoder = new TextDecoder();
    // A look, and whether characters are drawn lines, lasts from one row to the next.
    const look = { foreground: 0, background: 0, attributes: 0, isDrawn: false };
    const rows = lines.map((line) => normalRow(decoder.decode(latin1Bytes(line)), look, counted));
    return { rows, x: Math.min(x, this.columns - 1), y, isCursorVisible: flag === 1 };
  }

  /** What the pane's terminal has answered so far. */
  replies(): string {
    return Deno.readTextFileSync(`${this.folder}/replies`);
  }

  /** Ends the server. */
  async close(): Promise<void> {
    if (!this.#isClosed) void this.#ask("kill-server");
    this.#fifo.close();
    await this.#process.status;
    await this.#commands.close().catch(() => {});
    Deno.removeSync(this.folder, { recursive: true });
  }
}

interface Look {
  foreground: number;
  background: number;
  attributes: number;
}

// deno-fmt-ignore
const SETS: Readonly<Record<string, number>> = {
  1: ATTRIBUTE.bold, 2: ATTRIBUTE.faint, 3: ATTRIBUTE.italic, 4: ATTRIBUTE.underlined, 5: ATTRIBUTE.blinking,
  7: ATTRIBUTE.reverse, 8: ATTRIBUTE.hidden, 9: ATTRIBUTE.crossedOut,
};

/** SGR as tmux writes it: whole, beginning with 0 where something ends. */
function change(look: Look, codes: readonly number[]): void {
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] as number,
      which = code >= 40 && code < 50 || code >= 100 ? "background" : "foreground";
    if (code === 0) Object.assign(look, { foreground: 0, background: 0, attributes: 0 });
    else if (code in SETS) look.attributes |= SETS[code] as number;
    else if (code === 39 || code === 49) look[which] = 0;
    else if ((code === 38 || code === 48) && codes[at + 1] === 5) {
      look[which] = COLOUR.indexed | codes[at + 2]!;
      at += 2;
    } else if (code === 38 || code === 48) {
      look[which] = COLOUR.direct | codes[at + 2]! << 16 | codes[at + 3]! << 8 | codes[at + 4]!;
      at += 4;
    } else look[which] = COLOUR.indexed | (code % 10 + (code >= 90 ? 8 : 0));
  }
}

const lookText = ({ foreground, background, attributes }: Look): string =>
  foreground === 0 && background === 0 && attributes === 0
    ? "{}"
    : `{${foreground.toString(16)} ${background.toString(16)} ${attributes}}`;

/** VT100 line drawing, as tmux gives cells that were written with it. */
const DRAWN = "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·";

/** Which blanks at the ends of rows count: those with any look, or only with more than a background. */
export type Counted = "looks" | "attributes";

/** Puts a row together, a cell after the other. */
class RowText {
  #text = "";
  #end = 0;
  #last = "{}";

  constructor(private readonly counted: Counted) {}

  add(character: string, look: Look): void {
    const now = lookText(look);
    if (now !== this.#last) this.#text += this.#last = now;
    this.#text += character;
    const isBlank = this.counted === "looks" ? now === "{}" : look.attributes === 0;
    if (character !== " " || !isBlank) this.#end = this.#text.length;
  }

  /** Without the blanks at the end that do not count. */
  get text(): string {
    return this.#text.slice(0, this.#end);
  }
}

function normalRow(line: string, look: Look & { isDrawn: boolean }, counted: Counted): string {
  const row = new RowText(counted);
  // deno-lint-ignore no-control-regex
  for (const [found] of line.matchAll(/\x1b\[([0-9;:]*)m|[^]/gu)) {
    if (found.length > 1 && found.startsWith("\x1b")) {
      change(look, (/\[(.*)m/.exec(found)?.[1] ?? "").split(/[;:]/).map(Number));
    } else if (found === "\x0e" || found === "\x0f") look.isDrawn = found === "\x0e";
    else {
      const code = found.codePointAt(0) as number;
      row.add(look.isDrawn && code >= 0x60 && code < 0x7f ? [...DRAWN][code - 0x60] as string : found, look);
    }
  }
  return row.text;
}

/** What a screen of ours shows, in the same form. */
export function normalGrid(grid: Grid, counted: Counted = "looks"): string[] {
  return Array.from({ length: grid.rows }, (_, y) => {
    const row = new RowText(counted);
    for (let x = 0; x < grid.columns; x++) {
      const code = grid.code(x, y);
      if (code !== RIGHT_HALF) row.add(String.fromCodePoint(code), grid.pen(x, y));
    }
    return row.text;
  });
}

/** Where two screens differ, a line each. */
export function differences(ours: readonly string[], theirs: readonly string[]): string[] {
  return ours.flatMap((row, y) =>
    row === (theirs[y] ?? "")
      ? []
      : [`row ${y + 1}: ${JSON.stringify(row)}, the other ${JSON.stringify(theirs[y])}`]
  );
}
