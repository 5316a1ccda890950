/**
 * Processes of the dual-width kernel: how an exception of EL0 becomes a call of the kernel, and how another process
 * comes to run.
 *
 * With HCR_EL2.E2H = 1 the names ESR_EL1, ELR_EL1, SPSR_EL1 and FAR_EL1 mean the registers of EL2 (Arm ARM D13.2): so
 * the same instructions read what EL1 took for the shim, and what a VHE host took itself.
 */
import { LOAD_ALL, STORE_X2_TO_X27 } from "../common_code.ts";

/** Entry from EL0, return, and switches; for `kernelSources`. */
export const PROCESS_SOURCE: string = String.raw`
// Saves X0 to X30 and SP of EL0 to the running process; x28 = that process.
        .macro  save_registers
        stp     x0, x1, [sp, #-16]!
        mrs     x0, tpidr_el2
${STORE_X2_TO_X27}        stp     x28, x29, [x0, #224]
        str     x30, [x0, #240]
        ldp     x2, x3, [sp], #16
        stp     x2, x3, [x0]
        mrs     x1, sp_el0
        str     x1, [x0, #P_SP]
        mov     x28, x0
        mov     x27, #0
        .endm

// What EL0 did, by the shim's HVC or directly.
lower_synchronous:
        save_registers
        mrs     x0, elr_el1
        mrs     x1, spsr_el1
        stp     x0, x1, [x28, #P_PC]
.if VHE == 0
        mrs     x2, esr_el2
        ldr     w3, =0x5a000000         // HVC #0
        cmp     w2, w3
        b.ne    panic
        mrs     x3, spsr_el2
        and     x3, x3, #0xf
        cmp     x3, #5                  // of EL1, with its own stack pointer
        b.ne    panic
.endif
        tst     x1, #0xf
        b.ne    panic                   // not EL0: the shim itself faulted
        mrs     x20, esr_el1
        lsr     x0, x20, #26
        cmp     x0, #0x15
        b.ne    user_fault
        bl      system_call
        str     x0, [x28]
// Ends a call: another process comes, if there is a reason.
system_call_done:
        adr     x0, switch_always
        ldp     x1, x2, [x0]
        str     xzr, [x0, #8]
        orr     x1, x1, x2
        cbz     x1, 1f
        bl      schedule
1:      ldr     x0, [x28, #P_PENDING]
        ldr     x1, [x28, #P_SIGMASK]
        bics    x0, x0, x1
        b.ne    deliver_pending
// Goes back to EL0 as process x28.
return_to_user:
        ldp     x0, x1, [x28, #P_PC]
        msr     elr_el2, x0
        msr     spsr_el2, x1
        ldr     x0, [x28, #P_SP]
        msr     sp_el0, x0
        mov     x0, x28
${LOAD_ALL}        eret

// An interrupt while EL0 runs, or EL1 in the shim: it goes back there then, and the switch waits for the HVC.
lower_interrupt:
        save_registers
        mrs     x0, elr_el2
        mrs     x1, spsr_el2
        stp     x0, x1, [x28, #P_PC]
        ldr     x2, =GICC
        ldr     w3, [x2, #12]           // GICC_IAR
        and     w4, w3, #0x3ff
        cmp     w4, #TIMER
        b.ne    1f
        adr     x5, tick_period
        ldr     x5, [x5]
        msr     cnthp_tval_el2, x5
        isb
        str     w3, [x2, #16]           // GICC_EOIR
        adr     x5, switch_pending
        mov     x6, #1
        str     x6, [x5]
1:      tst     x1, #0xf
        b.ne    return_to_user
        b       system_call_done

        .equ    TIMER, 26               // PPI 10: the timer of EL2
// The timer of EL2 interrupts after every x0 ticks of the counter.
start_ticks:
        ldr     x2, =GICD
        mov     w1, #1
        str     w1, [x2]                // GICD_CTLR
        mov     w1, #(1 << TIMER)
        str     w1, [x2, #0x100]        // GICD_ISENABLER0
        ldr     x2, =GICC
        mov     w1, #0xff
        str     w1, [x2, #4]            // GICC_PMR
        mov     w1, #1
        str     w1, [x2]                // GICC_CTLR
        msr     cnthp_tval_el2, x0
        msr     cnthp_ctl_el2, x1
        isb
        ret
        .ltorg

// The next process that can run becomes x28; none other: the same. Ends the machine when there is none at all.
schedule:
        ldr     x1, =processes
        ldr     x2, =(processes + PROCESSES * PROCESS_SIZE)
        mov     x0, x28
        mov     x4, #PROCESSES
1:      add     x0, x0, #1, lsl #12
        cmp     x0, x2
        csel    x0, x1, x0, eq
        ldr     x3, [x0, #P_STATE]
        cmp     x3, #1
        b.eq    2f
        subs    x4, x4, #1
        b.ne    1b
        ldr     x0, =0x84000008         // PSCI SYSTEM_OFF
        smc     #0
        b       .
2:      cmp     x0, x28
        b.ne    switch
        ret

// Process x0 becomes x28. Its translations are global in both regimes, since nG is RES0 in the EL2 format: those of
// the process before must go.
switch: str     x30, [sp, #-16]!
        bl      save_state
        mov     x28, x0
        msr     tpidr_el2, x28
        bl      load_state
        ldr     x0, [x28, #P_ROOT]
        msr     ttbr0_el2, x0
.if VHE == 0
        msr     ttbr0_el1, x0
.endif
        isb
.if VHE
        tlbi    vmalle1                 // of EL2&0, with E2H and TGE
.else
        tlbi    alle2
        tlbi    vmalle1
.endif
        dsb     nsh
        isb
        ldr     x30, [sp], #16
        ret

// What the kernel itself does not use: floating point and TPIDR_EL0. Keeps x0.
save_state:
        mrs     x1, tpidr_el0
        mrs     x2, fpsr
        stp     x1, x2, [x28, #P_TPIDR]
        mrs     x1, fpcr
        str     x1, [x28, #P_FPCR]
        mov     x4, x0
        add     x0, x28, #P_V
        mov     x5, x30
        bl      save_vectors
        mov     x0, x4
        ret     x5

load_state:
        ldp     x1, x2, [x28, #P_TPIDR]
        msr     tpidr_el0, x1
        msr     fpsr, x2
        ldr     x1, [x28, #P_FPCR]
        msr     fpcr, x1
        add     x0, x28, #P_V
        b       load_vectors

// V0 to V31 to x0, which may be an address of the user.
save_vectors:
        stp     q0, q1, [x0, #0]
        stp     q2, q3, [x0, #32]
        stp     q4, q5, [x0, #64]
        stp     q6, q7, [x0, #96]
        stp     q8, q9, [x0, #128]
        stp     q10, q11, [x0, #160]
        stp     q12, q13, [x0, #192]
        stp     q14, q15, [x0, #224]
        stp     q16, q17, [x0, #256]
        stp     q18, q19, [x0, #288]
        stp     q20, q21, [x0, #320]
        stp     q22, q23, [x0, #352]
        stp     q24, q25, [x0, #384]
        stp     q26, q27, [x0, #416]
        stp     q28, q29, [x0, #448]
        stp     q30, q31, [x0, #480]
        ret
load_vectors:
        ldp     q0, q1, [x0, #0]
        ldp     q2, q3, [x0, #32]
        ldp     q4, q5, [x0, #64]
        ldp     q6, q7, [x0, #96]
        ldp     q8, q9, [x0, #128]
        ldp     q10, q11, [x0, #160]
        ldp     q12, q13, [x0, #192]
        ldp     q14, q15, [x0, #224]
        ldp     q16, q17, [x0, #256]
        ldp     q18, q19, [x0, #288]
        ldp     q20, q21, [x0, #320]
        ldp     q22, q23, [x0, #352]
        ldp     q24, q25, [x0, #384]
        ldp     q26, q27, [x0, #416]
        ldp     q28, q29, [x0, #448]
        ldp     q30, q31, [x0, #480]
        ret
        .ltorg
`;
