/** Assembly text of single instructions to words, and words to text: both from the rows. */
import { type AssemblyContext, AssemblyError, LineParser } from "./line_parser.ts";
import { neverPrinted } from "./instruction.ts";
import { AssemblyText } from "./operands.ts";
import type { AnyFields, Pattern } from "./pattern.ts";
import { type Alias, ALIASES, decode, type Instruction, ROWS } from "./rows.ts";

export { type AssemblyContext, AssemblyError, parseNumber } from "./line_parser.ts";

interface Form {
  readonly pattern: Pattern;
  readonly text: AssemblyText;
  readonly preferred: ((fields: AnyFields) => boolean) | undefined;
}

/** The forms of a mnemonic and of an instruction: aliases, then instructions, then what is only read. */
interface Forms {
  readonly byMnemonic: ReadonlyMap<string, readonly Form[]>;
  readonly byInstruction: ReadonlyMap<Instruction, readonly Form[]>;
}

let forms: Forms | undefined;

/** Reads all assembly texts, once, when the first line is assembled or printed. */
function allForms(): Forms {
  if (forms !== undefined) return forms;
  const byMnemonic = new Map<string, Form[]>(), byInstruction = new Map<Instruction, Form[]>();
  const add = (row: Instruction | Alias, assembly: string, instruction: Instruction): void => {
    const text = new AssemblyText(assembly, row.pattern);
    const form = { pattern: row.pattern, text, preferred: "preferred" in row ? row.preferred : undefined };
    append(byMnemonic, text.mnemonic, form);
    append(byInstruction, instruction, form);
  };
  const isPrinted = (row: Alias): boolean => row.preferred !== neverPrinted;
  for (const row of ALIASES.filter(isPrinted)) add(row, row.assembly, instructionOf(row));
  for (const row of ROWS) if (row.assembly !== undefined) add(row, row.assembly, row);
  for (const row of ALIASES.filter((row) => !isPrinted(row))) add(row, row.assembly, instructionOf(row));
  forms = { byMnemonic, byInstruction };
  return forms;
}

function append<Key>(map: Map<Key, Form[]>, key: Key, form: Form): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [form]);
  else list.push(form);
}

/** The instruction whose encodings include all of an alias. */
export function instructionOf(row: Alias): Instruction {
  const found = ROWS.filter(({ pattern }) =>
    (pattern.mask & ~row.pattern.mask) === 0 && pattern.matches(row.pattern.value)
  );
  if (found.length === 1) return found[0] as Instruction;
  throw new RangeError(`Alias ${row.name} belongs to ${found.length} instructions`);
}

/**
 * Assembles one instruction, such as `add x0, x1, #4`, without label or comment, to its word. Throws an
 * `AssemblyError` that names the column and what was expected.
 */
export function assembleLine(text: string, context: AssemblyContext): number {
  const [, indent, mnemonic] = /^(\s*)([^\s]*)/.exec(text) as unknown as [string, string, string];
  const candidates = candidateForms(mnemonic.toLowerCase());
  if (candidates.length === 0) {
    throw new AssemblyError(`unknown instruction "${mnemonic}"`, indent.length + 1);
  }
  const errors: AssemblyError[] = [];
  for (const { pattern, text: form } of candidates) {
    try {
      return assembleForm(pattern, form, new LineParser(text, indent.length + form.mnemonic.length, context));
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      errors.push(error);
    }
  }
  throw bestError(errors);
}

/** Forms of a mnemonic: `b.eq` is that of `b.` with a condition. */
function candidateForms(mnemonic: string): readonly Form[] {
  const { byMnemonic } = allForms();
  const exact = byMnemonic.get(mnemonic);
  return exact ?? byMnemonic.get(mnemonic.slice(0, mnemonic.indexOf(".") + 1)) ?? [];
}

function assembleForm(pattern: Pattern, form: AssemblyText, line: LineParser): number {
  const parsed = form.parse(line);
  const fields: Record<string, number> = {};
  for (const { name } of pattern.fields) fields[name] = parsed[name] ?? 0;
  const word = pattern.encode(fields);
  if (decode(word) !== undefined) return word;
  throw new AssemblyError("there is no such form of this instruction", 1);
}

/** The errors of the forms that were read furthest; those that name a wrong value go before those of another kind. */
function bestError(errors: readonly AssemblyError[]): AssemblyError {
  const column = Math.max(...errors.map((error) => error.column));
  const furthest = errors.filter((error) => error.column === column);
  const specific = furthest.filter((error) => error.expected === undefined);
  if (specific.length > 0) return new AssemblyError([...new Set(specific.map(messageOf))].join("; "), column);
  const first = furthest[0] as AssemblyError;
  const kinds = [...new Set(furthest.map((error) => error.expected as string))];
  const isPart = (kind: string) => kinds.some((other) => other !== kind && other.includes(kind));
  const expected = kinds.filter((kind) => !isPart(kind)).join(" or ");
  return new AssemblyError(first.message.replace(first.expected as string, () => expected), column, expected);
}

const messageOf = (error: AssemblyError): string => error.message;

/**
 * The text of an instruction word, in LLVM's spelling with preferred aliases. With an address labels are absolute
 * (`b 0x40000010`), without they are distances (`b #16`). A word that has no text gives `.word 0x…`, followed by the
 * row's name if it has one. What it gives, `assembleLine` reads at the same address (but for `.word`).
 */
export function disassemble(word: number, address?: bigint): string {
  const decoded = decode(word);
  const directive = `.word 0x${(word >>> 0).toString(16).padStart(8, "0")}`;
  if (decoded === undefined) return directive;
  for (const { pattern, text, preferred } of allForms().byInstruction.get(decoded.row) ?? []) {
    if (!pattern.matches(word)) continue;
    const fields = pattern.decode(word);
    if (preferred === undefined || preferred(fields)) return text.print({ fields, address });
  }
  return `${directive} // ${decoded.row.name}`;
}
