/** Faults under the dual-width kernel: those of processes become signals, its own on their addresses fail a call. */

/** From syndromes to signals, fix-ups and panics; for `kernelSources`. */
export const FAULTS_SOURCE: string = String.raw`
        .equ    SIGILL, 4
        .equ    SIGTRAP, 5
        .equ    SIGBUS, 7
        .equ    SIGFPE, 8
        .equ    SIGSEGV, 11

// EL0 did what x20 = ESR says, and it was no system call.
user_fault:
        mrs     x21, far_el1
        lsr     x1, x20, #26
        adr     x2, fault_signals
1:      ldr     w3, [x2], #4
        and     w4, w3, #0xff
        cmp     w4, #0xff
        b.eq    2f
        cmp     w4, w1
        b.ne    1b
2:      tbnz    w3, #16, 3f
        ldr     x21, [x28, #P_PC]       // what FAR holds is older
3:      ubfx    x0, x3, #8, #8
        bl      raise_signal
        b       system_call_done

// Exception class, signal, and whether FAR is of it; others mean an instruction that is not there for EL0.
fault_signals:
        .byte   0x20, SIGSEGV, 1, 0
        .byte   0x24, SIGSEGV, 1, 0
        .byte   0x22, SIGBUS, 1, 0
        .byte   0x26, SIGBUS, 0, 0
        .byte   0x28, SIGFPE, 0, 0
        .byte   0x2c, SIGFPE, 0, 0
        .byte   0x3c, SIGTRAP, 0, 0
        .byte   0xff, SIGILL, 0, 0

// Prints ESR x20 and FAR x21, and a heading for the PC.
print_syndrome:
        str     x30, [sp, #-16]!
        adr     x0, text_esr
        bl      print
        mov     x0, x20
        bl      print_hexadecimal
        adr     x0, text_far
        bl      print
        mov     x0, x21
        bl      print_hexadecimal
        adr     x0, text_pc
        bl      print
        ldr     x30, [sp], #16
        ret

// An exception of the kernel itself: it may be a user's address in a place that expects it (x27), and nothing else.
kernel_fault:
        cbz     x27, panic
        mrs     x16, esr_el2
        lsr     x16, x16, #26
        cmp     x16, #0x25
        b.ne    panic
        mrs     x16, far_el2
        lsr     x16, x16, #47
        cbnz    x16, panic
        msr     elr_el2, x27
        eret

// What cannot be: prints the syndromes of EL2, and of EL1 if it has its own, and powers off.
panic:  ldr     x0, =kernel_stack_top
        mov     sp, x0
        adr     x0, text_panic
        bl      print
        mrs     x20, esr_el2
        mrs     x21, far_el2
        bl      print_syndrome
        mrs     x0, elr_el2
        bl      print_hexadecimal
.if VHE == 0
        mrs     x20, esr_el1
        mrs     x21, far_el1
        bl      print_syndrome
        mrs     x0, elr_el1
        bl      print_hexadecimal
.endif
        adr     x0, text_newline
        bl      print
        ldr     x0, =0x84000008
        smc     #0
        b       .
        .ltorg
`;
