/** Whole programs: what outsiders assembled, what only we take, and what each mistake is called. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type AssembleOptions, assembleProgram, ProgramError } from "../../../machine/a64/program.ts";

const FIXTURES = new URL("../../fixtures/asm/", import.meta.url);

interface Recorded {
  readonly by: readonly string[];
  readonly bytes: string;
  readonly symbols: Readonly<Record<string, string>>;
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const assemble = (source: string, options: AssembleOptions = {}): string =>
  hex(assembleProgram(source, options).bytes);

function messageOf(source: string, options: AssembleOptions = {}): string {
  return assertThrows(() => assembleProgram(source, { name: "a.s", ...options }), ProgramError).message;
}

const expected: Record<string, Recorded> = JSON.parse(
  Deno.readTextFileSync(new URL("expected.json", FIXTURES)),
);

for (const [file, { by, bytes, symbols }] of Object.entries(expected)) {
  Deno.test(`assembleProgram makes of ${file} what ${by.join(" and ")} made of it`, () => {
    const source = Deno.readTextFileSync(new URL(file, FIXTURES));
    const program = assembleProgram(source, { name: file, base: 0x40080000n });
    assertEquals(hex(program.bytes), bytes);
    const addresses = Array.from(program.symbols, ([name, address]) => [name, `0x${address.toString(16)}`]);
    assertEquals(Object.fromEntries(addresses), symbols);
  });
}

Deno.test("assembleProgram recorded every program of the fixtures", () => {
  const files = Array.from(Deno.readDirSync(FIXTURES), ({ name }) => name).filter((name) =>
    name.endsWith(".s")
  );
  assertEquals(files.sort(), Object.keys(expected).sort());
});

Deno.test("assembleProgram reports each kind of mistake at its line and column", () => {
  // deno-fmt-ignore
  const cases: [source: string, message: string][] = [
    ["foo: nop\nfoo: nop",              'a.s:2:1: "foo" is defined twice; expected one definition, but a.s:1 has one'],
    ["x = 1\nx: nop",                   'a.s:2:1: "x" is defined twice; expected one definition, but a.s:1 has one'],
    ["x: nop\n x = 1",                  'a.s:2:2: "x" is defined twice; expected one definition, but a.s:1 has one'],
    [" .quad 1, there",                 'a.s:1:11: undefined symbol "there"; expected a label or an equate of this program'],
    [" b there",                        'a.s:1:4: undefined symbol "there"; expected a label or an equate of this program'],
    ["nop; add x0, x1, there + 1",      'a.s:1:18: undefined symbol "there"; expected a label or an equate of this program'],
    [".byte 1\n  nop",                  "a.s:2:3: an instruction at 1 modulo 4; expected a multiple of 4, by .balign 4 before it"],
    ["a: b a + 0x10000000",             "a.s:1:6: target is 268435456 bytes away, out of range -134217728 to 134217724"],
    ["a: b.eq a - 0x200000",            "a.s:1:9: target is -2097152 bytes away, out of range -1048576 to 1048572"],
    ["a: b a + 2",                      "a.s:1:6: 2 is not a multiple of 4"],
    [" .byte 1, 256",                   "a.s:1:11: 256 does not fit in 8 bits; expected -2^7 to 2^8-1"],
    [" .hword -32769",                  "a.s:1:9: -32769 does not fit in 16 bits; expected -2^15 to 2^16-1"],
    [" .word end - 0x100000000\nend:",  "a.s:1:8: -4294967292 does not fit in 32 bits; expected -2^31 to 2^32-1"],
    [" .quad 0x10000000000000000",      "a.s:1:8: the value does not fit in 64 bits; expected -2^63 to 2^64-1"],
    [" .quad 1 << 60 << 60",            "a.s:1:16: the value does not fit in 64 bits; expected -2^63 to 2^64-1"],
    [" .quad 1 / (2 - 2)",              "a.s:1:10: division by zero; expected another divisor"],
    [" .quad 1 << 64",                  "a.s:1:10: a shift by 64; expected 0 to 63"],
    [" .quad 1 + 2 << 3",               'a.s:1:14: C and GNU as group "<<" and "+" differently; expected parentheses around one'],
    [" .quad 7 & 1 == 1",               'a.s:1:10: C and GNU as group "&" and "==" differently; expected parentheses around one'],
    [" .quad 1 | 2 ^ 3",                'a.s:1:10: C and GNU as group "|" and "^" differently; expected parentheses around one'],
    [" .quad 08",                       'a.s:1:8: "08" is not a number; expected decimal, 0x, 0b or 0o digits, or a local label such as 1b'],
    [" .quad 12ab",                     'a.s:1:8: "12ab" is not a number; expected decimal, 0x, 0b or 0o digits, or a local label such as 1b'],
    [" .quad (1 + 2",                   'a.s:1:14: the statement ends too early; expected an operator or ")"'],
    [" .quad 1 2",                      'a.s:1:10: unexpected "2"; expected a comma or the end of the statement'],
    [" .quad",                          'a.s:1:7: the statement ends too early; expected a number, a name, a character or "("'],
    [" .byte 'ab'",                     "a.s:1:8: the character does not end; expected a closing '"],
    [' .ascii "abc',                    'a.s:1:9: the string does not end; expected a closing "'],
    [' .ascii "a\\qc"',                 'a.s:1:11: unknown escape \\q; expected \\b \\f \\n \\r \\t \\\\ \\" \\\', \\0 to \\377 or \\x and two digits'],
    [" .frob 1",                        'a.s:1:2: unknown directive ".frob"; expected one that firmware/README.md lists'],
    [" frob x1",                        'a.s:1:2: unknown instruction "frob"'],
    [" add x0, x1, x32",                'a.s:1:14: undefined symbol "x32"; expected a label or an equate of this program'],
    [' .include "b.s"',                 "a.s:1:2: .include is not supported; expected one text, joined before it is assembled"],
    [" .section .init",                 'a.s:1:16: section ".init" is not supported; expected .text, .rodata, .data, .bss'],
    [" .bss; .quad 1",                  "a.s:1:8: .bss has no bytes; expected .space, .align or labels only"],
    [" .bss\n nop",                     "a.s:2:2: .bss has no bytes; expected .space, .align or labels only"],
    [" nop; .org 2",                    "a.s:1:12: cannot move from offset 4 to 2; expected a place further on"],
    [" .space later\nlater:",           'a.s:1:9: "later" is not known yet; expected a value defined above'],
    [" .data\nd: .if d > 1\n.endif",    "a.s:2:10: addresses in .data are not settled yet; expected a constant or a difference of labels"],
    [" .balign 3",                      "a.s:1:10: 3 is not a power of two; expected one"],
    [" .align 31",                      "a.s:1:9: 31 is out of range; expected 0 to 30"],
    [" .space 1 << 40",                 "a.s:1:9: 1099511627776 is out of range; expected 0 to 268435456"],
    [" .space 1 << 28; .byte 1",        "a.s:1:18: .text grows too large; expected at most 256 MiB"],
    [" b 1b",                           'a.s:1:4: no local label 1 above this line; expected "1:" above'],
    ["1: b 1f",                         'a.s:1:6: no local label 1 below this line; expected "1:" below'],
    ["a = b; b = a; .quad a",           'a.s:1:5: "b" is defined through itself or through more than 50 other names; expected fewer'],
    [" movz x0, #:abs_g0:s; s = 65536", "a.s:1:12: 0x10000 has more than 16 bits; expected :abs_g0_nc: if the rest is moved too"],
    [" add x0, x0, :hi12:s",            "a.s:1:14: unknown part :hi12:; expected :lo12: :pg_hi21: :pg_hi21_nc: :abs_g0: :abs_g0_nc: :abs_g1: :abs_g1_nc: :abs_g2: :abs_g2_nc: :abs_g3:"],
    [" .if 1\n nop",                    "a.s:1:2: .if has no .endif; expected one below it"],
    [" .endif",                         "a.s:1:2: .endif belongs to no .if; expected .if before it"],
    [" .if 1\n .else\n .else\n .endif", "a.s:3:2: .else belongs to no .if; expected .if before it"],
    [" .rept 2\n nop",                  "a.s:1:2: .rept has no .endr; expected one below it"],
    [" .endm",                          "a.s:1:2: .endm ends nothing; expected .macro, .rept or .irp before it"],
    [" .rept -1\n .endr",               "a.s:1:8: cannot repeat -1 times; expected 0 or more"],
    [".macro m a:req\n.endm\n m",       'a.s:3:3: macro "m" lacks its argument "a"; expected a value'],
    [".macro m a\n.endm\n m 1, 2",      'a.s:3:7: too many arguments for macro "m"; expected at most 1'],
    [".macro m\n.endm\n.macro m\n.endm", 'a.s:3:8: macro "m" is defined twice; expected another name'],
    [".macro m\n m\n.endm\n m",         'a.s:2:2: macros and repetitions are nested too deeply; expected at most 100 levels (in macro "m", used at a.s:2) (in macro "m", used at a.s:2) (in macro "m", used at a.s:2)'],
    [' .error "no such board"',         "a.s:1:2: no such board; expected by the source itself"],
    [' .incbin "x"',                    'a.s:1:10: no bytes are named "x"; expected bytes handed over with the source'],
    [" nop /* open",                    "a.s:1:6: the comment does not end; expected */"],
    [" .fill 1, 8, 1 << 32",            "a.s:1:14: 4294967296 does not fit; expected an unsigned number of at most 32 bits, or .rept and .quad"],
    [" constructor 1",                  'a.s:1:2: unknown instruction "constructor"'],
    [" .constructor 1",                 'a.s:1:2: unknown directive ".constructor"; expected one that firmware/README.md lists'],
    [" add x0, x0, :constructor:s",     "a.s:1:14: unknown part :constructor:; expected :lo12: :pg_hi21: :pg_hi21_nc: :abs_g0: :abs_g0_nc: :abs_g1: :abs_g1_nc: :abs_g2: :abs_g2_nc: :abs_g3:"],
    [" .quad toString",                 'a.s:1:8: undefined symbol "toString"; expected a label or an equate of this program'],
    [" .incbin \"toString\"",           'a.s:1:10: no bytes are named "toString"; expected bytes handed over with the source'],
    [" .if 1\n .endif x",               'a.s:2:9: unexpected "x"; expected the end of the statement'],
    [" $ 5",                            'a.s:1:2: unknown instruction "$"'],
    [" , 5",                            'a.s:1:2: unexpected ", 5"; expected a label, a directive or an instruction'],
  ];
  const found = cases.map(([source]): [string, string] => [source, messageOf(source).split("\n")[0] ?? ""]);
  assertEquals(found, cases);
});

