/**
 * One block of a journal file: the layout of its header, and packing a payload into it and out again.
 *
 * @module
 */
import { zstdDecompressSync } from "node:zlib";
import { type BlockKind, kindOfNumber, numberOfKind } from "./block_kinds.ts";
import { decodeValue, EncodedValue, encodeValue } from "./codec.ts";
import { JournalPayloadError } from "./errors.ts";
import { crc32, equalBytes, HASH_LENGTH, sha256 } from "./hash.ts";
import { type PackedPayload, Packing, packPayload } from "./packing.ts";

export { Packing } from "./packing.ts";

/** The longest payload of a block before compression, in bytes: 64 MiB. What is longer goes into several blocks. */
export const MAX_RAW_LENGTH = 64 * 2 ** 20;

/** How many blocks a journal may have, the index block included. */
export const MAX_BLOCKS = 2 ** 20;

/** Length of a block's header, in bytes. The stored payload follows it at once. */
export const BLOCK_HEADER_LENGTH = 120;

/** The instants that a block is about, both included; 0 and 0 where it is about none. */
export type BlockSpan = {
  /** First instant, an integer from 0 to 2^53 − 1. */
  readonly firstInstant: number;
  /** Last instant, not before the first. */
  readonly lastInstant: number;
};

/** What the payload is. */
export enum Content {
  /** Bytes that the kind's owner lays out. */
  Bytes = 0,
  /** A value in the codec's MessagePack. */
  Value = 1,
}

/** A block's header, field by field. */
export type BlockHeader = BlockSpan & {
  /** First 8 bytes of the stored hash of block 0: tells this journal's blocks from any other's. */
  readonly journalId: bigint;
  /** Number of the block, from 0. */
  readonly number: number;
  /** Number of its kind; {@linkcode checkHeader} knows whether there is one. */
  readonly kind: number;
  /** How the payload is kept. */
  readonly packing: Packing;
  /** What the payload is. */
  readonly content: Content;
  /** Length of the payload in the file, in bytes; never more than the raw length. */
  readonly storedLength: number;
  /** Length of the payload before compression, in bytes. */
  readonly rawLength: number;
  /** CRC-32 of the payload before compression. */
  readonly rawCrc: number;
  /** SHA-256 of the header of the block before this one, or of the file's header: the chain. */
  readonly previousHash: Uint8Array;
  /** SHA-256 of the payload as it is in the file. The header holds it, so the chain covers payloads too. */
  readonly storedHash: Uint8Array;
};

/** First bytes of a block. */
export const BLOCK_MAGIC: Uint8Array = Uint8Array.from([0x8b, ...new TextEncoder().encode("HSBLOCK")]);

/** Where the fields are, in bytes from the header's start. All numbers are little-endian and unsigned. */
// deno-fmt-ignore
const AT = {
  magic:         0, // 8 bytes
  journalId:     8, // u64
  number:       16, // u32
  kind:         20, // u8
  packing:      21, // u8
  content:      22, // u8
  zero:         23, // u8, always 0
  firstInstant: 24, // u64
  lastInstant:  32, // u64
  storedLength: 40, // u32
  rawLength:    44, // u32
  rawCrc:       48, // u32
  previousHash: 52, // 32 bytes
  storedHash:   84, // 32 bytes
  headerCrc:   116, // u32, CRC-32 of all before it
} as const;

