/** Configuration space: header, masks, base addresses, list of capabilities, windows in capabilities. */
import { assertEquals, assertThrows } from "@std/assert";
import { PciFunction } from "../../../../machine/devices/pci/function.ts";
import { build, COMMAND_ALL, HEADER, testFunction, WINDOW } from "./support.ts";

Deno.test("ConfigSpace says what the function is, in the header's places", () => {
  const { config } = build();
  assertEquals([config.read(0), config.read(8), config.read(0x2c), config.read(0x34), config.read(0x3c)], [
    0x5678_1234,
    0x0108_0203,
    0xdef0_9abc,
    0x40,
    0x0100,
  ]);
  assertEquals([config.read(0, 2), config.read(2, 2), config.read(0xb, 1)], [0x1234, 0x5678, 0x01]);
});

Deno.test("ConfigSpace keeps what cannot be written", () => {
  const { config } = build();
  const identity = [0, 8, 0x2c, 0x34].map((offset) => config.read(offset));
  for (const offset of [0, 8, 0x2c, 0x34]) config.write(offset, 0xffff_ffff);
  assertEquals([0, 8, 0x2c, 0x34].map((offset) => config.read(offset)), identity);
  config.write(HEADER.command, 0xffff_ffff);
  assertEquals(config.read(HEADER.command), 0x0010_0507);
  config.write(0x0c, 0xffff_ffff);
  assertEquals(config.read(0x0c), 0xff);
  config.write(HEADER.interruptLine, 0xffff_ffff);
  assertEquals(config.read(HEADER.interruptLine), 0x01ff);
});

Deno.test("ConfigSpace tells the size of a BAR by the bits that can be written", () => {
  const { config } = build();
  for (let bar = 0; bar < 6; bar++) config.write(HEADER.bar + bar * 4, 0xffff_ffff);
  const masks = Array.from({ length: 6 }, (_, bar) => config.read(HEADER.bar + bar * 4).toString(16));
  assertEquals(masks, ["ffffffe1", "fffff000", "0", "0", "ffffc00c", "ffffffff"]);
});

Deno.test("ConfigSpace links capabilities, MSI-X first, and masks their writes", () => {
  const { config } = build();
  assertEquals([config.read(0x40), config.read(0x44), config.read(0x48)], [0x0002_5011, 1, 0x801]);
  assertEquals([config.read(0x50), config.read(0x54)], [0x0108_0009, 0x0000_bbaa]);
  for (const offset of [0x40, 0x44, 0x48, 0x50, 0x54]) config.write(offset, 0xffff_ffff);
  assertEquals([config.read(0x40), config.read(0x44), config.read(0x48)], [0xc002_5011, 1, 0x801]);
  assertEquals([config.read(0x50), config.read(0x54)], [0x0108_0009, 0x00ff_bfaa]);
});

Deno.test("ConfigSpace holds what is written between capabilities, as QEMU's does", () => {
  const { config } = build();
  config.write(0x60, 0x1234_5678);
  assertEquals(config.read(0x60), 0x1234_5678);
});

Deno.test("ConfigSpace ends after 256 bytes, of an express function after 4096", () => {
  const conventional = build().config;
  conventional.write(0x100, 1);
  assertEquals([conventional.read(0x100), conventional.read(0xffc, 2)], [0xffff_ffff, 0xffff]);
  const express = build({ express: true }).config;
  express.write(0x100, 1);
  express.write(0x104, 1);
  assertEquals([express.read(0x100), express.read(0x104), express.read(0xffc)], [0, 1, 0]);
});

Deno.test("ConfigSpace decodes BARs while their space is enabled, wherever the guest moved them", () => {
  const { config, low, high, io, bytes } = build();
  config.write(HEADER.bar, 0x40);
  config.write(HEADER.bar + 4, WINDOW + 0x5000);
  config.write(HEADER.bar + 16, 0x1_0000);
  config.write(HEADER.bar + 20, 0x80);
  (bytes[0] as Uint8Array)[4] = 0x11;
  (bytes[1] as Uint8Array)[0x404] = 0x22;
  (bytes[4] as Uint8Array)[0x3ffc] = 0x33;
  const all = () => [io.read(0x44), low.read(0x5404), high.read(0x1_3ffc)];
  const none = 0xffff_ffff;
  assertEquals(all(), [none, none, none]);
  config.write(HEADER.command, 1);
  assertEquals(all(), [0x11, none, none]);
  config.write(HEADER.command, 2);
  assertEquals(all(), [none, 0x22, 0x33]);
  config.write(HEADER.bar + 4, WINDOW + 0x6000);
  assertEquals([low.read(0x5404), low.read(0x6404)], [none, 0x22]);
});

Deno.test("ConfigSpace decodes no BAR that is being sized", () => {
  const { config, low, bytes } = build();
  config.write(HEADER.command, COMMAND_ALL);
  config.write(HEADER.bar + 4, 0xffff_ffff);
  (bytes[1] as Uint8Array).fill(0x22);
  assertEquals(low.read(0xffff_f400 - WINDOW), 0xffff_ffff);
});

Deno.test("ConfigSpace refuses BARs and capabilities that PCI has not", () => {
  const { options } = testFunction();
  const { events, memory } = build();
  const make = (overrides: object) => new PciFunction({ ...options, ...overrides }, { events, memory });
  const [io, memory32, memory64] = options.bars;
  assertThrows(() => make({ bars: [{ ...io, size: 0x21 }] }), RangeError, "Cannot lay BAR 0");
  assertThrows(() => make({ bars: [{ ...memory32, index: 6 }] }), RangeError, "Cannot lay BAR 6");
  assertThrows(() => make({ bars: [{ ...memory64, index: 5 }] }), RangeError, "Cannot lay BAR 5");
  assertThrows(() => make({ capabilities: [{ id: 9, offset: 0x3c, body: [] }] }), RangeError, "capability 9");
});

Deno.test("ConfigSpace asks the window of a capability before reads and tells it after writes", () => {
  const written: number[][] = [];
  const { config } = build({
    capabilities: [{
      id: 0x09,
      offset: 0x50,
      body: Array(18).fill(0),
      writable: Array(18).fill(0xff),
      window: {
        offset: 16,
        size: 4,
        refresh: (bytes) => (bytes[3] as number)++,
        written: (bytes) => written.push([...bytes]),
      },
    }],
  });
  config.write(0x60, 0x01be_ef00);
  config.write(0x62, 0xab, 1);
  config.write(0x5c, 5);
  assertEquals(written, [[0, 0xef, 0xbe, 1], [0, 0xef, 0xab, 1]]);
  assertEquals([config.read(0x60), config.read(0x62, 2), config.read(0x5c), config.read(0x63, 1)], [
    0x02ab_ef00,
    0x03ab,
    5,
    4,
  ]);
});
