/** Diff of two worlds: the first root and the first event in which they differ, and the first divergent event of a machine. */
import { diff, type DiffOptions } from "../journal/diff.ts";
import type { Difference, DiffSide } from "../journal/diff_result.ts";
import { equalBytes } from "../journal/hash.ts";
import type { MachineImages } from "../machine/compose.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { WorldRoot } from "./course.ts";
import { compareWorldEvents, type WorldEvent, writeWorldEvent } from "./events.ts";
import type { RecordedLife, RecordedWorld } from "./run.ts";

/** One of two worlds. */
export interface WorldSide {
  /** The recorded world. */
  readonly run: RecordedWorld;
  /** Images of its machines. */
  readonly images: MachineImages;
}

/** Where two runs of a machine part, in a world. */
export interface LifeDifference extends RecordedLife {
  /** What diff of machines found. */
  readonly difference: Difference;
  /** The world's time of it, in nanoseconds. */
  readonly time: number;
}

/** What was found. */
export interface WorldDifference {
  /** Nothing differs. */
  readonly isEqual: boolean;
  /** Times of the last equal root, and of the first one that is not; undefined where there is none. */
  readonly between: readonly [number | undefined, number | undefined];
  /** The first events in the total order that are not the same, if any are; undefined on a side that has none more. */
  readonly events: readonly [WorldEvent | undefined, WorldEvent | undefined] | undefined;
  /** The machine in which they part first, as far as machines do. */
  readonly machine: LifeDifference | undefined;
}

const rootsOf = ({ roots, end }: RecordedWorld): readonly WorldRoot[] =>
  end === undefined ? roots : [...roots, end];

/** Histories never meet again, so the roots are halved. */
function partingRoots(a: RecordedWorld, b: RecordedWorld): WorldDifference["between"] {
  const [left, right] = [rootsOf(a), rootsOf(b)];
  const isEqual = (index: number): boolean => {
    const [one, other] = [left[index], right[index]];
    if (one === undefined || other === undefined) return one === other;
    return one.time === other.time && equalBytes(one.historyRoot, other.historyRoot);
  };
  let low = 0, high = Math.max(left.length, right.length);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isEqual(middle)) low = middle + 1;
    else high = middle;
  }
  const times = [left[low]?.time, right[low]?.time].filter((time) => time !== undefined);
  return [left[low - 1]?.time, times.length === 0 ? undefined : Math.max(...times)];
}

function bytesOf(event: WorldEvent): Uint8Array {
  const writer = new ByteWriter();
  writeWorldEvent(writer, event);
  return writer.view().slice();
}

function partingEvents(a: RecordedWorld, b: RecordedWorld): WorldDifference["events"] {
  for (let index = 0;; index++) {
    const [left, right] = [a.events[index], b.events[index]];
    if (left === undefined && right === undefined) return undefined;
    if (left === undefined || right === undefined) return [left, right];
    if (!equalBytes(bytesOf(left), bytesOf(right))) return [left, right];
  }
}

/** The lives that both have, in order of power-on. */
function sharedLives(a: RecordedWorld, b: RecordedWorld): RecordedLife[] {
  const others = b.lives;
  return a.lives.filter((life) =>
    others.some(({ node, life: number, start }) =>
      node === life.node && number === life.life && start === life.start
    )
  );
}

/** Where a difference is in a life, in nanoseconds of its machine; undefined for none. */
function timeOf(difference: Difference, sides: readonly DiffSide[]): number | undefined {
  if (difference.kind === "divergent") return difference.sides[0].replay.machine.virtualTime;
  if (difference.kind !== "length") return undefined;
  return Math.min(...sides.map(({ run }) => run.end?.virtualTime ?? Infinity));
}

function partingMachine(a: WorldSide, b: WorldSide, options: DiffOptions): LifeDifference | undefined {
  let first: LifeDifference | undefined;
  for (const life of sharedLives(a.run, b.run)) {
    if (first !== undefined && life.start >= first.time) break;
    const sides = [a, b].map(({ run, images }) => ({ run: run.run(life), images })) as [DiffSide, DiffSide];
    const difference = diff(...sides, options), within = timeOf(difference, sides);
    if (within === undefined || within === Infinity) continue;
    const time = life.start + within;
    if (first === undefined || time < first.time) first = { ...life, difference, time };
  }
  return first;
}

/** Compares two recorded worlds. Throws what reading and replaying throw. */
export function diffWorlds(a: WorldSide, b: WorldSide, options: DiffOptions = {}): WorldDifference {
  const between = partingRoots(a.run, b.run), events = partingEvents(a.run, b.run);
  const isEqual = between[1] === undefined && events === undefined;
  return { isEqual, between, events, machine: isEqual ? undefined : partingMachine(a, b, options) };
}

/** The earlier of two events, one of which may be missing. */
export function earlier([a, b]: readonly [WorldEvent | undefined, WorldEvent | undefined]): WorldEvent {
  if (a === undefined || b === undefined) return (a ?? b)!;
  return compareWorldEvents(a, b) <= 0 ? a : b;
}
