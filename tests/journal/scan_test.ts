/** A journal cut, damaged and forged: what is refused, what is dropped, and that nothing else is. */
import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { BLOCK_HEADER_LENGTH, BLOCK_MAGIC, MAX_RAW_LENGTH } from "../../journal/block.ts";
import { JournalCorruptError, JournalError, JournalFormatError } from "../../journal/errors.ts";
import { JournalReader } from "../../journal/file.ts";
import { FILE_HEADER_LENGTH } from "../../journal/format.ts";
import {
  type Append,
  APPENDS,
  concatenated,
  CountingFile,
  flipped,
  forgedJournal,
  journalOf,
  noise,
  open,
  payloadsOf,
  SEED,
  seededRandom,
} from "./support.ts";

const FILE = journalOf(APPENDS);
const UNFINISHED = journalOf(APPENDS, false);
const BLOCKS = open(FILE).blocks;
const PAYLOADS = APPENDS.map(([, payload]) => payload);
const DATA_BLOCKS = APPENDS.length;

/** Asserts that opening the bytes is refused as damage to one block, in both modes of opening. */
function assertCorrupt(bytes: Uint8Array, block: number, message: string): void {
  const error = assertThrows(() => open(bytes), JournalCorruptError, message);
  assertEquals(error.block, block);
  assertEquals(error.exitCode, 1);
  assertStringIncludes(error.message, `block ${block} at offset ${error.offset} is damaged: `);
}

/** The block that has the byte at this offset. */
function blockAt(offset: number): number {
  return BLOCKS.findIndex((block) => offset < block.offset + block.byteLength);
}

Deno.test("JournalReader drops a torn tail wherever the file is cut", () => {
  for (let size = 0; size < FILE.length; size++) {
    const bytes = FILE.slice(0, size);
    const whole = BLOCKS.filter((block) => block.offset + block.byteLength <= size);
    if (whole.length === 0) {
      assertThrows(() => open(bytes), JournalFormatError, "it holds no whole block", `cut at ${size}`);
      continue;
    }
    const reader = open(bytes);
    const { offset, byteLength } = whole.at(-1)!;
    const rest = size - offset - byteLength;
    assertEquals(reader.blocks, whole, `cut at ${size}`);
    assertEquals(payloadsOf(reader), PAYLOADS.slice(0, whole.length), `cut at ${size}`);
    assertEquals(
      [reader.torn?.offset, reader.torn?.bytes],
      rest ? [offset + byteLength, rest] : [undefined, undefined],
    );
    assertFalse(reader.finished);
  }
});

Deno.test("JournalReader finds every flipped bit, and drops only the last block", () => {
  const last = BLOCKS.at(-1)!;
  for (let at = 0; at < 8 * FILE.length; at++) {
    const offset = at >> 3;
    const bytes = flipped(FILE, offset, at & 7);
    if (offset < FILE_HEADER_LENGTH) {
      assertThrows(() => open(bytes), JournalError, "Cannot read journal: ", `bit ${at}`);
    } else if (offset < last.offset) {
      const error = assertThrows(
        () => open(bytes),
        JournalCorruptError,
        "a later block follows",
        `bit ${at}`,
      );
      assertEquals(
        [error.block, error.offset],
        [blockAt(offset), BLOCKS[blockAt(offset)]!.offset],
        `bit ${at}`,
      );
    } else {
      const reader = open(bytes);
      assertEquals([reader.torn?.offset, reader.torn?.bytes], [last.offset, last.byteLength], `bit ${at}`);
      assertEquals(reader.blocks, BLOCKS.slice(0, -1), `bit ${at}`);
    }
  }
});

Deno.test("JournalReader drops a damaged last block of an unfinished journal", () => {
  const last = BLOCKS[DATA_BLOCKS - 1]!;
  for (let offset = last.offset; offset < UNFINISHED.length; offset++) {
    const reader = open(flipped(UNFINISHED, offset, offset % 8));
    assertEquals(payloadsOf(reader), PAYLOADS.slice(0, -1), `offset ${offset}`);
    assertEquals(reader.torn?.offset, last.offset, `offset ${offset}`);
  }
});

Deno.test("JournalReader drops a tail of zeros, as a loss of power leaves it", () => {
  const reader = open(concatenated(UNFINISHED, new Uint8Array(3_000_000)));
  assertEquals(payloadsOf(reader), PAYLOADS);
  assertEquals([reader.torn?.offset, reader.torn?.bytes], [UNFINISHED.length, 3_000_000]);
});

Deno.test("JournalReader refuses blocks removed, moved, repeated and taken from another journal", () => {
  const file = FILE.slice(0, FILE_HEADER_LENGTH);
  const parts = BLOCKS.map(({ offset, byteLength }) => FILE.slice(offset, offset + byteLength));
  const of = (...numbers: number[]) => concatenated(file, ...numbers.map((number) => parts[number]!));
  assertEquals(of(...parts.keys()), FILE);
  assertCorrupt(of(0, 1, 3, 4), 2, "block 3 stands in its place");
  assertCorrupt(of(0, 2, 1, 3), 1, "block 2 stands in its place");
  assertCorrupt(of(0, 1, 1, 2), 2, "block 1 stands in its place");
  assertCorrupt(of(1, 2), 0, "block 1 stands in its place");
  // The same configuration makes the same id; the chain tells them apart.
  const other = journalOf([APPENDS[0]!, ["inputs", []], ...APPENDS.slice(2)]);
  const { offset, byteLength } = open(other).blocks[2]!;
  const foreign = other.slice(offset, offset + byteLength);
  assertCorrupt(concatenated(of(0, 1), foreign), 2, "it does not follow the block before it");
  const stranger = journalOf([["configuration", { ram: 1n }], ...APPENDS.slice(1)]);
  const block = open(stranger).blocks[1]!;
  const strange = stranger.slice(block.offset, block.offset + block.byteLength);
  assertCorrupt(concatenated(of(0), strange), 1, "it belongs to another journal");
});

