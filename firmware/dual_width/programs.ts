/** Small Linux processes that try what the dual-width kernel promises; static executables at 0x400000, for EL0. */
import { SHIM } from "./layout.ts";
import type { ProcessSource } from "./process_image.ts";
import { smallProcess } from "./small_process.ts";

/** Addresses to be tried: `count` of them, `step` apart. */
export interface ProbeRange {
  /** The first. */
  readonly first: bigint;
  /** How many. */
  readonly count: number;
  /** Distance. */
  readonly step: bigint;
}

/**
 * Loads from, stores to and jumps to each address, and counts the accesses that were refused with a translation fault
 * of level 0 as syndrome and with the address itself; prints `refused N of M`, in hexadecimal, and the first access
 * that was not, with what came of it.
 */
export function protectionProbe(ranges: readonly ProbeRange[]): ProcessSource {
  const table = ranges.map(({ first, count, step }) =>
    `        .quad 0x${BigInt.asUintN(64, first).toString(16)}, ${count}, 0x${step.toString(16)}\n`
  ).join("");
  return smallProcess(
    "protection-probe",
    String.raw`
_start: mov     x0, #11                 // SIGSEGV
        bl      handle
        adr     x19, ranges
        mov     x24, #0                 // refused as they should be
        mov     x25, #0                 // tried
1:      ldp     x20, x21, [x19]
        cbz     x21, done
        ldr     x22, [x19, #16]
2:      bl      probe
        add     x20, x20, x22
        subs    x21, x21, #1
        b.ne    2b
        add     x19, x19, #24
        b       1b
done:   adr     x0, text_refused
        bl      print
        mov     x0, x24
        bl      print_number
        adr     x0, text_of
        bl      print
        mov     x0, x25
        bl      print_number
        cmp     x24, x25
        b.eq    3f
        adr     x0, text_first
        bl      print
        mov     x0, x27
        bl      print_number
        adr     x0, text_result
        bl      print
        mov     x0, x28
        bl      print_number
3:      adr     x0, text_end
        bl      print
        cmp     x24, x25
        cset    x0, ne
        call    EXIT

// Tries x20 in three ways; one that is readable is not tried further, so as not to destroy what is there.
probe:  mov     x26, x30
        add     x25, x25, #3
        ldr     x23, =0x92000004        // data abort from a lower level: translation fault, level 0
        adr     x18, 1f
        mov     x17, #0
        ldr     x0, [x20]
1:      bl      judge
        cbz     x17, 4f
        ldr     x23, =0x92000044        // the same of a write
        adr     x18, 2f
        mov     x17, #0
        str     xzr, [x20]
2:      bl      judge
        ldr     x23, =0x82000004        // instruction abort
        adr     x18, 3f
        mov     x17, #0
        br      x20
3:      bl      judge
4:      ret     x26

// x17 = 1 if the access was refused as x23 says; keeps the first that was not.
judge:  cmp     x17, x23
        b.ne    1f
        add     x24, x24, #1
        mov     x17, #1
        ret
1:      cbnz    x27, 2f
        mov     x27, x20
        mov     x28, x17
2:      mov     x17, #0
        ret

// A signal with x1 = siginfo, x2 = ucontext: goes on at x18 with x17 = ESR, or 0 when the address is not x20.
on_signal:
        ldr     x0, [x2, #(176 + 8 + 8 * 18)]
        str     x0, [x2, #(176 + 264)]  // PC
        ldr     x3, [x1, #16]           // si_addr
        ldr     x4, [x2, #(176 + 8 + 8 * 20)]
        ldr     x5, [x2, #1000]         // the syndrome in esr_context
        cmp     x3, x4
        csel    x5, x5, xzr, eq
        str     x5, [x2, #(176 + 8 + 8 * 17)]
        ret
        .balign 8
ranges:
${table}        .quad   0, 0, 0
text_refused:   .asciz  "refused "
text_of:        .asciz  " of "
text_first:     .asciz  ", not at "
text_result:    .asciz  ": "
text_end:       .asciz  "\n"
        .balign 8
        .ltorg
`,
  );
}

/**
 * Asks the kernel for what it must not do, and prints each result: to print from `secret`, an address of the kernel; to
 * copy there; to make the shim writable and to remove it. Then it executes the shim's HVC, which is UNDEFINED at EL0, and
 * loads from `secret` at last, with no handler: which ends it.
 */
