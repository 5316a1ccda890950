/** A TLB that is architecture: translations stay until maintenance drops them, whatever becomes of the tables. */
import { type FieldKind, flag, listOf, record, text, u32, u53, u8 } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Leaf } from "./table_walk.ts";
import type { Regime } from "./translation_controls.ts";

/** Whose translations a set of entries holds. */
export interface TlbTag {
  /** 1 for virtual addresses, with stage 2 combined; 2 for intermediate physical addresses. */
  readonly stage: 1 | 2;
  /** Translation regime; EL1&0 for stage 2. */
  readonly regime: Regime;
  /** Security state of the regime. */
  readonly secure: boolean;
  /** VMID, or −1 where EL2 is not enabled. */
  readonly vmid: number;
  /** ASID, or −1 for entries of every ASID: global ones, and all of regimes without ASIDs. */
  readonly asid: number;
}

/** One translation. */
export interface TlbEntry {
  /** Distinguishes an entry from a fault. */
  readonly faulted: false;
  /** First address that it translates: a virtual one as `canonical` has it, or an intermediate physical one. */
  readonly base: number;
  /** Log2 of the bytes that it translates, 12–42. */
  readonly sizeLog2: number;
  /** The leaf of the stage that the entry belongs to, with the output address of `base`. */
  readonly leaf: Leaf;
  /** The attribute that MAIR_ELx gave the leaf when it was entered; 0 for stage 2. */
  readonly attribute: number;
  /** The leaf of stage 2 for the output of `leaf`, where both stages were on. */
  readonly stage2: Leaf | undefined;
}

/** Entries with one tag, by `keyOf`. */
interface EntrySet {
  readonly tag: TlbTag;
  readonly entries: Map<number, TlbEntry>;
  /** Sizes that entries have had, smallest first: the smallest entry is the one used. */
  readonly sizes: number[];
}

/** Addresses whose bit 55 is set, where a regime has two ranges. */
const UPPER = 2 ** 48;

/** A virtual address as a number: bits 47–0, and 2^48 for the upper of two ranges. */
export function canonical(high: number, low: number, hasTwoRanges: boolean): number {
  const upper = hasTwoRanges && (high & 0x0080_0000) !== 0 ? UPPER : 0;
  return (high & 0xffff) * 0x1_0000_0000 + low + upper;
}

function keyOf(base: number, sizeLog2: number): number {
  return Math.floor(base / 4096) * 64 + sizeLog2;
}

/** Log2 of the bytes that a leaf at a level describes. */
export function leafSizeLog2({ level }: Leaf, granule: number): number {
  return (3 - level) * (granule - 3) + granule;
}

/** A leaf's entry around an input address; both leaves have the output of that address. */
export function entryAround(
  address: number,
  sizeLog2: number,
  leaf: Leaf,
  attribute: number,
  stage2: Leaf | undefined,
): TlbEntry {
  const within = address % 2 ** sizeLog2;
  const moved = (other: Leaf): Leaf => ({ ...other, address: other.address - within });
  return {
    faulted: false,
    base: address - within,
    sizeLog2,
    leaf: moved(leaf),
    attribute,
    stage2: stage2 && moved(stage2),
  };
}

/** A leaf of an entry for an address that the entry translates. */
export function leafAt({ base }: TlbEntry, leaf: Leaf, address: number): Leaf {
  return { ...leaf, address: leaf.address + (address - base) };
}

const leafFields = record({ level: u8, address: u53, low: u32, high: u32, tables: u32 });
const entryFields = record({
  base: u53,
  sizeLog2: u8,
  leaf: leafFields,
  attribute: u8,
  stage2: listOf(leafFields, 1),
});
const setFields = record({
  stage: u8,
  regime: text(8),
  secure: flag,
  /** One more than the tag's, so that none is 0. */
  vmid: u32,
  asid: u32,
  entries: listOf(entryFields, 2 ** 26),
});
const layout = sectionLayout("strict_tlb", 1, { sets: listOf(setFields, 2 ** 26) });

type Stored<K> = K extends FieldKind<infer T> ? T : never;
type StoredEntry = Stored<typeof entryFields>;
type StoredLeaf = Stored<typeof leafFields>;

