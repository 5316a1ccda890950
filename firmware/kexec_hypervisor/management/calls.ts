/** The management hypervisor's exceptions: PSCI of its guest, and accesses that stage 2 refuses. */

/** Vectors, and what they lead to. The guest's registers are on the stack meanwhile. */
export const MANAGEMENT_CALLS = String.raw`
        .balign 2048
vectors:
        .rept   8
        b       unexpected                      // from EL2 itself
        .balign 128
        .endr
        b       from_guest
        .balign 128
        .rept   7
        b       unexpected
        .balign 128
        .endr

from_guest:
        sub     sp, sp, #256
        .irp    n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28
        str     x\n, [sp, #(8 * \n)]
        .endr
        .irp    n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29
        str     x\n, [sp, #(8 * \n)]
        .endr
        str     x30, [sp, #240]
        mrs     x19, esr_el2
        ldr     x26, =UART
        bl      this_cpu
        lsr     x20, x19, #26
        cmp     x20, #0x16                      // HVC
        b.eq    call
        cmp     x20, #0x17                      // SMC, trapped: it comes again unless it is passed over
        b.eq    1f
        cmp     x20, #0x20                      // instruction abort
        b.eq    refused
        cmp     x20, #0x24                      // data abort
        b.eq    refused
        b       unexpected
1:      mrs     x0, elr_el2
        add     x0, x0, #4
        msr     elr_el2, x0

call:   ldr     w0, [sp]
        and     w1, w0, #~0x40000000            // as of 32 bits
        ldr     w2, =CPU_ON
        cmp     w1, w2
        b.eq    cpu_on
        ldr     w2, =CPU_OFF
        cmp     w1, w2
        b.eq    cpu_off
        ldr     w2, =AFFINITY_INFO
        cmp     w1, w2
        b.eq    affinity_info
        ldr     w2, =RELEASE
        cmp     w0, w2
        b.eq    release
        // What is left is the firmware's, arguments and results.
        ldp     x0, x1, [sp]
        ldp     x2, x3, [sp, #16]
        smc     #0
        stp     x0, x1, [sp]
        stp     x2, x3, [sp, #16]
        b       resume

answer: str     x0, [sp]
resume: .irp    n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29
        ldr     x\n, [sp, #(8 * \n)]
        .endr
        .irp    n, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28
        ldr     x\n, [sp, #(8 * \n)]
        .endr
        ldr     x30, [sp, #240]
        ldr     x0, [sp]
        add     sp, sp, #256
        eret

// x21 = what is known of the CPU that the guest means by X1; goes to no_cpu where there is none.
meant:  ldr     x0, [sp, #8]
        lsr     x1, x0, #3
        cbnz    x1, no_cpu                      // MOST_CPUS by affinity 0
        mov     x22, x30
        bl      cpu_place
        mov     x21, x0
        ldr     x1, [x21, #CPU_STATE]
        cbz     x1, no_cpu
        ret     x22
no_cpu: mov     x0, #INVALID_PARAMETERS
        b       answer

cpu_on: bl      meant
        cmp     x1, #RUNNING
        mov     x0, #ALREADY_ON
        b.eq    answer
        ldp     x1, x2, [sp, #16]
        stp     x1, x2, [x21, #CPU_ENTRY]
        dmb     sy
        mov     x1, #RUNNING
        str     x1, [x21, #CPU_STATE]
        dsb     sy
        sev
        mov     x0, xzr
        b       answer

// Gives this CPU's EL2 back, unless one is in the pen, which cannot go back. The guest of a kexec has nobody to go back to.
release:
        mov     x2, #MOST_CPUS
        mov     x0, xzr
        bl      cpu_place
1:      ldr     x1, [x0, #CPU_STATE]
        cmp     x1, #PARKED
        b.eq    no_cpu
        add     x0, x0, #CPU_SIZE
        subs    x2, x2, #1
        b.ne    1b
        mov     x0, x28
        bl      cpu_place
        mov     x21, x0
        ldr     x2, [x21, #CPU_HOST]
        cbz     x2, no_cpu
        adr     x0, text_cpu
        bl      put_text
        add     w0, w28, #'0'
        strb    w0, [x26]
        adr     x0, text_released
        bl      put_text
        tlbi    vmalls12e1
        dsb     sy
        ldp     x2, x3, [x21, #CPU_HOST]
        ldp     x4, x5, [x21, #(CPU_HOST + 16)]
        stp     xzr, xzr, [x21, #CPU_HOST]
        str     xzr, [x21, #CPU_STATE]
        msr     vbar_el2, x2
        msr     hcr_el2, x3
        msr     cptr_el2, x4
        msr     mdcr_el2, x5
        msr     vttbr_el2, xzr
        ic      iallu
        dsb     sy
        isb
        mov     x0, xzr
        b       answer

cpu_off:
        bl      set_stack
        b       pen

affinity_info:
        bl      meant
        cmp     x1, #RUNNING
        cset    x0, ne                          // 0 = on, 1 = off
        b       answer

// An access to what the guest has not: told, and a synchronous external abort at EL1 (Arm ARM, AArch64.TakeException).
refused:
        adr     x0, text_refused
        bl      put_text
        mrs     x0, hpfar_el2
        mrs     x1, far_el2
        lsl     x0, x0, #8
        and     x1, x1, #0xfff
        orr     x0, x0, x1
        bl      put_hex
        bl      end_line
        mrs     x0, far_el2
        msr     far_el1, x0
        mrs     x0, elr_el2
        msr     elr_el1, x0
        mrs     x1, spsr_el2
        msr     spsr_el1, x1
        mrs     x2, vbar_el1
        and     x3, x1, #15
        and     x4, x19, #0x40                  // WnR
        mov     x5, #0x10
        orr     x4, x4, x5
        cbz     x3, 1f
        add     x20, x20, #1                    // an abort of its own level
        cmp     x3, #5
        b.ne    2f
        add     x2, x2, #0x200
        b       2f
1:      add     x2, x2, #0x400
        tst     x1, #16
        b.eq    2f
        add     x2, x2, #0x200
2:      msr     elr_el2, x2
        orr     x4, x4, #(1 << 25)              // IL
        orr     x4, x4, x20, lsl #26
        msr     esr_el1, x4
        mov     x0, #0x3c5
        msr     spsr_el2, x0
        b       resume

unexpected:
        ldr     x26, =UART
        mrs     x0, esr_el2
        bl      put_hex
        bl      put_space
        mrs     x0, elr_el2
        bl      put_hex
        bl      put_space
        mrs     x0, far_el2
        bl      put_hex
        bl      end_line
        adr     x0, text_unexpected
        b       stop
        .ltorg
text_released:  .asciz " is released\n"
text_refused:   .asciz "management: the guest has nothing at "
text_unexpected: .asciz "an exception, ESR_EL2, ELR_EL2 and FAR_EL2 above"
        .balign 8
`;
