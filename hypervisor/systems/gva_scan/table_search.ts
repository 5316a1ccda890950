/** Where a scan looks into translation tables: for what PAR_EL1 does not say, the size of a block and a table's place. */
import { bitsOf, levelSpan } from "./address_bits.ts";

/** Tables of one stage and one base register, as their registers describe them. */
export interface TableShape {
  /** Address of the first table. */
  readonly base: bigint;
  /** Log2 of the granule: 12, 14 or 16. */
  readonly granule: number;
  /** Bits of an input address. */
  readonly inputSize: number;
  /** Level of the first lookup. */
  readonly level: number;
  /** Descriptors are big-endian. */
  readonly bigEndian: boolean;
}

/** What a search for an input address came to. */
export interface Found {
  /** `leaf`: a block or page. `invalid`: a descriptor that is none. `unreadable`: no memory where a descriptor is. */
  readonly kind: "leaf" | "invalid" | "unreadable";
  /** Level of the last lookup. */
  readonly level: number;
  /** Output address for the input address at a leaf; address of the descriptor otherwise. */
  readonly address: bigint;
  /** The last descriptor read; 0 without one. */
  readonly descriptor: bigint;
}

/** Eight bytes at an address as a little-endian number; undefined where there is no memory. */
export type ReadDescriptor = (address: bigint) => bigint | undefined;

function swapped(value: bigint): bigint {
  let result = 0n;
  for (let byte = 0n; byte < 64n; byte += 8n) result = (result << 8n) | (value >> byte & 0xffn);
  return result;
}

/** The first table of a base register: bits 47–1 without those below the table's size (Arm ARM TTBR0_EL1.BADDR). */
export function tableBase(register: bigint, { granule, inputSize, level }: Omit<TableShape, "base">): bigint {
  const entriesLog2 = inputSize - ((3 - level) * (granule - 3) + granule);
  const size = BigInt(Math.max(4, 3 + entriesLog2));
  return bitsOf(register, 0, 48) >> size << size;
}

/** Follows the descriptors of an input address below 2^inputSize (Arm ARM D8.3). */
export function searchTables(shape: TableShape, input: bigint, read: ReadDescriptor): Found {
  const { granule } = shape, firstBlockLevel = granule === 12 ? 1 : 2;
  const lowest = BigInt(granule), outputs = ((1n << 48n) - 1n) >> lowest << lowest;
  let table = shape.base;
  for (let level = shape.level;; level++) {
    const span = levelSpan(granule, level);
    // The first table may have more entries than others, where stage 2 puts tables side by side.
    const index = level === shape.level ? input / span : input / span & ((1n << (lowest - 3n)) - 1n);
    const address = table + index * 8n, raw = read(address);
    if (raw === undefined) return { kind: "unreadable", level, address, descriptor: 0n };
    const descriptor = shape.bigEndian ? swapped(raw) : raw, type = descriptor & 3n;
    if (level === 3 ? type === 3n : type === 1n && level >= firstBlockLevel) {
      const output = (descriptor & outputs) / span * span;
      return { kind: "leaf", level, address: output + input % span, descriptor };
    }
    if (type !== 3n || level === 3) return { kind: "invalid", level, address, descriptor };
    table = descriptor & outputs;
  }
}
