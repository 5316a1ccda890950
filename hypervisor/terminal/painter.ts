/** Keeps the terminal at the other end of a line like a screen here, with the fewest bytes: it knows what is shown there. */
import { flag, record, u16, u32, u8 } from "../../machine/layout.ts";
import type { FieldKind, ValueOf } from "../../machine/layout.ts";
import { asciiOf } from "./characters.ts";
import { BLANK, Grid, gridFields, isWideCode, type Pen, PLAIN, RIGHT_HALF } from "./grid.ts";
import { LINE_MODES, lineModeFields, type LineModes, modesTo, pickModes } from "./line_modes.ts";
import { renditionTo } from "./rendition.ts";
import type { Scrolled } from "./scrolling.ts";

/** What is to be shown. */
export interface View {
  /** Its cells. */
  readonly grid: Grid;
  /** Column of the cursor. */
  readonly x: number;
  /** Row of the cursor. */
  readonly y: number;
  /** What of the modes the line's terminal has to have. */
  readonly modes: LineModes;
  /** How rows moved since the last time, when that is one movement. */
  readonly scrolled?: Scrolled;
}

const fields = {
  shown: gridFields,
  isPlaced: flag,
  x: u16,
  y: u16,
  hasPen: flag,
  foreground: u32,
  background: u32,
  attributes: u8,
  isAscii: flag,
  modes: lineModeFields,
};

/** A painter's state. */
export type PainterState = ValueOf<typeof fields>;

/** The layout of a painter's state in a section. */
export const painterFields: FieldKind<PainterState> = record(fields);

/** A cell of which nobody knows what is shown there. */
const UNKNOWN = 0xffff_ffff;
/** Cells written again rather than jumped over, and blanks to the end of a row from which on they are erased at once. */
const NEAR = 4, WORTH_ERASING = 4;

/** Has a terminal show the same as a screen. */
export class Painter {
  #shown: Grid;
  /** Where the other cursor is; undefined where that cannot be known. */
  #place: { x: number; y: number } | undefined;
  #pen: Pen | undefined;
  #modes: LineModes = LINE_MODES;
  #out = "";
  /** Only characters of ASCII are sent. */
  isAscii = false;

  /** `send` takes what goes out on the line. */
  constructor(columns: number, rows: number, private readonly send: (bytes: Uint8Array) => void) {
    this.#shown = new Grid(columns, rows);
  }

  /** The cells that the other terminal shows. */
  get shown(): Grid {
    return this.#shown;
  }

  /** Nothing is known of the other terminal, but its size: it is made blank, with the modes of a reset. */
  attach(columns: number, rows: number): void {
    this.#shown = new Grid(columns, rows);
    this.#modes = LINE_MODES;
    this.#pen = PLAIN;
    this.#place = { x: 0, y: 0 };
    // What was cut short ends first; then UTF-8, G0 in ASCII, no margins, no modes.
    const modes = "\x1b[?1;6;9;1000;1002;1003;1004;1005;1006;1015;2004l\x1b[?7;25h\x1b[4;20l\x1b>";
    this.#out = `\x18\x1b[0m\x1b(B\x0f${this.isAscii ? "" : "\x1b%G"}\x1b[r${modes}\x1b[H\x1b[2J`;
    this.#flush();
  }

  /** Rings. */
  ring(): void {
    this.send(Uint8Array.of(0x07));
  }

