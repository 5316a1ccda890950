/** What a terminal shows and remembers: grids, cursor, margins, tabs, modes; and the operations on them (ECMA-48, VT220). */
import { flag, listOf, record, u16, u32, u8 } from "../../machine/layout.ts";
import type { FieldKind, ValueOf } from "../../machine/layout.ts";
import { isCombining, specialGraphic } from "./characters.ts";
import { Grid, gridFields, isWideCode, MOST_COLUMNS, MOST_ROWS, type Pen, PLAIN } from "./grid.ts";

/** Modes that a terminal begins with: what the line's terminal has to have too, and what acts here. */
// deno-fmt-ignore
const MODES = {
  insert: false, newLine: false, origin: false, wrap: true, cursorVisible: true,
  cursorKeys: false, keypad: false, bracketedPaste: false, mouse: 0, mouseFormat: 0, focus: false,
};

/** Modes of a terminal. */
export type Modes = { -readonly [K in keyof typeof MODES]: (typeof MODES)[K] };

const modeFields = record({
  insert: flag,
  newLine: flag,
  origin: flag,
  wrap: flag,
  cursorVisible: flag,
  cursorKeys: flag,
  keypad: flag,
  bracketedPaste: flag,
  mouse: u16,
  mouseFormat: u16,
  focus: flag,
}) as FieldKind<Modes>;

/** A cursor with what is saved beside it. */
interface Cursor {
  x: number;
  y: number;
  /** The last column was written: the next character goes to the next row. */
  isWrapPending: boolean;
  pen: Pen;
  isOrigin: boolean;
  /** Character sets G0 and G1: DEC Special Graphics or not; and which of them is in use. */
  graphics: boolean[];
  shift: number;
}

const penFields = record({ foreground: u32, background: u32, attributes: u8 });
const cursorFields = record({
  x: u16,
  y: u16,
  isWrapPending: flag,
  pen: penFields,
  isOrigin: flag,
  graphics: listOf(flag, 2),
  shift: u8,
}) as FieldKind<Cursor>;

const NO_CURSOR = (): Cursor => ({
  x: 0,
  y: 0,
  isWrapPending: false,
  pen: PLAIN,
  isOrigin: false,
  graphics: [false, false],
  shift: 0,
});

const fields = {
  grids: listOf(gridFields, 2),
  isAlternate: flag,
  cursor: cursorFields,
  saved: listOf(cursorFields, 2),
  top: u16,
  bottom: u16,
  tabs: listOf(u16, MOST_COLUMNS),
  modes: modeFields,
  last: u32,
};

/** A screen's state. */
export type ScreenState = ValueOf<typeof fields>;

/** The layout of a screen's state in a section. */
export const screenFields: FieldKind<ScreenState> = record(fields);

/** Rows that moved by one operation. */
export interface Scrolled {
  /** First row. */
  readonly top: number;
  /** Row behind the last. */
  readonly bottom: number;
  /** Rows up; down when negative. */
  readonly count: number;
}

/** A screen with its alternate. */
export class Screen {
  #grids: [Grid, Grid];
  #isAlternate = false;
  #cursor = NO_CURSOR();
  #saved: [Cursor, Cursor] = [NO_CURSOR(), NO_CURSOR()];
  #top = 0;
  #bottom: number;
  #tabs: Set<number>;
  /** Modes. */
  modes: Modes = { ...MODES };
  /** The character that was shown last, for REP; 0 for none. */
  #last = 0;
  /** How rows moved since somebody last took note; undefined where that is not one movement. */
  scrolled: Scrolled | "none" | "many" = "none";

  /** A blank screen. */
  constructor(columns: number, rows: number) {
    this.#grids = [new Grid(columns, rows), new Grid(columns, rows)];
    this.#bottom = rows;
    this.#tabs = usualTabs(columns);
  }

