/** How the probe prints: to the PL011 of board virt, by Xen's console hypercall, or as a process of Linux. */
import { PRINT_DECIMAL } from "../common_code.ts";

/** Where the probe prints. */
export type ProbeConsole = "pl011" | "xen" | "linux";

/** `print`: the text at x0 up to its zero byte; changes x0 to x3, x8 and x16. */
const PRINT: Readonly<Record<ProbeConsole, string>> = {
  pl011: String.raw`
print:  ldr     x1, =0x09000000
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
2:      ret
`,
  // HYPERVISOR_console_io(CONSOLEIO_write, count, buffer): xen/include/public/xen.h, arch-arm.h.
  xen: String.raw`
print:  mov     x2, x0
        mov     x1, #0
1:      ldrb    w3, [x0], #1
        cbz     w3, 2f
        add     x1, x1, #1
        b       1b
2:      mov     x0, #0
        mov     x16, #18
        hvc     #0xea1
        ret
`,
  linux: String.raw`
print:  mov     x1, x0
        mov     x2, #0
1:      ldrb    w3, [x0], #1
        cbz     w3, 2f
        add     x2, x2, #1
        b       1b
2:      mov     x0, #1                          // standard output
        mov     x8, #64                         // write
        svc     #0
        ret
`,
};

/** The routines that print; they change x0 to x4, x8 and x16. */
export function printing(console: ProbeConsole): string {
  return `${PRINT[console]}
${PRINT_DECIMAL}
// Prints x0 as 0x and 16 digits.
print_hex:
        adr     x1, digits_end
        mov     w2, #16
1:      and     w3, w0, #15
        cmp     w3, #10
        add     w4, w3, #'0'
        add     w3, w3, #('a' - 10)
        csel    w4, w4, w3, lo
        strb    w4, [x1, #-1]!
        lsr     x0, x0, #4
        subs    w2, w2, #1
        b.ne    1b
        mov     w4, #'x'
        strb    w4, [x1, #-1]!
        mov     w4, #'0'
        strb    w4, [x1, #-1]!
        mov     x0, x1
        b       print

digits:         .space  24
digits_end:     .byte   0
        .balign 4
        .ltorg
`;
}
