/** A console: a terminal of its own that somebody writes on and reads from, shown on the line or not. */
import { record, u53 } from "../../../machine/layout.ts";
import type { FieldKind } from "../../../machine/layout.ts";
import { ATTRIBUTE, Grid, PLAIN } from "../../terminal/grid.ts";
import type { View } from "../../terminal/painter.ts";
import {
  Terminal,
  terminalFields,
  type TerminalOptions,
  type TerminalState,
} from "../../terminal/terminal.ts";

/** A console's state. */
export interface ConsoleState {
  /** Its terminal. */
  readonly terminal: TerminalState;
  /** Bytes that were written on it. */
  readonly written: number;
  /** Bytes that were typed at it, or answered by its terminal. */
  readonly typed: number;
}

/** The layout of a console's state in a section. */
export const consoleFields: FieldKind<ConsoleState> = record({
  terminal: terminalFields,
  written: u53,
  typed: u53,
});

/** One console. */
export class VirtualConsole {
  /** What is on it. */
  readonly terminal: Terminal;
  /** Bytes that were written on it. */
  written = 0;
  /** Bytes that were typed at it. */
  typed = 0;

  /** `isAbandoned` says whether its owner is gone. */
  constructor(
    readonly name: string,
    options: TerminalOptions,
    private readonly isAbandoned: () => boolean,
  ) {
    this.terminal = new Terminal(options);
  }

  /** What is said in the last row, over what stands there, when the owner is gone. */
  get banner(): string | undefined {
    return this.isAbandoned()
      ? ` ${this.name}: nobody is here any more; this is the last that was shown `
      : undefined;
  }

  /** Takes a byte of the owner's. */
  write(byte: number): void {
    this.written++;
    this.terminal.push(byte);
  }

  /** What is to be shown. */
  view(): View {
    const { screen } = this.terminal, { banner } = this, { scrolled, modes, x, y } = screen;
    if (banner !== undefined) return { grid: withBanner(screen.grid, banner), x, y, modes };
    return { grid: screen.grid, x, y, modes, ...typeof scrolled === "object" && { scrolled } };
  }

  /** Rows that may differ from what was last shown; undefined for all. */
  get changedRows(): Iterable<number> | undefined {
    const { screen } = this.terminal;
    return this.banner !== undefined || screen.scrolled === "many" ? undefined : screen.grid.changed;
  }

  /** What is there now was shown, or nobody looks. */
  noted(): void {
    this.terminal.screen.grid.changed.clear();
    this.terminal.screen.scrolled = "none";
  }

  /** Blank, as at power-on. */
  reset(columns: number, rows: number, isUtf8: boolean): void {
    this.terminal.reset(columns, rows, isUtf8);
    this.written = this.typed = 0;
  }

  /** The state. */
  save(): ConsoleState {
    return { terminal: this.terminal.save(), written: this.written, typed: this.typed };
  }

  /** Restores what `save` gave. */
  restore({ terminal, written, typed }: ConsoleState): void {
    this.terminal.restore(terminal);
    this.written = written;
    this.typed = typed;
  }
}

function withBanner(grid: Grid, banner: string): Grid {
  const copy = new Grid(grid.columns, grid.rows);
  copy.restore(grid.save());
  const y = grid.rows - 1, pen = { ...PLAIN, attributes: ATTRIBUTE.reverse };
  copy.erase(y, 0, grid.columns);
  for (const [x, character] of [...banner.slice(0, grid.columns)].entries()) {
    copy.set(x, y, character.charCodeAt(0), pen);
  }
  return copy;
}
