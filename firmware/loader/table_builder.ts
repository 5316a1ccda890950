/** A64 code that builds translation tables at run time: `tables_begin` and `map_range`, for loaders to include. */
import type { Source } from "../../machine/a64/program.ts";
import { largestBlockShift, shiftOf, startLevel, type TranslationLayout } from "./translation_layout.ts";

/** Offsets in the block that both routines work on; all fields have 8 bytes. */
// deno-fmt-ignore
export const TABLES_BLOCK = {
  /** Physical address of the first table: TTBR0_ELx. */
  root:       0,
  /** Log2 of the granule. */
  granule:    8,
  /** Lowest address bit that the first level resolves. */
  start:     16,
  /** Log2 of the largest block. */
  block:     24,
  /** Physical address of the next free table. */
  next:      32,
  /** Physical address behind the last table there is room for. */
  limit:     40,
  /** What has to be added to a physical address to access tables: 0 with the MMU off. */
  access:    48,
  /** Bytes of the block. */
  size:      56,
} as const;

/** Results of `map_range` in x0. */
export const MAP_RESULT = { mapped: 0, noTable: 1, mappedAlready: 2 } as const;

/** Assembly symbols for a block in the initial state, to be put in `.data` by `tablesBlock`. */
export function tablesBlock(name: string, layout: TranslationLayout): string {
  const { granule } = layout;
  return `
        .balign 8
${name}:
        .quad   0, ${granule}, ${shiftOf(granule, startLevel(layout))}, ${largestBlockShift(granule)}, 0, 0, 0
`;
}

/**
 * The routines. Both take the block's address in x0 and change x0 to x17 and the flags, nothing else; they are
 * position-independent and use no stack. They write tables only: barriers, maintenance and TTBR0 are the caller's.
 *
 * - `tables_begin`: x1 = physical address of room for tables, a multiple of the granule; x2 = how many. Takes the first.
 * - `map_range`: x1 = virtual address, x2 = physical address, x3 = bytes, all multiples of the granule; x4 = attributes
 *   of the leaves. Takes the largest blocks that fit; new tables are zeroed. x0 = 0, 1 when there is no table left,
 *   2 where something is mapped already; then what was mapped before stays.
 */
export const TABLE_BUILDER: Source = {
  name: "table_builder",
  text: `
        .equ    TABLES_ROOT, ${TABLES_BLOCK.root}
        .equ    TABLES_GRANULE, ${TABLES_BLOCK.granule}
        .equ    TABLES_START, ${TABLES_BLOCK.start}
        .equ    TABLES_BLOCK, ${TABLES_BLOCK.block}
        .equ    TABLES_NEXT, ${TABLES_BLOCK.next}
        .equ    TABLES_LIMIT, ${TABLES_BLOCK.limit}
        .equ    TABLES_ACCESS, ${TABLES_BLOCK.access}

tables_begin:
        mov     x17, x30
        ldr     x5, [x0, #TABLES_GRANULE]
        lsl     x2, x2, x5
        add     x2, x1, x2
        str     x1, [x0, #TABLES_NEXT]
        str     x2, [x0, #TABLES_LIMIT]
        bl      take_table
        str     x11, [x0, #TABLES_ROOT]
        ret     x17

// x11 = physical address of a new table, zeroed; or 0. Takes x0 and x5 = log2 of the granule; changes x12 to x14.
take_table:
        ldr     x11, [x0, #TABLES_NEXT]
        ldr     x12, [x0, #TABLES_LIMIT]
        cmp     x11, x12
        csel    x11, x11, xzr, lo
        b.hs    2f
        mov     x12, #1
        lsl     x12, x12, x5
        add     x13, x11, x12
        str     x13, [x0, #TABLES_NEXT]
        ldr     x13, [x0, #TABLES_ACCESS]
        add     x13, x13, x11
        add     x12, x13, x12
1:      stp     xzr, xzr, [x13], #16
        stp     xzr, xzr, [x13], #16
        stp     xzr, xzr, [x13], #16
        stp     xzr, xzr, [x13], #16
        cmp     x13, x12
        b.lo    1b
2:      ret

map_range:
        mov     x17, x30
        ldr     x5, [x0, #TABLES_GRANULE]
        sub     x6, x5, #3                      // bits that a level resolves
        mov     x7, #-1
        lsl     x7, x7, x6
        mvn     x7, x7                          // mask of an index
        mov     x16, #0xfffffffff000            // address bits of a descriptor, from the granule on
        lsr     x16, x16, x5
        lsl     x16, x16, x5
map_next:
        cbz     x3, map_done
        ldr     x8, [x0, #TABLES_ROOT]
        ldr     x9, [x0, #TABLES_START]         // lowest bit that this level resolves
map_level:
        ldr     x10, [x0, #TABLES_ACCESS]
        add     x10, x10, x8
        lsr     x11, x1, x9
        and     x11, x11, x7
        add     x10, x10, x11, lsl #3           // the descriptor
        ldr     x11, [x10]
        mov     x15, #1
        lsl     x15, x15, x9                    // what it covers
        tbnz    x11, #0, map_present
        cmp     x9, x5
        mov     x14, #3
        b.eq    map_leaf                        // a page
        ldr     x12, [x0, #TABLES_BLOCK]
        cmp     x9, x12
        b.hi    map_table
        cmp     x3, x15
        b.lo    map_table
        sub     x12, x15, #1
        orr     x13, x1, x2
        tst     x13, x12
        b.ne    map_table
        mov     x14, #1                         // a block
map_leaf:
        orr     x11, x2, x4
        orr     x11, x11, x14
map_store_leaf:
        str     x11, [x10]
        add     x1, x1, x15
        add     x2, x2, x15
        sub     x3, x3, x15
        b       map_next
map_table:
        bl      take_table
        cbz     x11, map_full
        orr     x12, x11, #3
        str     x12, [x10]
        b       map_down
map_present:
        cmp     x9, x5
        b.eq    map_conflict
        tbz     x11, #1, map_conflict
        and     x11, x11, x16
map_down:
        mov     x8, x11
        sub     x9, x9, x6
        b       map_level
map_done:
        mov     x0, #${MAP_RESULT.mapped}
        ret     x17
map_full:
        mov     x0, #${MAP_RESULT.noTable}
        ret     x17
map_conflict:
        mov     x0, #${MAP_RESULT.mappedAlready}
        ret     x17
`,
};
