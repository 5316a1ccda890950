/** Tests of SIMD operands that are read in more forms than they are printed in; words are those of llvm-mc 14. */
import { assertEquals, assertThrows } from "@std/assert";
import { assembleLine, AssemblyError, disassemble } from "../../../machine/a64/assembly.ts";

// deno-fmt-ignore
const LINES: readonly (readonly [read: string, word: number, printed: string])[] = [
  ["ld4 {v31.16b-v2.16b}, [x0]",          0x4c40001f, "ld4 { v31.16b, v0.16b, v1.16b, v2.16b }, [x0]"],
  ["ld2 { v0.4s - v1.4s }, [x1]",         0x4c408820, "ld2 { v0.4s, v1.4s }, [x1]"],
  ["ld1 {v0.1d-v3.1d}, [x0], #32",        0x0cdf2c00, "ld1 { v0.1d, v1.1d, v2.1d, v3.1d }, [x0], #32"],
  ["tbl v0.8b, {v1.16b - v3.16b}, v2.8b", 0x0e024020, "tbl v0.8b, { v1.16b, v2.16b, v3.16b }, v2.8b"],
  ["ld3 {v0.b-v2.b}[3], [x0]",            0x0d402c00, "ld3 { v0.b, v1.b, v2.b }[3], [x0]"],
  ["not v0.8b, v1.8b",                    0x2e205820, "mvn v0.8b, v1.8b"],
  ["sxtl v0.8h, v1.8b",                   0x0f08a420, "sshll v0.8h, v1.8b, #0"],
  ["uxtl2 v3.2d, v4.4s",                  0x6f20a483, "ushll2 v3.2d, v4.4s, #0"],
  ["udot v0.4s, v1.16b, v31.4b[3]",       0x6fbfe820, "udot v0.4s, v1.16b, v31.4b[3]"],
];

Deno.test("assembleLine reads ranges of registers and aliases, and disassemble prints lists and instructions", () => {
  for (const [read, word, printed] of LINES) {
    assertEquals(assembleLine(read, { address: 0n }) >>> 0, word, read);
    assertEquals(disassemble(word), printed);
  }
});

Deno.test("assembleLine refuses lists that are not of consecutive registers, with the column", () => {
  const error = assertThrows(
    () => assembleLine("tbl v0.8b, {v1.16b, v3.16b}, v2.8b", { address: 0n }),
    AssemblyError,
  );
  assertEquals([error.message, error.column], ["the registers of a list are consecutive", 21]);
  for (const line of ["ld4 {v0.16b-v4.16b}, [x0]", "ld3 {v0.16b-v1.16b}, [x0]", "ld2 {v0.16b-v1.8b}, [x0]"]) {
    assertThrows(() => assembleLine(line, { address: 0n }), AssemblyError);
  }
});
