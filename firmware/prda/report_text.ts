/** The text of the PRDA kernel that it writes by, and its data. */
import type { KernelTextOptions } from "./kernel_text.ts";
import type { Scheme } from "./schemes.ts";

/** Text on the serial port. */
export const report: string = `
watchdog:                               // x19: thread; called under the lock
        mov     x23, x30
        adr     x0, text_watchdog
        ldr     x1, [x19, #INDEX]
        bl      print_both
        adr     x0, text_at
        bl      print
        ldr     x0, [x19, #PC]
        bl      print_hexadecimal
        adr     x0, text_end
        bl      print
        adr     x0, watchdogs
        ldr     x1, [x0]
        add     x1, x1, #1
        str     x1, [x0]
        mov     x30, x23
        ret

report: mov     x21, #0                 // PE
        mov     x22, #0                 // sum
        adrp    x20, areas
        add     x20, x20, :lo12:areas
1:      add     x1, x20, x21, lsl #AREA
        ldr     x1, [x1]
        add     x22, x22, x1
        adr     x0, text_prda
        bl      print_both
        add     x21, x21, #1
        cmp     x21, #PES
        b.ne    1b
        adr     x0, sum
        str     x22, [x0]
        mov     x1, x22
        adr     x0, text_sum
        bl      print_both
        ldr     x1, =EXPECTED
        adr     x0, text_expected
        bl      print_both
        ldr     x1, deferred
        adr     x0, text_deferred
        bl      print_both
        ldr     x1, migrations
        adr     x0, text_migrations
        bl      print_both
        mov     x21, #THREADS
        mov     x1, #0
        adr     x2, threads
2:      ldr     x3, [x2, #NESTED]
        add     x1, x1, x3
        add     x2, x2, #THREAD_SIZE
        subs    x21, x21, #1
        b.ne    2b
        adr     x0, text_nested
        bl      print_both
        ldr     x1, watchdogs
        adr     x0, text_watchdogs
        bl      print_both
        adr     x0, text_end
        bl      print
        b       power_off

print_both:                             // the text at x0, then x1 in decimal
        mov     x9, x30
        mov     x10, x1
        bl      print
        mov     x0, x10
        bl      print_decimal
        mov     x30, x9
        ret
print:  ldr     x1, =UART
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
2:      ret
print_decimal:
        mov     x2, #10
        b       print_number
print_hexadecimal:
        mov     x2, #16
print_number:
        adr     x1, digits_end
1:      udiv    x3, x0, x2
        msub    x4, x3, x2, x0
        adr     x5, digit_texts
        ldrb    w4, [x5, x4]
        strb    w4, [x1, #-1]!
        mov     x0, x3
        cbnz    x0, 1b
        mov     x0, x1
        b       print
`;

/** Texts and data: what PEs and threads are, and the areas behind all else. */
export const data = (options: KernelTextOptions, { hasRange }: Scheme): string => `
digit_texts:            .ascii  "0123456789abcdef"
text_level:             .asciz  "prda: this kernel is entered at EL${options.level}\\r\\n"
text_cpu:               .asciz  "prda: a CPU does not start: the kernel is for ${options.pes}\\r\\n"
text_unexpected:        .asciz  "prda: unexpected exception, syndrome 0x"
text_at:                .asciz  " at 0x"
text_address:           .asciz  ", address 0x"
text_watchdog:          .asciz  "prda: watchdog: section exceeds its bound, thread "
text_prda:              .asciz  " prda "
text_sum:               .asciz   " sum "
text_expected:          .asciz  " expected "
text_deferred:          .asciz  " deferred "
text_migrations:        .asciz  " migrations "
text_nested:            .asciz  " nested "
text_watchdogs:         .asciz  " watchdog "
text_end:               .asciz  "\\r\\n"
digits:                 .space  20
digits_end:             .byte   0
        .align  4
ranges: ${hasRange ? ".quad   section_begin, section_end" : ""}
        .quad   0, 0
online:     .quad   0
go:         .quad   0
done:       .quad   0
the_lock:   .quad   0
deferred:   .quad   0
migrations: .quad   0
watchdogs:  .quad   0
sum:        .quad   0
        .align  6
pe_blocks:
        .space  PE_SIZE * PES
threads:
${Array.from({ length: options.threads }, (_, index) => thread(index, options)).join("")}
        .align  14
areas:  .space  PES << AREA
`;

/** One thread's block at the start: all are ready, on the PEs by turns. */
const thread = (index: number, { level, pes }: KernelTextOptions): string => `
        .fill   28, 8, 0
        .quad   threads + ${index} * THREAD_SIZE, 0, 0
        .quad   thread, ${level === 1 ? "0x344" : "0x348"}, ${index % pes}, READY, 0, 0, 0, 0, ${index}
`;
