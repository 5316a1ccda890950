/** All operand kinds, and assembly texts such as `add {Rd:xsp}, {Rn:xsp}, #{imm12}{sh:lsl12}` made of them. */
import { MachineInvariantError } from "../errors.ts";
import { IMMEDIATE_KINDS } from "./immediate_operands.ts";
import type { LineParser, PrintContext } from "./line_parser.ts";
import type { KindFactory, OperandKind } from "./operand_kind.ts";
import type { AnyFields, Field, Pattern } from "./pattern.ts";
import { REGISTER_KINDS } from "./register_operands.ts";
import { ELEMENT_KINDS } from "./simd_element_operands.ts";
import { SIMD_IMMEDIATE_KINDS } from "./simd_immediates.ts";
import { SIMD_KINDS } from "./simd_operands.ts";
import { SYSTEM_KINDS } from "./system_operands.ts";

/** Every operand kind by name. */
export const OPERAND_KINDS: Readonly<Record<string, KindFactory>> = {
  ...REGISTER_KINDS,
  ...IMMEDIATE_KINDS,
  ...SYSTEM_KINDS,
  ...SIMD_KINDS,
  ...ELEMENT_KINDS,
  ...SIMD_IMMEDIATE_KINDS,
};

interface OperandPart {
  readonly kind: OperandKind;
  readonly fields: readonly Field[];
}

/**
 * An assembly text, read both ways. `{Rn}` is an unsigned immediate, `{Rn:kind}` an operand of a kind,
 * `{N,immr,imms:kind(argument)}` one of several fields. A `#` may be left out when parsing.
 */
export class AssemblyText {
  /** The first word, up to the first operand: `add`, or `b.` when a condition follows. */
  readonly mnemonic: string;
  readonly #parts: readonly (string | OperandPart)[];

  /** Refuses unknown kinds and fields with a `MachineInvariantError`. */
  constructor(text: string, pattern: Pattern) {
    this.mnemonic = (/^[^\s{]*/.exec(text) as RegExpExecArray)[0];
    const pieces = text.slice(this.mnemonic.length).split(/\{([^}]*)\}/);
    this.#parts = pieces.map((piece, index) => (index % 2 === 0 ? piece : operandPart(piece, pattern, text)));
  }

  /** The text of a word's fields. */
  print(context: PrintContext): string {
    const parts = this.#parts.map((part) => {
      if (typeof part === "string") return part;
      return part.kind.print(part.fields.map(({ name }) => context.fields[name] as number), context);
    });
    return (this.mnemonic + parts.join("")).trimEnd();
  }

  /** The fields of what follows the mnemonic, up to the line's end; or an `AssemblyError`. */
  parse(line: LineParser): AnyFields {
    for (const part of this.#parts) {
      if (typeof part === "string") parseLiteral(line, part);
      else {
        const column = line.column();
        const values = part.kind.parse(line);
        part.fields.forEach(({ name }, index) =>
          line.bind(name, values[index] as number, "another value", column)
        );
      }
    }
    if (!line.atEnd()) line.failExpected("the end of the line");
    return line.fields;
  }
}

function operandPart(piece: string, pattern: Pattern, text: string): OperandPart {
  const [, names, kindName = "unsigned", argument = ""] = /^([\w,]+)(?::(\w+)(?:\((.*)\))?)?$/.exec(piece) ??
    [];
  const fields = names?.split(",").map((name) => pattern.fields.find((field) => field.name === name));
  if (fields === undefined || fields.includes(undefined)) {
    throw new MachineInvariantError(
      `Assembly "${text}": {${piece}} names a field not in "${pattern.encoding}"`,
    );
  }
  const factory = OPERAND_KINDS[kindName];
  if (factory === undefined) {
    throw new MachineInvariantError(`Assembly "${text}": {${piece}} is of an unknown kind`);
  }
  return { kind: factory(fields as Field[], argument), fields: fields as Field[] };
}

function parseLiteral(line: LineParser, literal: string): void {
  for (const token of literal.match(/\w+|[^\w\s]/g) ?? []) {
    if (token === "#") line.accept("#");
    else line.expect(token);
  }
}
