/** ECMA-48's editor functions: what erases, and what makes room or takes it, at the cursor of a screen; and DECALN. */
import { PLAIN } from "./grid.ts";
import type { Screen } from "./screen.ts";

/** The next character goes where the cursor is, even if the last column was written. */
function stay(screen: Screen): void {
  screen.moveTo(screen.x, screen.y);
}

/** Lines come in at the cursor's row, or go for a negative count; nothing outside of the region. */
export function insertLines(screen: Screen, count: number): void {
  const { y, margins: [top, bottom] } = screen;
  if (y < top || y >= bottom) return;
  screen.scroll(-count, y);
  stay(screen);
}

/** Blanks come in at the cursor, or cells go for a negative count. */
export function insertCells(screen: Screen, count: number): void {
  screen.grid.shift(screen.x, screen.y, count, screen.pen.background);
  stay(screen);
}

/** Erases in the cursor's row: 0 from the cursor on, 1 up to it, 2 all. */
export function eraseLine(screen: Screen, which: number): void {
  const from = which === 0 ? screen.x : 0, to = which === 1 ? screen.x + 1 : screen.columns;
  if (which <= 2) screen.grid.erase(screen.y, from, to, screen.pen.background);
  stay(screen);
}

/** Erases in the screen: 0 from the cursor on, 1 up to it, 2 all; 3 what has scrolled away, of which nothing is kept. */
export function eraseScreen(screen: Screen, which: number): void {
  if (which > 2) return;
  const from = which === 0 ? screen.y + 1 : 0, to = which === 1 ? screen.y : screen.rows;
  if (which < 2) eraseLine(screen, which);
  for (let y = from; y < to; y++) screen.grid.erase(y, 0, screen.columns, screen.pen.background);
  stay(screen);
}

/** Erases cells from the cursor on. */
export function eraseCells(screen: Screen, count: number): void {
  const { x, y, columns, pen: { background } } = screen;
  screen.grid.erase(y, x, Math.min(columns, x + count), background);
  stay(screen);
}

/** Fills the screen with E, without margins (DECALN). */
export function alignmentTest(screen: Screen): void {
  screen.setMargins(0, screen.rows);
  for (let y = 0; y < screen.rows; y++) {
    for (let x = 0; x < screen.columns; x++) screen.grid.set(x, y, 0x45, PLAIN);
  }
  screen.moveTo(0, 0);
}
