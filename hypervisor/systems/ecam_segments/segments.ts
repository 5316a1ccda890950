/** Synthetic PCI segments: each is one bus of a root complex without ECAM, shown as bus 0 of a segment of its own. */

/** What firmware knows of a root port, by its board. */
export interface RootPortPlace {
  /** Its name in messages. */
  readonly name: string;
  /** Physical address of its registers. */
  readonly registers: number;
  /** Memory space that it forwards, the same addresses on both sides. */
  readonly window: { readonly base: number; readonly size: number };
  /** The shared peripheral interrupt of INTA; INTB to INTD follow. */
  readonly firstSpi: number;
}

/** A function that an operating system is shown. */
export interface SegmentFunction {
  /** Device number, 0–31, of the true bus and of the segment's bus 0. */
  readonly device: number;
  /** Function number, 0–7. */
  readonly function: number;
  /** Vendor ID in bits 15:0, Device ID in bits 31:16. */
  readonly identity: number;
}

/** A bus with endpoints on it, by firmware's numbers. */
export interface FoundBus {
  /** Index of the root port. */
  readonly port: number;
  /** True number of the bus, 1–255. */
  readonly bus: number;
  /** Its endpoints, by device and function. */
  readonly functions: readonly SegmentFunction[];
  /** Memory space of its endpoints: whole MiB. */
  readonly window: { readonly base: number; readonly size: number };
  /** Device numbers of the bridges between the root port and the bus, the lowest first. */
  readonly path: readonly number[];
}

/** A segment, or with `shape=tree` one bus of the only one. */
export interface Segment extends FoundBus {
  /** Its number, 0–65535. */
  readonly segment: number;
  /** Number of the bus that it is shown as: 0, or the true one in a tree. */
  readonly shown: number;
  /** Physical address of its ECAM region, `SEGMENT_SIZE` bytes. */
  readonly base: number;
}

/** What is not shown, and why. */
export interface Omission {
  /** Index of the root port. */
  readonly port: number;
  /** True number of the bus; 0 for the port itself. */
  readonly bus: number;
  /** Device number; 0 for what concerns the bus. */
  readonly device: number;
  /** A line. */
  readonly reason: string;
}

/** One bus of ECAM. */
export const SEGMENT_SIZE = 2 ** 20;
/** Segments that there are numbers for. */
export const SEGMENT_COUNT = 2 ** 16;

/** What is to be shown where. */
export interface Numbering {
  /** Each bus is bus 0 of its own segment; or all are one segment's, with their true numbers: one tree again. */
  readonly shape: "segments" | "tree";
  /** Number of the first segment. */
  readonly first: number;
  /** Address of its region. */
  readonly base: number;
  /** Bytes for all regions. */
  readonly size: number;
}

/**
 * Gives each bus a segment, in order; what has no number or no room is an omission. Throws RangeError when `first` is no
 * segment's number.
 */
export function numberSegments(
  buses: readonly FoundBus[],
  { shape, first, base, size }: Numbering,
): { readonly segments: Segment[]; readonly omissions: Omission[] } {
  if (!(Number.isInteger(first) && first >= 0 && first < SEGMENT_COUNT)) {
    throw new RangeError(`There is no segment ${first}: their numbers are 0 to ${SEGMENT_COUNT - 1}`);
  }
  const segments: Segment[] = [], omissions: Omission[] = [], room = Math.floor(size / SEGMENT_SIZE);
  for (const [at, found] of buses.entries()) {
    const { port, bus } = found, isTree = shape === "tree";
    const segment = isTree ? first : first + at, shown = isTree ? bus : 0, place = isTree ? bus : at;
    if (segment >= SEGMENT_COUNT) {
      omissions.push({ port, bus, device: 0, reason: `segment ${segment} has no number of 16 bits` });
    } else if (place >= room) {
      omissions.push({ port, bus, device: 0, reason: `there is room for the ECAM of ${room} buses only` });
    } else segments.push({ ...found, segment, shown, base: base + place * SEGMENT_SIZE });
  }
  return { segments, omissions };
}

/** A place in a segment's configuration space. */
export interface SegmentPlace {
  /** The segment. */
  readonly segment: Segment;
  /** Device number. */
  readonly device: number;
  /** Function number. */
  readonly function: number;
  /** Offset in the function's 4096 bytes. */
  readonly offset: number;
  /** There is such a function; others read as all ones. */
  readonly isThere: boolean;
}

/** What an address of ECAM means: the bus in bits 27:20, device, function and offset below; undefined outside all segments. */
export function placeOf(segments: readonly Segment[], address: number): SegmentPlace | undefined {
  for (const segment of segments) {
    const at = address - segment.base;
    if (at < 0 || at >= SEGMENT_SIZE) continue;
    const device = at >>> 15 & 0x1f, number = at >>> 12 & 7;
    const isThere = segment.functions.some((one) => one.device === device && one.function === number);
    return { segment, device, function: number, offset: at & 0xfff, isThere };
  }
  return undefined;
}

/** The true requester ID that one of a segment stands for; undefined for one of another bus. */
export function trueRequester({ bus, shown }: Segment, input: number): number | undefined {
  return input >>> 8 === shown ? bus << 8 | input & 0xff : undefined;
}

/** The requester ID in a segment of a true one; undefined for one of another bus. */
export function shownRequester({ bus, shown }: Segment, id: number): number | undefined {
  return id >>> 8 === bus ? shown << 8 | id & 0xff : undefined;
}

/** The shared peripheral interrupt of a pin, INTA being 1, of a device: each bridge on the way adds its device number. */
export function interruptOf(
  { path }: FoundBus,
  { firstSpi }: RootPortPlace,
  device: number,
  pin: number,
): number {
  return firstSpi + (pin - 1 + device + path.reduce((sum, next) => sum + next, 0)) % 4;
}
