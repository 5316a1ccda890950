/**
 * The realm of tee-migration: a guest at EL1 with the timer's interrupts, the serial port and 4 KiB of data, of one CPU or
 * of two, which hand each other what they write by SGI.
 *
 * Link address 0x40080000, entry at EL1 at its first byte, nothing is read of what a boot leaves in registers. Needs a
 * GICv2, the virtual timer (INTID 27), a PL011 and PSCI by HVC.
 */
import { assembleProgram } from "../../machine/a64/program.ts";

/** Bytes that only the realm knows, as they are in its memory from 0x40400100 on. */
export const CANARY: string = "c0ffee11deadbeef5eed0123456789abfeedface0badf00dcafebabe13371337";

/**
 * Every 200 µs of its own time an interrupt, at which it writes a letter that depends on all before, by a word in memory,
 * a vector register, a general one, and on whether the interrupt was late; ends after 26.
 */
export const REALM_SOURCE: string = `
        .equ    UART, 0x09000000
        .equ    GICD, 0x08000000
        .equ    GICC, 0x08010000
        .equ    PERIOD, 12500
start:  adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x0, #(3 << 20)
        msr     CPACR_EL1, x0
        ldr     x19, =UART
        mov     w0, #0x301
        str     w0, [x19, #0x30]
        mov     w0, #RESTLESS << 5              // UARTIMSC.TXIM: it is about to write, for ever
        str     w0, [x19, #0x38]
        ldr     x20, =GICD
        ldr     x21, =GICC
        mov     w0, #1
        str     w0, [x20]
        mov     w0, #0x08000000
        str     w0, [x20, #0x100]
        mov     w0, #1
        str     w0, [x21]
        mov     w0, #0xff
        str     w0, [x21, #4]
        ldr     x22, =0x40400000
        adr     x0, canary
        ldp     x1, x2, [x0]                    // made here, so that the image does not hold it
        ldp     x3, x4, [x0, #16]
        mvn     x1, x1
        mvn     x2, x2
        mvn     x3, x3
        mvn     x4, x4
        stp     x1, x2, [x22, #0x100]
        stp     x3, x4, [x22, #0x110]
        movi    v8.16b, #1
        movi    v9.16b, #3
        mov     x23, #0
        mrs     x24, CNTVCT_EL0
        ldr     x0, =PERIOD
        add     x24, x24, x0
        msr     CNTV_CVAL_EL0, x24
        mov     x0, #1
        msr     CNTV_CTL_EL0, x0
        msr     DAIFClr, #2
        mov     x26, #0
        .if     CPUS > 1
        mov     x0, #3
        movk    x0, #0xc400, lsl #16            // CPU_ON
        mov     x1, #1
        adr     x2, second
        mov     x3, #0
        hvc     #0
        .endif
wait:   wfi
        cmp     x23, #26
        b.ne    wait
        ldr     x0, =0x84000008
        hvc     #0
        .align  3
canary: .quad   0x10415221ee11003f, 0x547698badcfe12a1, 0xf20f52f431051201, 0xc8ecc8ec41450135
tick:   ldr     w1, [x21, #0xc]                 // acknowledge
        mrs     x5, CNTVCT_EL0
        sub     x5, x5, x24
        lsr     x5, x5, #12                     // how late it is, in units of 65 µs: never that late
        ldr     x0, =PERIOD
        add     x24, x24, x0
        msr     CNTV_CVAL_EL0, x24
        add     v8.16b, v8.16b, v8.16b
        add     v8.16b, v8.16b, v9.16b
        umov    w2, v8.b[0]
        ldr     w3, [x22]
        add     w3, w3, w2
        add     w3, w3, #7
        add     w3, w3, w23
        add     w3, w3, w5
        str     w3, [x22]
        .if     CPUS > 1
        dsb     sy
        mov     w4, #1                          // SGI 1 to CPU 1, which makes of the word what is written
        movk    w4, #2, lsl #16
        str     w4, [x20, #0xf00]
1:      ldr     w3, [x22, #8]
        sub     w3, w3, w23
        cmp     w3, #1
        b.ne    1b
        ldr     w3, [x22, #4]
        .endif
        and     w3, w3, #15
        add     w3, w3, #'a'
        str     w3, [x19]
        add     x23, x23, #1
        str     w1, [x21, #0x10]                // end
        eret
        .align  11
vectors:
        .org    vectors + 0x280                 // IRQ, same level
        b       tick
        .org    vectors + 0x800
        .if     CPUS > 1
second: adr     x0, others
        msr     VBAR_EL1, x0
        ldr     x20, =GICD
        ldr     x21, =GICC
        ldr     x22, =0x40400000
        mov     w0, #2
        str     w0, [x20, #0x100]
        mov     w0, #1
        str     w0, [x21]
        mov     w0, #0xff
        str     w0, [x21, #4]
        mov     x27, #0
        mov     x28, #5
        msr     DAIFClr, #2
1:      wfi
        b       1b
asked:  ldr     w1, [x21, #0xc]
        ldr     w3, [x22]
        mul     x28, x28, x28                   // what only this CPU has
        add     x28, x28, #3
        eor     w3, w3, w28, lsr #8
        str     w3, [x22, #4]
        dsb     sy
        add     x27, x27, #1
        str     w27, [x22, #8]
        str     w1, [x21, #0x10]
        eret
        .align  11
others:
        .org    others + 0x280
        b       asked
        .org    others + 0x800
        .endif
`;

/** The realm's program, for one CPU or two; a restless one never stands still. */
export function realmProgram(cpus: 1 | 2 = 1, isRestless = false): Uint8Array {
  return assembleProgram(REALM_SOURCE, {
    name: "realm",
    base: 0x40080000n,
    symbols: { CPUS: BigInt(cpus), RESTLESS: isRestless ? 1n : 0n },
  }).bytes;
}
