/** The system calls of the dual-width kernel about memory: brk, mmap, munmap and mprotect. */

/** The calls; for `kernelSources`. */
export const MEMORY_CALLS_SOURCE: string = String.raw`
// Checks that pages from x0, x1 bytes of them, are the process's to change: x0 to x1 is then page-aligned and x2 = 0;
// otherwise x2 = -EINVAL. The shim is not.
user_range:
        mov     x2, #-EINVAL
        tst     x0, #4095
        b.ne    1f
        adds    x1, x1, x0
        b.cs    1f
        add     x1, x1, #4095
        and     x1, x1, #~4095
        ldr     x3, =SHIM
        cmp     x1, x3
        b.hi    1f
        cmp     x0, x1
        b.hi    1f
        mov     x2, #0
1:      ret

// brk(address): the end of the data; unchanged when it cannot be.
sys_brk:
        stp     x29, x30, [sp, #-32]!
        stp     x19, x20, [sp, #16]
        mov     x19, x0
        ldr     x2, [x28, #P_BRK_START]
        ldr     x20, [x28, #P_BRK]
        cmp     x19, x2
        b.lo    2f
        mov     x3, #BRK_MAXIMUM
        add     x3, x3, x2
        cmp     x19, x3
        b.hi    2f
        add     x0, x20, #4095
        and     x0, x0, #~4095
        add     x1, x19, #4095
        and     x1, x1, #~4095
        cmp     x0, x1
        b.hi    1f
        mov     x4, x0
        mov     x5, x1
        mov     x0, #3                  // PROT_READ | PROT_WRITE
        bl      page_bits
        mov     x2, x0
        mov     x0, x4
        mov     x1, x5
        bl      map_range
        cbnz    x0, 2f
        mov     x20, x19
        b       2f
1:      mov     x2, x0
        mov     x0, x1
        mov     x1, x2
        bl      unmap_range
        mov     x20, x19
2:      str     x20, [x28, #P_BRK]
        mov     x0, x20
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

// mmap(address, length, prot, flags, fd, offset): private memory without a file, where the kernel wants it.
sys_mmap:
        stp     x29, x30, [sp, #-32]!
        stp     x19, x20, [sp, #16]
        mov     x9, x0
        mov     x0, #-EINVAL
        cbz     x1, 1f
        tbnz    w3, #4, 1f              // MAP_FIXED
        mov     x0, #-ENODEV
        tbz     w3, #5, 1f              // not MAP_ANONYMOUS
        mov     x0, #-ENOMEM
        lsr     x4, x1, #36
        cbnz    x4, 1f
        add     x1, x1, #4095
        and     x1, x1, #~4095
        ldr     x20, [x28, #P_MMAP_NEXT]
        sub     x19, x20, x1
        mov     x0, x2
        bl      page_bits
        mov     x2, x0
        mov     x0, x19
        mov     x1, x20
        bl      map_range
        cbnz    x0, 1f
        str     x19, [x28, #P_MMAP_NEXT]
        mov     x0, x19
1:      ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

sys_munmap:
        str     x30, [sp, #-16]!
        bl      user_range
        mov     x3, x0
        mov     x0, x2
        cbnz    x2, 1f
        mov     x0, x3
        bl      unmap_range
        mov     x0, #0
1:      ldr     x30, [sp], #16
        ret

// mprotect(address, length, prot): pages that the builder mapped without D_OWNED, like the shim, keep what they have.
sys_mprotect:
        stp     x29, x30, [sp, #-48]!
        stp     x19, x20, [sp, #16]
        str     x21, [sp, #32]
        mov     x21, x2
        bl      user_range
        mov     x19, x0
        mov     x20, x1
        mov     x0, x2
        cbnz    x0, 4f
        mov     x0, x21
        bl      page_bits
        mov     x21, x0
1:      cmp     x19, x20
        b.hs    3f
        mov     x0, x19
        mov     x1, #0
        bl      find_descriptor
        cbz     x0, 2f
        ldr     x2, [x0]
        tbz     x2, #55, 2f
        and     x2, x2, #0x0000fffffffff000
        orr     x2, x2, x21
        str     x2, [x0]
        dsb     ishst
        mov     x0, x19
        invalidate_page
        dsb     nsh
        add     x19, x19, #1, lsl #12
        b       1b
2:      mov     x0, #-ENOMEM
        isb
        b       4f
3:      isb
        mov     x0, #0
4:      ldp     x19, x20, [sp, #16]
        ldr     x21, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret
        .ltorg
`;
