/** A64 code that prints on the PL011 of board `virt`: `put_text` and `put_hex`, for loaders to include. */
import type { Source } from "../../machine/a64/program.ts";

/** Physical address of the first PL011 of board `virt`, aligned to every granule. */
export const UART_ADDRESS = 0x0900_0000n;

/**
 * The routines. x26 is the UART's address in the present translation; they change x0 to x4 and the flags and use no
 * stack. As many steps for every value, so that runs which print other addresses stay in step.
 *
 * - `put_text`: x0 = address of a zero-terminated text.
 * - `put_hex`: x0 as `0x` and 16 digits.
 */
export const CONSOLE: Source = {
  name: "console",
  text: `
put_text:
        ldrb    w1, [x0], #1
        cbz     w1, 1f
        strb    w1, [x26]
        b       put_text
1:      ret

put_hex:
        mov     w1, #'0'
        strb    w1, [x26]
        mov     w1, #'x'
        strb    w1, [x26]
        mov     x1, #60
1:      lsr     x2, x0, x1
        and     x2, x2, #15
        cmp     x2, #9
        mov     x3, #('a' - 10)
        mov     x4, #'0'
        csel    x3, x3, x4, hi
        add     x2, x2, x3
        strb    w2, [x26]
        subs    x1, x1, #4
        b.pl    1b
        ret
`,
};
