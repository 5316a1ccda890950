/**
 * The realm of tee-migration: a guest at EL1 of one CPU with the timer's interrupts, the serial port and 4 KiB of data.
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
        ldp     x1, x2, [x0]
        ldp     x3, x4, [x0, #16]
        stp     x1, x2, [x22, #0x100]
        stp     x3, x4, [x22, #0x110]
        movi    v8.16b, #1
        mov     x23, #0
        mrs     x24, CNTVCT_EL0
        ldr     x0, =PERIOD
        add     x24, x24, x0
        msr     CNTV_CVAL_EL0, x24
        mov     x0, #1
        msr     CNTV_CTL_EL0, x0
        msr     DAIFClr, #2
wait:   wfi
        cmp     x23, #26
        b.ne    wait
        ldr     x0, =0x84000008
        hvc     #0
        .align  3
canary: .quad   0xefbeadde11eeffc0, 0xab8967452301ed5e, 0x0df0ad0bcefaedfe, 0x37133713bebafeca
tick:   ldr     w1, [x21, #0xc]                 // acknowledge
        mrs     x5, CNTVCT_EL0
        sub     x5, x5, x24
        lsr     x5, x5, #12                     // how late it is, in units of 65 µs: never that late
        ldr     x0, =PERIOD
        add     x24, x24, x0
        msr     CNTV_CVAL_EL0, x24
        add     v8.16b, v8.16b, v8.16b
        umov    w2, v8.b[0]
        ldr     w3, [x22]
        add     w3, w3, w2
        add     w3, w3, #7
        add     w3, w3, w23
        add     w3, w3, w5
        str     w3, [x22]
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
`;

/** The realm's program. */
export function realmProgram(): Uint8Array {
  return assembleProgram(REALM_SOURCE, { name: "realm", base: 0x40080000n }).bytes;
}
