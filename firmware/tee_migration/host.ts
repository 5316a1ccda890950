/**
 * The untrusted host beside a realm, for tee-migration: it delegates the realm's granules, creates and enters it, and then
 * tries what it can do to it.
 *
 * Link address as `host=` says, a multiple of 2 MiB, entry at EL1 at its first byte on the last CPU. Needs the calls of
 * the monitor, the virtual timer and 128 KiB of RAM below 2 GiB; makes tables of its own, all memory where it is. What it has found is in memory at `HOST_LOG` from its start on.
 */
import { assembleProgram } from "../../machine/a64/program.ts";

/** Offset of the host's own table of level 1. */
const HOST_TABLE = 0x8000;
/** Offset of what a host has found, and its fields: 64-bit words, in order. */
export const HOST_LOG = 0x1_0000;
/** Names of the words. */
export const HOST_FINDINGS = [
  "failedCalls", // calls that should have been answered with success
  "laps", // of attacks on the realm's granules
  "tries", // loads and stores
  "faults", // of them, those that were denied
  "residue", // times that granules it was given back were not zero
  "returned", // times that it was given them back
  "refusals", // calls that were to be refused, and were
  "walks", // of the faults, those of walks of tables among the realm's granules
] as const;

/** Granules tried in a lap, and counts of the timer between laps: 40 µs. */
const TRIES = 32, PAUSE = 2500;

