/** What reading and rewriting ACPI's tables needs, as assembly. */

/** Numbers and sums at any address, `check_table`, `mend_table`, and what the EFI memory map says. */
export const ACPI_HELPERS: string = `
// x0 = the little-endian u32 or u64 at x0, anywhere. Changes x1, x2, x3.
little_32:
        mov     x1, #4
        b       1f
little_64:
        mov     x1, #8
1:      mov     x2, x0
        mov     x0, #0
        mov     x3, #0
2:      ldrb    w4, [x2], #1
        lsl     x4, x4, x3
        orr     x0, x0, x4
        add     x3, x3, #8
        subs    x1, x1, #1
        b.ne    2b
        ret

// Stores the x2 bytes of x1 at x0, little-endian. Changes x0 to x2.
put_little:
        strb    w1, [x0], #1
        lsr     x1, x1, #8
        subs    x2, x2, #1
        b.ne    put_little
        ret

// w0 = the sum of x1 bytes from x0 on, modulo 256, and its flags. Changes x1, x2, x3.
sum_bytes:
        mov     w2, #0
1:      cbz     x1, 2f
        ldrb    w3, [x0], #1
        add     w2, w2, w3
        sub     x1, x1, #1
        b       1b
2:      ands    w0, w2, #0xff
        ret

// x0 = the physical address of x0: what the operating system was told to map elsewhere is where its region is.
efi_physical:
        ldr     x5, [x28, #VARS_MAP]
        ldr     x6, [x28, #VARS_MAP_SIZE]
        add     x6, x5, x6
        ldr     x7, [x28, #VARS_MAP_STEP]
1:      add     x1, x5, x7
        cmp     x1, x6
        b.hi    2f
        ldp     x1, x2, [x5, #8]                // PhysicalStart, VirtualStart
        ldp     x3, x4, [x5, #24]               // NumberOfPages, Attribute
        add     x5, x5, x7
        tbz     x4, #MAP_RUNTIME, 1b
        sub     x2, x0, x2
        cmp     x2, x3, lsl #12
        b.hs    1b
        add     x0, x1, x2
2:      ret

// Z when the mailboxes are in reserved memory of the map. Changes x0 to x7.
mailboxes_reserved:
        adrp    x0, mailboxes
        add     x0, x0, :lo12:mailboxes
        ldr     x5, [x28, #VARS_MAP]
        ldr     x6, [x28, #VARS_MAP_SIZE]
        add     x6, x5, x6
        ldr     x7, [x28, #VARS_MAP_STEP]
1:      add     x1, x5, x7
        cmp     x1, x6
        b.hi    2f
        ldr     w4, [x5]
        ldr     x1, [x5, #8]
        ldr     x3, [x5, #24]
        add     x5, x5, x7
        cmp     w4, #MAP_RESERVED
        b.ne    1b
        subs    x1, x0, x1
        b.lo    1b
        add     x1, x1, #(CORES_MOST), lsl #12
        cmp     x1, x3, lsl #12
        b.hi    1b
        cmp     x0, x0
        ret
2:      cmp     x0, #0
        ret

// Checks the table at x0, whose signature is w1: x0 stays, x1 = its length. Changes x2 to x6.
check_table:
        stp     x29, x30, [sp, #-16]!
        mov     x5, x0
        mov     w6, w1
        bl      little_32
        cmp     w0, w6
        adr     x0, text_signature
        b.ne    refuse
        add     x0, x5, #4
        bl      little_32
        mov     x6, x0
        adr     x0, text_length
        cmp     x6, #36
        b.lo    refuse
        cmp     x6, #(TABLE_MOST >> 12), lsl #12
        b.hi    refuse
        mov     x0, x5
        mov     x1, x6
        bl      sum_bytes
        adr     x0, text_sum
        b.ne    refuse
        mov     x0, x5
        mov     x1, x6
        ldp     x29, x30, [sp], #16
        ret

// Makes the sum of the x1 bytes of the table at x0 zero again. Changes x0 to x3, x5.
mend_table:
        stp     x29, x30, [sp, #-16]!
        mov     x5, x0
        strb    wzr, [x5, #9]
        bl      sum_bytes
        neg     w0, w0
        strb    w0, [x5, #9]
        ldp     x29, x30, [sp], #16
        ret
`;
