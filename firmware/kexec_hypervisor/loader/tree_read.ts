/** What the loader learns of the host from its device tree, and what it leaves out or changes in the copy. */

/** `kind_of`, `seen`, `changed` and `learn`, which `walk_tree` calls for nodes and properties. */
export const TREE_READ = String.raw`
// x0 = kind of the node below the root named x0.
kind_of:
        stp     x29, x30, [sp, #-32]!
        str     x0, [sp, #16]
        adr     x1, word_chosen
        bl      same
        mov     x4, #KIND_CHOSEN
        cbnz    x0, 1f
        ldr     x0, [sp, #16]
        adr     x1, word_psci
        bl      same
        mov     x4, #KIND_PSCI
        cbnz    x0, 1f
        ldr     x0, [sp, #16]
        adr     x1, word_memory
        bl      starts
        mov     x4, #KIND_MEMORY
        cbnz    x0, 1f
        mov     x4, xzr
1:      mov     x0, x4
        ldp     x29, x30, [sp], #32
        ret
// x0 = whether the text x0 starts with the text x1.
starts: ldrb    w2, [x1], #1
        cbz     w2, 1f
        ldrb    w3, [x0], #1
        cmp     w2, w3
        b.eq    starts
        mov     x0, #0
        ret
1:      mov     x0, #1
        ret

// Looks at the property named x10 of x11 bytes at x12; x0 = whether it is left out.
seen:   stp     x29, x30, [sp, #-16]!
        mov     x0, x10
        adr     x1, (tree_strings + T_COMPATIBLE)
        bl      same
        ldr     x1, =compatible_at
        cbz     x0, 1f
        str     x12, [x1]
1:      mov     x0, x10
        adr     x1, (tree_strings + T_REG)
        bl      same
        ldr     x1, =reg_at
        cbz     x0, 2f
        cmp     x11, #16
        b.lo    2f
        str     x12, [x1]
2:      cmp     x23, #1
        b.ne    4f
        ldr     w4, [x12]
        rev     w4, w4
        cmp     w4, #2
        b.ne    4f
        mov     x0, x10
        adr     x1, (tree_strings + T__ADDRESS_CELLS)
        bl      same
        orr     x25, x25, x0
        mov     x0, x10
        adr     x1, (tree_strings + T__SIZE_CELLS)
        bl      same
        orr     x25, x25, x0, lsl #1
4:      mov     x0, #0
        cmp     x24, #KIND_CHOSEN
        ccmp    x23, #2, #0, eq
        b.ne    6f
        adr     x5, tree_strings                // what is put there anew: the first six names
        mov     x6, #6
5:      mov     x0, x10
        mov     x1, x5
        bl      same
        cbnz    x0, 6f
7:      ldrb    w0, [x5], #1
        cbnz    w0, 7b
        subs    x6, x6, #1
        b.ne    5b
        mov     x0, #0
6:      ldp     x29, x30, [sp], #16
        ret

// What has to be other in the copy of the property that ends at x22: PSCI's method, and how much memory there is.
changed:
        stp     x29, x30, [sp, #-16]!
        cmp     x23, #2
        b.ne    9f
        cmp     x24, #KIND_PSCI
        b.ne    1f
        mov     x0, x10
        adr     x1, word_method
        bl      same
        cbz     x0, 9f
        ldr     w0, [x12]
        ldr     w1, =0x00637668                 // "hvc"
        cmp     w0, w1
        cset    x2, eq
        ldr     x3, =psci_hvc
        str     x2, [x3]
        ldr     x3, =is_esx
        ldr     x3, [x3]
        cbz     x3, 9f
        str     w1, [x22, #-4]
        b       9f
1:      cmp     x24, #KIND_MEMORY
        b.ne    9f
        ldr     x0, =reg_at
        ldr     x0, [x0]
        cmp     x0, x12
        b.ne    9f
        ldr     x2, =ram_end
        ldr     x3, [x2]
        cbnz    x3, 9f                          // the first memory is what is planned with
        ldp     x4, x5, [x12]
        rev     x4, x4
        rev     x5, x5
        add     x5, x5, x4
        ldr     x3, =ram_base
        str     x4, [x3]
        str     x5, [x2]
        ldr     x3, =is_esx
        ldr     x3, [x3]
        cbz     x3, 9f
        ldr     x3, =final_place
        ldr     x3, [x3]
        cbz     x3, 9f
        sub     x5, x3, x4
        rev     x5, x5
        sub     x0, x11, #8                     // the first size, from the property's end
        sub     x0, x22, x0
        str     x5, [x0]
9:      ldp     x29, x30, [sp], #16
        ret

// What the node that ends says of the machine: its console, and devices that master the bus.
learn:  stp     x29, x30, [sp, #-32]!
        ldr     x0, =compatible_at
        ldr     x0, [x0]
        ldr     x1, =reg_at
        ldr     x1, [x1]
        cbz     x0, 9f
        cbz     x1, 9f
        str     x0, [sp, #16]
        ldr     x9, [x1]
        rev     x9, x9
        adr     x1, word_pl011
        bl      same
        cbz     x0, 1f
        ldr     x1, =uart
        ldr     x2, [x1]
        cbnz    x2, 9f
        str     x9, [x1]
        b       9f
1:      ldr     x0, [sp, #16]
        adr     x1, word_virtio
        bl      same
        mov     x4, #DEVICE_VIRTIO_MMIO
        cbnz    x0, 2f
        ldr     x0, [sp, #16]
        adr     x1, word_ecam
        bl      same
        mov     x4, #DEVICE_ECAM
        cbz     x0, 9f
2:      ldr     x1, =device_count
        ldr     x2, [x1]
        cmp     x2, #MOST_DEVICES
        b.hs    bad_tree
        ldr     x3, =devices
        add     x3, x3, x2, lsl #4
        stp     x4, x9, [x3]
        add     x2, x2, #1
        str     x2, [x1]
9:      ldr     x0, =compatible_at
        str     xzr, [x0]
        ldp     x29, x30, [sp], #32
        ret
`;
