/** SHA-256 as roots and images use it: of parts, and of one piece into a place that is there already. */
import { createHash } from "node:crypto";

/** Length of a hash, in bytes. */
export const HASH_LENGTH = 32;

/** The SHA-256 (FIPS 180-4) of the parts, one after another: HASH_LENGTH bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  // By way of text, which costs the host less than a buffer for each hash.
  return Uint8Array.fromHex(hash.digest("hex"));
}

/** Puts the SHA-256 of `bytes` at `offset` of `hashes`. */
export function sha256Into(hashes: Uint8Array, offset: number, bytes: Uint8Array): void {
  hashes.subarray(offset, offset + HASH_LENGTH).setFromHex(createHash("sha256").update(bytes).digest("hex"));
}

/** Whether two byte strings are the same. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  // Not `every`, which calls a function for each byte.
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}
