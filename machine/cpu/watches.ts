/** The watch points of a machine while it runs: which pages no quick path may use, and what was hit. */
import type { CodeObserver } from "../memory/physical.ts";
import type { WatchHit, WatchPoint } from "../watch.ts";
import { checkBreakpoints } from "./breakpoints.ts";
import type { Cpu } from "./cpu.ts";
import { isFetchable } from "./slow_access.ts";

/** Bits of a virtual address that do not depend on tags. */
const ADDRESS_BITS = 56;
/** Pages of the TLB, in bytes as a power of two. */
const PAGE_SHIFT = 12n;
/** Bits of addresses. */
const LARGEST = { virtual: 2n ** 64n, physical: 2n ** 52n } as const;

type DataPoint = Exclude<WatchPoint, { kind: "execute" }>;
type Space = DataPoint["space"];

/** A point with the bytes it is about, its ends within, and their pages. */
interface Range {
  readonly point: DataPoint;
  readonly first: bigint;
  readonly last: bigint;
  readonly firstPage: number;
  readonly lastPage: number;
  /** Where in these they are. */
  readonly firstByte: number;
  readonly lastByte: number;
}

/** Bytes that an access reaches, in one page. */
export interface WatchedPiece {
  /** Physical address of the first. */
  readonly physical: number;
}

function rangeOf(point: DataPoint): Range {
  const isVirtual = point.space === "virtual";
  const first = isVirtual ? BigInt.asUintN(ADDRESS_BITS, point.address) : point.address;
  const last = first + BigInt(point.size) - 1n;
  return {
    point,
    first,
    last,
    firstPage: Number(first >> PAGE_SHIFT),
    lastPage: Number(last >> PAGE_SHIFT),
    firstByte: Number(first & 0xfffn),
    lastByte: Number(last & 0xfffn),
  };
}

/** What makes two points the same. */
function keyOf(point: WatchPoint): string {
  const where = point.kind === "execute" ? "" : `${point.space} ${point.size}`;
  return `${point.kind} ${point.address} ${where} ${point.cpu ?? ""}`;
}

function check(point: WatchPoint, cpus: number): void {
  const { kind, address, cpu } = point,
    refuse = (why: string): never => {
      throw new RangeError(`Cannot watch for "${kind}" at ${address}: ${why}`);
    };
  if (cpu !== undefined && !(Number.isInteger(cpu) && cpu >= 0 && cpu < cpus)) {
    refuse(`there is no CPU ${cpu}`);
  }
  const { size, space } = kind === "execute" ? { size: 1, space: "virtual" as const } : point;
  if (!(Number.isSafeInteger(size) && size > 0)) refuse(`${size} bytes`);
  if (address < 0n || address + BigInt(size) > LARGEST[space]) refuse(`no ${space} address`);
}

/** Number of the page of a virtual address without its tag, of which the halves are given. */
const pageOf = (high: number, low: number): number => (high & 0xff_ffff) * 2 ** 20 + (low >>> 12);

/** Bytes `from` to `to` of a page are of one of the ranges. */
function reaches(ranges: readonly Range[], page: number, from: number, to: number): boolean {
  return ranges.some(({ firstPage, lastPage, firstByte, lastByte }) =>
    (page > firstPage || page === firstPage && to >= firstByte) &&
    (page < lastPage || page === lastPage && from <= lastByte)
  );
}

const overlaps = ({ first, last }: Range, start: bigint, size: number): boolean =>
  start <= last && first < start + BigInt(size);

/** A breakpoint of the guest's own is taken in place of the instruction at the PC. */
function isBreakpointDue(cpu: Cpu): boolean {
  if (cpu.armed === undefined) return false;
  checkBreakpoints(cpu, cpu.armed);
  const isDue = cpu.pending !== undefined;
  cpu.pending = undefined;
  return isDue;
}

