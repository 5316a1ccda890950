/** Fixed little-endian layouts: one table of fields gives the bytes that are hashed, the zod schema and the type. */
import { z } from "zod";

/** Appends fixed-size little-endian fields to a growing buffer. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  #view: DataView<ArrayBuffer> = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Number of bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Makes room up to `end`; called only where there is none, since fields are many and small. */
  #grow(end: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, end));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** Writes an unsigned byte. */
  u8(value: number): void {
    const at = this.#length, end = this.#length = at + 1;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes[at] = value;
  }
  /** Writes an unsigned 16-bit integer. */
  u16(value: number): void {
    const at = this.#length, end = this.#length = at + 2;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setUint16(at, value, true);
  }
  /** Writes an unsigned 32-bit integer. */
  u32(value: number): void {
    const at = this.#length, end = this.#length = at + 4;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setUint32(at, value, true);
  }
  /** Writes an unsigned 64-bit integer. */
  u64(value: bigint): void {
    const at = this.#length, end = this.#length = at + 8;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setBigUint64(at, value, true);
  }
  /** Writes a non-negative integer below 2^53 as 64 bits. */
  u53(value: number): void {
    const at = this.#length, end = this.#length = at + 8;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setUint32(at, value % 0x1_0000_0000, true);
    this.#view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }
  /** Writes bytes as they are, without a length. */
  raw(bytes: Uint8Array): void {
    const at = this.#length, end = this.#length = at + bytes.length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.set(bytes, at);
  }
  /** The bytes written since the last `clear`; a view that the next write may replace. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
  /** A copy of the bytes written. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
  /** Starts over, keeping the buffer. */
  clear(): void {
    this.#length = 0;
  }
}

/** Reads what ByteWriter wrote; throws RangeError past the end. */
export class ByteReader {
  #view: DataView;
  #at = 0;
  /** Reads from the start of `bytes`. */
  constructor(private readonly source: Uint8Array) {
    this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }
  /** Number of bytes not read yet. */
  get remaining(): number {
    return this.source.length - this.#at;
  }
  #take(count: number): number {
    const at = this.#at;
    if (count > this.remaining) {
      throw new RangeError(`Cannot read ${count} bytes at offset ${at}: only ${this.remaining} are left`);
    }
    this.#at = at + count;
    return at;
  }
  /** Reads an unsigned byte. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  /** Reads an unsigned 16-bit integer. */
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  /** Reads an unsigned 32-bit integer. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  /** Reads an unsigned 64-bit integer. */
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  /** Reads a 64-bit integer that must be below 2^53; throws RangeError otherwise. */
  u53(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(`Cannot read an exact integer at offset ${at}: it passes 2^53`);
    }
    return value;
  }
  /** Reads `count` bytes; the result is a copy. */
  raw(count: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(count);
    return new Uint8Array(this.source.subarray(at, at + count));
  }
}

/** A zod schema, as those see it who only check values with it. */
export interface Schema<T> {
  /** The value, checked; throws zod's error when it is not what the schema says. */
  parse(value: unknown): T;
  /** The same without throwing. */
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: SchemaError };
}

