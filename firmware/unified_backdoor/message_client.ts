/**
 * A client of unified-backdoor's messages (US20210224090A1): opens a channel, sends one call, receives its answer and
 * prints it, and begins a message again where it is told that a checkpoint came between, as tools do.
 *
 * Link address CLIENT_BASE, entered at EL1 with the MMU off; needs the PL011 and PSCI by HVC. Payloads go by words, or
 * by the high-bandwidth port where it is offered. It writes the answer and a line's end, or "failed", and powers off.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Where `-kernel` puts a flat image. */
export const CLIENT_BASE = 0x4008_0000n;

/** The program that sends a call, 1 to 4,000 characters of ASCII. */
export function messageClient(call: string): Program {
  const source = String.raw`
        .equ    UART,           0x09000000
        .equ    PSCI_OFF,       0x84000008
        .equ    SUCCESS, 1
        .equ    TO_RECEIVE, 2
        .equ    CHECKPOINT, 16
        .equ    HIGH_BANDWIDTH, 128

        // One request on the channel: its type, and what is in x1. The status is in x10 then.
        .macro  request type
        ldr     x2, =(\type << 16 | 30)
        mov     w3, #0x5658
        orr     x3, x3, x20, lsl #16
        mov     x4, x21
        mov     x5, x22
        ldr     x0, =0x564d5868
        ldr     x7, =0x860000000e
        hvc     #0x86
        lsr     w10, w2, #16
        .endm

_start: ldr     x1, =0xc9435052                 // RPCI, with a cookie
        mov     x20, #0
        mov     x21, #0
        mov     x22, #0
        request 0
        tbz     w10, #0, failed
        lsr     w20, w3, #16
        mov     x21, x4
        mov     x22, x5

send:   adr     x23, call
        ldr     x24, =${call.length}
        mov     x1, x24
        request 1
        tbz     w10, #0, failed
        tbnz    w10, #7, send_high
1:      cbz     x24, receive
        ldr     w1, [x23], #4                   // there is room behind the text
        request 2
        tbnz    w10, #0, 2f
        tbnz    w10, #4, send
        b       failed
2:      subs    x24, x24, #4
        csel    x24, xzr, x24, lt
        b       1b
send_high:
        ldr     x0, =0x564d5868
        mov     w1, #0x10000
        mov     x2, x24
        mov     w3, #0x5659
        orr     x3, x3, x20, lsl #16
        mov     x4, x23
        mov     x5, x22
        mov     x6, x21
        ldr     x7, =0x8600000018
        hvc     #0x86
        lsr     w10, w1, #16
        tbnz    w10, #0, receive
        tbnz    w10, #4, send
        b       failed

receive:
        request 3
        tbz     w10, #0, failed
        tbz     w10, #1, failed
        ldr     x23, =answer
        mov     w24, w1
        mov     w25, w1
        tbnz    w10, #7, receive_high
1:      cbz     x24, received
        mov     x1, #SUCCESS
        request 4
        tbnz    w10, #0, 2f
        tbnz    w10, #4, receive
        b       failed
2:      str     w1, [x23], #4
        subs    x24, x24, #4
        csel    x24, xzr, x24, lt
        b       1b
receive_high:
        ldr     x0, =0x564d5868
        mov     w1, #0x10000
        mov     x2, x24
        mov     w3, #0x5659
        orr     x3, x3, x20, lsl #16
        mov     x4, x21
        mov     x5, x23
        mov     x6, x22
        ldr     x7, =0x860000001c
        hvc     #0x86
        lsr     w10, w1, #16
        tbnz    w10, #0, received
        tbnz    w10, #4, receive
        b       failed
received:
        mov     x1, #SUCCESS
        request 5
        tbnz    w10, #0, 1f
        tbnz    w10, #4, receive
        b       failed
1:      request 6
        tbz     w10, #0, failed
        ldr     x23, =answer
        strb    wzr, [x23, x25]
        b       print
failed: adr     x23, failure
print:  ldr     x1, =UART
1:      ldrb    w0, [x23], #1
        cbz     w0, 2f
        strb    w0, [x1]
        b       1b
2:      mov     w0, #10
        strb    w0, [x1]
        ldr     w0, =PSCI_OFF
        hvc     #0
        b       .
        .ltorg
failure: .asciz "failed"
        .align  3
call:   .ascii  ${JSON.stringify(call)}
        .space  8
        .align  3
        .bss
answer: .space  65544
`;
  return assembleProgram(source, { name: "message_client", base: CLIENT_BASE });
}
