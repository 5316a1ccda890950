/** Matches two short lists of events: anchors that are unique in both first, then the best alignment between them. */

/** What is matched: events, or anything else with two keys. */
export interface Keyed {
  /** Equal for what may belong together. */
  readonly shape: number;
  /** Equal for what says the same; then `shape` is equal too. */
  readonly content: number;
}

/** Indices of two events that belong together. */
export type Match = readonly [left: number, right: number];

/** A stretch of both lists: [from, to) of each. */
interface Gap {
  readonly left: readonly [number, number];
  readonly right: readonly [number, number];
}

/** Consecutive events that make an anchor, in the order in which they are tried. */
const RUNS = [4, 1] as const;
/** Cells of the largest table. */
const TABLE = 1 << 18;
/** Events on a side of a table where a gap is too large for one. */
const SIDE = 512;
/** What is worth how much: events that say the same, and those that may belong together. */
const EQUAL = 3, ALIKE = 2;

/** Matches in increasing order on both sides; matched events have equal `shape`. */
export function matchEvents(left: readonly Keyed[], right: readonly Keyed[]): Match[] {
  return matchGap(left, right, { left: [0, left.length], right: [0, right.length] }, 0);
}

function matchGap(
  left: readonly Keyed[],
  right: readonly Keyed[],
  gap: Gap,
  level: number,
): Match[] {
  const [n, m] = [gap.left[1] - gap.left[0], gap.right[1] - gap.right[0]];
  if (n === 0 || m === 0) return [];
  const run = RUNS[level];
  if (run === undefined || n * m <= TABLE / 64) return matchByTables(left, right, gap);
  const anchors = increasing(uniqueRuns(left, right, gap, run));
  if (anchors.length === 0) return matchGap(left, right, gap, level + 1);
  const matches: Match[] = [];
  let from: Match = [gap.left[0], gap.right[0]];
  const close = (to: Match): void => {
    const between: Gap = { left: [from[0], to[0]], right: [from[1], to[1]] };
    matches.push(...matchGap(left, right, between, level + 1));
  };
  for (const [i, j] of anchors) {
    if (i < from[0] || j < from[1]) continue;
    let [a, b] = [i, j];
    while (a > from[0] && b > from[1] && isEqual(left[a - 1], right[b - 1])) [a, b] = [a - 1, b - 1];
    close([a, b]);
    while (a < gap.left[1] && b < gap.right[1] && isEqual(left[a], right[b])) matches.push([a++, b++]);
    from = [a, b];
  }
  close([gap.left[1], gap.right[1]]);
  return matches;
}

function isEqual(left: Keyed | undefined, right: Keyed | undefined): boolean {
  return left !== undefined && right !== undefined && left.content === right.content;
}

/** Where runs of `length` events begin that are in the gap once on each side. */
function uniqueRuns(
  left: readonly Keyed[],
  right: readonly Keyed[],
  gap: Gap,
  length: number,
): Match[] {
  const places = (
    events: readonly Keyed[],
    [from, to]: readonly [number, number],
  ): Map<string, number> => {
    const found = new Map<string, number>();
    for (let at = from; at + length <= to; at++) {
      let key = "";
      for (let k = 0; k < length; k++) key += `${(events[at + k] as Keyed).content} `;
      found.set(key, found.has(key) ? -1 : at);
    }
    return found;
  };
  const others = places(right, gap.right);
  return [...places(left, gap.left)].flatMap(([key, at]): Match[] => {
    const other = others.get(key) ?? -1;
    return at < 0 || other < 0 ? [] : [[at, other]];
  });
}

/** The longest list of matches, given by their left index, whose right index increases too (patience sorting). */
function increasing(matches: readonly Match[]): Match[] {
  const tops: number[] = [], before: number[] = [];
  for (const [index, [, right]] of matches.entries()) {
    let low = 0, high = tops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((matches[tops[middle] as number] as Match)[1] < right) low = middle + 1;
      else high = middle;
    }
    before.push(low === 0 ? -1 : tops[low - 1] as number);
    tops[low] = index;
  }
  const found: Match[] = [];
  for (let at = tops.at(-1) ?? -1; at >= 0; at = before[at] as number) found.push(matches[at] as Match);
  return found.reverse();
}

/** The best alignment of a gap; of a large one, tables are laid along its diagonal. */
function matchByTables(left: readonly Keyed[], right: readonly Keyed[], gap: Gap): Match[] {
  const matches: Match[] = [];
  let [a, b] = [gap.left[0], gap.right[0]];
  const [aEnd, bEnd] = [gap.left[1], gap.right[1]];
  while (a < aEnd && b < bEnd) {
    const isWhole = (aEnd - a) * (bEnd - b) <= TABLE;
    const side = isWhole ? Infinity : SIDE;
    const table: Gap = { left: [a, Math.min(aEnd, a + side)], right: [b, Math.min(bEnd, b + side)] };
    const found = bestAlignment(left, right, table);
    if (isWhole) return [...matches, ...found];
    const sure = found.filter(([i, j]) => i < a + SIDE * 0.75 && j < b + SIDE * 0.75);
    matches.push(...sure);
    const last = sure.at(-1);
    [a, b] = last === undefined ? [a + SIDE / 2, b + SIDE / 2] : [last[0] + 1, last[1] + 1];
  }
  return matches;
}

/** The alignment of greatest worth (Needleman and Wunsch, gaps cost nothing). */
function bestAlignment(left: readonly Keyed[], right: readonly Keyed[], gap: Gap): Match[] {
  const [a, b] = [gap.left[0], gap.right[0]];
  const n = gap.left[1] - a, m = gap.right[1] - b, row = m + 1;
  const worth = new Uint16Array((n + 1) * row);
  for (let i = n - 1; i >= 0; i--) {
    const { shape, content } = left[a + i] as Keyed;
    for (let j = m - 1; j >= 0; j--) {
      const other = right[b + j] as Keyed;
      let best = Math.max(worth[(i + 1) * row + j] as number, worth[i * row + j + 1] as number);
      if (shape === other.shape) {
        const gain = content === other.content ? EQUAL : ALIKE;
        best = Math.max(best, (worth[(i + 1) * row + j + 1] as number) + gain);
      }
      worth[i * row + j] = best;
    }
  }
  const matches: Match[] = [];
  for (let i = 0, j = 0; i < n && j < m;) {
    const here = worth[i * row + j] as number;
    const [x, y] = [left[a + i] as Keyed, right[b + j] as Keyed];
    const gain = x.shape !== y.shape ? 0 : x.content === y.content ? EQUAL : ALIKE;
    if (gain > 0 && here === (worth[(i + 1) * row + j + 1] as number) + gain) {
      matches.push([a + i++, b + j++]);
    } else if (here === worth[(i + 1) * row + j]) i++;
    else j++;
  }
  return matches;
}
