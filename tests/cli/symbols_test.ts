/** Tests of symbol tables, and of reading them from nm's text and from ELF files, damaged ones too. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/errors.ts";
import { parseSymbols } from "../../cli/symbol_file.ts";
import { type ProgramSymbol, SymbolTable } from "../../cli/symbols.ts";
import { elfExecutable } from "../../firmware/elf.ts";
import { assembleProgram } from "../../machine/a64/program.ts";
import { ByteWriter } from "../../machine/layout.ts";
import { SEED, seededRandom } from "../journal/support.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const table = (text: string, offset = 0n) => new SymbolTable(parseSymbols(bytesOf(text), '"map"', offset));

Deno.test("SymbolTable.nameOf gives the name that reaches an address, with the distance", () => {
  const symbols = table("1000 T first\n1100 0000000000000010 T sized\n2000 D data\n");
  // deno-fmt-ignore
  const cases: readonly (readonly [bigint, string | undefined])[] = [
    [0xfffn, undefined], [0x1000n, "first"], [0x1004n, "first+0x4"], [0x10ffn, "first+0xff"],
    [0x1100n, "sized"], [0x110fn, "sized+0xf"], [0x1110n, undefined], [0x1fffn, undefined],
    [0x2000n, "data"], [0x11fffn, "data+0xffff"], [0x12000n, undefined], [2n ** 64n - 1n, undefined],
  ];
  for (const [address, name] of cases) assertEquals(symbols.nameOf(address), name, address.toString(16));
});

Deno.test("SymbolTable.nameOf finds what encloses a name inside, and prefers functions that others can see", () => {
  const symbols = table(
    "1000 100 T outer\n1010 8 t inner\n1010 8 d object\n1010 A constant\n3000 t b\n3000 T c\n3000 T a\n",
  );
  assertEquals(symbols.nameOf(0x1010n), "inner");
  assertEquals(symbols.nameOf(0x1018n), "outer+0x18");
  assertEquals(symbols.nameOf(0x3000n), "a");
});

Deno.test("SymbolTable.annotate labels addresses but no immediates, and pointerLabel no small numbers", () => {
  const symbols = table("0 T start\n40001000 T main\n");
  assertEquals(symbols.annotate("b 0x40001010"), "b 0x40001010 <main+0x10>");
  assertEquals(symbols.annotate("mov x0, #0x40001000"), "mov x0, #0x40001000");
  assertEquals(symbols.annotate(`v0 0x${"1".repeat(17)}`), `v0 0x${"1".repeat(17)}`);
  assertEquals([symbols.pointerLabel(8n), symbols.label(8n)], ["", " <start+0x8>"]);
  assertEquals(symbols.pointerLabel(0x40001004n), " <main+0x4>");
});

Deno.test("parseSymbols moves every address by the offset, modulo 2^64", () => {
  assertEquals(table("0 T start\n", 0x47f00000n).addressesOf("start"), [0x47f00000n]);
  assertEquals(table("80000 T start\n", -0x80000n).addressesOf("start"), [0n]);
  assertEquals(table("0 T start\n", -0x10n).nameOf(2n ** 64n - 12n), "start+0x4");
});

Deno.test("parseSymbols reads what nm, nm -S and kallsyms print, and passes over what is no address", () => {
  const symbols = table(
    "\nfile.o:\n                 U printf\n                 w weak\n0x10 T a\n00000020 0000000000000004 R b\r\n" +
      "ffff800008000000 t c\t[module]\n30 n debug\n40 t $x\n50 t .L5\n60 t $data\n",
  );
  assertEquals([...symbols.names()].sort(), ["$data", "a", "b", "c"]);
  assertEquals(symbols.addressesOf("c"), [0xffff_8000_0800_0000n]);
});

// deno-fmt-ignore
const BAD_TEXTS: readonly (readonly [text: string, message: string])[] = [
  ["",                           "it has none; if it was stripped"],
  ["                 U f\n",     "it has none"],
  ["10 T a\nhello world\n",      'line 2 is "hello world"'],
  ["10 T\n",                     'line 1 is "10 T"'],
  ["11112222333344445 T a",      "line 1 is"],
  [`10 T ${"x".repeat(50)} y z`, `"10 T ${"x".repeat(35)}…"`],
  ["10 T a\0",                   "neither ELF, nor an arm64 Image, nor text"],
];

Deno.test("parseSymbols names the line of a text that it cannot read", () => {
  for (const [text, message] of BAD_TEXTS) assertThrows(() => table(text), UsageError, message, text);
  assertThrows(() => table("10 T \x1b[31mred\n"), UsageError, "it has none", "no escapes reach a terminal");
});

const program = assembleProgram(
  "start: bl main\n b .\nmain: ret\n.data\nvalue: .quad start\n.bss\n.space 64\nend:",
  {
    base: 0x4008_0000n,
  },
);
const elf = elfExecutable(program);

Deno.test("parseSymbols reads the labels of an ELF executable", () => {
  const found = new Map(parseSymbols(elf, "e").map(({ name, address }) => [name, address]));
  assertEquals(found, program.symbols);
  assertEquals(new SymbolTable(parseSymbols(elf, "e")).nameOf(0x4008_0004n), "start+0x4");
});

/** An ELF file of one symbol table, whose rows are name, type and binding, section, address and size. */
function elfWith(rows: readonly (readonly [string, number, number, bigint, bigint])[], type = 2): Uint8Array {
  const file = elf.slice(), symbols = new ByteWriter(), strings = new ByteWriter();
  symbols.raw(new Uint8Array(24));
  strings.u8(0);
  for (const [name, info, section, address, size] of rows) {
    symbols.u32(strings.length);
    symbols.u8(info);
    symbols.u8(0);
    symbols.u16(section);
    symbols.u64(address);
    symbols.u64(size);
    strings.raw(bytesOf(`${name}\0`));
  }
  const view = new DataView(file.buffer), headers = Number(view.getBigUint64(40, true));
  view.setUint32(headers + 2 * 64 + 4, type, true);
  let at = file.length;
  for (const [index, bytes] of [[2, symbols.bytes()], [3, strings.bytes()]] as const) {
    view.setBigUint64(headers + index * 64 + 24, BigInt(at), true);
    view.setBigUint64(headers + index * 64 + 32, BigInt(bytes.length), true);
    at += bytes.length;
  }
  return Uint8Array.from([...file, ...symbols.bytes(), ...strings.bytes()]);
}

