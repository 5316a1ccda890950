/**
 * A terminal without a display: bytes in, a screen of cells, and answers to what programs ask. It knows what Linux's own
 * console and xterm know of ECMA-48 (8.3) and of the VT100 to VT520 and that programs use; what else comes has no effect.
 */
import type { FieldKind } from "../../machine/layout.ts";
import { record } from "../../machine/layout.ts";
import { ATTRIBUTE, COLOUR, type Pen, PLAIN } from "./grid.ts";
import { type ControlFunctions, Parser, parserFields, type ParserState, SUB_PARAMETER } from "./parser.ts";
import { type Modes, Screen, screenFields, type ScreenState } from "./screen.ts";

/** A terminal's state. */
export interface TerminalState {
  /** Between two bytes. */
  readonly parser: ParserState;
  /** What it shows. */
  readonly screen: ScreenState;
}

/** The layout of a terminal's state in a section. */
export const terminalFields: FieldKind<TerminalState> = record({
  parser: parserFields,
  screen: screenFields,
});

/** What a terminal is connected to. */
export interface TerminalOptions {
  /** Columns (default 80). */
  readonly columns?: number;
  /** Rows (default 25). */
  readonly rows?: number;
  /** Bytes from 0x80 on are UTF-8 (default), else code page 437. */
  readonly isUtf8?: boolean;
  /** Takes what it answers to who writes on it. */
  readonly answered?: (text: string) => void;
  /** BEL came. */
  readonly rung?: () => void;
}

/** It says that it is a VT220 with ANSI colours; and of what make, a VT220 of version 1.0. */
const PRIMARY_ATTRIBUTES = "\x1b[?62;22c", SECONDARY_ATTRIBUTES = "\x1b[>1;10;0c";

/** Parameters of a control function, the default where none is written. */
type Of = (index: number, otherwise?: number) => number;

/** A control function: what it does. */
type Act = (terminal: Terminal, of: Of, parameters: readonly number[]) => void;

// deno-fmt-ignore
const C0: Readonly<Record<number, (terminal: Terminal) => void>> = {
  0x07: (terminal) => terminal.ring(),
  0x08: ({ screen }) => screen.moveColumns(-1),
  0x09: ({ screen }) => screen.tab(1),
  0x0a: ({ screen }) => newLine(screen),
  0x0b: ({ screen }) => newLine(screen),
  0x0c: ({ screen }) => newLine(screen),
  0x0d: ({ screen }) => screen.moveTo(0, screen.y),
  0x0e: ({ screen }) => screen.shiftTo(1),
  0x0f: ({ screen }) => screen.shiftTo(0),
};

function newLine(screen: Screen): void {
  screen.lineFeed();
  if (screen.modes.newLine) screen.moveTo(0, screen.y);
}

/** By intermediates and final character. */
// deno-fmt-ignore
const ESCAPES: Readonly<Record<string, (terminal: Terminal) => void>> = {
  "7":  ({ screen }) => screen.saveCursor(),                          // DECSC
  "8":  ({ screen }) => screen.restoreCursor(),                       // DECRC
  "D":  ({ screen }) => screen.lineFeed(),                            // IND
  "E":  ({ screen }) => { screen.lineFeed(); screen.moveTo(0, screen.y); }, // NEL
  "H":  ({ screen }) => screen.setTab(),                              // HTS
  "M":  ({ screen }) => screen.reverseLineFeed(),                     // RI
  "Z":  (terminal) => terminal.answer(PRIMARY_ATTRIBUTES),            // DECID
  "c":  ({ screen }) => screen.reset(),                               // RIS
  "=":  ({ screen }) => { screen.modes.keypad = true; },              // DECKPAM
  ">":  ({ screen }) => { screen.modes.keypad = false; },             // DECKPNM
  "#8": ({ screen }) => screen.alignmentTest(),                       // DECALN
  "(0": ({ screen }) => screen.designate(0, true),                    // SCS
  "(B": ({ screen }) => screen.designate(0, false),
  ")0": ({ screen }) => screen.designate(1, true),
  ")B": ({ screen }) => screen.designate(1, false),
  "%G": (terminal) => terminal.setUtf8(true),                         // DOCS: UTF-8
  "%@": (terminal) => terminal.setUtf8(false),                        // and back, to the PC's characters as on Linux
};

