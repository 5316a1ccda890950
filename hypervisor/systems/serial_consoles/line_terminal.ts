/** The terminal at the other end of the line: what it shows, what characters it has, and what it said that it is. */
import { Painter } from "../../terminal/painter.ts";
import type { Identity } from "./identification.ts";
import type { Encoding, SerialConsolesOptions } from "./options.ts";
import type { ConsolesState } from "./section.ts";
import type { VirtualConsole } from "./virtual_console.ts";

/** What of the state is the terminal's. */
type LineTerminalState = Pick<ConsolesState, "painter" | "isAscii" | "terminal">;

/** The terminal at the line. */
export class LineTerminal {
  #painter: Painter;
  /** Its characters; it has them from the next time on that all is painted. */
  encoding: Encoding;
  /** The attributes that it gave, or "unknown". */
  name = "unknown";

  /** `send` takes bytes for the line. */
  constructor(
    private readonly options: SerialConsolesOptions,
    private readonly send: (bytes: Uint8Array) => void,
  ) {
    this.encoding = options.encoding;
    this.#painter = this.#newPainter(options.size);
  }

  #newPainter({ columns, rows }: SerialConsolesOptions["size"]): Painter {
    return new Painter(columns, rows, this.send);
  }

  /** Its cells, as far as the painter knows. */
  get painter(): Painter {
    return this.#painter;
  }

  /** Nothing is known of it but its size: it is made blank. */
  attach(columns: number, rows: number): void {
    this.#painter.isAscii = this.encoding === "ascii";
    this.#painter.attach(columns, rows);
  }

  /** It answered, or did not. */
  identified({ terminal, isUtf8 }: Identity): void {
    this.name = terminal;
    if (isUtf8 !== undefined) this.encoding = isUtf8 ? "utf-8" : "ascii";
  }

  /** Shows a console: all of it, or what may differ. */
  paint(console: VirtualConsole, isAll: boolean): void {
    const { scrolled: _scrolled, ...all } = console.view();
    this.#painter.paint(isAll ? all : console.view(), isAll ? undefined : console.changedRows);
    console.noted();
  }

  /** Power-on state. */
  reset(): void {
    this.#painter = this.#newPainter(this.options.size);
    this.encoding = this.options.encoding;
    this.name = "unknown";
  }

  /** The state. */
  save(): LineTerminalState {
    return { painter: this.#painter.save(), isAscii: this.encoding === "ascii", terminal: this.name };
  }

  /** Restores what `save` gave. */
  restore({ painter, isAscii, terminal }: LineTerminalState): void {
    this.#painter = this.#newPainter(painter.shown);
    this.#painter.restore(painter);
    this.encoding = isAscii ? "ascii" : "utf-8";
    this.name = terminal;
  }
}
