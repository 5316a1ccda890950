/** The bytes of an executable, read back field by field. Whether loaders take it: tests/oracle/firmware_oracle.ts. */
import { assertEquals } from "@std/assert";
import { elfExecutable } from "../../firmware/elf.ts";
import { assembleProgram } from "../../machine/a64/program.ts";

const program = assembleProgram("nop\n_start: b .\n.data\nd: .quad d\n.bss\n.space 0x20000\nz:", {
  base: 0x40_1004n,
});
const file = elfExecutable(program), view = new DataView(file.buffer);
const u64 = (at: number): bigint => view.getBigUint64(at, true);

Deno.test("elfExecutable writes a static little-endian AArch64 executable with the program's entry", () => {
  assertEquals([...file.subarray(0, 7)], [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  assertEquals([view.getUint16(16, true), view.getUint16(18, true), u64(24)], [2, 183, 0x40_1008n]);
});

Deno.test("elfExecutable has one segment: bytes at their addresses, .bss behind them, offset congruent to address", () => {
  assertEquals(view.getUint16(56, true), 1);
  const at = Number(u64(32)), offset = Number(u64(at + 8));
  assertEquals([view.getUint32(at, true), view.getUint32(at + 4, true)], [1, 7]);
  assertEquals([u64(at + 16), u64(at + 24)], [0x40_1004n, 0x40_1004n]);
  assertEquals([u64(at + 32), u64(at + 40)], [BigInt(program.bytes.length), BigInt(program.size)]);
  assertEquals(file.subarray(offset, offset + program.bytes.length), program.bytes);
  assertEquals((BigInt(offset) - program.base) % u64(at + 48), 0n);
});

Deno.test("elfExecutable lists the program's labels with their addresses", () => {
  const headers = Number(u64(40)), symbolHeader = headers + 2 * 64, stringHeader = headers + 3 * 64;
  const symbols = Number(u64(symbolHeader + 24)), count = Number(u64(symbolHeader + 32)) / 24;
  const strings = file.subarray(Number(u64(stringHeader + 24)));
  const found = new Map<string, bigint>();
  for (let index = 1; index < count; index++) {
    const at = symbols + 24 * index, name = strings.subarray(view.getUint32(at, true));
    found.set(new TextDecoder().decode(name.subarray(0, name.indexOf(0))), u64(at + 8));
  }
  assertEquals(found, program.symbols);
});
