/** The loader's modules by their digests, and against a manifest. */

/** `check_manifest`, `take_digest`. */
export const MANIFEST = String.raw`
// Every file has its line in the manifest, where there is one.
check_manifest:
        stp     x29, x30, [sp, #-64]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        str     x23, [sp, #48]
        ldr     x1, =manifest
        ldr     x1, [x1]
        mov     x23, x1
        cbz     x1, 1f
        ldr     x2, =text_memory
        ldr     x3, =TEXT_MOST
        bl      read_file
        mov     x22, x0
        adr     x0, text_no_manifest
        tbnz    x22, #63, fail
1:      ldr     x19, =hypervisor
        mov     x20, #3
2:      mov     x0, x19
        bl      take_digest
        cbz     x23, 3f
        // 64 digits, two spaces, the path, the end of a line.
        ldr     x4, =list_memory
        add     x5, x19, #M_DIGEST
        mov     x6, #32
4:      ldrb    w7, [x5], #1
        lsr     w8, w7, #4
        and     w7, w7, #15
        cmp     w8, #10
        add     w9, w8, #'0'
        add     w10, w8, #('a' - 10)
        csel    w8, w9, w10, lo
        cmp     w7, #10
        add     w9, w7, #'0'
        add     w10, w7, #('a' - 10)
        csel    w7, w9, w10, lo
        strb    w8, [x4], #1
        strb    w7, [x4], #1
        subs    x6, x6, #1
        b.ne    4b
        mov     w7, #' '
        strb    w7, [x4], #1
        strb    w7, [x4], #1
        ldr     x5, [x19, #M_PATH]
5:      ldrb    w7, [x5], #1
        cbz     w7, 6f
        cmp     w7, #'@'
        b.eq    6f
        strb    w7, [x4], #1
        b       5b
6:      mov     w7, #'\n'
        strb    w7, [x4], #1
        strb    wzr, [x4]
        ldr     x0, =text_memory
        mov     x1, x22
        ldr     x2, =list_memory
        bl      find
        mov     x2, x0
        mov     x0, x19
        adr     x1, text_manifest
        cbz     x2, fail_module
3:      add     x19, x19, #M_BYTES
        subs    x20, x20, #1
        b.ne    2b
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldr     x23, [sp, #48]
        ldp     x29, x30, [sp], #64
        ret

// SHA-256 of module x0.
take_digest:
        add     x2, x0, #M_DIGEST
        ldr     x1, [x0, #M_SIZE]
        ldr     x0, [x0, #M_DATA]
        ldr     x3, =sha256_work
        b       sha256
        .ltorg
`;
