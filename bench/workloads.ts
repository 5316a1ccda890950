/** Flat bare-metal programs for benchmarks: the same bytes run on every machine that is compared. */
import { assembleProgram } from "../machine/a64/program.ts";

/** A program whose length is set by a number of rounds. */
export interface Workload {
  /** Name in the output. */
  readonly name: string;
  /** Assembly; ROUNDS is the number of rounds, DATA the address of free RAM, and PSCI SYSTEM_OFF ends it. */
  readonly source: string;
  /** Rounds that take the reference engine about a second. */
  readonly rounds: number;
}

const OFF = `
        ldr     x0, =0x84000008
        hvc     #0
        b       .
        .ltorg
`;

/**
 * A list that is searched and turned round, a product of matrices, and a state machine over text, with a check sum over
 * what they find: what CoreMark is made of, written here.
 */
const CORE = `
        .equ    NODES, 64
        .equ    ORDER, 8
        .equ    LIST, DATA + 0x1000             // nodes of 16 bytes: next, value
        .equ    LEFT, DATA + 0x4000             // matrices of 32-bit numbers
        .equ    RIGHT, DATA + 0x5000
        .equ    PRODUCT, DATA + 0x6000
        ldr     x0, =(DATA + 4096)
        mov     sp, x0
        ldr     x28, =ROUNDS
        mov     w27, #0                         // check sum
        bl      make_list
        bl      make_matrices
round:  bl      list
        bl      matrix
        bl      machine
        subs    x28, x28, #1
        b.ne    round
${OFF}
make_list:
        ldr     x0, =LIST
        mov     x26, x0                         // first node
        mov     x1, #0
1:      add     x2, x0, #16
        add     x3, x1, x1, lsl #2
        and     x3, x3, #(NODES - 1)
        stp     x2, x3, [x0]
        mov     x4, x0
        mov     x0, x2
        add     x1, x1, #1
        cmp     x1, #NODES
        b.ne    1b
        str     xzr, [x4]
        ret
make_matrices:
        ldr     x0, =LEFT
        ldr     x1, =RIGHT
        mov     w2, #0
1:      mul     w3, w2, w2
        eor     w3, w3, #0x3c
        str     w3, [x0, w2, uxtw #2]
        sub     w3, w3, w2, lsl #3
        str     w3, [x1, w2, uxtw #2]
        add     w2, w2, #1
        cmp     w2, #(ORDER * ORDER)
        b.ne    1b
        ret
sum:                                            // adds W0 to the check sum, bit by bit
        mov     w1, #16
1:      eor     w2, w0, w27
        lsr     w27, w27, #1
        tbz     w2, #0, 2f
        mov     w3, #0xa001
        eor     w27, w27, w3
2:      lsr     w0, w0, #1
        subs    w1, w1, #1
        b.ne    1b
        ret
list:   stp     x29, x30, [sp, #-16]!
        mov     x10, #8                         // values looked for
        and     x11, x28, #(NODES - 1)
1:      mov     x0, x26
        mov     x12, #0
2:      ldp     x1, x2, [x0]
        cmp     x2, x11
        b.eq    3f
        add     x12, x12, #1
        mov     x0, x1
        cbnz    x0, 2b
3:      add     x11, x11, #7
        and     x11, x11, #(NODES - 1)
        subs    x10, x10, #1
        b.ne    1b
        mov     x0, x26                         // turn it round
        mov     x1, #0
4:      ldr     x2, [x0]
        str     x1, [x0]
        mov     x1, x0
        mov     x0, x2
        cbnz    x0, 4b
        mov     x26, x1
        mov     w0, w12
        bl      sum
        ldp     x29, x30, [sp], #16
        ret
matrix: stp     x29, x30, [sp, #-16]!
        ldr     x10, =LEFT
        ldr     x12, =PRODUCT
        mov     w0, #ORDER                      // rows
1:      ldr     x11, =RIGHT
        mov     w1, #ORDER                      // columns
2:      mov     w2, #0
        mov     x4, x10
        mov     x5, x11
        mov     w3, #ORDER
3:      ldr     w6, [x4], #4
        ldr     w7, [x5], #(ORDER * 4)
        madd    w2, w6, w7, w2
        subs    w3, w3, #1
        b.ne    3b
        str     w2, [x12], #4
        add     x11, x11, #4
        subs    w1, w1, #1
        b.ne    2b
        add     x10, x10, #(ORDER * 4)
        subs    w0, w0, #1
        b.ne    1b
        ldr     x4, =LEFT
        ldr     w6, [x4]
        add     w6, w6, w2, lsr #16
        str     w6, [x4]
        mov     w0, w2
        bl      sum
        ldp     x29, x30, [sp], #16
        ret
machine:                                        // counts numbers, fractions and words in the text
        stp     x29, x30, [sp, #-16]!
        adr     x0, text
        mov     w4, #0
        mov     w5, #0
start:  ldrb    w1, [x0], #1
        cbz     w1, 9f
        cmp     w1, #'-'
        b.eq    start
        sub     w2, w1, #'0'
        cmp     w2, #9
        b.ls    number
word:   ldrb    w1, [x0], #1
        cbz     w1, 9f
        cmp     w1, #','
        b.ne    word
        add     w4, w4, #1
        b       start
number: ldrb    w1, [x0], #1
        cbz     w1, 9f
        cmp     w1, #'.'
        b.eq    fraction
        sub     w2, w1, #'0'
        cmp     w2, #9
        b.ls    number
        cmp     w1, #','
        b.ne    word
        add     w4, w4, #256
        b       start
fraction:
        ldrb    w1, [x0], #1
        cbz     w1, 9f
        sub     w2, w1, #'0'
        cmp     w2, #9
        b.ls    fraction
        cmp     w1, #','
        b.ne    word
        add     w5, w5, #1
        b       start
9:      add     w0, w4, w5, lsl #4
        bl      sum
        ldp     x29, x30, [sp], #16
        ret
        .ltorg
text:   .asciz  "5012,1234,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.500e+3,-.123e-2,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^,"
`;

