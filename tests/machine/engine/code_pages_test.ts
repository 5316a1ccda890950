/** What a page of records keeps, and when it forgets. */
import { assertEquals } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { CodePages, HANDLER, RECORD, RECORD_SIZE } from "../../../machine/engine/code_pages.ts";
import { RecordImage } from "../../../machine/engine/record_image.ts";
import { PAGE_CODE, PhysicalMemory } from "../../../machine/memory/physical.ts";

const RAM = physicalAddress(0x4000_0000), SIZE = 1 << 16;
const IMAGE = new RecordImage();
IMAGE.set({ registers: [8, 16], wide: [1n, 2n], narrow: 3, target: undefined }, 0n);
const SHAPED = HANDLER.first;

function pagesOfMemory() {
  const memory = new PhysicalMemory(0, SIZE);
  memory.addRegion("ram", RAM, SIZE);
  const pages = new CodePages(memory);
  memory.codeObserver = {
    written: (offset, size) => pages.written(offset, size),
    dropped: () => pages.drop(),
    breakpointChanged: (address) => pages.forgetInstruction(address),
  };
  const handlerOf = (record: number) => memory.view.getUint16(record + RECORD.handler, true);
  return { memory, pages, handlerOf };
}

Deno.test("CodePages.open gives one page for each pair of host page and virtual address", () => {
  const { pages } = pagesOfMemory();
  const page = pages.open(0x1000, 0x8000n);
  assertEquals(pages.open(0x1000, 0x8000n), page);
  const other = pages.open(0x1000, 0x9000n);
  assertEquals([page?.base === other?.base, other?.address], [false, 0x9000n]);
  const record = (other?.base ?? 0) + 5 * RECORD_SIZE;
  assertEquals([pages.addressOf(record), pages.hostOffsetOf(record)], [0x9014n, 0x1014]);
});

Deno.test("CodePages.written undoes the records of the words written, at every virtual address, and no others", () => {
  const { memory, pages, handlerOf } = pagesOfMemory();
  const bases = [0x8000n, 0x9000n].map((address) => pages.open(0x1000, address)?.base ?? 0);
  for (const base of bases) {
    for (let word = 0; word < 8; word++) pages.write(base + word * RECORD_SIZE, SHAPED, IMAGE);
  }
  assertEquals(memory.pageFlags[1], PAGE_CODE);
  memory.writeBytes(physicalAddress(RAM + 0x1000 + 10), new Uint8Array(4));
  for (const base of bases) {
    const handlers = Array.from({ length: 8 }, (_, word) => handlerOf(base + word * RECORD_SIZE));
    assertEquals(handlers, [0, 1, 2, 3, 4, 5, 6, 7].map((word) => word === 2 || word === 3 ? 0 : SHAPED));
  }
});

Deno.test("CodePages.written takes the mark from a page that is written again and again, until it is executed", () => {
  const { memory, pages, handlerOf } = pagesOfMemory();
  const base = pages.open(0x1000, 0x8000n)?.base ?? 0;
  pages.write(base, SHAPED, IMAGE);
  for (let count = 0; count < 100; count++) {
    memory.writeBytes(physicalAddress(RAM + 0x1800), new Uint8Array([count]));
  }
  assertEquals([(memory.pageFlags[1] ?? 0) & PAGE_CODE, handlerOf(base)], [0, HANDLER.undecoded]);
  pages.write(base, SHAPED, IMAGE);
  memory.writeBytes(RAM, new Uint8Array(0x2000));
  assertEquals(handlerOf(base), HANDLER.undecoded);
});

Deno.test("CodePages.drop forgets all records", () => {
  const { memory, pages, handlerOf } = pagesOfMemory();
  const base = pages.open(0x1000, 0x8000n)?.base ?? 0;
  pages.write(base, SHAPED, IMAGE);
  pages.drop();
  assertEquals([handlerOf(base), memory.pageFlags[1]], [0, 0]);
  assertEquals(pages.open(0x2000, 0x7000n)?.base, base);
});

Deno.test("CodePages.forgetInstruction forgets one instruction wherever it is seen at its address", () => {
  const { memory, pages, handlerOf } = pagesOfMemory();
  const high = pages.open(0, 0xffff_8000_0000_1000n), other = pages.open(4096, 0x2000n);
  const records = [high, other].map((page) => (page as { base: number }).base + 2 * RECORD_SIZE);
  for (const record of records) {
    for (const at of [record, record + RECORD_SIZE]) pages.write(at, SHAPED);
  }
  memory.codeObserver?.breakpointChanged(0xff_8000_0000_1008n);
  const [first = 0, second = 0] = records;
  assertEquals([first, first + RECORD_SIZE, second].map(handlerOf), [HANDLER.undecoded, SHAPED, SHAPED]);
});
