/** What every form of the probe has in common: the pairs, their rounds, the verdicts and what is printed. */
import { operationName, type ProbeOperation } from "./operations.ts";

/** The three instructions, as a routine: x1 = the word; w2 = 1 if the store failed. */
function routine({ register }: ProbeOperation, index: number): string {
  return `
pair${index}:   ldxr    w0, [x1]
operation${index}: ${register === undefined ? "nop" : `mrs x3, ${register}`}
store${index}:  stxr    w2, w0, [x1]
        ret
`;
}

/** A row of the probe's table: 16 bytes. Offsets are from the first byte, so that the program runs anywhere. */
function row(operation: ProbeOperation, index: number): string {
  const { level, register, isKernels } = operation;
  const flags = level | (register === undefined ? 2 : 0) | (isKernels === true ? 4 : 0);
  return `        .word   pair${index} - first, name${index} - first, ${flags}, 0\n`;
}

const name = (operation: ProbeOperation, index: number): string =>
  `name${index}: .asciz "${operationName(operation)} "\n`;

/** The pairs of operations, the table that leads through them, and their names. */
export function operationsText(operations: readonly ProbeOperation[]): string {
  return [
    "        .balign 64\nfirst:\n",
    ...operations.map(routine),
    "rows:\n",
    ...operations.map(row),
    ...operations.map(name),
    "        .balign 4\n",
  ].join("");
}

/**
 * From `probe` to the branch to `off`, which the program has, as it has `try`: it tries the pair at x4 in x20 rounds at
 * level x27, by `rounds`, and x6 = how many failed. ROUNDS, ROWS and FIRST_LEVEL are equates. Here x19 = row, x20 = rounds,
 * x21 = rows left; x22 = failures of the level's control, x23 = operations of the level that failed more often than not,
 * x27 = the level.
 */
export const ROUNDS_TEXT: string = String.raw`
probe:  adr     x0, text_rounds
        bl      print
        mov     x0, #ROUNDS
        bl      print_decimal
        adr     x0, text_line
        bl      print
        adr     x19, rows
        mov     w14, #0xace1
        mov     x18, #0
        mov     x20, #ROUNDS
        mov     x21, #ROWS
        mov     x23, #0
        mov     x27, #FIRST_LEVEL
next:   ldr     w28, [x19, #8]                  // flags: level, 2 control, 4 the kernel's
        and     x0, x28, #1
        cmp     x0, x27
        b.eq    1f
        bl      verdict
        mov     x27, #0
        mov     x23, #0
1:      adr     x4, first
        ldr     w5, [x19]
        add     x4, x4, x5
        bl      try
        mov     x26, x6
        adr     x0, first
        ldr     w5, [x19, #4]
        add     x0, x0, x5
        bl      print
        mov     x0, x26
        bl      print_decimal
        adr     x0, text_line
        bl      print
        tbz     x28, #1, 1f
        mov     x22, x26
1:      lsl     x0, x26, #1                     // more than half failed, and it counts
        cmp     x0, x20
        cset    x0, hi
        tst     x28, #4
        csel    x0, xzr, x0, ne
        add     x23, x23, x0
        add     x19, x19, #16
        subs    x21, x21, #1
        b.ne    next
        bl      verdict
        b       off

// Prints a level's verdict: there is none where more than a quarter of the control failed, which nothing can trap.
verdict:
        mov     x24, x30
        adr     x0, text_el
        bl      print
        mov     x0, x27
        bl      print_decimal
        lsl     x1, x22, #2
        cmp     x1, x20
        adr     x0, text_inconclusive
        b.hi    1f
        cmp     x23, #0
        adr     x0, text_virtualized
        adr     x1, text_bare
        csel    x0, x0, x1, ne
1:      mov     x30, x24
        b       print

// Between two rounds a few steps pass, each time another number of them (a shift register in x14): otherwise what comes
// periodically could keep in step with the rounds.
rounds: mov     x7, x30
1:      blr     x4
        add     x6, x6, x2
        and     w15, w14, #1
        lsr     w14, w14, #1
        cbz     w15, 2f
        mov     w15, #0xb400
        eor     w14, w14, w15
2:      and     w15, w14, #15
3:      sub     w15, w15, #1
        tbz     w15, #31, 3b
        subs    x5, x5, #1
        b.ne    1b
        ret     x7

text_rounds:        .asciz  "rounds "
text_line:          .asciz  "\r\n"
text_el:            .asciz  "el"
text_virtualized:   .asciz  " verdict virtualized\r\n"
text_bare:          .asciz  " verdict bare\r\n"
text_inconclusive:  .asciz  " verdict inconclusive\r\n"
        .balign 4
`;
