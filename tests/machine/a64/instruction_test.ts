/** Tests of instruction rows and the decode index. */
import { assertEquals, assertThrows } from "@std/assert";
import { DecodeIndex, instruction, lower, missing } from "../../../machine/a64/instruction.ts";
import { MachineInvariantError } from "../../../machine/errors.ts";
import { printIr } from "../../../machine/ir/passes.ts";

const A = instruction(
  "A",
  "0001 x:4 000000000000000000000000",
  "a",
  (ir, { x }) => ir.writeX(x, 64, ir.constant(64, x)),
);
const B = missing("B", "0001 0000 1 y:1 x:22", "b");

Deno.test("DecodeIndex refuses rows that overlap, naming both and a word", () => {
  const overlapping = missing("C", "000x 0000 z:24");
  const message = "Rows A and C overlap: both match 0x10000000";
  assertThrows(() => new DecodeIndex([A, overlapping]), MachineInvariantError, message);
  assertThrows(
    () => new DecodeIndex([B, overlapping]),
    MachineInvariantError,
    "Rows B and C overlap: both match 0x10800000",
  );
});

Deno.test("DecodeIndex finds rows whose fields lie among the indexed bits", () => {
  const index = new DecodeIndex([A, B]);
  assertEquals(index.decode(0x1f000000), { row: A, fields: { x: 15 } });
  assertEquals(index.decode(0x10800003), { row: B, fields: { y: 0, x: 3 } });
  assertEquals(index.decode(0x10400000), undefined);
});

Deno.test("DecodeIndex leaves what a row's condition excludes unallocated", () => {
  const odd = instruction("ODD", "0001 x:4 000000000000000000000000", "odd", () => {}, {
    when: ({ x }) => x % 2 === 1,
  });
  const index = new DecodeIndex([odd]);
  assertEquals(index.decode(0x13000000)?.fields, { x: 3 });
  assertEquals(index.decode(0x12000000), undefined);
});

Deno.test("lower builds a row's IR, and UNDEFINED for a missing row", () => {
  assertEquals(printIr(lower(A, { x: 3 })), "%0:64 = constant 3\nwriteX 3, %0");
  assertEquals(printIr(lower(B, { x: 0, y: 0 })), "helper undefinedInstruction");
});
