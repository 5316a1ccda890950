/** The loader's plan of physical memory: where each module goes. */

/** `plan`. Its literals are in the pool of `load`, which follows. */
export const PLAN = String.raw`
// Gives each module its place, from the beginning of RAM on; what runs where it is put gets the memory that it needs.
plan:   stp     x29, x30, [sp, #-16]!
        ldr     x0, =ram_base
        ldr     x0, [x0]
        ldr     x1, =next_free
        str     x0, [x1]
        // The hypervisor runs at final_place: Xen in a place of 2 MiB units, ours in the last ones of RAM.
        ldr     x0, =is_esx
        ldr     x0, [x0]
        cbnz    x0, 1f
        ldr     x3, =hypervisor
        ldr     x3, [x3, #M_DATA]
        ldr     x0, [x3, #IMAGE_SIZE]
        ldr     x1, =final_size
        str     x0, [x1]
        ldr     x1, =MEGABYTES_2
        ldr     x2, [x3, #IMAGE_TEXT_OFFSET]
        add     x0, x0, x2
        bl      reserve
        ldr     x3, =hypervisor
        ldr     x3, [x3, #M_DATA]
        ldr     x2, [x3, #IMAGE_TEXT_OFFSET]
        add     x0, x0, x2
        b       2f
1:      ldr     x1, =final_size
        ldr     x1, [x1]
        ldr     x0, =ram_end
        ldr     x0, [x0]
        subs    x0, x0, x1
        b.lo    no_memory
        and     x0, x0, #~(MEGABYTES_2 - 1)
2:      ldr     x1, =final_place
        str     x0, [x1]
        adr     x0, text_final
        bl      say
        ldr     x0, =final_place
        ldr     x0, [x0]
        bl      say_hex
        bl      end_line
        ldr     x0, =kernel
        ldr     x1, [x0, #M_DATA]
        ldr     x2, [x1, #IMAGE_TEXT_OFFSET]
        ldr     x1, [x1, #IMAGE_SIZE]
        ldr     x3, [x0, #M_SIZE]
        cmp     x1, x3
        csel    x1, x1, x3, hi
        add     x1, x1, x2
        bl      place_module
        ldr     x0, =kernel
        ldr     x1, [x0, #M_DATA]
        ldr     x2, [x1, #IMAGE_TEXT_OFFSET]
        ldr     x1, [x0, #M_WANTED]
        cbnz    x1, 3f
        ldr     x1, [x0, #M_ADDRESS]
        add     x1, x1, x2
        str     x1, [x0, #M_ADDRESS]
3:      ldr     x0, =initrd
        ldr     x1, [x0, #M_SIZE]
        bl      place_module
        ldr     x0, =hypervisor
        ldr     x1, [x0, #M_SIZE]
        bl      place_module
        // The tree knows where they are.
        ldr     x0, =tree
        adr     x1, name_tree
        str     x1, [x0, #M_NAME]
        bl      walk_tree
        ldr     x0, =tree
        ldr     x1, [x0, #M_SIZE]
        bl      place_module
        ldr     x0, =is_esx
        ldr     x0, [x0]
        cbz     x0, 4f
        bl      make_info
        ldr     x0, =info
        ldr     x1, [x0, #M_SIZE]
        bl      place_module
        bl      relocate_info
4:      ldr     x0, =stage
        adr     x1, name_stage
        str     x1, [x0, #M_NAME]
        ldr     x1, =stage_copy
        str     x1, [x0, #M_DATA]
        ldr     x1, =STAGE_BYTES
        str     x1, [x0, #M_SIZE]
        bl      place_module
        ldp     x29, x30, [sp], #16
        ret

// x0 = address of x0 bytes at a multiple of x1. Changes x2 to x4.
reserve:
        ldr     x2, =next_free
        ldr     x3, [x2]
        sub     x4, x1, #1
        add     x3, x3, x4
        bic     x3, x3, x4
        add     x4, x3, x0
        mov     x0, x3
        str     x4, [x2]
        ldr     x2, =is_esx
        ldr     x2, [x2]
        ldr     x3, =final_place
        ldr     x3, [x3]
        cmp     x2, #0
        ccmp    x3, #0, #4, ne
        b.ne    1f
        ldr     x3, =ram_end
        ldr     x3, [x3]
1:      cmp     x4, x3
        b.hi    no_memory
        ret
no_memory:
        adr     x0, text_full
        b       fail

// Puts module x0 where it wants to be, or into x1 bytes of the next 2 MiB.
place_module:
        stp     x29, x30, [sp, #-32]!
        str     x0, [sp, #16]
        ldr     x2, [x0, #M_WANTED]
        cbnz    x2, 1f
        mov     x0, x1
        ldr     x1, =MEGABYTES_2
        bl      reserve
        mov     x2, x0
1:      ldr     x0, [sp, #16]
        str     x2, [x0, #M_ADDRESS]
        ldp     x29, x30, [sp], #32
        ret
`;
