/** Memory of the dual-width kernel's processes: pages, and the tables that both regimes share. */

/** Pages and tables; for `kernelSources`. */
export const MEMORY_SOURCE: string = String.raw`
// Removes what either regime keeps of page x0.
        .macro  invalidate_page
        lsr     x0, x0, #12
        tlbi    vae1, x0                // of EL1&0; of EL2&0 with E2H and TGE
.if VHE == 0
        tlbi    vae2, x0
.endif
        .endm

// x0 = physical address of a zeroed page, or 0. Changes x1 to x3.
allocate_page:
        adr     x1, free_list
        ldr     x0, [x1]
        ldr     x3, =LINEAR
        cbz     x0, 1f
        ldr     x2, [x3, x0]            // a free page begins with the address of the next
        str     x2, [x1]
        b       2f
1:      adr     x1, free_next
        ldp     x0, x2, [x1]
        cmp     x0, x2
        b.hs    4f
        add     x2, x0, #1, lsl #12
        str     x2, [x1]
2:      add     x1, x0, x3
        add     x2, x1, #1, lsl #12
3:      stp     xzr, xzr, [x1], #16
        cmp     x1, x2
        b.lo    3b
        ret
4:      mov     x0, #0
        ret

// Gives back the page at physical address x0. Changes x1 to x3.
free_page:
        adr     x1, free_list
        ldr     x2, [x1]
        ldr     x3, =LINEAR
        str     x2, [x3, x0]
        str     x0, [x1]
        ret
        .ltorg

// x0 = linear address of the level 3 descriptor of user address x0, or 0; tables are made if x1 is not 0.
find_descriptor:
        stp     x29, x30, [sp, #-48]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        mov     x19, x0
        mov     x20, x1
        ldr     x21, [x28, #P_ROOT]
        mov     x22, #39                // level 0
1:      ldr     x2, =LINEAR
        add     x21, x21, x2
        lsr     x3, x19, x22
        and     x3, x3, #511
        add     x21, x21, x3, lsl #3
        cmp     x22, #12
        b.eq    3f
        ldr     x3, [x21]
        tbnz    x3, #0, 2f
        mov     x0, #0
        cbz     x20, 4f
        bl      allocate_page
        cbz     x0, 4f
        dsb     ishst                   // walks see zeros before they see the table
        orr     x3, x0, #3
        str     x3, [x21]
2:      and     x21, x3, #0x0000fffffffff000
        sub     x22, x22, #9
        b       1b
3:      mov     x0, x21
4:      ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret
        .ltorg

// x0 = bits of a descriptor for PROT_ bits x0: every page of the user has AP[1] = 1, as the EL2 format wants it.
page_bits:
        ldr     x1, =(D_NORMAL | D_EL0 | D_INNER | D_AF | D_OWNED)
.if VHE
        orr     x1, x1, #D_PXN
.endif
        cbz     x0, 1f                  // PROT_NONE: owned, but not valid
        orr     x1, x1, #D_PAGE
1:      tbnz    x0, #1, 2f
        orr     x1, x1, #D_READ_ONLY
2:      tbnz    x0, #2, 3f
        orr     x1, x1, #D_XN
3:      mov     x0, x1
        ret
        .ltorg

// Maps new pages from x0 to x1, page-aligned, with bits x2; x0 = 0, or -ENOMEM and nothing is mapped.
map_range:
        stp     x29, x30, [sp, #-48]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        mov     x19, x0
        mov     x20, x1
        mov     x21, x2
        mov     x22, x0
1:      cmp     x22, x20
        b.hs    2f
        mov     x0, x22
        mov     x1, #1
        bl      find_descriptor
        cbz     x0, 3f
        mov     x4, x0
        bl      allocate_page
        cbz     x0, 3f
        orr     x0, x0, x21
        str     x0, [x4]
        add     x22, x22, #1, lsl #12
        b       1b
2:      dsb     ishst
        isb
        mov     x0, #0
        b       4f
3:      mov     x0, x19
        mov     x1, x22
        bl      unmap_range
        mov     x0, #-ENOMEM
4:      ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret

// Removes the pages from x0 to x1, where there are any.
unmap_range:
        stp     x29, x30, [sp, #-48]!
        stp     x19, x20, [sp, #16]
        str     x21, [sp, #32]
        mov     x19, x0
        mov     x20, x1
1:      cmp     x19, x20
        b.hs    3f
        mov     x0, x19
        mov     x1, #0
        bl      find_descriptor
        cbz     x0, 2f
        ldr     x21, [x0]
        tbz     x21, #55, 2f
        str     xzr, [x0]
        dsb     ishst
        mov     x0, x19
        invalidate_page
        dsb     nsh
        and     x0, x21, #0x0000fffffffff000
        bl      free_page
2:      add     x19, x19, #1, lsl #12
        b       1b
3:      isb
        ldp     x19, x20, [sp, #16]
        ldr     x21, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret
        .ltorg
`;
