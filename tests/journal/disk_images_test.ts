/** Disks inside a journal: packed without their zeros, read back chunk by chunk, never otherwise than they were. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { JournalError } from "../../journal/errors.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { appendImages, packedImages } from "../../journal/images.ts";
import { MemoryFile } from "../../journal/storage.ts";
import type { DiskImage } from "../../machine/storage/block.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";
import { Choices } from "../law/random.ts";

const MIB = 2 ** 20;

/** 21 MiB and two sectors with zeros here and there. */
function disk(): MemoryImage {
  const random = new Choices(7);
  const bytes = new Uint8Array(21 * MIB + 1024);
  for (let chunk = 0; chunk <= 21; chunk++) {
    if (chunk % 4 === 1) continue;
    for (let at = chunk * MIB; at < Math.min(bytes.length, chunk * MIB + 5000); at++) {
      bytes[at] = random.below(256);
    }
  }
  return new MemoryImage(bytes);
}

const image = disk();
const sha256 = hashOfImage(image);
const reference = { sha256, size: image.size, name: "disk.img" };

function packed(images: ReadonlyMap<string, DiskImage | Uint8Array>): MemoryFile {
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  writer.append("configuration", {});
  appendImages(writer, images);
  writer.finish();
  return file;
}

Deno.test("packedImages gives back a disk among files, without having stored its zeros", () => {
  const plain = new Uint8Array(1000).fill(5);
  const plainHash = "c4bbeb3b6b4ad0b0e2c0a2e4fe8cd9c4cf8a9ccbe9a3a4d3b6a2a56dd8a0e0c1";
  const file = packed(new Map<string, DiskImage | Uint8Array>([[sha256, image], [plainHash, plain]]));
  assert(file.size < 200_000, `${file.size} bytes`);
  const found = packedImages(JournalReader.open(file), [], [reference]);
  assertEquals([...found.keys()], [sha256]);
  const again = found.get(sha256) as DiskImage;
  assertEquals(again.size, image.size);
  for (let chunk = 21; chunk >= 0; chunk--) {
    assertEquals(again.chunk(chunk), image.chunk(chunk), `chunk ${chunk}`);
  }
  assertEquals(hashOfImage(again), sha256);
  assertEquals(packedImages(JournalReader.open(file), [], []).size, 0);
});

Deno.test("packedImages refuses a disk whose table, size or blocks are not what its hash says", () => {
  const write = (...payloads: unknown[]) => {
    const file = new MemoryFile();
    const writer = new JournalWriter(file);
    writer.append("configuration", {});
    for (const payload of payloads) writer.append("images", payload);
    writer.finish();
    return () => packedImages(JournalReader.open(file), [], [reference]);
  };
  const reader = JournalReader.open(packed(new Map([[sha256, image]])));
  const payloads = reader.blocks.filter(({ kind }) => kind === "images").map(({ number }) =>
    reader.payload(number)
  );
  const [table, ...chunks] = payloads as [Record<string, unknown>, ...unknown[]];
  write(table, ...chunks)();
  assertThrows(write(table, ...chunks.slice(1)), JournalError, "is missing");
  assertThrows(write({ ...table, size: image.size - 512 }, ...chunks), JournalError, "is not the table");
  const hashes = (table["hashes"] as Uint8Array).slice();
  hashes[40]! ^= 1;
  assertThrows(write({ ...table, hashes }, ...chunks), JournalError, "is not the table");
  assertThrows(write({ chunks: new Uint8Array(10) }), JournalError, "is not a piece of an image");
  const other = write(table, chunks[1], ...chunks.slice(1))().get(sha256) as DiskImage;
  assertThrows(() => other.chunk(0), JournalError, "does not hold chunk 0 of its disk");
  other.chunk(21);
});
