/** Reading one line of assembly text: position, tokens, immediates, and errors that name the column. */
import type { AnyFields } from "./pattern.ts";

/** What is wrong with a line of assembly. */
export class AssemblyError extends Error {
  /** The class's name. */
  override name = "AssemblyError";
  /** Column of the offending text, from 1. */
  readonly column: number;
  /** What could have stood there, when the text is of a wrong kind rather than wrong in itself. */
  readonly expected: string | undefined;

  /** `expected` marks errors that give way to more specific ones at the same column. */
  constructor(message: string, column: number, expected?: string) {
    super(message);
    this.column = column;
    this.expected = expected;
  }
}

/** What a line needs to know of the program around it. */
export interface AssemblyContext {
  /** Address of the instruction. */
  readonly address: bigint;
  /** Value of a symbol, or undefined when there is none. */
  symbol?(name: string): bigint | undefined;
  /** Places a 64-bit constant in a literal pool and gives its address; for `ldr x0, =value`. */
  literal?(value: bigint): bigint;
  /** Value of an expression; the default knows numbers, `symbol`, `symbol+8` and `:lo12:symbol`. */
  evaluate?(expression: string): bigint;
}

const SIGNED_NUMBER = /^([+-]?)\s*(0x[0-9a-f]+|0b[01]+|0o[0-7]+|\d+)$/i;

/** The number a text stands for (decimal, 0x, 0b, 0o, signed), or undefined. */
export function parseNumber(text: string): bigint | undefined {
  const [, sign, digits] = SIGNED_NUMBER.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  return sign === "-" ? -BigInt(digits) : BigInt(digits);
}

/** Evaluates the simple expressions a single line may hold; columns of errors count from the expression's start. */
function evaluateSimple(expression: string, context: AssemblyContext): bigint {
  const number = parseNumber(expression);
  if (number !== undefined) return number;
  const [, low, name, offset] = /^(:lo12:)?\s*([A-Za-z_.$][\w.$]*)\s*([+-].*)?$/.exec(expression) ?? [];
  const distance = offset === undefined ? 0n : parseNumber(offset);
  if (name === undefined || distance === undefined) {
    throw new AssemblyError(`"${expression}" is not a number or a symbol`, 1, "an immediate");
  }
  const value = context.symbol?.(name);
  if (value === undefined) throw new AssemblyError(`unknown symbol "${name}"`, 1);
  return low === undefined ? value + distance : (value + distance) & 0xfffn;
}

/** A line being read against one row's assembly text. */
export class LineParser {
  /** The whole line. */
  readonly text: string;
  /** Offset of the next character. */
  position: number;
  /** Fields found so far. */
  readonly fields: Record<string, number> = {};
  /** The program around the line. */
  readonly context: AssemblyContext;

  /** Starts at an offset of the line. */
  constructor(text: string, position: number, context: AssemblyContext) {
    this.text = text;
    this.position = position;
    this.context = context;
  }

  /** Skips spaces. */
  skipSpaces(): void {
    while (/\s/.test(this.text.charAt(this.position))) this.position++;
  }

  /** Column of the next token, from 1. */
  column(): number {
    this.skipSpaces();
    return this.position + 1;
  }

  /** True at the end of the line. */
  atEnd(): boolean {
    this.skipSpaces();
    return this.position >= this.text.length;
  }

  /** Takes a literal text, case and spaces aside; true when it was there. */
  accept(literal: string): boolean {
    this.skipSpaces();
    const found = this.text.slice(this.position, this.position + literal.length);
    if (found.toLowerCase() !== literal.toLowerCase()) return false;
    const next = this.text.charAt(this.position + literal.length);
    if (/\w$/.test(literal) && /\w/.test(next)) return false;
    this.position += literal.length;
    return true;
  }

  /** Takes a literal text or fails. */
  expect(literal: string): void {
    if (!this.accept(literal)) this.failExpected(`"${literal}"`);
  }

