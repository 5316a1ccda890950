/** The modes of a terminal. */
import { flag, record, u16 } from "../../machine/layout.ts";
import type { FieldKind } from "../../machine/layout.ts";

/** Modes that a terminal begins with: what the line's terminal has to have too, and what acts here. */
// deno-fmt-ignore
export const MODES = {
  insert: false, newLine: false, origin: false, wrap: true, cursorVisible: true,
  cursorKeys: false, keypad: false, bracketedPaste: false, mouse: 0, mouseFormat: 0, focus: false,
};

/** Modes of a terminal. */
export type Modes = { -readonly [K in keyof typeof MODES]: (typeof MODES)[K] };

/** Their layout in a section. */
export const modeFields: FieldKind<Modes> = record({
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
