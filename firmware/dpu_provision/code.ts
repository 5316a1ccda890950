/**
 * A64 code that a DPU's firmware and its small installer share: console, UEFI's variables by SMC, SHA-256, and NVMe. At any
 * address, with the MMU off at EL1; a stack is needed. Routines change x0 to x17, and vectors.
 */
import type { Source } from "../../machine/a64/program.ts";
import { RUNTIME_SERVICES, type RuntimeService, UPCALL } from "../../machine/uefi_services.ts";
import { BOOT_ATTRIBUTES } from "./boot_entries.ts";
import { NVME_CODE } from "./nvme_code.ts";
import { SHA256_CODE } from "./sha256_code.ts";

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

/** The code, as sources to put behind a program's own. */
export const DPU_CODE: readonly Source[] = [
  { name: "dpu_common", text: COMMON },
  { name: "dpu_sha256", text: SHA256_CODE },
  { name: "dpu_nvme", text: NVME_CODE },
];

/** A variable's name in a source: CHAR16, with a zero behind it. */
export function nameData(label: string, name: string): string {
  const codes = Array.from(name, (character) => `0x${character.charCodeAt(0).toString(16)}`);
  return `        .balign 2\n${label}: .hword ${[...codes, "0"].join(", ")}\n`;
}
