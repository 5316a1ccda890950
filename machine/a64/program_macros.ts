/** Expands `.macro`, `.rept`, `.irp` and `.if` of a program: statements in, fewer kinds of statements out. */
import { AssemblyError } from "./line_parser.ts";
import {
  type Parameter,
  readArgument,
  readArguments,
  readParameter,
  replaceNames,
  rest,
} from "./program_macro_text.ts";
import { NAME, Reader } from "./program_reader.ts";
import { type Place, splitStatements, type Statement } from "./program_source.ts";

/** What expansion needs to know of the program so far. */
export interface Surroundings {
  /** The value of the expression that comes next; throws `AssemblyError` when it is not known yet. */
  evaluate(reader: Reader): bigint;
  /** Whether a label or equate of this name was defined before. */
  isDefined(name: string): boolean;
  /** Takes note of what is wrong. */
  report(place: Place, error: AssemblyError): void;
}

interface Macro {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: readonly Statement[];
}

interface Condition {
  readonly opening: Statement;
  /** Whether statements are kept; never inside one that is not active. */
  isActive: boolean;
  /** A branch was taken, so that no other is. */
  isDecided: boolean;
  hasElse: boolean;
}

/** Statements, repetitions and calls of one program: guards against sources that never end. */
const MAXIMUM_EXPANSION = 1_000_000;
const MAXIMUM_DEPTH = 100;

const BLOCK_ENDS = new Map([[".macro", ".endm"], [".rept", ".endr"], [".irp", ".endr"]]);

type Test = (reader: Reader, around: Surroundings) => boolean;

const isNotZero: Test = (reader, around) => around.evaluate(reader) !== 0n;

const CONDITIONS = new Map<string, Test>([
  [".if", isNotZero],
  [".ifdef", (reader, around) => around.isDefined(reader.expect(NAME, "a name"))],
  [".ifndef", (reader, around) => !around.isDefined(reader.expect(NAME, "a name"))],
  [".ifb", (reader) => rest(reader) === ""],
  [".ifnb", (reader) => rest(reader) !== ""],
]);

/** The directive or mnemonic of a statement, in lower case; labels in front of it, even unfinished ones, are skipped. */
const WORD = /^\s*(?:[\w.$\\@()]+\s*:\s*)*([\w.$]+)(?![\w.$]|\s*:)/;

/** Expands the statements of one program. */
export class Preprocessor {
  readonly #macros: Map<string, Macro> = new Map();
  readonly #around: Surroundings;
  #calls = 0;
  #left = MAXIMUM_EXPANSION;

