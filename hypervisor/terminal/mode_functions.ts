/** Modes by the numbers that SM, RM, DECSET and DECRST name them by, and what it does to a screen to set or clear one. */
import type { Modes } from "./modes.ts";
import type { Screen } from "./screen.ts";

/** Sets a mode, or clears it. */
export type SetMode = (screen: Screen, isSet: boolean) => void;

/** A mode that is no more than remembered. */
function plainMode(name: { [K in keyof Modes]: Modes[K] extends boolean ? K : never }[keyof Modes]): SetMode {
  return ({ modes }, isSet) => void (modes[name] = isSet);
}

/** What of the mouse is reported, and how: one number at a time. */
function mouseMode(name: "mouse" | "mouseFormat", number: number): SetMode {
  return ({ modes }, isSet) => {
    if (isSet) modes[name] = number;
    else if (modes[name] === number) modes[name] = 0;
  };
}

/** Modes of ECMA-48, for SM and RM. */
export const ANSI_MODES: Readonly<Record<number, SetMode>> = {
  4: plainMode("insert"),
  20: plainMode("newLine"),
};

/** Private modes, for DECSET and DECRST. */
// deno-fmt-ignore
export const PRIVATE_MODES: Readonly<Record<number, SetMode>> = {
  1: plainMode("cursorKeys"),
  6: (screen, isSet) => { screen.modes.origin = isSet; screen.moveTo(0, 0, true); },
  7: plainMode("wrap"),
  25: plainMode("cursorVisible"),
  47: (screen, isSet) => screen.setAlternate(isSet),
  66: plainMode("keypad"),
  9: mouseMode("mouse", 9), 1000: mouseMode("mouse", 1000), 1002: mouseMode("mouse", 1002), 1003: mouseMode("mouse", 1003),
  1004: plainMode("focus"),
  1005: mouseMode("mouseFormat", 1005), 1006: mouseMode("mouseFormat", 1006), 1015: mouseMode("mouseFormat", 1015),
  1047: (screen, isSet) => { if (!isSet) screen.clearAlternate(); screen.setAlternate(isSet); },
  1048: (screen, isSet) => isSet ? screen.saveCursor() : screen.restoreCursor(),
  1049: alternateWithCursor,
  2004: plainMode("bracketedPaste"),
};

function alternateWithCursor(screen: Screen, isSet: boolean): void {
  if (isSet) {
    screen.saveCursor();
    screen.clearAlternate();
    screen.setAlternate(true);
  } else {
    screen.setAlternate(false);
    screen.restoreCursor();
  }
}
