/** Tests of the names that gdb is given as an ELF file. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { symbolElf } from "../../../cli/gdb/symbol_elf.ts";
import { parseSymbols } from "../../../cli/symbol_file.ts";
import { ECHO, hindsight, record, TestFolder } from "../support.ts";

const NAMES = [
  { name: "start", address: 0xffff_8000_0800_0000n },
  { name: "größe", address: 0x40n },
  { name: "start_again", address: 0xffff_8000_0800_0000n },
];

Deno.test("symbolElf writes names that are read back", () => {
  const read = parseSymbols(symbolElf(NAMES), "elf").map(({ name, address }) => ({ name, address }));
  assertEquals(read, NAMES);
});

Deno.test("gdb --elf writes the names of --symbols, and needs them", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "a.hindsight", ECHO), elf = folder.path("names.elf");
  const map = folder.write("System.map", "0000000000000040 T one\n0000000040000000 D two\n");
  const { code, err } = await hindsight(["gdb", run, "--stdio", "--symbols", map, "--elf", elf]);
  assertEquals(code, 0, err);
  assertEquals(parseSymbols(Deno.readFileSync(elf), "elf").map(({ name }) => name), ["one", "two"]);
  const without = await hindsight(["gdb", run, "--stdio", "--elf", elf]);
  assertEquals(without.code, 2);
  assertStringIncludes(without.err, "--symbols");
});
