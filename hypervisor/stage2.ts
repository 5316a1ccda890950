/** Stage 2 translation tables of a guest: 40 bits of intermediate address, 4 KiB granule (Arm ARM D8.2, D8.3, D8.13). */
import { hex, type PhysicalAddress } from "../machine/address.ts";
import { u53 } from "../machine/layout.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../machine/memory/physical.ts";
import { type Section, sectionLayout } from "../machine/snapshot.ts";
import { type Accessor, clearPage, performSystem, readPhysical, writePhysical } from "./own_memory.ts";
import type { PagePool } from "./page_pool.ts";
import {
  attributesOf,
  descriptorBits,
  type Stage2Attributes,
  type Stage2Permissions,
} from "./stage2_attributes.ts";

/** Bits of an intermediate physical address: VTCR_EL2.T0SZ = 24. */
export const IPA_SIZE = 40;

/** The first lookup is at level 1, in two concatenated tables, since PARange allows 40 bits and more. */
const FIRST_LEVEL = 1, FIRST_TABLES = 2, LAST_LEVEL = 3;
/** Log2 of the bytes that a descriptor of each level describes. */
const SHIFT: readonly number[] = [39, 30, 21, 12];
const ENTRIES = 512;

const VALID = 1n, TABLE = 3n, TYPE = 3n, PAGE = 3n, BLOCK = 1n;
const ADDRESS = (1n << 48n) - 4096n;
/** Bits that are the valid bit in one byte order or the other. */
const UNMARKABLE = 1n << 56n | VALID;

/** VTCR_EL2: RES1, SH0 inner shareable, ORGN0 and IRGN0 Write-Back, SL0 = 1, T0SZ. PS comes on top. */
const VTCR = 1n << 31n | 3n << 12n | 1n << 10n | 1n << 8n | 1n << 6n | BigInt(64 - IPA_SIZE);
const PS_SHIFT = 16n, VMID_SHIFT = 48n;
/** ID_AA64MMFR0_EL1.PARange and VTCR_EL2.PS by bits of a physical address. */
const PHYSICAL_SIZES: readonly number[] = [32, 36, 40, 42, 44, 48];

/** More pages than this are invalidated all at once. */
const MOST_SINGLE_INVALIDATIONS = 64;

const layout = sectionLayout("stage2", 1, { root: u53 });

/** What the tables have for an address. */
export interface Stage2Mapping {
  /** Physical address of the intermediate one. */
  readonly physical: PhysicalAddress;
  /** First intermediate address of the page or block. */
  readonly base: number;
  /** Bytes of the page or block: 4 KiB, 2 MiB or 1 GiB. */
  readonly size: number;
  /** Type and permissions. */
  readonly attributes: Stage2Attributes;
}

/** A valid or invalid descriptor that is not that of a table. */
interface Leaf {
  readonly place: number;
  readonly level: number;
  readonly descriptor: bigint;
}

/** What the tables need to know of the machine. */
export interface Stage2Options {
  /** VMID, 8 bits; 1 when absent. */
  readonly vmid?: number;
  /** Bits of a physical address (ID_AA64MMFR0_EL1.PARange); 44 when absent, as the Cortex-A57 has. */
  readonly physicalSize?: number;
}

/**
 * The tables. Every change takes who makes it: CPUs must have `vttbr` in VTTBR_EL2 then, since TLB maintenance is for
 * the VMID there. A valid descriptor is changed by break-before-make, permissions alone in place (Arm ARM D8.14.1).
 */
export class Stage2 {
  /** VTCR_EL2 for these tables. */
  readonly vtcr: bigint;
  readonly #vmid: bigint;
  #root = 0;

  /** `pool` gives the tables; `reset` must be called before anything else. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly pool: PagePool,
    { vmid = 1, physicalSize = 44 }: Stage2Options = {},
  ) {
    this.#vmid = BigInt(vmid);
    this.vtcr = VTCR | BigInt(PHYSICAL_SIZES.indexOf(physicalSize)) << PS_SHIFT;
  }

  /** VTTBR_EL2 for these tables. */
  get vttbr(): bigint {
    return this.#vmid << VMID_SHIFT | BigInt(this.#root);
  }

  /** Takes the first tables from the pool, which was reset, and leaves them empty. */
  reset(): void {
    this.#root = this.pool.take(FIRST_TABLES);
    for (let table = 0; table < FIRST_TABLES; table++) {
      clearPage(this.memory, undefined, this.#root + table * PAGE_SIZE);
    }
  }

  /** Gives all tables back to the pool: `reset` must be called before anything else. */
  release(by: Accessor): void {
    for (let table = 0; table < FIRST_TABLES; table++) {
      this.#give(by, this.#root + table * PAGE_SIZE, FIRST_LEVEL);
    }
  }

  /**
   * Maps `size` bytes at `ipa` to those at `physical`, in blocks as large as both allow, over whatever was there. Throws
   * RangeError for what is not whole pages below 2^IPA_SIZE.
   */
  map(by: Accessor, ipa: number, physical: number, size: number, attributes: Stage2Attributes): void {
    check("map", ipa, size);
    if (physical % PAGE_SIZE !== 0) {
      throw new RangeError(`Cannot map to ${hex(physical)}: not a page's address`);
    }
    const bits = descriptorBits(attributes);
    for (let done = 0; done < size;) {
      const level = levelFor(ipa + done, physical + done, size - done);
      this.#replace(
        by,
        ipa + done,
        level,
        BigInt(physical + done) | bits | (level === LAST_LEVEL ? PAGE : BLOCK),
      );
      done += 2 ** (SHIFT[level] as number);
    }
  }

