/**
 * A program that TEEs of every type can carry: it runs at EL0 with pages at virtual addresses, and calls services by SVC.
 * Its image begins with a header of 512 bytes, all little-endian words of 64 bits:
 *
 *   0x00 "TEEPROG1"   0x08 entry     0x10 stack pointer   0x18 number of ranges
 *   0x20 flags: bit 0, lacking features may be emulated; bit 1, it may go to a TEE of another type
 *   0x40 features it needs, 64 characters: LSE+SHA256
 *   0x80 eight ranges: address, bytes, offset of contents in the image or −1, permission (1 read and execute, 2 write)
 */
import { FEATURES } from "../../../../machine/a64/feature.ts";
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";

/** Bytes of a header. */
export const HEADER_BYTES = 0x200;
/** Where programs' memory may be: virtual addresses below 2^39, in every granule. */
export const WINDOW_BASE = 0x40_0000_0000, WINDOW_BYTES = 0x80_0000;
/** Most ranges; bytes of an image at most. */
const MOST_RANGES = 8;
/** Most bytes of an image. */
export const MOST_IMAGE = 0x40_0000;
const MAGIC = 0x3147_4f52_5045_4554n;

/** The services of a program: the immediate of its SVC, arguments from X0 on. */
export const SERVICES = { exit: 0, output: 1, wait: 2 } as const;
/** Bytes of one output at most. */
export const MOST_OUTPUT = 32;

/** Memory of a program with one permission. */
export interface ProgramRange {
  /** First virtual address, a multiple of 4 KiB. */
  readonly base: number;
  /** Bytes, a multiple of 4 KiB. */
  readonly size: number;
  /** Where contents are in the image; undefined for zeros. */
  readonly offset: number | undefined;
  /** It is for data and not for instructions. */
  readonly writable: boolean;
}

/** What a header says. */
export interface ProgramHeader {
  /** First instruction. */
  readonly entry: number;
  /** Stack pointer at entry. */
  readonly stack: number;
  /** Extensions that it uses. */
  readonly features: readonly string[];
  /** What is lacking may be emulated. */
  readonly allowsShims: boolean;
  /** It may go to a TEE of another type. */
  readonly crossesTypes: boolean;
  /** Its memory, in ascending order. */
  readonly ranges: readonly ProgramRange[];
}

/** A header; throws RangeError with what is wrong. */
export function parseHeader(bytes: Uint8Array): ProgramHeader {
  if (bytes.length < HEADER_BYTES) throw new RangeError("the header is cut");
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const word = (at: number): bigint => view.getBigUint64(at, true);
  if (word(0) !== MAGIC) throw new RangeError("it is no program");
  const count = Number(word(0x18)), flags = word(0x20);
  if (count < 1 || count > MOST_RANGES) throw new RangeError(`it has ${count} ranges`);
  const ranges = Array.from({ length: count }, (_, index) => parseRange(word, 0x80 + index * 0x20));
  let last = WINDOW_BASE;
  for (const { base, size } of ranges) {
    if (base < last) throw new RangeError("its ranges are not in order");
    last = base + size;
  }
  if (last > WINDOW_BASE + WINDOW_BYTES) throw new RangeError("it has memory outside the window");
  const text = new TextDecoder().decode(bytes.subarray(0x40, 0x80)).replace(/\0+$/, "");
  const features = text.split("+").filter((name) => name !== "");
  const unknown = features.find((name) => !Object.hasOwn(FEATURES, name));
  if (unknown !== undefined) throw new RangeError("it needs features that nobody knows");
  return {
    entry: Number(word(8)),
    stack: Number(word(0x10)),
    features,
    allowsShims: (flags & 1n) !== 0n,
    crossesTypes: (flags & 2n) !== 0n,
    ranges,
  };
}

function parseRange(word: (at: number) => bigint, at: number): ProgramRange {
  const [base, size] = [Number(word(at)), Number(word(at + 8))], offset = BigInt.asIntN(64, word(at + 16));
  const permission = word(at + 24);
  if (base < WINDOW_BASE || base % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0 || size < PAGE_SIZE) {
    throw new RangeError("a range is not of whole pages in the window");
  }
  if (permission !== 1n && permission !== 2n) throw new RangeError("a range has an unknown permission");
  if (offset !== -1n && (offset < 0n || Number(offset) + size > MOST_IMAGE)) {
    throw new RangeError("a range's contents are not in the image");
  }
  return {
    base,
    size,
    offset: offset === -1n ? undefined : Number(offset),
    writable: permission === 2n,
  };
}

/** Bytes of an image that the ranges and the header take. */
export function imageBytes({ ranges }: ProgramHeader): number {
  return Math.max(
    HEADER_BYTES,
    ...ranges.map(({ offset, size }) => offset === undefined ? 0 : offset + size),
  );
}

/** The largest granule in which no page has memory of two permissions: 4, 16 or 64 KiB. */
export function alignmentOf({ ranges }: ProgramHeader): number {
  const fits = (granule: number): boolean =>
    ranges.every(({ base, size }, index) => {
      const next = ranges[index + 1];
      return next === undefined ||
        Math.floor((base + size - 1) / granule) < Math.floor(next.base / granule);
    });
  return [0x10000, 0x4000].find(fits) ?? PAGE_SIZE;
}

/** Bytes of memory. */
export function memoryBytes({ ranges }: ProgramHeader): number {
  return ranges.reduce((sum, { size }) => sum + size, 0);
}

/** Where an address is in memory that has all ranges behind one another, each in whole granules; undefined for none. */
export function placeOf({ ranges }: ProgramHeader, address: number, granule: number): number | undefined {
  let before = 0;
  for (const { base, size } of ranges) {
    const first = Math.floor(base / granule) * granule, last = Math.ceil((base + size) / granule) * granule;
    if (address >= base && address < base + size) return before + address - first;
    before += last - first;
  }
  return undefined;
}

/** Bytes of that memory. */
export function placedBytes({ ranges }: ProgramHeader, granule: number): number {
  return ranges.reduce(
    (sum, { base, size }) =>
      sum + (Math.ceil((base + size) / granule) - Math.floor(base / granule)) * granule,
    0,
  );
}

/** Addresses of all pages of 4 KiB, in order. */
export function* pagesOf({ ranges }: ProgramHeader): Generator<number> {
  for (const { base, size } of ranges) for (let at = 0; at < size; at += PAGE_SIZE) yield base + at;
}
