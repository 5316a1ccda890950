/** What an operand kind is: a way to print fields as text and to parse them back. */
import type { LineParser, PrintContext } from "./line_parser.ts";
import type { Field } from "./pattern.ts";

/** Prints and parses one operand; values are those of its fields, in the order the assembly text names them. */
export interface OperandKind {
  /** The operand's text; "" when it is left out. */
  print(values: readonly number[], context: PrintContext): string;
  /** Reads the operand, or throws an `AssemblyError`. */
  parse(line: LineParser): readonly number[];
}

/** Makes a kind for an operand's fields and the argument written after the kind's name, "" when there is none. */
export type KindFactory = (fields: readonly Field[], argument: string) => OperandKind;

/** A kind whose fields, highest first, are one unsigned number. */
export interface NumberKind {
  /** The operand's text. */
  print(value: number, context: PrintContext): string;
  /** Reads the number. */
  parse(line: LineParser): number;
}

/** Lifts a kind over one number of `width` bits to all fields of the operand. */
export function numberKind(make: (width: number, argument: string) => NumberKind): KindFactory {
  return (fields, argument) => {
    const width = fields.reduce((sum, field) => sum + field.width, 0);
    const kind = make(width, argument);
    return {
      print: (values, context) => kind.print(join(fields, values), context),
      parse: (line) => split(fields, kind.parse(line)),
    };
  };
}

/** The fields' values as one number, first field highest. */
function join(fields: readonly Field[], values: readonly number[]): number {
  return fields.reduce((joined, field, index) => joined * 2 ** field.width + (values[index] as number), 0);
}

function split(fields: readonly Field[], joined: number): number[] {
  return fields.toReversed().map(({ width }) => {
    const value = joined % 2 ** width;
    joined = Math.floor(joined / 2 ** width);
    return value;
  }).toReversed();
}

/** The number as a two's complement integer of `width` bits. */
export function asSigned(value: number, width: number): number {
  return value >= 2 ** (width - 1) ? value - 2 ** width : value;
}

/** The lowest `width` bits of a possibly negative number. */
export function asUnsigned(value: number, width: number): number {
  return value < 0 ? value + 2 ** width : value;
}
