/** Which instructions share a handler, and what their records hold. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { assembleLine } from "../../../machine/a64/assembly.ts";
import { decode, type Decoded, lower } from "../../../machine/a64/rows.ts";
import { fold } from "../../../machine/engine/fold.ts";
import { shapeOf } from "../../../machine/engine/shape.ts";

const PC = 0x4000_1000n;

function nodesOf(line: string, pc = PC) {
  const { row, fields } = decode(assembleLine(line, { address: pc } as never)) as Decoded;
  return lower(row, fields);
}

function shaped(line: string, pc = PC) {
  const result = shapeOf(nodesOf(line, pc), pc);
  assert(result !== undefined, line);
  return result;
}

Deno.test("fold makes ADRP one constant", () => {
  const nodes = fold(nodesOf("adrp x3, 0x40005000"), PC);
  assertEquals(nodes.map(({ op }) => op), ["constant", "writeX"]);
  assertEquals(nodes[0]?.immediates, [0x4000_5000n]);
});

Deno.test("fold keeps what has an effect, in order, and drops dead values", () => {
  const nodes = fold(
    [
      { op: "readX", width: 64, args: [], immediates: [1] },
      { op: "readX", width: 64, args: [], immediates: [2] },
      { op: "writeX", width: 0, args: [1], immediates: [3] },
    ],
    PC,
  );
  assertEquals(nodes.map(({ op, immediates }) => [op, ...immediates]), [["readX", 2], ["writeX", 3]]);
  assertEquals(nodes[1]?.args, [0]);
});

Deno.test("shapeOf gives one shape to instructions that differ in registers and constants", () => {
  for (
    const [a, b] of [
      ["add x0, x1, x2", "add x7, x7, xzr"],
      ["add x0, x1, #1", "add x9, x3, #0xfff"],
      ["ldr x0, [x1, #8]", "ldr xzr, [x2, #16]"],
      ["bfi x1, x2, #3, #7", "bfi x4, x5, #30, #9"],
      ["b 0x40001010", "b 0x40001ffc"],
      ["cbz x1, 0x40001010", "cbz x2, 0x40001000"],
      ["bl 0x44000000", "bl 0x40002000"],
    ] as const
  ) {
    assertEquals(shaped(a).shape.key, shaped(b).shape.key, `${a} | ${b}`);
  }
  for (
    const [a, b] of [
      ["add x0, x1, x2", "add w0, w1, w2"],
      ["add x0, x1, x2", "adds x0, x1, x2"],
      ["b 0x40001010", "b 0x40002010"],
      ["b.eq 0x40001010", "b.ne 0x40001010"],
    ] as const
  ) {
    assertNotEquals(shaped(a).shape.key, shaped(b).shape.key, `${a} | ${b}`);
  }
});

Deno.test("shapeOf gives operands as a record holds them", () => {
  const { operands } = shaped("bfi x4, x5, #30, #9");
  assertEquals(operands.registers, [5, 4, 4].map((n) => n * 8));
  assertEquals(operands.narrow, 30);
  assertEquals(operands.wide, [0x1ffn << 30n, BigInt.asUintN(64, ~(0x1ffn << 30n))]);
  assertEquals(shaped("cbz x1, 0x40001010").operands.target, 0x4000_1010n);
  assertEquals(shaped("b 0x44000000").operands.wide[0], 0x4400_0000n);
});