  /** The next word in lower case, without taking it; "" when there is none. */
  peekWord(): string {
    this.skipSpaces();
    return /^[A-Za-z_][\w.]*/.exec(this.text.slice(this.position))?.[0].toLowerCase() ?? "";
  }

  /** Takes as many characters as a word of this length has. */
  takeWord(word: string): void {
    this.position += word.length;
  }

  /** Fails because something else should stand here. */
  failExpected(expected: string): never {
    const column = this.column();
    const found = /^([\w.#:=+-]+|.)?/.exec(this.text.slice(this.position))?.[0] ?? "";
    const seen = found === "" ? "the end of the line" : `"${found}"`;
    throw new AssemblyError(`expected ${expected}, found ${seen}`, column, expected);
  }

  /** Fails because what stands at the column is wrong in itself. */
  fail(message: string, column: number): never {
    throw new AssemblyError(message, column);
  }

  /** Sets a field that several operands decide, or fails when they disagree. */
  bind(field: string, value: number, expected: string, column: number): void {
    const known = this.fields[field];
    if (known !== undefined && known !== value) {
      this.position = column - 1;
      this.failExpected(expected);
    }
    this.fields[field] = value;
  }

  /** Takes an expression, with or without `#`, and evaluates it. */
  immediate(): { value: bigint; column: number } {
    const hash = this.accept("#");
    const column = this.column();
    if (!hash && isRegisterName(this.peekWord())) this.failExpected("an immediate");
    const expression = this.#takeExpression();
    if (expression === "") this.failExpected("an immediate");
    try {
      const { evaluate } = this.context;
      const value = evaluate ? evaluate(expression) : evaluateSimple(expression, this.context);
      return { value, column };
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      throw new AssemblyError(error.message, column + error.column - 1, error.expected);
    }
  }

  /** True when a `#` comes next. */
  seesHash(): boolean {
    return this.text.charAt(this.column() - 1) === "#";
  }

  /** Text up to the comma or bracket that ends an expression, but for those in parentheses or character constants. */
  #takeExpression(): string {
    const start = this.position, token = /'(?:\\.|[^'])'|[^]/y;
    for (let depth = 0; this.position < this.text.length;) {
      token.lastIndex = this.position;
      const part = token.exec(this.text)?.[0] ?? "";
      if (depth === 0 && /^[,\]})]$/.test(part)) break;
      depth += part === "(" ? 1 : part === ")" ? -1 : 0;
      this.position += part.length;
    }
    return this.text.slice(start, this.position).trim();
  }

  /** An immediate between two bounds, as a number. */
  immediateBetween(lowest: number, highest: number, multiple = 1): number {
    const { value, column } = this.immediate();
    return this.checkRange(value, column, lowest, highest, multiple);
  }

  /** Fails unless the value is between two bounds and a multiple. */
  checkRange(value: bigint, column: number, lowest: number, highest: number, multiple = 1): number {
    const isInside = value >= BigInt(lowest) && value <= BigInt(highest);
    if (isInside && value % BigInt(multiple) === 0n) return Number(value);
    if (isInside) this.fail(`${value} is not a multiple of ${multiple}`, column);
    this.fail(`${value} is out of range ${lowest} to ${highest}`, column);
  }
}

const REGISTER_NAME = /^([xwbhsdqv]([12]?\d|3[01])(\.\w+)?|w?sp|[xw]zr|fp|lr)$/;

/** True for the name of a general-purpose or SIMD register, in lower case. */
export function isRegisterName(word: string): boolean {
  return REGISTER_NAME.test(word);
}

/** What an operand is printed with: all fields of the word, and the instruction's address when it is known. */
export interface PrintContext {
  /** Fields of the row or alias. */
  readonly fields: AnyFields;
  /** Address of the instruction; without it labels print as offsets. */
  readonly address: bigint | undefined;
}
