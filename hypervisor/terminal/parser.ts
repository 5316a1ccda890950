/** A terminal's input taken apart: characters, controls, escape sequences (ECMA-48; states of the VT500 series). */
import { cp437 } from "./characters.ts";
import { flag, listOf, oneOf, record, text, u32, u8 } from "../../machine/layout.ts";
import type { FieldKind } from "../../machine/layout.ts";

/** What takes the parts. */
export interface ControlFunctions {
  /** A character to be shown. */
  print(code: number): void;
  /** A control of C0. */
  execute(control: number): void;
  /** ESC, what stands before the final character (0x20–0x2f), and that. */
  escape(intermediates: string, final: string): void;
  /**
   * CSI: the private prefix (`?`, `>`, …) and intermediates as one text, parameters (−1 where none is written; parts
   * of one behind colons are negative beyond that, see `SUB_PARAMETER`), and the final character.
   */
  control(marks: string, parameters: readonly number[], final: string): void;
}

/** A parameter that stands behind a colon has this added to it, so that no other looks like it. */
export const SUB_PARAMETER = 0x1_0000;

const STATES = ["ground", "escape", "control", "ignore", "string", "stringEscape"] as const;
/** More parameters than any control function has; others are passed over. */
const MOST_PARAMETERS = 24, LARGEST = 0xffff, MOST_MARKS = 4;
const ESC = 0x1b, CAN = 0x18, SUB = 0x1a, BEL = 0x07, DEL = 0x7f;
const REPLACEMENT = 0xfffd;
/** A parameter that is not there; kept as one more, since fields have no signs. */
const ABSENT = -1;

/** The state between two bytes. */
export interface ParserState {
  state: (typeof STATES)[number];
  marks: string;
  parameters: number[];
  isUtf8: boolean;
  /** Bits of a character so far, how many bytes of it are to come, and the range of the next. */
  partial: number;
  missing: number;
  low: number;
  high: number;
}

/** The layout of a parser's state in a section. */
export const parserFields: FieldKind<ParserState> = record({
  state: oneOf(...STATES),
  marks: text(MOST_MARKS),
  parameters: listOf(u32, MOST_PARAMETERS),
  isUtf8: flag,
  partial: u32,
  missing: u8,
  low: u8,
  high: u8,
}) as FieldKind<ParserState>;

/** Takes bytes as they come, in any pieces. */
export class Parser {
  #state: (typeof STATES)[number] = "ground";
  #marks = "";
  #parameters: number[] = [];
  #partial = 0;
  #missing = 0;
  #low = 0x80;
  #high = 0xbf;

  /** `isUtf8`: bytes from 0x80 on are UTF-8, else code page 437. */
  constructor(private readonly functions: ControlFunctions, public isUtf8 = true) {}