/** A name that is unique to a tag and gives the order of sets. */
function nameOf({ stage, regime, secure, vmid, asid }: TlbTag): string {
  return `${stage} ${regime} ${secure ? "S" : "NS"} ${vmid} ${asid}`;
}

function storedLeaf({ level, address, low, high, tables }: Leaf): StoredLeaf {
  return { level, address, low: low >>> 0, high: high >>> 0, tables: tables >>> 0 };
}

function leafOf({ level, address, low, high, tables }: StoredLeaf): Leaf {
  return { faulted: false, level, address, low, high, descriptor: -1, tables: tables | 0 };
}

/** The strict TLB of one CPU: unbounded, of finished translations of both stages. */
export class StrictTlb {
  #sets = new Map<string, EntrySet>();

  #setOf(tag: TlbTag): EntrySet {
    const name = nameOf(tag);
    const known = this.#sets.get(name);
    if (known !== undefined) return known;
    const set: EntrySet = { tag, entries: new Map(), sizes: [] };
    this.#sets.set(name, set);
    return set;
  }

  /** The entry with a tag that translates an address; the smallest of several. */
  find(tag: TlbTag, address: number): TlbEntry | undefined {
    const set = this.#sets.get(nameOf(tag));
    if (set === undefined) return undefined;
    for (const sizeLog2 of set.sizes) {
      const entry = set.entries.get(keyOf(address - address % 2 ** sizeLog2, sizeLog2));
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /**
   * Enters a translation that `find` does not give. When smaller entries with the same tag lie within it, the tables
   * were changed without a break: the size of one of them in bytes comes back, else 0.
   */
  enter(tag: TlbTag, entry: TlbEntry): number {
    const { entries, sizes } = this.#setOf(tag);
    entries.set(keyOf(entry.base, entry.sizeLog2), entry);
    if (!sizes.includes(entry.sizeLog2)) {
      sizes.splice(
        0,
        sizes.length,
        ...[...sizes, entry.sizeLog2].sort((a, b) => a - b),
      );
    }
    if (sizes[0] === entry.sizeLog2) return 0;
    const end = entry.base + 2 ** entry.sizeLog2;
    for (const { base, sizeLog2 } of entries.values()) {
      if (sizeLog2 < entry.sizeLog2 && base >= entry.base && base < end) return 2 ** sizeLog2;
    }
    return 0;
  }

  /** Drops all entries of tags that match, or of those the ones that translate an address. */
  drop(matches: (tag: TlbTag) => boolean, address?: number): void {
    for (const [name, { tag, entries, sizes }] of this.#sets) {
      if (!matches(tag)) continue;
      if (address === undefined) {
        this.#sets.delete(name);
        continue;
      }
      for (const sizeLog2 of sizes) entries.delete(keyOf(address - address % 2 ** sizeLog2, sizeLog2));
      if (entries.size === 0) this.#sets.delete(name);
    }
  }

  /** Entries there are. */
  get size(): number {
    let size = 0;
    for (const { entries } of this.#sets.values()) size += entries.size;
    return size;
  }

  /** The section of this name: sets by tag, entries by address. */
  save(name: string): Section {
    const sets = [...this.#sets].sort(([a], [b]) => a < b ? -1 : 1).map(([, { tag, entries }]) => ({
      ...tag,
      vmid: tag.vmid + 1,
      asid: tag.asid + 1,
      entries: [...entries].sort(([a], [b]) => a - b).map((
        [, { base, sizeLog2, leaf, attribute, stage2 }],
      ) => ({
        base,
        sizeLog2,
        leaf: storedLeaf(leaf),
        attribute,
        stage2: stage2 === undefined ? [] : [storedLeaf(stage2)],
      })),
    }));
    return layout.encode(name, { sets });
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    this.#sets.clear();
    for (const { stage, regime, secure, vmid, asid, entries } of layout.decode(section).sets) {
      const tag = { stage: stage as 1 | 2, regime: regime as Regime, secure, vmid: vmid - 1, asid: asid - 1 };
      for (const entry of entries) this.enter(tag, entryOf(entry));
    }
  }
}

function entryOf({ base, sizeLog2, leaf, attribute, stage2: [stage2] }: StoredEntry): TlbEntry {
  return {
    faulted: false,
    base,
    sizeLog2,
    leaf: leafOf(leaf),
    attribute,
    stage2: stage2 && leafOf(stage2),
  };
}
