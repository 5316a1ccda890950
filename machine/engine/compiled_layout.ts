/** What compiled regions and the loop that calls them share: parameters, results, kinds of pending flags. */
import type { Label } from "../wasm/code_writer.ts";
import type { ModuleWriter } from "../wasm/module_writer.ts";

/** Locals of a region's function: its parameters, then those that live as long as it runs. */
export const REGION_LOCAL = {
  /** Number of the word in its page at which to go on; at the end, where the page was left. */
  word: 0,
  /** Steps left. */
  left: 1,
  /** Offset of the page's SIDE table. */
  side: 2,
  /** Offset of the CPU's state. */
  state: 3,
  /** Offset of the CPU's translations. */
  tlb: 4,
  /** Offset of the CPU's front table. */
  front: 5,
  /** What made the flags (FLAGS), and its two operands, zero-extended. */
  flagsKind: 6,
  flagsA: 7,
  flagsB: 8,
  /** Target of a branch to an address. */
  target: 9,
  /** Where a region that was called came back. */
  where: 10,
} as const;

/** What the flags are of; `none`: they are where they belong. */
export const FLAGS = {
  none: 0,
  sub32: 1,
  sub64: 2,
  add32: 3,
  add64: 4,
  logic32: 5,
  logic64: 6,
  value: 7,
} as const;

/** Bytes per word of code beside its record, and what is there. */
export const SIDE_SIZE = 8;
/**
 * Handler that the word has when no region takes it; entry of its region's function, 0 for none; the word's number; the
 * region's index in the table of functions.
 */
export const SIDE = { handler: 0, entry: 2, word: 4, region: 6 } as const;

/**
 * The second result of a region's function is the record of the instruction at which it stopped, with the side of its
 * page in SHARED.page, or says that the address of the next instruction is in SHARED.target: not looked up yet; that of
 * the instruction after the one that called; one that no region is known for.
 */
export const WHERE = { leftPage: 0, returned: 1, unknown: 2 } as const;

/** Calls within calls of regions, at most: each needs room on the host's stack. */
export const DEEPEST_CALL = 16;

/** Types of a region's parameters. */
export const REGION_PARAMETERS = ["i32", "i32", "i32", "i32", "i32"] as const;
/** Types of its results: steps left, and where it stopped. */
export const REGION_RESULTS = ["i32", "i32"] as const;

/** Index of a region function's type. */
export function regionType(module: ModuleWriter): number {
  return module.type(REGION_PARAMETERS, REGION_RESULTS);
}

/** Indices of the functions that regions call. */
export interface RegionFunctions {
  /** Offset in memory of a read or write that the front table does not have, or 0: address, size, front, TLB. */
  readonly read: number;
  readonly write: number;
  /** The same for LDTR and STTR, which have a front table of their own. */
  readonly unprivileged: { readonly read: number; readonly write: number };
  /** The same for a store-exclusive, whose page is marked, and for DC ZVA, whose memory is not Device memory. */
  readonly exclusive: number;
  readonly zero: number;
  /** The driver's access to a device, imported: offset in memory of the value, or 0 (`DeviceAccessor`). */
  readonly device: number;
  /** Goes on at SHARED.target until the address after a call is reached: steps left, state, TLB, that address. */
  readonly call: number;
  /** NZCV of a kind and two operands. */
  readonly flags: number;
}

/** Where code of a region's instructions goes. */
export interface RegionLabels {
  /** The region stops; `word` says where. */
  readonly stop: Label;
  /** The page is left for the address in `target`. */
  readonly leave: Label;
}
