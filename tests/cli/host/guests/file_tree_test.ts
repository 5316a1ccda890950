/** Files out of cpio archives. */
import { assertEquals, assertThrows } from "@std/assert";
import { cpioArchive, file, fileOfCpio } from "../../../../cli/host/guests/file_tree.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const archive = cpioArchive(
  new Map([["bin/a", file(bytes("alpha"))], ["bin/bb", file(bytes(""))], ["c", file(bytes("gamma!"))]]),
);

Deno.test("fileOfCpio() gives the contents of a file that cpioArchive() put in", () => {
  assertEquals(fileOfCpio(archive, "bin/a"), bytes("alpha"));
  assertEquals(fileOfCpio(archive, "bin/bb").length, 0);
  assertEquals(fileOfCpio(archive, "c"), bytes("gamma!"));
});

Deno.test("fileOfCpio() names what is missing, and refuses what is no archive", () => {
  assertThrows(() => fileOfCpio(archive, "bin/b"), RangeError, 'no file "bin/b"');
  assertThrows(
    () => fileOfCpio(archive.subarray(1), "c"),
    RangeError,
    "no header of the format newc at byte 0",
  );
  assertThrows(() => fileOfCpio(archive.subarray(0, 120), "c"), RangeError, "no");
  assertThrows(() => fileOfCpio(new Uint8Array(), "c"), RangeError, 'no file "c"');
});
