/** State roots: they depend on every byte of memory and of every section, and are the same however they came about. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { physicalAddress } from "../../machine/address.ts";
import { PhysicalMemory } from "../../machine/memory/physical.ts";
import { StateRootTree } from "../../machine/state_root.ts";

const SIZE = 1 << 20;

function make() {
  const memory = new PhysicalMemory(0, SIZE);
  memory.addRegion("ram", physicalAddress(0x40000000), SIZE);
  return { memory, tree: new StateRootTree(memory) };
}

const section = { name: "one", version: 1, bytes: new Uint8Array([1, 2, 3]) };

Deno.test("StateRootTree gives an incremental root equal to a fresh one", () => {
  const one = make(), other = make();
  const write = (memory: PhysicalMemory, at: number, byte: number) =>
    memory.writeBytes(physicalAddress(0x40000000 + at), new Uint8Array([byte]));
  write(one.memory, 5, 9);
  one.tree.compute([section]);
  write(one.memory, SIZE - 1, 7);
  one.tree.compute([section]);
  write(one.memory, 5, 1);
  write(other.memory, SIZE - 1, 7);
  write(other.memory, 5, 1);
  assertEquals(one.tree.compute([section]), other.tree.compute([section]));
});

Deno.test("StateRootTree's root changes with any byte of memory and heals with it", () => {
  const { memory, tree } = make();
  const before = tree.compute([section]);
  for (const at of [0, 4095, 4096, SIZE - 1]) {
    memory.writeBytes(physicalAddress(0x40000000 + at), new Uint8Array([1]));
    assertNotEquals(tree.compute([section]).root, before.root);
    memory.writeBytes(physicalAddress(0x40000000 + at), new Uint8Array([0]));
    assertEquals(tree.compute([section]), before);
  }
});

Deno.test("StateRootTree's root changes with a section's name, version, bytes and order", () => {
  const { tree } = make();
  const second = { ...section, name: "two" };
  const variants = [
    [section, second],
    [second, section],
    [section, { ...second, version: 2 }],
    [section, { ...second, bytes: new Uint8Array([1, 2, 4]) }],
    [section],
  ];
  const roots = variants.map((sections) => tree.compute(sections).root.toHex());
  assertEquals(new Set(roots).size, variants.length);
});
