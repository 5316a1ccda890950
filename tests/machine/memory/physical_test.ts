/** Marks of pages of physical memory, and the hook that is told of them. */
import { assertEquals } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import {
  PAGE_CODE,
  PAGE_DIRTY,
  PAGE_SIZE,
  PAGE_WALKED,
  PhysicalMemory,
} from "../../../machine/memory/physical.ts";

/** Four pages of memory, and what its hook was told. */
function memoryWithHook(): { memory: PhysicalMemory; told: (readonly [first: number, count: number])[] } {
  const memory = new PhysicalMemory(PAGE_SIZE, 4 * PAGE_SIZE);
  memory.addRegion("ram", physicalAddress(0x4000_0000), 4 * PAGE_SIZE);
  const told: (readonly [number, number])[] = [];
  memory.marksChanged = (first, count) => told.push([first, count]);
  return { memory, told };
}

Deno.test("PhysicalMemory.mark tells the hook of pages that get a mark they had not", () => {
  const { memory, told } = memoryWithHook();
  memory.mark(2, PAGE_CODE);
  memory.mark(2, PAGE_CODE);
  memory.mark(2, PAGE_WALKED | PAGE_CODE);
  assertEquals([memory.pageFlags[2], told], [PAGE_CODE | PAGE_WALKED, [[2, 1], [2, 1]]]);
  memory.unmark(2, PAGE_CODE);
  assertEquals([memory.pageFlags[2], told.length], [PAGE_WALKED, 2]);
});

Deno.test("PhysicalMemory.clearDirty returns the pages that were dirty and leaves other marks", () => {
  const { memory, told } = memoryWithHook();
  memory.writeBytes(physicalAddress(0x4000_0ffc), new Uint8Array(8));
  memory.mark(2, PAGE_CODE);
  told.length = 0;
  assertEquals(memory.clearDirty(1, 4), [1, 2]);
  assertEquals([...memory.pageFlags.subarray(0, 6)], [0, 0, PAGE_CODE, 0, 0, 0]);
  assertEquals(told, [[1, 4]]);
  assertEquals([memory.clearDirty(1, 4), told.length], [[], 1]);
  memory.writeBytes(physicalAddress(0x4000_0000), new Uint8Array(1));
  assertEquals([memory.pageFlags[1], memory.clearDirty(2, 3)], [PAGE_DIRTY, []]);
});
