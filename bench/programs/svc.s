// System calls: EL0 asks by SVC for one of four services; EL1 keeps what it uses, finds the service and goes back.
// A round is 64 calls.
run:    stp     x29, x30, [sp, #-16]!
        ldr     x3, =system_vectors
        msr     VBAR_EL1, x3
        ldr     x3, =user
        msr     ELR_EL1, x3
        msr     SPSR_EL1, xzr                   // EL0
        add     x3, x2, #1, lsl #12
        msr     SP_EL0, x3
        isb
        eret
user:   mov     x20, x0                         // rounds
        mov     x0, #0
1:      mov     x21, #64
2:      and     x8, x21, #3
        mov     x1, x21
        svc     #0
        subs    x21, x21, #1
        b.ne    2b
        subs    x20, x20, #1
        b.ne    1b
        mov     x8, #4
        svc     #0
system_call:
        stp     x29, x30, [sp, #-64]!
        stp     x9, x10, [sp, #16]
        stp     x11, x12, [sp, #32]
        mrs     x9, ELR_EL1
        mrs     x10, SPSR_EL1
        stp     x9, x10, [sp, #48]
        mrs     x11, ESR_EL1
        lsr     x11, x11, #26
        cmp     x11, #0x15                      // SVC from AArch64
        b.ne    unexpected
        cmp     x8, #5
        b.hs    unexpected
        adr     x12, services
        ldr     x12, [x12, x8, lsl #3]
        blr     x12
        ldp     x9, x10, [sp, #48]
        msr     ELR_EL1, x9
        msr     SPSR_EL1, x10
        ldp     x11, x12, [sp, #32]
        ldp     x9, x10, [sp, #16]
        ldp     x29, x30, [sp], #64
        eret
add:    add     x0, x0, x1
        ret
turn:   ror     x0, x0, #13
        ret
mix:    eor     x0, x0, x1, lsl #7
        add     x0, x0, x0, lsl #3
        ret
where:  add     x0, x0, x9                      // the address of the call
        ret
exit:   ldr     x3, =vectors
        msr     VBAR_EL1, x3
        isb
        b       finish
        .align  3
services: .quad add, turn, mix, where, exit
        .balign 2048
system_vectors:
        .rept   8
        .balign 128
        b       unexpected
        .endr
        .balign 128
        b       system_call                     // synchronous, from EL0 in AArch64
        .rept   7
        .balign 128
        b       unexpected
        .endr
        .balign 128
        .ltorg
