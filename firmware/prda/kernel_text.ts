/** The text of the PRDA kernel: start, translation tables, handlers, dispatch, report. */
import type { PrdaKernelOptions } from "./kernel.ts";
import { type Scheme, SCHEMES, threadText } from "./schemes.ts";

/** Options with nothing left open. */
export type KernelTextOptions =
  & Required<Omit<PrdaKernelOptions, "mutant">>
  & { readonly expected: number; readonly mutant: PrdaKernelOptions["mutant"] };

/** Of a thread's block: bytes, and where the word is that says that a preemption was put off. */
export const THREAD_SIZE = 320, THREAD_PENDING = 288;

/** Constants: the board's addresses, and offsets in a PE's block (at SP_ELx) and in a thread's block. */
const constants = ({ pes, threads, rounds, period, bound, expected }: KernelTextOptions): string => `
        .equ    UART,           0x09000000
        .equ    GICD,           0x08000000
        .equ    GICC,           0x08010000
        .equ    TIMER,          27              // the virtual timer, PPI 11
        .equ    PSCI_CPU_ON,    0xc4000003
        .equ    PSCI_OFF,       0x84000008
        .equ    PES,            ${pes}
        .equ    THREADS,        ${threads}
        .equ    ROUNDS,         ${rounds}
        .equ    PERIOD,         ${period}
        .equ    BOUND,          ${bound}
        .equ    EXPECTED,       ${expected}
        .equ    OVERLONG,       60000
        .equ    SVC_YIELD,      0
        .equ    SVC_DEFERRED,   1
        .equ    SVC_EXIT,       2
        .equ    PRDA,           0x100000000     // "my PRDA" on every PE
        .equ    SLOT,           8 * 4           // of the root: PRDA >> 30
        .equ    AREA,           14              // log2 of the bytes of a PE's area
        .equ    LEVEL2,         1               // pages of it
        .equ    LEVEL3,         2
        .equ    ROOT,           3
        .equ    PE_NUMBER,      0
        .equ    PE_THREAD,      8
        .equ    PE_LAST,        16              // thread that ran last
        .equ    PE_X0,          32
        .equ    PE_SIZE,        64
        .equ    PC,             248
        .equ    STATE,          256
        .equ    HOME,           264             // PE in whose queue it is
        .equ    RUN,            272             // READY, RUNNING, DONE
        .equ    DEPTH,          280             // non-preemptible sections that it is in
        .equ    PENDING,        ${THREAD_PENDING}             // a preemption was put off
        .equ    DEFERRALS,      296             // preemptions put off in the present section
        .equ    NESTED,         304             // sections entered within others
        .equ    INDEX,          312
        .equ    THREAD_SIZE,    ${THREAD_SIZE}
        .equ    READY,          0
        .equ    RUNNING,        1
        .equ    DONE,           2
`;

/** Entry of PE 0 and of the others, and what each does before its first dispatch. */
const start = (el: 1 | 2): string => `
_start: mrs     x0, currentel
        lsr     x0, x0, #2
        cmp     x0, #${el}
        adr     x0, text_level
        b.ne    refuse
        adrp    x20, areas
        add     x20, x20, :lo12:areas
        mov     x19, #0
        bl      build_tables
        mov     x0, #0
        bl      enable
        mov     x19, #1                 // the other PEs
1:      cmp     x19, #PES
        b.eq    2f
        ldr     x0, =PSCI_CPU_ON
        mov     x1, x19
        adr     x2, second
        mov     x3, x19
        ${el === 1 ? "hvc" : "smc"}     #0
        adr     x1, text_cpu
        cbnz    x0, refuse_cpu
        add     x19, x19, #1
        b       1b
2:      adr     x1, online              // nobody is dispatched before all have come
3:      ldr     x0, [x1]
        cmp     x0, #(PES - 1)
        b.eq    all_online
        yield
        b       3b
all_online:
        mov     x0, #1
        adr     x1, go
        str     x0, [x1]
        dsb     ish
        b       dispatch

second: bl      enable                  // x0 is the context: the PE's number
        mov     x0, #PRDA               // before its first dispatch a PE has the boot PE's area
        ldr     x0, [x0, #8]
        adr     x1, online
1:      ldaxr   x0, [x1]
        add     x0, x0, #1
        stlxr   w2, x0, [x1]
        cbnz    w2, 1b
2:      adr     x1, go
        ldr     x0, [x1]
        yield
        cbz     x0, 2b
        b       dispatch

refuse_cpu:
        mov     x0, x1
refuse: bl      print
        b       power_off
`;

