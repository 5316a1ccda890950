/**
 * Entry of the dual-width kernel: from EL2 with the MMU off to EL2 in the kernel's half, and the vectors there.
 *
 * The two translation regimes get one root: TTBR0_EL2 = TTBR0_EL1, TCR_EL2.T0SZ = 16, TCR_EL1.T0SZ = 17, EPD1 = 1. No
 * table maps the kernel where it lies, since EL0 could reach it there: the fetch after SCTLR_EL2.M = 1 aborts, and
 * the vector that it is taken to is the first instruction in the kernel's half.
 */

/** Entry and vectors; for `kernelSources`. */
export const ENTRY_SOURCE: string = String.raw`
        .equ    HCR_RW, 1 << 31
        .equ    HCR_INTERRUPTS, (1 << 5) | (1 << 4) | (1 << 3)     // AMO, IMO, FMO: to EL2
        .equ    HCR_E2H_TGE, (1 << 34) | (1 << 27)
        .equ    WALKS, (3 << 12) | (1 << 10) | (1 << 8)            // TCR: SH0, ORGN0, IRGN0: inner shareable, write-back
        .equ    SCTLR_ON, (1 << 12) | (1 << 2) | 1                 // I, C, M
        .equ    SCTLR_USER, (1 << 26) | (1 << 18) | (1 << 16) | (1 << 15) | (1 << 14)  // UCI, nTWE, nTWI, UCT, DZE
        .equ    SCTLR_EL1_RES1, 0x30d00800
        .equ    SCTLR_EL2_RES1, 0x30c50830

_start: mrs     x1, currentel
        adr     x0, text_not_el2
        cmp     x1, #(2 << 2)
        b.ne    refuse
.if VHE
        mrs     x1, id_aa64mmfr1_el1
        ubfx    x1, x1, #8, #4
        adr     x0, text_no_vhe
        cbz     x1, refuse
        ldr     x1, =(HCR_RW | HCR_INTERRUPTS | HCR_E2H_TGE)
.else
        ldr     x1, =(HCR_RW | HCR_INTERRUPTS)                     // VM = 0: no stage 2; TGE = 0: EL0 is translated
.endif
        msr     hcr_el2, x1
        isb
        mov     x1, #0xff00                                        // attribute 0: Device-nGnRnE, 1: Normal
        msr     mair_el2, x1
        adr     x2, first_root
        ldr     x2, [x2]
        msr     ttbr0_el2, x2
.if VHE
        ldr     x1, =((2 << 32) | (2 << 30) | (WALKS << 16) | (16 << 16) | WALKS | 17)  // IPS, TG1, T1SZ, T0SZ
        msr     tcr_el2, x1
        msr     ttbr1_el2, x2                                      // the same root: one hierarchy here too
        mov     x1, #(3 << 20)                                     // CPTR_EL2.FPEN
        msr     cptr_el2, x1
        ldr     x1, =(SCTLR_EL2_RES1 | (1 << 23) | SCTLR_USER | SCTLR_ON)   // SPAN: PAN stays as it is
.else
        msr     mair_el1, x1
        ldr     x1, =((1 << 31) | (1 << 23) | (2 << 16) | WALKS | 16)
        msr     tcr_el2, x1
        ldr     x1, =((2 << 32) | (1 << 23) | WALKS | 17)          // EPD1
        msr     tcr_el1, x1
        msr     ttbr0_el1, x2
        msr     vttbr_el2, xzr
        ldr     x1, =SHIM
        msr     vbar_el1, x1
        ldr     x1, =(SCTLR_EL1_RES1 | SCTLR_USER | SCTLR_ON)
        msr     sctlr_el1, x1
        mov     x1, #(3 << 20)                                     // CPACR_EL1.FPEN
        msr     cpacr_el1, x1
        mov     x1, #0x33ff                                        // CPTR_EL2: RES1, nothing trapped
        msr     cptr_el2, x1
        ldr     x1, =(SCTLR_EL2_RES1 | SCTLR_ON)
.endif
        ldr     x2, =boot_vectors
        msr     vbar_el2, x2
        dsb     sy
        tlbi    alle1
        tlbi    alle2
        ic      iallu
        dsb     sy
        isb
        msr     sctlr_el2, x1
        isb
        // Nothing is mapped here: if this is executed, an image lies where it may not.
        b       .

// Prints the text at x0 by its physical address, and powers off.
refuse: ldr     x1, =UART_PA
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
2:      ldr     x0, =0x84000008                                    // PSCI SYSTEM_OFF
        mrs     x1, currentel
        cmp     x1, #(2 << 2)
        b.ne    3f
        smc     #0
3:      hvc     #0
        b       .
        .ltorg
text_not_el2:   .asciz  "dual-width: entered below EL2; use -M virt,virtualization=on\n"
text_no_vhe:    .asciz  "dual-width: this CPU has no FEAT_VHE; use -cpu max\n"

        .balign 2048
boot_vectors:
        .space  0x200
        // The abort of the fetch after the MMU came on: EC 0x21, same EL.
        ldr     x0, =kernel_main
        mrs     x1, esr_el2
        lsr     x1, x1, #26
        cmp     x1, #0x21
        b.ne    .
        br      x0
        .ltorg
        .org    boot_vectors + 0x800

kernel_main:
        ldr     x0, =kernel_stack_top
        mov     sp, x0
        adr     x0, vectors
        msr     vbar_el2, x0
        isb
        mov     x27, #0
        adr     x0, tick_period
        ldr     x0, [x0]
        cbz     x0, 1f
        bl      start_ticks
1:      ldr     x28, =processes
        msr     tpidr_el2, x28
        bl      load_state
        b       return_to_user
        .ltorg

        .macro  vector target
        .balign 128
        b       \target
        .endm
        .balign 2048
vectors:
        .rept   4
        vector  panic                   // from EL2 with SP_EL0
        .endr
        vector  kernel_fault            // from EL2
        .rept   3
        vector  panic
        .endr
        vector  lower_synchronous       // from EL1 or EL0
        vector  lower_interrupt
        vector  panic
        vector  panic
        .rept   4
        vector  panic                   // AArch32
        .endr
`;
