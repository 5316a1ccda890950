/** The host: configuration space by address, windows, interrupt lines, slots, sections. */
import { assertEquals, assertThrows } from "@std/assert";
import { PciFunction } from "../../../../machine/devices/pci/function.ts";
import { assertRoundTrip } from "../support.ts";
import { build, COMMAND_ALL, HEADER, RAM, testFunction } from "./support.ts";

const NONE = 0xffff_ffff;

Deno.test("PciHost's own function is QEMU's", () => {
  const { ecam } = build();
  assertEquals([0, 8, 0x2c, 0x34, 0x3c].map((offset) => ecam.read(offset)), [
    0x0008_1b36,
    0x0600_0000,
    0x1100_1af4,
    0,
    0,
  ]);
});

Deno.test("PciHost reads ones where there is no function", () => {
  const { ecam } = build();
  assertEquals([ecam.read(2 << 15), ecam.read((1 << 15) + 0x1000), ecam.read(1 << 20)], [NONE, NONE, NONE]);
  assertEquals([ecam.read(2 << 15, 2), ecam.read(2 << 15, 1)], [0xffff, 0xff]);
  ecam.write(2 << 15, 1);
});

Deno.test("PciHost reads ones in windows where no BAR is", () => {
  const { io, low, high } = build();
  assertEquals([io.read(0x100, 1), low.read(0, 2), high.read(0)], [0xff, 0xffff, NONE]);
  low.write(0, 1);
});

Deno.test("PciHost.plug refuses a slot that is taken or not there", () => {
  const { host, card, events, memory } = build();
  assertThrows(() => host.plug(1, card), RangeError, 'Cannot plug "card" into slot 1');
  assertThrows(() => host.plug(0, card), RangeError, "slot 0");
  assertThrows(() => host.plug(32, new PciFunction(testFunction().options, { events, memory })), RangeError);
});

Deno.test("PciHost swizzles interrupt pins by slot", () => {
  for (
    const [slot, pin, line] of [[1, 1, 1], [2, 1, 2], [3, 1, 3], [4, 1, 0], [1, 4, 0], [3, 2, 0]] as const
  ) {
    const { card, lines } = build({ interruptPin: pin }, slot);
    card.setInterrupt(true);
    assertEquals(lines.map(({ level }) => level), [0, 1, 2, 3].map((index) => index === line));
  }
});

Deno.test("PciHost keeps a line high while any function drives it", () => {
  const { host, card, lines, events, memory } = build();
  const other = new PciFunction({ ...testFunction().options, name: "other" }, { events, memory });
  host.plug(5, other);
  card.setInterrupt(true);
  other.setInterrupt(true);
  card.setInterrupt(false);
  assertEquals(lines[1]?.level, true);
  other.setInterrupt(false);
  assertEquals(lines[1]?.level, false);
});

Deno.test("PciFunction.setInterrupt shows in the status and obeys Interrupt Disable", () => {
  const { card, config, lines } = build();
  card.setInterrupt(true);
  assertEquals([config.read(HEADER.status, 2), lines[1]?.level], [0x18, true]);
  config.write(HEADER.command, 0x400, 2);
  assertEquals([config.read(HEADER.status, 2), lines[1]?.level], [0x18, false]);
  config.write(HEADER.command, 0, 2);
  assertEquals(lines[1]?.level, true);
  card.setInterrupt(false);
  assertEquals([config.read(HEADER.status, 2), lines[1]?.level], [0x10, false]);
});

Deno.test("PciFunction's interrupt line goes low when MSI-X is turned on", () => {
  const { card, config, lines } = build();
  card.setInterrupt(true);
  config.write(0x42, 0x8000, 2);
  assertEquals([config.read(HEADER.status, 2), lines[1]?.level], [0x10, false]);
});

Deno.test("PciFunction.dma reaches memory while the function is bus master", () => {
  const { card, config } = build();
  assertEquals([card.dma.reaches(RAM, 4), card.dma.write(RAM, Uint8Array.of(1))], [false, false]);
  config.write(HEADER.command, COMMAND_ALL);
  assertEquals([card.dma.write(RAM, Uint8Array.of(1)), card.dma.read(RAM, 1)], [true, Uint8Array.of(1)]);
});

Deno.test("PciFunction tells of writes to configuration space", () => {
  let told = 0;
  const { config } = build({ configured: () => told++ });
  config.write(HEADER.command, COMMAND_ALL);
  config.read(0);
  assertEquals(told, 1);
});

Deno.test("PciFunction.restore gives what was saved, and lines driven again change nothing", () => {
  const { host, card, config, lines } = build();
  config.write(HEADER.command, COMMAND_ALL);
  config.write(0x42, 0x8000, 2);
  card.signal(1);
  config.write(0x42, 0, 2);
  card.setInterrupt(true);
  const fresh = build();
  const levels: boolean[] = [];
  for (const line of fresh.lines) {
    const set = line.set.bind(line);
    line.set = (level) => {
      if (level !== line.level) levels.push(level);
      set(level);
    };
  }
  assertRoundTrip(host, fresh.host);
  assertRoundTrip(card, fresh.card);
  assertEquals(fresh.lines.map(({ level }) => level), lines.map(({ level }) => level));
  assertEquals(levels, [true]);
  fresh.card.reset();
  fresh.host.reset();
  assertEquals(fresh.card.save().bytes, build().card.save().bytes);
});