/** Each PE's subtree and root copy; the copies are made of PE 0's, slot included, while no PE has translation on. */
const tables = `
build_tables:                           // x20: areas
        mov     x9, #0
1:      add     x1, x20, x9, lsl #AREA
        str     x9, [x1, #8]            // owner
        ldr     x2, =PAGE
        orr     x2, x2, x1
        add     x3, x1, #LEVEL3, lsl #12
        str     x2, [x3]
        orr     x2, x3, #3
        add     x3, x1, #LEVEL2, lsl #12
        str     x2, [x3]
        add     x4, x1, #ROOT, lsl #12
        ldr     x2, =DEVICES
        str     x2, [x4]
        ldr     x2, =MEMORY
        str     x2, [x4, #8]
        add     x2, x20, #LEVEL2, lsl #12        // the boot PE's subtree
        orr     x2, x2, #3
        str     x2, [x4, #SLOT]
        add     x9, x9, #1
        cmp     x9, #PES
        b.ne    1b
        ret
`;

/** Translation, vectors, interrupt controller and timer of the PE in x0. */
const enable = (el: 1 | 2, mutant: KernelTextOptions["mutant"]): string => `
enable: adrp    x20, areas
        add     x20, x20, :lo12:areas
        msr     spsel, #1
        adr     x1, pe_blocks
        mov     x2, #PE_SIZE
        madd    x1, x0, x2, x1
        mov     sp, x1
        str     x0, [sp, #PE_NUMBER]
        str     xzr, [sp, #PE_THREAD]
        str     x0, [sp, #PE_LAST]
        add     x1, x20, x0, lsl #AREA
        msr     tpidr_el${el}, x1       // this PE's PRDA
        add     x2, ${mutant === "sharedRoot" ? "x20" : "x1"}, #ROOT, lsl #12
        ${mutant === "commonNotPrivate" ? "orr x2, x2, #1" : ""}
        msr     ttbr0_el${el}, x2
        ldr     x1, =0xff00             // attribute 0 device-nGnRnE, 1 normal
        msr     mair_el${el}, x1
        ldr     x1, =0x80803519         // 39 bits, 4 KiB, write-back walks; at EL1 no TTBR1
        msr     tcr_el${el}, x1
        adr     x1, vectors
        msr     vbar_el${el}, x1
        ${
  el === 1 ? "" : `mov     x1, #0x38              // IMO, FMO, AMO: interrupts come to EL2
        orr     x1, x1, #0x80000000
        msr     hcr_el2, x1
        msr     cntvoff_el2, xzr`
}
        tlbi    ${el === 1 ? "vmalle1" : "alle2"}
        dsb     sy
        isb
        mrs     x1, sctlr_el${el}
        ldr     x2, =0x1005             // M, C, I
        orr     x1, x1, x2
        msr     sctlr_el${el}, x1
        isb
        ldr     x1, =GICD
        mov     w2, #1
        str     w2, [x1]                // GICD_CTLR
        ldr     w2, =((1 << TIMER) | 0xffff)
        str     w2, [x1, #0x100]        // GICD_ISENABLER0, banked: timer and SGIs
        ldr     w2, =(0xff << 8)
        str     w2, [x1, #0x104]        // interrupts 40 to 47, one for each PE
        add     x1, x1, #0x800          // GICD_ITARGETSR
        add     x1, x1, #40
        add     x1, x1, x0
        mov     w2, #1
        lsl     w2, w2, w0
        strb    w2, [x1]
        ldr     x1, =GICC
        mov     w2, #0xff
        str     w2, [x1, #4]            // GICC_PMR
        mov     w2, #1
        str     w2, [x1]                // GICC_CTLR
        .if     PERIOD
        mov     x1, #PERIOD
        msr     cntv_tval_el0, x1
        mov     x1, #1
        msr     cntv_ctl_el0, x1
        .endif
        ret
`;

