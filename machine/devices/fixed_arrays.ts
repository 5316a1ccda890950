/** Section fields of arrays whose length is known: nothing but the elements, little-endian. */
import { z } from "zod";
import { field, type FieldKind } from "../layout.ts";

/** Exactly `length` unsigned 32-bit words. */
export function words(length: number): FieldKind<Uint32Array> {
  return field(
    () => z.instanceof(Uint32Array).refine((value) => value.length === length, `not ${length} words`),
    {
      holds: (value) => value instanceof Uint32Array && value.length === length,
      write: (writer, value) => value.forEach((word) => writer.u32(word)),
      read: (reader) => Uint32Array.from({ length }, () => reader.u32()),
    },
  );
}

/** Exactly `length` bytes. */
export function octets(length: number): FieldKind<Uint8Array> {
  return field(
    () => z.instanceof(Uint8Array).refine((value) => value.length === length, `not ${length} bytes`),
    {
      holds: (value) => value instanceof Uint8Array && value.length === length,
      write: (writer, value) => writer.raw(value),
      read: (reader) => reader.raw(length),
    },
  );
}
