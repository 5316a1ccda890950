/** Images that guests are made of have the layout that Linux and firmware read, and the same bytes each time. */
import { assertEquals, assertThrows } from "@std/assert";
import { gunzipSync } from "node:zlib";
import {
  concatenated,
  cpioArchive,
  file,
  fileOfCpio,
  type FileTree,
  link,
} from "../../../../cli/host/guests/file_tree.ts";
import { gzip, initramfsTree, MODULES } from "../../../../cli/host/guests/initramfs.ts";
import { moduleClosure } from "../../../../cli/host/guests/kernel_modules.ts";
import { ext4Image } from "../../../../cli/host/guests/root_disk.ts";
import { firmwareImagePackage } from "../../../../cli/host/guests/trusted_firmware.ts";

const text = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes);
const encode = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Reads an archive back: name, mode, links, device and content of each entry. */
function readCpio(archive: Uint8Array): (readonly [string, number, string, string])[] {
  const entries: (readonly [string, number, string, string])[] = [];
  for (let at = 0; at < archive.length;) {
    const header = text(archive.subarray(at, at + 110));
    assertEquals([at % 4, header.slice(0, 6)], [0, "070701"]);
    const field = (index: number): number => parseInt(header.slice(6 + index * 8, 14 + index * 8), 16);
    const start = at + ((110 + field(11) + 3) & ~3), name = text(archive.subarray(at + 110, start));
    assertEquals(name.indexOf("\0"), field(11) - 1);
    assertEquals([field(2), field(3), field(5), field(12)], [0, 0, 0, 0], "owner, time, checksum");
    const content = text(archive.subarray(start, start + field(6)));
    entries.push([name.slice(0, field(11) - 1), field(1), `${field(9)}:${field(10)}`, content]);
    at = (start + field(6) + 3) & ~3;
    if (name.startsWith("TRAILER!!!")) break;
  }
  return entries;
}

Deno.test("fileOfCpio() finds files in archives that stand one behind the other", () => {
  const archive = (name: string, text: string) =>
    cpioArchive(new Map([["a", link("b")], [name, file(text)]]));
  const archives = concatenated([archive("bin/first", "one"), archive("bin/second", "of two")]);
  const textOf = (path: string) => new TextDecoder().decode(fileOfCpio(archives, path));
  assertEquals([textOf("bin/first"), textOf("bin/second")], ["one", "of two"]);
  assertThrows(() => fileOfCpio(archives, "bin/third"), RangeError, 'no file "bin/third"');
  assertThrows(() => fileOfCpio(new Uint8Array(120).fill(1), "a"), RangeError, "no header");
});

Deno.test("cpioArchive() holds folders before files, sorted, whatever the order of the tree", () => {
  const nodes = [
    ["init", file("#!", 0o755)],
    ["dev/console", { kind: "characterDevice", major: 5, minor: 1 }],
    ["bin/sh", link("busybox")],
    ["bin/busybox", file("elf!!")],
  ] as const;
  const archive = cpioArchive(new Map(nodes));
  assertEquals(archive.length % 512, 0);
  assertEquals(readCpio(archive), [
    ["bin", 0o040755, "0:0", ""],
    ["bin/busybox", 0o100644, "0:0", "elf!!"],
    ["bin/sh", 0o120777, "0:0", "busybox"],
    ["dev", 0o040755, "0:0", ""],
    ["dev/console", 0o020600, "5:1", ""],
    ["init", 0o100755, "0:0", "#!"],
    ["TRAILER!!!", 0, "0:0", ""],
  ]);
  assertEquals(cpioArchive(new Map(nodes.toReversed())), archive);
});

Deno.test("gzip() tells no time and is undone by others", () => {
  const packed = gzip(encode("a".repeat(1000)));
  assertEquals(text(gunzipSync(packed)), "a".repeat(1000));
  assertEquals([...packed.subarray(4, 8)], [0, 0, 0, 0]);
});

