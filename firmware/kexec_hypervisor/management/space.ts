/** The management hypervisor's stage 2: everything where it is, but for the ranges that the list reserves. */

/** `build_space`: blocks of 1 GiB for devices, tables of 2 MiB blocks where there is RAM. */
export const MANAGEMENT_SPACE = String.raw`
        .equ    S2_MEMORY, 0x7fd                // block, write-back, read and write, inner shareable, access flag
        .equ    S2_DEVICE, 0x4c5                // block, Device-nGnRE, read and write, access flag
        .equ    S2_NEVER, 1 << 54               // XN

// x22 = level 1, x23 = next level 2 table, x24 = its end, x25 = GiB.
build_space:
        stp     x29, x30, [sp, #-16]!
        mrs     x0, id_aa64mmfr0_el1
        and     x0, x0, #15
        cmp     x0, #2                          // 40 bits
        adr     x0, text_small
        b.lo    stop
        adrp    x22, level1
        add     x22, x22, :lo12:level1
        adrp    x23, level2
        add     x23, x23, :lo12:level2
        add     x24, x23, #LEVEL2_TABLES, lsl #12
        mov     x25, xzr
1:      lsl     x4, x25, #30
        mov     x5, #(1 << 30)
        add     x5, x5, x4
        bl      kind_of_range
        cbnz    x0, 2f
        ldr     x0, =(S2_DEVICE + S2_NEVER)
        orr     x0, x0, x4
        b       5f
2:      cmp     x23, x24
        adr     x0, text_tables
        b.hs    stop
        mov     x7, x23
        lsl     x4, x25, #30
3:      add     x5, x4, #0x200, lsl #12
        bl      kind_of_range
        ldr     x1, =(S2_DEVICE + S2_NEVER)
        orr     x1, x1, x4
        cbz     x0, 4f
        mov     x2, #S2_MEMORY
        orr     x1, x4, x2
        cmp     x0, #2
        csel    x1, xzr, x1, eq                 // reserved: nothing
4:      str     x1, [x7], #8
        mov     x4, x5
        tst     x5, #0x3fffffff
        b.ne    3b
        orr     x0, x23, #3
        add     x23, x23, #1, lsl #12
5:      str     x0, [x22, x25, lsl #3]
        add     x25, x25, #1
        cmp     x25, #1024
        b.lo    1b
        dsb     sy
        ldp     x29, x30, [sp], #16
        ret

// x0 = type of the range of the list that has a byte of x4 to x5 in it, the greatest; 0 for none. Changes x1 to x3, x6, x8 to x10.
kind_of_range:
        mov     x0, xzr
        ldr     x1, [x19, #EBI_COUNT]
        add     x2, x19, #EBI_ELEMENTS
1:      cbz     x1, 4f
        ldr     w3, [x2, #EBI_TYPE]
        cmp     w3, #EBI_MEMORY_RANGE
        b.ne    3f
        ldp     w6, w8, [x2, #EBI_RANGE_START]
        add     x6, x6, x8, lsl #32
        ldp     w9, w8, [x2, #EBI_RANGE_BYTES]
        add     x9, x9, x8, lsl #32
        add     x9, x9, x6
        cmp     x6, x5
        b.hs    3f
        cmp     x9, x4
        b.ls    3f
        ldr     w10, [x2, #EBI_RANGE_TYPE]
        cmp     x10, x0
        csel    x0, x10, x0, hi
3:      ldp     w6, w8, [x2, #EBI_SIZE]
        add     x6, x6, x8, lsl #32
        add     x2, x2, x6
        sub     x1, x1, #1
        b       1b
4:      ret
        .ltorg
text_small:     .asciz "physical addresses have less than 40 bits"
text_tables:    .asciz "more RAM than there are tables for"
        .balign 8
`;
