/** The loader's files: modules mapped, texts read. */

/** `open_module`, `open_path`, `read_file`. Its literals are in the pool of `check_manifest`, behind `check_kinds`. */
export const FILES = String.raw`
// Fills module x0 with name x1, the file x2 with @ADDRESS or without, and arguments x3.
open_module:
        stp     x29, x30, [sp, #-48]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        mov     x19, x0
        str     x1, [x0, #M_NAME]
        str     x2, [x0, #M_PATH]
        str     x3, [x0, #M_ARGUMENTS]
        ldr     x4, =path_memory
        mov     x5, #4095
1:      ldrb    w6, [x2], #1
        cbz     w6, 4f
        cmp     w6, #'@'
        b.eq    2f
        strb    w6, [x4], #1
        subs    x5, x5, #1
        b.ne    1b
        b       open_failed
        // Hexadecimal digits, with or without 0x.
2:      ldrb    w6, [x2]
        ldrb    w7, [x2, #1]
        sub     w7, w7, #'x'
        cmp     w6, #'0'
        ccmp    w7, #0, #0, eq
        cset    x7, eq
        add     x2, x2, x7, lsl #1
        mov     x7, xzr
        ldrb    w6, [x2]
        cbz     w6, bad_address
3:      ldrb    w6, [x2], #1
        cbz     w6, 5f
        orr     w8, w6, #0x20
        sub     w9, w6, #'0'
        sub     w10, w8, #('a' - 10)
        cmp     w9, #10
        csel    w9, w9, w10, lo
        b.lo    6f
        sub     w10, w8, #'a'
        cmp     w10, #6
        b.hs    bad_address
6:      add     x7, x9, x7, lsl #4
        b       3b
5:      str     x7, [x19, #M_WANTED]
4:      strb    wzr, [x4]
        ldr     x1, =path_memory
        bl      open_path
        tbnz    x0, #63, open_failed
        mov     x20, x0
        ldr     x1, =stat_memory
        mov     x8, #SYS_FSTAT
        svc     #0
        ldr     x1, =stat_memory
        ldr     x21, [x1, #48]                  // st_size
        cmp     x21, #64
        b.lo    open_failed                     // shorter than any header
        str     x21, [x19, #M_SIZE]
        mov     x0, xzr
        mov     x1, x21
        mov     x2, #1                          // PROT_READ
        mov     x3, #2                          // MAP_PRIVATE
        mov     x4, x20
        mov     x5, xzr
        mov     x8, #SYS_MMAP
        svc     #0
        tbnz    x0, #63, open_failed
        str     x0, [x19, #M_DATA]
        mov     x0, x20
        mov     x8, #SYS_CLOSE
        svc     #0
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret
open_failed:
        mov     x0, x19
        adr     x1, text_open
        b       fail_module
bad_address:
        mov     x0, x19
        adr     x1, text_address
        b       fail_module

open_path:
        mov     x0, #-100                       // AT_FDCWD
        mov     x2, xzr                         // O_RDONLY
        mov     x3, xzr
        mov     x8, #SYS_OPENAT
        svc     #0
        ret

// Reads the file x1 to its end into x2, of x3 bytes; x0 = how many there were, negative when it cannot.
read_file:
        stp     x29, x30, [sp, #-64]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        mov     x19, x2
        mov     x20, x3
        mov     x21, xzr
        bl      open_path
        tbnz    x0, #63, 2f
        mov     x22, x0
1:      mov     x0, x22
        add     x1, x19, x21
        sub     x2, x20, x21
        mov     x8, #SYS_READ
        svc     #0
        tbnz    x0, #63, 2f
        add     x21, x21, x0
        cbnz    x0, 1b
        mov     x0, x22
        mov     x8, #SYS_CLOSE
        svc     #0
        mov     x0, x21
        cmp     x0, x20                         // no place for an end
        csinv   x0, x0, xzr, lo
2:      ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #64
        ret
`;
