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
];

/** Where `-kernel` puts a flat image. */
const BASE = 0x40080000n;

/** RAM away from code: QEMU translates again what is stored beside. */
const DATA = 0x42000000n;

/** The program's bytes for a number of rounds. */
export function buildWorkload({ name, source }: Workload, rounds: number): Uint8Array {
  return assembleProgram(source, { name, base: BASE, symbols: { ROUNDS: BigInt(rounds), DATA } }).bytes;
}