Deno.test("JournalReader refuses bytes removed or put in anywhere before the last block", () => {
  const last = BLOCKS.at(-1)!;
  for (let offset = FILE_HEADER_LENGTH; offset < last.offset - 5; offset += 13) {
    const [before, after] = [FILE.slice(0, offset), FILE.slice(offset)];
    assertThrows(
      () => open(concatenated(before, noise(5), after)),
      JournalCorruptError,
      "is damaged",
      `${offset}`,
    );
    assertThrows(
      () => open(concatenated(before, after.slice(5))),
      JournalCorruptError,
      "is damaged",
      `${offset}`,
    );
  }
});

Deno.test("JournalReader finds a later block although the length of the damaged one is unknown", () => {
  const second = BLOCKS[1]!;
  const bytes = FILE.slice();
  bytes.fill(0xff, second.offset, second.offset + BLOCK_HEADER_LENGTH);
  assertCorrupt(bytes, 1, `a later block follows at offset ${BLOCKS[2]!.offset}`);
});

Deno.test("JournalReader takes no journal inside a torn payload for blocks of its own", () => {
  const inner = journalOf([["configuration", { of: "another run" }], ...APPENDS.slice(1)]);
  const payload = concatenated(noise(3000), inner, noise(3000)); // plain in the file, since it is mostly noise
  const appends: Append[] = [...APPENDS.slice(0, 3), ["images", payload]];
  const bytes = journalOf(appends, false);
  assertEquals(open(bytes).payload(3), payload);
  const reader = open(bytes.slice(0, -1));
  assertEquals(reader.blocks.length, 3);
  assertEquals(reader.torn?.offset, open(bytes).blocks[3]!.offset);
});

Deno.test("JournalReader refuses a last block that no accident can have written", () => {
  const appends = APPENDS.slice(0, 3);
  const forge = (fields: object) =>
    forgedJournal(
      appends,
      (block, number) => number === 2 ? { ...block, header: { ...block.header, ...fields } } : block,
    );
  assertEquals(payloadsOf(open(forge({}))), PAYLOADS.slice(0, 3));
  assertCorrupt(forge({ kind: 77 }), 2, "unknown kind 77");
  assertCorrupt(forge({ rawLength: 2 ** 32 - 1 }), 2, `over the bound of ${MAX_RAW_LENGTH} bytes`);
  assertCorrupt(forge({ storedLength: 2 ** 32 - 1, rawLength: 2 ** 32 - 1 }), 2, "over the bound");
  assertCorrupt(forge({ number: 2 ** 32 - 1 }), 2, "over the bound of 1048576 blocks");
  assertCorrupt(forge({ lastInstant: 2 ** 60 }), 2, "over 2^53");
  assertCorrupt(forge({ journalId: 1n }), 2, "it belongs to another journal");
  assertCorrupt(forge({ previousHash: noise(32) }), 2, "it does not follow the block before it");
});

Deno.test("JournalReader reads a file full of block magic in linear time", () => {
  const junk = new Uint8Array(8 * 2 ** 20);
  for (let at = 0; at < junk.length; at += BLOCK_MAGIC.length) junk.set(BLOCK_MAGIC, at);
  const file = new CountingFile(concatenated(UNFINISHED, junk));
  assertEquals(JournalReader.open(file).torn?.bytes, junk.length);
  assert(file.bytesRead < 2 * file.size, `${file.bytesRead} bytes read of ${file.size}`);
});

Deno.test(`JournalReader refuses, drops a tail or reads the same after any damage (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const counts = { refused: 0, torn: 0, identical: 0 };
  for (let round = 0; round < 10_000; round++) {
    const where = `seed ${SEED}, round ${round}`;
    const bytes = damaged(random(2) ? FILE : UNFINISHED, random);
    try {
      const reader = open(bytes, random(4) ? "whole" : "asRead");
      const payloads = payloadsOf(reader);
      assertEquals(payloads, PAYLOADS.slice(0, payloads.length), where);
      counts[payloads.length < PAYLOADS.length || reader.torn ? "torn" : "identical"]++;
    } catch (error) {
      if (!(error instanceof JournalError)) throw new Error(where, { cause: error });
      counts.refused++;
    }
  }
  console.log(`10,000 damaged journals, seed ${SEED}:`, counts);
  assert(counts.refused > 1000 && counts.torn > 1000 && counts.identical > 0, `seed ${SEED}`);
});

/** The bytes after one to three random accidents: bits flipped, a cut, bytes lost, put in, overwritten or repeated. */
function damaged(original: Uint8Array, random: (bound: number) => number): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (let accidents = random(3); accidents >= 0; accidents--) {
    const at = random(bytes.length + 1);
    const length = random(random(2) ? 8 : 400);
    const [before, after] = [bytes.slice(0, at), bytes.slice(at)];
    const part = bytes.slice(random(bytes.length + 1)).slice(0, length);
    switch (random(6)) {
      case 0:
        bytes = before;
        break;
      case 1:
        bytes = concatenated(before, after.slice(length));
        break;
      case 2:
        bytes = concatenated(before, noise(length, random(1000)), after);
        break;
      case 3:
        bytes = concatenated(before, part, after);
        break;
      case 4:
        bytes = concatenated(before, new Uint8Array(Math.min(length, after.length)), after.slice(length));
        break;
      default:
        if (after.length > 0) bytes[at]! ^= 1 << random(8);
    }
  }
  return bytes;
}
