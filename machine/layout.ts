/** Fixed little-endian layouts: one table of fields gives the bytes that are hashed, the zod schema and the type. */
import { z } from "zod";
import type { ByteReader, ByteWriter } from "./byte_buffers.ts";

export { ByteReader, ByteWriter, Phrase } from "./byte_buffers.ts";

/** A zod schema, as those see it who only check values with it. */
export interface Schema<T> {
  /** The value, checked; throws zod's error when it is not what the schema says. */
  parse(value: unknown): T;
  /** The same without throwing. */
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: SchemaError };
}

/** A schema that is made when it is first used. */
export function lazySchema<T>(make: () => Schema<T>): Schema<T> {
  let made: Schema<T> | undefined;
  const schema = (): Schema<T> => made ??= make();
  return { parse: (value) => schema().parse(value), safeParse: (value) => schema().safeParse(value) };
}

/** What is wrong with a value. */
export interface SchemaError {
  /** All of it. */
  readonly message: string;
  /** One by one, each with the way to it. */
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** What a field is whose value is one number of at most 64 bits: that, or the number of a name. */
export type NumberForm = "u8" | "u16" | "u32" | "u64" | readonly string[];

/** How one field is checked, written and read. */
export interface FieldKind<T> {
  /** What it is, where its value is one number. */
  readonly form?: NumberForm;
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

/** A field whose schema is made when somebody asks for it: there are hundreds, and most commands never do. */
export function field<T>(makeSchema: () => Schema<T>, methods: Omit<FieldKind<T>, "schema">): FieldKind<T> {
  let made: Schema<T> | undefined;
  return {
    get schema() {
      return made ??= makeSchema();
    },
    ...methods,
  };
}

function unsigned(bits: 8 | 16 | 32): FieldKind<number> {
  const name = `u${bits}` as const;
  return field(() => z.int().min(0).max(2 ** bits - 1), {
    form: name,
    holds: (value) => isIntegerUpTo(value, 2 ** bits - 1),
    write: (writer, value) => writer[name](value),
    read: (reader) => reader[name](),
  });
}

const U64_MAX = (1n << 64n) - 1n;

/** Unsigned 8 bits. */
export const u8: FieldKind<number> = unsigned(8);
/** Unsigned 16 bits. */
export const u16: FieldKind<number> = unsigned(16);
/** Unsigned 32 bits. */
export const u32: FieldKind<number> = unsigned(32);
/** Unsigned 64 bits, as a bigint. */
export const u64: FieldKind<bigint> = field(() => z.bigint().min(0n).max(U64_MAX), {
  form: "u64",
  holds: (value) => typeof value === "bigint" && BigInt.asUintN(64, value) === value,
  write: (writer, value) => writer.u64(value),
  read: (reader) => reader.u64(),
});
/** A non-negative integer below 2^53: instants, nanoseconds, physical addresses. */
export const u53: FieldKind<number> = field(() => z.int().min(0).max(Number.MAX_SAFE_INTEGER), {
  holds: (value) => isIntegerUpTo(value, Number.MAX_SAFE_INTEGER),
  write: (writer, value) => writer.u53(value),
  read: (reader) => reader.u53(),
});
/** A boolean, one byte 0 or 1. */
export const flag: FieldKind<boolean> = field(() => z.boolean(), {
  holds: (value) => typeof value === "boolean",
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read: (reader) => {
    const value = reader.u8();
    if (value > 1) throw new RangeError(`Cannot read a flag: byte is ${value}, not 0 or 1`);
    return value === 1;
  },
});

/** Bytes with a 32-bit length in front; at most `max` of them. */
export function bytes(max: number): FieldKind<Uint8Array> {
  return field(
    () => z.instanceof(Uint8Array).refine((value) => value.length <= max, `more than ${max} bytes`),
    {
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
    },
  );
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
  return field(() => z.string().refine((value) => utf8(value).length <= max, `more than ${max} bytes`), {
    holds: (value) => typeof value === "string" && utf8(value).length <= max,
    write: (writer, value) => inner.write(writer, utf8(value)),
    read: (reader) => decoder.decode(inner.read(reader)),
  });
}

/** One of a fixed list of names, stored as its index (at most 256 names, order is part of the format). */
export function oneOf<const N extends readonly string[]>(...names: N): FieldKind<N[number]> {
  return field(() => z.enum(names as unknown as [string, ...string[]]) as unknown as Schema<N[number]>, {
    form: names,
    holds: (value) => names.includes(value),
    write: (writer, value) => writer.u8(names.indexOf(value)),
    read: (reader) => {
      const index = reader.u8();
      const name = names[index];
      if (name === undefined) throw new RangeError(`Cannot read a name: index ${index} of ${names.length}`);
      return name;
    },
  });
}

/** A list of at most `max` values with a 32-bit count in front. */
export function listOf<T>(kind: FieldKind<T>, max: number): FieldKind<T[]> {
  return field(() => z.array(kind.schema as z.ZodType<T>).max(max), {
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
  });
}

/** A table of fields, in layout order. */
export type Fields = Readonly<Record<string, FieldKind<never> | FieldKind<unknown>>>;
/** The value that a table of fields describes. */
export type ValueOf<F> = { -readonly [K in keyof F]: F[K] extends FieldKind<infer T> ? T : never };

/** A record: fields one after another, in the order of the table. */
export function record<F extends Record<string, unknown>>(fields: F): FieldKind<ValueOf<F>> {
  const entries = Object.entries(fields) as [string, FieldKind<unknown>][];
  const names = Object.keys(fields), kinds = entries.map(([, kind]) => kind), count = names.length;
  return field(() =>
    z.strictObject(
      Object.fromEntries(entries.map(([name, kind]) => [name, kind.schema as z.ZodType])),
    ) as unknown as Schema<ValueOf<F>>, {
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
  });
}
