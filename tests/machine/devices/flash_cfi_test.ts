/** The flash bank: its commands as QEMU has them, and its array as memory. */
import { assertEquals } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { FlashCfi } from "../../../machine/devices/flash_cfi.ts";
import { PAGE_DIRTY, PhysicalMemory } from "../../../machine/memory/physical.ts";
import { assertRoundTrip, by, registersOf } from "./support.ts";

const BASE = physicalAddress(0x0400_0000);
const SIZE = 0x10_0000;

function build(readOnly = false) {
  const memory = new PhysicalMemory(0, SIZE);
  const flash = new FlashCfi({ name: "flash1", base: BASE, memory, readOnly });
  const region = memory.addRegion("flash1", BASE, SIZE, { device: flash });
  flash.connect(region);
  return { flash, memory, region, ...registersOf(flash) };
}

Deno.test("FlashCfi describes 64 MiB to a CFI query with both chips at once", () => {
  const { read, write } = build();
  write(0x154, 0x0098_0098);
  assertEquals([0x40, 0x44, 0x48].map((offset) => read(offset)), [0x51_0051, 0x52_0052, 0x59_0059]);
  const chipSize = 2 ** read(4 * 0x27, 1);
  const blocks = (read(4 * 0x2d, 1) | read(4 * 0x2e, 1) << 8) + 1;
  const blockSize = (read(4 * 0x2f, 1) | read(4 * 0x30, 1) << 8) * 256;
  assertEquals({ chips: 2 * chipSize, blocks: 2 * blocks * blockSize }, { chips: 2 ** 26, blocks: 2 ** 26 });
});

Deno.test("FlashCfi identifies itself as 0x89 0x18", () => {
  const { read, write } = build();
  write(0, 0x90);
  assertEquals([read(0), read(4), read(8), read(2, 2)], [0x89_0089, 0x18_0018, 0, 0x89]);
});

Deno.test("FlashCfi programs and erases its array and marks the pages written", () => {
  const { memory, region, write } = build();
  write(0x4_1000, 0x40);
  write(0x4_1000, 0xdead_beef);
  assertEquals(memory.readBytes(physicalAddress(BASE + 0x4_1000), 4), Uint8Array.of(0xef, 0xbe, 0xad, 0xde));
  assertEquals(region.direct, false);
  assertEquals([0x40, 0x41, 0x42].map((page) => memory.pageFlags[page]), [0, PAGE_DIRTY, 0]);
  write(0x4_1000, 0x20);
  write(0x4_1000, 0xd0);
  write(0x4_1000, 0xff);
  assertEquals(region.direct, true);
  const erased = memory.readBytes(physicalAddress(BASE), SIZE).findIndex((byte) => byte === 0xff);
  assertEquals(erased, 0x4_0000);
  assertEquals(
    memory.readBytes(physicalAddress(BASE), SIZE).filter((byte) => byte === 0xff).length,
    0x4_0000,
  );
});

Deno.test("FlashCfi takes a buffered write word by word until its confirmation", () => {
  const { memory, read, write } = build();
  for (const value of [0xe8, 1, 0x11111111, 0x22222222]) write(value === 0x22222222 ? 4 : 0, value);
  assertEquals(read(0), 0x80_0080);
  write(0, 0xd0);
  assertEquals(read(0), 0x80_0080);
  assertEquals(memory.readBytes(BASE, 8), Uint8Array.of(17, 17, 17, 17, 34, 34, 34, 34));
});

Deno.test("FlashCfi restores the command in progress, and whether its array is memory", () => {
  const { flash, write } = build();
  write(0, 0xe8);
  write(0, 7);
  const { flash: other, region } = build();
  assertRoundTrip(flash, other);
  assertEquals(region.direct, false);
  other.reset();
  assertEquals([region.direct, other.read(0, 4)], [true, 0]);
  other.write(0, 4, 0x70, by(0));
  assertEquals(other.read(0, 4), 0x80_0080);
});

Deno.test("FlashCfi that is read-only reports errors instead of changing its array", () => {
  const { memory, read, write } = build(true);
  const after = (...writes: [offset: number, value: number][]) => {
    write(0, 0x50);
    for (const [offset, value] of writes) write(offset, value);
    write(0, 0x70);
    const status = read(0, 1);
    write(0, 0xff);
    return status;
  };
  assertEquals(after([0, 0x40], [0, 0x1234]), 0x90);
  assertEquals(after([0, 0x20], [0, 0xd0]), 0xa0);
  assertEquals(after([0, 0xe8], [0, 0], [0, 0x5555], [0, 0xd0]), 0x90);
  assertEquals(memory.readBytes(BASE, SIZE), new Uint8Array(SIZE));
});
