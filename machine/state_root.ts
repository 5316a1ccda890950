/** State roots: SHA-256 over named sections, a tree of memory pages and disks, incremental over what is dirty. */
import { createHash } from "node:crypto";
import { ByteWriter } from "./layout.ts";
import { type MemoryRegion, PAGE_SIZE, type PhysicalMemory } from "./memory/physical.ts";
import type { Section } from "./snapshot.ts";

const HASH_SIZE = 32;
/** Children of one tree node. */
const FAN_OUT = 64;

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

const ZERO_PAGE = sha256(new Uint8Array(PAGE_SIZE));

/** A hash, so many times. */
function repeated(hash: Uint8Array, count: number): Uint8Array {
  const hashes = new Uint8Array(count * HASH_SIZE);
  hashes.set(hash);
  for (let filled = HASH_SIZE; filled < hashes.length; filled *= 2) hashes.copyWithin(filled, 0, filled);
  return hashes;
}

/** Hashes of one region's pages, of groups of 64 pages, and so on up to a single hash. */
class PageTree {
  readonly #levels: Uint8Array[] = [];
  /** 1 for each page that is not all zero. */
  readonly #nonZero: Uint8Array;

  constructor(private readonly memory: PhysicalMemory, private readonly region: MemoryRegion) {
    let count = region.size / PAGE_SIZE;
    this.#nonZero = new Uint8Array(count);
    this.#levels.push(repeated(ZERO_PAGE, count));
    while (count > 1) {
      const children = count;
      count = Math.ceil(count / FAN_OUT);
      const level = this.#levels.push(new Uint8Array(count * HASH_SIZE)) - 1;
      // All nodes of zero pages are equal, but for the last, which may have fewer children.
      this.#combine(level, 0);
      const nodes = this.#levels[level] as Uint8Array;
      nodes.set(repeated(nodes.slice(0, HASH_SIZE), count));
      if (children % FAN_OUT !== 0) this.#combine(level, count - 1);
    }
  }

  /** Recomputes one node from its children. */
  #combine(level: number, node: number): void {
    const children = this.#levels[level - 1] as Uint8Array;
    const span = FAN_OUT * HASH_SIZE;
    const hash = sha256(children.subarray(node * span, (node + 1) * span));
    (this.#levels[level] as Uint8Array).set(hash, node * HASH_SIZE);
  }

  /** Host page numbers of the pages that were not all zero when the root was last computed. */
  *nonZeroPages(): Generator<number> {
    const firstPage = this.region.hostOffset / PAGE_SIZE;
    for (let page = this.#nonZero.indexOf(1); page >= 0; page = this.#nonZero.indexOf(1, page + 1)) {
      yield firstPage + page;
    }
  }

  /** Hashes dirty pages, clears their marks, and returns the hash of the whole region. */
  root(): Uint8Array {
    const { bytes } = this.memory;
    const firstPage = this.region.hostOffset / PAGE_SIZE;
    let touched = new Set<number>();
    for (const hostPage of this.memory.clearDirty(firstPage, this.region.size / PAGE_SIZE)) {
      const page = hostPage - firstPage;
      const hash = sha256(bytes.subarray(hostPage * PAGE_SIZE, (hostPage + 1) * PAGE_SIZE));
      (this.#levels[0] as Uint8Array).set(hash, page * HASH_SIZE);
      this.#nonZero[page] = ZERO_PAGE.every((byte, index) => byte === hash[index]) ? 0 : 1;
      touched.add(Math.floor(page / FAN_OUT));
    }
    for (let level = 1; level < this.#levels.length; level++) {
      const parents = new Set<number>();
      for (const node of touched) {
        this.#combine(level, node);
        parents.add(Math.floor(node / FAN_OUT));
      }
      touched = parents;
    }
    return (this.#levels[this.#levels.length - 1] as Uint8Array).slice(0, HASH_SIZE);
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

  /** Must be made before any byte of memory is written, when all pages are zero. */
  constructor(memory: PhysicalMemory) {
    this.#trees = memory.regions.map((region) => ({ region, tree: new PageTree(memory, region) }));
  }

  /** Host page numbers of all pages that were not all zero when the root was last computed. */
  *nonZeroPages(): Generator<number> {
    for (const { tree } of this.#trees) yield* tree.nonZeroPages();
  }

  /** The root of the given sections, of memory as it is now, and of what was written to disks. */
  compute(
    sections: readonly Section[],
    disks: ReadonlyMap<string, { root(): Uint8Array }> = new Map(),
  ): StateRoot {
    const parts = [
      ...sections.map(({ name, version, bytes }) => ({ name, version, hash: sha256(bytes) })),
      ...this.#trees.map(({ region, tree }) => ({
        name: `memory:${region.name}`,
        version: 1,
        hash: tree.root(),
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
