/** Encoding patterns: `sf:1 00 100010 sh:1 imm12:12 Rn:5 Rd:5` to mask, value, fields and their types. */
import { MachineInvariantError } from "../errors.ts";

/** Names of the fields in an encoding string. */
export type FieldName<Encoding extends string> = Encoding extends `${infer Token} ${infer Rest}`
  ? FieldName<Token> | FieldName<Rest>
  : Encoding extends `${infer Name}:${number}` ? Name
  : never;

/** The fields of an encoding string: unsigned integers of their declared widths, known at decode. */
export type Fields<Encoding extends string> = { readonly [Name in FieldName<Encoding>]: number };

/** Fields of some row, when it is not known which. */
export type AnyFields = Readonly<Record<string, number>>;

/** A field: `width` bits whose lowest is bit `lowest` of the word. */
export interface Field {
  /** Name, as the Arm ARM spells it. */
  readonly name: string;
  /** Number of its lowest bit in the word. */
  readonly lowest: number;
  /** Width in bits, 1–31. */
  readonly width: number;
  /** As many ones. */
  readonly mask: number;
}

const FIELD = /^[A-Za-z]\w*:\d+$/;

/**
 * A parsed encoding. Words are unsigned 32-bit numbers. The string has bit 31 first; its tokens are fields `name:width`
 * and fixed bits `0`, `1`; `(0)` and `(1)` are bits that should be so but are ignored by decoders; `x` is as `(0)`.
 */
export class Pattern {
  /** The string it was made from. */
  readonly encoding: string;
  /** Ones where a word must agree with `value`. */
  readonly mask: number;
  /** The fixed bits. */
  readonly value: number;
  /** Fields in the order of the string. */
  readonly fields: readonly Field[];
  /** Fixed bits and what the ignored ones should be: what `encode` starts from. */
  readonly #template: number;
  readonly #names: ReadonlySet<string>;

  /** Parses an encoding of exactly 32 bits with distinct field names; else throws a `MachineInvariantError`. */
  constructor(encoding: string) {
    const refuse = (reason: string) => new MachineInvariantError(`Encoding "${encoding}": ${reason}`);
    let position = 32, mask = 0, value = 0, template = 0;
    const fields: Field[] = [];
    // A thousand encodings are parsed at every start: without a regular expression where there are only bits.
    for (const token of encoding.trim().split(/\s+/)) {
      const colon = token.indexOf(":");
      if (colon > 0) {
        const name = token.slice(0, colon), width = Number(token.slice(colon + 1));
        if (!FIELD.test(token)) throw refuse(`"${token}" is neither a field nor bits`);
        position -= width;
        if (fields.some((field) => field.name === name)) throw refuse(`field ${name} appears twice`);
        fields.push({ name, lowest: position, width, mask: 2 ** width - 1 });
        continue;
      }
      for (let at = 0; at < token.length; at++) {
        const isIgnored = token[at] === "(", bit = token[isIgnored ? at + 1 : at];
        const isBit = bit === "0" || bit === "1" || (bit === "x" && !isIgnored);
        if (!isBit || (isIgnored && token[at + 2] !== ")")) {
          throw refuse(`"${token}" is neither a field nor bits`);
        }
        const place = 2 ** --position;
        if (bit === "1") template += place;
        if (isIgnored) at += 2;
        else if (bit !== "x") {
          mask += place;
          if (bit === "1") value += place;
        }
      }
    }
    if (position !== 0) throw refuse(`it has ${32 - position} bits, not 32`);
    this.encoding = encoding;
    this.mask = mask;
    this.value = value;
    this.fields = fields;
    this.#template = template;
    this.#names = new Set(fields.map((field) => field.name));
  }

  /** True when the word's fixed bits are this pattern's. */
  matches(word: number): boolean {
    return (word & this.mask) === (this.value | 0);
  }

  /** The fields of a word. */
  decode(word: number): AnyFields {
    const fields: Record<string, number> = {};
    for (const { name, lowest, mask } of this.fields) {
      fields[name] = (word >>> lowest) & mask;
    }
    return fields;
  }

  /** The word with these fields; an absent, unknown, fractional or too wide field is a `RangeError`. */
  encode(fields: AnyFields): number {
    for (const name in fields) {
      if (!this.#names.has(name)) throw new RangeError(`Cannot encode "${this.encoding}": no field ${name}`);
    }
    let word = this.#template;
    for (const { name, lowest, width } of this.fields) {
      const field = fields[name];
      if (field === undefined || !Number.isInteger(field) || field < 0 || field >= 2 ** width) {
        throw new RangeError(
          `Cannot encode "${this.encoding}": ${name} is ${field}, not 0 to ${2 ** width - 1}`,
        );
      }
      word += field * 2 ** lowest;
    }
    return word;
  }
}
