/**
 * Partitions the instructions of one page into blocks, finds the loops that are closed in themselves, and plans where the
 * budget of steps is looked at.
 */
import type { Operands, Shape } from "./shape.ts";

/** How an instruction goes on: to the next one; to a word of the page; out of the page; to an address in a register. */
export type Flow = "next" | "local" | "far" | "dynamic";

/** An instruction of a page that can be compiled. */
export interface PageInstruction {
  readonly shape: Shape;
  readonly operands: Operands;
  /** Where a branch, if it is one, goes. */
  readonly flow: Flow;
  /** It may also go on to the next instruction. */
  readonly conditional: boolean;
  /** It sets X30: somebody will return to the next instruction. */
  readonly links: boolean;
  /** Number of the word it branches to, for `local`. */
  readonly target: number;
  /** It has accessed devices, and its one access is all that could stop it: the region asks the driver for it. */
  readonly asksDevice?: boolean;
}

/** Instructions that are entered at the first alone and executed in order, some of them with a branch out. */
export interface Block {
  /** Number of the first word. */
  readonly first: number;
  /** Number of the word after the last. */
  end: number;
  /** Execution may run into the word after the last. */
  falls: boolean;
  /** It is entered with fewer steps than it may take, or by a branch backward: it looks at the budget. */
  checks: boolean;
  /** Steps that must be left where it is looked at. */
  reserve: number;
}

/** Blocks from `first` to `last`, all of whose branches backward to `first` can be direct. */
export interface Loop {
  readonly first: number;
  readonly last: number;
  /** The blocks within that are entered from outside, by a branch or a return, beside the first. */
  readonly entries: readonly number[];
}

/** What is known of a page. */
export interface PagePlan {
  readonly blocks: readonly Block[];
  /** Index of the block that starts at a word. */
  readonly blockAt: ReadonlyMap<number, number>;
  /** Loops, none within another, by their first block. */
  readonly loops: readonly Loop[];
  /** Steps that must be left at every entry to a block that does not look itself. */
  readonly reserve: number;
}

/** Instructions of a block at most: what is executed past the last look at the budget is executed slowly at its end. */
const LONGEST_BLOCK = 48;
/** Blocks within a loop that may be entered from outside: each is asked for in every round. */
const MOST_ENTRIES = 2;
/** Steps between two looks at the budget, at most. */
const LONGEST_PATH = 96;

function ends(instruction: PageInstruction): boolean {
  return instruction.flow !== "next" && !instruction.conditional;
}

/** Words that start a block. */
function leaders(page: readonly (PageInstruction | undefined)[]): Set<number> {
  const found = new Set<number>();
  page.forEach((instruction, word) => {
    if (instruction === undefined) return;
    const before = page[word - 1];
    if (before === undefined || ends(before)) found.add(word);
    if (instruction.flow === "local" && page[instruction.target] !== undefined) found.add(instruction.target);
  });
  return found;
}

function partition(page: readonly (PageInstruction | undefined)[]): Block[] {
  const blocks: Block[] = [], isLeader = leaders(page);
  for (let word = 0; word < page.length; word++) {
    if (page[word] === undefined) continue;
    const block: Block = { first: word, end: word + 1, falls: true, checks: false, reserve: 0 };
    for (;; block.end++) {
      block.falls = !ends(page[block.end - 1] as PageInstruction);
      const isFull = block.end - word >= LONGEST_BLOCK;
      if (!block.falls || isFull || page[block.end] === undefined || isLeader.has(block.end)) break;
    }
    blocks.push(block);
    word = block.end - 1;
  }
  return blocks;
}

/** Words of the page that a block's branches go to. */
export function targetsOf(block: Block, page: readonly (PageInstruction | undefined)[]): number[] {
  const targets: number[] = [];
  for (let word = block.first; word < block.end; word++) {
    const instruction = page[word] as PageInstruction;
    if (instruction.flow === "local") targets.push(instruction.target);
  }
  return targets;
}

/**
 * Innermost loops of whose inner blocks few are entered from outside, by a branch or a return. Loops around
 * them are entered at any block, or who comes back after a slow access would have to wait for their next round.
 */
function findLoops(
  blocks: readonly Block[],
  targets: readonly (readonly number[])[],
  entered: readonly boolean[],
): Loop[] {
  const spans = new Map<number, number>();
  targets.forEach((list, from) => {
    for (const to of list) if (to <= from) spans.set(to, Math.max(spans.get(to) ?? 0, from));
  });
  const loops: Loop[] = [];
  for (const [first, last] of [...spans].sort(([a, b], [c, d]) => (b - a) - (d - c) || a - c)) {
    const overlaps = loops.some((loop) => first <= loop.last && loop.first <= last);
    const entries = overlaps ? undefined : entriesOf(first, last, blocks, targets, entered);
    if (entries !== undefined) loops.push({ first, last, entries });
  }
  return loops.sort((a, b) => a.first - b.first);
}

/** Where a loop is entered beside its first block; undefined where it is no loop, or entered at too many. */
function entriesOf(
  first: number,
  last: number,
  blocks: readonly Block[],
  targets: readonly (readonly number[])[],
  entered: readonly boolean[],
): number[] | undefined {
  const entries = new Set<number>();
  for (let inner = first + 1; inner <= last; inner++) {
    if ((blocks[inner - 1] as Block).end !== (blocks[inner] as Block).first) return undefined;
    if (entered[inner]) entries.add(inner);
  }
  targets.forEach((list, from) => {
    if (from >= first && from <= last) return;
    for (const to of list) if (to > first && to <= last) entries.add(to);
  });
  return entries.size > MOST_ENTRIES ? undefined : [...entries].sort((a, b) => a - b);
}

/** Finds what execution may do within a page; instructions that are undefined belong to the caller. */
export function planPage(page: readonly (PageInstruction | undefined)[]): PagePlan {
  const blocks = partition(page);
  const blockAt = new Map(blocks.map(({ first }, index) => [first, index]));
  const targets = blocks.map((block) =>
    targetsOf(block, page).map((word) => blockAt.get(word)).filter((index) => index !== undefined)
  );
  const entered = blocks.map(({ first }) => page[first - 1]?.links === true);
  const loops = findLoops(blocks, targets, entered);
  return { blocks, blockAt, loops, reserve: planBudget(blocks, blockAt, targets) };
}

/** From the last block to the first: steps of the longest path until the next look at the budget. */
function planBudget(
  blocks: readonly Block[],
  blockAt: ReadonlyMap<number, number>,
  targets: readonly (readonly number[])[],
): number {
  targets.forEach((list, from) => {
    for (const to of list) if (to <= from) (blocks[to] as Block).checks = true;
  });
  let largest = 0;
  for (let index = blocks.length - 1; index >= 0; index--) {
    const block = blocks[index] as Block, steps = block.end - block.first;
    const after = (targets[index] as number[]).filter((to) => to > index);
    const next = blockAt.get(block.end);
    if (block.falls && next !== undefined) after.push(next);
    let longest = 0;
    for (const to of after) {
      const successor = blocks[to] as Block;
      if (successor.checks) continue;
      if (steps + successor.reserve > LONGEST_PATH) successor.checks = true;
      else longest = Math.max(longest, successor.reserve);
    }
    block.reserve = steps + longest;
  }
  for (const { checks, reserve } of blocks) if (!checks) largest = Math.max(largest, reserve);
  return largest;
}
