/** What a region may be entered at: its blocks and loops as units of one `br_table`. */
import type { Block, Loop, PagePlan } from "./compiled_blocks.ts";

/** What stands in one `br_table`, or in a loop: a block, or a loop of blocks. */
export interface Unit {
  /** Index of its first block. */
  readonly first: number;
  /** Index of its last block. */
  readonly last: number;
  /** The loop that it is, if it is one. */
  readonly loop: Loop | undefined;
}

/** First words of the blocks that may be entered from anywhere, by their number in the `br_table` less one. */
export function entryWords({ blocks, loops }: PagePlan): number[] {
  return unitsOf(0, blocks.length - 1, loops)
    .flatMap((unit) => entriesOf(unit)).map((index) => (blocks[index] as Block).first);
}

/** Blocks that a unit may be entered at. */
export function entriesOf({ first, loop }: Unit): number[] {
  return [first, ...loop?.entries ?? []];
}

/** The units of blocks from `first` to `last`. */
export function unitsOf(first: number, last: number, loops: readonly Loop[]): Unit[] {
  const units: Unit[] = [];
  for (let index = first; index <= last; index++) {
    const loop = loops.find((loop) => loop.first === index);
    const end = loop?.last ?? index;
    units.push({ first: index, last: end, loop });
    index = end;
  }
  return units;
}
