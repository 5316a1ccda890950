/**
 * The guest of serial-consoles: it echoes what is typed at its first PL011 and tells of each byte on the second one.
 *
 * Link address 0x40080000, entry at EL1 at its first byte. Needs a GICv2, two PL011s (0x09000000 with INTID 33, 0x09040000)
 * and PSCI by HVC. A received byte goes back on the first port, and to the second one as two hexadecimal digits, an
 * exclamation mark where UARTDR.OE is set with it, and a space. Some letters do more: `x` turns the receiver off, `y` on
 * again (the model receives all the same), `s` spins for a while with interrupts masked, `b` executes BRK #0x111, which
 * the guest answers with `B`, `q` powers off.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Where it is linked. */
export const ECHO_GUEST_BASE = 0x4008_0000n;

/** What it writes first on the first port. */
export const ECHO_GUEST_GREETING = "echo\r\n";

const SOURCE = `
        .equ    UART, 0x09000000
        .equ    LOG, 0x09040000
        .equ    GICD, 0x08000000
        .equ    GICC, 0x08010000
_start: adr     x0, vectors
        msr     VBAR_EL1, x0
        adr     x0, stack_end
        mov     sp, x0
        ldr     x19, =UART
        ldr     x20, =LOG
        ldr     x21, =GICD
        ldr     x22, =GICC
        mov     w0, #0x70                       // FIFOs, 8 bits
        str     w0, [x19, #0x2c]
        mov     w0, #0x301                      // UARTEN, TXE, RXE
        str     w0, [x19, #0x30]
        str     w0, [x20, #0x30]
        mov     w0, #0x410                      // receive and overrun
        str     w0, [x19, #0x38]
        mov     w0, #1
        str     w0, [x21]
        mov     w0, #2                          // INTID 33, to CPU 0
        str     w0, [x21, #0x104]
        mov     w0, #1
        strb    w0, [x21, #0x821]
        str     w0, [x22]
        mov     w0, #0xff
        str     w0, [x22, #4]
        adr     x1, greeting
1:      ldrb    w0, [x1], #1
        cbz     w0, 2f
        str     w0, [x19]
        b       1b
2:      mov     x23, #0                         // passes of the loop
        msr     DAIFClr, #2
idle:   add     x23, x23, #1
        wfi
        b       idle
off:    ldr     x0, =0x84000008
        hvc     #0

received:
        stp     x29, x30, [sp, #-16]!
        ldr     w24, [x22, #0xc]                // acknowledge
next:   ldr     w0, [x19, #0x18]
        tbnz    w0, #4, done                    // RXFE
        ldr     w25, [x19]
        and     w0, w25, #0xff
        str     w0, [x19]
        lsr     w0, w0, #4
        bl      digit
        and     w0, w25, #15
        bl      digit
        tbz     w25, #11, 1f
        mov     w0, #'!'
        str     w0, [x20]
1:      mov     w0, #' '
        str     w0, [x20]
        and     w0, w25, #0xff
        cmp     w0, #'q'
        b.eq    off
        cmp     w0, #'b'
        b.ne    1f
        mrs     x26, ELR_EL1
        mrs     x27, SPSR_EL1
        brk     #0x111
        msr     ELR_EL1, x26
        msr     SPSR_EL1, x27
        b       next
1:      cmp     w0, #'x'
        b.ne    1f
        str     wzr, [x19, #0x30]
        b       next
1:      cmp     w0, #'y'
        b.ne    1f
        mov     w0, #0x301
        str     w0, [x19, #0x30]
        b       next
1:      cmp     w0, #'s'
        b.ne    next
        mov     x0, #50000
1:      subs    x0, x0, #1
        b.ne    1b
        b       next
done:   ldr     w0, [x19, #0x3c]                // UARTRIS
        tbz     w0, #10, 1f
        mov     w0, #'O'                        // an overrun was raised
        str     w0, [x20]
        str     wzr, [x19, #4]
        mov     w0, #0x400
        str     w0, [x19, #0x44]
1:      str     w24, [x22, #0x10]               // end
        ldp     x29, x30, [sp], #16
        eret
digit:  cmp     w0, #10
        b.lo    1f
        add     w0, w0, #('a' - '0' - 10)
1:      add     w0, w0, #'0'
        str     w0, [x20]
        ret
stopped:
        mov     w0, #'B'
        str     w0, [x20]
        mrs     x0, ELR_EL1
        add     x0, x0, #4
        msr     ELR_EL1, x0
        eret
greeting:
        .asciz  "echo\\r\\n"
        .align  11
vectors:
        .org    vectors + 0x200                 // synchronous, same level
        b       stopped
        .org    vectors + 0x280                 // IRQ, same level
        b       received
        .org    vectors + 0x800
        .space  256
stack_end:
`;

/** The guest; one that is busy never waits for an interrupt, so that instants go by. */
export function echoGuest(isBusy = false): Program {
  const source = isBusy ? SOURCE.replace("wfi\n", "nop\n") : SOURCE;
  return assembleProgram(source, { name: "echo", base: ECHO_GUEST_BASE });
}
