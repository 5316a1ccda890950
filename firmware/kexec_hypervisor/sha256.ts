/** SHA-256 in A64 (FIPS 180-4): by the instructions of FEAT_SHA256 where ID_AA64ISAR0_EL1 has them, else in general registers. */
import type { Source } from "../../machine/a64/program.ts";
import {
  SHA256_CONSTANTS,
  SHA256_START,
  sha256Begin,
  type Sha256Form,
  sha256Rounds,
} from "../sha256_block.ts";

/** The state's registers of a round, moved on by one each time. */
const STATE = ["w20", "w21", "w22", "w23", "w24", "w25", "w26", "w27"];
const ROUNDS = STATE.map((_, round) =>
  `        sha256_round ${STATE.map((_, index) => STATE[(index - round + 8) % 8]).join(", ")}\n`
).join("");

/** A block by FEAT_SHA256. */
const FAST: Sha256Form = { kept: ["v3", "v4"], constants: 6, load: "LDR", half: "v2", takesHalf: "second" };

/** Bytes of memory that `sha256` works in. */
export const SHA256_WORK = 512;

/**
 * The routines; they need a stack and change x0 to x17 and the SIMD registers. With the MMU off, data, digest and work area
 * must be aligned to 16 bytes, and CPTR_ELx must let SIMD instructions through; at EL0 Linux reads ID registers for a program.
 *
 * - `sha256`: x0 = data, x1 = bytes, x2 = where the digest goes (32 bytes), x3 = SHA256_WORK bytes of memory.
 */
export const SHA256: Source = {
  name: "sha256",
  text: `
        .macro  sha256_round a, b, c, d, e, f, g, h
        ldr     w8, [x13], #4
        ldr     w9, [x14], #4
        ror     w10, \\e, #6
        eor     w10, w10, \\e, ror #11
        eor     w10, w10, \\e, ror #25
        and     w11, \\f, \\e
        bic     w12, \\g, \\e
        eor     w11, w11, w12
        add     w8, w8, w9
        add     w10, w10, w11
        add     \\h, \\h, w8
        add     \\h, \\h, w10
        add     \\d, \\d, \\h
        ror     w10, \\a, #2
        eor     w10, w10, \\a, ror #13
        eor     w10, w10, \\a, ror #22
        and     w11, \\a, \\b
        eor     w12, \\a, \\b
        and     w12, w12, \\c
        eor     w11, w11, w12
        add     \\h, \\h, w10
        add     \\h, \\h, w11
        .endm
        .macro  sha256_sum one, other
        ldp     w8, w9, [x4]
        add     w8, w8, \\one
        add     w9, w9, \\other
        stp     w8, w9, [x4], #8
        .endm

sha256: stp     x29, x30, [sp, #-96]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        adr     x4, sha256_start
        ldp     x5, x6, [x4]
        stp     x5, x6, [x2]
        ldp     x5, x6, [x4, #16]
        stp     x5, x6, [x2, #16]
        mov     x28, x1
        mov     x29, x1
        lsr     x1, x1, #6
        bl      sha256_blocks
        // What is left, 0x80, zeros, and the length in bits.
        and     x28, x28, #63
        mov     x5, x3
        mov     x6, #16
1:      str     xzr, [x5], #8
        subs    x6, x6, #1
        b.ne    1b
        mov     x5, x3
        mov     x6, x28
2:      cbz     x6, 3f
        ldrb    w7, [x0], #1
        strb    w7, [x5], #1
        sub     x6, x6, #1
        b       2b
3:      mov     w7, #0x80
        strb    w7, [x5]
        lsl     x7, x29, #3
        rev     x7, x7
        cmp     x28, #56
        mov     x1, #1
        cinc    x1, x1, hs
        add     x5, x3, x1, lsl #6
        str     x7, [x5, #-8]
        mov     x0, x3
        bl      sha256_blocks
        mov     x5, #4
4:      ldr     x6, [x2]
        rev32   x6, x6
        str     x6, [x2], #8
        subs    x5, x5, #1
        b.ne    4b
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #96
        ret

// x1 blocks from x0 on, which moves behind them, into the state at x2; works in x3 + 128.
sha256_blocks:
        cbz     x1, 3f
        mrs     x4, id_aa64isar0_el1
        ubfx    x4, x4, #12, #4                 // SHA2
        cbnz    x4, sha256_fast
1:      add     x13, x3, #128
        mov     x4, #8
2:      ldr     x5, [x0], #8
        rev32   x5, x5
        str     x5, [x13], #8
        subs    x4, x4, #1
        b.ne    2b
        mov     x4, #48
4:      ldr     w5, [x13, #-60]
        ldr     w6, [x13, #-8]
        ror     w7, w5, #7
        eor     w7, w7, w5, ror #18
        eor     w7, w7, w5, lsr #3
        ror     w8, w6, #17
        eor     w8, w8, w6, ror #19
        eor     w8, w8, w6, lsr #10
        ldr     w9, [x13, #-64]
        ldr     w10, [x13, #-28]
        add     w7, w7, w8
        add     w9, w9, w10
        add     w7, w7, w9
        str     w7, [x13], #4
        subs    x4, x4, #1
        b.ne    4b
        add     x13, x3, #128
        adr     x14, sha256_constants
        ldp     w20, w21, [x2]
        ldp     w22, w23, [x2, #8]
        ldp     w24, w25, [x2, #16]
        ldp     w26, w27, [x2, #24]
        mov     x4, #8
5:
${ROUNDS}
        subs    x4, x4, #1
        b.ne    5b
        mov     x4, x2
        sha256_sum w20, w21
        sha256_sum w22, w23
        sha256_sum w24, w25
        sha256_sum w26, w27
        subs    x1, x1, #1
        b.ne    1b
3:      ret

sha256_fast:
        ldp     q0, q1, [x2]
6:      adr     x5, sha256_constants${sha256Begin(FAST)}${sha256Rounds(FAST)}
        subs    x1, x1, #1
        b.ne    6b
        stp     q0, q1, [x2]
        ret

        .balign 16
sha256_start:
${SHA256_START}sha256_constants:
${SHA256_CONSTANTS}`,
};
