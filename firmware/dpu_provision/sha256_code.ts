/** SHA-256 of whole blocks, as A64: what a DPU's firmware checks an image by, and its installer a system. */
import {
  SHA256_CONSTANTS,
  SHA256_START,
  sha256Begin,
  type Sha256Form,
  sha256Rounds,
} from "../sha256_block.ts";

const FORM: Sha256Form = { kept: ["v2", "v3"], constants: 4, load: "LD1", half: "v6", takesHalf: "first" };

/** `sha256`; the source has to define HASH_TAIL, 64 bytes to work in, and DIGEST. */
export const SHA256_CODE: string = `
        .macro  hash_block${sha256Begin(FORM)}
        adr     x5, hash_constants${sha256Rounds(FORM)}
        .endm

// SHA-256 of x1 bytes at x0, a multiple of 64: 32 bytes to DIGEST.
sha256: ldr     x6, =HASH_TAIL
        stp     xzr, xzr, [x6]
        stp     xzr, xzr, [x6, #16]
        stp     xzr, xzr, [x6, #32]
        stp     xzr, xzr, [x6, #48]
        mov     w2, #0x80
        strb    w2, [x6]
        lsl     x2, x1, #3
        rev     x2, x2
        str     x2, [x6, #56]
        adr     x7, hash_first
        ldp     q0, q1, [x7]
1:      cbz     x1, 2f
        hash_block
        sub     x1, x1, #64
        b       1b
2:      mov     x0, x6
        hash_block
        rev32   v0.16b, v0.16b
        rev32   v1.16b, v1.16b
        ldr     x0, =DIGEST
        stp     q0, q1, [x0]
        ret
        .balign 16
hash_first:
${SHA256_START}hash_constants:
${SHA256_CONSTANTS}`;
