/**
 * The bare-metal guest of time-scale: CPUs that read counters in turn and wait for their timers, and tell what was wrong.
 *
 * It is a flat kernel for `-M virt -kernel` at TIMER_GUEST_BASE, entered at EL1 with the MMU off, with a GIC and PSCI
 * by HVC. Each CPU does ROUNDS rounds: it takes the token, reads the counter, which must not be less than what the
 * CPU before it read, and passes the token on; then it sets a timer by CVAL or TVAL, now and then in the past, checks
 * ISTATUS and TVAL, and waits in WFI for the interrupt, which must not be early. With FEAT_ECV, when the virtual counter
 * is scaled too, every fourth timer is the virtual one, and both counters must agree. At its end it prints a line for each CPU.
 */

/** Where `-kernel` puts a flat image. */
export const TIMER_GUEST_BASE = 0x40080000n;

/** What a guest is made for. */
export interface TimerGuestOptions {
  /** CPUs that take part, 1 to 8 (default 1). */
  readonly cpus?: number;
  /** Rounds of each, a multiple of 4 (default 64). */
  readonly rounds?: number;
  /** Longest wait in counts of the guest, a power of two (default 4096). */
  readonly longest?: number;
  /** Generation of the interrupt controller (default 2). */
  readonly gic?: 2 | 3;
}

/** Names of what is counted, in the order of the printed numbers. */
export const TIMER_GUEST_COUNTS = ["rounds", "early", "backwards", "status", "value", "apart"] as const;

/** The program, for `assembleProgram` at TIMER_GUEST_BASE. Throws RangeError for numbers that cannot be. */
export function timerGuestSource(
  { cpus = 1, rounds = 64, longest = 4096, gic = 2 }: TimerGuestOptions = {},
): string {
  if (!(cpus >= 1 && cpus <= 8)) throw new RangeError(`Cannot run the timer guest on ${cpus} CPUs: 1 to 8`);
  if (!(rounds >= 4 && rounds % 4 === 0)) throw new RangeError(`Cannot do ${rounds} rounds: a multiple of 4`);
  if (!(longest >= 2 && (longest & longest - 1) === 0)) {
    throw new RangeError(`Cannot wait for ${longest} counts: a power of two`);
  }
  return `
        .equ    CPUS,           ${cpus}
        .equ    ROUNDS,         ${rounds}
        .equ    LONGEST,        ${longest}
${GIC_MACROS[gic]}
${PROGRAM}`;
}

/** What differs between generations: the private interrupts of both timers, acknowledging to w10 and ending. */
export const GIC_MACROS: Readonly<Record<2 | 3, string>> = {
  2: String.raw`
        .macro  gic_start
        ldr     x0, =GICD
        mov     w1, #1
        str     w1, [x0]
        ldr     w1, =(1 << 27 | 1 << 30)
        str     w1, [x0, #0x100]
        ldr     x0, =GICC
        mov     w1, #0xff
        str     w1, [x0, #4]
        mov     w1, #1
        str     w1, [x0]
        .endm
        .macro  gic_acknowledge
        ldr     x9, =GICC
        ldr     w10, [x9, #0xc]
        .endm
        .macro  gic_end
        str     w10, [x9, #0x10]
        .endm`,
  3: String.raw`
        .macro  gic_start
        ldr     x0, =GICD
        mov     w1, #2                          // EnableGrp1
        str     w1, [x0]
        ldr     x0, =GICR_SGI
        add     x0, x0, x27, lsl #17
        mov     w1, #-1
        str     w1, [x0, #0x80]
        ldr     w1, =(1 << 27 | 1 << 30)
        str     w1, [x0, #0x100]
        mov     x1, #0xff
        msr     icc_pmr_el1, x1
        mov     x1, #1
        msr     icc_igrpen1_el1, x1
        isb
        .endm
        .macro  gic_acknowledge
        mrs     x10, icc_iar1_el1
        .endm
        .macro  gic_end
        msr     icc_eoir1_el1, x10
        .endm`,
} as const;

