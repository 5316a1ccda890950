/**
 * The index block: where every block before it is, of what kind, and about which instants, in a layout of its own.
 *
 * It is an accelerator only: a file is read as well without it. It is the last block of a finished file and kept plain,
 * and its payload ends with its own offset, so that it is found from the file's end.
 *
 * @module
 */
import {
  BLOCK_HEADER_LENGTH,
  type BlockHeader,
  type BlockInfo,
  checkHeader,
  decodeBlock,
  decodeHeader,
  infoOf,
  journalIdOf,
  MAX_RAW_LENGTH,
} from "./block.ts";
import { kindOfNumber, numberOfKind } from "./block_kinds.ts";
import { JournalPayloadError } from "./errors.ts";
import { FILE_HEADER_LENGTH } from "./format.ts";
import { equalBytes, sha256 } from "./hash.ts";
import { readExactly, type Source } from "./storage.ts";

/** An entry per block, in order; numbers are little-endian and unsigned. */
// deno-fmt-ignore
const AT = {
  offset:        0, // u64, of the block's header
  firstInstant:  8, // u64
  lastInstant:  16, // u64
  rawLength:    24, // u32
  kind:         28, // u32
} as const;
const ENTRY_LENGTH = 32;

/** After the entries: u64, the offset of the index block's own header. */
const TRAILER_LENGTH = 8;

/** What a file's own list of blocks tells. */
export type BlockList = {
  /** All blocks in order, the index block included. */
  readonly blocks: readonly BlockInfo[];
  /** The journal's id, which every header repeats. */
  readonly journalId: bigint;
  /** Hash of the last block's header: it stands for the whole file. */
  readonly headHash: Uint8Array;
};

/** The payload of an index block at `ownOffset` for the blocks before it. */
export function encodeIndex(blocks: readonly BlockInfo[], ownOffset: number): Uint8Array {
  const bytes = new Uint8Array(blocks.length * ENTRY_LENGTH + TRAILER_LENGTH);
  const view = new DataView(bytes.buffer);
  for (const [index, block] of blocks.entries()) {
    const start = index * ENTRY_LENGTH;
    view.setBigUint64(start + AT.offset, BigInt(block.offset), true);
    view.setBigUint64(start + AT.firstInstant, BigInt(block.firstInstant), true);
    view.setBigUint64(start + AT.lastInstant, BigInt(block.lastInstant), true);
    view.setUint32(start + AT.rawLength, block.rawLength, true);
    view.setUint32(start + AT.kind, numberOfKind(block.kind), true);
  }
  view.setBigUint64(bytes.length - TRAILER_LENGTH, BigInt(ownOffset), true);
  return bytes;
}

/** The blocks that the payload of an index block at `ownOffset` lists, or `undefined` if they cannot stand so. */
export function decodeIndex(payload: Uint8Array, ownOffset: number): BlockInfo[] | undefined {
  const count = (payload.length - TRAILER_LENGTH) / ENTRY_LENGTH;
  if (!Number.isInteger(count) || count < 1) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  if (u64(payload.length - TRAILER_LENGTH) !== ownOffset) return undefined;
  const blocks: BlockInfo[] = [];
  let expected = FILE_HEADER_LENGTH;
  for (let number = 0; number < count; number++) {
    const start = number * ENTRY_LENGTH;
    const offset = u64(start + AT.offset);
    const next = number + 1 < count ? u64(start + ENTRY_LENGTH + AT.offset) : ownOffset;
    const kind = kindOfNumber(view.getUint32(start + AT.kind, true));
    const rawLength = view.getUint32(start + AT.rawLength, true);
    const byteLength = next - offset;
    const fits = byteLength >= BLOCK_HEADER_LENGTH && byteLength <= BLOCK_HEADER_LENGTH + rawLength;
    if (offset !== expected || !fits || rawLength > MAX_RAW_LENGTH || kind === undefined) return undefined;
    const firstInstant = u64(start + AT.firstInstant);
    const lastInstant = u64(start + AT.lastInstant);
    if (firstInstant > lastInstant || !Number.isSafeInteger(lastInstant)) return undefined;
    blocks.push({ number, kind, offset, byteLength, rawLength, firstInstant, lastInstant });
    expected = next;
  }
  return blocks;
}

/**
 * The list of blocks of a finished file, read from its index block without touching the blocks between, or `undefined`
 * if there is no index block at the end or anything about it is off. Checked are the index block itself, that it
 * follows the block before it in the chain, and that the first block follows the file's header.
 */
export function readIndex(source: Source, fileHeader: Uint8Array): BlockList | undefined {
  const end = source.size - TRAILER_LENGTH;
  if (end < FILE_HEADER_LENGTH + 2 * BLOCK_HEADER_LENGTH) return undefined;
  const trailer = readExactly(source, end, TRAILER_LENGTH);
  const offset = Number(new DataView(trailer.buffer, trailer.byteOffset).getBigUint64(0, true));
  if (offset > end - BLOCK_HEADER_LENGTH) return undefined;
  const head = readHeader(source, offset);
  if (head === undefined || kindOfNumber(head.header.kind) !== "index") return undefined;
  const own = infoOf(head.header, offset);
  if (offset + own.byteLength !== source.size) return undefined;

  const payload = payloadOf(
    head.header,
    readExactly(source, offset + BLOCK_HEADER_LENGTH, head.header.storedLength),
  );
  const blocks = payload && decodeIndex(payload, offset);
  if (blocks === undefined || blocks.length !== own.number) return undefined;
  const first = readHeader(source, blocks[0]!.offset);
  const last = readHeader(source, blocks.at(-1)!.offset);
  if (first === undefined || last === undefined) return undefined;
  const journalId = journalIdOf(first.header.storedHash);
  const chained = equalBytes(first.header.previousHash, sha256(fileHeader)) &&
    equalBytes(head.header.previousHash, last.hash) && head.header.journalId === journalId;
  return chained ? { blocks: [...blocks, own], journalId, headHash: head.hash } : undefined;
}

function readHeader(source: Source, offset: number): { header: BlockHeader; hash: Uint8Array } | undefined {
  const bytes = readExactly(source, offset, BLOCK_HEADER_LENGTH);
  const header = decodeHeader(bytes);
  return header === undefined || checkHeader(header) !== undefined
    ? undefined
    : { header, hash: sha256(bytes) };
}

function payloadOf(header: BlockHeader, stored: Uint8Array): Uint8Array | undefined {
  try {
    const payload = decodeBlock(header, stored);
    return payload instanceof Uint8Array ? payload : undefined;
  } catch (error) {
    if (error instanceof JournalPayloadError) return undefined;
    throw error;
  }
}
