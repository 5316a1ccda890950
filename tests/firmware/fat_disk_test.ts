/** A FAT disk read back by its own structures. */
import { assertEquals, assertThrows } from "@std/assert";
import { fatDisk } from "../../firmware/fat_disk.ts";

const START = 2048 * 512;

/** Reads a file by the tables alone; undefined when there is none. */
function readFile(disk: Uint8Array, path: string): Uint8Array | undefined {
  const volume = disk.subarray(START), view = new DataView(volume.buffer, volume.byteOffset);
  const u16 = (at: number) => view.getUint16(at, true);
  const sector = u16(11), cluster = sector * volume[13]!, fat = u16(14) * sector;
  const root = fat + volume[16]! * u16(22) * sector, data = root + u16(17) * 32;
  const chain = (first: number): Uint8Array => {
    const parts: number[] = [];
    for (let at = first; at < 0xfff8; at = u16(fat + at * 2)) {
      parts.push(...volume.subarray(data + (at - 2) * cluster, data + (at - 1) * cluster));
    }
    return Uint8Array.from(parts);
  };
  let directory = volume.subarray(root, data);
  for (const name of path.split("/")) {
    const [stem = "", extension = ""] = name.split(".");
    const wanted = stem.padEnd(8) + extension.padEnd(3);
    let found: number | undefined;
    for (let at = 0; at < directory.length && directory[at] !== 0; at += 32) {
      if (new TextDecoder().decode(directory.subarray(at, at + 11)) === wanted) found = at;
    }
    if (found === undefined) return undefined;
    const entry = new DataView(directory.buffer, directory.byteOffset + found, 32);
    const contents = chain(entry.getUint16(26, true)), size = entry.getUint32(28, true);
    directory = entry.getUint8(11) === 0x10 ? contents : contents.subarray(0, size);
  }
  return directory;
}

Deno.test("fatDisk holds files in directories, whole", () => {
  const one = Uint8Array.from({ length: 10_000 }, (_, index) => index * 7), two = Uint8Array.of(1, 2, 3);
  const disk = fatDisk(new Map([["EFI/BOOT/BOOTAA64.EFI", one], ["EFI/TWO.TXT", two], ["THREE", two]]));
  assertEquals(readFile(disk, "EFI/BOOT/BOOTAA64.EFI"), one);
  assertEquals(readFile(disk, "EFI/TWO.TXT"), two);
  assertEquals(readFile(disk, "THREE"), two);
  assertEquals(readFile(disk, "FOUR"), undefined);
  const record = new DataView(disk.buffer);
  assertEquals([record.getUint8(450), record.getUint32(454, true), record.getUint16(510, true)], [
    0xef,
    2048,
    0xaa55,
  ]);
  assertEquals(record.getUint32(458, true) * 512, disk.length - START);
});

Deno.test("fatDisk refuses names that are not short ones", () => {
  for (const name of ["lower", "TOOLONGNAME", "A.LONG", ""]) {
    assertThrows(() => fatDisk(new Map([[name, new Uint8Array(1)]])), RangeError, `"${name}"`);
  }
});
