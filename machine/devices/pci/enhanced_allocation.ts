/** Enhanced Allocation: the capability by which a function says where its memory is for good (PCI Express Base Specification 5.0, 7.8.5). */
import type { PciCapability } from "./config_space.ts";

/** Capability ID. */
export const ENHANCED_ALLOCATION = 0x14;

/** A range in place of a base address register. */
export interface FixedRange {
  /** Number of the register that it stands for, 0-5. */
  readonly bar: number;
  /** First address. */
  readonly base: number;
  /** Bytes, a power of two. */
  readonly size: number;
}

/** First word of an entry: how many follow, and that it is in force; non-prefetchable memory, and no second properties. */
const WORDS_BEHIND = 4, ENABLE = 2 ** 31, NO_PROPERTIES = 0xff << 16, BAR_SHIFT = 4;
/** Bit 1 of an address: its upper half is in the entry too. */
const HAS_UPPER = 2;

const wordBytes = (word: number): number[] => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff);
const lower = (value: number): number => value % 2 ** 32;
const upper = (value: number): number => Math.floor(value / 2 ** 32);

/** The capability at an offset of configuration space, all read-only. The fields MaxOffset have no lowest two bits. */
export function enhancedAllocation(offset: number, ranges: readonly FixedRange[]): PciCapability {
  const entries = ranges.flatMap(({ bar, base, size }) => [
    ENABLE + NO_PROPERTIES + (bar << BAR_SHIFT) + WORDS_BEHIND,
    lower(base) + HAS_UPPER,
    (lower(size - 1) & ~3) + HAS_UPPER,
    upper(base),
    upper(size - 1),
  ]);
  return { id: ENHANCED_ALLOCATION, offset, body: [ranges.length, 0, ...entries.flatMap(wordBytes)] };
}
