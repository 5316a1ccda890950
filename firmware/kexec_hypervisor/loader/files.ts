/** The loader's files: modules mapped and checked for their kind, and against a manifest. */

/** `open_module`, `check_kinds`, `check_manifest`, `read_file`. */
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
