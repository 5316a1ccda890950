/** Assembly that turns the MMU on over two blocks of 1 GiB, and over 2 MiB at 2 GiB by a table of pages, which x26 has. */
export const LEVELS = `
        mov     x0, #0x40100000         // level 1: two blocks, and at 2 GiB a table
        mov     x1, #0x0705
        movk    x1, #0x4000, lsl #16
        str     x1, [x0, #8]
        mov     x1, #0x0405
        movk    x1, #0x0060, lsl #48
        str     x1, [x0]
        add     x2, x0, #1, lsl #12
        orr     x2, x2, #3
        str     x2, [x0, #16]
        add     x3, x0, #1, lsl #12  // level 2
        add     x2, x2, #1, lsl #12
        str     x2, [x3]
        add     x26, x0, #2, lsl #12        // level 3
        mov     x1, #0xff
        msr     mair_el1, x1
        msr     ttbr0_el1, x0
        mov     x1, #0x3519
        movk    x1, #0x80, lsl #16
        msr     tcr_el1, x1
        isb
        mrs     x1, sctlr_el1
        orr     x1, x1, #1
        msr     sctlr_el1, x1
        isb
`;