/** The bytes of a header: {@linkcode BLOCK_HEADER_LENGTH} of them. */
export function encodeHeader(header: BlockHeader): Uint8Array {
  const bytes = new Uint8Array(BLOCK_HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(BLOCK_MAGIC, AT.magic);
  view.setBigUint64(AT.journalId, header.journalId, true);
  view.setUint32(AT.number, header.number, true);
  view.setUint8(AT.kind, header.kind);
  view.setUint8(AT.packing, header.packing);
  view.setUint8(AT.content, header.content);
  view.setBigUint64(AT.firstInstant, BigInt(header.firstInstant), true);
  view.setBigUint64(AT.lastInstant, BigInt(header.lastInstant), true);
  view.setUint32(AT.storedLength, header.storedLength, true);
  view.setUint32(AT.rawLength, header.rawLength, true);
  view.setUint32(AT.rawCrc, header.rawCrc, true);
  bytes.set(header.previousHash, AT.previousHash);
  bytes.set(header.storedHash, AT.storedHash);
  view.setUint32(AT.headerCrc, crc32(bytes.subarray(0, AT.headerCrc)), true);
  return bytes;
}

/**
 * The header at the start of `bytes`, or `undefined` if there is none that is whole. A flipped bit is always found; what
 * a hostile writer put there is not: see {@linkcode checkHeader}.
 */
export function decodeHeader(bytes: Uint8Array): BlockHeader | undefined {
  if (bytes.length < BLOCK_HEADER_LENGTH) return undefined;
  if (!BLOCK_MAGIC.every((byte, index) => byte === bytes[index])) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, BLOCK_HEADER_LENGTH);
  if (view.getUint8(AT.zero) !== 0) return undefined; // first, since it is cheap: a file may be full of magic
  if (view.getUint32(AT.headerCrc, true) !== crc32(bytes.subarray(0, AT.headerCrc))) return undefined;
  return {
    journalId: view.getBigUint64(AT.journalId, true),
    number: view.getUint32(AT.number, true),
    kind: view.getUint8(AT.kind),
    packing: view.getUint8(AT.packing),
    content: view.getUint8(AT.content),
    firstInstant: Number(view.getBigUint64(AT.firstInstant, true)),
    lastInstant: Number(view.getBigUint64(AT.lastInstant, true)),
    storedLength: view.getUint32(AT.storedLength, true),
    rawLength: view.getUint32(AT.rawLength, true),
    rawCrc: view.getUint32(AT.rawCrc, true),
    previousHash: bytes.slice(AT.previousHash, AT.previousHash + HASH_LENGTH),
    storedHash: bytes.slice(AT.storedHash, AT.storedHash + HASH_LENGTH),
  };
}

/**
 * What is wrong with the fields of a header whose checksum holds, as a clause for a message; `undefined` if nothing is.
 * No accident writes such a header, so a reader refuses the file.
 */
export function checkHeader(header: BlockHeader): string | undefined {
  const { packing, storedLength, rawLength, firstInstant, lastInstant } = header;
  const kind = kindOfNumber(header.kind);
  if (kind === undefined) return `it has the unknown kind ${header.kind}`;
  if ((header.number === 0) !== (kind === "configuration")) {
    return `it is a block of kind ${kind}, out of place`;
  }
  if (header.number >= MAX_BLOCKS) return `it is over the bound of ${MAX_BLOCKS} blocks`;
  if (!(packing in Packing)) return `it has the unknown packing ${packing}`;
  if (!(header.content in Content)) return `it has the unknown content ${header.content}`;
  if (rawLength > MAX_RAW_LENGTH) {
    return `its raw length ${rawLength} is over the bound of ${MAX_RAW_LENGTH} bytes`;
  }
  const fits = packing === Packing.Plain ? storedLength === rawLength : storedLength < rawLength;
  if (!fits) return `its stored length ${storedLength} does not go with its raw length ${rawLength}`;
  if (!Number.isSafeInteger(lastInstant)) return `its last instant ${lastInstant} is over 2^53 − 1`;
  if (firstInstant > lastInstant) {
    return `its last instant ${lastInstant} comes before its first ${firstInstant}`;
  }
  return undefined;
}

/** A block of a journal, as its list of blocks has it. */
export type BlockInfo = BlockSpan & {
  /** Number of the block, from 0. */
  readonly number: number;
  /** What it holds. */
  readonly kind: BlockKind;
  /** Where its header begins, in bytes from the start of the file. */
  readonly offset: number;
  /** Length in the file with its header, in bytes. */
  readonly byteLength: number;
  /** Length of its payload before compression, in bytes. */
  readonly rawLength: number;
};

/** The list's entry for a block at `offset` whose header passed {@linkcode checkHeader}. */
export function infoOf(header: BlockHeader, offset: number): BlockInfo {
  return {
    number: header.number,
    kind: kindOfNumber(header.kind)!,
    offset,
    byteLength: BLOCK_HEADER_LENGTH + header.storedLength,
    rawLength: header.rawLength,
    firstInstant: header.firstInstant,
    lastInstant: header.lastInstant,
  };
}

/** Where in the chain a block goes, and how it is packed. */
export type BlockPlace = {
  /** Number of the block, from 0. */
  readonly number: number;
  /** Hash of the header before it, or of the file's header. */
  readonly previousHash: Uint8Array;
  /** The journal's id; absent for block 0, which makes it. */
  readonly journalId?: bigint;
  /** zstd's level; `undefined` keeps the payload plain. */
  readonly level?: number | undefined;
};

