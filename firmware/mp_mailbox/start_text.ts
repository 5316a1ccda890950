/** The loader starts each core by PSCI, as assembly: a page with the pen for each, and a look whether it came. */
import type { Source } from "../../machine/a64/program.ts";
import { NO_ID } from "./page.ts";

/** A fault to be planted in the loader: the page's number is 0 and not all ones, which Linux refuses with ENXIO. */
export type StartMutant = "presetsId";

const CORES = `
// Adds the core of number x0, which waits for x1, described at x2; x0 = its record. Changes x1 to x6.
add_core:
        ldr     x3, =0xff00ffffff
        and     x0, x0, x3
        ldr     x4, [x28, #VARS_CORES]
        add     x5, x28, #VARS_CORE
1:      cbz     x4, 2f
        sub     x4, x4, #1
        ldr     x6, [x5], #CORE_SIZE
        cmp     x6, x0
        b.ne    1b
        adr     x0, text_twice
        b       refuse
2:      ldr     x4, [x28, #VARS_CORES]
        cmp     x4, #CORES_MOST
        b.lo    3f
        adr     x0, text_many
        b       refuse
3:      add     x4, x4, #1
        str     x4, [x28, #VARS_CORES]
        str     x0, [x5, #CORE_NUMBER]
        str     xzr, [x5, #CORE_PAGE]
        str     x2, [x5, #CORE_PLACE]
        str     w1, [x5, #CORE_ID]
        mrs     x6, mpidr_el1
        and     x6, x6, x3
        cmp     x6, x0
        mov     w6, #CORE_UNTRIED
        mov     w4, #CORE_BOOT
        csel    w6, w4, w6, eq
        str     w6, [x5, #CORE_KIND]
        str     xzr, [x5, #CORE_GICR]
        mov     x0, x5
        ret
`;

const CHECK = `
// Whether what was read is enough to start cores: the boot CPU is among them, and PSCI and the GIC are known.
check_cores:
        ldr     x0, [x28, #VARS_CORES]
        add     x1, x28, #VARS_CORE
1:      cbz     x0, 2f
        sub     x0, x0, #1
        ldr     w2, [x1, #CORE_KIND]
        add     x1, x1, #CORE_SIZE
        cmp     w2, #CORE_BOOT
        b.ne    1b
        adr     x0, text_conduit
        ldr     x1, [x28, #VARS_CONDUIT]
        cbz     x1, refuse
        adr     x0, text_gic
        ldr     x1, [x28, #VARS_GIC]
        cbz     x1, refuse
        ret
2:      adr     x0, text_boot
        b       refuse
`;

const GIC = `
// The GIC routes by affinity before redistributors are set up.
prepare_gic:
        ldr     x0, [x28, #VARS_GIC]
        cmp     x0, #3
        b.ne    1f
        ldr     x0, [x28, #VARS_GICD]
        ldr     w1, [x0]
        orr     w1, w1, #0x10                   // GICD_CTLR.ARE
        str     w1, [x0]
2:      ldr     w1, [x0]
        tbnz    w1, #31, 2b                     // RWP
1:      ret

// x0 = the redistributor's frame of the core at x25, 0 when there is none. Changes x1 to x5.
find_redistributor:
        ldr     x0, [x25, #CORE_GICR]
        cbnz    x0, 3f
        ldr     x1, [x28, #VARS_REDISTRIBUTORS]
        ldr     x2, [x28, #VARS_GIC_CPU_SIZE]
        add     x2, x1, x2
        ldr     x3, [x25, #CORE_NUMBER]
        lsr     x4, x3, #8
        bfi     x3, x4, #24, #8                 // Aff3 beside the others, as in GICR_TYPER
        ubfx    x4, x4, #24, #8
        bfi     x3, x4, #24, #8
1:      cmp     x1, x2
        b.hs    2f
        ldr     x4, [x1, #8]                    // GICR_TYPER
        lsr     x5, x4, #32
        cmp     w5, w3
        mov     x0, x1
        b.eq    3f
        tbnz    w4, #4, 2f                      // Last
        add     x1, x1, #0x20, lsl #12
        tbz     w4, #1, 1b                      // VLPIS: two frames more
        add     x1, x1, #0x20, lsl #12
        b       1b
2:      mov     x0, #0
3:      ret
`;

/** The counter's event stream, by which WFE ends about each millisecond: EVNTEN, and EVNTI for bit 15. */
const EVENT_STREAM = { 1: "cntkctl_el1", 2: "cnthctl_el2" } as const, EVENTS = 0xf4;

const startCores = (level: 1 | 2): string => `
// Starts every core but this one; each is CORE_PARKED or CORE_DEAD afterwards.
start_cores:
        mrs     x0, ${EVENT_STREAM[level]}
        stp     x0, x30, [sp, #-16]!
        mov     x1, #${EVENTS}
        orr     x0, x0, x1
        msr     ${EVENT_STREAM[level]}, x0
        ldr     x24, [x28, #VARS_CORES]
        add     x25, x28, #VARS_CORE
start_next:
        cbz     x24, start_done
        ldr     w0, [x25, #CORE_KIND]
        cmp     w0, #CORE_UNTRIED
        b.ne    start_other
        bl      start_core
        ldr     w0, [x25, #CORE_KIND]
        adr     x0, text_core
        bl      put_text
        ldr     x0, [x25, #CORE_NUMBER]
        bl      put_hex
        adr     x0, text_waits
        ldr     w1, [x25, #CORE_KIND]
        cmp     w1, #CORE_PARKED
        b.eq    1f
        adr     x0, text_dead
1:      bl      put_text
        ldr     x0, [x25, #CORE_PAGE]
        bl      put_hex
        adr     x0, text_line
        bl      put_text
start_other:
        add     x25, x25, #CORE_SIZE
        sub     x24, x24, #1
        b       start_next
start_done:
        ldp     x0, x30, [sp], #16
        msr     ${EVENT_STREAM[level]}, x0
        ret

`;