  /** Takes `size` bytes at `ipa` from the guest; what was not mapped stays so. Throws RangeError as `map`. */
  unmap(by: Accessor, ipa: number, size: number): void {
    check("unmap", ipa, size);
    this.#change(by, ipa, size, () => 0n);
  }

  /** Changes what is allowed in `size` bytes at `ipa`, where something is mapped. Throws RangeError as `map`. */
  protect(by: Accessor, ipa: number, size: number, permissions: Stage2Permissions): void {
    check("protect", ipa, size);
    this.#change(by, ipa, size, (descriptor) => {
      const { memory } = attributesOf(descriptor);
      return descriptor & (ADDRESS | TYPE) | descriptorBits({ ...permissions, memory });
    });
  }

  /** What the tables have for an intermediate address; undefined where nothing is mapped. Changes nothing. */
  lookup(ipa: number): Stage2Mapping | undefined {
    if (ipa < 0 || ipa >= 2 ** IPA_SIZE) return undefined;
    const { level, descriptor } = this.#leaf(ipa, (place) => this.#peek(place));
    if ((descriptor & VALID) === 0n) return undefined;
    const size = 2 ** (SHIFT[level] as number), within = ipa % size;
    return {
      physical: (Number(descriptor & ADDRESS) + within) as PhysicalAddress,
      base: ipa - within,
      size,
      attributes: attributesOf(descriptor),
    };
  }

  /**
   * Leaves a word of the monitor's own in place of the page at `ipa`, which the guest loses; its bit 0 is clear, bit 56
   * too. Throws RangeError as `map`, and for another word.
   */
  mark(by: Accessor, ipa: number, word: bigint): void {
    check("mark", ipa, PAGE_SIZE);
    if ((word & UNMARKABLE) !== 0n) {
      throw new RangeError(`Cannot mark ${hex(ipa)} with ${hex(word)}: bits 0 and 56 must be 0`);
    }
    this.#replace(by, ipa, LAST_LEVEL, word);
  }

  /** The word left in place of a page; 0n where there is none. Changes nothing. */
  markAt(ipa: number): bigint {
    const { level, descriptor } = this.#leaf(ipa, (place) => this.#peek(place));
    return level === LAST_LEVEL && (descriptor & VALID) === 0n ? descriptor : 0n;
  }

  /** The first page, not block, in a range that is mapped with attributes that are wanted. Changes nothing. */
  findPage(
    from: number,
    end: number,
    isWanted: (attributes: Stage2Attributes) => boolean,
  ): Stage2Mapping | undefined {
    for (let at = from; at < end;) {
      const { place, level } = this.#leaf(at, (where) => this.#peek(where));
      if (level < LAST_LEVEL) {
        const span = 2 ** (SHIFT[level] as number);
        at += span - at % span;
        continue;
      }
      const within = place % PAGE_SIZE, table = place - within;
      const view = new DataView(this.memory.viewBytes(table as PhysicalAddress, PAGE_SIZE).buffer);
      for (let entry = within; entry < PAGE_SIZE && at < end; entry += 8, at += PAGE_SIZE) {
        if ((view.getUint8(entry) & 1) === 0) continue;
        const descriptor = view.getBigUint64(entry, true), attributes = attributesOf(descriptor);
        if (!isWanted(attributes)) continue;
        const physical = Number(descriptor & ADDRESS) as PhysicalAddress;
        return { physical, base: at, size: PAGE_SIZE, attributes };
      }
    }
    return undefined;
  }

  #peek(place: number): bigint {
    const bytes = this.memory.viewBytes(place as PhysicalAddress, 8);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  /** The section of this name; the tables themselves are in memory. */
  save(name: string): Section {
    return layout.encode(name, { root: this.#root });
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    this.#root = layout.decode(section).root;
  }

  #read(by: Accessor, place: number): bigint {
    return readPhysical(this.memory, by, place, 8);
  }

  #write(by: Accessor, place: number, descriptor: bigint): void {
    writePhysical(this.memory, by, place, 8, descriptor);
  }

  /** Where the descriptor of a level for an address is, in a table. */
  #place(table: number, ipa: number, level: number): number {
    const entries = level === FIRST_LEVEL ? ENTRIES * FIRST_TABLES : ENTRIES;
    return table + (Math.floor(ipa / 2 ** (SHIFT[level] as number)) % entries) * 8;
  }

  /** The last descriptor of a walk for an address, not below `last`. */
  #leaf(ipa: number, read: (place: number) => bigint, last: number = LAST_LEVEL): Leaf {
    let table = this.#root;
    for (let level = FIRST_LEVEL;; level++) {
      const place = this.#place(table, ipa, level), descriptor = read(place);
      if (level === last || (descriptor & TYPE) !== TABLE) return { place, level, descriptor };
      table = Number(descriptor & ADDRESS);
    }
  }

  /** Puts a descriptor at a level, with the tables that lead there. */
  #replace(by: Accessor, ipa: number, level: number, descriptor: bigint): void {
    for (;;) {
      const found = this.#leaf(ipa, (place) => this.#read(by, place), level);
      if (found.level === level) {
        if (found.descriptor === descriptor) return;
        this.#breakLeaf(by, found, ipa);
        this.#write(by, found.place, descriptor);
        return;
      }
      this.#split(by, found, ipa);
    }
  }

  /** Makes a descriptor invalid, for the TLBs too, and gives the tables below it back. */
  #breakLeaf(by: Accessor, { place, level, descriptor }: Leaf, ipa: number): void {
    if ((descriptor & VALID) === 0n) return;
    this.#write(by, place, 0n);
    if (level < LAST_LEVEL && (descriptor & TYPE) === TABLE) {
      invalidate(by, undefined);
      this.#give(by, Number(descriptor & ADDRESS), level + 1);
    } else invalidate(by, [ipa]);
  }

  /** Gives a table and those below it back to the pool. */
  #give(by: Accessor, table: number, level: number): void {
    for (let index = 0; level < LAST_LEVEL && index < ENTRIES; index++) {
      const descriptor = this.#read(by, table + index * 8);
      if ((descriptor & TYPE) === TABLE) this.#give(by, Number(descriptor & ADDRESS), level + 1);
    }
    this.pool.give(table as PhysicalAddress);
  }

  /** Puts a table in place of a block, or of nothing, which it says the same as. */
  #split(by: Accessor, leaf: Leaf, ipa: number): void {
    const { place, level, descriptor } = leaf;
    const table = this.pool.take();
    clearPage(this.memory, by, table);
    if ((descriptor & VALID) !== 0n) {
      const step = 2n ** BigInt(SHIFT[level + 1] as number);
      const first = level + 1 === LAST_LEVEL ? descriptor | PAGE : descriptor;
      for (let index = 0; index < ENTRIES; index++) {
        this.#write(by, table + index * 8, first + BigInt(index) * step);
      }
      this.#breakLeaf(by, leaf, ipa);
    }
    this.#write(by, place, BigInt(table) | TABLE);
  }

  /** Gives every valid descriptor in a range what `next` makes of it, then invalidates TLBs; splits at the ends. */
  #change(by: Accessor, ipa: number, size: number, next: (descriptor: bigint) => bigint): void {
    const changed: number[] = [];
    for (let at = ipa; at < ipa + size;) {
      const leaf = this.#leaf(at, (place) => this.#read(by, place));
      const { place, level, descriptor } = leaf, span = 2 ** (SHIFT[level] as number);
      const isValid = (descriptor & VALID) !== 0n;
      if (isValid && (at % span !== 0 || at + span > ipa + size)) {
        this.#split(by, leaf, at);
        continue;
      }
      const changedTo = isValid ? next(descriptor) : 0n;
      if (changedTo !== descriptor && isValid) {
        this.#write(by, place, changedTo);
        changed.push(at);
      }
      at += span - at % span;
    }
    if (changed.length > 0) invalidate(by, changed.length > MOST_SINGLE_INVALIDATIONS ? undefined : changed);
  }
}