const SOURCE = `
start:  adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x0, #(3 << 20)
        msr     CPACR_EL1, x0
        ldr     x19, =LOG
        ldr     x20, =0x40000000                // the realm's first granule
        ldr     x21, =GRANULES
        mov     x22, #0                         // where the next lap begins
        ldr     x0, =TABLE
        mov     x1, #0x401                      // blocks of 1 GiB: Device, and Normal from 0x40000000 on
        ldr     x2, =0x40000705
        stp     x1, x2, [x0]
        msr     TTBR0_EL1, x0
        ldr     x0, =0x4404                     // Device-nGnRE, Normal Non-cacheable
        msr     MAIR_EL1, x0
        ldr     x0, =(25 | 25 << 16 | 2 << 30 | 2 << 32)
        msr     TCR_EL1, x0
        isb
        mrs     x0, SCTLR_EL1
        orr     x0, x0, #1
        msr     SCTLR_EL1, x0
        isb
        // what is not to be: undelegate what is not delegated, create what is not there, enter nothing
        bl      refusals
give:   ldr     x0, =0xc4000151                 // GRANULE_DELEGATE
        bl      range
        ldr     x0, =0xc4000158                 // REALM_CREATE
        bl      call
        bl      taken
        ldr     x0, =0xc400015c                 // REC_ENTER
        bl      call
lap:    mrs     x0, CNTVCT_EL0
        ldr     x1, =PAUSE
        add     x0, x0, x1
        msr     CNTV_CVAL_EL0, x0
        mov     x0, #1
        msr     CNTV_CTL_EL0, x0
        isb
        wfi
        ldr     x0, [x19, #8]
        add     x0, x0, #1
        str     x0, [x19, #8]
        mov     x23, #TRIES
try:    ldr     x0, =GRANULES
        udiv    x1, x22, x0
        msub    x22, x1, x0, x22
        add     x24, x20, x22, lsl #12
        ldr     x0, [x19, #16]
        add     x0, x0, #2
        str     x0, [x19, #16]
        ldr     x0, [x24, #256]
        str     x0, [x24, #264]
        add     x22, x22, #37
        subs    x23, x23, #1
        b.ne    try
        ldr     x0, [x19, #16]                  // the one device of the board that does DMA: fw_cfg
        add     x0, x0, #1
        str     x0, [x19, #16]
        ldr     x24, =0x09020010
        str     x0, [x24]
        ldr     x0, [x19, #16]                  // its granules as tables, which a walk would read
        add     x0, x0, #1
        str     x0, [x19, #16]
        ldr     x0, =GRANULES
        udiv    x1, x22, x0
        msub    x1, x1, x0, x22
        add     x1, x20, x1, lsl #12
        msr     TTBR1_EL1, x1
        tlbi    vmalle1
        dsb     sy
        isb
        mov     x24, #0xffffff8000000000
        ldr     x0, [x24]
        ldr     x0, =0xc6000150                 // REALM_STATUS
        hvc     #0
        cmp     x0, #3
        b.lo    lap
        mov     x25, x0
        ldr     x0, =0xc4000159                 // REALM_DESTROY
        bl      call
        ldr     x0, =0xc4000152                 // GRANULE_UNDELEGATE
        bl      range
        ldr     x0, [x19, #40]
        add     x0, x0, #1
        str     x0, [x19, #40]
        lsl     x1, x21, #12                    // all of what was the realm's
        add     x1, x1, x20
        mov     x0, x20
        movi    v16.16b, #0
look:   ldp     q0, q1, [x0], #32
        ldp     q2, q3, [x0], #32
        ldp     q4, q5, [x0], #32
        ldp     q6, q7, [x0], #32
        orr     v0.16b, v0.16b, v1.16b
        orr     v2.16b, v2.16b, v3.16b
        orr     v4.16b, v4.16b, v5.16b
        orr     v6.16b, v6.16b, v7.16b
        orr     v0.16b, v0.16b, v2.16b
        orr     v4.16b, v4.16b, v6.16b
        orr     v16.16b, v16.16b, v0.16b
        orr     v16.16b, v16.16b, v4.16b
        cmp     x0, x1
        b.lo    look
        umaxv   b16, v16.16b
        umov    w3, v16.b[0]
        ldr     x2, [x19, #32]
        cmp     x3, #0
        cinc    x2, x2, ne
        str     x2, [x19, #32]
        cmp     x25, #3                         // it moved: there may be another
        b.eq    give
        ldr     x0, =0x84000008
        hvc     #0
        b       .

range:  mov     x1, x20
        mov     x2, x21
call:   hvc     #0
        cbz     x0, 1f
        ldr     x0, [x19]
        add     x0, x0, #1
        str     x0, [x19]
1:      ret

taken:  ldr     x0, =0xc4000152                 // what is a realm's is not given back
        b       refuse
refusals:
        ldr     x0, =0xc4000152
        mov     x29, x30
        bl      refuse
        ldr     x0, =0xc4000158
        bl      refuse
        ldr     x0, =0xc400015c
        bl      refuse
        ldr     x0, =0xc4000151                 // more than there is
        mov     x1, x20
        mov     x2, #0x100000
        hvc     #0
        bl      counted
        ldr     x0, =0x84000003                 // CPU_ON is not its to call
        mov     x1, #0
        hvc     #0
        bl      counted
        ret     x29
refuse: mov     x1, x20
        mov     x2, #1
        hvc     #0
counted:
        cbz     x0, 1f
        ldr     x0, [x19, #48]
        add     x0, x0, #1
        str     x0, [x19, #48]
1:      ret

fault:  ldr     x9, [x19, #24]
        add     x9, x9, #1
        str     x9, [x19, #24]
        mrs     x9, ESR_EL1
        and     x9, x9, #0x3f
        cmp     x9, #0x15                       // External abort on a walk, level 1
        ldr     x9, [x19, #56]
        cinc    x9, x9, eq
        str     x9, [x19, #56]
        mrs     x9, ELR_EL1
        add     x9, x9, #4
        msr     ELR_EL1, x9
        eret
        .align  11
vectors:
        .org    vectors + 0x200                 // synchronous, same level
        b       fault
        .org    vectors + 0x800
`;

/** The host's program, for a realm of all RAM below `base`; `pause` in counts of 16 ns. */
export function hostProgram(base: number, pause = PAUSE): Uint8Array {
  const symbols = {
    LOG: base + HOST_LOG,
    TABLE: base + HOST_TABLE,
    GRANULES: (base - 0x4000_0000) / 4096,
    TRIES,
    PAUSE: pause,
  };
  return assembleProgram(SOURCE, {
    name: "host",
    base: BigInt(base),
    symbols: Object.fromEntries(Object.entries(symbols).map(([name, value]) => [name, BigInt(value)])),
  }).bytes;
}