export function trespasser(secret: bigint): ProcessSource {
  return smallProcess(
    "trespasser",
    String.raw`
        .macro  result text
        mov     x19, x0
        adr     x0, 8f
        bl      print
        neg     x0, x19
        bl      print_number
        adr     x0, newline
        bl      print
        b       9f
8:      .asciz  "\text: -"
        .balign 4
9:
        .endm
_start: mov     x0, #1
        ldr     x1, =SECRET
        mov     x2, #8
        call    WRITE
        result  "write from the kernel"
        ldr     x0, =SECRET
        call    160                     // uname
        result  "uname into the kernel"
        mov     x0, #1
        mov     x1, #-8
        mov     x2, #16
        call    WRITE
        result  "write around the end"
        ldr     x0, =SHIM
        mov     x1, #4096
        mov     x2, #3
        call    MPROTECT
        result  "mprotect of the shim"
        ldr     x0, =SHIM
        mov     x1, #4096
        call    MUNMAP
        result  "munmap of the shim"
        mov     x0, #4                  // SIGILL
        bl      handle
        ldr     x1, =(SHIM + 0x400)
        ldr     w0, [x1]                // it can be read
        br      x1
on_signal:
        adr     x0, text_undefined
        bl      print
        ldr     x0, =SECRET
        ldr     x0, [x0]
        adr     x0, text_wrong
        bl      print
        mov     x0, #1
        call    EXIT
text_undefined: .asciz  "HVC at EL0: undefined\n"
text_wrong:     .asciz  "EL0 read the kernel\n"
newline:        .asciz  "\n"
        .balign 8
        .ltorg
`,
    { SECRET: secret, SHIM },
  );
}

/**
 * Takes turns with another of its kind, whose variables have the same addresses: each round it adds to its own, gives
 * way, and says so if it finds the other's. Prints its letter and the sum at the end.
 */
export function turnTaker(letter: string, rounds: number): ProcessSource {
  return smallProcess(
    `turn-taker-${letter}`,
    String.raw`
_start: adr     x19, page
        mov     x20, #LETTER
        str     x20, [x19]
        mov     x21, #ROUNDS
        fmov    d8, x20                 // what must survive a switch, beside memory
        msr     tpidr_el0, x20
1:      ldp     x0, x1, [x19]
        add     x1, x1, x0
        stp     x0, x1, [x19]
        call    YIELD
        ldr     x0, [x19]
        fmov    x1, d8
        mrs     x2, tpidr_el0
        cmp     x0, #LETTER
        ccmp    x1, #0, #4, eq
        b.eq    wrong
        cmp     x0, x1
        b.ne    wrong
        cmp     x0, x2
        b.ne    wrong
        subs    x21, x21, #1
        b.ne    1b
        ldr     x0, [x19, #8]
        bl      print_number
        adr     x0, text_right
        b       end
wrong:  adr     x0, text_wrong
end:    bl      print
        mov     x0, #0
        call    EXIT
on_signal:
text_right:     .asciz  " by ${letter}\n"
text_wrong:     .asciz  "${letter} found another's variables\n"
        .balign 4096
page:   .quad   0, 0
`,
    { LETTER: BigInt(letter.charCodeAt(0)), ROUNDS: BigInt(rounds) },
  );
}

/** Computes without a system call for `rounds` rounds, prints the sum in hexadecimal, and ends. */
export function spinner(letter: string, rounds: number): ProcessSource {
  return smallProcess(
    `spinner-${letter}`,
    String.raw`
_start: ldr     x0, =ROUNDS
        mov     x1, #LETTER
        adr     x2, sum
1:      ldr     x3, [x2]
        madd    x3, x3, x1, x0
        eor     x3, x3, x3, lsr #29
        str     x3, [x2]
        subs    x0, x0, #1
        b.ne    1b
        mov     x0, x3
        bl      print_number
        adr     x0, text
        bl      print
        mov     x0, #0
        call    EXIT
on_signal:
text:   .asciz  " by ${letter}\n"
        .balign 8
sum:    .quad   0
        .ltorg
`,
    { LETTER: BigInt(letter.charCodeAt(0)), ROUNDS: BigInt(rounds) },
  );
}
