/**
 * The ciphers of a migration: AES-256-GCM (NIST SP 800-38D), HMAC-SHA-256 (RFC 2104) and keys derived from a cluster's.
 * Keys and nonces follow from the configured seed, so that a run repeats; what is secret in the field is secret here only
 * from whoever reads the link.
 */
import { createCipheriv } from "node:crypto";
import { sha256 } from "../../../machine/sha256.ts";

/** Bytes of a key, of an initialization vector and of a tag. */
export const KEY_BYTES = 32, IV_BYTES = 12, TAG_BYTES = 16;

const BLOCK = 64;
const encoder = new TextEncoder();

/** HMAC-SHA-256 of all parts in order; the key has at most 64 bytes. */
export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const pad = (byte: number): Uint8Array =>
    Uint8Array.from({ length: BLOCK }, (_, at) => (key[at] ?? 0) ^ byte);
  return sha256(pad(0x5c), sha256(pad(0x36), ...parts));
}

/** A key for one purpose. */
export function derivedKey(key: Uint8Array, purpose: string, ...context: readonly Uint8Array[]): Uint8Array {
  return hmac(key, encoder.encode(purpose), Uint8Array.of(0), ...context);
}

/** What AES-256-GCM gives. */
export interface Sealed {
  /** As long as the plaintext. */
  readonly ciphertext: Uint8Array;
  /** Over ciphertext and additional data. */
  readonly tag: Uint8Array;
}

/** Encrypts, and authenticates that and the additional data. A key must not have an IV twice for different data. */
export function seal(key: Uint8Array, iv: Uint8Array, additional: Uint8Array, plaintext: Uint8Array): Sealed {
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  cipher.setAAD(additional);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return { ciphertext: Uint8Array.from(ciphertext), tag: Uint8Array.from(cipher.getAuthTag()) };
}

/**
 * The plaintext, or undefined when anything is not as it was sealed. GCM encrypts by a key stream, so that encrypting
 * twice is decrypting; the tag is that of the second time, over the ciphertext.
 */
export function unseal(
  key: Uint8Array,
  iv: Uint8Array,
  additional: Uint8Array,
  { ciphertext, tag }: Sealed,
): Uint8Array | undefined {
  const plaintext = seal(key, iv, additional, ciphertext).ciphertext;
  const again = seal(key, iv, additional, plaintext);
  let difference = tag.length ^ again.tag.length;
  for (const [at, byte] of again.tag.entries()) difference |= byte ^ (tag[at] ?? 0);
  return difference === 0 ? plaintext : undefined;
}
