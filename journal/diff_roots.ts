/** What the roots in two journals say of their runs, without replaying anything. */
import { equalBytes } from "./hash.ts";
import type { StoredRoot } from "./payloads.ts";
import type { RecordedRun } from "./run.ts";

/** Two roots of one instant. */
type RootPair = readonly [StoredRoot, StoredRoot];

/** The last common root with equal histories and the first with different ones. */
export interface RootBounds {
  /** Up to here the runs are equal; 0 when no root says so. */
  readonly lastEqual: number;
  /** Here they are not, if a root says so. */
  readonly firstDiffering: number | undefined;
  /** History roots that were compared. */
  readonly compared: number;
  /** Both runs have ended, and are equal. */
  readonly areEqual: boolean;
}

/** Whether equal runs have roots at equal instants: otherwise their chains of roots cannot be compared. */
export function haveEqualIntervals(left: RecordedRun, right: RecordedRun): boolean {
  return left.manifest.configuration.rootInterval === right.manifest.configuration.rootInterval;
}

/** The roots that both runs have, the ends' included. */
export function commonRoots(left: RecordedRun, right: RecordedRun): RootPair[] {
  const all = ({ roots, end }: RecordedRun): readonly StoredRoot[] =>
    end === undefined ? roots : [...roots, end];
  const others = new Map(all(right).map((root) => [root.instant, root]));
  return all(left).flatMap((root): RootPair[] => {
    const other = others.get(root.instant);
    return other === undefined ? [] : [[root, other]];
  });
}

/** Halves the common roots: histories never meet again. */
export function boundsFromRoots(left: RecordedRun, right: RecordedRun): RootBounds {
  const roots = commonRoots(left, right);
  let compared = 0;
  const isEqual = ([one, other]: RootPair): boolean => {
    compared++;
    return equalBytes(one.historyRoot, other.historyRoot);
  };
  const last = roots.at(-1);
  if (last === undefined || isEqual(last)) {
    const haveEnded = left.end !== undefined && right.end !== undefined;
    const isEnd = left.end?.instant === last?.[0].instant && right.end?.instant === last?.[0].instant;
    return {
      lastEqual: last?.[0].instant ?? 0,
      firstDiffering: undefined,
      compared,
      areEqual: last !== undefined && haveEnded && isEnd && haveEqualIntervals(left, right),
    };
  }
  let low = -1, high = roots.length - 1;
  while (high - low > 1) {
    const middle = low + ((high - low) >> 1);
    if (isEqual(roots[middle] as RootPair)) low = middle;
    else high = middle;
  }
  return {
    lastEqual: roots[low]?.[0].instant ?? 0,
    firstDiffering: (roots[high] as RootPair)[0].instant,
    compared,
    areEqual: false,
  };
}

/** The parts in which two states differ. */
export interface DifferingParts {
  /** Where they were compared. */
  readonly instant: number;
  /** Names of sections and memories; none when the states are equal. */
  readonly parts: readonly string[];
}

/** Names of the parts that are not in both states, or not the same. */
export function differingParts(
  left: readonly { readonly name: string; readonly hash: Uint8Array }[],
  right: readonly { readonly name: string; readonly hash: Uint8Array }[],
): string[] {
  const parts = new Map(left.map(({ name, hash }) => [name, hash]));
  const differing: string[] = [];
  for (const { name, hash } of right) {
    const other = parts.get(name);
    if (other === undefined || !equalBytes(other, hash)) differing.push(name);
    parts.delete(name);
  }
  return [...differing, ...parts.keys()];
}

/** What became of the states after a difference. */
export interface Healing {
  /** Common roots after it. */
  readonly roots: number;
  /** Among them those where the states are equal. */
  readonly equal: number;
  /** The first root from which on all states are equal; absent when they are not at the last, or there is none. */
  readonly healedAt?: number;
  /** The states at the first common root after it, and at the last. */
  readonly first?: DifferingParts;
  /** The same at the last. */
  readonly last?: DifferingParts;
}

/** Reads from the roots after an instant whether the states meet again. */
export function healing(left: RecordedRun, right: RecordedRun, after: number): Healing {
  const roots = commonRoots(left, right).filter(([{ instant }]) => instant > after);
  const differing = roots.map(([one, other]): DifferingParts => ({
    instant: one.instant,
    parts: equalBytes(one.stateRoot, other.stateRoot) ? [] : differingParts(one.parts, other.parts),
  }));
  const equal = differing.filter(({ parts }) => parts.length === 0).length;
  const lastDifferent = differing.findLastIndex(({ parts }) => parts.length > 0);
  const healed = differing[lastDifferent + 1];
  const [first, last] = [differing[0], differing.at(-1)];
  return {
    roots: roots.length,
    equal,
    ...healed === undefined ? {} : { healedAt: healed.instant },
    ...first === undefined ? {} : { first },
    ...last === undefined ? {} : { last },
  };
}
