/**
 * A program for Linux with glibc: threads that increment per-CPU counters in restartable sequences (rseq(2)), or in the
 * same instructions without.
 *
 * Three threads: one increments a fixed number of times, yielding after each; a competitor does the same on CPU 0 until
 * that one is done; a migrator on CPU 1 asks for the first one's migration to and fro, by sched_setaffinity, after every
 * few rounds. glibc registers an area of `struct rseq` for each thread, at TPIDR_EL0 + __rseq_offset (glibc manual,
 * "Restartable Sequences"; linux/rseq.h). Before each increment the thread puts the address of the sequence's descriptor
 * into the area, or zero. When the kernel preempts or migrates a thread in the sequence, it continues at the abort
 * handler, which begins anew.
 *
 * A dynamic executable (ET_EXEC) at RSEQ_PROGRAM_BASE, meant as init: it writes one line for each mode and powers off.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { dynamicElf } from "../dynamic_elf.ts";

/** Where it is linked: far from other programs, so that its addresses are its own. */
export const RSEQ_PROGRAM_BASE = 0x12_3400_0000n;

/** Increments of the thread that migrates. */
export const RSEQ_ROUNDS = 48;

/** Its rounds between two migrations. */
export const RSEQ_STRIDE = 3;

/** What comes from glibc. */
const IMPORTS = [
  "__libc_start_main",
  "pthread_create",
  "pthread_join",
  "dprintf",
  "gnu_get_libc_version",
  "__rseq_offset",
  "__rseq_size",
];

const main = `
        .equ    ROUNDS,         ${RSEQ_ROUNDS}
        .equ    STRIDE,         ${RSEQ_STRIDE}
        .equ    CPU_ID,         4               // of struct rseq
        .equ    RSEQ_CS,        8
        .equ    SETAFFINITY,    122
        .equ    SCHED_YIELD,    124
        .equ    REBOOT,         142
        .equ    GETTID,         178

_start: mov     x29, #0
        mov     x30, #0
        mov     x5, x0                  // rtld_fini
        ldr     x1, [sp]
        add     x2, sp, #8
        mov     x6, sp
        adr     x0, main
        mov     x3, #0
        mov     x4, #0
        ldr     x16, got___libc_start_main
        blr     x16
        brk     #1

main:   stp     x29, x30, [sp, #-16]!
        adr     x0, sequence
        adr     x1, text_rseq
        bl      run
        mov     x0, #0
        adr     x1, text_plain
        bl      run
        ldr     x0, =0xfee1dead
        ldr     x1, =672274793
        ldr     x2, =0x4321fedc         // power off
        mov     x8, #REBOOT
        svc     #0
        mov     x0, #0
        ldp     x29, x30, [sp], #16
        ret

run:    stp     x29, x30, [sp, #-32]!
        stp     x19, x20, [sp, #16]
        mov     x19, x1
        adr     x2, variables           // all zero but the mode
        adr     x3, variables_end
1:      str     xzr, [x2], #8
        cmp     x2, x3
        b.ne    1b
        adr     x2, mode
        str     x0, [x2]
        mov     x20, #0
2:      adr     x0, handles
        add     x0, x0, x20, lsl #3
        mov     x1, #0
        adr     x2, worker
        adr     x3, migrator
        cmp     x20, #2
        csel    x2, x3, x2, eq
        mov     x3, x20
        ldr     x16, got_pthread_create
        blr     x16
        cbnz    x0, 9f
        add     x20, x20, #1
        cmp     x20, #3
        b.ne    2b
        mov     x20, #0
3:      adr     x0, handles
        ldr     x0, [x0, x20, lsl #3]
        mov     x1, #0
        ldr     x16, got_pthread_join
        blr     x16
        add     x20, x20, #1
        cmp     x20, #3
        b.ne    3b
        ldr     x16, got_gnu_get_libc_version
        blr     x16
        mov     x3, x0
        adr     x0, counters
        mov     x5, #0
        mov     x1, #8
4:      ldr     x2, [x0], #64
        add     x5, x5, x2
        subs    x1, x1, #1
        b.ne    4b
        mov     x0, #1
        adr     x1, text_result
        mov     x2, x19
        ldr     x4, got___rseq_size
        ldr     w4, [x4]
        ldr     x6, competed
        add     x6, x6, #ROUNDS
        ldr     x7, aborts
        ldr     x16, got_dprintf
        blr     x16
        mov     x0, #1
        adr     x1, text_migrations
        mov     x2, x19
        ldr     x3, migrations
        ldr     x16, got_dprintf
        blr     x16
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret
9:      brk     #2
`;