/** The integer workloads. */
export const WORKLOADS: readonly Workload[] = [
  {
    name: "hash",
    rounds: 150_000,
    source: `
        ldr     x9, =ROUNDS
        ldr     x1, =0xcbf29ce484222325
        ldr     x2, =0x100000001b3
1:      eor     x1, x1, x9
        mul     x1, x1, x2
        ror     x3, x1, #29
        add     x1, x1, x3
        lsr     x4, x1, #17
        eor     x1, x1, x4
        subs    x9, x9, #1
        b.ne    1b
${OFF}`,
  },
  {
    name: "sort",
    rounds: 40,
    source: `
        ldr     x9, =ROUNDS
        ldr     x20, =DATA
round:  mov     x1, #0                          // fill with a descending sequence
1:      mov     x2, #256
        sub     x2, x2, x1
        str     x2, [x20, x1, lsl #3]
        add     x1, x1, #1
        cmp     x1, #128
        b.ne    1b
        mov     x1, #1                          // insertion sort
2:      ldr     x3, [x20, x1, lsl #3]
        mov     x4, x1
3:      cbz     x4, 4f
        sub     x5, x4, #1
        ldr     x6, [x20, x5, lsl #3]
        cmp     x6, x3
        b.ls    4f
        str     x6, [x20, x4, lsl #3]
        mov     x4, x5
        b       3b
4:      str     x3, [x20, x4, lsl #3]
        add     x1, x1, #1
        cmp     x1, #128
        b.ne    2b
        subs    x9, x9, #1
        b.ne    round
${OFF}
`,
  },
  {
    name: "calls",
    rounds: 8,
    source: `
        ldr     x0, =(DATA + 4096)
        mov     sp, x0
        ldr     x19, =ROUNDS
1:      mov     x0, #18
        bl      fibonacci
        subs    x19, x19, #1
        b.ne    1b
${OFF}
fibonacci:
        cmp     x0, #2
        b.lo    2f
        stp     x29, x30, [sp, #-32]!
        str     x0, [sp, #16]
        sub     x0, x0, #1
        bl      fibonacci
        ldr     x1, [sp, #16]
        str     x0, [sp, #24]
        sub     x0, x1, #2
        bl      fibonacci
        ldr     x1, [sp, #24]
        add     x0, x0, x1
        ldp     x29, x30, [sp], #32
2:      ret
`,
  },
  {
    name: "interpreter",
    rounds: 30_000,
    source: `
        ldr     x9, =ROUNDS
        adr     x20, code
        adr     x21, handlers
        mov     x1, #0
round:  mov     x22, x20
next:   ldrb    w2, [x22], #1
        ldr     x3, [x21, x2, lsl #3]
        br      x3
op_add: add     x1, x1, #7
        b       next
op_xor: eor     x1, x1, x1, ror #11
        b       next
op_not: mvn     x1, x1
        b       next
op_end: subs    x9, x9, #1
        b.ne    round
${OFF}
        .align  3
handlers: .quad op_add, op_xor, op_not, op_end
code:   .byte   0, 1, 0, 2, 3
`,
  },
  {
    name: "core",
    rounds: 100,
    source: CORE,
  },
];

/** Where `-kernel` puts a flat image. */
const BASE = 0x40080000n;

/** RAM away from code: QEMU translates again what is stored beside. */
const DATA = 0x42000000n;

/** The program's bytes for a number of rounds. */
export function buildWorkload({ name, source }: Workload, rounds: number): Uint8Array {
  return assembleProgram(source, { name, base: BASE, symbols: { ROUNDS: BigInt(rounds), DATA } }).bytes;
}