/** An ELF file with the two sections that are looked at: `.modinfo`, and the names. */
function module(information: string): Uint8Array {
  const names = "\0.modinfo\0", content = encode(information + names), table = 64 + content.length;
  const view = new DataView(new ArrayBuffer(table + 2 * 64));
  new Uint8Array(view.buffer).set(content, 64);
  view.setBigUint64(40, BigInt(table), true);
  [[58, 64], [60, 2], [62, 1]].forEach(([at, value]) => view.setUint16(at!, value!, true));
  const section = (index: number, name: number, offset: number, size: number): void => {
    view.setUint32(table + index * 64, name, true);
    view.setBigUint64(table + index * 64 + 24, BigInt(offset), true);
    view.setBigUint64(table + index * 64 + 32, BigInt(size), true);
  };
  section(0, 1, 64, information.length);
  section(1, 0, 64 + information.length, names.length);
  return new Uint8Array(view.buffer);
}

Deno.test("moduleClosure() puts modules behind what they need and leaves out what is built in", () => {
  const files = new Map([
    ["lib/modules/6/a/virtio-rng.ko", module("license=GPL\0depends=virtio,virtio_ring\0")],
    ["lib/modules/6/b/virtio.ko", module("depends=virtio_ring\0")],
    ["lib/modules/6/b/virtio_ring.ko", module("depends=\0")],
    ["lib/modules/6/modules.builtin", encode("kernel/fs/ext4/ext4.ko\n")],
  ]);
  assertEquals([...moduleClosure(files, ["ext4", "virtio_rng", "virtio"]).keys()], [
    "lib/modules/6/b/virtio_ring.ko",
    "lib/modules/6/b/virtio.ko",
    "lib/modules/6/a/virtio-rng.ko",
  ]);
  assertThrows(() => moduleClosure(files, ["nvme"]), Error, "no module nvme");
});

Deno.test("initramfsTree() lists its modules in order and starts with /init", () => {
  const builtIn = Object.values(MODULES).flat().filter((name) => name !== "nvme");
  const tree = initramfsTree(
    encode("busybox"),
    new Map([
      ["lib/modules/6/nvme.ko", module("depends=nvme-core\0")],
      ["lib/modules/6/nvme-core.ko", module("depends=\0")],
      ["lib/modules/6/modules.builtin", encode(builtIn.map((name) => `kernel/${name}.ko\n`).join(""))],
    ]),
  );
  const content = (path: string): string => {
    const node = tree.get(path);
    return node?.kind === "file" ? text(node.content) : "";
  };
  assertEquals(content("etc/modules"), "lib/modules/6/nvme-core.ko\nlib/modules/6/nvme.ko\n");
  assertEquals(content("init").startsWith("#!/bin/sh\n"), true);
  assertEquals(tree.get("bin/sh"), link("busybox"));
});

Deno.test("firmwareImagePackage() lists images where they are", () => {
  const uuid = "000102030405060708090a0b0c0d0e0f", bytes = firmwareImagePackage([[uuid, encode("code")]]);
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint32(0, true), view.getUint32(4, true)], [0xaa64_0001, 0x1234_5678]);
  assertEquals(bytes.subarray(16, 32).toHex(), uuid);
  assertEquals([view.getBigUint64(32, true), view.getBigUint64(40, true)], [96n, 4n]);
  assertEquals(bytes.subarray(56, 72).toHex(), "0".repeat(32));
  assertEquals(text(bytes.subarray(96)), "code");
});

const MISSING_TOOL = ["mke2fs", "debugfs"].some((tool) => {
  try {
    return !new Deno.Command(tool, { args: ["-V"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return true;
  }
});

Deno.test({ name: "ext4Image() gives the same bytes each time", ignore: MISSING_TOOL }, async () => {
  const tree: FileTree = new Map([["etc/a", file("1", 0o755)], ["b", link("etc/a")]]);
  const make = async (): Promise<Uint8Array> => {
    const work = await Deno.makeTempDir();
    try {
      return await ext4Image(tree, 2 ** 24, work);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  };
  const image = await make();
  assertEquals(new DataView(image.buffer).getUint16(1080, true), 0xef53);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assertEquals(await make(), image);
});
