/** Structures of ACPI tables: one text names the fields of each, from which it is written and read. */

type NameOf<S extends string> = S extends `${infer Name}:${string}` ? Name : never;
type NamesOf<S extends string, Before = never> = S extends `${infer First} ${infer Rest}`
  ? NamesOf<Rest, Before | NameOf<First>>
  : Before | NameOf<S>;

/** A value of a field: unsigned, at most 64 bits. */
export type FieldValue = number | bigint;

/** A field of a structure. */
export interface Field<N extends string = string> {
  /** Its name. */
  readonly name: N;
  /** Offset from the structure's start. */
  readonly at: number;
  /** Bytes, 1 to 12. */
  readonly size: number;
  /** What it has when nothing else is said. */
  readonly initial: bigint;
}

/** A structure: fields one behind the other, little-endian, without gaps. */
export interface Structure<N extends string = string> {
  /** Its fields in order. */
  readonly fields: readonly Field<N>[];
  /** Bytes of all fields. */
  readonly size: number;
  /** The bytes, with these values; RangeError for one that does not fit. */
  encode(values?: Readonly<Partial<Record<N, FieldValue>>>): Uint8Array<ArrayBuffer>;
  /** The values at an offset; fields that lie behind the end of the bytes are left out. */
  decode(bytes: Uint8Array, at?: number): Partial<Record<N, bigint>>;
  /** Offset of a field. */
  offset(name: N): number;
}

/** Writes the low `size` bytes of a value. */
export function putNumber(bytes: Uint8Array, at: number, size: number, value: FieldValue): void {
  let rest = BigInt(value);
  if (rest < 0n || rest >> BigInt(size * 8) !== 0n) {
    throw new RangeError(`0x${rest.toString(16)} does not fit into ${size} bytes`);
  }
  for (let index = 0; index < size; index++, rest >>= 8n) bytes[at + index] = Number(rest & 0xffn);
}

/** Reads `size` bytes, of which those behind the end count as zero. */
export function getNumber(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) value = value << 8n | BigInt(bytes[at + index] ?? 0);
  return value;
}

/** A structure by a text `name:bytes` or `name:bytes=value` for each field, a space between them. */
export function structure<const S extends string>(text: S): Structure<NamesOf<S>> {
  type N = NamesOf<S>;
  const fields: Field<N>[] = [];
  let size = 0;
  for (const [, name, bytes, initial] of text.matchAll(/(\w+):(\d+)(?:=(\w+))?/g)) {
    fields.push({ name: name as N, at: size, size: Number(bytes), initial: BigInt(initial ?? 0) });
    size += Number(bytes);
  }
  return {
    fields,
    size,
    encode(values?) {
      const bytes = new Uint8Array(size), given: Readonly<Partial<Record<string, FieldValue>>> = values ?? {};
      for (const field of fields) putNumber(bytes, field.at, field.size, given[field.name] ?? field.initial);
      return bytes;
    },
    decode(bytes, at = 0) {
      const values: Partial<Record<N, bigint>> = {};
      for (const field of fields) {
        if (at + field.at + field.size > bytes.length) break;
        values[field.name] = getNumber(bytes, at + field.at, field.size);
      }
      return values;
    },
    offset: (name) => (fields.find((field) => field.name === name) as Field<N>).at,
  };
}

/** A text as a field has it: its characters from the lowest address on, filled with spaces. */
export function characters(text: string, size: number, fill = " "): bigint {
  const bytes = new TextEncoder().encode(text.padEnd(size, fill).slice(0, size));
  return getNumber(bytes, 0, size);
}

/** The text of a field of characters. */
export function charactersOf(value: bigint, size: number): string {
  const bytes = new Uint8Array(size);
  putNumber(bytes, 0, size, value);
  return String.fromCharCode(...bytes);
}

/** Bytes one behind the other. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