Deno.test("parseSymbols takes functions, objects and labels of symtab and dynsym, and nothing else", () => {
  for (const type of [2, 11]) {
    const symbols = parseSymbols(
      elfWith([
        ["function", 0x12, 1, 0x100n, 0x10n],
        ["object", 0x01, 1, 0x200n, 8n],
        ["label", 0x00, 0xfff1, 0x300n, 0n],
        ["file.c", 0x04, 0xfff1, 0n, 0n],
        ["section", 0x03, 1, 0n, 0n],
        ["tls", 0x16, 1, 0n, 4n],
        ["undefined", 0x12, 0, 0n, 0n],
        ["common", 0x11, 0xfff2, 8n, 8n],
        ["$x", 0x00, 1, 0x100n, 0n],
        ["bad\x07name", 0x02, 1, 0x100n, 0n],
        ["", 0x02, 1, 0x100n, 0n],
        ["l".repeat(600), 0x12, 1, 0x400n, 4n],
      ], type),
      "e",
    );
    assertEquals(symbols.map(({ name, address, size }) => [name, address, size]), [
      ["function", 0x100n, 0x10n],
      ["object", 0x200n, 8n],
      ["label", 0x300n, 0n],
      ["l".repeat(512), 0x400n, 4n],
    ]);
  }
});

const headersAt = Number(new DataView(elf.buffer).getBigUint64(40, true));
// Fields of the file header, and of the headers of sections 2 (symbols) and 3 (strings).
// deno-fmt-ignore
const BAD_FIELDS: readonly (readonly [offset: number, size: number, value: bigint, message: string])[] = [
  [4,                  1, 1n,        "not one of 64-bit little-endian AArch64"],
  [18,                 2, 62n,       "not one of 64-bit little-endian AArch64"],
  [16,                 2, 1n,        "it is an object file"],
  [58,                 2, 40n,       "section headers have 40 bytes each"],
  [40,                 8, 2n ** 63n, "section header table ends past"],
  [40,                 8, 0n,        "it has none; if it was stripped"],
  [60,                 2, 0xffffn,   "section header table ends past"],
  [headersAt + 128 + 24, 8, 2n ** 64n - 1n, "section 2 ends past"],
  [headersAt + 128 + 32, 8, 2n ** 63n, "section 2 ends past"],
  [headersAt + 128 + 40, 4, 99n,     "its section 99 no names"],
  [headersAt + 128 + 40, 4, 1n,      "its section 1 no names"],
  [headersAt + 128 + 56, 8, 0n,      "symbols of its section 2 have 0 bytes each"],
  [headersAt + 192 + 32, 8, 3n,      "the name of symbol 1 ends past its string table"],
];

Deno.test("parseSymbols says what is wrong with an ELF file", () => {
  for (const [offset, size, value, message] of BAD_FIELDS) {
    const bad = elf.slice();
    for (let at = 0; at < size; at++) bad[offset + at] = Number(value >> BigInt(8 * at) & 0xffn);
    assertThrows(() => parseSymbols(bad, "e"), UsageError, message, message);
  }
  const many = elf.slice(), view = new DataView(many.buffer);
  view.setBigUint64(headersAt + 32, 5n, true);
  view.setUint16(60, 0, true);
  assertEquals(parseSymbols(many, "e"), parseSymbols(elf, "e"), "the count may be in the first header");
});

Deno.test(`parseSymbols of ELF files with random damage gives symbols or a UsageError (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const original = elfWith([["f", 0x12, 1, 0x100n, 0x10n], ["g", 0x12, 1, 0x200n, 0x10n]]);
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < 3000; round++) {
    let bytes = original.slice();
    // Half of the damage goes where the structure is.
    const damage = 1 + random(4);
    for (let count = 0; count < damage; count++) {
      const at = random(2) === 0 ? random(64) : headersAt + random(bytes.length - headersAt);
      bytes[at] = random(2) === 0 ? random(256) : [0, 1, 0x7f, 0x80, 0xff][random(5)]!;
    }
    if (random(4) === 0) bytes = bytes.subarray(0, random(bytes.length));
    let symbols: ProgramSymbol[];
    try {
      symbols = parseSymbols(bytes, "e");
    } catch (error) {
      assert(error instanceof UsageError, `seed ${SEED}, round ${round}: ${error}`);
      outcomes.refused++;
      continue;
    }
    outcomes.read++;
    for (const { name, address } of symbols) {
      assert(name.length <= 512 && address >= 0n && address < 2n ** 64n, `seed ${SEED}, round ${round}`);
    }
    new SymbolTable(symbols).nameOf(0x108n);
  }
  assert(outcomes.read > 100 && outcomes.refused > 100, JSON.stringify({ SEED, ...outcomes }));
});
