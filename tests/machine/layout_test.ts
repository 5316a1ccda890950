/** Fixed layouts: what is written is read back, in the documented bytes, and damage is refused. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  ByteReader,
  bytes,
  ByteWriter,
  flag,
  listOf,
  oneOf,
  record,
  text,
  u16,
  u32,
  u53,
  u64,
  u8,
} from "../../machine/layout.ts";

const everything = record({
  a: u8,
  b: u16,
  c: u32,
  d: u64,
  e: u53,
  f: flag,
  g: bytes(8),
  h: text(8),
  i: oneOf("first", "second"),
  j: listOf(u16, 4),
});

const value = {
  a: 0x12,
  b: 0x3456,
  c: 0x789abcde,
  d: 0x0123456789abcdefn,
  e: 2 ** 53 - 1,
  f: true,
  g: new Uint8Array([1, 2]),
  h: "é",
  i: "second" as const,
  j: [1, 2],
};

Deno.test("record writes fields little-endian, one after another", () => {
  const writer = new ByteWriter();
  everything.write(writer, value);
  assertEquals(
    writer.bytes().toHex(),
    "12" + "5634" + "debc9a78" + "efcdab8967452301" + "ffffffffffff1f00" + "01" + "020000000102" +
      "02000000c3a9" +
      "01" + "0200000001000200",
  );
});

Deno.test("record reads back what it wrote, and nothing is left", () => {
  const writer = new ByteWriter();
  everything.write(writer, value);
  const reader = new ByteReader(writer.view());
  assertEquals(everything.read(reader), value);
  assertEquals(reader.remaining, 0);
});

Deno.test("record refuses bytes cut anywhere", () => {
  const writer = new ByteWriter();
  everything.write(writer, value);
  const whole = writer.bytes();
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => everything.read(new ByteReader(whole.subarray(0, length))), RangeError);
  }
});

Deno.test("fields refuse what is outside their range", () => {
  const refused: [{ read(reader: ByteReader): unknown }, number[]][] = [
    [flag, [2]],
    [oneOf("only"), [1]],
    [u53, [0, 0, 0, 0, 0, 0, 32, 0]],
    [bytes(1), [2, 0, 0, 0, 1, 1]],
    [listOf(u8, 1), [2, 0, 0, 0, 1, 1]],
  ];
  for (const [kind, raw] of refused) {
    assertThrows(() => kind.read(new ByteReader(new Uint8Array(raw))), RangeError);
  }
});

Deno.test("ByteWriter grows and keeps what was written", () => {
  const writer = new ByteWriter();
  for (let index = 0; index < 1000; index++) writer.u32(index);
  const reader = new ByteReader(writer.view());
  for (let index = 0; index < 1000; index++) assertEquals(reader.u32(), index);
});
