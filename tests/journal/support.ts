/** Small journals and seeded damage for the tests of the journal's file layer. */
import { type BlockSpan, encodeBlock, type EncodedBlock, encodeHeader } from "../../journal/block.ts";
import type { BlockKind } from "../../journal/block_kinds.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { encodeFileHeader } from "../../journal/format.ts";
import { sha256 } from "../../journal/hash.ts";
import { MemoryFile } from "../../journal/storage.ts";

/** A generator of integers from 0 to `bound` − 1, the same for the same seed (mulberry32). */
export type Random = (bound: number) => number;

/** The seed of a test that draws: `SEED` of the environment, else 1. A failure's message has to name it. */
export const SEED = Number(Deno.env.get("SEED") ?? 1);

/** Starts a generator. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return Math.floor(((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32 * bound);
  };
}

/** `length` bytes that no compressor shortens. */
export function noise(length: number, seed = 7): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random(256));
}

/** What one call of `append` is given. */
export type Append = readonly [kind: BlockKind, payload: unknown, span?: BlockSpan];

/** One journal with a block of most kinds, compressed and plain, bytes and values. */
export const APPENDS: readonly Append[] = [
  ["configuration", { ram: 2n ** 30n, machine: "virt", images: [] }],
  ["inputs", [{ type: "consoleBytesReceived", instant: 3, bytes: Uint8Array.of(13) }], {
    firstInstant: 3,
    lastInstant: 3,
  }],
  ["events", Array.from({ length: 20 }, (_, index) => ({ type: "deviceRead", instant: index, value: 5n })), {
    firstInstant: 0,
    lastInstant: 19,
  }],
  ["steps", noise(200), { firstInstant: 0, lastInstant: 2 ** 40 }],
  ["roots", { instant: 19, state: noise(32) }, { firstInstant: 19, lastInstant: 19 }],
  ["steps", new Uint8Array(0)],
  ["end", { reason: "powerOff" }, { firstInstant: 19, lastInstant: Number.MAX_SAFE_INTEGER }],
];

/** The bytes of a journal of these blocks, finished by an index block or not. */
export function journalOf(appends: readonly Append[], finish = true): Uint8Array {
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  for (const [kind, payload, span] of appends) writer.append(kind, payload, span);
  if (finish) writer.finish();
  return file.bytes;
}

/** Opens a journal in memory. */
export function open(bytes: Uint8Array, check: "whole" | "asRead" = "whole"): JournalReader {
  return JournalReader.open(new MemoryFile(bytes), { check });
}

/** All payloads of a journal, the index block's left out. */
export function payloadsOf(reader: JournalReader): unknown[] {
  const blocks = reader.blocks.filter((block) => block.kind !== "index");
  return blocks.map((block) => reader.payload(block.number));
}

/** A copy of `bytes` with one bit flipped. */
export function flipped(bytes: Uint8Array, offset: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[offset]! ^= 1 << bit;
  return copy;
}

/** The byte strings, one after another. */
export function concatenated(...parts: readonly Uint8Array[]): Uint8Array {
  const file = new MemoryFile();
  for (const part of parts) file.write(part);
  return file.bytes;
}

/** Changes a block before it is written, as a hostile writer does who keeps hashes, checksums and chain right. */
export type Forge = (block: EncodedBlock, number: number) => EncodedBlock;

/** The bytes of a journal whose blocks `forge` has changed, chained as they then are. */
export function forgedJournal(appends: readonly Append[], forge: Forge): Uint8Array {
  const fileHeader = encodeFileHeader();
  const parts = [fileHeader];
  let previousHash = sha256(fileHeader);
  let journalId: bigint | undefined;
  for (const [number, [kind, payload, span]] of appends.entries()) {
    const place = { number, previousHash, level: kind === "index" ? undefined : 3 };
    const block = encodeBlock(kind, payload, span ?? { firstInstant: 0, lastInstant: 0 }, {
      ...place,
      ...(journalId === undefined ? {} : { journalId }),
    });
    const { header, stored } = forge(block, number);
    const headerBytes = encodeHeader(header);
    parts.push(headerBytes, stored);
    previousHash = sha256(headerBytes);
    journalId ??= header.journalId;
  }
  return concatenated(...parts);
}

/** A {@linkcode Forge} step: the block with other stored bytes, its hash made to agree. */
export function withStored(block: EncodedBlock, stored: Uint8Array): EncodedBlock {
  const header = { ...block.header, storedLength: stored.length, storedHash: sha256(stored) };
  return { header, headerBytes: encodeHeader(header), stored };
}

/** A journal in memory that counts what is read of it. */
export class CountingFile extends MemoryFile {
  /** How many bytes. */
  bytesRead = 0;
  /** Counts, then reads. */
  override read(offset: number, length: number): Uint8Array {
    this.bytesRead += length;
    return super.read(offset, length);
  }
}
