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
`;