/** Entries of exceptions: threads are on SP_EL0, so the kernel is entered with its PE's block in SP. */
const handlers = (el: 1 | 2): string => `
save:   stp     x2, x3, [x0, #16]       // x0: thread; x0 and x1 are in the PE's block
        stp     x4, x5, [x0, #32]
        stp     x6, x7, [x0, #48]
        stp     x8, x9, [x0, #64]
        stp     x10, x11, [x0, #80]
        stp     x12, x13, [x0, #96]
        stp     x14, x15, [x0, #112]
        stp     x16, x17, [x0, #128]
        stp     x18, x19, [x0, #144]
        stp     x20, x21, [x0, #160]
        stp     x22, x23, [x0, #176]
        stp     x24, x25, [x0, #192]
        stp     x26, x27, [x0, #208]
        str     x28, [x0, #224]
        ldp     x2, x3, [sp, #PE_X0]
        stp     x2, x3, [x0]
        mrs     x2, elr_el${el}
        mrs     x3, spsr_el${el}
        stp     x2, x3, [x0, #PC]
        mov     x19, x0
        ret

resume: mov     x0, x19
        ldp     x2, x3, [x0, #PC]
        msr     elr_el${el}, x2
        msr     spsr_el${el}, x3
        ldp     x2, x3, [x0, #16]
        ldp     x4, x5, [x0, #32]
        ldp     x6, x7, [x0, #48]
        ldp     x8, x9, [x0, #64]
        ldp     x10, x11, [x0, #80]
        ldp     x12, x13, [x0, #96]
        ldp     x14, x15, [x0, #112]
        ldp     x16, x17, [x0, #128]
        ldp     x18, x19, [x0, #144]
        ldp     x20, x21, [x0, #160]
        ldp     x22, x23, [x0, #176]
        ldp     x24, x25, [x0, #192]
        ldp     x26, x27, [x0, #208]
        ldp     x28, x29, [x0, #224]
        ldr     x30, [x0, #240]
        ldp     x0, x1, [x0]
        eret

irq:    bl      save
        bl      acknowledge
        cmp     w0, #16                 // a migration to here only wakes
        b.lo    resume
        cmp     w0, #1020
        b.hs    resume
        ldr     x0, [x19, #DEPTH]
        cbnz    x0, defer
        ldr     x0, [x19, #PC]          // or in one of the ranges
        adr     x1, ranges
1:      ldp     x2, x3, [x1], #16
        cbz     x2, preempt
        cmp     x0, x2
        ccmp    x0, x3, #2, hs
        b.hs    1b
defer:  mov     x0, #1
        str     x0, [x19, #PENDING]
        ldr     x0, [x19, #DEFERRALS]
        add     x0, x0, #1
        str     x0, [x19, #DEFERRALS]
        adr     x2, deferred            // statistics: of all PEs, under the lock
        bl      lock
        ldr     x1, [x2]
        add     x1, x1, #1
        str     x1, [x2]
        cmp     x0, #BOUND
        b.ne    1f
        bl      watchdog
1:      bl      unlock
        b       resume

preempt:                                // the thread goes to the next PE's queue
        bl      lock
        str     xzr, [x19, #PENDING]
        str     xzr, [x19, #DEFERRALS]
        ldr     x0, [x19, #HOME]
        add     x0, x0, #1
        cmp     x0, #PES
        csel    x0, xzr, x0, eq
        str     x0, [x19, #HOME]
        mov     x1, #READY
        str     x1, [x19, #RUN]
        adr     x1, migrations
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        bl      unlock
        mov     x1, #0x10000            // SGI 0 to that PE
        lsl     x1, x1, x0
        ldr     x2, =(GICD + 0xf00)
        dsb     ish
        str     w1, [x2]
        b       dispatch

sync:   bl      save
        mrs     x0, esr_el${el}
        lsr     x1, x0, #26
        cmp     x1, #0x15               // SVC
        b.ne    unexpected
        and     x0, x0, #0xffff
        cmp     x0, #SVC_DEFERRED
        b.eq    preempt
        mov     x1, #READY
        cmp     x0, #SVC_EXIT
        mov     x2, #DONE
        csel    x1, x2, x1, eq
        bl      lock
        str     x1, [x19, #RUN]
        b.ne    1f
        adr     x1, done
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        mov     w1, #0x10000            // PE 0 looks whether all are done
        ldr     x2, =(GICD + 0xf00)
        dsb     ish
        str     w1, [x2]
1:      bl      unlock
        b       dispatch

// Acknowledges and ends an interrupt; its number in w0. Changes x1 to x3.
acknowledge:
        ldr     x1, =GICC
        ldr     w2, [x1, #12]           // GICC_IAR
        and     w0, w2, #0x3ff
        .if     PERIOD
        cmp     w0, #TIMER
        b.ne    1f
        mov     x3, #PERIOD
        msr     cntv_tval_el0, x3
        isb
1:
        .endif
        str     w2, [x1, #16]           // GICC_EOIR
        ret

unexpected:
        adr     x0, text_unexpected
        bl      print
        mrs     x0, esr_el${el}
        bl      print_hexadecimal
        adr     x0, text_at
        bl      print
        mrs     x0, elr_el${el}
        bl      print_hexadecimal
        adr     x0, text_address
        bl      print
        mrs     x0, far_el${el}
        bl      print_hexadecimal
        adr     x0, text_end
        bl      print
power_off:                              // by the conduit of the level that it is at
        ldr     x0, =PSCI_OFF
        mrs     x1, currentel
        cmp     x1, #(1 << 2)
        b.ne    1f
        hvc     #0
1:      smc     #0
        b       .
`;

