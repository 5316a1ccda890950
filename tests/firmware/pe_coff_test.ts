/** The header of a UEFI application, field by field. */
import { assertEquals, assertThrows } from "@std/assert";
import { PE_COFF_ALIGNMENT, peCoffHeader } from "../../firmware/pe_coff.ts";
import { asm, label, program } from "../../machine/a64/program_parts.ts";

const efiEntry = label("efi"), rawEntry = label("raw");

Deno.test("peCoffHeader makes a header whose fields are where the specification has them", () => {
  const { bytes, symbols } = program([
    peCoffHeader({ efiEntry, rawEntry, size: 3 * PE_COFF_ALIGNMENT }),
    asm`nop`,
    efiEntry,
    asm`nop`,
    rawEntry,
    asm`nop`,
  ]);
  const view = new DataView(bytes.buffer);
  const u16 = (at: number) => view.getUint16(at, true), u32 = (at: number) => view.getUint32(at, true);
  assertEquals([u16(0), u32(0x3c), u32(0x40)], [0x5a4d, 0x40, 0x4550]);
  assertEquals([u16(0x44), u16(0x46), u16(0x54), u16(0x58)], [0xaa64, 1, 160, 0x20b]);
  const optional = 0x58;
  assertEquals(u32(optional + 16), Number(symbols.get("efi")));
  assertEquals([u32(optional + 32), u32(optional + 36)], [PE_COFF_ALIGNMENT, PE_COFF_ALIGNMENT]);
  assertEquals([u32(optional + 56), u32(optional + 60)], [3 * PE_COFF_ALIGNMENT, PE_COFF_ALIGNMENT]);
  assertEquals([u16(optional + 68), u32(optional + 108)], [10, 6]);
  const section = optional + 160;
  assertEquals(new TextDecoder().decode(bytes.slice(section, section + 5)), ".text");
  assertEquals(
    [u32(section + 8), u32(section + 12), u32(section + 16), u32(section + 20)],
    [2, 1, 2, 1].map((pages) => pages * PE_COFF_ALIGNMENT),
  );
  assertEquals(u32(4) & 0x3ffffff, (Number(symbols.get("raw")) - 4) / 4); // a branch
});

Deno.test("peCoffHeader refuses a size that is not pages", () => {
  for (const size of [0, PE_COFF_ALIGNMENT, PE_COFF_ALIGNMENT + 1]) {
    assertThrows(() => peCoffHeader({ efiEntry, rawEntry, size }), RangeError, `${size} bytes`);
  }
});
