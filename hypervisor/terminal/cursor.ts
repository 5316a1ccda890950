/** A screen's cursor. */
import { flag, listOf, record, u16, u32, u8 } from "../../machine/layout.ts";
import type { FieldKind } from "../../machine/layout.ts";
import { type Pen, PLAIN } from "./grid.ts";

/** A cursor with what is saved beside it. */
export interface Cursor {
  /** Column. */
  x: number;
  /** Row. */
  y: number;
  /** The last column was written: the next character goes to the next row. */
  isWrapPending: boolean;
  /** How what is written looks. */
  pen: Pen;
  /** Rows count from the upper margin on, when it is restored. */
  isOrigin: boolean;
  /** Character sets G0 and G1: DEC Special Graphics or not. */
  graphics: boolean[];
  /** Which of them is in use. */
  shift: number;
}

const penFields = record({ foreground: u32, background: u32, attributes: u8 });
/** Its layout in a section. */
export const cursorFields: FieldKind<Cursor> = record({
  x: u16,
  y: u16,
  isWrapPending: flag,
  pen: penFields,
  isOrigin: flag,
  graphics: listOf(flag, 2),
  shift: u8,
}) as FieldKind<Cursor>;

/** The cursor of a blank screen. */
export const NO_CURSOR = (): Cursor => ({
  x: 0,
  y: 0,
  isWrapPending: false,
  pen: PLAIN,
  isOrigin: false,
  graphics: [false, false],
  shift: 0,
});
