/** Register maps: what follows from the table. */
import { assertEquals, assertThrows } from "@std/assert";
import { constants, registerMap } from "../../../machine/devices/register_map.ts";
import { by } from "./support.ts";

interface Toy {
  readonly log: string[];
}

// deno-fmt-ignore
const map = registerMap<Toy>()([
  [0x00, "HELD",    "RW", 12, 0x123],
  [0x04, "STATUS",  "RO",  8, 0x0ff],
  [0x08, "COMMAND", "WO", 16, 0x000, { write: ({ log }, value, { lanes }) => log.push(`${value.toString(16)}/${lanes.toString(16)}`) }],
  [0x0c, "WATCHED", "RW",  8, 0x000, { written: ({ log }, previous) => log.push(`was ${previous}`) }],
  [0x10, "ARRAY",   "RW", 32, 0x000, { read: (_, { index, cpu, secure }) => index * 100 + cpu * 10 + (secure ? 1 : 0) }, 3],
  [0x20, "ID",      "RO",  8, 0x011, constants([0x11, 0x22])],
]);

const toy: Toy = { log: [] };

Deno.test("RegisterMap holds registers with neither a read of their own nor write-only access", () => {
  assertEquals(map.reset(), { HELD: 0x123, STATUS: 0xff, WATCHED: 0 });
  assertEquals(Object.keys(map.fields), ["HELD", "STATUS", "WATCHED"]);
});

Deno.test("RegisterMap reads and writes by lanes, within the register's width", () => {
  const held = map.reset();
  map.write(toy, held, 0x00, 4, 0xffff_f456, by(0));
  assertEquals(held.HELD, 0x456);
  map.write(toy, held, 0x01, 1, 0xf9, by(0));
  assertEquals(held.HELD, 0x956);
  const parts = [
    map.read(toy, held, 0x00, 1, by(0)),
    map.read(toy, held, 0x01, 1, by(0)),
    map.read(toy, held, 0x02, 2, by(0)),
  ];
  assertEquals(parts, [0x56, 0x09, 0]);
});

Deno.test("RegisterMap ignores writes to read-only registers and reads write-only ones as zero", () => {
  const held = map.reset();
  map.write(toy, held, 0x04, 4, 0, by(0));
  assertEquals([held.STATUS, map.read(toy, held, 0x08, 4, by(0))], [0xff, 0]);
});

Deno.test("RegisterMap reads zero and ignores writes where there is no register", () => {
  const held = map.reset();
  map.write(toy, held, 0x800, 4, 5, by(0));
  assertEquals([map.read(toy, held, 0x800, 4, by(0)), held], [0, map.reset()]);
});

Deno.test("RegisterMap hands behaviours the value, lanes, index, CPU and security of the access", () => {
  const held = map.reset();
  const log: string[] = [];
  map.write({ log }, held, 0x09, 1, 0xab, by(0));
  map.write({ log }, held, 0x0c, 4, 7, by(0));
  map.write({ log }, held, 0x0c, 4, 8, by(0));
  assertEquals(log, ["ab00/ff00", "was 0", "was 7"]);
  assertEquals(map.read(toy, held, 0x18, 4, by(3, true)), 231);
  assertEquals(map.read(toy, held, 0x20, 4, by(0)), 0x11);
});

Deno.test("RegisterMap refuses registers at one offset", () => {
  assertThrows(() => registerMap<Toy>()([[0, "A", "RW", 8, 0], [2, "B", "RW", 8, 0]]), RangeError, "B");
});