  /** Shows a view; only of the rows in `rows` is it known that they may differ. */
  paint(view: View, rows?: Iterable<number>): void {
    if (view.scrolled !== undefined) this.#scroll(view.scrolled);
    if (rows === undefined) { for (let y = 0; y < view.grid.rows; y++) this.#row(view.grid, y); }
    else for (const y of [...rows].sort((a, b) => a - b)) this.#row(view.grid, y);
    this.#setModes(view.modes);
    if (view.modes.cursorVisible || this.#place === undefined) this.#moveTo(view.x, view.y);
    this.#flush();
  }

  #flush(): void {
    if (this.#out === "") return;
    this.send(new TextEncoder().encode(this.#out));
    this.#out = "";
  }

  /** Moves rows there as they moved here: by line feeds, which every terminal knows. */
  #scroll({ top, bottom, count }: Scrolled): void {
    const height = bottom - top, { rows } = this.#shown;
    if (count === 0 || Math.abs(count) >= height || bottom > rows) return;
    const isWhole = height === rows;
    this.#setPen(PLAIN);
    if (!isWhole) {
      this.#out += `\x1b[${top + 1};${bottom}r`;
      this.#place = undefined;
    }
    this.#moveTo(0, count > 0 ? bottom - 1 : top);
    this.#out += count > 0 ? "\n".repeat(count) : "\x1bM".repeat(-count);
    if (!isWhole) {
      this.#out += "\x1b[r";
      this.#place = undefined;
    }
    this.#shown.scroll(top, bottom, count);
  }

  #row(grid: Grid, y: number): void {
    const { columns } = grid;
    let end = columns;
    while (end > 0 && grid.code(end - 1, y) === BLANK && grid.hasPen(end - 1, y, PLAIN)) end--;
    for (let x = 0; x < columns; x++) {
      if (this.#isShown(grid, x, y)) continue;
      if (x >= end && this.#eraseRest(x, y)) return;
      this.#cell(grid, x, y);
    }
  }

  #isShown(grid: Grid, x: number, y: number): boolean {
    const code = this.#sent(grid.code(x, y));
    return code === this.#shown.code(x, y) && this.#shown.hasPen(x, y, grid.pen(x, y));
  }

  /** Erases from a column to the end of the row, if enough is to be erased there. */
  #eraseRest(from: number, y: number): boolean {
    let differing = 0;
    for (let x = from; x < this.#shown.columns; x++) {
      if (this.#shown.code(x, y) !== BLANK || !this.#shown.hasPen(x, y, PLAIN)) differing++;
    }
    if (differing < WORTH_ERASING) return false;
    this.#moveTo(from, y);
    this.#setPen(PLAIN);
    this.#out += "\x1b[K";
    this.#cut(from, y);
    for (let x = from; x < this.#shown.columns; x++) this.#shown.set(x, y, BLANK, PLAIN);
    return true;
  }

  /** The character that is sent in place of one: a wide one is two in ASCII. */
  #sent(code: number): number {
    if (!this.isAscii) return code;
    return code === RIGHT_HALF ? 0x3f : asciiOf(code);
  }

  #cell(grid: Grid, x: number, y: number): void {
    const code = this.#sent(grid.code(x, y));
    if (code === RIGHT_HALF) return x > 0 ? this.#cell(grid, x - 1, y) : undefined;
    const pen = grid.pen(x, y), isWide = !this.isAscii && isWideCode(code);
    this.#moveTo(x, y);
    this.#setPen(pen);
    this.#out += String.fromCodePoint(code);
    this.#cut(x, y);
    this.#cut(isWide ? x + 2 : x + 1, y);
    this.#shown.set(x, y, code, pen);
    if (isWide) this.#shown.set(x + 1, y, RIGHT_HALF, pen);
    const next = isWide ? x + 2 : x + 1;
    this.#place = next < this.#shown.columns ? { x: next, y } : undefined;
  }

  /** What becomes of a wide character that is cut at a column is the other terminal's own affair. */
  #cut(x: number, y: number): void {
    if (x <= 0 || x >= this.#shown.columns || this.#shown.code(x, y) !== RIGHT_HALF) return;
    this.#shown.set(x - 1, y, UNKNOWN, PLAIN);
    this.#shown.set(x, y, UNKNOWN, PLAIN);
  }

  #moveTo(x: number, y: number): void {
    const place = this.#place;
    this.#place = { x, y };
    if (place === undefined || place.y !== y) {
      if (place !== undefined && x === 0 && place.y === y - 1) this.#out += "\r\n";
      else this.#out += x === 0 ? `\x1b[${y === 0 ? "" : y + 1}H` : `\x1b[${y + 1};${x + 1}H`;
      return;
    }
    const by = x - place.x;
    if (by === 0) return;
    if (x === 0) this.#out += "\r";
    else if (by < 0) this.#out += by >= -3 ? "\b".repeat(-by) : `\x1b[${x + 1}G`;
    else this.#out += this.#again(place.x, x, y) ?? `\x1b[${by === 1 ? "" : by}C`;
  }

  /** What is shown between two columns, if it can be written again with the present pen. */
  #again(from: number, to: number, y: number): string | undefined {
    if (to - from > NEAR || this.#pen === undefined) return undefined;
    let text = "";
    for (let x = from; x < to; x++) {
      const code = this.#shown.code(x, y);
      if (code < BLANK || code > 0x7e || !this.#shown.hasPen(x, y, this.#pen)) return undefined;
      text += String.fromCharCode(code);
    }
    return text;
  }

  #setPen(pen: Pen): void {
    this.#out += renditionTo(this.#pen, pen);
    this.#pen = pen;
  }

  #setModes(modes: LineModes): void {
    this.#out += modesTo(this.#modes, modes);
    this.#modes = pickModes(modes);
  }

  /** The state. */
  save(): PainterState {
    const { x, y } = this.#place ?? { x: 0, y: 0 };
    return {
      shown: this.#shown.save(),
      isPlaced: this.#place !== undefined,
      x,
      y,
      hasPen: this.#pen !== undefined,
      ...this.#pen ?? PLAIN,
      isAscii: this.isAscii,
      modes: { ...this.#modes },
    };
  }

  /** Restores what `save` gave. */
  restore(state: PainterState): void {
    const { x, y, foreground, background, attributes } = state;
    this.#shown.restore(state.shown);
    this.#place = state.isPlaced ? { x, y } : undefined;
    this.#pen = state.hasPen ? { foreground, background, attributes } : undefined;
    this.isAscii = state.isAscii;
    this.#modes = state.modes;
  }
}
