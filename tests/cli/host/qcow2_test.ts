/** Images in qcow2: those of QEMU read as QEMU reads them; damaged ones are refused and never misread by accident. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { ImageSource } from "../../../cli/host/disk_images.ts";
import { Qcow2Image } from "../../../cli/host/qcow2.ts";
import { CommandError } from "../../../cli/errors.ts";
import { Choices } from "../../law/random.ts";

const FOLDER = new URL("../../fixtures/disks/", import.meta.url);
const NAMES = ["v2", "v3", "zlib", "zstd", "mixed"] as const;

function fixture(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(Deno.readFileSync(new URL(`${name}.qcow2.gz`, FOLDER))));
}

function source(bytes: Uint8Array): ImageSource {
  return {
    name: "disk.qcow2",
    size: bytes.length,
    read: (offset, length) => bytes.slice(offset, offset + length),
  };
}

function open(bytes: Uint8Array): Qcow2Image {
  return new Qcow2Image(source(bytes));
}

const SIZE = 2 * 2 ** 20 + 3 * 512;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("Qcow2Image gives what QEMU gives", () => {
  const content = "0c5eb89cedbf351deffa8380725076f1ea7b35a14a2e4fc4a8ed09749584263b";
  const expected = { v2: content, v3: content, zlib: content, zstd: content };
  const mixed = "8d37f7ad654de616bf0ec5033f1269263db9d1e03648ba3ab055466a2e422334";
  for (const name of NAMES) {
    const image = open(fixture(name));
    assertEquals(image.size, SIZE);
    assertEquals(sha256(image.read(0, SIZE)), { ...expected, mixed }[name], name);
  }
});

Deno.test("Qcow2Image reads any part as it reads the whole, and knows holes", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Choices(seed);
  for (const name of NAMES) {
    const image = open(fixture(name));
    const whole = image.read(0, SIZE);
    for (let round = 0; round < 50; round++) {
      const offset = random.below(SIZE), length = 1 + random.below(Math.min(20_000, SIZE - offset));
      const part = whole.subarray(offset, offset + length);
      assertEquals(image.read(offset, length), part, `seed ${seed}`);
      if (image.isHole(offset, length)) assert(part.every((byte) => byte === 0), `seed ${seed}`);
    }
    assert(image.isHole(600_000, 4096), name);
  }
});

/** Each row: an image, where bytes are changed, to what, and a part of the message. */
// deno-fmt-ignore
const DAMAGE: readonly (readonly [name: string, offset: number, bytes: readonly number[], why: string])[] = [
  ["v3",    4,  [0, 0, 0, 4],                   "version at offset 4 is 4, not 2 or 3"],
  ["v3",    8,  [0, 0, 0, 0, 0, 0, 2, 0],       "backing file at offset 8 is there"],
  ["v3",   20,  [0, 0, 0, 8],                   "cluster_bits at offset 20 is 8, not 9 to 21"],
  ["v3",   20,  [0, 0, 0, 22],                  "cluster_bits at offset 20 is 22"],
  ["v3",   24,  [0, 0, 0, 0, 0, 0, 0, 0],       "size at offset 24 is 0"],
  ["v3",   24,  [0, 0, 0, 0, 0, 0, 2, 1],       "size at offset 24 is 513"],
  ["v3",   24,  [0xff, 0, 0, 0, 0, 0, 2, 0],    "size at offset 24 is 0xff00000000000200, out of range"],
  ["v3",   32,  [0, 0, 0, 1],                   "crypt_method at offset 32 is 1: the image is encrypted"],
  ["v3",   36,  [0, 0, 0, 0],                   "l1_size at offset 36 is 0: the disk needs 2"],
  ["v3",   36,  [0, 0x40, 0, 1],                "l1_size at offset 36 is 4194305: the table is too large"],
  ["v3",   40,  [0, 0, 0, 0, 0, 0, 0, 8],       "l1_table_offset at offset 40 is 8: not a multiple"],
  ["v3",   40,  [0, 0, 0, 0, 0xff, 0, 0, 0],    "l1_table_offset at offset 40 is 4278190080: the table is not in the file"],
  ["v3",   48,  [0, 0, 0, 0, 0, 0, 0, 0],       "refcount_table_offset at offset 48 is 0: the table is not in the file"],
  ["v3",   56,  [0xff, 0, 0, 0],                "refcount_table_clusters at offset 56"],
  ["v3",   79,  [1],                            "incompatible_features at offset 72 says that the image was not closed (dirty); repair it with qemu-img check"],
  ["v3",   79,  [2],                            "says that the image is corrupt"],
  ["v3",   79,  [4],                            "says that the data are in another file"],
  ["v3",   79,  [16],                           "subclusters (extended L2)"],
  ["v3",   72,  [0x80],                         "has bit 63, a feature that is not known"],
  ["v3",  100,  [0, 0, 0, 96],                  "header_length at offset 100 is 96"],
  ["zstd", 79,  [0],                            "compression_type at offset 104 and its bit"],
  ["zstd", 104, [2],                            "compression_type at offset 104 is 2"],
];

