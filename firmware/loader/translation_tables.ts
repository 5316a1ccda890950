/** Translation tables as bytes: the same as the loaders' own builder makes, and looked up without a machine. */
import {
  checkLayout,
  type GranuleShift,
  largestBlockShift,
  shiftOf,
  startLevel,
  strideOf,
  type TranslationLayout,
} from "./translation_layout.ts";

/** A run of addresses to be mapped. */
export interface Mapping {
  /** First virtual address, a multiple of the granule. */
  readonly virtual: bigint;
  /** First physical address, a multiple of the granule. */
  readonly physical: bigint;
  /** Bytes, a multiple of the granule. */
  readonly size: bigint;
  /** Of the leaf descriptors, type bits left out (see `leafAttributes`). */
  readonly attributes: bigint;
}

/** Reads 8 bytes of memory, little-endian. */
export type ReadDescriptor = (physical: bigint) => bigint;

/** Where a walk ends. */
export type TableLookup =
  | { readonly kind: "fault"; readonly level: number }
  | {
    readonly kind: "mapped";
    readonly level: number;
    /** Where the address leads. */
    readonly physical: bigint;
    /** The leaf descriptor. */
    readonly descriptor: bigint;
    /** Physical address of the leaf descriptor. */
    readonly at: bigint;
  };

const VALID = 1n, TABLE_OR_PAGE = 3n;

/** Bits 47 down to the granule: the output address of a table or page descriptor. */
function addressMask(shift: number): bigint {
  return (1n << 48n) - (1n << BigInt(shift));
}

function indexAt(layout: TranslationLayout, level: number, virtual: bigint): bigint {
  const input = BigInt.asUintN(layout.inputBits, virtual) >> BigInt(shiftOf(layout.granule, level));
  return BigInt.asUintN(strideOf(layout.granule), input);
}

/**
 * Builds tables one granule after another from `base` on, the first one first; each mapping takes the largest blocks
 * that fit. Memory is what `read` gives of `contents`.
 */
export class TranslationTableBuilder {
  #contents: DataView<ArrayBuffer>;
  #used = 0;

  /**
   * `base` is the physical address of the first table, a multiple of the granule; there is room for `capacity` tables.
   * Throws RangeError for a layout or base that cannot be.
   */
  constructor(readonly layout: TranslationLayout, readonly base: bigint, private readonly capacity: number) {
    checkLayout(layout);
    if (base % (1n << BigInt(layout.granule)) !== 0n || base < 0n || base >= 1n << 48n) {
      throw new RangeError(
        `Cannot put translation tables at 0x${base.toString(16)}: not aligned to a granule`,
      );
    }
    this.#contents = new DataView(new ArrayBuffer(capacity << layout.granule));
    this.#take();
  }

  /** The bytes of all tables made so far. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#contents.buffer, 0, this.#used << this.layout.granule);
  }

  /** Reads a descriptor of these tables; throws RangeError for an address outside them. */
  readonly read: ReadDescriptor = (physical) =>
    this.#contents.getBigUint64(Number(physical - this.base), true);

  #take(): bigint {
    if (this.#used === this.capacity) {
      throw new RangeError(`Cannot map more: all ${this.capacity} translation tables are in use`);
    }
    return this.base + BigInt(this.#used++ << this.layout.granule);
  }

  /** Maps a run; throws RangeError where something is mapped already, what is not aligned, or when tables run out. */
  map({ virtual, physical, size, attributes }: Mapping): void {
    const granule = 1n << BigInt(this.layout.granule);
    if ((virtual | physical | size) % granule !== 0n) {
      throw new RangeError(`Cannot map 0x${virtual.toString(16)}: not a multiple of the granule ${granule}`);
    }
    for (let done = 0n; done < size;) {
      done += this.#mapOne(virtual + done, physical + done, size - done, attributes);
    }
  }

  /** One leaf; returns the bytes it maps. */
  #mapOne(virtual: bigint, physical: bigint, left: bigint, attributes: bigint): bigint {
    const { granule } = this.layout;
    let table = this.base;
    for (let level = startLevel(this.layout);; level++) {
      const at = Number(table - this.base + indexAt(this.layout, level, virtual) * 8n);
      const present = this.#contents.getBigUint64(at, true), span = 1n << BigInt(shiftOf(granule, level));
      if ((present & VALID) !== 0n) {
        if (level === 3 || (present & TABLE_OR_PAGE) !== TABLE_OR_PAGE) {
          throw new RangeError(`Cannot map 0x${virtual.toString(16)}: it is mapped already`);
        }
        table = present & addressMask(granule);
        continue;
      }
      const isLeaf = level === 3 ||
        span <= 1n << BigInt(largestBlockShift(granule)) && left >= span &&
          (virtual | physical) % span === 0n;
      if (isLeaf) {
        this.#contents.setBigUint64(at, physical | attributes | (level === 3 ? 3n : 1n), true);
        return span;
      }
      table = this.#take();
      this.#contents.setBigUint64(at, table | TABLE_OR_PAGE, true);
    }
  }
}

/** Walks tables as a stage 1 walk does, permissions aside: where an address leads, or the level of its translation fault. */
export function lookUpTables(
  layout: TranslationLayout,
  root: bigint,
  read: ReadDescriptor,
  virtual: bigint,
): TableLookup {
  const { granule } = layout, start = startLevel(layout);
  if (virtual >> BigInt(layout.inputBits) !== 0n) return { kind: "fault", level: 0 };
  let table = root;
  for (let level = start;; level++) {
    const at = table + indexAt(layout, level, virtual) * 8n, descriptor = read(at);
    if ((descriptor & VALID) === 0n) return { kind: "fault", level };
    const isTable = level < 3 && (descriptor & TABLE_OR_PAGE) === TABLE_OR_PAGE;
    if (!isTable) {
      const shift = shiftOf(granule, level), within = BigInt.asUintN(shift, virtual);
      return { kind: "mapped", level, physical: (descriptor & addressMask(shift)) + within, descriptor, at };
    }
    table = descriptor & addressMask(granule);
  }
}

/** One leaf of tables: what it maps, in the terms of `Mapping`. */
export interface Leaf extends Mapping {
  /** Level of the descriptor, 0–3. */
  readonly level: number;
}

/** All leaves of tables in order of virtual addresses. */
export function* leavesOf(
  layout: TranslationLayout,
  root: bigint,
  read: ReadDescriptor,
  level: number = startLevel(layout),
  from = 0n,
): Generator<Leaf> {
  const { granule, inputBits } = layout, shift = shiftOf(granule, level);
  const bits = level === startLevel(layout) ? inputBits - shift : strideOf(granule);
  for (let index = 0n; index < 1n << BigInt(bits); index++) {
    const descriptor = read(root + index * 8n), virtual = from + (index << BigInt(shift));
    if ((descriptor & VALID) === 0n) continue;
    if (level < 3 && (descriptor & TABLE_OR_PAGE) === TABLE_OR_PAGE) {
      yield* leavesOf(layout, descriptor & addressMask(granule), read, level + 1, virtual);
    } else {
      const physical = descriptor & addressMask(shift);
      const attributes = descriptor & ~physical & ~TABLE_OR_PAGE;
      yield { level, virtual, physical, size: 1n << BigInt(shift), attributes };
    }
  }
}

/** Names a granule's shift as messages do: `4K`, `16K`, `64K`. */
export function granuleText(granule: GranuleShift): string {
  return `${2 ** (granule - 10)}K`;
}
