/** The loader's first code: its command line, what it says, and the two system calls that end in another kernel. */

/** `say`, `say_hex`, `fail` and the like print; `_start` reads the command line. */
export const MAIN = String.raw`
_start: ldr     x19, [sp]                       // argc
        add     x20, sp, #16                    // argv[1]
        sub     x19, x19, #1
options:
        cbz     x19, usage
        ldr     x21, [x20], #8
        sub     x19, x19, #1
        ldrb    w0, [x21]
        cmp     w0, #'-'
        b.ne    command
        ldrb    w0, [x21, #1]
        cmp     w0, #'f'
        b.ne    1f
        ldr     x1, =is_forced
        str     x0, [x1]
        b       options
1:      cmp     w0, #'m'
        b.ne    usage
        cbz     x19, usage
        ldr     x0, [x20], #8
        sub     x19, x19, #1
        ldr     x1, =manifest
        str     x0, [x1]
        b       options
command:
        mov     x0, x21
        adr     x1, word_exec
        bl      same
        cbnz    x0, execute
        mov     x0, x21
        adr     x1, word_unload
        bl      same
        cbnz    x0, unload
        mov     x0, x21
        adr     x1, word_adopt
        bl      same
        cbnz    x0, adopt
        mov     x0, x21
        adr     x1, word_release
        bl      same
        cbnz    x0, release
        mov     x0, x21
        adr     x1, word_xen
        bl      same
        cbnz    x0, 2f
        mov     x0, x21
        adr     x1, word_esx
        bl      same
        cbz     x0, usage
        ldr     x1, =is_esx
        str     x0, [x1]
2:      cmp     x19, #5
        b.ne    usage
        bl      check_level
        ldr     x0, =hypervisor
        adr     x1, name_hypervisor
        ldr     x2, [x20]
        ldr     x3, [x20, #8]
        bl      open_module
        ldr     x0, =kernel
        adr     x1, name_kernel
        ldr     x2, [x20, #16]
        ldr     x3, [x20, #24]
        bl      open_module
        ldr     x0, =initrd
        adr     x1, name_initrd
        ldr     x2, [x20, #32]
        mov     x3, xzr
        bl      open_module
        bl      check_kinds
        bl      check_manifest
        bl      read_tree
        bl      plan
        bl      load
        adr     x0, text_loaded
        bl      say
        mov     x0, xzr
        b       exit

// reboot(2) returns only when nothing is loaded.
execute:
        mov     x8, #SYS_SYNC
        svc     #0
        ldr     w0, =0xfee1dead
        ldr     w1, =672274793
        ldr     w2, =0x45584543                 // LINUX_REBOOT_CMD_KEXEC
        mov     x3, xzr
        mov     x8, #SYS_REBOOT
        svc     #0
after_reboot:
        adr     x1, text_reboot
        b       fail_errno

unload: mov     x0, xzr
        mov     x1, xzr
        mov     x2, xzr
        ldr     x3, =KEXEC_ARCH_AARCH64
        mov     x8, #SYS_KEXEC_LOAD
        svc     #0
        adr     x1, text_kexec_load
        tbnz    x0, #63, fail_errno
        adr     x0, text_unloaded
        bl      say
        mov     x0, xzr
        b       exit

usage:  adr     x0, text_usage
        bl      say
        mov     x0, #2
exit:   mov     x8, #SYS_EXIT
        svc     #0

// Whether the kernel's log says that the host was entered at EL1.
check_level:
        stp     x29, x30, [sp, #-16]!
        mov     x0, #3                          // SYSLOG_ACTION_READ_ALL
        ldr     x1, =text_memory
        ldr     x2, =TEXT_MOST
        mov     x8, #SYS_SYSLOG
        svc     #0
        tbnz    x0, #63, 1f
        mov     x1, x0
        ldr     x0, =text_memory
        adr     x2, text_at_el1
        bl      find
        cbz     x0, 1f
        ldr     x1, =is_forced
        ldr     x1, [x1]
        adr     x0, text_level
        cbz     x1, fail
        bl      say
        bl      end_line
1:      ldp     x29, x30, [sp], #16
        ret

// x0 = whether the texts x0 and x1 are equal. Changes x1 to x3.
same:   ldrb    w2, [x0], #1
        ldrb    w3, [x1], #1
        cmp     w2, w3
        b.ne    1f
        cbnz    w2, same
        mov     x0, #1
        ret
1:      mov     x0, #0
        ret

// x0 = whether x1 bytes at x0 have the text x2 in them. Changes x1 to x7.
find:   add     x1, x0, x1
1:      cmp     x0, x1
        b.hs    4f
        mov     x3, x0
        mov     x4, x2
2:      ldrb    w5, [x4], #1
        cbz     w5, 3f
        cmp     x3, x1
        b.hs    4f
        ldrb    w6, [x3], #1
        cmp     w5, w6
        b.eq    2b
        add     x0, x0, #1
        b       1b
3:      mov     x0, #1
        ret
4:      mov     x0, #0
        ret

// x0 = length of the text x0. Changes x1 and x2.
length: mov     x1, x0
1:      ldrb    w2, [x1], #1
        cbnz    w2, 1b
        sub     x0, x1, x0
        sub     x0, x0, #1
        ret

// Prints the text x0. Changes x0 to x2 and x8.
say:    stp     x29, x30, [sp, #-32]!
        str     x0, [sp, #16]
        bl      length
        mov     x2, x0
        ldr     x1, [sp, #16]
        mov     x0, #1
        mov     x8, #SYS_WRITE
        svc     #0
        ldp     x29, x30, [sp], #32
        ret

end_line:
        adr     x0, text_line
        b       say

// Prints x0 as 0x and its digits; say_digits prints x1 of them. Changes x0 to x5 and x8.
say_hex:
        stp     x29, x30, [sp, #-32]!
        str     x0, [sp, #16]
        adr     x0, text_0x
        bl      say
        ldr     x0, [sp, #16]
        ldp     x29, x30, [sp], #32
        clz     x1, x0
        lsr     x1, x1, #2
        mov     x2, #16
        sub     x1, x2, x1
        cmp     x1, #1
        csinc   x1, x1, xzr, hs
say_digits:
        stp     x29, x30, [sp, #-48]!
        add     x2, sp, #16
        add     x2, x2, x1
        strb    wzr, [x2]
1:      and     x3, x0, #15
        cmp     x3, #10
        add     x4, x3, #'0'
        add     x5, x3, #('a' - 10)
        csel    x4, x4, x5, lo
        strb    w4, [x2, #-1]!
        lsr     x0, x0, #4
        subs    x1, x1, #1
        b.ne    1b
        mov     x0, x2
        bl      say
        ldp     x29, x30, [sp], #48
        ret

// Says why it goes no further, x0, and ends.
fail:   mov     x19, x0
        adr     x0, text_name
        bl      say
        mov     x0, x19
        bl      say
        bl      end_line
        mov     x0, #1
        b       exit

// The same of a module x0, with the reason x1; of a system call x1 that gave x0.
fail_module:
        mov     x19, x0
        mov     x20, x1
        adr     x0, text_name
        bl      say
        ldr     x0, [x19, #M_NAME]
        bl      say
        adr     x0, text_space
        bl      say
        ldr     x0, [x19, #M_PATH]
        bl      say
        adr     x0, text_colon
        bl      say
        mov     x0, x20
        bl      say
        bl      end_line
        mov     x0, #1
        b       exit
fail_errno:
        neg     x19, x0
        mov     x20, x1
        adr     x0, text_name
        bl      say
        mov     x0, x20
        bl      say
        adr     x0, text_colon
        bl      say
        adr     x21, errors
1:      ldr     x0, [x21], #16
        cbz     x0, 2f
        cmp     x0, x19
        b.ne    1b
2:      ldr     x0, [x21, #-8]
        bl      say
        adr     x0, text_errno
        bl      say
        mov     x0, x19
        bl      say_hex
        adr     x0, text_end
        bl      say
        mov     x0, #1
        b       exit
        .ltorg
`;
