/** Expressions of the program assembler: C operators over exact integers and addresses whose section may still move. */
import { AssemblyError } from "./line_parser.ts";
import { NAME, Reader } from "./program_reader.ts";

/** Where an address counts from, as far as expressions need to know. */
export interface Origin {
  /** Name of the section. */
  readonly name: string;
  /** Its first address, once that is settled. */
  readonly base: bigint | undefined;
}

/** What an expression stands for: a constant, or an offset from a section's first address. */
export interface Quantity {
  /** The section it counts from; undefined for a constant. */
  readonly origin: Origin | undefined;
  /** The constant or the offset. */
  readonly offset: bigint;
}

/** Where an expression stands: what its names mean there. */
export interface Scope {
  /** The value of `.`. */
  readonly here: Quantity;
  /** The meaning of a name, or of a local label such as `1b`. Throws `UnknownError` if it has none (yet). */
  lookup(name: string, column: number): Quantity;
}

/** A name has no value, or an address is not settled: not yet, or not at all. */
export class UnknownError extends AssemblyError {
  /** Name of the class. */
  override name = "UnknownError";
}

/** A parsed expression, bound to where it stands. */
export interface Expression {
  /** 1-based column of its first character. */
  readonly column: number;
  /** The expression as written. */
  readonly text: string;
  /** Names it uses, with `.` and local labels. */
  readonly names: readonly string[];
  /** Its value as far as it is settled; throws `AssemblyError`. */
  evaluate(): Quantity;
  /** Its value as one number; throws `UnknownError` while that depends on an address that is not settled. */
  absolute(): bigint;
}

/** The constant as a quantity. */
export function constant(value: bigint): Quantity {
  return { origin: undefined, offset: value };
}

type Apply = (left: bigint, right: bigint) => bigint;

interface Operator {
  /** Binding strength in C, and in GNU as; larger binds tighter. */
  readonly c: number;
  readonly gnu: number;
  readonly apply: Apply;
}

const truth = (value: boolean, isTrue: bigint): bigint => value ? isTrue : 0n;

/** `>>` shifts zeros into 64 bits, as in GNU as; comparisons give -1 for true, `&&`, `||` and `!` give 1, likewise. */
// deno-fmt-ignore
const BINARY: Record<string, Operator> = {
  "*":  { c: 10, gnu: 6, apply: (a, b) => a * b },
  "/":  { c: 10, gnu: 6, apply: (a, b) => a / b },
  "%":  { c: 10, gnu: 6, apply: (a, b) => a % b },
  "+":  { c: 9,  gnu: 4, apply: (a, b) => a + b },
  "-":  { c: 9,  gnu: 4, apply: (a, b) => a - b },
  "<<": { c: 8,  gnu: 6, apply: (a, b) => a << b },
  ">>": { c: 8,  gnu: 6, apply: (a, b) => BigInt.asUintN(64, a) >> b },
  "<":  { c: 7,  gnu: 3, apply: (a, b) => truth(a < b, -1n) },
  "<=": { c: 7,  gnu: 3, apply: (a, b) => truth(a <= b, -1n) },
  ">":  { c: 7,  gnu: 3, apply: (a, b) => truth(a > b, -1n) },
  ">=": { c: 7,  gnu: 3, apply: (a, b) => truth(a >= b, -1n) },
  "==": { c: 6,  gnu: 3, apply: (a, b) => truth(a === b, -1n) },
  "!=": { c: 6,  gnu: 3, apply: (a, b) => truth(a !== b, -1n) },
  "&":  { c: 5,  gnu: 5, apply: (a, b) => a & b },
  "^":  { c: 4,  gnu: 5, apply: (a, b) => a ^ b },
  "|":  { c: 3,  gnu: 5, apply: (a, b) => a | b },
  "&&": { c: 2,  gnu: 2, apply: (a, b) => truth(a !== 0n && b !== 0n, 1n) },
  "||": { c: 1,  gnu: 1, apply: (a, b) => truth(a !== 0n || b !== 0n, 1n) },
};

