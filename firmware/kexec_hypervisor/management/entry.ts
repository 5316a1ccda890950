/** The management hypervisor's first code: what it was given, its CPUs, and the entry into its guest. */

/** `_start`, `secondary`, `pen` and `enter_guest`. x19 = the list, x26 = PL011, x28 = this CPU's number. */
export const MANAGEMENT_ENTRY = String.raw`
_start: b       primary
        b       adopt                           // 4 bytes behind the entry
        .balign 8
        .org    _start + 16
primary:
        mov     x19, x1
        mov     x20, x0
        ldr     x26, =UART
        bl      this_cpu
        bl      set_stack
        ldr     w0, =EBI_MAGIC
        cmp     x20, x0
        adr     x0, text_no_info
        b.ne    stop
        mrs     x0, currentel
        cmp     x0, #8
        adr     x0, text_no_el2
        b.ne    stop
        bl      tell_info
        bl      build_space
        bl      set_level
        bl      take_cpus
        adr     x0, text_guest
        bl      put_text
        adrp    x1, guest_entry
        add     x1, x1, :lo12:guest_entry
        ldr     x0, [x1]
        bl      put_hex
        bl      end_line
        adrp    x1, guest_entry
        add     x1, x1, :lo12:guest_entry
        ldp     x1, x0, [x1]
        b       enter_guest

// A CPU of a running kernel, which its stub at EL2 brought here (HVC_SOFT_RESTART): x0 = the list. It goes back where
// it came from, below stage 2.
adopt:  mov     x19, x0
        mrs     x20, elr_el2
        mrs     x21, spsr_el2
        ldr     x26, =UART
        bl      this_cpu
        bl      set_stack
        mov     x0, x28
        bl      cpu_place
        mov     x1, #RUNNING
        mrs     x2, vbar_el2
        mrs     x3, hcr_el2
        mrs     x4, cptr_el2
        mrs     x5, mdcr_el2
        str     x1, [x0, #CPU_STATE]
        stp     x2, x3, [x0, #CPU_HOST]
        stp     x4, x5, [x0, #(CPU_HOST + 16)]
        adrp    x0, level1
        ldr     x0, [x0, :lo12:level1]
        cbnz    x0, 1f                          // the first CPU made the tables
        stp     x20, x21, [sp, #-16]!
        bl      build_space
        ldp     x20, x21, [sp], #16
1:      bl      set_level
        adr     x0, text_cpu
        bl      put_text
        add     w0, w28, #'0'
        strb    w0, [x26]
        adr     x0, text_adopted
        bl      put_text
        msr     elr_el2, x20
        msr     spsr_el2, x21
        mov     x0, xzr
        eret

// A CPU that PSCI turned on, with its number in x0.
secondary:
        mov     x28, x0
        ldr     x26, =UART
        bl      set_stack
        bl      set_level
        // Waits for CPU_ON of the guest; what it is told is behind its state.
pen:    mov     x0, x28
        bl      cpu_place
        mov     w1, #PARKED
        str     x1, [x0, #CPU_STATE]
        dsb     sy
        sev
1:      wfe
        ldr     x1, [x0, #CPU_STATE]
        cmp     x1, #RUNNING
        b.ne    1b
        dmb     sy
        ldr     x1, [x0, #CPU_ENTRY]
        ldr     x0, [x0, #CPU_CONTEXT]

// Enters the guest at x1 with x0, as PSCI says a CPU is entered (DEN 0022, 6.4).
enter_guest:
        msr     elr_el2, x1
        mov     x1, #0x3c5                      // EL1h, masked
        msr     spsr_el2, x1
        ldr     x1, =0x30d00800
        msr     sctlr_el1, x1
        bl      set_stack
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        isb
        eret

// x28 = this CPU's number.
this_cpu:
        mrs     x28, mpidr_el1
        and     x28, x28, #0xff
        ret
set_stack:
        adrp    x2, stacks
        add     x2, x2, :lo12:stacks
        add     x3, x28, #1
        add     x2, x2, x3, lsl #12
        mov     sp, x2
        ret
// x0 = what is known of CPU x0. Changes x1.
cpu_place:
        adrp    x1, cpu_table
        add     x1, x1, :lo12:cpu_table
        add     x0, x1, x0, lsl #6
        ret

// EL2 of this CPU: stage 2, EL1 in AArch64, nothing trapped but what is here.
set_level:
        adr     x0, vectors
        msr     vbar_el2, x0
        ldr     x0, =0x30c50830
        msr     sctlr_el2, x0
        mrs     x1, id_aa64pfr0_el1
        mov     x0, #0x33ff
        tst     x1, #(15 << 32)                 // SVE
        b.eq    1f
        mov     x0, #0x32ff
        msr     cptr_el2, x0
        isb
        mov     x2, #0x1ff
        msr     s3_4_c1_c2_0, x2                // ZCR_EL2
1:      msr     cptr_el2, x0
        tst     x1, #(15 << 24)                 // GIC
        b.eq    2f
        mrs     x0, icc_sre_el2
        mov     x2, #9                          // SRE, Enable
        orr     x0, x0, x2
        msr     icc_sre_el2, x0
        isb
        msr     ich_hcr_el2, xzr
2:      mrs     x0, midr_el1
        msr     vpidr_el2, x0
        mrs     x0, mpidr_el1
        msr     vmpidr_el2, x0
        mov     x0, #3
        msr     cnthctl_el2, x0
        msr     cntvoff_el2, xzr
        msr     hstr_el2, xzr
        mrs     x0, mdcr_el2
        and     x0, x0, #31
        msr     mdcr_el2, x0
        ldr     x0, =0x80023558                 // T0SZ 24, SL0 1, write-back inner shareable, PS 40 bits
        msr     vtcr_el2, x0
        adrp    x0, level1
        add     x0, x0, :lo12:level1
        mov     x1, #1
        orr     x0, x0, x1, lsl #48             // VMID
        msr     vttbr_el2, x0
        ldr     x0, =0x30080080001              // APK, API, RW, TSC, VM
        msr     hcr_el2, x0
        isb
        tlbi    vmalls12e1
        ic      iallu
        dsb     sy
        isb
        ret
        .ltorg

// Turns every other CPU on, one after the other, and waits until it is in the pen.
take_cpus:
        stp     x29, x30, [sp, #-32]!
        str     x19, [sp, #16]
        mov     x0, x28
        bl      cpu_place
        mov     x1, #RUNNING
        str     x1, [x0, #CPU_STATE]
        mov     x19, xzr
1:      cmp     x19, x28
        b.eq    3f
        ldr     x0, =CPU_ON_64
        mov     x1, x19
        adr     x2, secondary
        mov     x3, x19
        smc     #0
        cbnz    x0, 4f                          // there are no more
        mov     x0, x19
        bl      cpu_place
2:      wfe
        ldr     x1, [x0, #CPU_STATE]
        cmp     x1, #PARKED
        b.ne    2b
        adr     x0, text_cpu
        bl      put_text
        add     w0, w19, #'0'
        strb    w0, [x26]
        adr     x0, text_parked
        bl      put_text
3:      add     x19, x19, #1
        cmp     x19, #MOST_CPUS
        b.lo    1b
4:      ldr     x19, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

// Prints the list, and finds the guest in it. x20 = element, x21 = elements left.
tell_info:
        stp     x29, x30, [sp, #-16]!
        adr     x0, text_list
        bl      put_text
        mov     x0, x19
        bl      put_hex
        adr     x0, text_command_line
        bl      put_text
        ldr     x0, [x19, #EBI_COMMAND_LINE]
        bl      put_text
        bl      end_line
        ldr     x21, [x19, #EBI_COUNT]
        add     x20, x19, #EBI_ELEMENTS
1:      cbz     x21, 5f
        ldr     w0, [x20, #EBI_TYPE]
        cmp     w0, #EBI_MEMORY_RANGE
        b.eq    2f
        cmp     w0, #EBI_MODULE
        b.eq    3f
        cmp     w0, #EBI_TPM
        b.eq    4f
9:      ldp     w0, w1, [x20, #EBI_SIZE]        // fields are aligned to words only
        add     x0, x0, x1, lsl #32
        add     x20, x20, x0
        sub     x21, x21, #1
        b       1b
2:      adr     x0, text_range
        bl      put_text
        ldp     w0, w1, [x20, #EBI_RANGE_START]
        add     x0, x0, x1, lsl #32
        bl      put_hex
        bl      put_space
        ldp     w0, w1, [x20, #EBI_RANGE_BYTES]
        add     x0, x0, x1, lsl #32
        bl      put_hex
        ldr     w0, [x20, #EBI_RANGE_TYPE]
        cmp     w0, #1
        adr     x0, text_memory
        adr     x1, text_reserved
        csel    x0, x0, x1, eq
        bl      put_text
        b       9b
3:      bl      tell_module
        b       9b
4:      bl      tell_log
        b       9b
5:      adrp    x0, guest_entry
        add     x0, x0, :lo12:guest_entry
        ldp     x1, x2, [x0]
        cmp     x1, #0
        ccmp    x2, #0, #4, ne
        adr     x0, text_no_guest
        b.eq    stop
        ldp     x29, x30, [sp], #16
        ret

tell_module:
        stp     x29, x30, [sp, #-32]!
        stp     x22, x23, [sp, #16]
        adr     x0, text_module
        bl      put_text
        ldp     w22, w1, [x20, #EBI_MODULE_PAGE]
        add     x22, x22, x1, lsl #32
        lsl     x22, x22, #12
        mov     x0, x22
        bl      put_hex
        bl      put_space
        ldp     w0, w1, [x20, #EBI_MODULE_BYTES]
        add     x0, x0, x1, lsl #32
        bl      put_hex
        bl      put_space
        ldp     w23, w1, [x20, #EBI_MODULE_TEXT]
        add     x23, x23, x1, lsl #32
        mov     x0, x23
        bl      put_text
        bl      end_line
        ldrb    w0, [x23]                       // kernel, initrd, tree
        adrp    x1, guest_entry
        add     x1, x1, :lo12:guest_entry
        cmp     w0, #'k'
        b.ne    1f
        str     x22, [x1]
1:      cmp     w0, #'t'
        b.ne    2f
        str     x22, [x1, #8]
2:      ldp     x22, x23, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

tell_log:
        stp     x29, x30, [sp, #-48]!
        stp     x22, x23, [sp, #16]
        str     x24, [sp, #32]
        ldr     w22, [x20, #EBI_TPM_BYTES]
        add     x23, x20, #EBI_TPM_LOG
1:      cbz     w22, 3f
        adr     x0, text_log
        bl      put_text
        add     x0, x23, #32
        bl      put_text
        mov     x24, #4
2:      bl      put_space
        ldp     w0, w1, [x23], #8
        add     x0, x0, x1, lsl #32
        rev     x0, x0
        bl      put_hex
        subs    x24, x24, #1
        b.ne    2b
        bl      end_line
        add     x23, x23, #(EBI_LOG_SIZE - 32)
        sub     w22, w22, #EBI_LOG_SIZE
        b       1b
3:      ldp     x22, x23, [sp, #16]
        ldr     x24, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret

end_line:
        mov     w0, #'\n'
        strb    w0, [x26]
        ret
put_space:
        mov     w0, #' '
        strb    w0, [x26]
        ret

// Says x0 and resets the machine.
stop:   mov     x20, x0
        adr     x0, text_stopped
        bl      put_text
        mov     x0, x20
        bl      put_text
        bl      end_line
        ldr     w0, =SYSTEM_RESET
        smc     #0
1:      wfi
        b       1b
        .ltorg
text_list:      .asciz "management: list at "
text_command_line: .asciz ", command line "
text_range:     .asciz "management: range "
text_memory:    .asciz " memory\n"
text_reserved:  .asciz " reserved\n"
text_module:    .asciz "management: module "
text_log:       .asciz "management: measured "
text_cpu:       .asciz "management: CPU "
text_parked:    .asciz " is at EL2\n"
text_adopted:   .asciz " is adopted\n"
text_guest:     .asciz "management: guest at EL1, "
text_stopped:   .asciz "management: stopped: "
text_no_info:   .asciz "X0 is not the magic number of ESXBootInfo"
text_no_el2:    .asciz "not at EL2"
text_no_guest:  .asciz "no modules kernel and tree"
        .balign 8
`;
