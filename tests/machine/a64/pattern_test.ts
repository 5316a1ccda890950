/** Tests of encoding patterns. */
import { assertEquals, assertThrows } from "@std/assert";
import { MachineInvariantError } from "../../../machine/errors.ts";
import { type FieldName, Pattern } from "../../../machine/a64/pattern.ts";

const ADD = "sf:1 00 100010 sh:1 imm12:12 Rn:5 Rd:5";

Deno.test("Pattern splits an encoding into mask, value and fields", () => {
  const pattern = new Pattern(ADD);
  assertEquals(pattern.mask >>> 0, 0x7f800000);
  assertEquals(pattern.value >>> 0, 0x11000000);
  assertEquals(pattern.fields.map(({ name, lowest, width }) => [name, lowest, width]), [
    ["sf", 31, 1],
    ["sh", 22, 1],
    ["imm12", 10, 12],
    ["Rn", 5, 5],
    ["Rd", 0, 5],
  ]);
});

Deno.test("Pattern.decode is the inverse of Pattern.encode, the top bit included", () => {
  const pattern = new Pattern(ADD);
  const fields = { sf: 1, sh: 1, imm12: 0xabc, Rn: 31, Rd: 7 };
  const word = pattern.encode(fields);
  assertEquals(word, 0x916af3e7);
  assertEquals(pattern.matches(word), true);
  assertEquals(pattern.matches(word ^ 0x40000000), false);
  assertEquals(pattern.decode(word), fields);
});

Deno.test("Pattern ignores bits in parentheses and encodes them as they should be", () => {
  const pattern = new Pattern("1001000011110000111100001111 (1)(0) x 0");
  assertEquals(pattern.encode({}) & 15, 0b1000);
  assertEquals([0, 2, 4, 8, 14].map((low) => pattern.matches(0x90f0f0f0 + low)), Array(5).fill(true));
  assertEquals(pattern.matches(0x90f0f0f1), false);
});

Deno.test("Pattern.encode refuses fields that are absent, unknown or out of range", () => {
  const pattern = new Pattern("000000000000000000000000 imm4:4 Rd:4");
  assertThrows(() => pattern.encode({ imm4: 16, Rd: 0 }), RangeError, "imm4 is 16, not 0 to 15");
  assertThrows(() => pattern.encode({ imm4: -1, Rd: 0 }), RangeError, "imm4 is -1");
  assertThrows(() => pattern.encode({ imm4: 1.5, Rd: 0 }), RangeError, "imm4 is 1.5");
  assertThrows(() => pattern.encode({ imm4: 1 }), RangeError, "Rd is undefined");
  assertThrows(() => pattern.encode({ imm4: 1, Rd: 0, Rn: 0 }), RangeError, "no field Rn");
});

Deno.test("Pattern refuses encodings of another length, with doubled fields or with stray characters", () => {
  assertThrows(() => new Pattern("0000 Rd:5"), MachineInvariantError, "it has 9 bits, not 32");
  assertThrows(() => new Pattern("Rd:16 Rd:16"), MachineInvariantError, "field Rd appears twice");
  assertThrows(() => new Pattern("Rd:16 2222"), MachineInvariantError, '"2222" is neither a field nor bits');
});

Deno.test("FieldName is the union of the fields' names", () => {
  const names: Record<FieldName<typeof ADD>, true> = { sf: true, sh: true, imm12: true, Rn: true, Rd: true };
  assertEquals(Object.keys(names).toSorted(), new Pattern(ADD).fields.map(({ name }) => name).toSorted());
});