/**
 * Drops what TLBs of all CPUs have of intermediate addresses, or of all: stage 2 by address, then stage 1 as a whole,
 * since what combines both stages has no intermediate address to be found by (Arm ARM D8.14.4).
 */
function invalidate(by: Accessor, addresses: readonly number[] | undefined): void {
  if (by === undefined) return;
  if (addresses === undefined) return performSystem(by, "tlbi vmalls12e1is");
  for (const ipa of addresses) performSystem(by, "tlbi ipas2e1is", BigInt(ipa) >> 12n);
  performSystem(by, "tlbi vmalle1is");
}

/** The first level whose blocks are not larger than what is left, at addresses that are theirs. */
function levelFor(ipa: number, physical: number, size: number): number {
  const fits = (level: number): boolean => {
    const span = 2 ** (SHIFT[level] as number);
    return size >= span && ipa % span === 0 && physical % span === 0;
  };
  return fits(1) ? 1 : fits(2) ? 2 : LAST_LEVEL;
}

function check(verb: string, ipa: number, size: number): void {
  if (
    ipa % PAGE_SIZE === 0 && size % PAGE_SIZE === 0 && ipa >= 0 && size > 0 && ipa + size <= 2 ** IPA_SIZE
  ) return;
  throw new RangeError(
    `Cannot ${verb} ${size} bytes at ${hex(Math.max(0, ipa))}: not whole pages below 2^${IPA_SIZE}`,
  );
}
