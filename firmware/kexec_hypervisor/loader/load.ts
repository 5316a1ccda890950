/** The loader hands over by kexec_load: segments, and the boot info and moves that the second stage goes by. */

/** `load`. */
export const LOAD = String.raw`
// Digests, boot info, second stage, and the system call. x19 = boot info, x20 = kexec's segments, x21 = their number.
load:   stp     x29, x30, [sp, #-16]!
        ldr     x0, =stage_copy
        adr     x1, stage_bytes
        ldr     x2, =STAGE_BYTES
1:      ldrb    w3, [x1], #1
        strb    w3, [x0], #1
        subs    x2, x2, #1
        b.ne    1b
        ldr     x19, =stage_copy
        ldr     x0, =STAGE_BOOT_INFO
        add     x19, x19, x0
        ldr     x20, =segments
        mov     x21, xzr
        ldr     x0, =BI_MAGIC_VALUE
        str     x0, [x19, #BI_MAGIC]
        ldr     x0, =psci_hvc
        ldr     x0, [x0]
        str     x0, [x19, #BI_CONDUIT]
        ldr     x0, =uart
        ldr     x0, [x0]
        str     x0, [x19, #BI_UART]
        ldr     x0, =tree
        bl      take_digest
        ldr     x22, =hypervisor
        mov     x23, #4                         // hypervisor, kernel, initrd, tree, and for ours the list
        ldr     x0, =is_esx
        ldr     x0, [x0]
        cbz     x0, 2f
        ldr     x0, =info
        bl      take_digest
        mov     x23, #5
2:      mov     x0, x22
        bl      add_segment
        add     x22, x22, #M_BYTES
        subs    x23, x23, #1
        b.ne    2b
        str     x21, [x19, #BI_SEGMENT_COUNT]
        // The quiesce list.
        ldr     x0, =device_count
        ldr     x1, [x0]
        str     x1, [x19, #BI_DEVICE_COUNT]
        ldr     x2, =devices
        add     x3, x19, #BI_DEVICES
3:      cbz     x1, 4f
        ldp     x4, x5, [x2], #16
        stp     x4, x5, [x3], #16
        sub     x1, x1, #1
        b       3b
4:      adr     x0, text_quiesce
        bl      say
        ldr     x0, [x19, #BI_DEVICE_COUNT]
        bl      say_hex
        bl      end_line
        bl      make_moves
        ldr     x0, =stage
        bl      take_digest
        ldr     x0, =stage
        bl      add_segment
        ldr     x0, =stage
        ldr     x0, [x0, #M_ADDRESS]
        mov     x1, x21
        mov     x2, x20
        ldr     x3, =KEXEC_ARCH_AARCH64
        mov     x8, #SYS_KEXEC_LOAD
        svc     #0
after_kexec_load:
        adr     x1, text_kexec_load
        tbnz    x0, #63, fail_errno
        ldp     x29, x30, [sp], #16
        ret

// Adds module x0 to kexec's segments and to those of the boot info, and says so.
add_segment:
        stp     x29, x30, [sp, #-48]!
        stp     x24, x25, [sp, #16]
        str     x26, [sp, #32]
        mov     x24, x0
        ldr     x1, [x0, #M_DATA]
        ldr     x2, [x0, #M_SIZE]
        ldr     x3, [x0, #M_ADDRESS]
        add     x4, x2, #4095
        and     x4, x4, #~4095
        add     x5, x20, x21, lsl #5
        stp     x1, x2, [x5]
        stp     x3, x4, [x5, #16]
        add     x5, x19, #BI_SEGMENTS
        add     x5, x5, x21, lsl #6
        ldr     x6, =stage
        cmp     x0, x6                          // the second stage cannot have its own digest in it
        b.eq    3f
        stp     x3, x2, [x5]
        ldp     x6, x7, [x0, #M_DIGEST]
        stp     x6, x7, [x5, #SEGMENT_DIGEST]
        ldp     x6, x7, [x0, #(M_DIGEST + 16)]
        stp     x6, x7, [x5, #(SEGMENT_DIGEST + 16)]
        add     x5, x5, #SEGMENT_NAME
        ldr     x6, [x0, #M_NAME]
        mov     x7, #15
2:      ldrb    w8, [x6], #1
        strb    w8, [x5], #1
        cbz     w8, 3f
        subs    x7, x7, #1
        b.ne    2b
3:      add     x21, x21, #1
        adr     x0, text_segment
        bl      say
        ldr     x0, [x24, #M_NAME]
        bl      say
        adr     x0, text_space
        bl      say
        ldr     x0, [x24, #M_ADDRESS]
        bl      say_hex
        adr     x0, text_space
        bl      say
        ldr     x0, [x24, #M_SIZE]
        bl      say_hex
        adr     x0, text_bytes
        bl      say
        add     x25, x24, #M_DIGEST
        mov     x26, #4
4:      ldr     x0, [x25], #8
        rev     x0, x0
        mov     x1, #16
        bl      say_digits
        subs    x26, x26, #1
        b.ne    4b
        bl      end_line
        ldp     x24, x25, [sp, #16]
        ldr     x26, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret

// What the second stage moves, where it goes then, and with what in x0 and x1.
make_moves:
        ldr     x0, =hypervisor
        ldr     x1, [x0, #M_ADDRESS]
        ldr     x2, [x0, #M_SIZE]
        ldr     x3, =final_place
        ldr     x3, [x3]
        ldr     x4, =final_size
        ldr     x4, [x4]
        ldr     x5, =is_esx
        ldr     x5, [x5]
        add     x6, x19, #BI_MOVES
        cbnz    x5, 1f
        cmp     x4, x2
        csel    x4, x4, x2, hi
        stp     x1, x3, [x6]
        stp     x2, x4, [x6, #16]
        mov     x7, #1
        str     x7, [x19, #BI_MOVE_COUNT]
        str     x3, [x19, #BI_ENTRY]
        ldr     x0, =tree
        ldr     x0, [x0, #M_ADDRESS]
        stp     x0, xzr, [x19, #BI_X0]
        ret
1:      ldr     x9, =lowest
        ldr     x9, [x9]
        sub     x3, x3, x9                      // from the file's addresses to those in memory
        ldr     x8, [x0, #M_DATA]
        ldr     x10, [x8, #24]                  // e_entry
        add     x10, x10, x3
        str     x10, [x19, #BI_ENTRY]
        ldr     w10, =0x1badb005
        ldr     x11, =info
        ldr     x11, [x11, #M_ADDRESS]
        stp     x10, x11, [x19, #BI_X0]
        ldrh    w10, [x8, #56]
        ldr     x11, [x8, #32]
        add     x8, x8, x11
        mov     x7, xzr
2:      ldr     w11, [x8]
        cmp     w11, #1
        b.ne    3f
        cmp     x7, #MOST_MOVES
        adr     x0, text_many
        b.hs    fail
        ldr     x11, [x8, #8]
        ldr     x12, [x8, #24]
        ldp     x13, x14, [x8, #32]
        add     x11, x11, x1
        add     x12, x12, x3
        orr     x15, x11, x12
        tst     x15, #15
        adr     x0, text_unaligned
        b.ne    fail
        stp     x11, x12, [x6], #16
        stp     x13, x14, [x6], #16
        add     x7, x7, #1
3:      add     x8, x8, #56
        subs    w10, w10, #1
        b.ne    2b
        str     x7, [x19, #BI_MOVE_COUNT]
        ret
        .ltorg
`;