/** The slot of the PE's own root from TPIDR_ELx, by break-before-make. */
const writeSlot = (el: 1 | 2, mutant: KernelTextOptions["mutant"]): string => `
write_slot:
        mrs     x0, tpidr_el${el}
        mrs     x1, ttbr0_el${el}
        bic     x1, x1, #1
        add     x2, x0, #LEVEL2, lsl #12
        orr     x2, x2, #3
        str     xzr, [x1, #SLOT]        // break
        dsb     ishst
        mov     x3, #(PRDA >> 12)
        ${mutant === "missingInvalidate" ? "nop" : `tlbi    vae${el}, x3`}
        dsb     nsh
        isb
        str     x2, [x1, #SLOT]         // make
        dsb     ishst
        isb
        ret
`;

/** Threads by turns from a PE's queue, and what a PE does that has none. */
const dispatch = `
dispatch:
        bl      lock
        ldr     x4, [sp, #PE_NUMBER]
        ldr     x5, [sp, #PE_LAST]
        mov     x6, #THREADS
1:      add     x5, x5, #1
        cmp     x5, #THREADS
        csel    x5, xzr, x5, hs
        adr     x19, threads
        mov     x1, #THREAD_SIZE
        madd    x19, x5, x1, x19
        ldp     x1, x2, [x19, #HOME]
        cmp     x1, x4
        ccmp    x2, #READY, #0, eq
        b.eq    2f
        subs    x6, x6, #1
        b.ne    1b
        bl      unlock
        str     xzr, [sp, #PE_THREAD]
        cbnz    x4, idle
        adr     x1, done
        ldr     x1, [x1]
        cmp     x1, #THREADS
        b.eq    report
idle:   wfi                             // wakes although interrupts are masked
3:      bl      acknowledge
        cmp     w0, #1020
        b.lo    3b
        b       dispatch
2:      mov     x1, #RUNNING
        str     x1, [x19, #RUN]
        str     x19, [sp, #PE_THREAD]
        str     x5, [sp, #PE_LAST]
        bl      unlock
        bl      write_slot
        .if     PERIOD
        mrs     x3, cntv_ctl_el0        // a tick that came meanwhile is not this thread's
        tbz     x3, #2, resume          // ISTATUS
        mov     x3, #PERIOD
        msr     cntv_tval_el0, x3
        isb
        .endif
        b       resume

// Change x24 to x26 only.
lock:   adr     x24, the_lock
        mov     w25, #1
1:      ldaxr   w26, [x24]
        cbz     w26, 2f
        yield
        b       1b
2:      stlxr   w26, w25, [x24]
        cbnz    w26, 1b
        ret
unlock: adr     x24, the_lock
        stlr    wzr, [x24]
        ret
`;

/** Text on the serial port. */
const report = `
watchdog:                               // x19: thread; called under the lock
        mov     x23, x30
        adr     x0, text_watchdog
        ldr     x1, [x19, #INDEX]
        bl      print_both
        adr     x0, text_at
        bl      print
        ldr     x0, [x19, #PC]
        bl      print_hexadecimal
        adr     x0, text_end
        bl      print
        adr     x0, watchdogs
        ldr     x1, [x0]
        add     x1, x1, #1
        str     x1, [x0]
        mov     x30, x23
        ret

report: mov     x21, #0                 // PE
        mov     x22, #0                 // sum
        adrp    x20, areas
        add     x20, x20, :lo12:areas
1:      add     x1, x20, x21, lsl #AREA
        ldr     x1, [x1]
        add     x22, x22, x1
        adr     x0, text_prda
        bl      print_both
        add     x21, x21, #1
        cmp     x21, #PES
        b.ne    1b
        adr     x0, sum
        str     x22, [x0]
        mov     x1, x22
        adr     x0, text_sum
        bl      print_both
        ldr     x1, =EXPECTED
        adr     x0, text_expected
        bl      print_both
        ldr     x1, deferred
        adr     x0, text_deferred
        bl      print_both
        ldr     x1, migrations
        adr     x0, text_migrations
        bl      print_both
        mov     x21, #THREADS
        mov     x1, #0
        adr     x2, threads
2:      ldr     x3, [x2, #NESTED]
        add     x1, x1, x3
        add     x2, x2, #THREAD_SIZE
        subs    x21, x21, #1
        b.ne    2b
        adr     x0, text_nested
        bl      print_both
        ldr     x1, watchdogs
        adr     x0, text_watchdogs
        bl      print_both
        adr     x0, text_end
        bl      print
        b       power_off

print_both:                             // the text at x0, then x1 in decimal
        mov     x9, x30
        mov     x10, x1
        bl      print
        mov     x0, x10
        bl      print_decimal
        mov     x30, x9
        ret
print:  ldr     x1, =UART
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
2:      ret
print_decimal:
        mov     x2, #10
        b       print_number
print_hexadecimal:
        mov     x2, #16
print_number:
        adr     x1, digits_end
1:      udiv    x3, x0, x2
        msub    x4, x3, x2, x0
        adr     x5, digit_texts
        ldrb    w4, [x5, x4]
        strb    w4, [x1, #-1]!
        mov     x0, x3
        cbnz    x0, 1b
        mov     x0, x1
        b       print
`;