  /** The cells that are shown. */
  get grid(): Grid {
    return this.#grids[this.#isAlternate ? 1 : 0];
  }

  /** Columns. */
  get columns(): number {
    return this.grid.columns;
  }

  /** Rows. */
  get rows(): number {
    return this.grid.rows;
  }

  /** Column of the cursor. */
  get x(): number {
    return this.#cursor.x;
  }

  /** Row of the cursor. */
  get y(): number {
    return this.#cursor.y;
  }

  /** How what is written looks. */
  get pen(): Pen {
    return this.#cursor.pen;
  }
  set pen(pen: Pen) {
    this.#cursor.pen = pen;
  }

  get #background(): number {
    return this.pen.background;
  }

  /** First row of the scrolling region, and the one behind its last. */
  get margins(): readonly [number, number] {
    return [this.#top, this.#bottom];
  }

  /** Shows a character. */
  print(code: number): void {
    if (isCombining(code)) return;
    const cursor = this.#cursor;
    const shown = cursor.graphics[cursor.shift] === true ? specialGraphic(code) : code;
    this.#last = code;
    const isWide = isWideCode(shown), width = isWide ? 2 : 1;
    if (width > this.columns) return;
    if (cursor.isWrapPending || cursor.x + width > this.columns) {
      if (this.modes.wrap) {
        cursor.x = 0;
        this.lineFeed();
      } else cursor.x = this.columns - width;
      cursor.isWrapPending = false;
    }
    if (this.modes.insert) this.grid.shift(cursor.x, cursor.y, width, this.#background);
    this.grid.put(cursor.x, cursor.y, shown, cursor.pen, isWide);
    cursor.x += width;
    if (cursor.x === this.columns) {
      cursor.x--;
      cursor.isWrapPending = this.modes.wrap;
    }
  }

  /** Shows the last character again. */
  repeat(count: number): void {
    if (this.#last === 0) return;
    const most = this.columns * this.rows;
    for (let done = 0; done < Math.min(count, most); done++) this.print(this.#last);
  }

  /** The cursor goes to a place; `isRelative` to the margins in origin mode. */
  moveTo(x: number, y: number, isRelative = false): void {
    const isInside = isRelative && this.modes.origin;
    const first = isInside ? this.#top : 0, last = isInside ? this.#bottom - 1 : this.rows - 1;
    this.#cursor.x = Math.max(0, Math.min(this.columns - 1, x));
    this.#cursor.y = Math.max(first, Math.min(last, first + y));
    this.#cursor.isWrapPending = false;
  }

  /** The cursor moves down, or up for a negative count, and stops at the margin that it is inside of. */
  moveRows(count: number): void {
    const { y } = this.#cursor;
    const first = y >= this.#top ? this.#top : 0, last = y < this.#bottom ? this.#bottom - 1 : this.rows - 1;
    this.moveTo(this.x, Math.max(first, Math.min(last, y + count)));
  }

  /** The cursor moves to the right, or to the left for a negative count. */
  moveColumns(count: number): void {
    this.moveTo(this.x + count, this.y);
  }

  /** The cursor goes to the row below; from the lower margin the region scrolls. */
  lineFeed(): void {
    if (this.y === this.#bottom - 1) this.scroll(1);
    else if (this.y < this.rows - 1) this.#cursor.y++;
    this.#cursor.isWrapPending = false;
  }

  /** The cursor goes to the row above; from the upper margin the region scrolls. */
  reverseLineFeed(): void {
    if (this.y === this.#top) this.scroll(-1);
    else if (this.y > 0) this.#cursor.y--;
    this.#cursor.isWrapPending = false;
  }

  /** The region's rows move up, or down for a negative count; from a row of it on. */
  scroll(count: number, from = this.#top): void {
    this.grid.scroll(from, this.#bottom, count, this.#background);
    const most = this.#bottom - from;
    const moved = { top: from, bottom: this.#bottom, count: Math.max(-most, Math.min(most, count)) };
    const before = this.scrolled;
    if (before === "none") this.scrolled = moved;
    else if (before !== "many" && before.top === from && before.bottom === this.#bottom) {
      this.scrolled = { ...moved, count: before.count + moved.count };
    } else this.scrolled = "many";
  }

  /** Lines come in at the cursor's row, or go for a negative count; nothing outside of the region. */
  insertLines(count: number): void {
    if (this.y < this.#top || this.y >= this.#bottom) return;
    this.scroll(-count, this.y);
    this.#cursor.isWrapPending = false;
  }

  /** Blanks come in at the cursor, or cells go for a negative count. */
  insertCells(count: number): void {
    this.grid.shift(this.x, this.y, count, this.#background);
    this.#cursor.isWrapPending = false;
  }

  /** Erases in the cursor's row: 0 from the cursor on, 1 up to it, 2 all. */
  eraseLine(which: number): void {
    const from = which === 0 ? this.x : 0, to = which === 1 ? this.x + 1 : this.columns;
    if (which <= 2) this.grid.erase(this.y, from, to, this.#background);
    this.#cursor.isWrapPending = false;
  }

  /** Erases in the screen: 0 from the cursor on, 1 up to it, 2 all; 3 what has scrolled away, of which nothing is kept. */
  eraseScreen(which: number): void {
    if (which > 2) return;
    const from = which === 0 ? this.y + 1 : 0, to = which === 1 ? this.y : this.rows;
    if (which < 2) this.eraseLine(which);
    for (let y = from; y < to; y++) this.grid.erase(y, 0, this.columns, this.#background);
    this.#cursor.isWrapPending = false;
  }

  /** Erases cells from the cursor on. */
  eraseCells(count: number): void {
    this.grid.erase(this.y, this.x, Math.min(this.columns, this.x + count), this.#background);
    this.#cursor.isWrapPending = false;
  }

  /** Sets the scrolling region, rows from 0 on; nothing for one of fewer than two rows. The cursor goes home. */
  setMargins(top: number, bottom: number): void {
    const end = Math.min(bottom, this.rows);
    if (end - top < 2) return;
    this.#top = top;
    this.#bottom = end;
    this.moveTo(0, 0, true);
  }

  /** The cursor goes to the next tab, the last column at most, or back for a negative count. */
  tab(count: number): void {
    const step = Math.sign(count);
    let x = this.x;
    for (let left = Math.abs(count); left > 0; left--) {
      do x += step; while (x > 0 && x < this.columns - 1 && !this.#tabs.has(x));
      x = Math.max(0, Math.min(this.columns - 1, x));
    }
    this.#cursor.x = x;
    this.#cursor.isWrapPending = false;
  }

  /** Sets a tab at the cursor. */
  setTab(): void {
    this.#tabs.add(this.x);
  }

  /** Clears the tab at the cursor, or all. */
  clearTabs(isAll: boolean): void {
    if (isAll) this.#tabs.clear();
    else this.#tabs.delete(this.x);
  }

  /** Fills the screen with E. */
  alignmentTest(): void {
    this.#top = 0;
    this.#bottom = this.rows;
    for (let y = 0; y < this.rows; y++) {
      for (let x = 0; x < this.columns; x++) this.grid.set(x, y, 0x45, PLAIN);
    }
    this.moveTo(0, 0);
  }

  /** Says of G0 or G1 whether it is DEC Special Graphics. */
  designate(set: 0 | 1, isGraphics: boolean): void {
    this.#cursor.graphics = this.#cursor.graphics.map((was, index) => index === set ? isGraphics : was);
  }

  /** G0 or G1 is used. */
  shiftTo(set: 0 | 1): void {
    this.#cursor.shift = set;
  }

  /** Keeps cursor, pen, character sets and origin mode. */
  saveCursor(): void {
    this.#saved[this.#isAlternate ? 1 : 0] = { ...this.#cursor, isOrigin: this.modes.origin };
  }

  /** Has again what was kept. */
  restoreCursor(): void {
    const saved = this.#saved[this.#isAlternate ? 1 : 0];
    this.modes.origin = saved.isOrigin;
    this.#cursor = {
      ...saved,
      x: Math.min(saved.x, this.columns - 1),
      y: Math.min(saved.y, this.rows - 1),
    };
  }

  /** Shows the alternate screen, or the first one again. */
  setAlternate(isAlternate: boolean): void {
    if (isAlternate === this.#isAlternate) return;
    this.#isAlternate = isAlternate;
    this.grid.touch();
    this.scrolled = "many";
  }

  /** Makes the alternate screen blank. */
  clearAlternate(): void {
    const grid = this.#grids[1];
    for (let y = 0; y < grid.rows; y++) grid.erase(y, 0, grid.columns, this.#background);
  }

  /** Modes, margins, pen and character sets as at the beginning (DECSTR). */
  softReset(): void {
    const { x, y } = this.#cursor;
    this.modes = { ...MODES };
    this.#top = 0;
    this.#bottom = this.rows;
    this.#cursor = { ...NO_CURSOR(), x, y };
    this.#saved = [NO_CURSOR(), NO_CURSOR()];
  }

  /** All as at the beginning (RIS). */
  reset(): void {
    this.setAlternate(false);
    this.softReset();
    this.#cursor = NO_CURSOR();
    this.#tabs = usualTabs(this.columns);
    this.#last = 0;
    this.eraseScreen(2);
    this.scrolled = "many";
  }

  /** Has another size: the upper left part stays, or the lower one as far as the cursor's row needs it. Throws RangeError. */
  resize(columns: number, rows: number): void {
    const fits = columns >= 2 && rows >= 2 && columns <= MOST_COLUMNS && rows <= MOST_ROWS;
    if (!fits || !Number.isInteger(columns) || !Number.isInteger(rows)) {
      throw new RangeError(
        `Cannot have a screen of ${columns}×${rows}: 2×2 to ${MOST_COLUMNS}×${MOST_ROWS}`,
      );
    }
    const above = Math.max(0, this.y - rows + 1);
    if (above > 0) this.grid.scroll(0, this.rows, above);
    const before = this.columns;
    for (const grid of this.#grids) grid.resize(columns, rows);
    this.#top = 0;
    this.#bottom = rows;
    for (const x of usualTabs(columns)) if (x >= before) this.#tabs.add(x);
    this.moveTo(this.x, this.y - above);
    this.scrolled = "many";
  }

  /** The state. */
  save(): ScreenState {
    return {
      grids: this.#grids.map((grid) => grid.save()),
      isAlternate: this.#isAlternate,
      cursor: this.#cursor,
      saved: [...this.#saved],
      top: this.#top,
      bottom: this.#bottom,
      tabs: [...this.#tabs].sort((a, b) => a - b),
      modes: { ...this.modes },
      last: this.#last,
    };
  }

  /** Restores what `save` gave. */
  restore(state: ScreenState): void {
    for (const [index, grid] of this.#grids.entries()) {
      grid.restore(state.grids[index] as ReturnType<Grid["save"]>);
    }
    this.#isAlternate = state.isAlternate;
    this.#cursor = { ...state.cursor };
    this.#saved = [state.saved[0] ?? NO_CURSOR(), state.saved[1] ?? NO_CURSOR()];
    this.#top = state.top;
    this.#bottom = state.bottom;
    this.#tabs = new Set(state.tabs.filter((x) => x < MOST_COLUMNS));
    this.modes = { ...state.modes };
    this.#last = state.last;
    this.scrolled = "many";
  }
}

function usualTabs(columns: number): Set<number> {
  return new Set(Array.from({ length: Math.ceil(columns / 8) }, (_, index) => index * 8));
}
