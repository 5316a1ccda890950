/** The cells of a terminal's screen: characters with their colours and attributes, in one array of words. */
import { bytes, type FieldKind, record, u16 } from "../../machine/layout.ts";

/** Words of a cell: the character, foreground, background, attributes. */
const WORDS = 4;

/** A character's cell that has none: U+0020. */
export const BLANK = 0x20;
/** In place of a character: the right half of the wide one on the left. */
export const RIGHT_HALF = 0;

/** A colour: the terminal's own, one of 256, or 24 bits of red, green and blue. */
export const COLOUR = { default: 0, indexed: 0x0100_0000, direct: 0x0200_0000 } as const;

/** Attributes, one bit each (ECMA-48 8.3.117, SGR). */
// deno-fmt-ignore
export const ATTRIBUTE = {
  bold: 1, faint: 2, italic: 4, underlined: 8, blinking: 16, reverse: 32, hidden: 64, crossedOut: 128,
} as const;

/** How a character looks. */
export interface Pen {
  /** A colour as in `COLOUR`. */
  readonly foreground: number;
  /** The same. */
  readonly background: number;
  /** Bits of `ATTRIBUTE`. */
  readonly attributes: number;
}

/** What a terminal begins with. */
export const PLAIN: Pen = { foreground: 0, background: 0, attributes: 0 };

/** Columns and rows that a screen can have at most. */
export const MOST_COLUMNS = 400, MOST_ROWS = 200;

/** A grid's state. */
export interface GridState {
  /** Columns. */
  readonly columns: number;
  /** Rows. */
  readonly rows: number;
  /** Words of the cells, little-endian, row by row. */
  readonly cells: Uint8Array;
}

/** The layout of a grid in a section. */
export const gridFields: FieldKind<GridState> = record({
  columns: u16,
  rows: u16,
  cells: bytes(MOST_COLUMNS * MOST_ROWS * WORDS * 4),
});

/** A screenful of cells; positions count from 0, ranges end before their second number. */
export class Grid {
  #columns: number;
  #rows: number;
  #cells: Uint32Array;
  /** Rows that changed since somebody last cleared this. */
  readonly changed: Set<number> = new Set();

