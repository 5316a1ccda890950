/** The empty virtio-mmio slot, register by register as QEMU has it. */
import { assertEquals } from "@std/assert";
import { EmptyVirtioMmio } from "../../../../machine/devices/virtio/mmio_empty.ts";
import { assertRoundTrip, registersOf } from "../support.ts";

// deno-fmt-ignore
const QEMU_VALUES: readonly [string, number, number][] = [
  ["MagicValue",     0x000, 0x7472_6976],
  ["Version",        0x004, 1],
  ["DeviceID",       0x008, 0],
  ["VendorID",       0x00c, 0x554d_4551],
  ["DeviceFeatures", 0x010, 0],
  ["QueueNumMax",    0x034, 0],
  ["Status",         0x070, 0],
  ["Config",         0x100, 0],
];

for (const [name, offset, value] of QEMU_VALUES) {
  Deno.test(`EmptyVirtioMmio.${name} reads as in QEMU and ignores writes`, () => {
    const slot = new EmptyVirtioMmio({ name: "virtio0" });
    const { read, write } = registersOf(slot);
    write(offset, 0xffff_ffff);
    assertEquals(read(offset), value);
  });
}

Deno.test("EmptyVirtioMmio saves an empty section", () => {
  const slot = new EmptyVirtioMmio({ name: "virtio0" });
  assertEquals(slot.save().bytes.length, 0);
  assertRoundTrip(slot, new EmptyVirtioMmio({ name: "virtio0" }));
});