const UNARY: Record<string, (value: bigint) => bigint> = {
  "-": (value) => -value,
  "+": (value) => value,
  "~": (value) => ~value,
  "!": (value) => truth(value === 0n, 1n),
};

const BINARY_TOKEN = /<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>&^|]/y;
const NUMBER = /[0-9][\w.$]*/y;
const LOCAL_LABEL = /^[0-9]{1,9}[bf]$/;
const NUMBER_FORM = /^(?:0x[0-9a-f]{1,64}|0b[01]{1,80}|0o?[0-7]{0,40}|[1-9][0-9]{0,40})$/i;

/** Brackets and signs inside one another; more would only exhaust the host's stack. */
const MAXIMUM_DEPTH = 100;

/** One step of evaluation: works on a stack, so that long expressions need no deep recursion. */
type Step = (stack: Quantity[]) => void;

/** Parses the expression that comes next. */
export function parseExpression(reader: Reader, scope: Scope): Expression {
  const column = reader.column;
  const parser = new Parser(reader, scope);
  parser.binary(1, 0);
  const evaluate = (): Quantity => {
    const stack: Quantity[] = [];
    for (const step of parser.steps) step(stack);
    return pop(stack);
  };
  return {
    column,
    text: reader.text.slice(column - 1, reader.position).trim(),
    names: parser.names,
    evaluate,
    absolute: () => absolute(evaluate(), column),
  };
}

/** The quantity as one number; throws `UnknownError` naming the section that is not settled. */
export function absolute({ origin, offset }: Quantity, column: number): bigint {
  if (origin === undefined) return offset;
  if (origin.base !== undefined) return origin.base + offset;
  throw new UnknownError(
    `addresses in ${origin.name} are not settled yet; expected a constant or a difference of labels`,
    column,
  );
}

/** Turns the text into steps. Its methods return the operator at the top when no brackets are around it. */
class Parser {
  readonly names: string[] = [];
  readonly steps: Step[] = [];

  constructor(private readonly reader: Reader, private readonly scope: Scope) {}

  /** Operators that bind at least as tightly as `lowest`. */
  binary(lowest: number, depth: number): string | undefined {
    const { reader } = this;
    let top: string | undefined;
    this.#unary(depth);
    for (;;) {
      const start = reader.position, column = reader.column;
      const operator = reader.take(BINARY_TOKEN);
      if (operator === undefined) return top;
      const strength = row(operator).c;
      if (strength < lowest) {
        reader.position = start;
        return top;
      }
      const right = this.binary(strength + 1, depth);
      this.#refuseAmbiguity(operator, top, right, column);
      this.steps.push((stack) => {
        const b = pop(stack), a = pop(stack);
        stack.push(combine(operator, a, b, column));
      });
      top = operator;
    }
  }

