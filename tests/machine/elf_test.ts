/** ELF files: segments, entry, and refusal of what is cut or for another machine. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { isElf, parseElf } from "../../machine/elf.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { elfFile, flatImage } from "../oracle/boot_combinations.ts";

const file = elfFile(0xffff_0000_4020_0004n, [
  { virtual: 0xffff_0000_4020_0000n, physical: 0x4020_0000n, bytes: flatImage(20), memorySize: 0x100n },
  { physical: 0x4030_0000n, bytes: new Uint8Array(0), memorySize: 0x80n },
  { physical: 0x4040_0000n, bytes: new Uint8Array(0) },
]);

function patched(at: number, value: bigint, size: 2 | 4 | 8 = 8): Uint8Array {
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  if (size === 2) view.setUint16(at, Number(value), true);
  else if (size === 4) view.setUint32(at, Number(value), true);
  else view.setBigUint64(at, value, true);
  return bytes;
}

Deno.test("parseElf gives segments at physical addresses, without empty ones", () => {
  const { segments, virtualEntry, programHeaders } = parseElf(file, "kernel");
  assertEquals(segments.map(({ address, bytes, memorySize }) => ({ address, bytes, memorySize })), [
    { address: 0x4020_0000, bytes: flatImage(20), memorySize: 0x100 },
    { address: 0x4030_0000, bytes: new Uint8Array(0), memorySize: 0x80 },
  ]);
  const [first] = segments;
  assertEquals(first?.virtualAddress, 0xffff_0000_4020_0000n);
  assertEquals(first?.bytes, file.subarray(first?.offset, (first?.offset ?? 0) + 20));
  assertEquals((first?.flags ?? 0) & 1, 1);
  assertEquals([virtualEntry, programHeaders], [0xffff_0000_4020_0004n, { offset: 64, count: 3 }]);
});

Deno.test("parseElf moves the entry with the executable segment that holds it, and leaves any other", () => {
  assertEquals(parseElf(file, "kernel").entry, 0x4020_0004);
  assertEquals(parseElf(patched(24, 0x4030_0010n), "kernel").entry, 0x4030_0010);
});

Deno.test("parseElf ignores segments that are not PT_LOAD", () => {
  const only = parseElf(patched(64 + 56, 6n, 4), "kernel").segments;
  assertEquals(only.map(({ address }) => address), [0x4020_0000]);
});

Deno.test("parseElf names what is wrong", () => {
  const first = 64;
  // deno-fmt-ignore
  const wrong: [Uint8Array, string][] = [
    [file.slice(0, 63),                       "its ELF header ends past its 63 bytes"],
    [patched(4, 1n, 2),                       "not one of 64-bit little-endian AArch64"],
    [patched(18, 62n, 2),                     "not one of 64-bit little-endian AArch64"],
    [patched(54, 32n, 2),                     "its program headers have 32 bytes each"],
    [patched(56, 0n, 2),                      "it has no segment to load"],
    [patched(56, 60000n, 2),                  "its program header table ends past"],
    [patched(32, 0xffff_ffff_ffff_ffffn),     "its program header table ends past"],
    [file.slice(0, -1),                       "its segment 0 ends past its 251 bytes"],
    [patched(first + 8, 0xffff_ffff_ffff_fff0n), "its segment 0 ends past"],
    [patched(first + 40, 19n),                "more bytes in the file than in memory"],
    [patched(first + 24, 0xffff_ffff_ffff_0000n), "its segment 0 lies at 0xffffffffffff0000"],
    [patched(24, 0xffff_0000_9999_0000n),     "its entry 0xffff000099990000"],
  ];
  for (const [bytes, message] of wrong) {
    assertThrows(() => parseElf(bytes, 'kernel "vmlinux"'), ConfigurationError, message);
    assertThrows(
      () => parseElf(bytes, 'kernel "vmlinux"'),
      ConfigurationError,
      'Cannot load kernel "vmlinux": ',
    );
  }
});

Deno.test("parseElf takes every cut and every flipped header byte as ConfigurationError or an image", () => {
  const outcome = (bytes: Uint8Array): void => {
    try {
      for (const { bytes: contents, memorySize } of parseElf(bytes, "kernel").segments) {
        assert(contents.length <= memorySize);
      }
    } catch (error) {
      assert(error instanceof ConfigurationError, String(error));
    }
  };
  for (let size = 0; size < file.length; size++) outcome(file.slice(0, size));
  for (let at = 0; at < 232; at++) {
    for (const flip of [1, 0x80, 0xff]) {
      const damaged = file.slice();
      damaged[at] = (damaged[at] as number) ^ flip;
      outcome(damaged);
    }
  }
});

Deno.test("isElf looks at the magic number only", () => {
  assertEquals([isElf(file), isElf(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46)), isElf(flatImage(64))], [
    true,
    true,
    false,
  ]);
});
