/** `ldr x0, =value`: constants in a literal pool, each once. */
import { AssemblyError } from "./line_parser.ts";
import type { Assembler } from "./program_assembler.ts";
import type { Expression } from "./program_expression.ts";
import { Reader } from "./program_reader.ts";
import type { Literal } from "./program_sections.ts";
import type { Statement } from "./program_source.ts";

const LOAD_LITERAL = /^\s*(ldrsw|ldr)\s+([wxsd])[a-z0-9]+\s*,\s*(?==)/i;

/** The name that stands for a literal's place in the text handed to the line assembler; no source can spell it. */
export const LITERAL = "$literal pool$";

/** If the statement loads a literal: its entry in the section's pool, and its text with a name for the entry's place. */
export function takeLiteral(
  assembler: Assembler,
  statement: Statement,
): { readonly text: string; readonly entry: Literal } | undefined {
  const [head, mnemonic = "", letter = ""] = LOAD_LITERAL.exec(statement.text) ?? [];
  if (head === undefined) return undefined;
  const reader = new Reader(statement.text, head.length);
  reader.expect(/=/y, '"="');
  const expression = assembler.expression(reader);
  reader.end("an operator or the end of the statement");
  const size = mnemonic.toLowerCase() === "ldr" && /[xd]/i.test(letter) ? 8 : 4;
  const key = `${size} ${valueKey(assembler, expression)}`;
  const text = head + LITERAL, { literals } = assembler.section;
  const known = literals.get(key);
  if (known) return { text, entry: known };
  const entry: Literal = { size, expression, place: statement, offset: undefined };
  literals.set(key, entry);
  return { text, entry };
}

const LOCAL_LABEL = /\b\d+[bf]\b/g;

/** Constants are the same by value, labels by name, and what depends on the place only by its address. */
function valueKey(assembler: Assembler, { names, text, evaluate }: Expression): string {
  const identities = new Map(names.map((name) => [name, assembler.identity(name)]));
  if (names.length > 0 && names.every((name) => identities.get(name) !== undefined)) {
    return text.replace(/\s+/g, "").replace(LOCAL_LABEL, (name) => identities.get(name) ?? name);
  }
  try {
    const { origin, offset } = evaluate();
    return `${origin?.name ?? ""}:${BigInt.asIntN(64, offset)}`;
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error;
    return `@${assembler.section.literals.size}`; // not known yet: never shared
  }
}
