/** What the dual-width kernel prints itself, and its data. */
import { PRINT, PRINT_DECIMAL } from "../common_code.ts";

/** Printing, texts and constants: the end of the kernel's read-only pages; for `kernelSources`. */
export const CONSOLE_SOURCE: string = String.raw`
${PRINT}${PRINT_DECIMAL}
// Prints x0 in hexadecimal. Changes x0 to x4.
print_hexadecimal:
        adr     x1, digits_end
1:      and     x4, x0, #15
        add     x3, x4, #('a' - 10)
        add     x4, x4, #'0'
        cmp     x4, #'9'
        csel    x4, x3, x4, hi
        strb    w4, [x1, #-1]!
        lsr     x0, x0, #4
        cbnz    x0, 1b
        mov     w4, #'x'
        strb    w4, [x1, #-1]!
        mov     w4, #'0'
        strb    w4, [x1, #-1]!
        mov     x0, x1
        b       print
        .ltorg

        .macro  name text
1:      .asciz  "\text"
        .space  65 - (. - 1b)
        .endm
text_root:      .asciz  "/"
text_dot:       .asciz  "."
text_self:      .asciz  "/proc/self/exe"
text_pid:       .asciz  "pid "
text_killed:    .asciz  " ended by signal "
text_esr:       .asciz  ": ESR "
text_far:       .asciz  " FAR "
text_pc:        .asciz  " PC "
text_panic:     .asciz  "dual-width: panic"
text_newline:   .asciz  "\n"
names:  name    "Linux"
        name    "hindsight"
        name    "6.1.0"
        name    "#1"
        name    "aarch64"
        name    "(none)"
        .balign 8
// struct stat: device, inode, mode, links, uid, gid, rdev, padding, size, block size, blocks, times.
stat_root:
        .quad   1, 1
        .word   0x41ed, 2, 0, 0         // S_IFDIR, 0755
        .quad   0, 0, 4096
        .word   4096, 0
        .quad   8, 0, 0, 0, 0, 0, 0, 0
stat_console:
        .quad   1, 2
        .word   0x2190, 1, 0, 0         // S_IFCHR, 0620
        .quad   (204 << 8) | 64, 0, 0   // ttyAMA0
        .word   4096, 0
        .quad   0, 0, 0, 0, 0, 0, 0, 0
limit_stack:    .quad   STACK_SIZE, STACK_SIZE
limit_none:     .quad   -1, -1
        .balign 4096
kernel_text_end:
`;

/** What the builder fills in is in words of `.data`. */
export const DATA_SOURCE: string = String.raw`
        .balign 4096
kernel_data:
first_root:     .quad   0       // physical address of the first process's root
free_next:      .quad   0       // physical addresses of pages that were never used
free_end:       .quad   0
free_list:      .quad   0
tick_period:    .quad   0       // ticks of the counter between two interrupts, or 0
switch_always:  .quad   0       // 1: another process after each call
switch_pending: .quad   0       // right behind it
digits:         .space  24
digits_end:     .byte   0
        .balign 4096
processes:      .space  PROCESSES * PROCESS_SIZE
        .space  4096
kernel_stack_top:
        .balign 4096
kernel_end:
`;
