/**
 * A64 code that a DPU's firmware and its small installer share: console, UEFI's variables by SMC, SHA-256 by FEAT_SHA256,
 * and an NVMe controller (NVM Express 1.4) driven by polling, its only namespace read and written. At any address, with
 * the MMU off at EL1; a stack is needed. Routines change x0 to x17, and vectors.
 */
import type { Source } from "../../machine/a64/program.ts";
import { RUNTIME_SERVICES, type RuntimeService, UPCALL } from "../../machine/uefi_services.ts";
import { BOOT_ATTRIBUTES } from "./boot_entries.ts";

const service = (name: RuntimeService): number => UPCALL.RUNTIME + RUNTIME_SERVICES.indexOf(name);

/** Most bytes of a variable's contents. */
const MOST_VARIABLE = 4096;

/** Console and variables. The source has to define `vendor` (EFI_GLOBAL_VARIABLE). */
const COMMON = `
// Prints the zero-terminated text at x0.
print:  ldr     x1, =UART
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
2:      ret

// Prints w0 in decimal; it is less than 10,000.
print_number:
        mov     w1, #1000
        mov     w3, #10
        ldr     x5, =UART
        mov     w6, #0
1:      udiv    w2, w0, w1
        msub    w0, w2, w1, w0
        orr     w6, w6, w2
        cmp     w1, #1
        b.eq    2f
        cbz     w6, 3f
2:      add     w4, w2, #'0'
        strb    w4, [x5]
3:      udiv    w1, w1, w3
        cbnz    w1, 1b
        ret

// GetVariable of the name at x0: to VARIABLE, its size in x1; x0 = status.
get_variable:
        adr     x1, vendor
        mov     x2, xzr
        ldr     x3, =VARIABLE_SIZE
        mov     w4, #${MOST_VARIABLE}
        str     x4, [x3]
        ldr     x4, =VARIABLE
        smc     #${service("GetVariable")}
        ldr     x1, =VARIABLE_SIZE
        ldr     x1, [x1]
        ret

// SetVariable of the name at x0: x1 bytes at x2, none to delete it; x0 = status.
set_variable:
        mov     x3, x1
        mov     x4, x2
        adr     x1, vendor
        mov     x2, #${BOOT_ATTRIBUTES}
        smc     #${service("SetVariable")}
        ret

// Copies x2 bytes, rounded up to 16, from x1 to x0.
copy:   ldp     x3, x4, [x1], #16
        stp     x3, x4, [x0], #16
        subs    x2, x2, #16
        b.hi    copy
        ret

// Z where 32 bytes at x0 and x1 are equal.
equal_digests:
        ldp     q0, q1, [x0]
        ldp     q2, q3, [x1]
        eor     v0.16b, v0.16b, v2.16b
        eor     v1.16b, v1.16b, v3.16b
        orr     v0.16b, v0.16b, v1.16b
        umaxv   b0, v0.16b
        fmov    w0, s0
        cmp     w0, #0
        ret
`;

/** Four rounds of SHA-256 at a time; the schedule goes around in v16 to v19. */
function rounds(): string {
  return Array.from({ length: 16 }, (_, group) => {
    const w = (n: number) => `v${16 + (group + n) % 4}.4s`;
    return `
        ld1     {v4.4s}, [x5], #16
        add     v5.4s, v4.4s, ${w(0)}
        mov     v6.16b, v0.16b
        ${group < 12 ? `sha256su0 ${w(0)}, ${w(1)}` : ""}
        sha256h q0, q1, v5.4s
        sha256h2 q1, q6, v5.4s
        ${group < 12 ? `sha256su1 ${w(0)}, ${w(2)}, ${w(3)}` : ""}`;
  }).join("");
}

/** FIPS 180-4 §4.2.2, §5.3.3. */
const K = `
        428a2f98 71374491 b5c0fbcf e9b5dba5 3956c25b 59f111f1 923f82a4 ab1c5ed5 d807aa98 12835b01 243185be 550c7dc3
        72be5d74 80deb1fe 9bdc06a7 c19bf174 e49b69c1 efbe4786 0fc19dc6 240ca1cc 2de92c6f 4a7484aa 5cb0a9dc 76f988da
        983e5152 a831c66d b00327c8 bf597fc7 c6e00bf3 d5a79147 06ca6351 14292967 27b70a85 2e1b2138 4d2c6dfc 53380d13
        650a7354 766a0abb 81c2c92e 92722c85 a2bfe8a1 a81a664b c24b8b70 c76c51a3 d192e819 d6990624 f40e3585 106aa070
        19a4c116 1e376c08 2748774c 34b0bcb5 391c0cb3 4ed8aa4a 5b9cca4f 682e6ff3 748f82ee 78a5636f 84c87814 8cc70208
        90befffa a4506ceb bef9a3f7 c67178f2`;
