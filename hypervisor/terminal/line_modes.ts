/** Modes that the terminal at the other end of a line has to have, and what sets them there. */
import { flag, record, u16 } from "../../machine/layout.ts";
import type { FieldKind } from "../../machine/layout.ts";
import type { Modes } from "./modes.ts";

/** Modes of a screen that act in the terminal at the other end: what its keys send, and its cursor. */
export type LineModes = Pick<
  Modes,
  "cursorVisible" | "cursorKeys" | "keypad" | "bracketedPaste" | "mouse" | "mouseFormat" | "focus"
>;

/** As a terminal is after a reset. */
export const LINE_MODES: LineModes = {
  cursorVisible: true,
  cursorKeys: false,
  keypad: false,
  bracketedPaste: false,
  mouse: 0,
  mouseFormat: 0,
  focus: false,
};

/** Their layout in a section. */
export const lineModeFields: FieldKind<LineModes> = record({
  cursorVisible: flag,
  cursorKeys: flag,
  keypad: flag,
  bracketedPaste: flag,
  mouse: u16,
  mouseFormat: u16,
  focus: flag,
}) as FieldKind<LineModes>;

/** A copy of what acts in the other terminal, of a screen's modes. */
export function pickModes(modes: LineModes): LineModes {
  const { cursorVisible, cursorKeys, keypad, bracketedPaste, mouse, mouseFormat, focus } = modes;
  return { cursorVisible, cursorKeys, keypad, bracketedPaste, mouse, mouseFormat, focus };
}

const PLAIN_MODES = [
  ["cursorVisible", 25],
  ["cursorKeys", 1],
  ["bracketedPaste", 2004],
  ["focus", 1004],
] as const;

/** What is sent to have other modes. */
export function modesTo(before: LineModes, modes: LineModes): string {
  let out = "";
  const set = (number: number, isSet: boolean): void => {
    out += `\x1b[?${number}${isSet ? "h" : "l"}`;
  };
  for (const [name, number] of PLAIN_MODES) if (before[name] !== modes[name]) set(number, modes[name]);
  if (before.keypad !== modes.keypad) out += modes.keypad ? "\x1b=" : "\x1b>";
  for (const name of ["mouse", "mouseFormat"] as const) {
    if (before[name] === modes[name]) continue;
    if (before[name] !== 0) set(before[name], false);
    if (modes[name] !== 0) set(modes[name], true);
  }
  return out;
}
