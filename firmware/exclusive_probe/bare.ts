/** The probe's part that is of a machine without an operating system: translation, interrupts, EL0, and the other CPU. */

/** What is added to an address for EL0, and for an access as to Device memory; both together are for both. */
export const EL0_ALIAS: bigint = 8n << 30n, DEVICE_ALIAS: bigint = 16n << 30n;

/** The second CPU: it stores next to the word, in its granule, and then does something else for a while. */
export const CONTENDER: string = String.raw`
contend:
        bl      enable_mmu
        adr     x1, target
1:      str     xzr, [x1, #8]
        mov     x2, #300
2:      subs    x2, x2, #1
        b.ne    2b
        b       1b
`;

/** The vectors, GIC and timer. */
function interrupts(period: number): string {
  const timer = period === 0 ? "" : `
        mov     x1, #${period}
        msr     cntv_tval_el0, x1
        mov     x1, #1
        msr     cntv_ctl_el0, x1`;
  return `
        ldr     x0, =0x08000000                 // GICD
        mov     w1, #1
        str     w1, [x0]
        ldr     w1, =(1 << 27)                  // the virtual timer
        str     w1, [x0, #0x100]
        mov     w1, #2                          // the UART's 33, for this CPU
        str     w1, [x0, #0x104]
        mov     w1, #0x0100
        str     w1, [x0, #0x820]
        ldr     x0, =0x08010000                 // GICC
        mov     w1, #0xff
        str     w1, [x0, #4]
        mov     w1, #1
        str     w1, [x0]${timer}
        msr     daifclr, #2`;
}

/** How the machine is set up. */
export interface StartOptions {
  /** Ticks between interrupts of the virtual timer; 0 for none. */
  readonly period: number;
  /** Interrupts are unmasked. */
  readonly isInterruptible: boolean;
  /** The second CPU is started. */
  readonly isContended: boolean;
}

/** From the entry to the first operation. */
export function start({ period, isInterruptible, isContended }: StartOptions): string {
  return `
start:  bl      enable_mmu
        adr     x0, vectors
        msr     vbar_el1, x0
        msr     mdscr_el1, xzr                  // EL0 may read MDCCSR_EL0
        mov     x0, #3
        msr     cntkctl_el1, x0                 // and the counters
        mrs     x0, sctlr_el1
        orr     x0, x0, #(1 << 15)              // and CTR_EL0 (UCT)
        msr     sctlr_el1, x0
        isb
        adr     x0, stack
        mov     sp, x0${
    isContended
      ? `
        ldr     x0, =0xc4000003                 // PSCI CPU_ON
        mov     x1, #1
        adr     x2, contend
        mov     x3, #0
        conduit`
      : ""
  }${isInterruptible ? interrupts(period) : ""}
`;
}

/** PSTATE at EL0: EL0t; debug exceptions, SErrors and FIQs are masked, interrupts only where none are taken. */
export const EL0_STATE = { masked: 0x3c0, unmasked: 0x340 } as const;

/** How the pairs are tried at both levels, and how it ends. */
export const BARE: string = String.raw`
off:    ldr     x0, =0x84000008                 // PSCI SYSTEM_OFF
        conduit
        b       park

// Tries the pair at x4 in x20 rounds at level x27; x6 = how many failed.
try:    mov     x5, x20
        mov     x6, #0
        adr     x1, target
        add     x1, x1, #MISALIGNMENT
        mov     x0, #TARGET_ALIAS
        add     x1, x1, x0
        mov     x8, x30
        cbz     x27, enter_el0
        bl      rounds
        ret     x8
enter_el0:
        msr     daifset, #2                     // an interrupt would change ELR_EL1 and SPSR_EL1
        mov     x0, #EL0_ALIAS
        add     x1, x1, x0
        add     x4, x4, x0
        adr     x2, rounds
        add     x2, x2, x0
        msr     elr_el1, x2
        adr     x30, leave
        add     x30, x30, x0
        mov     x2, #EL0_STATE
        msr     spsr_el1, x2
        eret
leave:  svc     #0
left_el0:
        unmask
        ret     x8

// One table of 1 GiB blocks: devices, then memory for EL1, the same for EL0 at EL0_ALIAS, and as Device memory. Changes x0 to x6.
enable_mmu:
        adr     x0, table
        ldr     x1, =0x0060000000000401         // Device-nGnRnE (AttrIndx 0), AF, UXN and PXN
        str     x1, [x0]
        ldr     x1, =0x0040000000000705         // Normal (AttrIndx 1), AF, inner shareable, UXN
        ldr     x2, =0x0020000000000745         // the same for EL0 too, PXN
        ldr     x6, =0x0060000000000441         // as Device memory, for EL0 too
        mov     x3, #1
1:      add     x4, x0, x3, lsl #3
        orr     x5, x1, x3, lsl #30
        str     x5, [x4]
        orr     x5, x2, x3, lsl #30
        str     x5, [x4, #64]
        orr     x5, x6, x3, lsl #30
        str     x5, [x4, #128]
        str     x5, [x4, #192]
        add     x3, x3, #1
        cmp     x3, #4
        b.ne    1b
        msr     ttbr0_el1, x0
        ldr     x1, =0xff00
        msr     mair_el1, x1
        ldr     x1, =0x80803519                 // 39 bits, 4 KiB, write-back walks, TTBR1 off
        msr     tcr_el1, x1
        dsb     sy
        tlbi    vmalle1
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        ldr     x2, =0x1005                     // M, C, I
        orr     x1, x1, x2
        msr     sctlr_el1, x1
        isb
        ret
        .ltorg

`;

/** The word has a granule of its own: nothing that the probe itself stores to is near it. */
export const DATA: string = String.raw`
        .balign 4096
target: .space  4096
table:  .space  4096
        .space  4096
stack:
end:
`;
