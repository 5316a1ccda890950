/** Parameters and arguments of macros: reading them, and putting them into the statements of a body. */
import { AssemblyError } from "./line_parser.ts";
import { NAME, type Reader, shorten } from "./program_reader.ts";
import { sourceColumn, type Statement } from "./program_source.ts";

/** Characters a statement may grow to. */
const MAXIMUM_TEXT = 65_536;

/** A parameter of a macro. */
export interface Parameter {
  /** Its name, without backslash. */
  readonly name: string;
  /** What it stands for when its argument is missing or empty. */
  readonly fallback: string;
  /** Whether an argument must be given. */
  readonly isRequired: boolean;
  /** Whether it takes all that is left, commas included. */
  readonly takesRest: boolean;
}

/** All that is left of the statement. */
export function rest(reader: Reader): string {
  return reader.expect(/[^]*/y, "text").trim();
}

/** One parameter of a definition: `a`, `a=1`, `a:req` or `a:vararg`. */
export function readParameter(reader: Reader): Parameter {
  const name = reader.expect(NAME, "a parameter's name");
  const qualifier = reader.take(/:\s*(?:req|vararg)\b/y) ?? "";
  const fallback = reader.take(/=/y) === undefined ? "" : readArgument(reader);
  return { name, fallback, isRequired: qualifier.endsWith("req"), takesRest: qualifier.endsWith("vararg") };
}

/** The arguments of a use, by parameter; by place, or by name as in `a=1`. */
export function readArguments(
  name: string,
  parameters: readonly Parameter[],
  reader: Reader,
): Map<string, string> {
  const values = new Map<string, string>();
  for (let position = 0; !reader.atEnd; reader.take(/,/y)) {
    const { column } = reader, keyword = reader.take(/[A-Za-z_.$][\w.$]*\s*=(?!=)/y);
    const key = keyword?.slice(0, -1).trim();
    let parameter = parameters.find((candidate) => candidate.name === key);
    if (!parameter) {
      reader.position -= keyword?.length ?? 0;
      parameter = parameters[position++];
    }
    if (!parameter) {
      reader.fail(`too many arguments for macro "${name}"`, `at most ${parameters.length}`, column);
    }
    if (values.has(parameter.name)) {
      reader.fail(`argument "${parameter.name}" is given twice`, "each once", column);
    }
    values.set(parameter.name, parameter.takesRest ? rest(reader) : readArgument(reader));
  }
  for (const parameter of parameters) {
    const value = values.get(parameter.name) ?? "";
    if (value === "" && parameter.isRequired) {
      reader.fail(`macro "${name}" lacks its argument "${parameter.name}"`, "a value");
    }
    values.set(parameter.name, value === "" ? parameter.fallback : value);
  }
  return values;
}

const QUOTED = /"((?:\\.|[^"\\])*)"/y;
const ARGUMENT_PART = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|[^\s,()"']+|\s+|[^]/y;
const OPERATOR = /[-+*/%<>=&|^!~:]/;

/** One argument: text up to a comma, or to a blank with no operator beside it; quotes around all of it are taken off. */
export function readArgument(reader: Reader): string {
  const quoted = reader.take(QUOTED);
  if (quoted !== undefined) return quoted.slice(1, -1);
  let text = "";
  for (let depth = 0; !reader.atEnd;) {
    const start = reader.position;
    ARGUMENT_PART.lastIndex = start;
    const part = ARGUMENT_PART.exec(reader.text)?.[0] ?? "";
    if (part === "," && depth === 0) break;
    depth += part === "(" ? 1 : part === ")" ? -1 : 0;
    text += part;
    reader.position += part.length;
    const blanks = /\s*/y;
    blanks.lastIndex = reader.position;
    const gap = blanks.exec(reader.text)?.[0] ?? "";
    const next = reader.text.charAt(reader.position + gap.length);
    if (gap === "") continue;
    if (depth <= 0 && !OPERATOR.test(next) && !OPERATOR.test(text.slice(-1))) break;
    text += gap;
    reader.position += gap.length;
  }
  return text.trim();
}

const SUBSTITUTION = /\\(@|\(\)|[A-Za-z_.$][\w.$]*)/g;

/** Puts arguments into one statement of a body; the columns of what was put in are those of its name. */
export function replaceNames(
  statement: Statement,
  values: Map<string, string>,
): { text: string; columns: number[] } {
  let text = "", end = 0;
  const columns: number[] = [];
  const add = (piece: string, from: number, step: 0 | 1): void => {
    text += piece;
    if (text.length > MAXIMUM_TEXT) {
      throw new AssemblyError(
        `"${shorten(text)}" grows too long; expected at most ${MAXIMUM_TEXT} characters`,
        1,
      );
    }
    for (let index = 0; index < piece.length; index++) {
      columns.push(sourceColumn(statement, from + index * step + 1));
    }
  };
  for (const { 0: match, 1: name = "", index } of statement.text.matchAll(SUBSTITUTION)) {
    const value = name === "()" ? "" : values.get(name);
    if (value === undefined) continue;
    add(statement.text.slice(end, index), end, 1);
    add(value, index, 0);
    end = index + match.length;
  }
  add(statement.text.slice(end), end, 1);
  return { text, columns };
}
