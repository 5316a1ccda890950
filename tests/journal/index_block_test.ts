/** The index block: what it saves, and that a journal is read as well without it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { JournalCorruptError } from "../../journal/errors.ts";
import { JournalReader } from "../../journal/file.ts";
import { encodeIndex } from "../../journal/index_block.ts";
import {
  APPENDS,
  CountingFile,
  flipped,
  forgedJournal,
  journalOf,
  noise,
  open,
  payloadsOf,
} from "./support.ts";

const FILE = journalOf(APPENDS);
const BLOCKS = open(FILE).blocks;
const PAYLOADS = APPENDS.map(([, payload]) => payload);

Deno.test("JournalReader opens a finished journal by its index alone", () => {
  const steps = ["steps", noise(100_000)] as const;
  const bytes = journalOf([...APPENDS, steps, steps, steps]);
  const [whole, asRead] = [new CountingFile(bytes), new CountingFile(bytes)];
  const expected = JournalReader.open(whole);
  const reader = JournalReader.open(asRead, { check: "asRead" });
  assert(whole.bytesRead > 300_000 && asRead.bytesRead < 2000, `${whole.bytesRead}, ${asRead.bytesRead}`);
  assertEquals(reader.blocks, expected.blocks);
  assertEquals(reader.headHash, expected.headHash);
  assertEquals([reader.finished, reader.torn], [true, undefined]);
  assertEquals(payloadsOf(reader), payloadsOf(expected));
});

Deno.test("JournalReader opened by the index refuses a damaged block when its payload is read", () => {
  for (let offset = BLOCKS[3]!.offset; offset < BLOCKS[4]!.offset; offset++) {
    const reader = open(flipped(FILE, offset, offset % 8), "asRead");
    const error = assertThrows(
      () => reader.payload(3),
      JournalCorruptError,
      "is damaged",
      `offset ${offset}`,
    );
    assertEquals(error.block, 3);
    assertEquals(reader.payload(2), PAYLOADS[2]);
  }
});

Deno.test("JournalReader reads a journal whose index is wrong although the chain holds it", () => {
  const end = BLOCKS.at(-1)!.offset;
  const blocks = BLOCKS.slice(0, -1);
  const swapped = blocks.map((block, at) => at === 3 ? { ...block, kind: "events" as const } : block);
  // deno-fmt-ignore
  const indexes: readonly unknown[] = [
    new Uint8Array(0), noise(40), encodeIndex(blocks.slice(1), end), encodeIndex(blocks.slice(0, -1), end),
    encodeIndex(blocks, end + 1), encodeIndex(blocks.map((block) => ({ ...block, rawLength: 0 })), end), { a: 1 },
  ];
  for (const index of indexes) {
    const bytes = forgedJournal([...APPENDS, ["index", index]], (block) => block);
    for (const check of ["whole", "asRead"] as const) {
      const reader = open(bytes, check);
      assertEquals(reader.blocks.slice(0, -1), blocks);
      assertEquals(payloadsOf(reader), PAYLOADS);
    }
  }
  const bytes = forgedJournal([...APPENDS, ["index", encodeIndex(swapped, end)]], (block) => block);
  assertEquals(payloadsOf(open(bytes)), PAYLOADS);
  const message = "its header is not the one that was listed";
  assertThrows(() => open(bytes, "asRead").payload(3), JournalCorruptError, message);
});
