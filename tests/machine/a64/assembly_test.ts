/** Tests of the line assembler and disassembler: texts as LLVM has them, errors, symbols. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  assembleLine,
  type AssemblyContext,
  AssemblyError,
  disassemble,
} from "../../../machine/a64/assembly.ts";

const context: AssemblyContext = { address: 0x1000n };

// Words by llvm-mc 14.
// deno-fmt-ignore
const PAIRS: readonly (readonly [number, string])[] = [
  [0x91001020, "add x0, x1, #4"],               [0xd1400421, "sub x1, x1, #1, lsl #12"],
  [0xeb02003f, "cmp x1, x2"],                   [0x2b2643ff, "cmn wsp, w6"],
  [0x8b2163ff, "add sp, sp, x1"],               [0x910003e0, "mov x0, sp"],
  [0xaa0103e0, "mov x0, x1"],                   [0xd2a24680, "mov x0, #305397760"],
  [0x12800020, "mov w0, #-2"],                  [0xb200f3e0, "mov x0, #6148914691236517205"],
  [0x72001c1f, "tst w0, #0xff"],                [0x2a2103e0, "mvn w0, w1"],
  [0xd37cec20, "lsl x0, x1, #4"],               [0x53037c20, "lsr w0, w1, #3"],
  [0x93c11c20, "ror x0, x1, #7"],               [0x93407c20, "sxtw x0, w1"],
  [0xd3482c20, "ubfx x0, x1, #8, #4"],          [0xb3780c20, "bfi x0, x1, #8, #4"],
  [0x1a9f17e0, "cset w0, eq"],                  [0xda82a441, "cneg x1, x2, lt"],
  [0x9b027c20, "mul x0, x1, x2"],               [0x9b227c20, "smull x0, w1, w2"],
  [0xd65f03c0, "ret"],                          [0xd65f0020, "ret x1"],
  [0xd503201f, "nop"],                          [0xd503207f, "wfi"],
  [0xd50b7e20, "dc civac, x0"],                 [0xd508871f, "tlbi vmalle1"],
  [0xd5033b9f, "dsb ish"],                      [0xd5033fdf, "isb"],
  [0xd5384240, "mrs x0, CurrentEL"],            [0xd51be020, "msr S3_3_C14_C0_1, x0"],
  [0xd50342df, "msr DAIFSet, #2"],              [0xd4000001, "svc #0"],
  [0xa9bf7bfd, "stp x29, x30, [sp, #-16]!"],    [0xa8c17bfd, "ldp x29, x30, [sp], #16"],
  [0xf8627820, "ldr x0, [x1, x2, lsl #3]"],     [0xb862d820, "ldr w0, [x1, w2, sxtw #2]"],
  [0xf85f8020, "ldur x0, [x1, #-8]"],           [0xc85f7c20, "ldxr x0, [x1]"],
  [0x4f000400, "movi v0.4s, #0"],               [0x1e2e1000, "fmov s0, #1.00000000"],
  [0x4ea21c20, "orr v0.16b, v1.16b, v2.16b"],   [0x4c407820, "ld1 { v0.4s }, [x1]"],
];

Deno.test("disassemble and assembleLine agree with LLVM's texts", () => {
  for (const [word, text] of PAIRS) {
    assertEquals(disassemble(word), text, word.toString(16));
    assertEquals(assembleLine(text, context), word, text);
  }
});

// Other texts for the same instructions.
// deno-fmt-ignore
const SYNONYMS: readonly (readonly [string, string])[] = [
  ["add x0, x1, 4",         "add x0, x1, #4"],        ["ADD  X0,X1,#0x4",        "add x0, x1, #4"],
  ["add x0, x1, #-4",       "sub x0, x1, #4"],        ["bic x0, x1, #0xff",      "and x0, x1, #0xffffffffffffff00"],
  ["lslv x0, x1, x2",       "lsl x0, x1, x2"],        ["ldr x0, [x1, #-8]",      "ldur x0, [x1, #-8]"],
  ["ldr x0, [x1, #9]",      "ldur x0, [x1, #9]"],     ["cset x1, cs",            "cset x1, hs"],
  ["mov fp, lr",            "mov x29, x30"],          ["tbz x1, #3, #8",         "tbz w1, #3, #8"],
  ["mrs x0, s3_0_c0_c0_0",  "mrs x0, MIDR_EL1"],      ["ubfm x0, x1, #60, #59",  "lsl x0, x1, #4"],
  ["sys #3, c7, c14, #1, x0", "dc civac, x0"],        ["hint #3",                "wfi"],
  ["isb sy",                "isb"],                   ["sxtl v0.8h, v1.8b",      "sshll v0.8h, v1.8b, #0"],
];

Deno.test("assembleLine reads synonyms", () => {
  for (const [text, preferred] of SYNONYMS) {
    assertEquals(disassemble(assembleLine(text, context)), preferred, text);
  }
});

// Column and message of errors.
// deno-fmt-ignore
const ERRORS: readonly (readonly [string, number, string])[] = [
  ["frob x0, x1",             1,  'unknown instruction "frob"'],
  ["  frob x0",               3,  'unknown instruction "frob"'],
  ["add x0, x1, #4096",       14, "4096 is out of range 0 to 4095"],
  ["add x0, x1",              11, 'expected ",", found the end of the line'],
  ["add x0, x1, #4 x",        14, '"4 x" is not a number or a symbol'],
  ["add x32, x1, #4",         5,  'expected a general-purpose register or the stack pointer or a vector register or a scalar register, found "x32"'],
  ["add w0, x1, #4",          9,  'expected a 32-bit register or the stack pointer, found "x1"'],
  ["and x0, x1, #5",          14, "0x5 is not a bitmask immediate of 64 bits"],
  ["mov x0, #0x12345",        10, "0x12345 is neither 16 bits at a multiple of 16, nor the complement of such, nor a bitmask immediate"],
  ["mov w0, #0x123456789",    10, "4886718345 does not fit in 32 bits"],
  ["lsl w0, w1, #32",         14, "32 is out of range 0 to 31"],
  ["ldr x0, [x1, #257]",      15, "257 is not a multiple of 8; 257 is out of range -256 to 255"],
  ["ldp x0, x1, [x2, #4]",    19, "4 is not a multiple of 8"],
  ["b 0x1002",                3,  "2 is not a multiple of 4"],
  ["b.xx 0x1000",             3,  'expected a condition, found "xx"'],
  ["tbz w0, #32, #8",         10,  "32 is out of range 0 to 31"],
  ["b #0x10000000",           4,  "target is 268435456 bytes away, out of range -134217728 to 134217724"],
  ["bl there",                4,  'unknown symbol "there"'],
  ["msr NOWHERE_EL1, x0",     5,  'expected a system register or "UAO" or "PAN" or "SPSel" or "SSBS" or "DIT" or "DAIFSet" or "DAIFClr", found "NOWHERE_EL1"'],
  ["msr MIDR_EL1, x0",        5,  "MIDR_EL1 is a read-only register"],
  ["dc frob, x0",             4,  'expected an operation of dc, found "frob"'],
  ["ldr x0, =5",              9,  "there is no literal pool here"],
  ["movi v0.2d, #1",          14, "every byte of the immediate is 0x00 or 0xff"],
  ["fmov s0, #0.1",           11, "0.1 is not a floating-point immediate of eight bits"],
  ["extr w0, w1, w2, #40",    19, "40 is out of range 0 to 31"],
];

Deno.test("assembleLine names the column and what was expected", () => {
  for (const [text, column, message] of ERRORS) {
    const error = assertThrows(() => assembleLine(text, context), AssemblyError, undefined, text);
    assertEquals([error.column, error.message], [column, message], text);
  }
});

Deno.test("assembleLine resolves symbols relative to the instruction's address", () => {
  const symbols: Record<string, bigint> = { here: 0x1000n, data: 0x12345678n };
  const program = { address: 0x1000n, symbol: (name: string) => symbols[name] };
  const text = (line: string) => disassemble(assembleLine(line, program), 0x1000n);
  assertEquals(text("b here"), "b 0x1000");
  assertEquals(text("b.ne here+8"), "b.ne 0x1008");
  assertEquals(text("adrp x0, data"), "adrp x0, 0x12345000");
  assertEquals(text("add x0, x0, :lo12:data"), "add x0, x0, #1656");
  assertEquals(text("ldr x0, [x0, #:lo12:data]"), "ldr x0, [x0, #1656]");
  assertEquals(text("mov x0, #here - 0x1000"), "mov x0, #0");
});

Deno.test("assembleLine uses the program's evaluator, and adds its columns to the expression's", () => {
  const evaluate = (expression: string): bigint => {
    if (expression === "SIZE * 2") return 16n;
    throw new AssemblyError("no such constant", 3);
  };
  assertEquals(
    disassemble(assembleLine("ldr x0, [x1, #SIZE * 2]", { ...context, evaluate })),
    "ldr x0, [x1, #16]",
  );
  const error = assertThrows(() => assembleLine("svc #abc", { ...context, evaluate }), AssemblyError);
  assertEquals([error.column, error.message], [8, "no such constant"]);
});

Deno.test("assembleLine places literals in the program's pool", () => {
  const placed: bigint[] = [];
  const literal = (value: bigint): bigint => {
    placed.push(value);
    return 0x1010n;
  };
  assertEquals(disassemble(assembleLine("ldr x0, =0x123456789", { ...context, literal })), "ldr x0, #16");
  assertEquals(placed, [0x123456789n]);
});

Deno.test("disassemble prints labels as addresses when the address is known, else as distances", () => {
  assertEquals(disassemble(0x17ffffff), "b #-4");
  assertEquals(disassemble(0x17ffffff, 0x40000000n), "b 0x3ffffffc");
  assertEquals(disassemble(0xf0ffffe0, 0x40000123n), "adrp x0, 0x3ffff000");
  assertEquals(disassemble(0x54000040, 0n), "b.eq 0x8");
});

Deno.test("disassemble gives .word for what is unallocated", () => {
  assertEquals(disassemble(0x00010000), ".word 0x00010000");
  assertEquals(disassemble(0xffffffff), ".word 0xffffffff");
});