/** By marks and final character. */
// deno-fmt-ignore
const CONTROLS: Readonly<Record<string, Act>> = {
  "@": ({ screen }, of) => screen.insertCells(of(0, 1)),               // ICH
  "A": ({ screen }, of) => screen.moveRows(-of(0, 1)),                 // CUU
  "B": ({ screen }, of) => screen.moveRows(of(0, 1)),                  // CUD
  "C": ({ screen }, of) => screen.moveColumns(of(0, 1)),               // CUF
  "D": ({ screen }, of) => screen.moveColumns(-of(0, 1)),              // CUB
  "E": ({ screen }, of) => { screen.moveRows(of(0, 1)); screen.moveTo(0, screen.y); },  // CNL
  "F": ({ screen }, of) => { screen.moveRows(-of(0, 1)); screen.moveTo(0, screen.y); }, // CPL
  "G": ({ screen }, of) => screen.moveTo(of(0, 1) - 1, screen.y),      // CHA
  "H": ({ screen }, of) => screen.moveTo(of(1, 1) - 1, of(0, 1) - 1, true), // CUP
  "I": ({ screen }, of) => screen.tab(of(0, 1)),                       // CHT
  "J": ({ screen }, of) => screen.eraseScreen(of(0)),                  // ED
  "K": ({ screen }, of) => screen.eraseLine(of(0)),                    // EL
  "L": ({ screen }, of) => screen.insertLines(of(0, 1)),               // IL
  "M": ({ screen }, of) => screen.insertLines(-of(0, 1)),              // DL
  "P": ({ screen }, of) => screen.insertCells(-of(0, 1)),              // DCH
  "S": ({ screen }, of) => screen.scroll(of(0, 1)),                    // SU
  "T": ({ screen }, of, parameters) => { if (parameters.length < 2) screen.scroll(-of(0, 1)); }, // SD
  "X": ({ screen }, of) => screen.eraseCells(of(0, 1)),                // ECH
  "Z": ({ screen }, of) => screen.tab(-of(0, 1)),                      // CBT
  "`": ({ screen }, of) => screen.moveTo(of(0, 1) - 1, screen.y),      // HPA
  "a": ({ screen }, of) => screen.moveColumns(of(0, 1)),               // HPR
  "b": ({ screen }, of) => screen.repeat(of(0, 1)),                    // REP
  "c": (terminal, of) => { if (of(0) === 0) terminal.answer(PRIMARY_ATTRIBUTES); }, // DA
  ">c": (terminal, of) => { if (of(0) === 0) terminal.answer(SECONDARY_ATTRIBUTES); },
  "d": ({ screen }, of) => screen.moveTo(screen.x, of(0, 1) - 1, true), // VPA
  "e": ({ screen }, of) => screen.moveRows(of(0, 1)),                  // VPR
  "f": ({ screen }, of) => screen.moveTo(of(1, 1) - 1, of(0, 1) - 1, true), // HVP
  "g": ({ screen }, of) => { if (of(0) === 0 || of(0) === 3) screen.clearTabs(of(0) === 3); }, // TBC
  "h": (terminal, _of, parameters) => setModes(terminal, ANSI_MODES, parameters, true), // SM
  "l": (terminal, _of, parameters) => setModes(terminal, ANSI_MODES, parameters, false), // RM
  "?h": (terminal, _of, parameters) => setModes(terminal, PRIVATE_MODES, parameters, true), // DECSET
  "?l": (terminal, _of, parameters) => setModes(terminal, PRIVATE_MODES, parameters, false), // DECRST
  "m": ({ screen }, _of, parameters) => { screen.pen = rendition(screen.pen, parameters); }, // SGR
  "n": (terminal, of) => report(terminal, of(0)),                      // DSR
  "!p": ({ screen }) => screen.softReset(),                            // DECSTR
  "r": ({ screen }, of) => screen.setMargins(of(0, 1) - 1, of(1, screen.rows)), // DECSTBM
  "s": ({ screen }) => screen.saveCursor(),                            // SCOSC
  "u": ({ screen }) => screen.restoreCursor(),                         // SCORC
};