/** What is wrong with a value. */
export interface SchemaError {
  /** All of it. */
  readonly message: string;
  /** One by one, each with the way to it. */
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** How one field is checked, written and read. */
export interface FieldKind<T> {
  /** The zod schema of the field's value. */
  readonly schema: Schema<T>;
  /** Whether the field can hold the value: says what the schema says, sooner, but for keys too many. */
  holds(value: T): boolean;
  /** Writes the value in its fixed layout. */
  write(writer: ByteWriter, value: T): void;
  /** Reads the value back. */
  read(reader: ByteReader): T;
}

function isIntegerUpTo(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function unsigned(bits: 8 | 16 | 32): FieldKind<number> {
  const name = `u${bits}` as const;
  return {
    schema: z.int().min(0).max(2 ** bits - 1),
    holds: (value) => isIntegerUpTo(value, 2 ** bits - 1),
    write: (writer, value) => writer[name](value),
    read: (reader) => reader[name](),
  };
}

const U64_MAX = (1n << 64n) - 1n;

/** Unsigned 8 bits. */
export const u8: FieldKind<number> = unsigned(8);
/** Unsigned 16 bits. */
export const u16: FieldKind<number> = unsigned(16);
/** Unsigned 32 bits. */
export const u32: FieldKind<number> = unsigned(32);
/** Unsigned 64 bits, as a bigint. */
export const u64: FieldKind<bigint> = {
  schema: z.bigint().min(0n).max(U64_MAX),
  holds: (value) => typeof value === "bigint" && BigInt.asUintN(64, value) === value,
  write: (writer, value) => writer.u64(value),
  read: (reader) => reader.u64(),
};
/** A non-negative integer below 2^53: instants, nanoseconds, physical addresses. */
export const u53: FieldKind<number> = {
  schema: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  holds: (value) => isIntegerUpTo(value, Number.MAX_SAFE_INTEGER),
  write: (writer, value) => writer.u53(value),
  read: (reader) => reader.u53(),
};
/** A boolean, one byte 0 or 1. */
export const flag: FieldKind<boolean> = {
  schema: z.boolean(),
  holds: (value) => typeof value === "boolean",
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read: (reader) => {
    const value = reader.u8();
    if (value > 1) throw new RangeError(`Cannot read a flag: byte is ${value}, not 0 or 1`);
    return value === 1;
  },
};

/** Bytes with a 32-bit length in front; at most `max` of them. */
export function bytes(max: number): FieldKind<Uint8Array> {
  return {
    schema: z.instanceof(Uint8Array).refine((value) => value.length <= max, `more than ${max} bytes`),
    holds: (value) => value instanceof Uint8Array && value.length <= max,
    write: (writer, value) => {
      writer.u32(value.length);
      writer.raw(value);
    },
    read: (reader) => {
      const count = reader.u32();
      if (count > max) throw new RangeError(`Cannot read ${count} bytes: the field holds at most ${max}`);
      return reader.raw(count);
    },
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The names of devices, registers and the like come again and again. */
const known = new Map<string, Uint8Array>();
const MOST_KNOWN = 1024, LONGEST_KNOWN = 32;

/** A text in UTF-8; not to be changed. */
function utf8(value: string): Uint8Array {
  const before = known.get(value);
  if (before !== undefined) return before;
  const encoded = encoder.encode(value);
  if (known.size < MOST_KNOWN && value.length <= LONGEST_KNOWN) known.set(value, encoded);
  return encoded;
}

/** UTF-8 text of at most `max` bytes. */
export function text(max: number): FieldKind<string> {
  const inner = bytes(max);
  return {
    schema: z.string().refine((value) => utf8(value).length <= max, `more than ${max} bytes`),
    holds: (value) => typeof value === "string" && utf8(value).length <= max,
    write: (writer, value) => inner.write(writer, utf8(value)),
    read: (reader) => decoder.decode(inner.read(reader)),
  };
}

/** One of a fixed list of names, stored as its index (at most 256 names, order is part of the format). */
export function oneOf<const N extends readonly string[]>(...names: N): FieldKind<N[number]> {
  return {
    schema: z.enum(names as unknown as [string, ...string[]]) as unknown as Schema<N[number]>,
    holds: (value) => names.includes(value),
    write: (writer, value) => writer.u8(names.indexOf(value)),
    read: (reader) => {
      const index = reader.u8();
      const name = names[index];
      if (name === undefined) throw new RangeError(`Cannot read a name: index ${index} of ${names.length}`);
      return name;
    },
  };
}

/** A list of at most `max` values with a 32-bit count in front. */
export function listOf<T>(kind: FieldKind<T>, max: number): FieldKind<T[]> {
  return {
    schema: z.array(kind.schema as z.ZodType<T>).max(max),
    holds: (values) => Array.isArray(values) && values.length <= max && values.every(kind.holds),
    write: (writer, values) => {
      writer.u32(values.length);
      for (const value of values) kind.write(writer, value);
    },
    read: (reader) => {
      const count = reader.u32();
      if (count > max) throw new RangeError(`Cannot read a list of ${count}: at most ${max}`);
      return Array.from({ length: count }, () => kind.read(reader));
    },
  };
}

/** A table of fields, in layout order. */
export type Fields = Readonly<Record<string, FieldKind<never> | FieldKind<unknown>>>;
/** The value that a table of fields describes. */
export type ValueOf<F> = { -readonly [K in keyof F]: F[K] extends FieldKind<infer T> ? T : never };

/** A record: fields one after another, in the order of the table. */
export function record<F extends Record<string, unknown>>(fields: F): FieldKind<ValueOf<F>> {
  const entries = Object.entries(fields) as [string, FieldKind<unknown>][];
  const names = Object.keys(fields), kinds = entries.map(([, kind]) => kind), count = names.length;
  return {
    schema: z.strictObject(
      Object.fromEntries(entries.map(([name, kind]) => [name, kind.schema as z.ZodType])),
    ) as unknown as Schema<ValueOf<F>>,
    holds: (value) => {
      return entries.every(([name, kind]) => kind.holds((value as Record<string, unknown>)[name]));
    },
    write: (writer, value) => {
      // By index: events are many, and written before anything is compiled for speed.
      const values = value as Record<string, unknown>;
      for (let at = 0; at < count; at++) {
        (kinds[at] as FieldKind<unknown>).write(writer, values[names[at] as string]);
      }
    },
    read: (reader) => {
      const value: Record<string, unknown> = {};
      for (const [name, kind] of entries) value[name] = kind.read(reader);
      return value as ValueOf<F>;
    },
  };
}