/** A block ready to be written: header, then stored payload. */
export type EncodedBlock = {
  /** The fields of the header. */
  readonly header: BlockHeader;
  /** The header's bytes. */
  readonly headerBytes: Uint8Array;
  /** The payload as it goes into the file; where it is plain, these are the caller's own bytes. */
  readonly stored: Uint8Array;
};

/**
 * Packs a payload, a `Uint8Array` as it is and anything else by {@linkcode encodeValue} unless it is an
 * {@linkcode EncodedValue}, into a block. Throws a `TypeError` for a value that a journal cannot hold, and a `RangeError` for a span or a length out of bounds.
 */
export function encodeBlock(
  kind: BlockKind,
  payload: unknown,
  span: BlockSpan,
  place: BlockPlace,
): EncodedBlock {
  const content = payload instanceof Uint8Array ? Content.Bytes : Content.Value;
  const raw = payload instanceof Uint8Array
    ? payload
    : payload instanceof EncodedValue
    ? payload.bytes
    : encodeValue(payload);
  checkBounds(kind, raw.length, span);
  return encodePacked(kind, content, packPayload(raw, place.level), span, place);
}

/** Throws a `RangeError` for a length or a span that no block may have. */
export function checkBounds(kind: BlockKind, length: number, span: BlockSpan): void {
  if (length > MAX_RAW_LENGTH) {
    throw new RangeError(
      `Cannot write ${kind} block: ${length} bytes are over the bound of ${MAX_RAW_LENGTH}`,
    );
  }
  if (!isInstant(span.firstInstant) || !isInstant(span.lastInstant) || span.firstInstant > span.lastInstant) {
    throw new RangeError(
      `Cannot write ${kind} block: no instants ${span.firstInstant} to ${span.lastInstant}`,
    );
  }
}

/** A block of a payload that is packed already. */
export function encodePacked(
  kind: BlockKind,
  content: Content,
  { stored, packing, storedHash, rawLength, rawCrc }: PackedPayload,
  span: BlockSpan,
  place: BlockPlace,
): EncodedBlock {
  const header: BlockHeader = {
    journalId: place.journalId ?? journalIdOf(storedHash),
    number: place.number,
    kind: numberOfKind(kind),
    packing,
    content,
    firstInstant: span.firstInstant,
    lastInstant: span.lastInstant,
    storedLength: stored.length,
    rawLength,
    rawCrc,
    previousHash: place.previousHash,
    storedHash,
  };
  return { header, headerBytes: encodeHeader(header), stored };
}

/** The id of the journal whose block 0 has this stored hash. */
export function journalIdOf(storedHash: Uint8Array): bigint {
  return new DataView(storedHash.buffer, storedHash.byteOffset).getBigUint64(0, true);
}

/** Whether the bytes in the file are those that the header was written for. */
export function isStoredWhole(header: BlockHeader, stored: Uint8Array): boolean {
  return equalBytes(sha256(stored), header.storedHash);
}

/**
 * The payload of a block whose header passed {@linkcode checkHeader}. The stored bytes are checked against their hash
 * before anything decodes them, since zstd in Deno returns short or wrong bytes for damaged ones without an error; then
 * length and CRC. Throws {@linkcode JournalPayloadError}, its message a clause.
 */
export function decodeBlock(header: BlockHeader, stored: Uint8Array): unknown {
  if (!isStoredWhole(header, stored)) throw new JournalPayloadError("its payload does not match its hash");
  const raw = header.packing === Packing.Zstd ? decompress(stored, header.rawLength) : stored;
  if (raw.length !== header.rawLength) {
    throw new JournalPayloadError(`its payload has ${raw.length} bytes, not ${header.rawLength}`);
  }
  if (crc32(raw) !== header.rawCrc) throw new JournalPayloadError("its payload does not match its CRC");
  return header.content === Content.Value ? decodeValue(raw) : raw;
}

function isInstant(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function decompress(stored: Uint8Array, rawLength: number): Uint8Array {
  try {
    const raw = zstdDecompressSync(stored, { maxOutputLength: rawLength });
    return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  } catch (cause) {
    throw new JournalPayloadError(`its payload cannot be decompressed to ${rawLength} bytes`, { cause });
  }
}
