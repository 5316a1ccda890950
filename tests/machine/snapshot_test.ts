/** Snapshot sections: checked on the way out and on the way in. */
import { assertEquals, assertThrows } from "@std/assert";
import { MachineInvariantError } from "../../machine/errors.ts";
import { u32, u8 } from "../../machine/layout.ts";
import { sectionLayout } from "../../machine/snapshot.ts";

const layout = sectionLayout("thing", 3, { level: u8, count: u32 });

Deno.test("sectionLayout encodes and decodes a state under its name and version", () => {
  const section = layout.encode("thing0", { level: 1, count: 70000 });
  assertEquals(section, { name: "thing0", version: 3, bytes: new Uint8Array([1, 0x70, 0x11, 1, 0]) });
  assertEquals(layout.decode(section), { level: 1, count: 70000 });
});

Deno.test("sectionLayout refuses to encode a state outside its schema", () => {
  assertThrows(() => layout.encode("thing0", { level: 256, count: 0 }), MachineInvariantError, "thing0");
});

Deno.test("sectionLayout refuses another version, missing bytes and bytes too many", () => {
  const section = layout.encode("thing0", { level: 1, count: 2 });
  assertThrows(() => layout.decode({ ...section, version: 2 }), RangeError, "version 2");
  assertThrows(() => layout.decode({ ...section, bytes: section.bytes.subarray(1) }), RangeError);
  assertThrows(
    () => layout.decode({ ...section, bytes: new Uint8Array([...section.bytes, 0]) }),
    RangeError,
    "1 bytes too many",
  );
});
