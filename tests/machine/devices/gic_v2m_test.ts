/** The GICv2m frame, register by register. */
import { assertEquals } from "@std/assert";
import { GicV2m } from "../../../machine/devices/gic_v2m.ts";
import { registersOf } from "./support.ts";

function build() {
  const pulses: [number, boolean][] = [];
  const lines = Array.from({ length: 64 }, (_, index) => ({
    set: (level: boolean) => void pulses.push([80 + index, level]),
  }));
  const frame = new GicV2m({ name: "gicv2m", base: 0x0802_0000, firstInterrupt: 80, lines });
  return { frame, pulses, ...registersOf(frame) };
}

Deno.test("GicV2m.MSI_TYPER and MSI_IIDR read what QEMU's do", () => {
  const { read } = build();
  assertEquals([read(0x008), read(0xfcc), read(0), read(0x40), read(0xfe8)], [
    0x0050_0040,
    0x0510_0000,
    0,
    0,
    0,
  ]);
});

Deno.test("GicV2m.MSI_SETSPI_NS raises its interrupts for a moment and no others", () => {
  const { frame, write, pulses } = build();
  write(0x40, 80);
  frame.receive(143);
  for (const other of [79, 144, 0, 32]) write(0x40, other);
  assertEquals(pulses, [[80, true], [80, false], [143, true], [143, false]]);
  assertEquals(frame.address, 0x0802_0040);
});
