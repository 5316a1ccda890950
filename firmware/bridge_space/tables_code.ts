/** Guest code that builds translation tables of 4 KiB granules, for the width and the attributes of the live ones. */

/**
 * Assembly text. Registers of all routines: x24 = bits of a virtual address (64 − T0SZ), x25 = next free page for tables,
 * x26 = end of those pages; tables are reached at their physical addresses. Each gives x0 = 0, or the reason why not.
 */
export const TABLES_CODE: string = String.raw`
        .equ    REASON_TABLE_SPACE, 10
        .equ    REASON_COLLISION, 11

// A new table of zeros: x0. x9, x10 are lost; carry set without one.
new_table:
        cmp     x25, x26
        b.hs    2f
        mov     x0, x25
        add     x25, x25, #1, lsl #12
        mov     x9, x0
1:      stp     xzr, xzr, [x9], #16
        cmp     x9, x25
        b.lo    1b
        cmn     xzr, xzr                        // carry clear
2:      ret

// Maps the page at x1 to x2 with the attributes x3 in the tables below the root x0. x4 to x10 are lost.
map_page:
        mov     x8, x30
        sub     x4, x24, #13
        mov     x5, #9
        udiv    x4, x4, x5
        madd    x4, x4, x5, xzr
        add     x4, x4, #12                     // lowest bit that indexes the first table
        mov     x7, x0
1:      lsr     x5, x1, x4
        and     x5, x5, #0x1ff
        add     x7, x7, x5, lsl #3
        cmp     x4, #12
        b.eq    3f
        ldr     x6, [x7]
        tbnz    w6, #0, 2f
        bl      new_table
        b.cs    4f
        orr     x6, x0, #3
        str     x6, [x7]
2:      and     x7, x6, #0x0000fffffffff000
        sub     x4, x4, #9
        b       1b
3:      ldr     x6, [x7]
        tbnz    w6, #0, 5f
second_mapping:
        orr     x6, x2, x3
        str     x6, [x7]
        mov     x0, #0
        br      x8
4:      mov     x0, #REASON_TABLE_SPACE
        br      x8
5:      mov     x0, #REASON_COLLISION
        br      x8

// Maps x4 bytes of pages at x1 to x2. x3 to x14 are lost.
map_range:
        mov     x14, x30
        mov     x11, x0
        mov     x12, x1
        add     x13, x1, x4
1:      mov     x0, x11
        mov     x1, x12
        bl      map_page
        cbnz    x0, 2f
        add     x2, x2, #1, lsl #12
        add     x12, x12, #1, lsl #12
        cmp     x12, x13
        b.ne    1b
2:      br      x14

// The index of the attribute byte w1 in the MAIR x2: x0; 8 when there is none. x3 is lost.
attribute_index:
        mov     x0, #0
1:      and     x3, x2, #0xff
        cmp     x3, x1
        b.eq    2f
        lsr     x2, x2, #8
        add     x0, x0, #1
        cmp     x0, #8
        b.lo    1b
2:      ret
`;
