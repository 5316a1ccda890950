/** SHA-256 and CRC32 over bytes, as the journal uses them. */
import { crc32 as zlibCrc32 } from "node:zlib";

export { equalBytes, HASH_LENGTH, sha256 } from "../machine/sha256.ts";

/** The CRC-32 of zlib and PNG (ISO 3309) over `bytes`, as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array): number {
  return zlibCrc32(bytes);
}
