/** Reads one statement of a program from left to right: the cursor that every parser of the program assembler shares. */
import { AssemblyError } from "./line_parser.ts";

/** A name of a label, equate, macro or parameter. */
export const NAME = /[A-Za-z_.$][\w.$]*/y;

// deno-fmt-ignore
const ESCAPES: Record<string, number> = {
  b: 8, f: 12, n: 10, r: 13, t: 9, "\\": 92, '"': 34, "'": 39,
};

const ESCAPE = /\\(?:([0-7]{1,3})|x([0-9a-fA-F]+)|([\s\S]))/y;

/** A cursor over the text of one statement. What it refuses is an `AssemblyError` with the column. */
export class Reader {
  /** Index of the next character. */
  position: number;

  /** Reads `text` from index `position` on. */
  constructor(readonly text: string, position = 0) {
    this.position = position;
  }

  /** 1-based column of the next character, after blanks. */
  get column(): number {
    this.#skipBlanks();
    return this.position + 1;
  }

  /** Whether nothing but blanks is left. */
  get atEnd(): boolean {
    this.#skipBlanks();
    return this.position === this.text.length;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.text.charAt(this.position))) this.position++;
  }

  /** Takes what the sticky pattern matches next, after blanks; undefined if it does not. */
  take(pattern: RegExp): string | undefined {
    this.#skipBlanks();
    pattern.lastIndex = this.position;
    const [match] = pattern.exec(this.text) ?? [];
    if (match !== undefined) this.position += match.length;
    return match;
  }

  /** As `take`, but what does not match is refused, naming what was expected. */
  expect(pattern: RegExp, expected: string): string {
    return this.take(pattern) ?? this.fail(this.#found(), expected);
  }

  /** Refuses anything left over. */
  end(expected = "the end of the statement"): void {
    if (!this.atEnd) this.fail(this.#found(), expected);
  }

  #found(): string {
    return this.atEnd
      ? "the statement ends too early"
      : `unexpected "${shorten(this.text.slice(this.position))}"`;
  }

  /** Throws: what is wrong, what was expected, and where (1-based; by default here). */
  fail(problem: string, expected: string, column: number = this.column): never {
    throw new AssemblyError(`${problem}; expected ${expected}`, column);
  }

  /** One or more items with commas between, up to the end of the statement. */
  list<Item>(item: () => Item): Item[] {
    const items = [item()];
    while (this.take(/,/y) !== undefined) items.push(item());
    this.end("a comma or the end of the statement");
    return items;
  }

  /** The item after a comma, if there is a comma. */
  optional<Item>(item: () => Item): Item | undefined {
    return this.take(/,/y) === undefined ? undefined : item();
  }

  /** The bytes of a string in double quotes, UTF-8 with C escapes; added to `bytes`. */
  string(bytes: number[] = []): number[] {
    const start = this.column;
    this.expect(/"/y, "a string in double quotes");
    for (;;) {
      const character = this.text.codePointAt(this.position);
      if (character === undefined) this.fail("the string does not end", 'a closing "', start);
      if (character === 0x22) break;
      if (character === 0x5c) bytes.push(this.escape());
      else {
        if (character < 0x80) bytes.push(character);
        else bytes.push(...new TextEncoder().encode(String.fromCodePoint(character)));
        this.position += character < 0x1_0000 ? 1 : 2;
      }
    }
    this.position++;
    return bytes;
  }

  /** The byte that an escape stands for; the cursor is on its backslash. */
  escape(): number {
    const column = this.position + 1;
    ESCAPE.lastIndex = this.position;
    const [match = "\\", octal, hexadecimal, letter = ""] = ESCAPE.exec(this.text) ?? [];
    this.position += match.length;
    const value = octal !== undefined
      ? parseInt(octal, 8)
      : hexadecimal !== undefined && hexadecimal.length <= 2
      ? parseInt(hexadecimal, 16)
      : ESCAPES[letter];
    if (value === undefined || value > 255) {
      this.fail(
        `unknown escape ${match}`,
        "\\b \\f \\n \\r \\t \\\\ \\\" \\', \\0 to \\377 or \\x and two digits",
        column,
      );
    }
    return value;
  }
}

/** The text, cut to a length that fits into a message. */
export function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}
