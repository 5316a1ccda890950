/** SHA-256 and CRC32 over bytes, as the journal uses them. */
import { createHash } from "node:crypto";
import { crc32 as zlibCrc32 } from "node:zlib";

/** Length of a SHA-256 hash, in bytes. */
export const HASH_LENGTH = 32;

/** The SHA-256 (FIPS 180-4) of the parts, one after another: {@linkcode HASH_LENGTH} bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  const digest = hash.digest();
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength);
}

/** The CRC-32 of zlib and PNG (ISO 3309) over `bytes`, as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array): number {
  return zlibCrc32(bytes);
}

/** Whether two byte strings are the same. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
