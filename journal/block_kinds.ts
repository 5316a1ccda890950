/** The kinds of block that a journal file is made of: one table. */

/** The kinds of block, by their number in the file. A new kind is a new format. */
// deno-fmt-ignore
export const BLOCK_KINDS = [
  { number: 1, name: "configuration" }, // the first block and only it: all that the run is a function of, but inputs
  { number: 2, name: "events" },        // stored events, in order
  { number: 3, name: "inputs" },        // stamped inputs, in order
  { number: 4, name: "roots" },         // state root and history root
  { number: 5, name: "images" },        // images or parts of them (pack)
  { number: 6, name: "steps" },         // stored steps of CPUs, in columns: bytes
  { number: 7, name: "checkpoint" },    // the state at which the run begins, right after the configuration, or at a root, right after it; journal/checkpoint.ts
  { number: 8, name: "end" },           // how and when the run ended
  { number: 9, name: "index" },         // the last block of a finished file; journal/index_block.ts
  { number: 10, name: "member" },       // a piece of a member's journal, in the file of a world only (world/)
] as const;

/** Name of a kind of block, a row of {@linkcode BLOCK_KINDS}. */
export type BlockKind = typeof BLOCK_KINDS[number]["name"];

const KIND_OF_NUMBER: ReadonlyMap<number, BlockKind> = new Map(
  BLOCK_KINDS.map((row) => [row.number, row.name]),
);
const NUMBER_OF_KIND: ReadonlyMap<string, number> = new Map(BLOCK_KINDS.map((row) => [row.name, row.number]));

/** The kind that has this number in the file, if any has. */
export function kindOfNumber(number: number): BlockKind | undefined {
  return KIND_OF_NUMBER.get(number);
}

/** The number in the file of a kind. Throws a `RangeError` for what is no kind. */
export function numberOfKind(kind: BlockKind): number {
  const number = NUMBER_OF_KIND.get(kind);
  if (number === undefined) throw new RangeError(`Cannot write block: there is no kind "${kind}"`);
  return number;
}
