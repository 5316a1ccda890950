/** A64 code that several guests have in common, to put into their sources: printing in decimal, registers in memory. */

/** `print`: the zero-terminated text at x0, on the PL011 at the constant UART. Changes x1 and x2. */
export const PRINT: string = String.raw`
// Prints the zero-terminated text at x0. Changes x1 and x2.
print:  ldr     x1, =UART
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
2:      ret
`;

/** `print_decimal`: x0 by way of `print`; the digits go before the label `digits_end`, of a zero byte. */
export const PRINT_DECIMAL: string = String.raw`
// Prints x0 in decimal. Changes x0 to x4.
print_decimal:
        adr     x1, digits_end
        mov     x2, #10
1:      udiv    x3, x0, x2
        msub    x4, x3, x2, x0
        add     x4, x4, #'0'
        strb    w4, [x1, #-1]!
        mov     x0, x3
        cbnz    x0, 1b
        mov     x0, x1
        b       print
`;

function pairs(instruction: string, from: number, to: number): string {
  const lines: string[] = [];
  for (let n = from; n < to; n += 2) {
    lines.push(`        ${instruction}     x${n}, x${n + 1}, [x0, #${n * 8}]\n`);
  }
  return lines.join("");
}

/** Stores x2 to x27 where x0 points, x0's place first. */
export const STORE_X2_TO_X27: string = pairs("stp", 2, 28);

/** Loads x2 to x30, and then x0 and x1, from where x0 points. */
export const LOAD_ALL: string = `${pairs("ldp", 2, 30)}        ldr     x30, [x0, #240]
        ldp     x0, x1, [x0]
`;
