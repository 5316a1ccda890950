/** Translation tables laid out in the memory of a system program. */
import { SCRATCH_BASE, type SystemProgram } from "./program.ts";

/** Log2 of a granule. */
export type Granule = 12 | 14 | 16;

/** How addresses are resolved. */
export interface Layout {
  /** Log2 of the granule. */
  readonly granule: Granule;
  /** Bits of an input address. */
  readonly inputSize: number;
  /** Level of the first table. */
  readonly start: number;
}

/** Address bits that lead out of RAM; at bit 39 the outsider's PCIe windows begin. */
export const STRANGE_BITS = [36n, 37n, 38n, 40n, 41n, 42n, 43n, 44n, 45n, 46n, 47n] as const;

/** Bits that one level resolves. */
const strideOf = (granule: Granule): number => granule - 3;

/** Lowest address bit that a level resolves. */
export function shiftOf(granule: Granule, level: number): number {
  return granule + (3 - level) * strideOf(granule);
}

/** Level at which stage 1 walks of this input size start. */
export function startLevel(granule: Granule, inputSize: number): number {
  return 4 - Math.max(1, Math.ceil((inputSize - granule) / strideOf(granule)));
}

/** Room between tables: the largest first table of stage 2 is 16 granules of 64 KiB. */
const TABLE_SPACING = 0x10_0000n;

/** A walk: what the descriptors on the way to an address are. */
export interface Walk {
  /** The address. */
  readonly address: bigint;
  /** Level of the last descriptor. */
  readonly leafLevel: number;
  /** The last descriptor. */
  readonly leaf: bigint;
  /** Bits of the table descriptor at a level beside address and type; none by default. */
  readonly table?: (level: number) => bigint;
  /** Stands in for the whole descriptor at a level, if it gives one. */
  readonly replaced?: (level: number, descriptor: bigint) => bigint;
}

/** Tables of one regime; all walks share the first. */
export class Tables {
  readonly #stored = new Set<bigint>();
  #walks = 0;

  /** Tables from `SCRATCH_BASE` plus 16 MiB times `number`. */
  constructor(
    private readonly program: SystemProgram,
    private readonly layout: Layout,
    private readonly number: number,
  ) {}

  /** Address of the first table. */
  get base(): bigint {
    return SCRATCH_BASE + (BigInt(this.number) << 24n) + 0x80_0000n;
  }

  #table(walk: number, level: number): bigint {
    return this.base + TABLE_SPACING * BigInt(1 + walk * 4 + level);
  }

  /** Stores the descriptors of a walk. */
  map({ address, leafLevel, leaf, table = () => 0n, replaced = (_, descriptor) => descriptor }: Walk): void {
    const { granule, inputSize, start } = this.layout, walk = this.#walks++;
    let at = this.base;
    for (let level = start; level <= leafLevel; level++) {
      const shift = BigInt(shiftOf(granule, level));
      const top = level === start ? inputSize : shiftOf(granule, level - 1);
      const index = BigInt.asUintN(Math.max(0, top), address) >> shift;
      const next = this.#table(walk, level + 1);
      const descriptor = level === leafLevel ? leaf : next | 3n | table(level);
      this.#store(at + index * 8n, replaced(level, descriptor));
      at = next;
    }
  }

  #store(address: bigint, value: bigint): void {
    this.#stored.add(address);
    this.program.store(address, value);
  }

  /** Zeroes every descriptor again. */
  clear(): void {
    for (const address of this.#stored) this.program.store(address, 0n);
    this.#stored.clear();
    this.#walks = 0;
  }
}
