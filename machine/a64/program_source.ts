/** Statements of a program's text: comments removed, `;` and labels split off, every character's place remembered. */
import { AssemblyError } from "./line_parser.ts";

/** A piece of a program's text. */
export interface Source {
  /** What messages call it: a file name, or the name of a part. */
  readonly name: string;
  /** Assembly text. */
  readonly text: string;
}

/** Use of a macro. */
export interface Call {
  /** The macro's name. */
  readonly macro: string;
  /** The statement that uses it. */
  readonly statement: Statement;
}

/** Where a text was taken from. */
export interface Place {
  /** Name of the source. */
  readonly file: string;
  /** 1-based line. */
  readonly line: number;
  /** 1-based column of the first character. */
  readonly column: number;
  /** 1-based columns of all characters, where macro arguments were put in; otherwise they follow `column`. */
  readonly columns?: readonly number[];
  /** The macro that the text is the body of, when it was expanded from one. */
  readonly call?: Call;
}

/** One statement: a label with its colon, an assignment, a directive, an instruction or a macro call. Starts with it. */
export interface Statement extends Place {
  /** The text, without comments. */
  readonly text: string;
}

const TOKEN = new RegExp(
  [
    /"(?:[^"\\\n]+|\\.)*"?/, // a string; the parser reports one that does not end
    /'(?:\\[0-7x][0-9a-fA-F]{0,2}|\\.|[^'\\\n])'/, // a character
    /\/\/[^\n]*/,
    /\/\*[^]*?(?:\*\/|$)/,
    /[\n;#]/,
    /[^"'/\n;#]+/,
    /[^]/,
  ].map(({ source }) => source).join("|"),
  "y",
);

const LABEL = /^(?:[A-Za-z_.$][\w.$]*|[0-9]+)\s*:/;

/** Splits a text into statements. A comment that does not end is refused by `AssemblyError`, through `report`. */
export function splitStatements(
  text: string,
  place: Place,
  report: (place: Place, error: AssemblyError) => void,
): Statement[] {
  const statements: Statement[] = [];
  let line = place.line, lineStart = 0, start = 0, kept = "";
  const finish = (end: number): void => {
    splitLabels(kept, subplace({ ...place, line }, start - lineStart), statements);
    kept = "";
    start = end;
  };
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length;) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text)?.[0] ?? "";
    const isLineComment = token === "#" && text.slice(lineStart, at).trim() === "";
    if (isLineComment) {
      const end = text.indexOf("\n", at);
      TOKEN.lastIndex = end < 0 ? text.length : end;
    } else if (token === ";" || token === "\n") {
      finish(at + 1);
      if (token === ";") continue;
      line++;
      lineStart = at + 1;
    } else if (token.startsWith("//")) continue;
    else if (token.startsWith("/*")) {
      if (!/..\*\/$/s.test(token)) {
        report(
          { ...place, line },
          new AssemblyError("the comment does not end; expected */", at - lineStart + 1),
        );
      }
      const breaks = token.split("\n").length - 1;
      if (breaks === 0) kept += " ".repeat(token.length);
      else {
        finish(at + token.length);
        line += breaks;
        lineStart = at + token.lastIndexOf("\n") + 1;
      }
    } else kept += token;
  }
  finish(text.length);
  return statements;
}

/** The same place, some characters to the right. */
export function subplace(place: Place, offset: number): Place {
  const columns = place.columns?.slice(offset);
  return { ...place, column: columns?.[0] ?? place.column + offset, ...(columns && { columns }) };
}

/** Column in the source of a 1-based column in a statement's text. */
export function sourceColumn({ column, columns }: Place, inText: number): number {
  if (!columns) return column + inText - 1;
  return columns[inText - 1] ?? (columns.at(-1) ?? column) + 1;
}

function splitLabels(text: string, place: Place, statements: Statement[]): void {
  for (let offset = 0;;) {
    offset += text.slice(offset).search(/\S|$/);
    if (offset === text.length) return;
    const rest = text.slice(offset), label = LABEL.exec(rest)?.[0] ?? rest;
    statements.push({ ...subplace(place, offset), text: label });
    offset += label.length;
  }
}
