/** Debian packages are read in every compression, and refused when anything is wrong with them. */
import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { PackageError, parseParagraph, readPackage } from "../../../cli/host/guests/debian_package.ts";
import { ar, COMPRESSIONS, CONTROL, DEB, deb, ELF, encode, IMAGE, tar } from "./guests_support.ts";

Deno.test("readPackage() reads control and files of each compression", async () => {
  for (const ending of Object.keys(COMPRESSIONS)) {
    const { control, files } = await readPackage(DEB, deb({ ending }));
    assertEquals(control.get("Version"), "2023.01", ending);
    assertEquals([...files], [[IMAGE, encode("image!")], [ELF, encode("elf")]], ending);
  }
});

Deno.test("readPackage() refuses a package cut at any byte", async () => {
  const whole = deb({ ending: "" });
  for (let length = 0; length < whole.length - 1024; length += 61) {
    await assertRejects(() => readPackage(DEB, whole.slice(0, length)), PackageError);
  }
});

Deno.test("readPackage() refuses damaged compression, missing members and other formats", async () => {
  const damaged = gzipSync(tar({ control: CONTROL }));
  damaged[20]! ^= 0xff;
  const rows: [members: Record<string, Uint8Array>, message: string][] = [
    [{ "debian-binary": encode("2.0\n"), "control.tar.gz": damaged }, "Cannot decompress control.tar.gz"],
    [{ "debian-binary": encode("2.0\n") }, "has no control.tar"],
    [{ "debian-binary": encode("2.0\n"), "control.tar": tar({}) }, "has no control file"],
    [{ "debian-binary": encode("2.0\n"), "control.tar": tar({ control: CONTROL }) }, "has no data.tar"],
    [{ "debian-binary": encode("3.0\n") }, "not a Debian package of format 2"],
  ];
  for (const [members, message] of rows) {
    await assertRejects(() => readPackage(DEB, ar(members)), PackageError, message);
  }
});

Deno.test("parseParagraph() leaves continuation lines out", () => {
  assertEquals([...parseParagraph(CONTROL).keys()], ["Package", "Version", "Architecture", "Description"]);
});
