/** Image files of disks: one hash for one content in any format, and no chunk that is not what was hashed. */
import { assertEquals, assertThrows } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { CommandError } from "../../../cli/errors.ts";
import { openDiskImage } from "../../../cli/host/disk_images.ts";
import { hashOfImage, MemoryImage, zeroChunk } from "../../../machine/storage/image.ts";

function inFolder(work: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    work(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const MIB = 2 ** 20;

Deno.test("openDiskImage gives raw and qcow2 of one content one hash, that of their bytes", () =>
  inFolder((folder) => {
    const fixtures = new URL("../../fixtures/disks/", import.meta.url);
    const qcow2 = `${folder}/disk.qcow2`, raw = `${folder}/disk.raw`;
    Deno.writeFileSync(qcow2, gunzipSync(Deno.readFileSync(new URL("zlib.qcow2.gz", fixtures))));
    const opened = openDiskImage(qcow2);
    const image = opened.hash();
    const bytes = new Uint8Array(opened.size);
    for (let index = 0; index * MIB < opened.size; index++) bytes.set(image.chunk(index), index * MIB);
    Deno.writeFileSync(raw, bytes);
    assertEquals(openDiskImage(raw).hash().sha256, image.sha256);
    assertEquals(hashOfImage(new MemoryImage(bytes)), image.sha256);
    assertEquals(openDiskImage(qcow2, "raw").size, Deno.statSync(qcow2).size);
    assertThrows(() => openDiskImage(raw, "qcow2"), CommandError, "it is no qcow2 image");
  }));

Deno.test("openDiskImage fills up the last sector, and knows chunks of zeros", () =>
  inFolder((folder) => {
    const path = `${folder}/disk.raw`;
    const bytes = new Uint8Array(2 * MIB + 700);
    bytes.fill(7, MIB + 5);
    Deno.writeFileSync(path, bytes);
    const image = openDiskImage(path).hash();
    assertEquals(image.size, 2 * MIB + 1024);
    assertEquals(image.chunk(0) === zeroChunk(), true);
    assertEquals(image.chunk(2), Uint8Array.from({ length: 1024 }, (_, at) => at < 700 ? 7 : 0));
    assertEquals(hashOfImage(image), image.sha256);
  }));

Deno.test("FileImage.chunk refuses a chunk that was changed or cut off since, naming the file", () =>
  inFolder((folder) => {
    const path = `${folder}/disk.raw`;
    Deno.writeFileSync(path, new Uint8Array(3 * MIB).fill(1));
    const image = openDiskImage(path).hash();
    assertEquals(image.chunk(0)[0], 1);
    const file = Deno.openSync(path, { write: true });
    file.seekSync(MIB + 3, Deno.SeekMode.Start);
    file.writeSync(Uint8Array.of(2));
    file.truncateSync(2 * MIB + 5);
    file.close();
    assertEquals(image.chunk(0)[0], 1);
    for (const index of [1, 2]) {
      const refused = () => image.chunk(index);
      assertThrows(refused, CommandError, `"${path}" was changed while it was in use: MiB ${index}`);
    }
  }));

Deno.test("openDiskImage refuses what is missing, empty or of a foreign format", () =>
  inFolder((folder) => {
    const refused = (contents: string | undefined, why: string) => {
      const path = `${folder}/disk.img`;
      if (contents !== undefined) Deno.writeFileSync(path, Uint8Array.from(contents, (c) => c.charCodeAt(0)));
      assertThrows(() => openDiskImage(path), CommandError, why);
    };
    refused(undefined, "there is no such file");
    refused("", "it is empty");
    refused("KDMV and so on", "it is a VMDK image; convert it with qemu-img convert -O qcow2");
    refused("vhdxfile", "a VHDX image");
    refused("QFI\xfb\0\0\0\x01", "a qcow version 1 image");
    refused("QFI\xfb\0\0\0\x02", "header at offset 0 is cut off");
  }));