Deno.test("Qcow2Image refuses bad headers, naming file, field and offset", () => {
  for (const [name, offset, bytes, why] of DAMAGE) {
    const image = fixture(name);
    image.set(bytes, offset);
    assertThrows(() => open(image), CommandError, why);
    assertThrows(() => open(image), CommandError, 'Cannot use disk image "disk.qcow2": qcow2 ');
  }
});

Deno.test("Qcow2Image refuses tables and clusters that lie outside of the file or on one another", () => {
  const l1Of = (image: Uint8Array) => new DataView(image.buffer).getUint32(44);
  const l2Of = (image: Uint8Array) => new DataView(image.buffer).getUint32(l1Of(image) + 4) & ~511;
  const damaged = (at: (image: Uint8Array) => number, entry: (image: Uint8Array) => bigint): Uint8Array => {
    const image = fixture("v3");
    new DataView(image.buffer).setBigUint64(at(image), entry(image));
    return image;
  };
  const copied = 1n << 63n;
  // deno-fmt-ignore
  const rows = [
    [damaged(l1Of, () => copied | 0x1000_0000n),            "past the end of the file"],
    [damaged(l1Of, () => copied | 0x200n),                  "not a multiple of the cluster size"],
    [damaged(l1Of, () => 1n << 60n),                        "reserved bits"],
    [damaged(l1Of, (image) => copied | BigInt(l1Of(image))), "the L2 table overlaps another table"],
    [damaged((image) => l1Of(image) + 8, (image) => copied | BigInt(l2Of(image))), "the L2 table overlaps another table"],
    [damaged(l2Of, () => copied | 0x1000_0000n),            "past the end of the file"],
    [damaged(l2Of, () => copied | 0x1n << 58n),             "reserved bits"],
    [damaged(l2Of, (image) => copied | BigInt(l1Of(image))), "overlaps a table or another cluster"],
    [damaged((image) => l2Of(image) + 8, (image) => new DataView(image.buffer).getBigUint64(l2Of(image))), "overlaps a table or another cluster"],
  ] as const;
  for (const [image, why] of rows) assertThrows(() => open(image), CommandError, why);
});

/** Opens and reads damaged bytes: whatever happens, it is a CommandError or contents. */
function survives(bytes: Uint8Array, what: string): boolean {
  try {
    const image = open(bytes);
    image.read(0, Math.min(image.size, 2 ** 22));
    return true;
  } catch (error) {
    assert(error instanceof CommandError, `${what}: ${error}`);
    return false;
  }
}

Deno.test("Qcow2Image answers bits flipped and bytes cut off with clean errors or contents", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Choices(seed);
  let refused = 0;
  for (const name of NAMES) {
    const whole = fixture(name);
    // Where tables are: most of the rest is data, in which a flip shows as other contents.
    const places = [104, 512, 0x3000, whole.length];
    for (let round = 0; round < 300; round++) {
      const image = round % 5 === 0 ? whole.slice(0, random.below(whole.length)) : whole.slice();
      for (let flips = 1 + random.below(3); flips > 0; flips--) {
        const at = random.below(Math.min(image.length, random.of(places)));
        if (at < image.length) image[at]! ^= 1 << random.below(8);
      }
      if (!survives(image, `seed ${seed}, ${name}, round ${round}`)) refused++;
    }
  }
  assert(refused > 300, `only ${refused} refused, seed ${seed}`);
});
