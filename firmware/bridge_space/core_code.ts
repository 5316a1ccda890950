/**
 * The image that changes its address space: it is copied to VA_a, builds S3 and S2 there, goes over the bridge to VA_b,
 * and comes back over it, or starts a kernel.
 */

/** Pages of tables behind the image. */
export const TABLE_PAGES = 28;

/**
 * Assembly text, behind the switch code (see there), which begins the image: labels `core` to `core_end`. Equates needed:
 * OFFSETS of the record, `TABLE_PAGES`, `SWITCH_SPAN`.
 */
export const CORE_CODE: string = String.raw`
        .equ    CORE_SIZE,      core_end - core
        .equ    WINDOW,         CORE_SIZE + TABLE_PAGES * 0x1000

// x0 = the pair's entry, x1 = first address that may be written, x2 = end of those, x3 = device tree and x4 = kernel to go
// on with: x0 = 0 or the reason why not.
// Runs at VA_a = MA in the firmware's space, on the firmware's stack.
core_main:
        stp     x29, x30, [sp, #-96]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        adr     x19, core
        adr     x20, record
        mov     x21, x1
        mov     x22, x2
        mov     x5, x4
        ldp     x1, x2, [x0]
        ldr     x4, [x0, #16]
        str     x4, [x20, #FLAGS]
        stp     x3, x5, [x20, #DEVICE_TREE]
        stp     x1, x2, [x20, #VA_A]
        sub     x28, x2, x1
        str     x28, [x20, #DELTA]
        str     x19, [x20, #MA]
        bl      read_live
        cbnz    x0, leave
        bl      check_pair
        cbnz    x0, leave
        bl      clear_target
        bl      build_spaces
        cbnz    x0, leave
        b       cross

leave:  str     x0, [x20, #STATUS]
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #96
        ret

// The live registers to the record: x23 = level, x24 = bits of an address.
read_live:
        mrs     x23, currentel
        lsr     x23, x23, #2
        cmp     x23, #2
        b.eq    1f
        mrs     x1, ttbr0_el1
        mrs     x2, tcr_el1
        mrs     x3, mair_el1
        mrs     x4, sctlr_el1
        mrs     x5, vbar_el1
        b       2f
1:      mrs     x1, ttbr0_el2
        mrs     x2, tcr_el2
        mrs     x3, mair_el2
        mrs     x4, sctlr_el2
        mrs     x5, vbar_el2
2:      str     x23, [x20, #LEVEL]
        stp     x1, x2, [x20, #S1]
        stp     x3, x4, [x20, #MAIR]
        str     x5, [x20, #VBAR]
        mov     x0, #REASON_MMU_OFF
        tbz     w4, #0, 3f
        mov     x0, #REASON_GRANULE
        tst     x2, #(3 << 14)
        b.ne    3f
        mov     x24, #64
        and     x2, x2, #0x3f
        sub     x24, x24, x2
        mov     x0, #0
3:      ret

// Refuses a pair for which there is no bridge. x27 = VA_c, or 0 where one bridge does.
check_pair:
        ldp     x1, x2, [x20, #VA_A]
        mov     x0, #REASON_PLACE
        cmp     x1, x19
        b.ne    refused
        mov     x0, #REASON_SAME
        cbz     x28, refused
        mov     x0, #REASON_MISALIGNED
        tst     x2, #0xfff
        b.ne    refused
        mov     x0, #REASON_RANGE
        ldr     x5, =CORE_SIZE
        add     x3, x2, x5
        cmp     x3, x2
        b.lo    refused
        sub     x4, x3, #1
        lsr     x4, x4, x24
        cbnz    x4, refused
        mov     x0, #REASON_DEVICE
        mov     x4, #UART
        cmp     x4, x2
        ccmp    x4, x3, #2, hs                  // UART < VA_b, or UART >= end: apart
        b.lo    refused
        mov     x0, #REASON_TABLES
        add     x5, x19, x5                     // tables begin behind the image
        add     x6, x5, #TABLE_PAGES, lsl #12
        cmp     x2, x6
        ccmp    x5, x3, #2, lo
        b.lo    refused
        mov     x27, #0
        cmp     x28, #0
        cneg    x4, x28, mi
        cmp     x4, #(SWITCH_SPAN >> 12), lsl #12
        b.hs    accepted
        mov     x0, #REASON_OVERLAP
        ldr     x4, [x20, #FLAGS]
        tbz     w4, #FLAG_SECOND, refused
        mov     x27, #1                         // half the space away from VA_b
        sub     x4, x24, #1
        lsl     x27, x27, x4
        eor     x27, x27, x2
accepted:
        str     x27, [x20, #VA_C]
        mov     x0, #0
refused:
        ret

// What lies at VA_b in the firmware's space is cleared, where it is ours: what is fetched there by a translation of the
// old space is undefined then.
clear_target:
        ldr     x1, [x20, #VA_B]
        ldr     x3, =WINDOW
        mov     x4, #SWITCH_SPAN
        add     x5, x1, x4
        cmp     x1, x21
        b.lo    2f
        cmp     x5, x22
        b.hi    2f
        add     x6, x19, x3
        cmp     x1, x6
        ccmp    x19, x5, #2, lo                 // not where the image or its tables are
        b.lo    2f
1:      stp     xzr, xzr, [x1], #16
        cmp     x1, x5
        b.lo    1b
2:      ret

cross:  mrs     x3, daif
        mov     x4, sp
        stp     x4, x3, [x20, #STACK]
        msr     daifset, #15
emergency_vectors:
        adr     x4, vectors
        bl      set_vectors
        ldp     x0, x1, [x20, #S3]              // all is read before: there is no data on the bridge
        ldr     x5, [x20, #VA_B]
        cbnz    x27, 1f
        ldr     x1, [x20, #S2]
        mov     x2, x28
        bl      switch_spaces
        b       landed
1:      sub     x2, x27, x19
        sub     x6, x5, x27
        ldr     x5, [x20, #S2]
        bl      switch_spaces_twice

landed: adr     x20, record                     // at VA_b, in S2
        adr     x4, core
        adr     x5, stack_end
        mov     sp, x5
        str     x4, [x20, #LANDED]
        bl      read_landing
        str     xzr, [x20, #STATUS]
handed_off:
        ldr     x4, [x20, #FLAGS]
        bl      put_record

        ldp     x0, x1, [x20, #S3]              // and back
        ldr     x5, [x20, #VA_B]
        cbnz    x27, 1f
        ldr     x1, [x20, #S1]
        neg     x2, x28
        bl      switch_spaces
        b       back
1:      mov     x2, x0
        mov     x0, x1
        mov     x1, x2
        sub     x2, x27, x5
        sub     x6, x19, x27
        ldr     x5, [x20, #S1]
        bl      switch_spaces_twice

back:   adr     x20, record                     // at VA_a, in S1
        ldr     x4, [x20, #FLAGS]
        tbnz    w4, #FLAG_KERNEL, start_kernel
        ldr     x4, [x20, #VBAR]
        bl      set_vectors
        ldp     x4, x3, [x20, #STACK]
        mov     sp, x4
        msr     daif, x3
        mov     x0, #0
        b       leave

// As Linux wants it (Documentation/arm64/booting.rst): MMU and caches off, x0 = device tree, x1 to x3 = 0. Addresses
// are the same with and without the MMU here. What is handed over was cleaned to the PoC when it was put there.
start_kernel:
        ldp     x0, x21, [x20, #DEVICE_TREE]
        mov     x5, #0x1005                     // M, C, I
        cmp     x23, #2
        b.eq    1f
        mrs     x4, sctlr_el1
        bic     x4, x4, x5
        msr     sctlr_el1, x4
        isb
        tlbi    vmalle1
        b       2f
1:      mrs     x4, sctlr_el2
        bic     x4, x4, x5
        msr     sctlr_el2, x4
        isb
        tlbi    alle2
2:      ic      iallu
        dsb     nsh
        isb
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        br      x21

set_vectors:
        cmp     x23, #2
        b.eq    1f
        msr     vbar_el1, x4
        isb
        ret
1:      msr     vbar_el2, x4
        isb
        ret

read_landing:
        cmp     x23, #2
        b.eq    1f
        mrs     x1, ttbr0_el1
        mrs     x2, sctlr_el1
        mrs     x3, vbar_el1
        b       2f
1:      mrs     x1, ttbr0_el2
        mrs     x2, sctlr_el2
        mrs     x3, vbar_el2
2:      stp     x1, x2, [x20, #LANDED_TTBR]
        str     x3, [x20, #LANDED_VBAR]
        ret

// The record on the console.
put_record:
        stp     x29, x30, [sp, #-16]!
        adr     x20, record
        adr     x21, record_fields
1:      ldr     w22, [x21], #4
        cbz     w22, 2f
        mov     x10, x21
        ldr     x11, [x20, x22]
        bl      put_field
        add     x21, x10, #3
        and     x21, x21, #~3
        b       1b
2:      adr     x10, text_end
        bl      put_text
        ldp     x29, x30, [sp], #16
        ret

        .ltorg
`;
