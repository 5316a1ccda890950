/** Where memory that differs from the start, an image or a device tree, is first read: often the cause of what follows. */
import { physicalAddress } from "../machine/address.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import type { EventOf, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { WatchPoint } from "../machine/watch.ts";
import type { DiffSide } from "./diff_result.ts";
import { both, type Pair, type Side } from "./diff_side.ts";
import { Timeline } from "./timeline.ts";
import type { ReplayOptions } from "./replay.ts";

/** Bytes of physical memory. */
interface Range {
  readonly address: number;
  readonly size: number;
}

/** The first step that reads what differs from the start. Instructions that differ are no reads. */
export interface FirstUse {
  /** Its instant. */
  readonly instant: number;
  /** The CPU; −1 for a device's DMA. */
  readonly cpu: number;
  /** Physical address. */
  readonly address: number;
  /** Bytes that differ from the start. */
  readonly bytes: number;
  /** Where the first of them is. */
  readonly first: number;
  /** The bytes around that one at the start, in each run, at most `AROUND` before and after it. */
  readonly around: readonly [Uint8Array, Uint8Array];
  /** The step in each run. */
  readonly steps: readonly [EventOf<"stepRetired"> | undefined, EventOf<"stepRetired"> | undefined];
}

/** Bytes shown before and after the first that differs. */
const AROUND = 24;
/** Ranges with less than this between them are one. */
const NEAR = 8;
/** More of it is another program, not another property: its first use says nothing. */
const MOST_RANGES = 256, MOST_BYTES = 1 << 16;
/** Memory for the checkpoints of the way there, which is gone once. */
const CHECKPOINT_MEMORY = 1 << 26;

/** Where the memories of two machines differ, in order; undefined where that is too much. */
export function differingMemory(left: Machine, right: Machine): readonly Range[] | undefined {
  const ranges: { address: number; size: number }[] = [];
  let total = 0;
  const add = (address: number): boolean => {
    const last = ranges.at(-1);
    if (last !== undefined && address - (last.address + last.size) < NEAR) {
      last.size = address - last.address + 1;
    } else ranges.push({ address, size: 1 });
    return ++total <= MOST_BYTES && ranges.length <= MOST_RANGES;
  };
  const [one, other] = [left.board.memory, right.board.memory];
  for (const { name, base, size: whole, hostOffset: a } of one.regions) {
    const same = other.regions.find((region) => region.name === name && region.base === base);
    if (same === undefined) continue;
    const size = Math.min(whole, same.size), b = same.hostOffset;
    for (let page = 0; page < size; page += PAGE_SIZE) {
      if (isEqualPage(one.bytes, a + page, other.bytes, b + page)) continue;
      for (let at = page; at < page + PAGE_SIZE; at++) {
        if (one.bytes[a + at] !== other.bytes[b + at] && !add(base + at)) return undefined;
      }
    }
  }
  return ranges;
}

function isEqualPage(
  left: Uint8Array<ArrayBuffer>,
  a: number,
  right: Uint8Array<ArrayBuffer>,
  b: number,
): boolean {
  const [one, other] = [
    new Uint32Array(left.buffer, a, PAGE_SIZE / 4),
    new Uint32Array(right.buffer, b, PAGE_SIZE / 4),
  ];
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** Finds the first read before an instant; both sides stand where the ranges were found, and at the read afterwards. */
export function firstUse(
  left: DiffSide,
  sides: Pair<Side>,
  ranges: readonly Range[],
  before: number,
  options: ReplayOptions,
): FirstUse | undefined {
  const first = (ranges[0] as Range).address;
  const around = both(sides, ({ replay }) => bytesAround(replay.machine, first));
  const timeline = new Timeline(left.run, left.images, { ...options, checkpointMemory: CHECKPOINT_MEMORY });
  timeline.seek(sides[0].instant);
  const watches = ranges.map(({ address, size }): WatchPoint => (
    { kind: "read", address: BigInt(address), size, space: "physical" }
  ));
  const reached = timeline.runForwardTo({ watches }, Math.min(before + 1, left.run.lastInstant));
  const hit = reached.kind === "hit" ? reached.hits[0] : undefined;
  if (hit === undefined) return undefined;
  const steps = sides.map((side) => {
    side.runTo(hit.instant);
    return side.gather(hit.instant + 1, false).find(isStep);
  });
  return {
    instant: hit.instant,
    cpu: hit.cpu,
    address: Number(hit.address),
    bytes: ranges.reduce((sum, { size }) => sum + size, 0),
    first,
    around,
    steps: [steps[0], steps[1]],
  };
}

/** The bytes of the region around an address. */
function bytesAround({ board: { memory } }: Machine, address: number): Uint8Array {
  const region = memory.regions.find(({ base, size }) => address >= base && address < base + size);
  if (region === undefined) return new Uint8Array(0);
  const [from, to] = [
    Math.max(region.base, address - AROUND),
    Math.min(region.base + region.size, address + AROUND),
  ];
  return memory.viewBytes(physicalAddress(from), to - from);
}

function isStep(event: MachineEvent): event is EventOf<"stepRetired"> {
  return event.kind === "stepRetired";
}
