/** A process that makes the system calls of the dual-width kernel in ways that go right and wrong, and says what it got. */
import type { ProcessSource } from "./process_image.ts";
import { smallProcess } from "./small_process.ts";

/** Its console; also that of `qemu-aarch64` on Linux, for the same executable. */
export const EXERCISES = `brk grows 3000
brk holds 77
brk shrinks 0
signal b at 1000
mmap aligned 0
mmap holds 55
mprotect 0
signal b at 8
mprotect none 0
signal b at 8
mprotect back 0
mmap kept 55
munmap 0
signal b at 8
mprotect of nothing -c
mmap of nothing -16
mprotect unaligned -16
write to 9 -9
write from nowhere -e
close 9 -9
open nothing -2
no such call -26
writev abc
writev 4
kill nobody -3
blocked 0
sent 0
unblocked, signal a at 0
then 0
undefined, signal 4 at 0
breakpoint, signal 5 at 0
d8 kept 99
name xyz
misaligned PC, signal 7 at 2
ended
`;

/** The process. */
export function exerciser(): ProcessSource {
  return smallProcess(
    "exerciser",
    String.raw`
        .macro  say text
        adr     x0, 8f
        bl      print
        b       9f
8:      .asciz  "\text"
        .balign 4
9:
        .endm
// Prints the text and x0 in hexadecimal, with its sign.
        .macro  report text
        mov     x24, x0
        say     "\text "
        mov     x0, x24
        bl      print_signed
        .endm
// What follows up to the next 1: may end in a signal; then x19 = signal, x20 = si_addr.
        .macro  may_fault
        mov     x19, #0
        adr     x25, 1f
        .endm
// Prints what the signal was, and its address from \base.
        .macro  report_signal text, base
        sub     x26, x20, \base
        say     "\text "
        mov     x0, x19
        bl      print_number
        mov     x0, x26
        report  " at"
        .endm
        .equ    SCRATCH_SIZE, 0x2000

_start: .irp    signal, 4, 5, 7, 10, 11
        mov     x0, #\signal
        bl      handle
        .endr
        // brk
        mov     x0, #0
        call    214
        mov     x21, x0
        add     x0, x21, #3, lsl #12
        call    214
        sub     x0, x0, x21
        report  "brk grows"
        add     x1, x21, #2, lsl #12
        mov     x0, #0x77
        str     x0, [x1, #0xff8]
        ldr     x0, [x1, #0xff8]
        report  "brk holds"
        mov     x0, x21
        call    214
        sub     x0, x0, x21
        report  "brk shrinks"
        add     x1, x21, #1, lsl #12
        may_fault
        ldr     x0, [x1]
1:      report_signal "signal", x21
        // mmap, mprotect, munmap
        bl      map_scratch
        and     x0, x22, #0xfff
        report  "mmap aligned"
        mov     x0, #0x55
        str     x0, [x22, #8]
        ldr     x0, [x22, #8]
        report  "mmap holds"
        mov     x2, #1                  // PROT_READ
        bl      protect
        report  "mprotect"
        may_fault
        str     xzr, [x22, #8]
1:      report_signal "signal", x22
        mov     x2, #0                  // PROT_NONE
        bl      protect
        report  "mprotect none"
        may_fault
        ldr     x0, [x22, #8]
1:      report_signal "signal", x22
        mov     x2, #3
        bl      protect
        report  "mprotect back"
        ldr     x0, [x22, #8]
        report  "mmap kept"
        mov     x0, x22
        mov     x1, #SCRATCH_SIZE
        call    MUNMAP
        report  "munmap"
        may_fault
        ldr     x0, [x22, #8]
1:      report_signal "signal", x22
        mov     x2, #1
        bl      protect
        report  "mprotect of nothing"
        mov     x0, #0
        mov     x1, #0
        mov     x2, #3
        mov     x3, #0x22
        mov     x4, #-1
        mov     x5, #0
        call    222
        report  "mmap of nothing"
        add     x0, x22, #1
        mov     x1, #4096
        mov     x2, #1
        call    MPROTECT
        report  "mprotect unaligned"
        // Files
        mov     x0, #9
        adr     x1, abc
        mov     x2, #4
        call    WRITE
        report  "write to 9"
        mov     x0, #1
        mov     x1, #8
        mov     x2, #4
        call    WRITE
        report  "write from nowhere"
        mov     x0, #9
        call    57
        report  "close 9"
        mov     x0, #-100
        adr     x1, nothing
        mov     x2, #0
        mov     x3, #0
        call    56
        report  "open nothing"
        mov     x0, #0
        mov     x8, #0x8000
        svc     #0
        report  "no such call"
        mov     x0, #1
        adr     x1, vectors_of_write
        mov     x2, #3
        call    66
        sub     x0, x0, #7
        report  "writev"
        // Signals sent
        ldr     x0, =0x3fffff
        mov     x1, #10
        call    129
        report  "kill nobody"
        mov     x0, #0                  // SIG_BLOCK
        bl      mask
        report  "blocked"
        mov     x0, #0
        call    172
        mov     x1, #10
        mov     x19, #0
        mov     x20, #0
        adr     x25, 1f
        call    129
1:      add     x0, x0, x19             // not yet delivered
        report  "sent"
        mov     x0, #1                  // SIG_UNBLOCK
        mov     x25, #0
        bl      mask
        mov     x23, x0
        mov     x20, #0
        report_signal "unblocked, signal", x20
        mov     x0, x23
        report  "then"
        // Exceptions of its own
        may_fault
        .inst   0
1:      adr     x1, 1b
        sub     x1, x1, #4
        report_signal "undefined, signal", x1
        may_fault
        brk     #1
1:      adr     x1, 1b
        sub     x1, x1, #4
        report_signal "breakpoint, signal", x1
        mov     x0, #0x99
        fmov    d8, x0
        may_fault
        mov     x0, #0
        ldr     x0, [x0]
1:      fmov    x0, d8
        report  "d8 kept"
        // The name
        mov     x0, #15
        adr     x1, xyz
        call    167
        mov     x0, #16
        adr     x1, page
        call    167
        adr     x0, text_name
        bl      print
        adr     x0, page
        bl      print
        adr     x0, newline
        bl      print
        adr     x1, _start
        may_fault
        add     x0, x1, #2
        br      x0
1:      adr     x1, _start
        report_signal "misaligned PC, signal", x1
        adr     x0, text_ended
        bl      print
        mov     x0, #3
        call    EXIT

map_scratch:
        mov     x0, #0
        mov     x1, #SCRATCH_SIZE
        mov     x2, #3
        mov     x3, #0x22               // MAP_PRIVATE | MAP_ANONYMOUS
        mov     x4, #-1
        mov     x5, #0
        call    222
        mov     x22, x0
        ret
protect:
        mov     x0, x22
        mov     x1, #SCRATCH_SIZE
        call    MPROTECT
        ret
// rt_sigprocmask(x0) of signal 10.
mask:   adr     x1, set
        mov     x2, #0
        mov     x3, #8
        call    135
        ret

// x19 = signal, x20 = si_addr, d8 is changed, and it goes on at x25, or where it was if that is 0.
on_signal:
        str     x0, [x2, #(176 + 8 + 8 * 19)]
        ldr     x3, [x1, #16]
        str     x3, [x2, #(176 + 8 + 8 * 20)]
        ldr     x4, [x2, #(176 + 8 + 8 * 25)]
        cbz     x4, 1f
        str     x4, [x2, #(176 + 264)]
1:      fmov    d8, xzr
        ret

print_signed:
        mov     x26, x30
        mov     x24, x0
        tbz     x0, #63, 1f
        adr     x0, minus
        bl      print
        neg     x24, x24
1:      mov     x0, x24
        bl      print_number
        adr     x0, newline
        bl      print
        ret     x26

        .balign 8
set:    .quad   1 << 9
vectors_of_write:
        .quad   text_writev, 7, nothing, 0, abc, 4
page:   .space  16
text_writev:    .ascii  "writev "
abc:            .asciz  "abc\n"
nothing:        .asciz  "/nothing"
xyz:            .asciz  "xyz"
text_name:      .asciz  "name "
text_ended:     .asciz  "ended\n"
minus:          .asciz  "-"
newline:        .asciz  "\n"
        .balign 8
        .ltorg
`,
  );
}
