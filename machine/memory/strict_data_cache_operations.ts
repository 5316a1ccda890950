/** Lines of the strict data cache: what they may be marked with, where they are, and what maintenance does to them. */

/** The first level has the line. */
export const PRESENT: number = 1;
/** The first level has bytes that were not cleaned to the point of unification. */
export const DIRTY: number = 2;
/** The second level, the point of unification, has bytes that were not cleaned to the point of coherency: memory. */
export const UNIFIED: number = 4;

const UNCLEAN = DIRTY | UNIFIED;

/** Sets and ways by level, as CCSIDR_EL1 says: 32 KiB of two ways, 2 MiB of sixteen. */
// deno-fmt-ignore
export const GEOMETRY: readonly { readonly sets: number; readonly ways: number }[] = [
  { sets: 256, ways: 2 }, { sets: 2048, ways: 16 },
];

/** What maintenance does to a line. */
export interface DataCacheOperation {
  /** How far what is dirty is written: `second` writes what the second level has, and not what the first has. */
  readonly clean: "no" | "unification" | "coherency" | "second";
  /** Flags of what is then dropped. */
  readonly drop: number;
}

/** Operations by address, and by set and way for each level. */
// deno-fmt-ignore
export const DATA_CACHE_OPERATIONS = {
  invalidate:         { clean: "no",          drop: PRESENT | UNCLEAN },
  clean:              { clean: "coherency",   drop: 0 },
  cleanToUnification: { clean: "unification", drop: 0 },
  cleanAndInvalidate: { clean: "coherency",   drop: PRESENT | UNCLEAN },
  bySet: {
    invalidate:         [{ clean: "no",          drop: PRESENT | DIRTY }, { clean: "no",     drop: UNIFIED }],
    clean:              [{ clean: "unification", drop: 0 },               { clean: "second", drop: 0 }],
    cleanAndInvalidate: [{ clean: "unification", drop: PRESENT | DIRTY }, { clean: "second", drop: UNIFIED }],
  },
} as const satisfies Record<string, unknown>;
