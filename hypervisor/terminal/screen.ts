/** What a terminal shows and remembers: grids, cursor, margins, tabs, modes; and the operations on them (ECMA-48, VT220). */
import { flag, listOf, record, u16, u32 } from "../../machine/layout.ts";
import type { FieldKind, ValueOf } from "../../machine/layout.ts";
import { isCombining, specialGraphic } from "./characters.ts";
import { type Cursor, cursorFields, NO_CURSOR } from "./cursor.ts";
import { eraseScreen } from "./editor_functions.ts";
import { Grid, gridFields, isWideCode, MOST_COLUMNS, MOST_ROWS, type Pen } from "./grid.ts";
import { modeFields, MODES, type Modes } from "./modes.ts";
import { scrolledOn, type Scrolling } from "./scrolling.ts";
import { TabStops } from "./tab_stops.ts";

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

/** A screen with its alternate. */
export class Screen {
  #grids: [Grid, Grid];
  #isAlternate = false;
  #cursor = NO_CURSOR();
  #saved: [Cursor, Cursor] = [NO_CURSOR(), NO_CURSOR()];
  #top = 0;
  #bottom: number;
  /** Tab stops. */
  readonly tabs: TabStops;
  /** Modes. */
  modes: Modes = { ...MODES };
  /** The character that was shown last, for REP; 0 for none. */
  #last = 0;
  /** How rows moved since somebody last took note; undefined where that is not one movement. */
  scrolled: Scrolling = "none";

  /** A blank screen. */
  constructor(columns: number, rows: number) {
    this.#grids = [new Grid(columns, rows), new Grid(columns, rows)];
    this.#bottom = rows;
    this.tabs = new TabStops(columns);
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
    this.scrolled = scrolledOn(this.scrolled, moved);
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
    this.moveTo(this.tabs.from(this.x, count, this.columns), this.y);
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
    this.tabs.reset(this.columns);
    this.#last = 0;
    eraseScreen(this, 2);
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
    this.tabs.widen(before, columns);
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
      tabs: this.tabs.save(),
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
    this.tabs.restore(state.tabs);
    this.modes = { ...state.modes };
    this.#last = state.last;
    this.scrolled = "many";
  }
}