Deno.test("assembleProgram names the macro's line, the argument's column and where the macro is used", () => {
  const source =
    "  .macro put reg, value\n  nop\n  mov \\reg, #\\value\n  .endm\n  put x1, 5\n  put x1, 0x123456789\n";
  assertStringIncludes(messageOf(source), "a.s:3:14: ");
  assertStringIncludes(messageOf(source), ' (in macro "put", used at a.s:6)');
});

Deno.test("ProgramError lists all mistakes in order of place, up to 20, and counts the others", () => {
  const two = assertThrows(
    () => assembleProgram(" .quad nowhere\n .frob\n .byte 300", { name: "a.s" }),
    ProgramError,
  );
  assertEquals(two.diagnostics.map(({ line, column }) => [line, column]), [[1, 8], [2, 2], [3, 8]]);
  assertEquals(two.message.split("\n").length, 3);
  const many = assertThrows(() => assembleProgram(" .frob\n".repeat(25)), ProgramError);
  assertEquals(many.diagnostics.length, 20);
  assertEquals(many.message.split("\n").at(-1), "and 5 more");
});

Deno.test("assembleProgram ends sources that expand without end", () => {
  assertStringIncludes(
    messageOf(".rept 1 << 60\n.endr"),
    "the program expands to more than 1000000 statements; expected fewer",
  );
  assertStringIncludes(
    messageOf(`.macro m a\n m "\\a\\a\\a\\a\\a\\a"\n.endm\n m "xxxxxxxxxx"`),
    "grows too long; expected at most 65536 characters",
  );
  assertStringIncludes(messageOf(` .quad ${"(".repeat(5000)}1`), "the expression is nested too deeply");
  assertStringIncludes(messageOf(` .quad ${"-".repeat(5000)}1`), "the expression is nested too deeply");
  assertEquals(assemble(` .hword 1${"+1".repeat(50_000)} - 50000`), "0100");
});

