/**
 * A static Linux program that tells its own address space as the kernel sees it: /proc/self/maps and the entries of
 * /proc/self/pagemap for all of it (Documentation/admin-guide/mm/pagemap.rst), which needs root for frame numbers.
 *
 * It touches some of its memory, reads both, writes `ready`, and from there on touches no page that it did not have:
 * a look at its tables at that line must find what it then prints. After the lines of maps and `pages` come the entries
 * as 16 hexadecimal digits, a line each, in the order of the addresses, and `done`.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Where it is linked: away from the programs of a distribution. */
export const PAGEMAP_BASE = 0x7654_0000n;

const SOURCE = String.raw`
        .equ    AREA_PAGES, 480
        .equ    MAPS_BYTES, 0x2000
        .equ    ENTRY_BYTES, 0x8000

        // A page of each three of the area is written, its last third read only: the kernel's page of zeros.
_start: ldr     x0, =area
        mov     x1, #0
1:      add     x2, x0, x1, lsl #12
        cmp     x1, #(AREA_PAGES * 2 / 3)
        b.hs    2f
        str     x2, [x2]
2:      ldr     x3, [x2]
        add     x1, x1, #3
        cmp     x1, #AREA_PAGES
        b.lo    1b
        // Buffers are there before the kernel is asked.
        ldr     x0, =maps
        ldr     x1, =area
3:      str     xzr, [x0], #8
        cmp     x0, x1
        b.lo    3b

        adr     x1, maps_name
        bl      open
        mov     x22, x0
        ldr     x20, =maps
4:      mov     x0, x22
        mov     x1, x20
        mov     x2, #0x1000
        mov     x8, #63                 // read
        svc     #0
        add     x20, x20, x0
        cbnz    x0, 4b

        adr     x1, pagemap_name
        bl      open
        mov     x22, x0
        ldr     x19, =maps
        ldr     x21, =entries
5:      bl      hex
        mov     x23, x9
        bl      hex
        mov     x0, x22
        mov     x1, x21
        sub     x2, x9, x23
        lsr     x2, x2, #9
        lsr     x3, x23, #9
        mov     x8, #67                 // pread64
        svc     #0
        add     x21, x21, x0
6:      ldrb    w1, [x19], #1
        cmp     w1, #'\n'
        b.ne    6b
        cmp     x19, x20
        b.lo    5b

        adr     x1, ready_text
        mov     x2, #6
        bl      write
ready:  ldr     x1, =maps
        sub     x2, x20, x1
        bl      write
        adr     x1, pages_text
        mov     x2, #6
        bl      write
        ldr     x19, =entries
7:      ldr     x9, [x19], #8
        ldr     x1, =line
        mov     x2, #0
8:      ror     x9, x9, #60
        and     x3, x9, #15
        adr     x4, digits
        ldrb    w3, [x4, x3]
        strb    w3, [x1, x2]
        add     x2, x2, #1
        cmp     x2, #16
        b.lo    8b
        mov     w3, #'\n'
        strb    w3, [x1, #16]
        mov     x2, #17
        bl      write
        cmp     x19, x21
        b.lo    7b
        adr     x1, done_text
        mov     x2, #5
        bl      write
        mov     x0, #0
        mov     x8, #93                 // exit
        svc     #0

open:   mov     x0, #-100               // AT_FDCWD
        mov     x2, #0
        mov     x8, #56                 // openat
        svc     #0
        ret
write:  mov     x0, #1
        mov     x8, #64
        svc     #0
        ret

        // Reads hexadecimal digits at x19 into x9, and the character behind them.
hex:    mov     x9, #0
1:      ldrb    w1, [x19], #1
        sub     w2, w1, #'0'
        cmp     w2, #10
        b.lo    2f
        sub     w2, w1, #('a' - 10)
        cmp     w2, #16
        b.hs    3f
2:      add     x9, x2, x9, lsl #4
        b       1b
3:      ret

maps_name:      .asciz  "/proc/self/maps"
pagemap_name:   .asciz  "/proc/self/pagemap"
ready_text:     .ascii  "ready\n"
pages_text:     .ascii  "pages\n"
done_text:      .ascii  "done\n"
digits:         .ascii  "0123456789abcdef"

        .bss
        .balign 4096
maps:           .space  MAPS_BYTES
entries:        .space  ENTRY_BYTES
line:           .space  4096
area:           .space  AREA_PAGES * 4096
`;

/** The program; `ready` is the label behind the line of that name. */
export function pagemapProgram(): Program {
  return assembleProgram(SOURCE, { name: "pagemap", base: PAGEMAP_BASE });
}
