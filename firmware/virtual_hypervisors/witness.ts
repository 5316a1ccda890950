/** The witness of virtual-hypervisors: a guest that tells of all it can see of its time and state. */
import { GIC_MACROS } from "../time_scale/timer_guest.ts";
import { COMMON, VECTORS } from "./guest_code.ts";

/** What a witness is made for. */
export interface WitnessOptions {
  /** Rounds; each is some 30,000 instructions and a wait. */
  readonly rounds: number;
  /** Generation of the interrupt controller. */
  readonly gic: 2 | 3;
}

/** What a witness writes at its end. */
export const FAREWELL = "that was all";

/**
 * The witness: x26 is a digest of all it sees: counts of both counters, retries of exclusive pairs, registers that others
 * use too, memory that it never wrote, interrupts and how many instructions it took until they came. A line for each
 * fourth round.
 */
export function witnessSource({ rounds, gic }: WitnessOptions): string {
  return `
        .equ    ROUNDS,         ${rounds}
${COMMON}${GIC_MACROS[gic]}${WITNESS}${VECTORS}`;
}

const WITNESS = `
        .macro  mix register
        ror     x26, x26, #13
        eor     x26, x26, \\register
        mul     x26, x26, x24
        .endm
        .macro  mix_system register
        mrs     x2, \\register
        mix     x2
        .endm

start:  mov     x27, #0
        adr     x0, vectors
        msr     vbar_el1, x0
        mov     x0, #(3 << 20)
        msr     cpacr_el1, x0
        isb
        gic_start
        ldr     x24, =0x9e3779b97f4a7c15
        mov     x26, #1
        mov     x25, #0
        mov     x20, #0
round:
        // Pairs long enough to be cut; how often they are is told.
        adr     x1, cell
        mov     x3, #1500
1:      ldxr    x2, [x1]
        add     x2, x2, #1
        eor     x4, x2, x3
        eor     x4, x4, x26
        ror     x4, x4, #7
        add     x4, x4, #3
        add     x4, x4, x2
        stxr    w5, x2, [x1]
        cbz     w5, 2f
        add     x20, x20, #1
        b       1b
2:      sub     x3, x3, #1
        cbnz    x3, 1b
        mix     x20
        mix     x4

        mix_system cntvct_el0
        mix_system cntpct_el0
        mix_system cntfrq_el0
        mix_system midr_el1
        mix_system mpidr_el1
        mix_system ctr_el0
        mix_system id_aa64dfr0_el1
        mix_system pmccntr_el0
        mix_system pmcr_el0
        mix_system cntv_ctl_el0
        mix_system cntv_tval_el0
        mix_system cntp_tval_el0
        mix_system isr_el1
        mix_system fpsr
        mix_system fpcr
        // What is to be as it was left; at the start zero.
        mix_system tpidr_el0
        mix_system tpidrro_el0
        mix_system tpidr_el1
        mix_system contextidr_el1
        mix_system ttbr0_el1
        mix_system mair_el1
        mix_system par_el1
        mix_system csselr_el1
        mix_system cntkctl_el1
        mix_system dbgbvr0_el1
        mix_system dbgwvr0_el1
        mix_system mdscr_el1
        msr     tpidr_el0, x26
        msr     tpidrro_el0, x26
        msr     tpidr_el1, x26
        msr     mair_el1, x26
        fmov    x2, d7
        mix     x2
        fmov    x2, d31
        mix     x2
        fmov    d7, x26
        fmov    d31, x25
        // Memory that was not written.
        ldr     x1, =0x40120000
        add     x1, x1, x25, lsl #12
        ldr     x2, [x1]
        mix     x2
        ldr     x2, [x1, #2048]
        mix     x2
        str     x26, [x1]

        // A timer: virtual or physical, with a loop that counts or a wait.
        ldr     x1, =0x3fff
        and     x1, x1, x26
        add     x1, x1, #64
        mov     x28, #0
        mov     x21, #0
        mov     x2, #1
        tbnz    x25, #1, 3f
        msr     cntv_tval_el0, x1
        msr     cntv_ctl_el0, x2
        b       4f
3:      msr     cntp_tval_el0, x1
        msr     cntp_ctl_el0, x2
4:      tbnz    x25, #0, 6f
        msr     daifclr, #2
5:      add     x21, x21, #1
        cbz     x28, 5b
        msr     daifset, #2
        b       7f
6:      wfi
        msr     daifclr, #2
        isb
        msr     daifset, #2
        cbz     x28, 6b
7:      mix     x21
        mix_system cntvct_el0

        add     x25, x25, #1
        tst     x25, #3
        b.ne    8f
        bl      tell
8:      ldr     x0, =ROUNDS
        cmp     x25, x0
        b.lo    round
        ldr     x1, =UART
        adr     x0, farewell
9:      ldrb    w2, [x0], #1
        cbz     w2, 10f
        strb    w2, [x1]
        b       9b
10:     ldr     x0, =PSCI_OFF
        hvc     #0

tell:   ldr     x1, =UART
        mov     x2, #60
1:      lsr     x3, x26, x2
        and     x3, x3, #15
        add     x4, x3, #'0'
        add     x5, x3, #('a' - 10)
        cmp     x3, #10
        csel    x3, x4, x5, lo
        strb    w3, [x1]
        subs    x2, x2, #4
        b.ge    1b
        mov     w3, #10
        strb    w3, [x1]
        ret

interrupt:
        gic_acknowledge
        mov     x11, x10
        mix     x11
        msr     cntv_ctl_el0, xzr
        msr     cntp_ctl_el0, xzr
        gic_end
        mov     x28, #1
        eret

skip:   mrs     x11, esr_el1
        mix     x11
        mrs     x11, elr_el1
        add     x11, x11, #4
        msr     elr_el1, x11
        eret
        .ltorg
farewell: .asciz "${FAREWELL}\\n"
        .balign 64
cell:   .quad   0
`;
