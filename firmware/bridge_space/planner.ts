/**
 * Plans how code goes from one address space to another: the shortest chain of hops, each of which is architecturally sound.
 *
 * A hop that keeps the MMU on is a branch to another address of the same memory, or a write of TTBR0 while both spaces
 * have the code at the present address and share TCR (Arm ARM D8.14: nothing else may change under live translations). A
 * chain without one that turns the MMU off comes first; where there is none, as for another T0SZ, the MMU goes off where
 * the address is the physical one, or where there is no memory at the physical address of that number, so that the
 * fetch aborts; and on again where it is, or where nothing is mapped, so that the abort's vector is the way in.
 */
import { shiftOf, startLevel, type TranslationLayout } from "../loader/translation_layout.ts";
import type { Mapping } from "../loader/translation_tables.ts";

/** An address space: what TCR and TTBR0 stand for. */
export interface PlannedSpace {
  /** How messages call it. */
  readonly name: string;
  /** T0SZ and granule: spaces that differ in these do not share TCR. */
  readonly layout: TranslationLayout;
  /** What is mapped; all of it can be executed. */
  readonly mappings: readonly Omit<Mapping, "attributes">[];
}

/** What is asked for. */
export interface PlanRequest {
  /** Where the code runs, and at which address. */
  readonly source: PlannedSpace;
  readonly from: bigint;
  /** Where it is to run, and at which address. */
  readonly target: PlannedSpace;
  readonly to: bigint;
  /** Where it is: physical address, and bytes. Multiples of the granules, as the addresses are. */
  readonly physical: bigint;
  readonly size: bigint;
  /** Whether nothing answers at a physical address. */
  readonly isUnbacked: (physical: bigint) => boolean;
}

/** How a hop is done. */
export type HopKind = "branch" | "switch" | "off" | "offByAbort" | "on" | "onByAbort";

/** One hop, and where the code is after it. */
export interface Hop {
  readonly kind: HopKind;
  /** The space, undefined with the MMU off. */
  readonly space: PlannedSpace | undefined;
  /** The address of the code's first byte. */
  readonly address: bigint;
  /** Why it may be done. */
  readonly because: string;
}

/** Weights: a chain with the MMU on is shorter than any without, then hops count, then aborts. */
const OFF = 1_000_000, HOP = 1_000, ABORT = 1;

// deno-fmt-ignore
const WEIGHTS: Readonly<Record<HopKind, number>> = {
  branch: HOP, switch: HOP, off: OFF + HOP, offByAbort: OFF + HOP + ABORT, on: HOP, onByAbort: HOP + ABORT,
};

const hex = (value: bigint): string => `0x${value.toString(16)}`;

function isSameLayout(left: TranslationLayout, right: TranslationLayout): boolean {
  return left.granule === right.granule && left.inputBits === right.inputBits;
}

/** Where an address leads in a space; undefined where nothing is mapped, or beyond its width. */
export function physicalIn({ layout, mappings }: PlannedSpace, address: bigint): bigint | undefined {
  if (address < 0n || address >> BigInt(layout.inputBits) !== 0n) return undefined;
  const found = mappings.find(({ virtual, size }) => address >= virtual && address < virtual + size);
  return found && found.physical + address - found.virtual;
}

/** Whether all of the code is at an address. */
function hasCode(space: PlannedSpace, address: bigint, { physical, size }: PlanRequest): boolean {
  const granule = 1n << BigInt(space.layout.granule);
  for (let offset = 0n; offset < size; offset += granule) {
    if (physicalIn(space, address + offset) !== physical + offset) return false;
  }
  return true;
}

/** Throws RangeError for a request that has no sense. */
function checkRequest(request: PlanRequest): void {
  const { source, target, from, to, physical, size } = request;
  for (const space of [source, target]) {
    const granule = 1n << BigInt(space.layout.granule);
    for (const value of [from, to, physical, size]) {
      if (value % granule !== 0n) {
        throw new RangeError(`Cannot plan: ${hex(value)} is no multiple of the granule of ${space.name}`);
      }
    }
  }
  if (!hasCode(source, from, request)) {
    throw new RangeError(`Cannot plan: the code is not at ${hex(from)} in ${source.name}`);
  }
  if (!hasCode(target, to, request)) {
    throw new RangeError(`Cannot plan: the code is not at ${hex(to)} in ${target.name}`);
  }
}