Deno.test("assembleProgram collects addresses, lines, size and entry", () => {
  const source = [
    " .macro two",
    " nop",
    " nop",
    " .endm", // lines 1 to 4
    "first: nop",
    "_start: two",
    ".Lhidden: .quad 5",
    "count = 3",
    "alias = first + 4",
    "1: .bss",
    "buffer: .space 20",
  ].join("\n");
  const program = assembleProgram(source, { name: "a.s", base: 0x1000n });
  assertEquals([...program.symbols], [["first", 0x1000n], ["_start", 0x1004n], ["alias", 0x1004n], [
    "buffer",
    0x1020n,
  ]]);
  assertEquals([...program.lines], [
    [0x1000n, { file: "a.s", line: 5 }],
    [0x1004n, { file: "a.s", line: 6 }],
    [0x1008n, { file: "a.s", line: 6 }],
    [0x100cn, { file: "a.s", line: 7 }],
  ]);
  assertEquals([program.base, program.entry, program.bytes.length, program.size], [
    0x1000n,
    0x1004n,
    0x14,
    0x34,
  ]);
  assertEquals(assembleProgram("nop", { base: 8n }).entry, 8n);
});

Deno.test("assembleProgram aligns addresses, whatever the base", () => {
  assertEquals(assemble(" .balign 16\nx: .quad x", { base: 12n }), "1f2003d51000000000000000");
  assertEquals(assemble(" nop\n .data\nd: .quad d", { base: 0x100n }), "1f2003d5000000000801000000000000");
});

