/** Headers in network byte order: a table of fields gives reading and writing; and the Internet checksum. */

/** A header: big-endian unsigned fields of whole bytes, one after another. */
export interface HeaderLayout<N extends string> {
  /** Bytes. */
  readonly size: number;
  /** The fields of the header at `at`; undefined when the bytes end before it does. */
  read(bytes: Uint8Array, at?: number): Record<N, number> | undefined;
  /** The header followed by what it is the header of. */
  build(values: Readonly<Record<N, number>>, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
}

/** An unsigned number of `size` bytes, at most 6; the bytes must be there. */
export function readUnsigned(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let index = at; index < at + size; index++) value = value * 256 + (bytes[index] as number);
  return value;
}

/** Writes an unsigned number of `size` bytes, at most 6. */
export function writeUnsigned(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let index = at + size - 1, rest = value; index >= at; index--) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** Puts byte strings one after another. */
export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Declares a header from its table: the size of each field in bytes, at most 6. */
export function headerLayout<const F extends Readonly<Record<string, number>>>(
  fields: F,
): HeaderLayout<keyof F & string> {
  const entries = Object.entries(fields);
  const size = entries.reduce((sum, [, bytes]) => sum + bytes, 0);
  return {
    size,
    read(bytes, at = 0) {
      if (bytes.length < at + size) return undefined;
      const values: Record<string, number> = {};
      let offset = at;
      for (const [name, length] of entries) {
        values[name] = readUnsigned(bytes, offset, length);
        offset += length;
      }
      return values as Record<keyof F & string, number>;
    },
    build(values, ...parts) {
      const head = new Uint8Array(size);
      let offset = 0;
      for (const [name, length] of entries) {
        writeUnsigned(head, offset, length, values[name as keyof F & string]);
        offset += length;
      }
      return join(head, ...parts);
    },
  };
}

/** Sum of 16-bit words for the checksum; `parts` but the last have an even number of bytes. */
export function onesSum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) {
      sum += ((part[at] as number) << 8) | (part[at + 1] ?? 0);
    }
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}

/** The Internet checksum (RFC 1071): zero when the parts contain the right one. */
export function checksum(...parts: readonly Uint8Array[]): number {
  return ~onesSum(...parts) & 0xffff;
}