  /** C and GNU as must group alike: whoever brings a source from one of them must not get other bytes. */
  #refuseAmbiguity(
    operator: string,
    left: string | undefined,
    right: string | undefined,
    column: number,
  ): void {
    const { gnu } = row(operator);
    const isLeftWeaker = left !== undefined && row(left).gnu < gnu;
    const isRightWeaker = right !== undefined && row(right).gnu <= gnu;
    if (!isLeftWeaker && !isRightWeaker) return;
    const other = isLeftWeaker ? left : right;
    this.reader.fail(
      `C and GNU as group "${operator}" and "${other}" differently`,
      "parentheses around one",
      column,
    );
  }

  #unary(depth: number): void {
    const { reader } = this, { column } = reader;
    if (depth > MAXIMUM_DEPTH) {
      reader.fail("the expression is nested too deeply", `at most ${MAXIMUM_DEPTH} levels`);
    }
    const apply = UNARY[reader.take(/[-+~!]/y) ?? ""];
    if (apply) {
      this.#unary(depth + 1);
      this.steps.push((stack) => {
        stack.push(constant(wrap(apply(absolute(pop(stack), column)))));
      });
    } else if (reader.take(/\(/y) !== undefined) {
      this.binary(1, depth + 1);
      reader.expect(/\)/y, 'an operator or ")"');
    } else this.#primary(column);
  }

  #primary(column: number): void {
    const { reader, scope, names, steps } = this;
    const number = reader.take(NUMBER);
    const name = number === undefined ? reader.take(NAME) : LOCAL_LABEL.test(number) ? number : undefined;
    if (name !== undefined) {
      names.push(name);
      const { here } = scope;
      steps.push(
        name === "." ? (stack) => stack.push(here) : (stack) => stack.push(scope.lookup(name, column)),
      );
      return;
    }
    const value = constant(number === undefined ? this.#character(column) : literal(number, column, reader));
    steps.push((stack) => stack.push(value));
  }

  #character(column: number): bigint {
    const { reader } = this;
    reader.expect(/'/y, 'a number, a name, a character or "("');
    const character = reader.text.charAt(reader.position);
    if (character === "\\") {
      const value = reader.escape();
      return this.#closeCharacter(value, column);
    }
    reader.position++;
    const value = character.charCodeAt(0);
    if (!(value >= 32 && value < 127)) reader.fail("not an ASCII character", "its number", column);
    return this.#closeCharacter(value, column);
  }

  #closeCharacter(value: number, column: number): bigint {
    const { reader } = this;
    if (reader.text.charAt(reader.position) !== "'") {
      reader.fail("the character does not end", "a closing '", column);
    }
    reader.position++;
    return BigInt(value);
  }
}

function row(operator: string): Operator {
  const found = BINARY[operator];
  if (!found) throw new RangeError(`Cannot apply "${operator}": not an operator`);
  return found;
}

function pop(stack: Quantity[]): Quantity {
  const top = stack.pop();
  if (!top) throw new RangeError("Cannot evaluate: an operand is missing");
  return top;
}

function literal(text: string, column: number, reader: Reader): bigint {
  if (!NUMBER_FORM.test(text)) {
    const shown = text.length > 40 ? `${text.slice(0, 37)}...` : text;
    reader.fail(
      `"${shown}" is not a number`,
      "decimal, 0x, 0b or 0o digits, or a local label such as 1b",
      column,
    );
  }
  return inRange(BigInt(/^0[0-7]+$/.test(text) ? `0o${text.slice(1)}` : text), column);
}

/** Keeps offsets through `+` and `-`; everything else needs settled addresses. */
function combine(operator: string, left: Quantity, right: Quantity, column: number): Quantity {
  if (operator === "+" && (left.origin === undefined || right.origin === undefined)) {
    return { origin: left.origin ?? right.origin, offset: wrap(left.offset + right.offset) };
  }
  if (operator === "-" && (right.origin === undefined || left.origin === right.origin)) {
    const origin = right.origin === undefined ? left.origin : undefined;
    return { origin, offset: wrap(left.offset - right.offset) };
  }
  const a = absolute(left, column), b = absolute(right, column);
  if ((operator === "/" || operator === "%") && b === 0n) {
    throw new AssemblyError("division by zero; expected another divisor", column);
  }
  if ((operator === "<<" || operator === ">>") && (b < 0n || b > 63n)) {
    throw new AssemblyError(`a shift by ${b}; expected 0 to 63`, column);
  }
  const value = row(operator).apply(a, b);
  return constant(operator === "+" || operator === "-" ? wrap(value) : inRange(value, column));
}

/** Arithmetic on addresses goes around at 2^64: differences of high and low addresses are wanted. */
function wrap(value: bigint): bigint {
  return value >= -(1n << 63n) && value < 1n << 64n ? value : BigInt.asUintN(64, value);
}

/** Refuses what 64 bits cannot hold, signed or unsigned. */
function inRange(value: bigint, column: number): bigint {
  if (value >= -(1n << 63n) && value < 1n << 64n) return value;
  throw new AssemblyError("the value does not fit in 64 bits; expected -2^63 to 2^64-1", column);
}