const threads = `
// x0: 0 for the one that migrates, 1 for its competitor.
worker: stp     x29, x30, [sp, #-64]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        mov     x22, x0
        mrs     x19, tpidr_el0
        ldr     x1, got___rseq_offset
        ldr     x1, [x1]
        add     x19, x19, x1            // the thread's struct rseq
        adr     x20, counters
        ldr     x21, mode               // the descriptor, or 0
        mov     x0, #0
        adr     x2, mask0
        bl      set_affinity
        mov     x23, #ROUNDS
        mov     x8, #GETTID
        svc     #0
        cbnz    x22, 1f
        adr     x1, tid
        str     x0, [x1]
1:      bl      meet
increment:
        str     x21, [x19, #RSEQ_CS]
section_begin:
        ldr     w2, [x19, #CPU_ID]      // get address
        add     x3, x20, x2, lsl #6
section_load:
        ldr     x4, [x3]
        add     x4, x4, #1
section_store:
        str     x4, [x3]                // commits
section_end:
        cbnz    x22, 3f
        adr     x1, round
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        mov     x8, #SCHED_YIELD
        svc     #0
        subs    x23, x23, #1
        b.ne    increment
        mov     x2, #1
        adr     x1, finished
        str     x2, [x1]
        b       4f
3:      adr     x1, competed
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        mov     x8, #SCHED_YIELD
        svc     #0
        ldr     x1, finished
        cbz     x1, increment
4:      mov     x0, #0
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x29, x30, [sp], #64
        ret

        .inst   0xd428bc00              // RSEQ_SIG
section_abort:
        adr     x1, aborts
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        b       increment

migrator:
        stp     x29, x30, [sp, #-32]!
        stp     x19, x20, [sp, #16]
        mov     x0, #0
        adr     x2, mask1
        bl      set_affinity
        mov     x19, #1                 // where it is migrated to next
        bl      meet
spin:   ldr     x0, finished
        cbnz    x0, 3f
        ldr     x0, tid
        ldr     x1, round
        ldr     x2, last
        sub     x2, x1, x2
        cmp     x2, #STRIDE
        ccmp    x0, #0, #4, hs
        b.ne    2f
        mov     x8, #SCHED_YIELD        // the other one may be here
        svc     #0
        b       spin
2:      adr     x2, last
        str     x1, [x2]
        adr     x2, mask0
        add     x2, x2, x19, lsl #3
        eor     x19, x19, #1
        bl      set_affinity
        adr     x1, migrations
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        b       spin
3:      mov     x0, #0
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

// Waits until all three are where they belong.
meet:   adr     x1, ready
1:      ldaxr   x0, [x1]
        add     x0, x0, #1
        stlxr   w2, x0, [x1]
        cbnz    w2, 1b
2:      mov     x8, #SCHED_YIELD
        svc     #0
        ldr     x0, ready
        cmp     x0, #3
        b.lo    2b
        ret

set_affinity:                           // of thread x0, 0 for itself, to the mask at x2
        mov     x1, #8
        mov     x8, #SETAFFINITY
        svc     #0
        ret

text_rseq:      .asciz  "rseq"
text_plain:     .asciz  "plain"
text_result:    .asciz  "prda-rseq %s: glibc %s, area %d, sum %ld expected %ld aborts %ld\\n"
text_migrations:
                .asciz  "prda-rseq %s: migrations %ld\\n"
        .balign 32
sequence:                               // struct rseq_cs
        .word   0, 0
        .quad   section_begin, section_end - section_begin, section_abort
mask0:          .quad   1
mask1:          .quad   2
handles:        .quad   0, 0, 0
        .ltorg
        .balign 64
variables:
counters:       .space  8 * 64
tid:            .quad   0
ready:          .quad   0
round:          .quad   0
last:           .quad   0
finished:       .quad   0
competed:       .quad   0
aborts:         .quad   0
migrations:     .quad   0
mode:           .quad   0
variables_end:
`;

/** The file, and where its labels are. */
export function rseqProgram(): Program {
  return assembleProgram([dynamicElf("libc.so.6", IMPORTS), main, threads, "\nend:\n"].join(""), {
    name: "prda-rseq",
    base: RSEQ_PROGRAM_BASE,
  });
}