Deno.test("assembleProgram uses symbols and bytes from outside, and a list of sources with their names", () => {
  const files = { "blob": new Uint8Array([1, 2, 3]) };
  assertEquals(assemble(' .incbin "blob"\n .byte N', { files, symbols: { N: 7n } }), "01020307");
  const sources = [{ name: "one.s", text: "a: nop" }, { name: "two.s", text: " b a\n .quad x" }];
  const error = assertThrows(() => assembleProgram(sources), ProgramError);
  assertEquals(
    error.message,
    'two.s:2:8: undefined symbol "x"; expected a label or an equate of this program',
  );
});

Deno.test("assembleProgram refuses a base or symbol out of range by RangeError", () => {
  for (const base of [2n, -4n, 1n << 64n]) {
    assertThrows(() => assembleProgram("nop", { base }), RangeError, "Cannot");
  }
  assertThrows(() => assembleProgram("nop", { symbols: { N: 1n << 64n } }), RangeError, 'the symbol "N"');
  assertStringIncludes(messageOf(" nop; nop", { base: (1n << 64n) - 4n }), "past 2^64");
});

Deno.test("assembleProgram settles what is known by the first pass where GNU as gives up", () => {
  assertEquals(
    assemble("s: nop\n .balign 16\n .if . - s == 16\n .byte 1\n .endif\n"),
    "1f2003d5".repeat(4) + "01",
  );
  assertEquals(assemble(" .if here >> 12 == 0x40\n .byte 1\n .endif", { symbols: { here: 0x40080n } }), "01");
  assertEquals(
    assemble(" .quad 0x40000000 - 0xffff000000000000 + high", { symbols: { high: 0xffff000000000010n } }),
    "1000004000000000",
  );
});

Deno.test("assembleProgram takes any expression as an operand", () => {
  assertEquals(assemble(" add x0, x0, #((1 + (2 * (3 + (4)))) << 2)"), assemble(" add x0, x0, #60"));
  assertEquals(
    assemble(" mov w0, #','; mov w1, #'('; ldr x0, [x1, (8)]"),
    assemble(" mov w0, #44; mov w1, #40; ldr x0, [x1, #8]"),
  );
  assertEquals(
    messageOf(" add x0, x0, #(1 + 2"),
    'a.s:1:21: the statement ends too early; expected an operator or ")"',
  );
});

Deno.test("assembleProgram settles equates by place: before it, else the last", () => {
  const source = " .byte x\n .set x, 1\n .byte x\n .set x, x + 1\n .byte x\n .set y, 1f - .\n1: .byte y";
  assertEquals(assemble(source), "02010200");
});
