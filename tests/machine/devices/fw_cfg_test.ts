/** The fw_cfg device: items, selectors and what is refused. */
import { assertEquals, assertThrows } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { FwCfg, type FwCfgItem } from "../../../machine/devices/fw_cfg.ts";
import { PhysicalMemory } from "../../../machine/memory/physical.ts";
import { assertRoundTrip, registersOf } from "./support.ts";

const RAM = physicalAddress(0x4100_0000);
const RAM_SIZE = 0x1_0000;

const file = (name: string, text: string): FwCfgItem => ({
  file: name,
  bytes: new TextEncoder().encode(text),
});

function build(items: readonly FwCfgItem[] = []) {
  const memory = new PhysicalMemory(0, RAM_SIZE);
  memory.addRegion("ram", RAM, RAM_SIZE);
  const device = new FwCfg({ name: "fwCfg", memory, items });
  return { device, memory, ...registersOf(device) };
}

Deno.test("FwCfg serves items by selector, the first byte at the lowest address, zeros after the end", () => {
  const { read, write } = build([{ selector: 5, bytes: Uint8Array.of(4, 0, 9) }]);
  assertEquals(read(0), 0x554d4551, "selector 0 at reset: QEMU");
  write(8, 0x0500, 2);
  assertEquals([read(0, 2), read(0), read(0, 1)], [4, 9, 0]);
  write(8, 0x0100, 2);
  assertEquals(read(0), 3, "traditional interface and DMA");
});

Deno.test("FwCfg takes selectors as two bytes only", () => {
  const { read, write } = build();
  write(8, 0x0100, 4);
  write(8, 0x01, 1);
  assertEquals([read(0), read(8), read(8, 2)], [0x554d4551, 0, 0]);
});

Deno.test("FwCfg reads QEMU CFG at its DMA register", () => {
  const { read } = build();
  assertEquals([read(16), read(20), read(18, 2), read(23, 1)], [0x554d4551, 0x47464320, 0x554d, 0x47]);
});

Deno.test("FwCfg refuses items that collide", () => {
  assertThrows(() => build([{ selector: 0, bytes: new Uint8Array(1) }]), RangeError, "0x0: it is taken");
  assertThrows(() => build([file("a", "1"), file("a", "2")]), RangeError, '"a"');
  assertThrows(() => build([file("n".repeat(56), "1")]), RangeError, "55 bytes");
  assertThrows(() => build(Array.from({ length: 33 }, (_, n) => file(`f${n}`, ""))), RangeError, "33");
});

Deno.test("FwCfg restores selection, position and half a DMA address", () => {
  const { device, read, write } = build([{ selector: 5, bytes: Uint8Array.of(1, 2, 3) }]);
  write(8, 0x0500, 2);
  read(0, 1);
  write(16, 0x1234_5678);
  const { device: other, read: readOther } = build([{ selector: 5, bytes: Uint8Array.of(1, 2, 3) }]);
  assertRoundTrip(device, other);
  assertEquals(readOther(0, 1), 2);
});
