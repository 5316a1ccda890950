/** What the second stage does before it launches: bus masters made quiet, digests compared, what was staged moved. */

/** Devices that go on writing memory would write into the hypervisor's. x21 to x25 are its own. */
export const QUIESCE = `
quiesce:
        mov     x27, x30
        add     x21, x19, #BI_DEVICES
        ldr     x22, [x19, #BI_DEVICE_COUNT]
1:      cbz     x22, 2f
        ldp     x0, x24, [x21], #DEVICE_SIZE
        sub     x22, x22, #1
        cmp     x0, #DEVICE_ECAM
        b.eq    3f
        // virtio-mmio: a status that is not 0 is a driver's; writing 0 resets the device (virtio 1.1, 4.2.2).
        ldr     w0, [x24]
        ldr     w1, =VIRTIO_MAGIC
        cmp     w0, w1
        b.ne    1b
        ldr     w0, [x24, #0x70]
        cbz     w0, 1b
        adr     x0, text_virtio
        bl      told
        str     wzr, [x24, #0x70]
        dsb     sy
        ldr     w0, [x24, #0x70]
        cbz     w0, 1b
        b       stubborn
2:      ret     x27
        // PCI: bit 2 of the command register of each function of bus 0.
3:      mov     x25, #256
4:      ldr     w0, [x24]
        cmn     w0, #1                          // nobody answers
        b.eq    5f
        ldr     w0, [x24, #4]
        tbz     w0, #2, 5f
        adr     x0, text_pci
        bl      told
        ldr     w0, [x24, #4]
        bic     w0, w0, #4
        strh    w0, [x24, #4]
        dsb     sy
        ldrh    w0, [x24, #4]
        tbnz    w0, #2, stubborn
5:      add     x24, x24, #1, lsl #12
        subs    x25, x25, #1
        b.ne    4b
        b       1b
stubborn:
        adr     x2, text_stubborn
        b       refuse

// Says what is at x0, and the address x24.
told:   mov     x28, x30
        bl      put_text
        mov     x0, x24
        bl      put_hex
        bl      end_line
        ret     x28
        .ltorg
`;

/** Digests; the measurement is SHA-256 of the one before and the segment's digest, from zeros on. */
export const VERIFY = `
verify: mov     x27, x30
        add     x21, x19, #BI_SEGMENTS
        ldr     x22, [x19, #BI_SEGMENT_COUNT]
        stp     xzr, xzr, [x19, #BI_MEASUREMENT]
        stp     xzr, xzr, [x19, #(BI_MEASUREMENT + 16)]
1:      cbz     x22, 2f
        adr     x0, text_segment
        bl      put_text
        add     x0, x21, #SEGMENT_NAME
        bl      put_text
        adr     x0, text_at
        bl      put_text
        ldr     x0, [x21, #SEGMENT_ADDRESS]
        bl      put_hex
        ldp     x0, x1, [x21]
        adr     x2, digest
        adrp    x3, work
        add     x3, x3, :lo12:work
        bl      sha256
        adr     x2, text_mismatch
        adr     x0, digest
        add     x1, x21, #SEGMENT_DIGEST
        mov     x3, #4
3:      ldr     x4, [x0], #8
        ldr     x5, [x1], #8
        cmp     x4, x5
        b.ne    refuse
        subs    x3, x3, #1
        b.ne    3b
        adr     x0, text_verified
        bl      put_text
        // The measurement's bytes and the digest's, one after the other.
        adr     x0, measured
        ldp     x1, x2, [x19, #BI_MEASUREMENT]
        stp     x1, x2, [x0]
        ldp     x1, x2, [x19, #(BI_MEASUREMENT + 16)]
        stp     x1, x2, [x0, #16]
        mov     x1, #64
        add     x2, x19, #BI_MEASUREMENT
        adrp    x3, work
        add     x3, x3, :lo12:work
        bl      sha256
        add     x21, x21, #SEGMENT_SIZE
        sub     x22, x22, #1
        b       1b
2:      adr     x0, text_measurement
        bl      put_text
        add     x21, x19, #BI_MEASUREMENT
        mov     x22, #4
4:      ldr     x0, [x21], #8
        rev     x0, x0
        bl      put_hex
        mov     w0, #' '
        strb    w0, [x26]
        subs    x22, x22, #1
        b.ne    4b
        bl      end_line
        ret     x27
`;

/** Moves go upward, so that one may go down onto itself; all of it is cleaned, since caches are off now. */
export const RELOCATE = `
relocate:
        add     x21, x19, #BI_MOVES
        ldr     x22, [x19, #BI_MOVE_COUNT]
1:      cbz     x22, 2f
        ldp     x0, x1, [x21]
        ldp     x2, x3, [x21, #16]
        add     x5, x1, x3                      // end with zeros
        add     x2, x1, x2                      // end of what is moved
        mov     x6, x1
3:      cmp     x1, x2
        b.hs    4f
        ldp     x7, x8, [x0], #16
        stp     x7, x8, [x1], #16
        b       3b
4:      sub     x7, x1, x2                      // 0 to 15 bytes too many
5:      cbz     x7, 6f
        strb    wzr, [x1, #-1]!
        sub     x7, x7, #1
        b       5b
6:      tst     x1, #7
        b.eq    7f
        cmp     x1, x5
        b.hs    8f
        strb    wzr, [x1], #1
        b       6b
7:      cmp     x1, x5
        b.hs    8f
        str     xzr, [x1], #8
        b       7b
8:      dsb     sy
        mrs     x7, ctr_el0
        ubfx    x7, x7, #16, #4
        mov     x8, #4
        lsl     x8, x8, x7
9:      dc      civac, x6
        add     x6, x6, x8
        cmp     x6, x5
        b.lo    9b
        add     x21, x21, #MOVE_SIZE
        sub     x22, x22, #1
        b       1b
2:      dsb     sy
        ic      iallu
        dsb     sy
        isb
        ret
`;
