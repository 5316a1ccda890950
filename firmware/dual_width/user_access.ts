/** How the dual-width kernel reads and writes memory of a process: by the same tables, below 2^47 only, and aborts fail. */

/** Checks and copies; for `kernelSources`, before those that use its macro. */
export const USER_ACCESS_SOURCE: string = String.raw`
// Fails with -EFAULT unless \size bytes from \base are where EL0 can be. Changes x9 and x10.
        .macro  check_user base, size
        adds    x9, \base, \size
        b.cs    fail_efault
        mov     x10, #USER_LIMIT
        cmp     x9, x10
        b.hi    fail_efault
        .endm

fail_efault:
        mov     x27, #0
        mov     x0, #-EFAULT
        ret

// Copies x2 bytes to the user's x0 from x1; the user's address may abort: x0 = 0 or -EFAULT. Changes x1 to x3, x9, x10.
copy_to_user:
        check_user x0, x2
        b       copy
copy_from_user:
        check_user x1, x2
copy:   adr     x27, fail_efault
1:      cbz     x2, 2f
        ldrb    w3, [x1], #1
        strb    w3, [x0], #1
        sub     x2, x2, #1
        b       1b
2:      mov     x27, #0
        mov     x0, #0
        ret

// Compares the text at the user's x0 with the kernel's at x1: x0 = 0 when equal, 1 when not, or -EFAULT.
compare_user:
        mov     x2, #1
        adr     x27, fail_efault
1:      check_user x0, x2
        ldrb    w3, [x0], #1
        ldrb    w4, [x1], #1
        cmp     w3, w4
        b.ne    2f
        cbnz    w3, 1b
        mov     x2, #0
2:      mov     x27, #0
        mov     x0, x2
        ret
`;
