/**
 * The guest whose console is the debug channel: it prints and reads there as programs for such a console do (a character
 * in the low byte of each word; MDCCSR_EL0.TXfull before it sends, RXfull before it reads), and then echoes lines.
 *
 * It is a flat kernel for `-M virt -kernel` at CONSOLE_GUEST_BASE, entered at EL1 with the MMU off, with PSCI by HVC. It
 * greets, by whole words of DBGDTR_EL0 too, reads lines up to a carriage return and sends each back in capitals; a line
 * that is `off` powers off. With `locks`, between two lines it saves and restores the channel under the OS lock.
 */

/** Where `-kernel` puts a flat image. */
export const CONSOLE_GUEST_BASE = 0x40080000n;

/** What it sends first. */
export const GREETING = ["Hello from EL1 by DBGDTRTX_EL0", "and by DBGDTR_EL0"] as const;

/** The program, for `assembleProgram` at CONSOLE_GUEST_BASE. */
export function consoleGuestSource({ locks = false }: { readonly locks?: boolean } = {}): string {
  return `${START}${locks ? LOCKED : ""}${REST}`;
}

const START = String.raw`
        msr     oslar_el1, xzr
        adr     x10, greeting
1:      ldrb    w0, [x10], #1
        cbz     w0, 2f
        bl      put
        b       1b
2:      adr     x10, greeting_too               // eight bytes at a time, of which the low one counts
3:      ldrb    w0, [x10], #1
        cbz     w0, line
        movk    x0, #0x55aa, lsl #32
        movk    x0, #0x1234, lsl #16
        msr     dbgdtr_el0, x0
        b       3b
line:
`;

/** What software does that is about to lose the debug registers: lock, save, restore, unlock. */
const LOCKED = String.raw`
        mov     x0, #1
        msr     oslar_el1, x0
        isb
        mrs     x1, mdscr_el1
        mrs     x2, osdtrrx_el1
        mrs     x3, osdtrtx_el1
        msr     osdtrrx_el1, xzr                // as a reset would
        msr     osdtrtx_el1, xzr
        msr     mdscr_el1, xzr
        msr     osdtrrx_el1, x2
        msr     osdtrtx_el1, x3
        msr     mdscr_el1, x1
        msr     oslar_el1, xzr
        isb
`;

const REST = String.raw`
        adr     x11, buffer
4:      bl      get
        and     w0, w0, #0xff
        strb    w0, [x11], #1
        cmp     w0, #13
        b.ne    4b
        adr     x11, buffer
        ldr     w0, [x11]
        ldr     w1, =0x0d66666f                 // "off" and the end
        cmp     w0, w1
        b.eq    off
5:      ldrb    w0, [x11], #1
        cmp     w0, #13
        b.eq    6f
        sub     w1, w0, #'a'
        cmp     w1, #26
        b.hs    7f
        sub     w0, w0, #32
7:      bl      put
        b       5b
6:      mov     w0, #10
        bl      put
        b       line
off:    ldr     x0, =0x84000008                 // SYSTEM_OFF
        hvc     #0
        b       .

put:    mrs     x2, mdccsr_el0
        tbnz    x2, #29, put
        msr     dbgdtrtx_el0, x0
        isb
        ret
get:    mrs     x2, mdccsr_el0
        tbz     x2, #30, get
        mrs     x0, dbgdtrrx_el0
        isb
        ret
        .ltorg
greeting: .ascii "Hello from EL1 by DBGDTRTX_EL0\r\n\0"
greeting_too: .ascii "and by DBGDTR_EL0\r\n\0"
        .balign 8
buffer: .space  4096
`;
