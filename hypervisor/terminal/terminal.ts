/**
 * A terminal without a display: bytes in, a screen of cells, and answers to what programs ask. It knows what Linux's own
 * console and xterm know of ECMA-48 (8.3) and of the VT100 to VT520 and that programs use; what else comes has no effect.
 */
import type { FieldKind } from "../../machine/layout.ts";
import { record } from "../../machine/layout.ts";
import {
  alignmentTest,
  eraseCells,
  eraseLine,
  eraseScreen,
  insertCells,
  insertLines,
} from "./editor_functions.ts";
import { ANSI_MODES, PRIVATE_MODES, type SetMode } from "./mode_functions.ts";
import { type ControlFunctions, Parser, parserFields, type ParserState, SUB_PARAMETER } from "./parser.ts";
import { rendition } from "./rendition.ts";
import { Screen, screenFields, type ScreenState } from "./screen.ts";

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

function clearTabs({ tabs, x }: Screen, which: number): void {
  if (which === 3) tabs.clearAll();
  else if (which === 0) tabs.clear(x);
}

/** By intermediates and final character. */
// deno-fmt-ignore
const ESCAPES: Readonly<Record<string, (terminal: Terminal) => void>> = {
  "7":  ({ screen }) => screen.saveCursor(),                           // DECSC
  "8":  ({ screen }) => screen.restoreCursor(),                        // DECRC
  "D":  ({ screen }) => screen.lineFeed(),                             // IND
  "E":  ({ screen }) => { screen.lineFeed(); screen.moveTo(0, screen.y); }, // NEL
  "H":  ({ screen }) => screen.tabs.set(screen.x),                     // HTS
  "M":  ({ screen }) => screen.reverseLineFeed(),                      // RI
  "Z":  (terminal) => terminal.answer(PRIMARY_ATTRIBUTES),             // DECID
  "c":  ({ screen }) => screen.reset(),                                // RIS
  "=":  ({ screen }) => { screen.modes.keypad = true; },               // DECKPAM
  ">":  ({ screen }) => { screen.modes.keypad = false; },              // DECKPNM
  "#8": ({ screen }) => alignmentTest(screen),                         // DECALN
  "(0": ({ screen }) => screen.designate(0, true),                     // SCS
  "(B": ({ screen }) => screen.designate(0, false),
  ")0": ({ screen }) => screen.designate(1, true),
  ")B": ({ screen }) => screen.designate(1, false),
  "%G": (terminal) => terminal.setUtf8(true),                          // DOCS: UTF-8
  "%@": (terminal) => terminal.setUtf8(false),                         // and back, to the PC's characters as on Linux
};

/** By marks and final character. */
// deno-fmt-ignore
const CONTROLS: Readonly<Record<string, Act>> = {
  "@": ({ screen }, of) => insertCells(screen, of(0, 1)),              // ICH
  "A": ({ screen }, of) => screen.moveRows(-of(0, 1)),                 // CUU
  "B": ({ screen }, of) => screen.moveRows(of(0, 1)),                  // CUD
  "C": ({ screen }, of) => screen.moveColumns(of(0, 1)),               // CUF
  "D": ({ screen }, of) => screen.moveColumns(-of(0, 1)),              // CUB
  "E": ({ screen }, of) => { screen.moveRows(of(0, 1)); screen.moveTo(0, screen.y); }, // CNL
  "F": ({ screen }, of) => { screen.moveRows(-of(0, 1)); screen.moveTo(0, screen.y); }, // CPL
  "G": ({ screen }, of) => screen.moveTo(of(0, 1) - 1, screen.y),      // CHA
  "H": ({ screen }, of) => screen.moveTo(of(1, 1) - 1, of(0, 1) - 1, true), // CUP
  "I": ({ screen }, of) => screen.tab(of(0, 1)),                       // CHT
  "J": ({ screen }, of) => eraseScreen(screen, of(0)),                 // ED
  "K": ({ screen }, of) => eraseLine(screen, of(0)),                   // EL
  "L": ({ screen }, of) => insertLines(screen, of(0, 1)),              // IL
  "M": ({ screen }, of) => insertLines(screen, -of(0, 1)),             // DL
  "P": ({ screen }, of) => insertCells(screen, -of(0, 1)),             // DCH
  "S": ({ screen }, of) => screen.scroll(of(0, 1)),                    // SU
  "T": ({ screen }, of, parameters) => { if (parameters.length < 2) screen.scroll(-of(0, 1)); }, // SD
  "X": ({ screen }, of) => eraseCells(screen, of(0, 1)),               // ECH
  "Z": ({ screen }, of) => screen.tab(-of(0, 1)),                      // CBT
  "`": ({ screen }, of) => screen.moveTo(of(0, 1) - 1, screen.y),      // HPA
  "a": ({ screen }, of) => screen.moveColumns(of(0, 1)),               // HPR
  "b": ({ screen }, of) => screen.repeat(of(0, 1)),                    // REP
  "c": (terminal, of) => { if (of(0) === 0) terminal.answer(PRIMARY_ATTRIBUTES); }, // DA
  ">c": (terminal, of) => { if (of(0) === 0) terminal.answer(SECONDARY_ATTRIBUTES); },
  "d": ({ screen }, of) => screen.moveTo(screen.x, of(0, 1) - 1, true), // VPA
  "e": ({ screen }, of) => screen.moveRows(of(0, 1)),                  // VPR
  "f": ({ screen }, of) => screen.moveTo(of(1, 1) - 1, of(0, 1) - 1, true), // HVP
  "g": ({ screen }, of) => clearTabs(screen, of(0)),                   // TBC
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
