/**
 * Walks a journal from its first block to its last, checks the chain, and tells a torn tail from corruption.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  BLOCK_HEADER_LENGTH,
  BLOCK_MAGIC,
  type BlockHeader,
  type BlockInfo,
  checkHeader,
  decodeHeader,
  infoOf,
  isStoredWhole,
  journalIdOf,
} from "./block.ts";
import { JournalCorruptError } from "./errors.ts";
import { emptyJournal, FILE_HEADER_LENGTH } from "./format.ts";
import { equalBytes, sha256 } from "./hash.ts";
import type { BlockList } from "./index_block.ts";
import { readExactly, type Source } from "./storage.ts";

/** The bytes after the last whole block: a write that a crash, a kill or a full disk cut off, or damage at the end. */
export type TornTail = {
  /** Where they begin, in bytes from the start of the file. */
  readonly offset: number;
  /** How many they are. */
  readonly bytes: number;
  /** What is wrong with them, as a clause. */
  readonly reason: string;
};

/** How many bytes are searched at a time. */
const SEARCH_LENGTH = 2 ** 20;

/**
 * The whole blocks of a file in order, and the torn tail after them, if there is one. Every stored byte is hashed and
 * nothing is decompressed. Throws {@linkcode JournalCorruptError} for a bad block with a later block of the same journal
 * anywhere after it, and for a whole block that cannot be where it is; `JournalFormatError` if not even the first block
 * is whole. Takes time linear in the file's length.
 */
export function scanBlocks(source: Source, fileHeader: Uint8Array): BlockList & { readonly torn?: TornTail } {
  const blocks: BlockInfo[] = [];
  let journalId: bigint | undefined;
  let headHash: Uint8Array = sha256(fileHeader);
  let offset = FILE_HEADER_LENGTH;
  let torn: TornTail | undefined;
  while (offset < source.size) {
    const number = blocks.length;
    const found = readBlock(source, offset);
    if (found.header !== undefined) {
      const { header } = found;
      const reason = checkHeader(header) ?? checkPlace(header, number, headHash, journalId);
      if (reason !== undefined) throw new JournalCorruptError(source.name, number, offset, reason);
      journalId ??= header.journalId;
    }
    if (found.damage !== undefined) {
      const later = findBlock(source, offset + 1, number, journalId);
      if (later === undefined) {
        torn = { offset, bytes: source.size - offset, reason: found.damage };
        break;
      }
      const reason = `${found.damage}, and a later block follows at offset ${later}`;
      throw new JournalCorruptError(source.name, number, offset, reason);
    }
    const info = infoOf(found.header, offset);
    blocks.push(info);
    headHash = found.hash;
    offset += info.byteLength;
  }
  if (blocks.length === 0 || journalId === undefined) throw emptyJournal(source.name);
  return torn === undefined ? { blocks, journalId, headHash } : { blocks, journalId, headHash, torn };
}

/** A block that is whole, or what is wrong with it and its header if that much is whole. */
type Found =
  | { readonly header: BlockHeader; readonly hash: Uint8Array; readonly damage?: undefined }
  | { readonly header?: BlockHeader; readonly damage: string };

function readBlock(source: Source, offset: number): Found {
  const left = source.size - offset;
  if (left < BLOCK_HEADER_LENGTH) return { damage: "its header is cut short" };
  const bytes = readExactly(source, offset, BLOCK_HEADER_LENGTH);
  const header = decodeHeader(bytes);
  if (header === undefined) return { damage: "its header does not match its checksum" };
  if (checkHeader(header) !== undefined) return { header, damage: "its header is out of bounds" };
  if (left < BLOCK_HEADER_LENGTH + header.storedLength) return { header, damage: "its payload is cut short" };
  const stored = readExactly(source, offset + BLOCK_HEADER_LENGTH, header.storedLength);
  if (!isStoredWhole(header, stored)) return { header, damage: "its payload does not match its hash" };
  return { header, hash: sha256(bytes) };
}

/** Why a header cannot be that of block `number` after the header hashed to `previousHash`, as a clause. */
function checkPlace(
  header: BlockHeader,
  number: number,
  previousHash: Uint8Array,
  journalId: bigint | undefined,
): string | undefined {
  if (header.number !== number) return `block ${header.number} stands in its place`;
  if (header.journalId !== (journalId ?? journalIdOf(header.storedHash))) {
    return "it belongs to another journal";
  }
  if (!equalBytes(header.previousHash, previousHash)) return "it does not follow the block before it";
  return undefined;
}

/**
 * Where the first header of block `number` or a later one of this journal is, at or after `from`. The number, the
 * journal's id and the checksum keep what only looks like a block, such as another journal inside a payload, apart.
 */
function findBlock(
  source: Source,
  from: number,
  number: number,
  journalId: bigint | undefined,
): number | undefined {
  for (let start = from; start + BLOCK_HEADER_LENGTH <= source.size; start += SEARCH_LENGTH) {
    const length = Math.min(SEARCH_LENGTH + BLOCK_HEADER_LENGTH - 1, source.size - start);
    const read = readExactly(source, start, length);
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    for (let at = bytes.indexOf(BLOCK_MAGIC); at >= 0; at = bytes.indexOf(BLOCK_MAGIC, at + 1)) {
      const header = decodeHeader(bytes.subarray(at, at + BLOCK_HEADER_LENGTH));
      if (header === undefined || header.number < number) continue;
      if (journalId === undefined || header.journalId === journalId) return start + at;
    }
  }
  return undefined;
}