/** Addresses that a bridge may use: those that matter, and one far from all of them in each layout. */
function candidates({ source, target, from, to, physical, size }: PlanRequest): bigint[] {
  const known = [...new Set([from, to, physical])];
  const far = [source, target].flatMap(({ layout }) => {
    const step = 1n << BigInt(shiftOf(layout.granule, Math.max(2, startLevel(layout))));
    const limit = 1n << BigInt(layout.inputBits);
    for (let address = step; address + size <= limit; address += step) {
      if (known.every((other) => address >= other + size || other >= address + size)) return [address];
    }
    return [];
  });
  return [...new Set([...known, ...far])];
}

/** Spaces with the code at two addresses that do not overlap, in the layouts of both ends. */
function bridges(request: PlanRequest): PlannedSpace[] {
  const { source, target, physical, size } = request, all = candidates(request);
  const layouts = [source.layout, target.layout].filter((layout, index, both) =>
    index === 0 || !isSameLayout(layout, both[0]!)
  );
  return layouts.flatMap((layout) => {
    const places = all.filter((address) => (address + size) <= 1n << BigInt(layout.inputBits));
    return places.flatMap((one, index) =>
      places.slice(index + 1).filter((other) => other >= one + size || one >= other + size).map((other) => ({
        name: `bridge ${hex(one)}, ${hex(other)}`,
        layout,
        mappings: [one, other].map((virtual) => ({ virtual, physical, size })),
      }))
    );
  });
}

/** Everything that can be done from a place. */
function* hopsFrom(
  { space, address }: Pick<Hop, "space" | "address">,
  request: PlanRequest,
  spaces: readonly PlannedSpace[],
  places: readonly bigint[],
): Generator<Hop> {
  const { physical, isUnbacked } = request;
  if (space === undefined) {
    for (const next of spaces) {
      const found = physicalIn(next, physical);
      if (found === physical) {
        yield {
          kind: "on",
          space: next,
          address: physical,
          because: `${next.name} has ${hex(physical)} where it is`,
        };
      }
      if (found !== undefined) continue;
      for (const place of places) {
        if (!hasCode(next, place, request)) continue;
        const because = `${next.name} has nothing at ${hex(physical)}: the fetch aborts to the vectors at ${
          hex(place)
        }`;
        yield { kind: "onByAbort", space: next, address: place, because };
      }
    }
    return;
  }
  for (const place of places) {
    if (place === address || !hasCode(space, place, request)) continue;
    yield { kind: "branch", space, address: place, because: `${space.name} has the code at both addresses` };
  }
  for (const next of spaces) {
    if (next === space || !isSameLayout(next.layout, space.layout) || !hasCode(next, address, request)) {
      continue;
    }
    const because = `${space.name} and ${next.name} share TCR and have the code at ${hex(address)}`;
    yield { kind: "switch", space: next, address, because };
  }
  if (address === physical) {
    yield { kind: "off", space: undefined, address: physical, because: "the address is the physical one" };
  } else if (isUnbacked(address)) {
    const because = `no memory is at the physical address ${
      hex(address)
    }: the fetch aborts to the vectors at ${hex(physical)}`;
    yield { kind: "offByAbort", space: undefined, address: physical, because };
  }
}

/**
 * The shortest chain, or undefined where there is none; no hop at all where the code is there already. Throws RangeError
 * when the code is not where the request says, or is not aligned.
 */
export function planHops(request: PlanRequest): readonly Hop[] | undefined {
  checkRequest(request);
  const { source, target, from, to } = request;
  const spaces = [source, target, ...bridges(request)], places = candidates(request);
  const keyOf = ({ space, address }: Pick<Hop, "space" | "address">) =>
    `${space === undefined ? "off" : spaces.indexOf(space)} ${address}`;
  interface Reached {
    readonly hops: readonly Hop[];
    readonly weight: number;
    readonly at: Pick<Hop, "space" | "address">;
  }
  const open: Reached[] = [{ hops: [], weight: 0, at: { space: source, address: from } }];
  const done = new Set<string>();
  for (;;) {
    // Few places: no heap is needed, and ties go to what was found first.
    const least = open.reduce((best, { weight }, index) => weight < open[best]!.weight ? index : best, 0);
    const [current] = open.splice(least, 1);
    if (current === undefined) return undefined;
    const key = keyOf(current.at);
    if (done.has(key)) continue;
    done.add(key);
    if (current.at.space === target && current.at.address === to) return current.hops;
    for (const hop of hopsFrom(current.at, request, spaces, places)) {
      open.push({ hops: [...current.hops, hop], weight: current.weight + WEIGHTS[hop.kind], at: hop });
    }
  }
}
