/** Kernel images: where flat and arm64 images go, and which formats are refused by name. */
import { assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../machine/errors.ts";
import { parseKernelImage } from "../../machine/kernel_image.ts";
import { arm64Image, flatImage } from "../oracle/boot_combinations.ts";

Deno.test("parseKernelImage puts a flat image at 512 KiB", () => {
  assertEquals(parseKernelImage(flatImage(3000), "kernel"), { offset: 0x80000, size: 3000 });
  assertEquals(parseKernelImage(flatImage(3), "kernel"), { offset: 0x80000, size: 3 });
});

Deno.test("parseKernelImage takes text_offset and image_size of an arm64 Image, as QEMU does", () => {
  // deno-fmt-ignore
  const cases: [textOffset: number, imageSize: number, offset: number, size: number][] = [
    [0x80000, 0x10000, 0x80000,  0x10000],
    [0,       0x10000, 0x200000, 0x10000], // would lie on the entry code
    [0xfff,   0x10000, 0x200fff, 0x10000],
    [0x1000,  0x10000, 0x1000,   0x10000],
    [0x1000,  0,       0x80000,  3000],    // before Linux 3.17
    [0x80000, 100,     0x80000,  3000],
  ];
  for (const [textOffset, imageSize, offset, size] of cases) {
    assertEquals(parseKernelImage(arm64Image(textOffset, imageSize), "kernel"), { offset, size });
  }
});

Deno.test("parseKernelImage treats a file too short for the magic number as flat", () => {
  assertEquals(parseKernelImage(arm64Image(0x1000, 0x10000).slice(0, 60), "kernel").offset, 0x80000);
});

Deno.test("parseKernelImage refuses packed images by name and absurd headers", () => {
  // deno-fmt-ignore
  const wrong: [Uint8Array, string][] = [
    [Uint8Array.of(0x1f, 0x8b, 8),                         "it is compressed with gzip; unpack it with gunzip"],
    [Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a),          "compressed with xz"],
    [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd),                "compressed with zstd"],
    [Uint8Array.of(0x27, 0x05, 0x19, 0x56),                "a U-Boot uImage"],
    [Uint8Array.of(0x4d, 0x5a, 0, 0, 0x7a, 0x69, 0x6d, 0x67), "an EFI zboot image"],
    [arm64Image(2 ** 32, 1),                               "asks for 1 bytes at offset 4294967296"],
    [arm64Image(0, 2 ** 52),                               "asks for 4503599627370496 bytes"],
  ];
  for (const [bytes, message] of wrong) {
    assertThrows(() => parseKernelImage(bytes, 'kernel "Image"'), ConfigurationError, message);
  }
});
