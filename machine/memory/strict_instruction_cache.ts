/** An instruction cache that is architecture: lines stay as they were fetched until IC drops them. */
import { bytes, listOf, record, u53 } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import { PAGE_SIZE } from "./physical.ts";
import { LINE_SIZE, LINES, packLines, pageOf, unpackLines } from "./strict_cache_page.ts";

interface Page {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** 1 for each line that is there. */
  readonly present: Uint8Array;
}

function emptyPage(): Page {
  const bytes = new Uint8Array(PAGE_SIZE);
  return { bytes, view: new DataView(bytes.buffer), present: new Uint8Array(LINES) };
}

const layout = sectionLayout("strict_icache", 1, {
  pages: listOf(record({ page: u53, present: bytes(LINES), lines: bytes(PAGE_SIZE) }), 2 ** 26),
});

/** The instruction cache of one CPU: unbounded, physically indexed and tagged (CTR_EL0.L1Ip). */
export class InstructionCache {
  #pages = new Map<number, Page>();

  /**
   * The word at a physical address, a multiple of 4. A line that is not there is fetched: `fetchLine` writes its
   * LINE_SIZE bytes, those of the address given.
   */
  word(address: number, fetchLine: (lineAddress: number, into: Uint8Array) => void): number {
    const [number, within] = pageOf(address);
    let page = this.#pages.get(number);
    if (page === undefined) this.#pages.set(number, page = emptyPage());
    const line = Math.floor(within / LINE_SIZE), start = line * LINE_SIZE;
    if (page.present[line] === 0) {
      fetchLine(address - within + start, page.bytes.subarray(start, start + LINE_SIZE));
      page.present[line] = 1;
    }
    return page.view.getUint32(within, true);
  }

  /** The word at a physical address as it is held, or −1; fetches nothing. */
  peek(address: number): number {
    const [number, within] = pageOf(address);
    const page = this.#pages.get(number);
    return page?.present[Math.floor(within / LINE_SIZE)] === 1 ? page.view.getUint32(within, true) : -1;
  }

  /** Drops the line of an address. */
  drop(address: number): void {
    const [number, within] = pageOf(address);
    const page = this.#pages.get(number);
    if (page === undefined) return;
    page.present[Math.floor(within / LINE_SIZE)] = 0;
    if (!page.present.includes(1)) this.#pages.delete(number);
  }

  /** Drops everything. */
  dropAll(): void {
    this.#pages.clear();
  }

  /** Puts bytes into the lines that hold their addresses. */
  patch(address: number, patch: Uint8Array): void {
    for (const [index, byte] of patch.entries()) {
      const [number, within] = pageOf(address + index);
      const page = this.#pages.get(number);
      if (page?.present[Math.floor(within / LINE_SIZE)] === 1) page.bytes[within] = byte;
    }
  }

  /** The section of this name. */
  save(name: string): Section {
    const pages = [...this.#pages].sort(([a], [b]) => a - b).map(([page, { bytes, present }]) => ({
      page,
      present: present.slice(),
      lines: packLines(bytes, (line) => present[line] === 1),
    }));
    return layout.encode(name, { pages });
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    this.#pages.clear();
    for (const { page: number, present, lines } of layout.decode(section).pages) {
      const page = emptyPage();
      page.present.set(present);
      unpackLines(page.bytes, lines, (line) => present[line] === 1);
      this.#pages.set(number, page);
    }
  }
}
