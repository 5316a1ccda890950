/** What the loader's modules are: Images, the ELF file with an ESXBootInfo header, an archive. */

/** `check_kinds`. */
export const KINDS = String.raw`
// The files are what they are given as.
check_kinds:
        stp     x29, x30, [sp, #-16]!
        ldr     x0, =is_esx
        ldr     x0, [x0]
        cbnz    x0, 1f
        ldr     x0, =hypervisor
        bl      check_image
        b       2f
1:      bl      check_elf
2:      ldr     x0, =kernel
        bl      check_image
        ldr     x0, =initrd
        ldr     x1, [x0, #M_DATA]
        ldr     w2, [x1]
        mov     w3, #0x8b1f                     // gzip
        and     w4, w2, #0xffff
        cmp     w4, w3
        b.eq    3f
        ldr     w3, =0x37303730                 // "0707" of cpio
        cmp     w2, w3
        b.eq    3f
        ldr     w3, =0x587a37fd                 // xz
        cmp     w2, w3
        b.eq    3f
        ldr     w3, =0xfd2fb528                 // zstd
        cmp     w2, w3
        adr     x1, text_no_initrd
        b.ne    fail_module
3:      ldp     x29, x30, [sp], #16
        ret

check_image:
        ldr     x1, [x0, #M_DATA]
        ldr     w2, [x1, #IMAGE_MAGIC_AT]
        ldr     w3, =IMAGE_MAGIC
        cmp     w2, w3
        adr     x1, text_no_image
        b.ne    fail_module
        ret

// ELF64, little-endian, AArch64; the ESXBootInfo header of its lowest segment (esxbootinfo.h).
check_elf:
        ldr     x0, =hypervisor
        ldr     x2, [x0, #M_DATA]
        adr     x1, text_no_elf
        ldr     w3, [x2]
        ldr     w4, =0x464c457f
        cmp     w3, w4
        b.ne    fail_module
        ldrh    w3, [x2, #4]
        mov     w4, #0x0102
        cmp     w3, w4
        b.ne    fail_module
        ldrh    w3, [x2, #18]
        cmp     w3, #183
        b.ne    fail_module
        ldrh    w3, [x2, #54]
        cmp     w3, #56
        b.ne    fail_module
        ldr     x3, [x2, #32]                   // program headers
        ldrh    w4, [x2, #56]
        mov     x5, #56
        madd    x5, x4, x5, x3
        ldr     x6, [x0, #M_SIZE]
        cmp     x5, x6
        b.hi    fail_module
        cmp     x3, x6
        b.hi    fail_module
        // x7 = lowest address, x8 = its offset, x9 = its bytes, x10 = end of all.
        mov     x7, #-1
        mov     x10, xzr
        add     x3, x3, x2
1:      cbz     x4, 3f
        ldr     w11, [x3]
        cmp     w11, #1                         // PT_LOAD
        b.ne    2f
        ldr     x12, [x3, #8]                   // p_offset
        ldr     x13, [x3, #24]                  // p_paddr
        ldp     x14, x15, [x3, #32]             // p_filesz, p_memsz
        adds    x16, x12, x14
        b.cs    fail_module
        cmp     x16, x6
        b.hi    fail_module
        cmp     x14, x15
        b.hi    fail_module
        adds    x16, x13, x15
        b.cs    fail_module
        cmp     x16, x10
        csel    x10, x16, x10, hi
        cmp     x13, x7
        b.hs    2f
        mov     x7, x13
        mov     x8, x12
        mov     x9, x14
2:      add     x3, x3, #56
        sub     x4, x4, #1
        b       1b
3:      cbz     x10, fail_module
        ldr     x3, =lowest
        str     x7, [x3]
        sub     x10, x10, x7
        ldr     x3, =final_size
        str     x10, [x3]
        adr     x1, text_no_header
        add     x3, x2, x8
        mov     x4, #8192
        cmp     x9, x4
        csel    x9, x9, x4, lo
        ldr     w4, =0x1badb005
4:      subs    x9, x9, #8
        b.lo    fail_module
        ldp     w5, w6, [x3]
        cmp     w5, w4
        b.ne    5f
        ldr     w7, [x3, #8]
        add     w7, w7, w5
        adds    w7, w7, w6
        b.eq    6f
5:      add     x3, x3, #8
        b       4b
6:      tst     w6, #0xffff                     // what it cannot do without
        adr     x1, text_needs
        b.ne    fail_module
        ret
`;