const H = "6a09e667 bb67ae85 3c6ef372 a54ff53a 510e527f 9b05688c 1f83d9ab 5be0cd19";
const words = (text: string): string =>
  text.trim().split(/\s+/).map((word) => `        .word 0x${word}`).join("\n");

const HASH = `
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
${words(H)}
hash_constants:
${words(K)}
`;
/** A block at x0, which moves on. */
const BLOCK = `
        .macro  hash_block
        ldp     q16, q17, [x0], #32
        ldp     q18, q19, [x0], #32
        rev32   v16.16b, v16.16b
        rev32   v17.16b, v17.16b
        rev32   v18.16b, v18.16b
        rev32   v19.16b, v19.16b
        mov     v2.16b, v0.16b
        mov     v3.16b, v1.16b
        adr     x5, hash_constants
${rounds()}
        add     v0.4s, v0.4s, v2.4s
        add     v1.4s, v1.4s, v3.4s
        .endm
`;

const NVME = `
        .equ    NVME_DOORBELLS, NVME_REGISTERS + 0x1000
        .equ    ENTRIES, 16

// Finds the controller on bus 0 and enables it, with a pair of queues for I/O; x0 = 0, or not.
nvme_init:
        stp     x29, x30, [sp, #-16]!
        ldr     x1, =ECAM
        mov     x2, #0
1:      add     x3, x1, x2, lsl #15             // function 0 of each device
        ldr     w4, [x3, #8]
        lsr     w4, w4, #8
        ldr     w5, =0x010802                   // the class code of NVM Express
        cmp     w4, w5
        b.eq    2f
        add     x2, x2, #1
        cmp     x2, #32
        b.lo    1b
        mov     x0, #1
        b       9f
2:      ldr     w4, =NVME_REGISTERS
        str     w4, [x3, #0x10]
        str     wzr, [x3, #0x14]
        ldrh    w4, [x3, #4]
        orr     w4, w4, #6                      // memory space, bus master
        strh    w4, [x3, #4]
        ldr     x1, =NVME_REGISTERS
        str     wzr, [x1, #0x14]                // CC
3:      ldr     w2, [x1, #0x1c]                 // CSTS.RDY
        tbnz    w2, #0, 3b
        ldr     x2, =NVME_QUEUES
        add     x3, x2, #4, lsl #12
4:      stp     xzr, xzr, [x2], #16
        cmp     x2, x3
        b.lo    4b
        ldr     x2, =NVME_STATE
        mov     w3, #1                          // phases; see nvme_run
        stp     wzr, wzr, [x2]
        stp     w3, wzr, [x2, #8]
        stp     wzr, wzr, [x2, #16]
        stp     w3, wzr, [x2, #24]
        ldr     w2, =((ENTRIES - 1) << 16 | (ENTRIES - 1))
        str     w2, [x1, #0x24]                 // AQA
        ldr     x2, =NVME_QUEUES
        str     w2, [x1, #0x28]                 // ASQ
        str     wzr, [x1, #0x2c]
        add     x2, x2, #1, lsl #12
        str     w2, [x1, #0x30]                 // ACQ
        str     wzr, [x1, #0x34]
        ldr     w2, =0x460001                   // entries of 64 and 16 bytes, enabled
        str     w2, [x1, #0x14]
5:      ldr     w2, [x1, #0x1c]
        tbz     w2, #0, 5b
        mov     w0, #5                          // Create I/O Completion Queue
        ldr     x1, =(NVME_QUEUES + 0x3000)
        mov     w2, #1                          // contiguous
        bl      nvme_create
        cbnz    x0, 9f
        mov     w0, #1                          // Create I/O Submission Queue
        ldr     x1, =(NVME_QUEUES + 0x2000)
        ldr     w2, =0x10001
        bl      nvme_create
9:      ldp     x29, x30, [sp], #16
        ret

// The command w0 for queue 1, its entries at x1, with dword 11.
nvme_create:
        ldr     x3, =NVME_COMMAND
        stp     x0, xzr, [x3]
        stp     xzr, x1, [x3, #16]
        stp     xzr, xzr, [x3, #32]
        stp     xzr, xzr, [x3, #48]
        ldr     w4, =((ENTRIES - 1) << 16 | 1)
        str     w4, [x3, #40]
        str     w2, [x3, #44]
        mov     x0, #0

// Carries out NVME_COMMAND on queue x0 (0 or 1); x0 = its status, 0 for success.
nvme_run:
        ldr     x2, =NVME_STATE
        add     x2, x2, x0, lsl #4              // tail, head, phase
        ldr     w3, [x2]
        ldr     x4, =NVME_QUEUES
        add     x4, x4, x0, lsl #13
        add     x5, x4, x3, lsl #6
        ldr     x1, =NVME_COMMAND
        ldp     q0, q1, [x1]
        ldp     q2, q3, [x1, #32]
        stp     q0, q1, [x5]
        stp     q2, q3, [x5, #32]
        add     w3, w3, #1
        and     w3, w3, #(ENTRIES - 1)
        str     w3, [x2]
        dsb     sy
        ldr     x5, =NVME_DOORBELLS
        add     x5, x5, x0, lsl #3
        str     w3, [x5]
        ldr     w6, [x2, #4]
        ldr     w7, [x2, #8]
        add     x8, x4, #1, lsl #12
        add     x8, x8, x6, lsl #4
1:      ldr     w9, [x8, #12]
        ubfx    w10, w9, #16, #1
        cmp     w10, w7
        b.ne    1b
        add     w6, w6, #1
        ands    w6, w6, #(ENTRIES - 1)
        b.ne    2f
        eor     w7, w7, #1
2:      stp     w6, w7, [x2, #4]
        str     w6, [x5, #4]
        lsr     w0, w9, #17
        ret

// x0 = 1 writes, 2 reads: x3 bytes, whole sectors, at sector x1, with the page-aligned buffer x2; x0 = status.
nvme_transfer:
        stp     x29, x30, [sp, #-64]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        mov     x19, x0
        mov     x20, x1
        mov     x21, x2
        mov     x22, x3
1:      mov     x0, #0
        cbz     x22, 9f
        mov     x4, #0x10000
        cmp     x22, x4
        csel    x4, x22, x4, lo                 // at most 64 KiB at a time
        str     x4, [sp, #48]
        ldr     x3, =NVME_COMMAND
        mov     x5, #1                          // the namespace
        orr     x5, x19, x5, lsl #32
        stp     x5, xzr, [x3]
        add     x6, x21, #1, lsl #12
        stp     xzr, x21, [x3, #16]             // PRP1
        stp     x6, x20, [x3, #32]              // PRP2, SLBA
        lsr     x5, x4, #9
        sub     x5, x5, #1
        stp     x5, xzr, [x3, #48]
        cmp     x4, #2, lsl #12
        b.ls    3f
        ldr     x7, =NVME_LIST                  // more than two pages
        str     x7, [x3, #32]
        add     x8, x21, x4
2:      str     x6, [x7], #8
        add     x6, x6, #1, lsl #12
        cmp     x6, x8
        b.lo    2b
3:      mov     x0, #1
        bl      nvme_run
        cbnz    x0, 9f
        ldr     x4, [sp, #48]
        add     x20, x20, x4, lsr #9
        add     x21, x21, x4
        sub     x22, x22, x4
        b       1b
9:      ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #64
        ret

// Makes all that was written durable; x0 = status.
nvme_flush:
        ldr     x3, =NVME_COMMAND
        mov     x5, #1 << 32
        stp     x5, xzr, [x3]
        stp     xzr, xzr, [x3, #16]
        stp     xzr, xzr, [x3, #32]
        stp     xzr, xzr, [x3, #48]
        mov     x0, #1
        b       nvme_run
        .ltorg
`;

/** The code, as sources to put behind a program's own. */
export const DPU_CODE: readonly Source[] = [
  { name: "dpu_common", text: COMMON },
  { name: "dpu_sha256", text: BLOCK + HASH },
  { name: "dpu_nvme", text: NVME },
];

/** A variable's name in a source: CHAR16, with a zero behind it. */
export function nameData(label: string, name: string): string {
  const codes = Array.from(name, (character) => `0x${character.charCodeAt(0).toString(16)}`);
  return `        .balign 2\n${label}: .hword ${[...codes, "0"].join(", ")}\n`;
}
