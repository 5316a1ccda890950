/** Programs made of typed parts. */
import { assertEquals, assertThrows } from "@std/assert";
import { assembleProgram, ProgramError } from "../../../machine/a64/program.ts";
import {
  align,
  asciz,
  asm,
  byte,
  bytes,
  type Content,
  half,
  label,
  type Operand,
  org,
  part,
  program,
  quad,
  word,
} from "../../../machine/a64/program_parts.ts";

const base = 0x40080000n;

Deno.test("program makes the bytes that the same program as text makes", () => {
  const table = label("table"), again = label("again");
  const typed = program([
    part(
      "start",
      asm`
      ldr x0, =${table}
      mov x${1}, #${-5n}
      ${again}: subs x1, x1, #${1}
      b.ne ${again}`,
    ),
    align(16),
    table,
    quad(1n, -1n, table, 0xffffffffffffffffn, 5, 6, 7, 8, 9),
    word(1, again),
    half(-1, 65535n),
    byte(1, 2),
    bytes(new Uint8Array([9, 8, 7])),
    asciz('a"\\n'),
    org(0x100),
    byte(1),
  ], { base });
  const text = assembleProgram(
    `
    ldr x0, =table
    mov x1, #-5
again: subs x1, x1, #1
    b.ne again
    .balign 16
table: .quad 1, -1, table, 0xffffffffffffffff, 5, 6, 7, 8, 9
    .word 1, again
    .hword -1, 65535
    .byte 1, 2, 9, 8, 7
    .asciz "a\\"\\\\n"
    .org 0x100
    .byte 1`,
    { base },
  );
  assertEquals(typed.bytes, text.bytes);
  assertEquals(typed.symbols, new Map([["again", base + 8n], ["table", base + 0x10n]]));
});

Deno.test("label objects of one name are different places", () => {
  const spin = () => {
    const again = label("again");
    return asm`${again}: cbz x0, ${again}`;
  };
  const { symbols } = program([spin(), spin(), spin()]);
  assertEquals([...symbols], [["again", 0n], ["again$2", 4n], ["again$3", 8n]]);
});

Deno.test("asm takes parts, and keeps escapes for the assembler", () => {
  const inner = asm`.byte ${1}, ${2n}`;
  const { bytes: made } = program([asm`
    ${inner}
    .ascii "\n\x41\\"
  `]);
  assertEquals([...made], [1, 2, 10, 0x41, 0x5c]);
});

Deno.test("program names the part, and the line in it, that a mistake is in", () => {
  const contents: Content[] = [
    asm`nop`,
    part(
      "tables",
      asm`nop`,
      asm`
    .byte ${256}`,
    ),
  ];
  const error = assertThrows(() => program(contents, { name: "guest" }), ProgramError);
  assertEquals(error.message, "tables:3:11: 256 does not fit in 8 bits; expected -2^7 to 2^8-1");
  const other = assertThrows(() => program([asm`nop`, asm`frob`], { name: "guest" }), ProgramError);
  assertEquals(other.message, 'guest:2:1: unknown instruction "frob"');
  const twice = label("twice");
  assertThrows(() => program([twice, twice]), ProgramError, '"twice" is defined twice');
  assertThrows(() => program([quad(label("gone"))]), ProgramError, 'undefined symbol "gone"');
});

Deno.test("asm and the data parts refuse by TypeError what is no integer, bigint, label or part", () => {
  for (const wrong of [1.5, NaN, Infinity, 2 ** 53, "x0", undefined, null, {}, true, [1]]) {
    assertThrows(() => asm`mov x0, ${wrong as Operand}`, TypeError, "Cannot put");
    assertThrows(() => quad(wrong as number), TypeError, "Cannot put");
    assertThrows(() => program([wrong as unknown as Content]), TypeError, "Cannot put");
  }
  assertThrows(() => word(asm`nop` as unknown as number), TypeError, "Cannot put");
  assertThrows(() => bytes([1] as unknown as Uint8Array), TypeError, "Cannot put");
  for (const wrong of ["", "1a", "a b", ".", "a:"]) {
    assertThrows(() => label(wrong), TypeError, "Cannot name");
  }
  for (const wrong of [0, 3, -4, 1.5, 2 ** 31]) assertThrows(() => align(wrong), RangeError, "Cannot align");
});
