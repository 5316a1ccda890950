/** The boot of an image: from EL2 with the MMU off, as `-kernel` is entered, to the vmkernel at EL1 over the trampoline. */

import { INTERRUPT_SETUP } from "./vmkernel.ts";

/** EL2's own registers, with the MMU off. */
const EL2_STATE = `        mrs     x1, currentel
        cmp     x1, #(2 << 2)
        b.eq    1f
        adr     x0, text_not_el2
        ldr     x26, =DEVICE_UART
        bl      put_text
        ldr     x0, =0x84000008
        hvc     #0
        b       .
text_not_el2:   .asciz  "el2-trampoline: entered below EL2; use -M virt,virtualization=on\\r\\n"
        .balign 4
1:      ldr     x0, =HOST_HCR
        msr     hcr_el2, x0
        isb
        ldr     x0, =HOST_MDCR
        msr     mdcr_el2, x0
        ldr     x0, =HOST_CNTHCTL
        msr     cnthctl_el2, x0
        msr     cntvoff_el2, xzr
        msr     vttbr_el2, xzr
        msr     vtcr_el2, xzr
        msr     hstr_el2, xzr
        mrs     x0, midr_el1
        msr     vpidr_el2, x0
        mrs     x0, mpidr_el1
        msr     vmpidr_el2, x0
        ldr     x0, =CPTR_VALUE
        msr     cptr_el2, x0
        isb
        ldr     x1, =DEVICE_GICH
        mov     w0, #1
        str     w0, [x1]                        // GICH_HCR.En: the guest's interface; the vmkernel has HCR_EL2.IMO = 0
        .irp    n, 0, 1, 2, 3
        str     wzr, [x1, #(0x100 + 4 * \\n)]
        .endr
`;

/** Those of EL1; X0 stays MAIR. */
const EL1_STATE = `        // The vmkernel's EL1, translated from the first instruction on.
        ldr     x0, =MAIR
.if IS_HOST
        msr     mair_el12, x0
        ldr     x1, =TCR_EL1_VALUE
        msr     tcr_el12, x1
        ldr     x1, =AT_KERNEL_MAP
        msr     ttbr0_el12, x1
        ldr     x1, =vmkernel_vectors
        msr     vbar_el12, x1
        ldr     x1, =SCTLR_EL1_ON
        msr     sctlr_el12, x1
        mov     x1, #(3 << 20)
        msr     cpacr_el12, x1
.else
        msr     mair_el1, x0
        ldr     x1, =TCR_EL1_VALUE
        msr     tcr_el1, x1
        ldr     x1, =AT_KERNEL_MAP
        msr     ttbr0_el1, x1
        ldr     x1, =vmkernel_vectors
        msr     vbar_el1, x1
        ldr     x1, =SCTLR_EL1_ON
        msr     sctlr_el1, x1
.endif
`;

/** EL2's translation, and the vmkernel is entered. */
const ENTER_KERNEL = `        // EL2: the small map, the trampoline's vectors.
        msr     mair_el2, x0
        ldr     x1, =TCR_EL2_VALUE
        msr     tcr_el2, x1
        adr     x0, host_world
        ldp     x1, x2, [x0, #W_TTBR]
        msr     ttbr0_el2, x1
        msr     vbar_el2, x2
        ldr     x0, =CONTEXT
        mov     sp, x0
        ldr     x0, =vmkernel_main
        msr     elr_el2, x0
.if IS_REDIRECTION
        mov     x0, #(3 << 20)
        msr     cpacr_el1, x0
        mov     x0, #2
        msr     cntv_ctl_el0, x0
        msr     cntp_ctl_el0, x0
        msr     oslar_el1, xzr
${INTERRUPT_SETUP}
        mov     x0, #0x3c0                      // EL0: the vmkernel's commands
.else
        mov     x0, #0x3c5
.endif
        msr     spsr_el2, x0
        dsb     sy
        tlbi    alle1
        tlbi    alle2
        ic      iallu
        dsb     sy
        isb
        ldr     x0, =SCTLR_EL2_ON
        b       activate
        .ltorg
`;

/** `isFromEl3`: entered at EL3 in RAM, which gives EL2 everything but SCR_EL3.HCE, so that HVC is UNDEFINED. */
export function bootText(isFromEl3: boolean): string {
  return `
boot_start:
        ${isFromEl3 ? FROM_EL3 : ""}
${EL2_STATE}${EL1_STATE}${ENTER_KERNEL}`;
}

/** To EL2, with SCR_EL3 = NS, RW and RES1 bits, and no HCE. */
const FROM_EL3 = `
        ldr     x0, =0x431
        msr     scr_el3, x0
        ldr     x0, =0x30c50830
        msr     sctlr_el2, x0
        msr     cptr_el3, xzr
        msr     mdcr_el3, xzr
        adr     x0, boot_vectors
        msr     vbar_el3, x0
        mov     x0, #0x3c9
        msr     spsr_el3, x0
        adr     x0, boot_el2
        msr     elr_el3, x0
        isb
        eret
        .ltorg
        .balign 2048
boot_vectors:                                   // whatever comes: the end, by semihosting SYS_EXIT
        .rept   16
        mov     x0, #0x18
        ldr     x1, =0x20026
        .inst   0xd45e0000                      // HLT #0xF000
        b       .
        .balign 128
        .endr
        .ltorg
boot_el2:
`;
