/** Translation tables for oracle cases: descriptors written along the path of each address. */

/** How one stage's tables are shaped. */
export interface TableShape {
  /** Log2 of the granule. */
  readonly granule: number;
  /** Bits of input address. */
  readonly inputSize: number;
  /** Level of the first lookup. */
  readonly level: number;
  /** First table. */
  readonly base: bigint;
}

/** Makes a descriptor of a level from an address; `isTable` when another level follows. */
export type MakeDescriptor = (level: number, address: bigint, isTable: boolean) => bigint;

/** Log2 of the bytes that an entry of a level covers. */
export function spanOf({ granule }: TableShape, level: number): number {
  return (3 - level) * (granule - 3) + granule;
}

/** Writes descriptors into otherwise empty memory. */
export class TableWriter {
  /** Descriptors by address. */
  readonly written = new Map<bigint, bigint>();

  /** New tables are taken from `next` on, 64 KiB each. */
  constructor(private next: bigint) {}

  /** Maps `input` down to a leaf of `leafLevel`; keeps what earlier paths wrote. Returns addresses of descriptors. */
  map(shape: TableShape, input: bigint, output: bigint, leafLevel: number, make: MakeDescriptor): bigint[] {
    const path: bigint[] = [];
    let table = shape.base;
    for (let level = shape.level; level <= leafLevel; level++) {
      const span = BigInt(spanOf(shape, level));
      const entries = level === shape.level ? 64n : BigInt(shape.granule - 3);
      const index = (BigInt.asUintN(shape.inputSize, input) >> span) & ((1n << entries) - 1n);
      const at = table + index * 8n;
      path.push(at);
      const present = this.written.get(at);
      if (level === leafLevel) {
        if (present === undefined) this.written.set(at, make(level, output, false));
        return path;
      }
      if (present === undefined) {
        const next = this.#take();
        this.written.set(at, make(level, next, true));
        table = next;
      } else {
        table = present & 0xffff_ffff_0000n;
        if ((present & 3n) !== 3n || table >= this.next) return path;
      }
    }
    return path;
  }

  #take(): bigint {
    const table = this.next;
    this.next += 0x1_0000n;
    return table;
  }
}
