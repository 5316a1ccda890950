/**
 * The Linux program of time-scale: threads on all CPUs that read CLOCK_MONOTONIC by the vDSO in one order, and sleep.
 *
 * A lock gives all reads one order: a thread that holds it calls `__kernel_clock_gettime` of the vDSO, which reads
 * CNTVCT_EL0 or CNTVCTSS_EL0, and compares with what the thread before it got. Then each thread sleeps by nanosleep for
 * some durations, none of which may be shorter than asked for. At its end it prints one line: threads, reads, how many
 * went backwards, sleeps, how many were early, CNTFRQ_EL0, and whether the vDSO was used.
 */

/** Where the program is linked, for `assembleProgram` and `elfExecutable`. */
export const CLOCK_PROGRAM_BASE = 0x400000n;

/** What a program is made for. */
export interface ClockProgramOptions {
  /** Threads, one on each CPU from 0 on, 1 to 8. */
  readonly threads: number;
  /** Reads of each thread. */
  readonly reads: number;
  /** Sleeps of each thread. */
  readonly sleeps: number;
}

/** How its line begins; the numbers follow, separated by spaces, in the order of CLOCK_PROGRAM_COUNTS. */
export const CLOCK_PROGRAM_LINE = "clocks:";

/** What the numbers are. */
export const CLOCK_PROGRAM_COUNTS = [
  "threads",
  "reads",
  "backwards",
  "sleeps",
  "early",
  "frequency",
  "vdso",
] as const;

/** The source. Throws RangeError for numbers that cannot be. */
export function clockProgramSource({ threads, reads, sleeps }: ClockProgramOptions): string {
  if (!(threads >= 1 && threads <= 8)) throw new RangeError(`Cannot read clocks on ${threads} CPUs: 1 to 8`);
  if (!(reads >= 1 && sleeps >= 0)) throw new RangeError(`Cannot do ${reads} reads and ${sleeps} sleeps`);
  return `
        .equ    THREADS,        ${threads}
        .equ    READS,          ${reads}
        .equ    SLEEPS,         ${sleeps}
${PROGRAM}`;
}