const startCore = (mutant: StartMutant | undefined): string =>
  `// The core at x25.
start_core:
        stp     x29, x30, [sp, #-16]!
        mov     w0, #CORE_DEAD
        str     w0, [x25, #CORE_KIND]
        ldr     x0, [x28, #VARS_PAGES]          // a page of its own
        adrp    x27, mailboxes
        add     x27, x27, :lo12:mailboxes
        add     x27, x27, x0, lsl #12
        mov     x0, x27
        add     x1, x27, #1, lsl #12
1:      stp     xzr, xzr, [x0], #16
        cmp     x0, x1
        b.ne    1b
        mov     w0, #${mutant === "presetsId" ? "0" : `0x${NO_ID.toString(16)}`}
        str     w0, [x27, #MAILBOX_ID]
        ldr     w0, [x25, #CORE_ID]
        str     w0, [x27, #MAILBOX_OWN_ID]
        ldr     w0, [x28, #VARS_WAITS]
        str     w0, [x27, #MAILBOX_WAITS]
        ldr     x0, [x28, #VARS_GIC]
        cmp     x0, #3
        b.eq    2f
        ldr     x0, [x28, #VARS_GIC_CPU]
        str     x0, [x27, #MAILBOX_GICC]
        b       3f
2:      bl      find_redistributor
        cbz     x0, start_over
        str     x0, [x27, #MAILBOX_GICR]
3:      adr     x0, pen
        adr     x1, pen_end
        add     x2, x27, #MAILBOX_PEN
4:      ldr     x3, [x0], #8
        str     x3, [x2], #8
        cmp     x0, x1
        b.lo    4b
        mov     x2, x27                         // what the core fetches, it fetches from memory
        mov     x3, #MAILBOX_SIZE
        bl      clean_range
        ic      iallu
        dsb     sy
        isb
        ldr     w0, [x28, #VARS_CPU_ON]
        ldr     x1, [x25, #CORE_NUMBER]
        add     x2, x27, #MAILBOX_PEN
        mov     x3, x27
        bl      call_psci
        cbnz    x0, start_over
        ldr     x0, [x28, #VARS_PAGES]
        add     x0, x0, #1                      // it may come late: the page stays reserved
        str     x0, [x28, #VARS_PAGES]
        str     x27, [x25, #CORE_PAGE]
        mrs     x1, cntfrq_el0
        mov     x2, #PATIENCE
        mul     x1, x1, x2
        isb
        mrs     x2, cntpct_el0
        add     x1, x1, x2
5:      ldr     x0, [x27, #MAILBOX_STATE]
        cbnz    x0, 6f
        wfe
        isb
        mrs     x2, cntpct_el0
        cmp     x2, x1
        b.lo    5b
        b       start_over
6:      mov     w0, #CORE_PARKED
        str     w0, [x25, #CORE_KIND]
start_over:
        ldp     x29, x30, [sp], #16
        ret

`;

const PSCI_CALLS = `// x0 = what PSCI answers to x0 to x3; NOT_SUPPORTED where nothing answers.
call_psci:
        ldr     x4, [x28, #VARS_CONDUIT]
        mov     x5, #1
        str     x5, [x28, #VARS_CALLING]
        cmp     x4, #CONDUIT_SMC
        b.eq    1f
        hvc     #0
        b       call_answered
1:      smc     #0
call_answered:
        str     xzr, [x28, #VARS_CALLING]
        sxtw    x0, w0
        ret

// PSCI must answer before anything is asked of it. Version 0.1 has no way to tell.
probe_psci:
        stp     x29, x30, [sp, #-16]!
        ldr     w0, [x28, #VARS_CPU_ON]
        ldr     w1, =PSCI_CPU_ON
        cmp     w0, w1
        b.ne    1f
        ldr     w0, =PSCI_VERSION
        bl      call_psci
        cmp     x0, #0
        adr     x0, text_silent
        b.lt    refuse
1:      ldp     x29, x30, [sp], #16
        ret
`;

const TEXTS = `
        .rodata
text_boot:   .asciz "the CPU that runs is not described"
text_gic:    .asciz "there is no interrupt controller that is known"
text_silent: .asciz "PSCI does not answer"
text_core:   .asciz "mp-mailbox: cpu "
text_waits:  .asciz " waits at "
text_dead:   .asciz " is dead, page "
        .text
`;

const CORE_TEXTS = `
        .rodata
text_twice:  .asciz "two CPUs have one number"
text_many:   .asciz "there are too many CPUs"
text_line:   .asciz "\\r\\n"
        .text
`;

/** `add_core` alone; x28 = variables. */
export function coresText(): Source {
  return { name: "cores", text: CORES + CORE_TEXTS };
}

/** `add_core`, `check_cores`, `prepare_gic`, `probe_psci` and `start_cores`; x28 = variables. */
export function startText(level: 1 | 2, mutant?: StartMutant): Source {
  const start = startCores(level) + startCore(mutant) + PSCI_CALLS;
  return { name: "start_cores", text: CORES + CORE_TEXTS + CHECK + GIC + start + TEXTS };
}
