/** How a block's payload is kept in the file: as one zstd frame where that is shorter, with what its header says of it. */
import { constants, zstdCompressSync } from "node:zlib";
import { crc32, sha256 } from "./hash.ts";

/** How the payload is kept. */
export enum Packing {
  /** As it is: the index, and whatever zstd does not make shorter. */
  Plain = 0,
  /** One zstd frame. */
  Zstd = 1,
}

/** A payload as it goes into the file. */
export type PackedPayload = {
  /** The bytes; where they are plain, the caller's own. */
  readonly stored: Uint8Array;
  /** How they are packed. */
  readonly packing: Packing;
  /** Their SHA-256. */
  readonly storedHash: Uint8Array;
  /** Length of the payload, in bytes. */
  readonly rawLength: number;
  /** CRC-32 of the payload. */
  readonly rawCrc: number;
};

/** Packs a payload at zstd's level; `undefined` keeps it plain. */
export function packPayload(raw: Uint8Array, level: number | undefined): PackedPayload {
  const packed = level === undefined ? raw : compress(raw, level);
  const packing = packed.length < raw.length ? Packing.Zstd : Packing.Plain;
  const stored = packing === Packing.Zstd ? packed : raw;
  return { stored, packing, storedHash: sha256(stored), rawLength: raw.length, rawCrc: crc32(raw) };
}

function compress(raw: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: level } });
}