const PROGRAM = String.raw`
        .equ    WRITE, 64
        .equ    EXIT, 93
        .equ    EXIT_GROUP, 94
        .equ    NANOSLEEP, 101
        .equ    CLOCK_GETTIME, 113
        .equ    SCHED_SETAFFINITY, 122
        .equ    CLONE, 220
        .equ    THREAD_FLAGS, 0x50f00           // CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
        .equ    AT_SYSINFO_EHDR, 33
        .equ    PT_DYNAMIC, 2
        .equ    DT_STRTAB, 5
        .equ    DT_SYMTAB, 6
        .equ    CLOCK_MONOTONIC, 1
        .equ    STACK, 4096

        .macro  syscall number
        mov     x8, #\number
        svc     #0
        .endm

        // Adds x1 to what is at x0; the sum is in x2.
        .macro  atomic_add
1:      ldaxr   x2, [x0]
        add     x2, x2, x1
        stlxr   w3, x2, [x0]
        cbnz    w3, 1b
        .endm

        .global _start
_start: bl      find_clock
        mov     x20, #1
1:      cmp     x20, #THREADS
        b.ge    2f
        ldr     x0, =THREAD_FLAGS
        adr     x1, stacks
        add     x2, x20, #1
        mov     x3, #STACK
        madd    x1, x2, x3, x1
        mov     x2, #0
        mov     x3, #0
        mov     x4, #0
        syscall CLONE
        cbz     x0, thread                      // x20 is the child's, too
        add     x20, x20, #1
        b       1b
2:      mov     x20, #0

// x20: number of the thread and of its CPU.
thread: sub     sp, sp, #64
        mov     x0, #1
        lsl     x0, x0, x20
        str     x0, [sp]
        mov     x0, #0
        mov     x1, #8
        mov     x2, sp
        syscall SCHED_SETAFFINITY
        adr     x0, ready
        mov     x1, #1
        atomic_add
3:      ldar    x2, [x0]
        cmp     x2, #THREADS
        b.hs    4f
        yield
        b       3b
4:      ldr     x21, =READS
5:      adr     x22, lock
6:      ldaxr   w1, [x22]
        cbnz    w1, 7f
        mov     w1, #1
        stxr    w2, w1, [x22]
        cbz     w2, 8f
        b       6b
7:      clrex
        yield
        b       6b
8:      bl      now
        adr     x1, last
        ldr     x2, [x1]
        str     x0, [x1]
        cmp     x0, x2
        b.hs    9f
        ldr     x3, [x1, #8]
        add     x3, x3, #1
        str     x3, [x1, #8]
9:      stlr    wzr, [x22]
        yield                                   // let another CPU have the lock
        subs    x21, x21, #1
        b.ne    5b

        mov     x21, #SLEEPS
10:     cbz     x21, 12f
        adr     x1, durations
        and     x2, x21, #7
        ldr     x23, [x1, x2, lsl #3]
        str     xzr, [sp, #16]
        str     x23, [sp, #24]
        bl      now
        mov     x24, x0
        add     x0, sp, #16
        mov     x1, #0
        syscall NANOSLEEP
        bl      now
        sub     x0, x0, x24
        cmp     x0, x23
        b.hs    11f
        adr     x0, early
        mov     x1, #1
        atomic_add
11:     sub     x21, x21, #1
        b       10b
12:     adr     x0, done
        mov     x1, #1
        atomic_add
        cbz     x20, 13f
        mov     x0, #0
        syscall EXIT
13:     str     xzr, [sp, #16]
        ldr     x0, =1000000
        str     x0, [sp, #24]
        add     x0, sp, #16
        mov     x1, #0
        syscall NANOSLEEP
        adr     x0, done
        ldar    x2, [x0]
        cmp     x2, #THREADS
        b.lo    13b
        b       report

// CLOCK_MONOTONIC in nanoseconds, in x0.
now:    str     x30, [sp, #48]
        mov     x0, #CLOCK_MONOTONIC
        add     x1, sp, #32
        ldr     x2, clock
        cbz     x2, 1f
        blr     x2
        b       2f
1:      syscall CLOCK_GETTIME
2:      ldp     x0, x1, [sp, #32]
        ldr     x2, =1000000000
        madd    x0, x0, x2, x1
        ldr     x30, [sp, #48]
        ret

// Finds __kernel_clock_gettime in the vDSO that the auxiliary vector names, and leaves it at "clock".
find_clock:
        ldr     x0, [sp]                        // argc
        add     x1, sp, #16
        add     x1, x1, x0, lsl #3              // the environment
1:      ldr     x0, [x1], #8
        cbnz    x0, 1b
2:      ldp     x0, x2, [x1], #16
        cbz     x0, 9f
        cmp     x0, #AT_SYSINFO_EHDR
        b.ne    2b
        ldr     x3, [x2, #0x20]                 // program headers
        add     x3, x3, x2
        ldrh    w4, [x2, #0x38]
3:      cbz     w4, 9f
        ldr     w5, [x3]
        cmp     w5, #PT_DYNAMIC
        b.eq    4f
        add     x3, x3, #56
        sub     w4, w4, #1
        b       3b
4:      ldr     x3, [x3, #16]
        add     x3, x3, x2
5:      ldp     x4, x5, [x3], #16
        cbz     x4, 6f
        add     x5, x5, x2
        cmp     x4, #DT_STRTAB
        csel    x6, x5, x6, eq
        cmp     x4, #DT_SYMTAB
        csel    x7, x5, x7, eq
        b       5b
6:      cmp     x7, x6                          // the strings follow the symbols
        b.hs    9f
        ldr     w9, [x7]
        add     x9, x9, x6
        adr     x10, name
7:      ldrb    w11, [x9], #1
        ldrb    w12, [x10], #1
        cmp     w11, w12
        b.ne    8f
        cbnz    w11, 7b
        ldr     x9, [x7, #8]
        add     x9, x9, x2
        adr     x10, clock
        str     x9, [x10]
        ret
8:      add     x7, x7, #24
        b       6b
9:      ret

report: adr     x19, text                       // where the next character goes
        adr     x1, title
1:      ldrb    w0, [x1], #1
        cbz     w0, 2f
        strb    w0, [x19], #1
        b       1b
2:      mov     x0, #THREADS
        bl      number
        ldr     x0, =(THREADS * READS)
        bl      number
        ldr     x0, backwards
        bl      number
        ldr     x0, =(THREADS * SLEEPS)
        bl      number
        ldr     x0, early
        bl      number
        mrs     x0, cntfrq_el0
        bl      number
        ldr     x0, clock
        cmp     x0, #0
        cset    x0, ne
        bl      number
        mov     w0, #'\n'
        strb    w0, [x19], #1
        mov     x0, #1
        adr     x1, text
        sub     x2, x19, x1
        syscall WRITE
        mov     x0, #0
        syscall EXIT_GROUP

// Appends a blank and x0 in decimal.
number: adr     x1, digits_end
        mov     x2, #10
1:      udiv    x3, x0, x2
        msub    x4, x3, x2, x0
        add     x4, x4, #'0'
        strb    w4, [x1, #-1]!
        mov     x0, x3
        cbnz    x0, 1b
        mov     w0, #' '
        strb    w0, [x19], #1
        adr     x2, digits_end
2:      ldrb    w0, [x1], #1
        strb    w0, [x19], #1
        cmp     x1, x2
        b.lo    2b
        ret
        .ltorg

name:   .asciz  "__kernel_clock_gettime"
title:  .asciz  "clocks:"
        .balign 8
durations:
        .quad   1000, 50000, 1000000, 3300000, 777, 20000000, 123456, 4000001
clock:  .quad   0
last:   .quad   0
backwards: .quad 0
early:  .quad   0
ready:  .quad   0
done:   .quad   0
lock:   .quad   0
text:   .space  256
digits: .space  24
digits_end:
        .balign 16
stacks: .space  STACK * (THREADS + 1)
`;
