/**
 * The loader's device tree: the host's own, read from /sys/firmware/fdt and written anew with another /chosen
 * (Devicetree Specification 0.4, chapter 5). For Xen, /chosen names the modules (docs/misc/arm/device-tree/booting.txt); for a
 * management hypervisor it is the guest's, with PSCI by HVC and without the hypervisor's memory.
 */

/** `read_tree` and `walk_tree`. */
export const TREE = String.raw`
        .equ    FDT_MAGIC, 0xd00dfeed
        .equ    KIND_CHOSEN, 1
        .equ    KIND_PSCI, 2
        .equ    KIND_MEMORY, 3
        .equ    ROOT_CELLS, 3                   // both were seen

// Reads the host's tree and learns from it; what is written here is thrown away.
read_tree:
        stp     x29, x30, [sp, #-16]!
        adr     x1, path_tree
        ldr     x2, =tree_in
        ldr     x3, =TREE_MOST
        bl      read_file
        mov     x1, x0
        adr     x0, text_no_tree
        cmp     x1, #40
        b.lt    fail
        ldr     x2, =tree_in
        ldr     w3, [x2, #4]
        rev     w3, w3
        adr     x0, text_bad_tree
        cmp     x1, x3                          // totalsize
        b.lo    fail
        ldr     w3, [x2]
        rev     w3, w3
        ldr     w4, =FDT_MAGIC
        cmp     w3, w4
        b.ne    fail
        bl      walk_tree
        ldr     x1, =uart
        ldr     x1, [x1]
        adr     x0, text_no_uart
        cbz     x1, fail
        ldp     x29, x30, [sp], #16
        ret

// Writes tree_in anew to tree_out, its size to module tree, and what it finds to ram_base and the like.
// x19 = tree_in, x20 = its structure, x21 = its strings, x22 = place in tree_out, x23 = depth, x24 = kind of the node,
// x25 = root cells seen, x26 = whether /chosen was, x27 = offset of our strings.
walk_tree:
        stp     x29, x30, [sp, #-96]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        ldr     x19, =tree_in
        ldr     x22, =tree_out
        ldr     x0, =device_count
        str     xzr, [x0]
        ldr     x0, =ram_end
        str     xzr, [x0]
        ldr     w0, [x19, #8]
        rev     w0, w0
        add     x20, x19, x0
        ldr     w0, [x19, #12]
        rev     w0, w0
        add     x21, x19, x0
        ldr     w27, [x19, #32]                 // size_dt_strings
        rev     w27, w27
        mov     x23, xzr
        mov     x24, xzr
        mov     x25, xzr
        mov     x26, xzr
        // Header later; reservations up to and with the empty one.
        add     x22, x22, #40
        ldr     w0, [x19, #16]
        rev     w0, w0
        add     x0, x19, x0
1:      ldp     x1, x2, [x0], #16
        stp     x1, x2, [x22], #16
        orr     x1, x1, x2
        cbnz    x1, 1b
        mov     x28, x22                        // the structure begins here
token:  ldr     w0, [x20]
        rev     w0, w0
        cmp     w0, #1
        b.eq    begin_node
        cmp     w0, #2
        b.eq    end_node
        cmp     w0, #3
        b.eq    property
        cmp     w0, #4                          // nothing
        b.eq    skip_token
        cmp     w0, #9
        b.eq    end_tree
bad_tree:
        adr     x0, text_bad_tree
        b       fail
skip_token:
        add     x20, x20, #4
        b       token

begin_node:
        add     x23, x23, #1
        ldr     x0, =compatible_at
        str     xzr, [x0]
        ldr     x0, =reg_at
        str     xzr, [x0]
        cmp     x23, #2
        b.ne    1f
        add     x0, x20, #4
        bl      kind_of
        mov     x24, x0
1:      bl      copy_word
2:      ldr     w0, [x20], #4                   // the name, up to the word with its zero
        str     w0, [x22], #4
        bl      has_zero
        cbz     x0, 2b
        cmp     x24, #KIND_CHOSEN
        ccmp    x23, #2, #0, eq
        b.ne    token
        mov     x26, #1
        bl      put_chosen
        b       token

end_node:
        bl      learn
        cmp     x24, #KIND_CHOSEN
        ccmp    x23, #2, #0, eq
        b.ne    1f
        bl      put_modules
1:      cmp     x23, #2
        csel    x24, x24, xzr, hi
        sub     x23, x23, #1
        bl      copy_word
        b       token

property:
        ldr     w0, [x20, #8]
        rev     w0, w0
        add     x10, x21, x0                    // its name
        ldr     w11, [x20, #4]
        rev     w11, w11                        // its bytes
        add     x12, x20, #12                   // its value
        bl      seen
        cbnz    x0, 2f
        add     x1, x11, #15                    // the token, and the value in whole words
        and     x1, x1, #~3
1:      bl      copy_word
        subs    x1, x1, #4
        b.ne    1b
        bl      changed
        b       token
2:      add     x1, x11, #15
        and     x1, x1, #~3
        add     x20, x20, x1
        b       token

end_tree:
        cmp     x25, #ROOT_CELLS
        b.ne    bad_tree
        cbz     x26, bad_tree
        ldr     x0, =ram_end
        ldr     x0, [x0]
        cbz     x0, bad_tree
        bl      copy_word
        ldr     x0, =tree_out
        sub     x13, x22, x28                   // size of the structure
        sub     x14, x22, x0                    // offset of the strings
        mov     x1, x21
        mov     x2, x27
1:      cbz     x2, 2f
        ldrb    w3, [x1], #1
        strb    w3, [x22], #1
        sub     x2, x2, #1
        b       1b
2:      adr     x1, tree_strings
        mov     x2, #(tree_strings_end - tree_strings)
3:      ldrb    w3, [x1], #1
        strb    w3, [x22], #1
        subs    x2, x2, #1
        b.ne    3b
        sub     x15, x22, x0                    // totalsize
        ldr     x1, =tree
        str     x0, [x1, #M_DATA]
        str     x15, [x1, #M_SIZE]
        sub     x16, x28, x0
        add     x17, x27, #(tree_strings_end - tree_strings)
        ldr     w1, =FDT_MAGIC
        bl      put_header                      // magic
        mov     w1, w15
        bl      put_header                      // totalsize
        mov     w1, w16
        bl      put_header                      // off_dt_struct
        mov     w1, w14
        bl      put_header                      // off_dt_strings
        mov     w1, #40
        bl      put_header                      // off_mem_rsvmap
        mov     w1, #17
        bl      put_header                      // version
        mov     w1, #16
        bl      put_header                      // last_comp_version
        ldr     w1, [x19, #28]
        rev     w1, w1
        bl      put_header                      // boot_cpuid_phys
        mov     w1, w17
        bl      put_header                      // size_dt_strings
        mov     w1, w13
        bl      put_header                      // size_dt_struct
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #96
        ret

put_header:
        rev     w1, w1
        str     w1, [x0], #4
        ret
copy_word:
        ldr     w0, [x20], #4
        str     w0, [x22], #4
        ret
// x0 = whether one of the four bytes in w0 is zero. Changes x1.
has_zero:
        tst     w0, #0xff
        b.eq    1f
        tst     w0, #0xff00
        b.eq    1f
        tst     w0, #0xff0000
        b.eq    1f
        tst     w0, #0xff000000
        b.eq    1f
        mov     x0, #0
        ret
1:      mov     x0, #1
        ret
`;
