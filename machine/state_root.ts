/** State roots: SHA-256 over named sections, a tree of memory pages and disks, incremental over what is dirty. */
import { ByteWriter } from "./layout.ts";
import { PageTracker } from "./memory/page_tracker.ts";
import { type MemoryRegion, PAGE_SIZE, type PhysicalMemory } from "./memory/physical.ts";
import { equalBytes, HASH_LENGTH, sha256, sha256Into } from "./sha256.ts";
import type { Section } from "./snapshot.ts";

/** Children of one tree node. */
const FAN_OUT = 64;
/** Sections up to this length are kept to compare with, in bytes. */
const KEPT_SECTION = 16384;
/** Bytes of a node's children. */
const SPAN = FAN_OUT * HASH_LENGTH;
const PAGE_WORDS = PAGE_SIZE / 4;

const ZERO_PAGE = sha256(new Uint8Array(PAGE_SIZE));

/** A hash, so many times. */
function repeated(hash: Uint8Array, count: number): Uint8Array {
  const hashes = new Uint8Array(count * HASH_LENGTH);
  hashes.set(hash);
  for (let filled = HASH_LENGTH; filled < hashes.length; filled *= 2) hashes.copyWithin(filled, 0, filled);
  return hashes;
}

const ZERO_PAGES = repeated(ZERO_PAGE, FAN_OUT);

/** Hashes of one region's pages, of groups of 64 pages, and so on up to a single hash. */
class PageTree {
  /** Hashes of the pages of each group that is not all zero pages, or was not once. */
  readonly #groups: (Uint8Array | undefined)[];
  /** Hashes of groups, of groups of those, and so on. */
  readonly #levels: Uint8Array[] = [];
  /** 1 for each page that is not all zero. */
  readonly #nonZero: Uint8Array;
  readonly #firstPage: number;
  readonly #words: Int32Array<ArrayBuffer>;
  /** Pages hashed so far. */
  hashed = 0;

  constructor(private readonly memory: PhysicalMemory, region: MemoryRegion) {
    let count = region.size / PAGE_SIZE;
    this.#firstPage = region.hostOffset / PAGE_SIZE;
    this.#words = new Int32Array(memory.bytes.buffer);
    this.#nonZero = new Uint8Array(count);
    this.#groups = new Array(Math.ceil(count / FAN_OUT)).fill(undefined);
    while (count > 1) {
      const children = count;
      count = Math.ceil(count / FAN_OUT);
      const level = this.#levels.push(new Uint8Array(count * HASH_LENGTH)) - 1;
      // All nodes of zero pages are equal, but for the last, which may have fewer children.
      this.#combine(level, 0);
      const nodes = this.#levels[level] as Uint8Array;
      nodes.set(repeated(nodes.slice(0, HASH_LENGTH), count));
      if (children % FAN_OUT !== 0) this.#combine(level, count - 1);
    }
  }

  /** Recomputes one node from its children. */
  #combine(level: number, node: number): void {
    const children = level === 0 ? this.#group(node) : this.#childrenOf(level, node);
    sha256Into(this.#levels[level] as Uint8Array, node * HASH_LENGTH, children);
  }

  #childrenOf(level: number, node: number): Uint8Array {
    return (this.#levels[level - 1] as Uint8Array).subarray(node * SPAN, (node + 1) * SPAN);
  }