/** Sets a mode, or clears it. */
type SetMode = (screen: Screen, isSet: boolean) => void;

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

const ANSI_MODES: Readonly<Record<number, SetMode>> = { 4: plainMode("insert"), 20: plainMode("newLine") };

// deno-fmt-ignore
const PRIVATE_MODES: Readonly<Record<number, SetMode>> = {
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

function setModes(
  { screen }: Terminal,
  modes: Readonly<Record<number, SetMode>>,
  parameters: readonly number[],
  isSet: boolean,
): void {
  for (const parameter of parameters) modes[parameter]?.(screen, isSet);
}

function report(terminal: Terminal, what: number): void {
  const { screen } = terminal, [top] = screen.margins;
  if (what === 5) terminal.answer("\x1b[0n");
  else if (what === 6) {
    terminal.answer(`\x1b[${screen.y + 1 - (screen.modes.origin ? top : 0)};${screen.x + 1}R`);
  }
}

/** SGR parameters that set an attribute, and those that clear some. */
// deno-fmt-ignore
const SETS: Readonly<Record<number, number>> = {
  1: ATTRIBUTE.bold, 2: ATTRIBUTE.faint, 3: ATTRIBUTE.italic, 4: ATTRIBUTE.underlined, 5: ATTRIBUTE.blinking,
  6: ATTRIBUTE.blinking, 7: ATTRIBUTE.reverse, 8: ATTRIBUTE.hidden, 9: ATTRIBUTE.crossedOut, 21: ATTRIBUTE.underlined,
};
// deno-fmt-ignore
const CLEARS: Readonly<Record<number, number>> = {
  22: ATTRIBUTE.bold | ATTRIBUTE.faint, 23: ATTRIBUTE.italic, 24: ATTRIBUTE.underlined, 25: ATTRIBUTE.blinking,
  27: ATTRIBUTE.reverse, 28: ATTRIBUTE.hidden, 29: ATTRIBUTE.crossedOut,
};

/** A pen after SGR. */
function rendition(pen: Pen, parameters: readonly number[]): Pen {
  let { foreground, background, attributes } = pen;
  const list = parameters.length === 0 ? [0] : parameters;
  for (let at = 0; at < list.length; at++) {
    const code = Math.max(0, list[at] as number);
    const parts = list.slice(at + 1).findIndex((next) => next < SUB_PARAMETER);
    const subs = list.slice(at + 1, parts < 0 ? undefined : at + 1 + parts);
    if (code === 0) ({ foreground, background, attributes } = PLAIN);
    else if (code === 4 && subs.length > 0) {
      attributes = subs[0] === SUB_PARAMETER
        ? attributes & ~ATTRIBUTE.underlined
        : attributes | ATTRIBUTE.underlined;
    } else if (code in SETS) attributes |= SETS[code] as number;
    else if (code in CLEARS) attributes &= ~(CLEARS[code] as number);
    else if (code === 38 || code === 48 || code === 58) {
      const { colour, taken } = extendedColour(subs, list.slice(at + 1));
      if (colour !== undefined && code === 38) foreground = colour;
      if (colour !== undefined && code === 48) background = colour;
      at += subs.length > 0 ? 0 : taken;
    } else if (code === 39) foreground = 0;
    else if (code === 49) background = 0;
    else ({ foreground, background } = basicColour(code, foreground, background));
    at += subs.length;
  }
  return { foreground, background, attributes };
}

/** 30–37, 40–47, and the bright ones 90–97, 100–107. */
function basicColour(
  code: number,
  foreground: number,
  background: number,
): { foreground: number; background: number } {
  const tens = Math.floor(code / 10), index = code % 10 + (tens >= 9 ? 8 : 0);
  if (code % 10 > 7) return { foreground, background };
  if (tens === 3 || tens === 9) foreground = COLOUR.indexed | index;
  else if (tens === 4 || tens === 10) background = COLOUR.indexed | index;
  return { foreground, background };
}

/** `5;n` or `2;r;g;b`, or with colons `5:n`, `2:r:g:b` or `2:space:r:g:b`; how many parameters behind semicolons it is. */
function extendedColour(
  subs: readonly number[],
  rest: readonly number[],
): { colour: number | undefined; taken: number } {
  const isSub = subs.length > 0;
  const list = isSub ? subs.map((sub) => sub - SUB_PARAMETER) : rest.map((value) => Math.max(0, value));
  if (list[0] === 5) {
    const index = list[1];
    return { colour: index !== undefined && index < 256 ? COLOUR.indexed | index : undefined, taken: 2 };
  }
  if (list[0] !== 2) return { colour: undefined, taken: 1 };
  const parts = isSub && list.length >= 5 ? list.slice(2, 5) : list.slice(1, 4);
  const [red, green, blue] = parts;
  const isWhole = parts.length === 3 && parts.every((part) => part < 256);
  const colour = isWhole ? COLOUR.direct | (red! << 16 | green! << 8 | blue!) : undefined;
  return { colour, taken: 4 };
}

/** A terminal. */
export class Terminal implements ControlFunctions {
  /** What it shows. */
  readonly screen: Screen;
  readonly #parser: Parser;
  readonly #options: TerminalOptions;

  /** A blank terminal. */
  constructor(options: TerminalOptions = {}) {
    this.#options = options;
    this.screen = new Screen(options.columns ?? 80, options.rows ?? 25);
    this.#parser = new Parser(this, options.isUtf8 ?? true);
  }

  /** Takes a byte. */
  push(byte: number): void {
    this.#parser.push(byte);
  }

  /** Takes bytes, or a text in UTF-8. */
  write(data: Uint8Array | string): void {
    for (const byte of typeof data === "string" ? new TextEncoder().encode(data) : data) this.push(byte);
  }

  print(code: number): void {
    this.screen.print(code);
  }

  execute(control: number): void {
    C0[control]?.(this);
  }

  escape(intermediates: string, final: string): void {
    const name = intermediates + final;
    if (Object.hasOwn(ESCAPES, name)) ESCAPES[name]?.(this);
  }

  control(marks: string, parameters: readonly number[], final: string): void {
    const name = marks + final;
    if (!Object.hasOwn(CONTROLS, name)) return;
    const of: Of = (index, otherwise = 0) => {
      const value = parameters[index] ?? -1;
      // Where 1 is the default, 0 is 1 as well.
      return value < 0 || value === 0 && otherwise > 0 ? otherwise : value % SUB_PARAMETER;
    };
    CONTROLS[name]?.(this, of, parameters);
  }

  /** Answers who writes on it. */
  answer(text: string): void {
    this.#options.answered?.(text);
  }

  /** Rings. */
  ring(): void {
    this.#options.rung?.();
  }

  /** Bytes from 0x80 on are UTF-8, or code page 437. */
  setUtf8(isUtf8: boolean): void {
    this.#parser.isUtf8 = isUtf8;
  }

  /** As if it had just been made. */
  reset(columns: number, rows: number, isUtf8: boolean): void {
    this.restore(new Terminal({ columns, rows, isUtf8 }).save());
  }

  /** The state. */
  save(): TerminalState {
    return { parser: this.#parser.save(), screen: this.screen.save() };
  }

  /** Restores what `save` gave. */
  restore({ parser, screen }: TerminalState): void {
    this.#parser.restore(parser);
    this.screen.restore(screen);
  }
}
