/** What a journal's first bytes tell, and the way from an old format to the current one. */
import { assertEquals, assertThrows } from "@std/assert";
import { JournalFormatError, JournalVersionError } from "../../journal/errors.ts";
import { JournalReader } from "../../journal/file.ts";
import {
  encodeFileHeader,
  FILE_HEADER_LENGTH,
  FORMAT,
  upcast,
  type Upcaster,
  UPCASTERS,
} from "../../journal/format.ts";
import { type Source } from "../../journal/storage.ts";
import { APPENDS, concatenated, journalOf, noise, open } from "./support.ts";

const FILE = journalOf(APPENDS);

Deno.test("JournalReader refuses what is no journal, and names a later format", () => {
  assertThrows(() => open(noise(500)), JournalFormatError, "it is not a Hindsight journal");
  assertThrows(() => open(new Uint8Array(0)), JournalFormatError, "it holds no whole block");
  assertThrows(() => open(FILE.slice(1)), JournalFormatError, "it is not a Hindsight journal");
  const as = (format: number) => concatenated(encodeFileHeader(format), FILE.slice(FILE_HEADER_LENGTH));
  assertThrows(() => open(as(0)), JournalFormatError, "there is no format 0");
  const message = "it has format 65535 and this build knows formats up to 3. Open it with a newer Hindsight.";
  assertThrows(() => open(as(65535)), JournalVersionError, message);
});

Deno.test("JournalReader names the file in its messages", () => {
  const source: Source = { name: "a.hindsight", size: 4, read: () => Uint8Array.of(1, 2, 3, 4) };
  assertThrows(
    () => JournalReader.open(source),
    JournalFormatError,
    'Cannot read journal "a.hindsight": it is not',
  );
});

Deno.test("upcast takes a payload through every format between", () => {
  const upcasters = new Map<number, Upcaster>([
    [1, (kind, payload) => [kind, payload]],
    [2, (kind, payload) => ({ kind, payload })],
  ]);
  assertEquals(upcast(1, "events", 7, upcasters, 3), { kind: "events", payload: ["events", 7] });
  assertEquals(upcast(3, "events", 7, upcasters, 3), 7);
  assertThrows(() => upcast(1, "events", 7, new Map(), 2), RangeError, "format 1 has no upcaster");
});

Deno.test("UPCASTERS leads from every old format to the current one", () => {
  assertEquals([...UPCASTERS.keys()], Array.from({ length: FORMAT - 1 }, (_, index) => index + 1));
});