  /** Asks `around` for the values of conditions and counts. */
  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** The statements that remain. The consumer must have dealt with each one before it asks for the next. */
  *expand(statements: readonly Statement[], depth = 0): Generator<Statement, void> {
    const conditions: Condition[] = [];
    for (let index = 0; index < statements.length; index++) {
      const statement = statements[index];
      if (!statement || !this.#spend(statement)) return;
      const word = wordOf(statement);
      if (this.#condition(word, statement, conditions)) continue;
      if (conditions.at(-1)?.isActive === false) continue;
      const end = BLOCK_ENDS.get(word);
      if (end !== undefined) {
        const last = findEnd(statements, index, end);
        if (last === undefined) this.#report(statement, `${word} has no ${end}; expected one below it`);
        const body = statements.slice(index + 1, last ?? statements.length), closing = statements[last ?? -1];
        if (closing) this.#attempt(closing, () => afterWord(closing).end());
        index = last ?? statements.length;
        yield* this.#block(word, statement, body, depth);
        continue;
      }
      const macro = this.#macros.get(word);
      if (macro) yield* this.#call(macro, statement, depth);
      else if (word === ".endm" || word === ".endr") {
        this.#report(statement, `${word} ends nothing; expected .macro, .rept or .irp before it`);
      } else yield statement;
    }
    for (const { opening } of conditions) {
      this.#report(opening, `${wordOf(opening)} has no .endif; expected one below it`);
    }
  }

  #report(place: Place, message: string, column = 1): void {
    this.#around.report(place, new AssemblyError(message, column));
  }

  /** Runs the action, reporting what it throws; undefined then. */
  #attempt<Result>(statement: Statement, action: () => Result): Result | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      this.#around.report(statement, error);
      return undefined;
    }
  }

  #spend(place: Place): boolean {
    if (this.#left === 0) {
      this.#report(place, `the program expands to more than ${MAXIMUM_EXPANSION} statements; expected fewer`);
    }
    return --this.#left >= 0;
  }

  /** Deals with a directive of conditional assembly; false if the statement is none. */
  #condition(word: string, statement: Statement, conditions: Condition[]): boolean {
    const isTrue = CONDITIONS.get(word);
    const last = conditions.at(-1);
    const isEnd = word === ".else" || word === ".endif";
    if (isEnd) this.#attempt(statement, () => afterWord(statement).end());
    if (isTrue) {
      const isSkipped = last?.isActive === false;
      const isActive = !isSkipped && this.#decide(isTrue, statement);
      conditions.push({ opening: statement, isActive, isDecided: isSkipped || isActive, hasElse: false });
    } else if (word === ".else" || word === ".elseif") {
      if (!last || last.hasElse) {
        this.#report(statement, `${word} belongs to no .if; expected .if before it`);
        return true;
      }
      last.hasElse = word === ".else";
      last.isActive = !last.isDecided && (last.hasElse || this.#decide(isNotZero, statement));
      last.isDecided ||= last.isActive;
    } else if (word === ".endif") {
      if (!conditions.pop()) this.#report(statement, ".endif belongs to no .if; expected .if before it");
    } else return false;
    return true;
  }

  #decide(isTrue: Test, statement: Statement): boolean {
    return this.#attempt(statement, () => {
      const reader = afterWord(statement);
      const result = isTrue(reader, this.#around);
      reader.end();
      return result;
    }) ?? false;
  }

  *#block(
    word: string,
    opening: Statement,
    body: readonly Statement[],
    depth: number,
  ): Generator<Statement, void> {
    const reader = afterWord(opening);
    if (word === ".macro") this.#attempt(opening, () => this.#define(reader, body));
    else if (word === ".rept") {
      const count = this.#attempt(opening, () => this.#count(reader)) ?? 0n;
      for (let turn = 0n; turn < count && this.#spend(opening); turn++) {
        yield* this.#nested(body, opening, depth);
      }
    } else {
      const [name, values] = this.#attempt(opening, () => irpHeader(reader)) ?? ["", []];
      for (const value of values) {
        const expanded = this.#attempt(opening, () => this.#substitute(body, new Map([[name, value]])));
        yield* this.#nested(expanded ?? [], opening, depth);
      }
    }
  }

  *#nested(body: readonly Statement[], opening: Statement, depth: number): Generator<Statement, void> {
    if (depth < MAXIMUM_DEPTH) return yield* this.expand(body, depth + 1);
    this.#report(
      opening,
      `macros and repetitions are nested too deeply; expected at most ${MAXIMUM_DEPTH} levels`,
    );
    this.#left = -1;
  }

  #count(reader: Reader): bigint {
    const { column } = reader;
    const count = this.#around.evaluate(reader);
    reader.end();
    if (count < 0n) reader.fail(`cannot repeat ${count} times`, "0 or more", column);
    return count;
  }

  #define(reader: Reader, body: readonly Statement[]): void {
    const { column } = reader;
    const name = reader.expect(NAME, "the macro's name").toLowerCase();
    if (this.#macros.has(name)) reader.fail(`macro "${name}" is defined twice`, "another name", column);
    const parameters: Parameter[] = [];
    for (reader.take(/,/y); !reader.atEnd; reader.take(/,/y)) {
      const start = reader.column;
      const parameter = readParameter(reader);
      if (parameters.some((other) => other.name === parameter.name)) {
        reader.fail(`parameter "${parameter.name}" appears twice`, "another name", start);
      }
      if (parameters.some(({ takesRest }) => takesRest)) {
        reader.fail("nothing can follow a :vararg parameter", "the end of the statement", start);
      }
      parameters.push(parameter);
    }
    this.#macros.set(name, { name, parameters, body });
  }

  *#call(macro: Macro, statement: Statement, depth: number): Generator<Statement, void> {
    const expanded = this.#attempt(statement, () => {
      const values = readArguments(macro.name, macro.parameters, afterWord(statement));
      values.set("@", String(this.#calls++));
      return this.#substitute(macro.body, values, { macro: macro.name, statement });
    });
    yield* this.#nested(expanded ?? [], statement, depth);
  }

  /** The body with `\name` replaced by what `values` has for the name. */
  #substitute(body: readonly Statement[], values: Map<string, string>, call?: Place["call"]): Statement[] {
    const report = (place: Place, error: AssemblyError) => this.#around.report(place, error);
    return body.flatMap((statement) => {
      const { text, ...place } = { ...statement, ...(call && { call }) };
      if (!text.includes("\\")) return [{ ...place, text }];
      const replaced = replaceNames(statement, values);
      return splitStatements(replaced.text, { ...place, columns: replaced.columns }, report);
    });
  }
}

function wordOf({ text }: Statement): string {
  return WORD.exec(text)?.[1]?.toLowerCase() ?? "";
}

function afterWord({ text }: Statement): Reader {
  return new Reader(text, WORD.exec(text)?.[0].length ?? 0);
}

/** Index of the statement that ends the block opened at `start`. */
function findEnd(statements: readonly Statement[], start: number, end: string): number | undefined {
  let depth = 0;
  for (let index = start; index < statements.length; index++) {
    const word = wordOf(statements[index] as Statement);
    if (BLOCK_ENDS.get(word) === end) depth++;
    else if (word === end && --depth === 0) return index;
  }
  return undefined;
}

function irpHeader(reader: Reader): [name: string, values: string[]] {
  const name = reader.expect(NAME, "a name");
  const values: string[] = [];
  for (reader.take(/,/y); !reader.atEnd; reader.take(/,/y)) values.push(readArgument(reader));
  return [name, values.length === 0 ? [""] : values];
}
