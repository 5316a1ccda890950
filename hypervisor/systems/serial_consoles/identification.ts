/**
 * Finds out what terminal is at the other end of the line: by what it answers to ENQ and Device Attributes (ECMA-48 8.3.24),
 * and by how far the cursor goes at two bytes that are one character in UTF-8. A terminal that answers nothing is unknown.
 */
import { flag, record, text } from "../../../machine/layout.ts";
import type { FieldKind } from "../../../machine/layout.ts";

/** Most characters of an answer. */
const LONGEST = 64;

/** What a terminal is known by. */
export interface Identity {
  /** The attributes that it gave, or "unknown". */
  readonly terminal: string;
  /** Whether it takes UTF-8; undefined when it did not tell. */
  readonly isUtf8: boolean | undefined;
}

/** The state: whether answers are waited for, and what came. */
export interface IdentificationState {
  isWaiting: boolean;
  answer: string;
  attributes: string;
  column: string;
}

/** Its layout in a section. */
export const identificationFields: FieldKind<IdentificationState> = record({
  isWaiting: flag,
  answer: text(LONGEST),
  attributes: text(LONGEST),
  column: text(LONGEST),
});

const ESC = 0x1b;
/** Beginnings of the two answers. */
// deno-lint-ignore no-control-regex
const ANSWER = /^\x1b(\[(\?[0-9;]*c?|[0-9]+(;([0-9]+R?)?)?)?)?$/;

/** Asks, and reads the answers out of what is typed. */
export class Identification {
  #state: IdentificationState = { isWaiting: false, answer: "", attributes: "", column: "" };

  /** Answers are waited for. */
  get isWaiting(): boolean {
    return this.#state.isWaiting;
  }

  /** What is to be sent: in the first row, which is to be painted again. */
  begin(): Uint8Array {
    this.#state = { isWaiting: true, answer: "", attributes: "", column: "" };
    return new TextEncoder().encode("\x1b[H\x05\r§\x1b[6n\x1b[c");
  }

  /** Takes a byte from the line; what is no answer, to go on as it is. */
  push(byte: number): readonly number[] {
    const state = this.#state;
    if (!state.isWaiting || state.answer === "" && byte !== ESC) return [byte];
    const answer = state.answer + String.fromCharCode(byte);
    if (!ANSWER.test(answer) || answer.length > LONGEST) {
      const held = [...state.answer].map((character) => character.charCodeAt(0));
      state.answer = "";
      return byte === ESC ? [...held, ...this.push(byte)] : [...held, byte];
    }
    state.answer = answer;
    if (answer.endsWith("R")) state.column = /;(\d+)R/.exec(answer)?.[1] ?? "";
    if (answer.endsWith("c")) state.attributes = answer.slice(2, -1);
    if (/[Rc]$/.test(answer)) state.answer = "";
    // Attributes are asked for last.
    if (answer.endsWith("c")) state.isWaiting = false;
    return [];
  }

  /** It is over: what is known, and what was held back. */
  end(): { identity: Identity; held: readonly number[] } {
    const { attributes, column, answer } = this.#state;
    this.#state = { isWaiting: false, answer: "", attributes: "", column: "" };
    const isUtf8 = column === "2" ? true : column === "3" ? false : undefined;
    return {
      identity: { terminal: attributes === "" ? "unknown" : attributes, isUtf8 },
      held: [...answer].map((character) => character.charCodeAt(0)),
    };
  }

  /** Nothing is waited for. */
  reset(): void {
    this.#state = { isWaiting: false, answer: "", attributes: "", column: "" };
  }

  /** The state. */
  save(): IdentificationState {
    return { ...this.#state };
  }

  /** Restores what `save` gave. */
  restore(state: IdentificationState): void {
    this.#state = { ...state };
  }
}
