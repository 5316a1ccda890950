/**
 * The demo guest: two CPUs with translation and a timer interrupt share a counter and increment it with a race.
 *
 * Each CPU loads the counter together with its own tally, adds one to both, stores both by one instruction, and yields.
 * No turn ends between the load and the store unless an operator forces it: then an increment is lost, and from that
 * store on the books do not balance: the counter is less than the tallies together. It runs on
 * `-M virt -cpu cortex-a57 -smp 2 -kernel`.
 */

import { PRINT, PRINT_DECIMAL } from "./common_code.ts";

/** Where `-kernel` puts a flat image. */
export const COUNTER_GUEST_BASE = 0x40080000n;

/** Increments of each CPU. */
export const COUNTER_GUEST_ROUNDS = 1000;

/** The program, for `assembleProgram` at COUNTER_GUEST_BASE. */
export const COUNTER_GUEST_SOURCE: string = String.raw`
        .equ    UART,           0x09000000
        .equ    GICD,           0x08000000
        .equ    GICC,           0x08010000
        .equ    VIRTUAL_TIMER,  27              // PPI 11
        .equ    PERIOD,         1000            // counter ticks between timer interrupts: 16 us
        .equ    ROUNDS,         1000            // increments of each CPU
        .equ    PSCI_CPU_ON,    0xc4000003
        .equ    PSCI_OFF,       0x84000008

start:  adr     x0, banner
        bl      print
        bl      enable_mmu
        bl      enable_timer
        ldr     x0, =PSCI_CPU_ON
        mov     x1, #1                          // affinity of cpu1
        adr     x2, second
        mov     x3, #0
        hvc     #0
        bl      work0
wait:   ldr     x1, tally1                      // until cpu1 is done too
        ldr     x2, =ROUNDS
        cmp     x1, x2
        b.eq    report
        yield
        b       wait

second: bl      enable_mmu
        bl      enable_timer
        bl      work1
idle:   wfi
        b       idle

// Increments the counter and the CPU's own tally ROUNDS times; the three lie in a row, tally1 first.
work0:  adr     x21, counter
        ldr     x22, =ROUNDS
1:
load0:  ldp     x1, x2, [x21]
        add     x1, x1, #1
        add     x2, x2, #1
store0: stp     x1, x2, [x21]
        yield
        subs    x22, x22, #1
        b.ne    1b
        ret

work1:  adr     x21, tally1
        ldr     x22, =ROUNDS
1:
load1:  ldp     x1, x2, [x21]
        add     x1, x1, #1
        add     x2, x2, #1
store1: stp     x1, x2, [x21]
        yield
        subs    x22, x22, #1
        b.ne    1b
        ret

report: msr     daifset, #2
        adr     x0, text_counter
        bl      print
        ldr     x0, counter
        bl      print_decimal
        adr     x0, text_expected
        bl      print
        ldr     x0, =(2 * ROUNDS)
        bl      print_decimal
        adr     x0, text_ticks
        bl      print
        ldr     x0, ticks
        bl      print_decimal
        adr     x0, text_end
        bl      print
        ldr     x0, =PSCI_OFF
        hvc     #0
        b       .

// One level-1 table of 1 GiB blocks: devices below 1 GiB, RAM above; virtual = physical.
enable_mmu:
        adr     x0, table
        ldr     x1, =0x0060000000000401          // device-nGnRnE (AttrIndx 0), AF, UXN and PXN
        str     x1, [x0]
        ldr     x1, =0x40000705                 // normal (AttrIndx 1), AF, inner shareable
        str     x1, [x0, #8]
        msr     ttbr0_el1, x0
        ldr     x1, =0xff00
        msr     mair_el1, x1
        ldr     x1, =0x80803519                 // 39-bit, 4 KiB, write-back walks, TTBR1 off
        msr     tcr_el1, x1
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        ldr     x2, =0x1005                     // M, C, I
        orr     x1, x1, x2
        msr     sctlr_el1, x1
        isb
        ret

enable_timer:
        adr     x0, vectors
        msr     vbar_el1, x0
        ldr     x0, =GICD
        mov     w1, #1
        str     w1, [x0]                        // GICD_CTLR
        ldr     w1, =(1 << VIRTUAL_TIMER)
        str     w1, [x0, #0x100]                // GICD_ISENABLER0, banked
        ldr     x0, =GICC
        mov     w1, #0xff
        str     w1, [x0, #4]                    // GICC_PMR
        mov     w1, #1
        str     w1, [x0]                        // GICC_CTLR
        mov     x1, #PERIOD
        msr     cntv_tval_el0, x1
        mov     x1, #1
        msr     cntv_ctl_el0, x1
        msr     daifclr, #2
        ret

${PRINT}${PRINT_DECIMAL}
banner:         .asciz  "counter guest: two CPUs, one counter\r\n"
text_counter:   .asciz  "counter "
text_expected:  .asciz  ", expected "
text_ticks:     .asciz  ", timer ticks "
text_end:       .asciz  "\r\n"
digits:         .space  20
digits_end:     .byte   0

        .align  3
tally1:         .quad   0
counter:        .quad   0
tally0:         .quad   0
ticks:          .quad   0
        .ltorg

        .align  11
vectors:
        .space  0x280
        // IRQ from the current level with SP_ELx: only x9 to x11 are used, which nothing else uses.
        ldr     x9, =GICC
        ldr     w10, [x9, #12]                  // GICC_IAR
        mov     x11, #PERIOD
        msr     cntv_tval_el0, x11
        str     w10, [x9, #16]                  // GICC_EOIR
        adr     x9, ticks
        ldr     x10, [x9]
        add     x10, x10, #1
        str     x10, [x9]
        eret
        .ltorg
        .org    vectors + 0x800

        .align  12
table:  .space  4096
`;