/** Texts and data: what PEs and threads are, and the areas behind all else. */
const data = (options: KernelTextOptions, { hasRange }: Scheme): string => `
digit_texts:            .ascii  "0123456789abcdef"
text_level:             .asciz  "prda: this kernel is entered at EL${options.level}\\r\\n"
text_cpu:               .asciz  "prda: a CPU does not start: the kernel is for ${options.pes}\\r\\n"
text_unexpected:        .asciz  "prda: unexpected exception, syndrome 0x"
text_at:                .asciz  " at 0x"
text_address:           .asciz  ", address 0x"
text_watchdog:          .asciz  "prda: watchdog: section exceeds its bound, thread "
text_prda:              .asciz  " prda "
text_sum:               .asciz   " sum "
text_expected:          .asciz  " expected "
text_deferred:          .asciz  " deferred "
text_migrations:        .asciz  " migrations "
text_nested:            .asciz  " nested "
text_watchdogs:         .asciz  " watchdog "
text_end:               .asciz  "\\r\\n"
digits:                 .space  20
digits_end:             .byte   0
        .align  4
ranges: ${hasRange ? ".quad   section_begin, section_end" : ""}
        .quad   0, 0
online:     .quad   0
go:         .quad   0
done:       .quad   0
the_lock:   .quad   0
deferred:   .quad   0
migrations: .quad   0
watchdogs:  .quad   0
sum:        .quad   0
        .align  6
pe_blocks:
        .space  PE_SIZE * PES
threads:
${Array.from({ length: options.threads }, (_, index) => thread(index, options)).join("")}
        .align  14
areas:  .space  PES << AREA
`;

/** One thread's block at the start: all are ready, on the PEs by turns. */
const thread = (index: number, { level, pes }: KernelTextOptions): string => `
        .fill   28, 8, 0
        .quad   threads + ${index} * THREAD_SIZE, 0, 0
        .quad   thread, ${level === 1 ? "0x344" : "0x348"}, ${index % pes}, READY, 0, 0, 0, 0, ${index}
`;

/** The whole kernel. */
export function kernelText(options: KernelTextOptions): string {
  const { level: el, mutant } = options, scheme: Scheme = SCHEMES[options.scheme];
  const xn = el === 1 ? 0x60n << 48n : 0x40n << 48n; // UXN and PXN, or XN
  const ap = el === 1 ? 0n : 0x40n; // AP[1] is RES1 at EL2
  return [
    constants(options),
    `
        .equ    DEVICES,        ${xn | 0x401n | ap}     // attribute 0, AF, not executable
        .equ    MEMORY,         ${0x40000705n | ap}     // attribute 1, AF, inner shareable
        .equ    PAGE,           ${xn | 0x707n | ap}     // the same as a page, not executable
`,
    start(el),
    tables,
    enable(el, mutant),
    handlers(el),
    writeSlot(el, mutant),
    dispatch,
    threadText(scheme).replaceAll("TPIDR", `tpidr_el${el}`),
    report,
    `
        .ltorg
        .align  11
vectors:
${entry("sync_entry")}${entry("irq_entry")}${entry("unexpected")}${entry("unexpected")}
${entry("unexpected").repeat(12)}
sync_entry:
${ENTRY}        b       sync
irq_entry:
${ENTRY}        b       irq
`,
    data(options, scheme),
  ].join("");
}

const entry = (target: string): string => `        b       ${target}\n        .space  124\n`;

/** Of a thread's registers, x0, x1, x29 and x30 are kept before anything is called. */
const ENTRY = `        stp     x0, x1, [sp, #PE_X0]
        ldr     x0, [sp, #PE_THREAD]
        stp     x29, x30, [x0, #232]
`;