const PROGRAM = String.raw`
        .equ    UART,           0x09000000
        .equ    GICD,           0x08000000
        .equ    GICC,           0x08010000
        .equ    GICR_SGI,       0x080b0000
        .equ    PSCI_CPU_ON,    0xc4000003
        .equ    PSCI_OFF,       0x84000008
        .equ    EARLY, 8
        .equ    BACKWARDS, 16
        .equ    STATUS, 24
        .equ    VALUE, 32
        .equ    APART, 40

        // Adds one to a count of this CPU.
        .macro  count_one what
        ldr     x9, [x26, #\what]
        add     x9, x9, #1
        str     x9, [x26, #\what]
        .endm

start:  mov     x19, #1
1:      cmp     x19, #CPUS
        b.ge    work
        ldr     x0, =PSCI_CPU_ON
        mov     x1, x19
        adr     x2, work
        mov     x3, #0
        hvc     #0
        add     x19, x19, #1
        b       1b

// x28: FEAT_ECV; x27: CPU; x26: its counts; x25: rounds to do; x23: the count waited for; x22: the virtual timer is set.
work:   mrs     x27, mpidr_el1
        and     x27, x27, #0xff
        adr     x26, counts
        add     x26, x26, x27, lsl #6
        mrs     x28, id_aa64mmfr0_el1
        lsr     x28, x28, #60
        adr     x0, vectors
        msr     vbar_el1, x0
        gic_start
        mov     x25, #0
        ldr     x24, =ROUNDS

round:  adr     x1, token
1:      ldr     x2, [x1]
        cmp     x2, x27
        b.eq    2f
        yield
        b       1b
2:      isb
read:   mrs     x0, cntpct_el0
        ldr     x2, [x1, #8]                    // what was read last, by any CPU
        cmp     x0, x2
        b.hs    3f
        count_one BACKWARDS
3:      str     x0, [x1, #8]
        cbz     x28, 4f
        mrs     x2, cntvct_el0                  // between two reads of the other counter
        mrs     x3, cntpct_el0
        cmp     x2, x0
        ccmp    x2, x3, #2, hs
        b.ls    4f
        count_one APART
4:      add     x2, x27, #1
        cmp     x2, #CPUS
        csel    x2, xzr, x2, ge
        dmb     sy
        str     x2, [x1]

        ldr     x1, =40503                      // an interval that looks like none
        mul     x1, x1, x25
        add     x1, x1, x27, lsl #9
        and     x1, x1, #(LONGEST - 1)
        add     x1, x1, #1
        and     x2, x25, #3
        mov     x22, #0
        str     xzr, [x26, #56]
        cmp     x2, #1
        b.eq    by_value
        cmp     x2, #2
        b.eq    in_the_past
        b.lo    by_compare
        cbz     x28, by_compare
        mov     x22, #1
        mrs     x0, cntvct_el0
        add     x23, x0, x1
        msr     cntv_cval_el0, x23
        mov     x2, #1
        msr     cntv_ctl_el0, x2
        b       wait
by_compare:
        isb
        mrs     x0, cntpct_el0
        add     x23, x0, x1
        msr     cntp_cval_el0, x23
        b       arm
in_the_past:
        mov     x1, #-100
by_value:
        isb
        mrs     x0, cntpct_el0
        add     x23, x0, x1                     // not later than what the timer waits for
        msr     cntp_tval_el0, x1
arm:    mov     x2, #3                          // masked, to look at it
        msr     cntp_ctl_el0, x2
        isb
        mrs     x4, cntp_cval_el0
        mrs     x0, cntpct_el0
        mrs     x2, cntp_tval_el0
        mrs     x3, cntpct_el0
        mrs     x5, cntp_ctl_el0
        mrs     x6, cntpct_el0
        sxtw    x2, w2
        sub     x0, x4, x0                      // TVAL is between what remains before and after
        sub     x3, x4, x3
        cmp     x2, x0
        b.gt    5f
        cmp     x2, x3
        b.ge    6f
5:      count_one VALUE
6:      cmp     x6, x4                          // ISTATUS is not 1 too soon
        cset    x6, hs
        lsr     x5, x5, #2
        cmp     x5, x6
        b.ls    7f
        count_one STATUS
7:      and     x2, x25, #3
        cmp     x2, #2
        b.ne    8f
        cbnz    x5, 8f                          // and 1 at once when the time is past
        count_one STATUS
8:      mov     x2, #1
        msr     cntp_ctl_el0, x2
wait:   ldr     x0, [x26, #56]                  // WFI ends for an interrupt that is masked
        cbnz    x0, 2f
        wfi
        msr     daifclr, #2
        isb
        msr     daifset, #2
        b       wait
2:      add     x25, x25, #1
        str     x25, [x26]
        cmp     x25, x24
        b.lo    round
        cbnz    x27, stop
1:      adr     x1, counts                      // CPU 0 reports when all have done
        mov     x2, #0
2:      ldr     x0, [x1]
        cmp     x0, x24
        b.lo    3f
        add     x1, x1, #64
        add     x2, x2, #1
        cmp     x2, #CPUS
        b.lo    2b
        b       report
3:      bl      pass
        yield
        b       1b
stop:   bl      pass
        yield
        b       stop

// Passes the token on if it is here, since others go on with their rounds.
pass:   adr     x9, token
        ldr     x10, [x9]
        cmp     x10, x27
        b.ne    1f
        add     x10, x10, #1
        cmp     x10, #CPUS
        csel    x10, xzr, x10, ge
        str     x10, [x9]
1:      ret

report: mov     x19, #0
        adr     x20, counts
1:      mov     x21, #0
2:      ldr     x0, [x20, x21, lsl #3]
        bl      print_decimal
        mov     w0, #' '
        bl      put
        add     x21, x21, #1
        cmp     x21, #6
        b.lo    2b
        mov     w0, #'\r'
        bl      put
        mov     w0, #'\n'
        bl      put
        add     x20, x20, #64
        add     x19, x19, #1
        cmp     x19, #CPUS
        b.lo    1b
        ldr     x0, =PSCI_OFF
        hvc     #0

put:    ldr     x9, =UART
        strb    w0, [x9]
        ret

print_decimal:
        mov     x15, x30
        adr     x10, digits_end
        mov     x11, #10
1:      udiv    x12, x0, x11
        msub    x13, x12, x11, x0
        add     x13, x13, #'0'
        strb    w13, [x10, #-1]!
        mov     x0, x12
        cbnz    x0, 1b
        adr     x11, digits_end
2:      ldrb    w0, [x10], #1
        bl      put
        cmp     x10, x11
        b.lo    2b
        ret     x15

// An interrupt of a timer: it must not be early, and its status must say why it came.
interrupt:
        gic_acknowledge
        and     w11, w10, #0x3ff
        cmp     w11, #27
        b.eq    1f
        cmp     w11, #30
        b.ne    4f
        mrs     x11, cntpct_el0
        mrs     x12, cntp_ctl_el0
        msr     cntp_ctl_el0, xzr
        b       2f
1:      mrs     x11, cntvct_el0
        mrs     x12, cntv_ctl_el0
        msr     cntv_ctl_el0, xzr
2:      mov     x13, #1
        str     x13, [x26, #56]
        cmp     x11, x23
        b.hs    3f
        mov     x13, x9
        count_one EARLY
        mov     x9, x13
3:      tbnz    x12, #2, 4f
        mov     x13, x9
        count_one STATUS
        mov     x9, x13
4:      gic_end
        eret
        .ltorg

        .balign 64
token:  .quad   0, 0
        .balign 64
counts: .space  64 * CPUS
digits: .space  24
digits_end:
        .balign 2048
vectors: .space 0x280
        b       interrupt
        .org    vectors + 0x800
`;
