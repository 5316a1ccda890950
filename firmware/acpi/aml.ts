/** ACPI Machine Language: terms as bytes, in the forms that `iasl` gives them too (ACPI 6.3, chapter 20). */
import { putNumber } from "./structure.ts";

/** Where in a term something of interest starts. */
export interface AmlMark {
  /** Offset from the term's start. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
  /** What it is: a node's path. */
  readonly key: string;
}

/** A term: bytes, and what is marked in them. */
export interface Aml {
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** In the order of their ends. */
  readonly marks: readonly AmlMark[];
}

/** A term or a byte. */
export type AmlPart = Aml | number;

/** Terms one behind the other. */
export function join(...parts: readonly AmlPart[]): Aml {
  const size = parts.reduce<number>(
    (sum, part) => sum + (typeof part === "number" ? 1 : part.bytes.length),
    0,
  );
  const bytes = new Uint8Array(size), marks: AmlMark[] = [];
  let at = 0;
  for (const part of parts) {
    if (typeof part === "number") bytes[at++] = part;
    else {
      bytes.set(part.bytes, at);
      for (const mark of part.marks) marks.push({ ...mark, at: mark.at + at });
      at += part.bytes.length;
    }
  }
  return { bytes, marks };
}

/** A term that is known by a key. */
export function marked(key: string, term: Aml): Aml {
  return { ...term, marks: [...term.marks, { at: 0, size: term.bytes.length, key }] };
}

/** Bytes that are a term. */
export function raw(bytes: Uint8Array): Aml {
  return { bytes: Uint8Array.from(bytes), marks: [] };
}

/** Opcodes (20.2.3 to 20.2.5). */
// deno-fmt-ignore
export const OP = {
  ZERO: 0x00, ONE: 0x01, NAME: 0x08, BYTE: 0x0a, WORD: 0x0b, DWORD: 0x0c, STRING: 0x0d, QWORD: 0x0e, SCOPE: 0x10,
  BUFFER: 0x11, PACKAGE: 0x12, VAR_PACKAGE: 0x13, METHOD: 0x14, EXTENDED: 0x5b, DEVICE: 0x82, LOCAL0: 0x60, ARG0: 0x68, STORE: 0x70,
  AND: 0x7b, OR: 0x7d, NOTIFY: 0x86, CREATE_DWORD_FIELD: 0x8a, NOT: 0x92, EQUAL: 0x93, IF: 0xa0, ELSE: 0xa1,
  RETURN: 0xa4, ONES: 0xff, DUAL_NAME: 0x2e, MULTI_NAME: 0x2f,
} as const;

/** Most elements of a Package whose number is known when it is written. */
export const PACKAGE_MAX = 255;

/** PkgLength of contents: it counts itself (20.2.4). */
function packageLength(contents: number): number[] {
  if (contents + 1 <= 0x3f) return [contents + 1];
  for (let more = 1; more <= 3; more++) {
    const length = contents + 1 + more;
    if (length >= 2 ** (4 + 8 * more)) continue;
    const rest = Array.from({ length: more }, (_, index) => length >>> 4 + 8 * index & 0xff);
    return [more << 6 | length & 0xf, ...rest];
  }
  throw new RangeError(`${contents} bytes are more than a package of AML can hold`);
}

/** An opcode with a PkgLength and what it counts. */
function sized(opcode: readonly number[], ...parts: readonly AmlPart[]): Aml {
  const contents = join(...parts);
  return join(...opcode, ...packageLength(contents.bytes.length), contents);
}

/** An integer of at most 64 bits, in the shortest form. */
export function integer(value: number | bigint): Aml {
  const number = BigInt(value);
  if (number === 0n) return join(OP.ZERO);
  if (number === 1n) return join(OP.ONE);
  if (number === 0xffff_ffff_ffff_ffffn) return join(OP.ONES);
  for (const [opcode, size] of [[OP.BYTE, 1], [OP.WORD, 2], [OP.DWORD, 4], [OP.QWORD, 8]] as const) {
    if (number >> BigInt(size * 8) !== 0n) continue;
    const bytes = new Uint8Array(size);
    putNumber(bytes, 0, size, number);
    return join(opcode, raw(bytes));
  }
  throw new RangeError(`0x${number.toString(16)} is more than an integer of AML holds`);
}

/** Characters that a String may have here: those that are printed. */
export function isString(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** A String; throws RangeError for one with other characters than printed ones of ASCII. */
export function string(text: string): Aml {
  if (!isString(text)) throw new RangeError(`${JSON.stringify(text)} is no String of AML`);
  return join(OP.STRING, raw(new TextEncoder().encode(text)), 0);
}

/** A Buffer with these bytes. */
export function buffer(bytes: Uint8Array): Aml {
  return sized([OP.BUFFER], integer(bytes.length), raw(bytes));
}

/** A Package of at most `PACKAGE_MAX` elements. */
export function pack(...elements: readonly Aml[]): Aml {
  if (elements.length > PACKAGE_MAX) {
    throw new RangeError(`A Package cannot have ${elements.length} elements`);
  }
  return sized([OP.PACKAGE], elements.length, ...elements);
}

/** Places of a UUID's bytes in its text's digits, as ToUUID writes them (19.6.142). */
const UUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** A UUID as a Buffer. */
export function uuid(text: string): Aml {
  const digits = text.replaceAll("-", "");
  return buffer(Uint8Array.from(UUID_ORDER, (place) => parseInt(digits.slice(2 * place, 2 * place + 2), 16)));
}

/** A NameString by its text, such as `\_SB.PCI0`, `^GPO0` or `_HID`; segments are filled up with underscores. */
export function nameString(text: string): Aml {
  const [, prefix, path] = text.match(/^(\\|\^*)(.*)$/) as RegExpMatchArray;
  const segments = (path as string).split(".").filter((segment) => segment !== "");
  for (const segment of segments) {
    if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment)) throw new RangeError(`"${segment}" is no name of AML`);
  }
  const encoder = new TextEncoder(), { length } = segments;
  const count = length === 0
    ? [0]
    : length === 1
    ? []
    : length === 2
    ? [OP.DUAL_NAME]
    : [OP.MULTI_NAME, length];
  return join(
    raw(encoder.encode(prefix)),
    ...count,
    ...segments.map((segment) => raw(encoder.encode(segment.padEnd(4, "_")))),
  );
}

/** Name (text, value). */
export function name(text: string, value: Aml): Aml {
  return join(OP.NAME, nameString(text), value);
}

/** Scope (text) { … }. */
export function scope(text: string, ...terms: readonly Aml[]): Aml {
  return sized([OP.SCOPE], nameString(text), ...terms);
}

/** Device (text) { … }. */
export function device(text: string, ...terms: readonly Aml[]): Aml {
  return sized([OP.EXTENDED, OP.DEVICE], nameString(text), ...terms);
}

/** Method (text, parameters, Serialized) { … }. */
export function method(text: string, parameters: number, ...terms: readonly Aml[]): Aml {
  const SERIALIZED = 1 << 3;
  return sized([OP.METHOD], nameString(text), parameters | SERIALIZED, ...terms);
}

/** If (condition) { … }. */
export function when(condition: Aml, ...terms: readonly Aml[]): Aml {
  return sized([OP.IF], condition, ...terms);
}

/** Else { … }. */
export function otherwise(...terms: readonly Aml[]): Aml {
  return sized([OP.ELSE], ...terms);
}
