/** MSI-X: messages, masks, pending bits, and what bus mastering has to do with them. */
import { assertEquals } from "@std/assert";
import { build, COMMAND_ALL, DOORBELL, HEADER, RAM, WINDOW } from "./support.ts";

const CONTROL = 0x42;
const ENABLE = 0x8000;
const MASK_ALL = 0x4000;
const PENDING = 0x800;

function ready(control = ENABLE) {
  const built = build();
  const { config, low } = built;
  config.write(HEADER.bar + 4, WINDOW);
  config.write(HEADER.command, COMMAND_ALL);
  config.write(CONTROL, control, 2);
  for (let vector = 0; vector < 3; vector++) {
    low.write(vector * 16, DOORBELL);
    low.write(vector * 16 + 4, 0);
    low.write(vector * 16 + 8, 80 + vector);
    low.write(vector * 16 + 12, 0);
  }
  return built;
}

Deno.test("Msix's vectors are masked at reset and hold what is written", () => {
  const { config, low } = build();
  config.write(HEADER.bar + 4, WINDOW);
  config.write(HEADER.command, COMMAND_ALL);
  assertEquals([0, 4, 8, 12].map((offset) => low.read(offset)), [0, 0, 0, 1]);
  low.write(16, 0x1234_5678);
  low.write(22, 0xabcd, 2);
  assertEquals([low.read(16), low.read(20), low.read(19, 1)], [0x1234_5678, 0xabcd_0000, 0x12]);
});

Deno.test("PciFunction.signal sends the vector's message from its slot", () => {
  const { card, received, seen } = ready();
  card.signal(1);
  assertEquals(received, [[81, 1 << 3]]);
  assertEquals(seen.filter(({ kind }) => kind === "messageSignalled").length, 1);
});

Deno.test("PciFunction.signal does nothing while MSI-X is off, or for a vector that there is not", () => {
  const { card, received, low } = ready(0);
  card.signal(0);
  assertEquals([received, low.read(PENDING)], [[], 0]);
  const on = ready();
  on.card.signal(3);
  on.card.signal(-1);
  assertEquals(on.received, []);
});

Deno.test("Msix keeps a masked vector pending until it is unmasked", () => {
  const { card, received, low } = ready();
  low.write(12, 1);
  card.signal(0);
  card.signal(0);
  assertEquals([received, low.read(PENDING)], [[], 1]);
  low.write(PENDING, 0);
  assertEquals(low.read(PENDING), 1, "read-only");
  low.write(12, 0);
  assertEquals([received, low.read(PENDING)], [[[80, 8]], 0]);
});

Deno.test("Msix keeps every vector pending under the function's mask", () => {
  const { card, received, low, config } = ready(ENABLE | MASK_ALL);
  card.signal(0);
  card.signal(2);
  assertEquals([received, low.read(PENDING)], [[], 5]);
  config.write(CONTROL, ENABLE, 2);
  assertEquals([received, low.read(PENDING)], [[[80, 8], [82, 8]], 0]);
});

Deno.test("Msix loses messages while the function is no bus master", () => {
  const { card, received, config } = ready();
  config.write(HEADER.command, 2);
  card.signal(0);
  assertEquals(received, []);
});

Deno.test("Msix writes a message to memory when its address is there, and nowhere otherwise", () => {
  const { card, memory, low, received } = ready();
  low.write(0, RAM + 0x100);
  card.signal(0);
  assertEquals([...memory.bytes.slice(0x100, 0x104)], [80, 0, 0, 0]);
  low.write(4, 0xffff_ffff);
  card.signal(0);
  assertEquals(received, []);
});

Deno.test("PciFunction.usesMsix follows the capability", () => {
  const { card, config } = build();
  assertEquals(card.usesMsix, false);
  config.write(CONTROL, ENABLE, 2);
  assertEquals(card.usesMsix, true);
});
