/** Two CPUs that count without a lock: the guest of tests that look for the schedule that loses an increment. */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Each CPU adds 1 to a counter 3 times, with some work in between; cpu0 powers off with what is missing to 6. */
const RACE = `
        .equ    ROUNDS, 3
start:  adr     x20, counter
        ldr     x0, =0xc4000003
        mov     x1, #1
        adr     x2, second
        mov     x3, #0
        hvc     #0
        bl      work
wait:   ldr     x1, [x20, #8]
        cbz     x1, wait
        ldr     x3, [x20]
        mov     x4, #(2 * ROUNDS)
        sub     x4, x4, x3
        adr     x1, code
        str     x4, [x1, #8]
        ldr     x2, =0x09000000
        mov     w5, #'='
        cbz     x4, 1f
        mov     w5, #'!'
1:      str     w5, [x2]
        mov     x0, #0x18
        hlt     #0xf000
second: adr     x20, counter
        bl      work
        mov     x1, #1
        str     x1, [x20, #8]
2:      wfi
        b       2b
work:   mov     x22, #ROUNDS
1:      ldr     x1, [x20]
        mov     x2, #6
3:      subs    x2, x2, #1
        b.ne    3b
        add     x1, x1, #1
        str     x1, [x20]
        mov     x2, #200
2:      subs    x2, x2, #1
        b.ne    2b
        subs    x22, x22, #1
        b.ne    1b
        ret
        .align  3
counter: .quad  0, 0
code:   .quad   0x20026, 0
`;

/** The guest with its labels, for `-kernel`. */
export const RACE_PROGRAM: Program = assembleProgram(RACE, { name: "race", base: 0x40080000n });

/** Holds when an increment was lost. */
export const RACE_LOST = `memory(${RACE_PROGRAM.symbols.get("code")! + 8n}, 8) > 0`;