  /** Hashes of a group's pages, of which the last may have fewer than 64. */
  #group(group: number): Uint8Array {
    const pages = Math.min(FAN_OUT, this.#nonZero.length - group * FAN_OUT);
    return (this.#groups[group] ?? ZERO_PAGES).subarray(0, pages * HASH_LENGTH);
  }

  #isZero(hostPage: number): boolean {
    const first = hostPage * PAGE_WORDS;
    for (let at = first; at < first + PAGE_WORDS; at++) if (this.#words[at] !== 0) return false;
    return true;
  }

  /** Takes in what a page holds now; false when it is zero and was. */
  #hashPage(page: number): boolean {
    const hostPage = this.#firstPage + page, at = (page % FAN_OUT) * HASH_LENGTH;
    const isZero = this.#isZero(hostPage);
    if (isZero && this.#nonZero[page] === 0) return false;
    const hashes = this.#groups[Math.floor(page / FAN_OUT)] ??= ZERO_PAGES.slice();
    this.#nonZero[page] = isZero ? 0 : 1;
    if (isZero) hashes.set(ZERO_PAGE, at);
    else {
      const start = hostPage * PAGE_SIZE;
      sha256Into(hashes, at, this.memory.bytes.subarray(start, start + PAGE_SIZE));
      this.hashed++;
    }
    return true;
  }

  /** Hashes those of the pages changed (by host page number) that are its own; the hash of the whole region. */
  root(changed: readonly number[]): Uint8Array {
    let touched = new Set<number>();
    for (const hostPage of changed) {
      const page = hostPage - this.#firstPage;
      if (page < 0 || page >= this.#nonZero.length) continue;
      if (this.#hashPage(page)) touched.add(Math.floor(page / FAN_OUT));
    }
    for (let level = 0; level < this.#levels.length; level++) {
      const parents = new Set<number>();
      for (const node of touched) {
        this.#combine(level, node);
        parents.add(Math.floor(node / FAN_OUT));
      }
      touched = parents;
    }
    return (this.#levels.at(-1) ?? this.#group(0)).slice(0, HASH_LENGTH);
  }
}

/** Named hashes that make up a state root, so that a difference can be told by section. */
export interface StateRoot {
  /** SHA-256 over the parts, in order. */
  readonly root: Uint8Array;
  /** Hash of each section, memory region and disk by name. */
  readonly parts: readonly { readonly name: string; readonly hash: Uint8Array }[];
}

/** Computes state roots of one machine; keeps page hashes between calls. */
export class StateRootTree {
  readonly #trees: { readonly region: MemoryRegion; readonly tree: PageTree }[];
  /** Sections by name as they were at the last root. */
  readonly #sections = new Map<string, { readonly bytes: Uint8Array; readonly hash: Uint8Array }>();

  /** Must be made before any byte of memory is written, when all pages are zero; `pages` tells what changes then. */
  constructor(memory: PhysicalMemory, private readonly pages: PageTracker = new PageTracker(memory)) {
    this.#trees = memory.regions.map((region) => ({ region, tree: new PageTree(memory, region) }));
  }

  /** Pages of memory hashed so far. */
  get pagesHashed(): number {
    return this.#trees.reduce((sum, { tree }) => sum + tree.hashed, 0);
  }

  /** The hash of a section; most are as they were at the root before. */
  #hashOf({ name, bytes }: Section): Uint8Array {
    const before = this.#sections.get(name);
    if (before !== undefined && equalBytes(before.bytes, bytes)) return before.hash;
    const hash = sha256(bytes);
    if (bytes.length <= KEPT_SECTION) this.#sections.set(name, { bytes, hash });
    return hash;
  }

  /** The root of the given sections, of memory as it is now, and of what was written to disks. */
  compute(
    sections: readonly Section[],
    disks: ReadonlyMap<string, { root(): Uint8Array }> = new Map(),
  ): StateRoot {
    const changed = this.pages.takeUnhashed();
    const parts = [
      ...sections.map((section) => ({ ...section, hash: this.#hashOf(section) })),
      ...this.#trees.map(({ region, tree }) => ({
        name: `memory:${region.name}`,
        version: 1,
        hash: tree.root(changed),
      })),
      ...[...disks].map(([name, disk]) => ({ name: `disk:${name}`, version: 1, hash: disk.root() })),
    ];
    const writer = new ByteWriter();
    const encoder = new TextEncoder();
    for (const { name, version, hash } of parts) {
      const encoded = encoder.encode(name);
      writer.u32(encoded.length);
      writer.raw(encoded);
      writer.u32(version);
      writer.raw(hash);
    }
    return { root: sha256(writer.view()), parts: parts.map(({ name, hash }) => ({ name, hash })) };
  }
}
