/** Static Linux executables of a few instructions, and what they share. */
import { assembleProgram } from "../../machine/a64/program.ts";
import { elfExecutable } from "../elf.ts";
import type { ProcessSource } from "./process_image.ts";

/** System calls by number, and printing. */
const LIBRARY = String.raw`
        .macro  call number
        mov     x8, #\number
        svc     #0
        .endm
        .equ    WRITE, 64
        .equ    EXIT, 94
        .equ    YIELD, 124
        .equ    SIGACTION, 134
        .equ    SIGRETURN, 139
        .equ    MUNMAP, 215
        .equ    MPROTECT, 226

// Prints the zero-terminated text at x0. Changes x0 to x2 and x8.
print:  mov     x1, x0
        mov     x2, #0
1:      ldrb    w0, [x1, x2]
        cbz     w0, 2f
        add     x2, x2, #1
        b       1b
2:      mov     x0, #1
        call    WRITE
        ret

// Prints x0 in hexadecimal. Changes x0 to x4 and x8.
print_number:
        adr     x1, digits_end
1:      and     x4, x0, #15
        add     x3, x4, #('a' - 10)
        add     x4, x4, #'0'
        cmp     x4, #'9'
        csel    x4, x3, x4, hi
        strb    w4, [x1, #-1]!
        lsr     x0, x0, #4
        cbnz    x0, 1b
        mov     x0, x1
        b       print

// x0 = signal: its handler is on_signal from now on.
handle: adr     x1, action
        mov     x2, #0
        mov     x3, #8
        call    SIGACTION
        ret
restorer:
        call    SIGRETURN
        b       .
        .balign 8
action: .quad   on_signal, 0x44000004, restorer, 0      // SA_NODEFER | SA_RESTORER | SA_SIGINFO
        .space  24
digits_end:
        .byte   0
        .ltorg
        .balign 8
`;

/**
 * A process of `source`, whose label `_start` begins it. The library has `call NUMBER`, `print`, `print_number`, and
 * `handle`, after which `on_signal` of the source takes the signal in x0.
 */
export function smallProcess(
  name: string,
  source: string,
  symbols: Readonly<Record<string, bigint>> = {},
): ProcessSource {
  const program = assembleProgram([{ name: "library", text: LIBRARY }, { name, text: source }], {
    base: 0x40_0000n,
    symbols,
  });
  return { path: `/${name}`, executable: elfExecutable(program), arguments: [name] };
}
