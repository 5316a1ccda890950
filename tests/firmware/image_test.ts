/** The header of a Linux image, field by field. Whether loaders take it: tests/oracle/firmware_oracle.ts. */
import { assertEquals } from "@std/assert";
import { imageHeader } from "../../firmware/image.ts";
import { disassemble } from "../../machine/a64/assembly.ts";
import { asm, label, program } from "../../machine/a64/program_parts.ts";

Deno.test("imageHeader is 64 bytes: branch to the entry, text offset, size, flags, magic number", () => {
  const entry = label("entry"), end = label("end");
  const { bytes, base } = program([
    imageHeader({ entry, size: end, textOffset: 0x80000 }),
    asm`nop`,
    entry,
    asm`b .`,
    end,
  ], { base: 0x40080000n });
  const view = new DataView(bytes.buffer);
  assertEquals(bytes.length, 64 + 8);
  assertEquals(disassemble(view.getUint32(0, true), base), "b 0x40080044");
  assertEquals(view.getBigUint64(8, true), 0x80000n);
  assertEquals(view.getBigUint64(16, true), 72n);
  assertEquals(view.getBigUint64(24, true), 10n);
  assertEquals(new TextDecoder().decode(bytes.subarray(56, 60)), "ARM\x64");
});
