/** Journals of lives in a world's file: pieces of any size come back as one file. */
import { assertEquals } from "@std/assert";
import { MAX_RAW_LENGTH } from "../../journal/block.ts";
import { JournalWriter } from "../../journal/file.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { WORLD_FAMILY } from "../../world/family.ts";
import { appendPiece } from "../../world/life_journal.ts";
import { LifeSource, openBlocks } from "../../world/life_source.ts";
import { pingPong } from "./guests.ts";

Deno.test("appendPiece divides what is too long for a block, as the first checkpoint of a life with full disks is", () => {
  const file = new MemoryFile(), world = pingPong();
  const writer = new JournalWriter(file, { family: WORLD_FAMILY });
  writer.append("configuration", null);
  const pieces = [
    new Uint8Array(5).fill(1),
    new Uint8Array(MAX_RAW_LENGTH + 7).fill(2),
    new Uint8Array(3).fill(3),
  ];
  pieces[1]!.set([9, 8, 7, 6], MAX_RAW_LENGTH - 2);
  for (const bytes of pieces) appendPiece(writer, 1, 2, bytes);
  writer.finish();
  const lives = new LifeSource(openBlocks(file), world), life = { node: 1, life: 2 };
  assertEquals([lives.has(life), lives.has({ node: 1, life: 1 })], [true, false]);
  const journal = lives.journal(life);
  assertEquals(journal.size, MAX_RAW_LENGTH + 15);
  assertEquals([...journal.read(0, 6)], [1, 1, 1, 1, 1, 2]);
  assertEquals([...journal.read(5 + MAX_RAW_LENGTH - 3, 6)], [2, 9, 8, 7, 6, 2]);
  assertEquals([...journal.read(journal.size - 4, 9)], [2, 3, 3, 3]);
});