  /** Takes a byte. */
  push(byte: number): void {
    if (this.#missing > 0) {
      if (byte >= this.#low && byte <= this.#high) return this.#continue(byte);
      // What was cut short is one replacement; the byte is looked at again.
      this.#missing = 0;
      this.#character(REPLACEMENT);
    }
    if (byte === CAN || byte === SUB) this.#state = "ground";
    else if (byte === ESC) this.#escape();
    else if (this.#state === "string" || this.#state === "stringEscape") this.#inString(byte);
    else if (byte < 0x20) this.functions.execute(byte);
    else if (byte >= 0x80) this.#above(byte);
    else if (this.#state === "ground") { if (byte !== DEL) this.functions.print(byte); }
    else if (this.#state === "escape") this.#inEscape(byte);
    else this.#inControl(byte);
  }

  #escape(): void {
    this.#state = this.#state === "string" ? "stringEscape" : "escape";
    this.#marks = "";
    this.#parameters = [];
  }

  /** A string for the terminal itself (OSC, DCS and the like) ends with ST or BEL, and has no effect here. */
  #inString(byte: number): void {
    if (this.#state === "string") {
      if (byte === BEL) this.#state = "ground";
      return;
    }
    this.#state = "escape";
    if (byte === 0x5c) this.#state = "ground";
    else this.push(byte);
  }

  #inEscape(byte: number): void {
    if (byte < 0x30) {
      if (this.#marks.length < MOST_MARKS) this.#marks += String.fromCharCode(byte);
      return;
    }
    const final = String.fromCharCode(byte);
    if (this.#marks === "" && final === "[") this.#state = "control";
    else if (this.#marks === "" && "]PX^_".includes(final)) this.#state = "string";
    else {
      this.#state = "ground";
      if (byte !== DEL) this.functions.escape(this.#marks, final);
    }
  }

  #inControl(byte: number): void {
    if (byte >= 0x40) return this.#dispatch(byte);
    if (this.#state === "ignore") return;
    if (byte >= 0x3c || byte < 0x30) {
      // A prefix stands before the parameters.
      const isPrefix = byte >= 0x3c;
      if (this.#marks.length === MOST_MARKS || isPrefix && this.#parameters.length > 0) {
        this.#state = "ignore";
      } else this.#marks += String.fromCharCode(byte);
    } else this.#parameter(byte);
  }

  #parameter(byte: number): void {
    const list = this.#parameters;
    if (list.length === 0) list.push(ABSENT);
    if (byte === 0x3b || byte === 0x3a) {
      if (list.length === MOST_PARAMETERS) this.#state = "ignore";
      else list.push(byte === 0x3b ? ABSENT : SUB_PARAMETER);
      return;
    }
    const last = list.length - 1, value = list[last] as number;
    const base = value >= SUB_PARAMETER ? SUB_PARAMETER : 0, digits = value === ABSENT ? 0 : value - base;
    list[last] = base + Math.min(LARGEST, digits * 10 + byte - 0x30);
  }

  #dispatch(byte: number): void {
    const isIgnored = this.#state === "ignore";
    this.#state = "ground";
    if (!isIgnored && byte !== DEL) {
      this.functions.control(this.#marks, this.#parameters, String.fromCharCode(byte));
    }
  }

  /** A byte from 0x80 on: the first of a character. */
  #above(byte: number): void {
    if (this.#state !== "ground") return;
    if (!this.isUtf8) return this.functions.print(cp437(byte));
    this.#low = 0x80;
    this.#high = 0xbf;
    // The first and last of three and four bytes leave out what is overlong, a surrogate, or beyond U+10FFFF.
    if (byte >= 0xc2 && byte <= 0xdf) this.#begin(byte & 0x1f, 1);
    else if (byte >= 0xe0 && byte <= 0xef) {
      if (byte === 0xe0) this.#low = 0xa0;
      if (byte === 0xed) this.#high = 0x9f;
      this.#begin(byte & 0x0f, 2);
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      if (byte === 0xf0) this.#low = 0x90;
      if (byte === 0xf4) this.#high = 0x8f;
      this.#begin(byte & 0x07, 3);
    } else this.#character(REPLACEMENT);
  }

  #begin(bits: number, missing: number): void {
    this.#partial = bits;
    this.#missing = missing;
  }

  #continue(byte: number): void {
    this.#partial = this.#partial << 6 | byte & 0x3f;
    this.#low = 0x80;
    this.#high = 0xbf;
    if (--this.#missing === 0) this.#character(this.#partial);
  }

  /** C1 controls in UTF-8 are not taken for controls, nor shown. */
  #character(code: number): void {
    if (this.#state === "ground" && (code < 0x80 || code > 0x9f)) this.functions.print(code);
  }

  /** The state between two bytes. */
  save(): ParserState {
    return {
      state: this.#state,
      marks: this.#marks,
      parameters: this.#parameters.map((value) => value - ABSENT),
      isUtf8: this.isUtf8,
      partial: this.#partial,
      missing: this.#missing,
      low: this.#low,
      high: this.#high,
    };
  }

  /** Restores what `save` gave. */
  restore(state: ParserState): void {
    this.#state = state.state;
    this.#marks = state.marks;
    this.#parameters = state.parameters.map((value) => value + ABSENT);
    this.isUtf8 = state.isUtf8;
    this.#partial = state.partial;
    this.#missing = state.missing;
    this.#low = state.low;
    this.#high = state.high;
  }
}
