/**
 * Small guests of virtual-hypervisors that wait, compute, print or echo. Like the witness (`witness.ts`) and the hostile
 * neighbour (`hostile.ts`) flat kernels at VM_GUEST_BASE, entered at EL1 with the MMU off, with a GIC, a PL011 and PSCI by
 * HVC, in 2 MiB of RAM.
 */
import { COMMON } from "./guest_code.ts";

/** Waits and does nothing. */
export const IDLE_SOURCE = `
1:      wfi
        b       1b
`;

/** Computes for ever. */
export const COMPUTE_SOURCE = `
        mov     x0, #1
        ldr     x2, =0x9e3779b97f4a7c15
1:      mul     x0, x0, x2
        eor     x0, x0, x0, lsr #29
        add     x1, x1, #1
        b       1b
        .ltorg
`;

/** Computes, and waits for its timer, in turn. */
export const HALF_SOURCE = `
1:      mov     x0, #20000
2:      sub     x0, x0, #1
        cbnz    x0, 2b
        mov     x1, #2500
        msr     cntv_tval_el0, x1
        mov     x1, #1
        msr     cntv_ctl_el0, x1
        wfi
        msr     cntv_ctl_el0, xzr
        b       1b
`;

/** Leaves something in all of its memory that is not its code, and turns itself off. */
export const DIRTY_SOURCE: string = `${COMMON}
        ldr     x0, =0x40100000
        ldr     x1, =0x40200000
1:      str     x0, [x0], #64
        cmp     x0, x1
        b.lo    1b
        ldr     x0, =PSCI_OFF
        hvc     #0
        .ltorg
`;

/** Prints a line that says its number, and turns itself off. */
export function greetingSource(text: string): string {
  return `${COMMON}
        adr     x0, text
        ldr     x1, =UART
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
2:      ldr     x0, =PSCI_OFF
        hvc     #0
        .ltorg
text:   .asciz  "${text}\\n"
`;
}

/** Writes what it reads on its console, each byte with how its own time has gone on, and turns itself off after a `q`. */
export const ECHO_SOURCE: string = `${COMMON}
start:  ldr     x1, =UART
        ldr     x0, =GICD
        mov     w2, #1
        str     w2, [x0]
        mov     w2, #2                          // INTID 33
        str     w2, [x0, #0x104]
        ldr     x0, =GICC
        mov     w2, #0xff
        str     w2, [x0, #4]
        mov     w2, #1
        str     w2, [x0]
        mov     w2, #0x10
        str     w2, [x1, #0x38]
1:      ldr     w2, [x1, #0x18]
        tbz     w2, #4, 2f
        wfi
        b       1b
2:      ldr     w3, [x1]
        strb    w3, [x1]
        mrs     x4, cntvct_el0
        and     x5, x4, #15
        add     x5, x5, #'A'
        strb    w5, [x1]
        cmp     w3, #'q'
        b.ne    1b
        mov     w5, #10
        strb    w5, [x1]
        ldr     x0, =PSCI_OFF
        hvc     #0
        .ltorg
`;