  /** All blank. */
  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.#rows = rows;
    this.#cells = blankCells(columns * rows);
  }

  /** Columns. */
  get columns(): number {
    return this.#columns;
  }

  /** Rows. */
  get rows(): number {
    return this.#rows;
  }

  #at(x: number, y: number): number {
    return (y * this.#columns + x) * WORDS;
  }

  /** The character of a cell, or `RIGHT_HALF`. */
  code(x: number, y: number): number {
    return this.#cells[this.#at(x, y)] as number;
  }

  /** The look of a cell. */
  pen(x: number, y: number): Pen {
    const [, foreground = 0, background = 0, attributes = 0] = this.#cells.subarray(
      this.#at(x, y),
      this.#at(x, y) + WORDS,
    );
    return { foreground, background, attributes };
  }

  /** Whether a cell is the same as one of another grid. */
  isSame(x: number, y: number, other: Grid): boolean {
    const here = this.#at(x, y), there = other.#at(x, y);
    for (let word = 0; word < WORDS; word++) {
      if (this.#cells[here + word] !== other.#cells[there + word]) return false;
    }
    return true;
  }

  /** Whether a cell has this look. */
  hasPen(x: number, y: number, { foreground, background, attributes }: Pen): boolean {
    const at = this.#at(x, y), cells = this.#cells;
    return cells[at + 1] === foreground && cells[at + 2] === background && cells[at + 3] === attributes;
  }

  /** Writes a cell, whatever its neighbours are. */
  set(x: number, y: number, code: number, { foreground, background, attributes }: Pen): void {
    const at = this.#at(x, y), cells = this.#cells;
    cells[at] = code;
    cells[at + 1] = foreground;
    cells[at + 2] = background;
    cells[at + 3] = attributes;
    this.changed.add(y);
  }

  /** Makes cells of a row blank, in a background. */
  erase(y: number, from: number, to: number, background = 0): void {
    const pen = { ...PLAIN, background };
    this.divide(from, y);
    this.divide(to, y);
    for (let x = from; x < to; x++) this.set(x, y, BLANK, pen);
  }

  /** Blanks both halves of a wide character that the left edge of a column cuts. */
  divide(x: number, y: number): void {
    if (x <= 0 || x >= this.#columns || this.code(x, y) !== RIGHT_HALF) return;
    this.set(x - 1, y, BLANK, PLAIN);
    this.set(x, y, BLANK, PLAIN);
  }

  /** Writes a character of one or two columns; what it covers half is gone. */
  put(x: number, y: number, code: number, pen: Pen, isWide = false): void {
    this.divide(x, y);
    this.divide(isWide ? x + 2 : x + 1, y);
    this.set(x, y, code, pen);
    if (isWide) this.set(x + 1, y, RIGHT_HALF, pen);
  }

  /** Moves rows `top` to before `bottom` up, or down for a negative count; blank ones come in. */
  scroll(top: number, bottom: number, count: number, background = 0): void {
    const height = bottom - top, by = Math.max(-height, Math.min(height, count));
    const width = this.#columns * WORDS;
    if (by > 0) this.#cells.copyWithin(top * width, (top + by) * width, bottom * width);
    else this.#cells.copyWithin((top - by) * width, top * width, (bottom + by) * width);
    const from = by > 0 ? bottom - by : top, to = by > 0 ? bottom : top - by;
    const pen = { ...PLAIN, background };
    for (let y = from; y < to; y++) for (let x = 0; x < this.#columns; x++) this.set(x, y, BLANK, pen);
    for (let y = top; y < bottom; y++) this.changed.add(y);
  }

  /** Moves the cells of a row from a column on to the right, or to the left for a negative count. */
  shift(x: number, y: number, count: number, background = 0): void {
    const rest = this.#columns - x, by = Math.max(-rest, Math.min(rest, count));
    this.divide(x, y);
    if (by < 0) this.divide(x - by, y);
    const start = this.#at(x, y), end = this.#at(this.#columns, y);
    if (by > 0) {
      this.divide(this.#columns - by, y);
      this.#cells.copyWithin(start + by * WORDS, start, end - by * WORDS);
      this.#blank(y, x, x + by, background);
    } else {
      this.#cells.copyWithin(start, start - by * WORDS, end);
      this.#blank(y, this.#columns + by, this.#columns, background);
    }
  }

  #blank(y: number, from: number, to: number, background: number): void {
    for (let x = from; x < to; x++) this.set(x, y, BLANK, { ...PLAIN, background });
    this.changed.add(y);
  }

  /** Has another size; the upper left part stays. */
  resize(columns: number, rows: number): void {
    const before = this.#cells, width = this.#columns, height = this.#rows;
    this.#columns = columns;
    this.#rows = rows;
    this.#cells = blankCells(columns * rows);
    const kept = Math.min(width, columns) * WORDS;
    for (let y = 0; y < Math.min(height, rows); y++) {
      this.#cells.set(before.subarray(y * width * WORDS, y * width * WORDS + kept), this.#at(0, y));
      if (columns < width) this.#mendEdge(y);
    }
    this.touch();
  }

  /** A wide character that the right edge has cut is gone. */
  #mendEdge(y: number): void {
    const x = this.#columns - 1;
    if (isWideCode(this.code(x, y))) this.set(x, y, BLANK, PLAIN);
  }

  /** All rows count as changed. */
  touch(): void {
    for (let y = 0; y < this.#rows; y++) this.changed.add(y);
  }

  /** The characters of a row, without blanks at its end. */
  text(y: number): string {
    let text = "";
    for (let x = 0; x < this.#columns; x++) {
      const code = this.code(x, y);
      if (code !== RIGHT_HALF) text += String.fromCodePoint(code);
    }
    return text.trimEnd();
  }

  /** The state. */
  save(): GridState {
    const cells = new Uint8Array(this.#cells.length * 4), view = new DataView(cells.buffer);
    for (const [index, word] of this.#cells.entries()) view.setUint32(index * 4, word, true);
    return { columns: this.#columns, rows: this.#rows, cells };
  }

  /** Restores what `save` gave; throws RangeError for cells that do not fit. */
  restore({ columns, rows, cells }: GridState): void {
    if (cells.length !== columns * rows * WORDS * 4) {
      throw new RangeError(`Cannot restore a screen of ${columns}×${rows}: it has ${cells.length} bytes`);
    }
    const view = new DataView(cells.buffer, cells.byteOffset, cells.length);
    this.#columns = columns;
    this.#rows = rows;
    this.#cells = Uint32Array.from(
      { length: columns * rows * WORDS },
      (_, at) => view.getUint32(at * 4, true),
    );
    this.touch();
  }
}

function blankCells(count: number): Uint32Array {
  const cells = new Uint32Array(count * WORDS);
  for (let at = 0; at < cells.length; at += WORDS) cells[at] = BLANK;
  return cells;
}

/** First and last of the ranges of characters that take two columns (Unicode 15, East Asian Width W and F). */
// deno-fmt-ignore
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f], [0x231a, 0x231b], [0x2329, 0x232a], [0x23e9, 0x23ec], [0x23f0, 0x23f0], [0x23f3, 0x23f3],
  [0x25fd, 0x25fe], [0x2614, 0x2615], [0x2648, 0x2653], [0x267f, 0x267f], [0x2693, 0x2693], [0x26a1, 0x26a1],
  [0x26aa, 0x26ab], [0x26bd, 0x26be], [0x26c4, 0x26c5], [0x26ce, 0x26ce], [0x26d4, 0x26d4], [0x26ea, 0x26ea],
  [0x26f2, 0x26f3], [0x26f5, 0x26f5], [0x26fa, 0x26fa], [0x26fd, 0x26fd], [0x2705, 0x2705], [0x270a, 0x270b],
  [0x2728, 0x2728], [0x274c, 0x274c], [0x274e, 0x274e], [0x2753, 0x2755], [0x2757, 0x2757], [0x2795, 0x2797],
  [0x27b0, 0x27b0], [0x27bf, 0x27bf], [0x2b1b, 0x2b1c], [0x2b50, 0x2b50], [0x2b55, 0x2b55], [0x2e80, 0x303e],
  [0x3041, 0x33ff], [0x3400, 0x4dbf], [0x4e00, 0x9fff], [0xa000, 0xa4cf], [0xa960, 0xa97f], [0xac00, 0xd7a3],
  [0xf900, 0xfaff], [0xfe10, 0xfe19], [0xfe30, 0xfe6f], [0xff00, 0xff60], [0xffe0, 0xffe6], [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff], [0x1f900, 0x1f9ff], [0x20000, 0x3fffd],
];

/** Whether a character takes two columns. */
export function isWideCode(code: number): boolean {
  return code >= 0x1100 && WIDE.some(([first, last]) => code >= first && code <= last);
}
