/** Headers of dynamic executables, read back as Linux and the dynamic loader do. That it is loaded: cli/systems/prda_alias. */
import { assertEquals } from "@std/assert";
import { dynamicElf } from "../../firmware/dynamic_elf.ts";
import { assembleProgram } from "../../machine/a64/program.ts";

const BASE = 0x12_0000_0000n, IMPORTS = ["first", "second"];
const PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3;
const DT_NEEDED = 1, DT_STRTAB = 5, DT_SYMTAB = 6, DT_RELA = 7, DT_RELASZ = 8;

const program = assembleProgram(`${dynamicElf("libsome.so.1", IMPORTS)}\n_start: ret\nend:\n`, {
  name: "dynamic",
  base: BASE,
});
const { bytes } = program, view = new DataView(bytes.buffer);
const word = (at: number): number => Number(view.getBigUint64(at, true));
const text = (at: number): string => new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));

/** File offset, address and size of the segment of a type. */
function segment(type: number): readonly [offset: number, address: bigint, size: number] {
  const at = Array.from({ length: view.getUint16(56, true) }, (_, index) => 64 + 56 * index)
    .find((header) => view.getUint32(header, true) === type)!;
  return [word(at + 8), view.getBigUint64(at + 16, true), word(at + 32)];
}

/** The file offset, or value, behind a tag of the dynamic section. */
function dynamic(tag: number, isAddress: boolean): number {
  const [offset, , size] = segment(PT_DYNAMIC);
  for (let at = offset; at < offset + size; at += 16) {
    if (word(at) === tag) return word(at + 8) - (isAddress ? Number(BASE) : 0);
  }
  throw new Error(`no tag ${tag}`);
}

Deno.test("dynamicElf is one segment from the file's beginning, entered at _start", () => {
  assertEquals(bytes.subarray(0, 4).toHex(), "7f454c46");
  assertEquals(segment(PT_LOAD), [0, BASE, bytes.length]);
  assertEquals(view.getBigUint64(24, true), program.symbols.get("_start"));
  assertEquals(text(segment(PT_INTERP)[0]), "/lib/ld-linux-aarch64.so.1");
});

Deno.test("dynamicElf asks for the library, and for each name at its quad", () => {
  const names = dynamic(DT_STRTAB, true), symbols = dynamic(DT_SYMTAB, true);
  assertEquals(text(names + dynamic(DT_NEEDED, false)), "libsome.so.1");
  const relocations = dynamic(DT_RELA, true), count = dynamic(DT_RELASZ, false) / 24;
  const found = Array.from({ length: count }, (_, index) => {
    const at = relocations + 24 * index, info = view.getBigUint64(at + 8, true);
    const name = text(names + view.getUint32(symbols + 24 * Number(info >> 32n), true));
    return [name, view.getBigUint64(at, true), Number(info & 0xffff_ffffn)];
  });
  assertEquals(found, IMPORTS.map((name) => [name, program.symbols.get(`got_${name}`)!, 1025]));
});
