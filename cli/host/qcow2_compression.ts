/** Compressed clusters of qcow2 images: raw deflate or one zstd frame, with bytes of no meaning behind. */
import { constants, inflateRawSync, zstdDecompressSync } from "node:zlib";

/** The bytes of a cluster of `size`; undefined when what is stored does not give as many. */
export function inflateCluster(
  compression: "zlib" | "zstd",
  stored: Uint8Array,
  size: number,
): Uint8Array | undefined {
  try {
    const bytes = compression === "zlib" ? inflate(stored, size) : decompress(stored, size);
    return bytes?.length === size ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function inflate(stored: Uint8Array, size: number): Uint8Array {
  return inflateRawSync(stored, { maxOutputLength: size, finishFlush: constants.Z_SYNC_FLUSH });
}

function decompress(stored: Uint8Array, size: number): Uint8Array | undefined {
  const length = zstdFrameLength(stored);
  return length === undefined
    ? undefined
    : zstdDecompressSync(stored.subarray(0, length), { maxOutputLength: size });
}

const ZSTD_MAGIC = 0xfd2fb528;
/** Bytes of the content size by its flag, without a single segment. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const SINGLE_SEGMENT = 0x20;
const CHECKSUM = 0x04;
const RLE_BLOCK = 1;

/** Length of the zstd frame at the start (RFC 8878, section 3.1.1); undefined when there is no whole one. */
export function zstdFrameLength(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 9 || view.getUint32(0, true) !== ZSTD_MAGIC) return undefined;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const contentSize = descriptor >>> 6 === 0 && isSingle ? 1 : CONTENT_SIZE_BYTES[descriptor >>> 6] as number;
  let at = 5 + (isSingle ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] as number) + contentSize;
  for (let isLast = false; !isLast;) {
    if (at + 3 > bytes.length) return undefined;
    const header = view.getUint16(at, true) | view.getUint8(at + 2) << 16;
    isLast = (header & 1) !== 0;
    at += 3 + ((header >>> 1 & 3) === RLE_BLOCK ? 1 : header >>> 3);
  }
  if ((descriptor & CHECKSUM) !== 0) at += 4;
  return at <= bytes.length ? at : undefined;
}