/** The points that concern one CPU. */
export class CpuWatches {
  readonly #execute = new Map<bigint, WatchPoint[]>();
  /** Points by what they watch: an "access" is in both. */
  readonly #ranges: Readonly<Record<"read" | "write", Record<Space, Range[]>>> = {
    read: { virtual: [], physical: [] },
    write: { virtual: [], physical: [] },
  };

  /** Those of all that are for a CPU: −1 is devices, which see physical addresses alone. */
  constructor(private readonly watches: Watches, private readonly index: number) {
    for (const point of watches.points) {
      if (point.cpu !== undefined && point.cpu !== index) continue;
      if (point.kind === "execute") {
        const address = BigInt.asUintN(ADDRESS_BITS, point.address);
        this.#execute.set(address, [...this.#execute.get(address) ?? [], point]);
      } else if (point.space === "physical" || index >= 0) {
        for (const kind of ["read", "write"] as const) {
          if (point.kind === kind || point.kind === "access") {
            this.#ranges[kind][point.space].push(rangeOf(point));
          }
        }
      }
    }
  }

  /** Some instruction is watched. */
  get hasExecute(): boolean {
    return this.#execute.size > 0;
  }

  /** The instruction at a virtual address is watched, whatever the address's tag. */
  isInstruction(address: bigint): boolean {
    return this.#execute.has(BigInt.asUintN(ADDRESS_BITS, address));
  }

  /** The page of a virtual address, given in halves, has watched bytes: no quick path may make such accesses there. */
  isVirtualPage(kind: "read" | "write", high: number, low: number): boolean {
    const page = pageOf(high, low);
    return this.#ranges[kind].virtual.some(({ firstPage, lastPage }) =>
      page >= firstPage && page <= lastPage
    );
  }

  /** The page of a physical address has watched bytes. */
  isPhysicalPage(kind: "read" | "write", address: number): boolean {
    const page = Math.floor(address / 4096);
    return this.#ranges[kind].physical.some(({ firstPage, lastPage }) =>
      page >= firstPage && page <= lastPage
    );
  }

  /** An access within a page, of which the page's physical address is known, reaches watched bytes. */
  isWatched(kind: "read" | "write", high: number, low: number, size: number, physicalPage: number): boolean {
    const { virtual, physical } = this.#ranges[kind];
    const from = low & 0xfff, to = from + size - 1;
    return virtual.length > 0 && reaches(virtual, pageOf(high, low), from, to) ||
      physical.length > 0 && reaches(physical, physicalPage / 4096, from, to);
  }

  /** Physical addresses are watched for such accesses. */
  hasPhysical(kind: "read" | "write"): boolean {
    return this.#ranges[kind].physical.length > 0;
  }

  /** The CPU is about to take a step at its PC, as an engine asks before it: true when a watch point stops it there. */
  stopsBefore(cpu: Cpu): boolean {
    const { clock } = cpu.surroundings;
    if (!this.isInstruction(cpu.pc) || clock.instant === this.watches.standing) return false;
    if (!isFetchable(cpu) || isBreakpointDue(cpu)) return false;
    const address = BigInt.asUintN(ADDRESS_BITS, cpu.pc);
    for (const point of this.#execute.get(address) as WatchPoint[]) {
      this.watches.hit({ point, instant: clock.instant, cpu: cpu.index, address: point.address });
    }
    this.watches.isStopped = true;
    return true;
  }

  /** An access to `size` bytes at a virtual address was made, in one or two pages; the step is the last one of its burst. */
  accessed(
    cpu: Cpu,
    write: boolean,
    address: bigint,
    size: number,
    pieces: readonly (WatchedPiece | undefined)[],
  ): void {
    const { instant } = cpu.surroundings.clock;
    const { virtual, physical } = this.#ranges[write ? "write" : "read"];
    const start = BigInt.asUintN(ADDRESS_BITS, address);
    for (const range of virtual) {
      if (overlaps(range, start, size)) {
        this.watches.hit({ point: range.point, instant, cpu: this.index, address });
      }
    }
    if (physical.length === 0) return;
    const inFirst = pieces[1] === undefined ? size : 4096 - Number(address & 0xfffn);
    this.accessedPhysically(instant, write, (pieces[0] as WatchedPiece).physical, inFirst);
    if (pieces[1] !== undefined) {
      this.accessedPhysically(instant, write, pieces[1].physical, size - inFirst);
    }
  }

  /** An access to bytes at a physical address was made. */
  accessedPhysically(instant: number, write: boolean, address: number, size: number): void {
    const start = BigInt(address);
    for (const range of this.#ranges[write ? "write" : "read"].physical) {
      if (!overlaps(range, start, size)) continue;
      this.watches.hit({ point: range.point, instant, cpu: this.index, address: start });
    }
  }
}

/** The watch points of one machine. They are no part of its state: nothing that it does depends on them. */
export class Watches {
  /** Hits that `run` has not told yet. */
  #hits: WatchHit[] = [];
  /** Those of devices. */
  readonly #devices: CpuWatches;
  /** Accesses count: the machine runs. Whoever looks at it otherwise leaves no trace. */
  isOn = false;
  /** A CPU stands before an instruction that is watched. */
  isStopped = false;
  /** Instant at which execution goes on from where it was stopped; −1 for none. */
  standing: number = -1;

  /** Throws RangeError for a point that cannot be. */
  constructor(readonly points: readonly WatchPoint[], private readonly cpus: readonly Cpu[]) {
    for (const point of points) check(point, cpus.length);
    this.#devices = new CpuWatches(this, -1);
  }

  /** Puts the points in force, in place of those of before; quick paths forget what they may not know any more. */
  install(before: Watches | undefined, observer: CodeObserver | undefined): void {
    const { cpus, points } = this;
    const known = new Set((before?.points ?? []).map(keyOf)), wanted = new Set(points.map(keyOf));
    for (const cpu of cpus) cpu.watches = points.length === 0 ? undefined : new CpuWatches(this, cpu.index);
    const added = points.filter((point) => !known.has(keyOf(point)));
    const gone = (before?.points ?? []).filter((point) => !wanted.has(keyOf(point)));
    for (const { kind, address } of [...added, ...gone]) {
      if (kind === "execute") observer?.breakpointChanged(BigInt.asUintN(ADDRESS_BITS, address));
    }
    if (added.some(({ kind }) => kind !== "execute")) { for (const { tlb } of cpus) tlb.drop(); }
  }

  /** Takes a hit: the burst ends after the present step. A point is hit once by a CPU's step, whatever its accesses. */
  hit(hit: WatchHit): void {
    if (!this.isOn) return;
    const { point, instant, cpu } = hit;
    const isKnown = this.#hits.some((other) =>
      other.point === point && other.instant === instant && other.cpu === cpu
    );
    if (!isKnown) this.#hits.push(hit);
    for (const { index } of this.cpus) (this.cpus[index] as Cpu).attention = true;
  }

  /** A device accesses physical memory. */
  accessedByDevice(instant: number, write: boolean, address: number, size: number): void {
    this.#devices.accessedPhysically(instant, write, address, size);
  }

  /** There are hits to be told. */
  get hasHits(): boolean {
    return this.#hits.length > 0;
  }

  /** The hits, which are forgotten, if one of them is of a step before `instant`. */
  take(instant: number = Infinity): readonly WatchHit[] | undefined {
    const hits = this.#hits;
    if (!hits.some((hit) => hit.instant < instant)) return undefined;
    this.#hits = [];
    return hits;
  }

  /** Forgets what has happened; the state is another one. */
  forget(): void {
    this.#hits = [];
    this.isStopped = false;
    this.standing = -1;
  }
}
