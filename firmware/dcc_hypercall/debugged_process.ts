/**
 * Processes of Linux that are debugged: one by a debugger's hardware breakpoints and watchpoints, and one that sets a
 * hardware breakpoint on the kernel by perf_event_open and counts how often CPU 0 comes there.
 *
 * Both are static executables for Linux on arm64, entered at EL0, and need nothing else.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Where they are linked. */
const BASE = 0x40_0000n;

/** How often each does its work. */
export const DEBUGGED_ROUNDS = 5, KERNEL_ROUNDS = 7;

const DEBUGGED = String.raw`
_start: mov     x19, #ROUNDS
1:      bl      count
        bl      look
        subs    x19, x19, #1
        b.ne    1b
        mov     x0, #0
        mov     x8, #93                         // exit
        svc     #0
count:  adrp    x1, counter
        add     x1, x1, :lo12:counter
        ldr     x2, [x1]
        add     x2, x2, #1
counting: str   x2, [x1]
        ret
look:   adrp    x1, other
        add     x1, x1, :lo12:other
looking: ldr    x3, [x1]
        ret
        .balign 4096
counter: .quad  0
        .balign 64
other:  .quad   7
`;

/** The process that a debugger runs: `count` adds one to `counter` at `counting`, `look` loads `other` at `looking`. */
export function debuggedProcess(): Program {
  return assembleProgram(`        .equ    ROUNDS, ${DEBUGGED_ROUNDS}\n${DEBUGGED}`, {
    name: "debugged",
    base: BASE,
  });
}

const KERNEL = String.raw`
_start: ldr     x1, [sp, #16]                   // argv[1]: an address in hexadecimal
        mov     x20, #0
1:      ldrb    w2, [x1], #1
        cbz     w2, 2f
        sub     w3, w2, #'0'
        cmp     w3, #10
        b.lo    3f
        sub     w3, w2, #('a' - 10)
3:      add     x20, x3, x20, lsl #4
        b       1b
2:      adrp    x0, attributes
        add     x0, x0, :lo12:attributes
        str     x20, [x0, #56]                  // bp_addr
        mov     x1, #-1                         // whoever runs on CPU 0: the kernel's are not for one process
        mov     x2, #0
        mov     x3, #-1
        mov     x4, #0
        mov     x8, #241                        // perf_event_open
        svc     #0
        mov     x19, x0
        tbnz    x0, #63, 5f
        mov     x21, #ROUNDS
4:      mov     x8, #172                        // getpid
        svc     #0
        subs    x21, x21, #1
        b.ne    4b
        mov     x0, x19
        adrp    x1, read
        add     x1, x1, :lo12:read
        mov     x2, #8
        mov     x8, #63                         // read
        svc     #0
        adrp    x1, read
        add     x1, x1, :lo12:read
        ldr     x22, [x1]
5:      adrp    x1, text
        add     x1, x1, :lo12:text
        add     w0, w22, #'0'                   // one digit; what was not opened has counted nothing
        strb    w0, [x1, #(digit - text)]
        mov     x0, #1
        mov     x2, #(end - text)
        mov     x8, #64                         // write
        svc     #0
        neg     x0, x19                         // the error, if it was not opened
        mov     x8, #93
        svc     #0
        .balign 4096
attributes: .word 5, 112                        // PERF_TYPE_BREAKPOINT, size
        .quad   0, 0, 0, 0
        .quad   1 << 4                          // exclude_user
        .word   0, 4                            // HW_BREAKPOINT_X
        .quad   0, 4                            // bp_addr, bp_len
        .space  40
read:   .quad   0
text:   .ascii  "the kernel came there "
digit:  .ascii  "? times\n"
end:    .quad   0
`;

/** The process that counts how often the kernel comes to the address that it is given in hexadecimal. */
export function kernelBreakpointProcess(): Program {
  return assembleProgram(`        .equ    ROUNDS, ${KERNEL_ROUNDS}\n${KERNEL}`, {
    name: "kernel_breakpoint",
    base: BASE,
  });
}
