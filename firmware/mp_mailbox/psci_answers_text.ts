/** What the shim answers to calls of PSCI, as assembly, and its vectors. */
import { FUNCTION } from "../../machine/psci.ts";

/** A fault to be planted in the shim: CPU_ON answers and forgets the release word. */
export type ShimMutant = "releasesNobody";

/** A call, and the table of what answers it. */
const CALLS = `
// A call: x0 to x3; x4 to x17 may change (SMCCC).
shim_call:
        mrs     x17, esr_el2
        lsr     x17, x17, #26
        cmp     x17, #0x16                      // HVC of AArch64
        b.ne    shim_lost
        mov     x16, x30
        bl      shim_answer
        mov     x30, x16
        eret

shim_answer:
        mov     x14, x30
        adr     x4, answers
1:      ldp     w5, w6, [x4], #8
        cbz     w6, 2f
        cmp     w5, w0
        b.ne    1b
        sub     x4, x4, #8
        add     x4, x4, x6
        br      x4
2:      mov     x0, #RESULT_NOT_SUPPORTED
        br      x14

        .macro  answer function, to
1:      .word   \\function, \\to - 1b
        .endm
        .balign 8
answers:
        answer  ${FUNCTION.PSCI_VERSION}, answer_version
        answer  ${FUNCTION.PSCI_FEATURES}, answer_features
        answer  ${FUNCTION.MIGRATE_INFO_TYPE}, answer_migrate
        answer  ${FUNCTION.CPU_ON_64}, answer_on
        answer  ${FUNCTION.CPU_OFF}, answer_off
        answer  ${FUNCTION.AFFINITY_INFO_64}, answer_affinity
        answer  ${FUNCTION.SYSTEM_OFF}, answer_below
        answer  ${FUNCTION.SYSTEM_RESET}, answer_below
        .word   0, 0

`;

/** What asks and changes nothing. */
const QUESTIONS = `answer_version:
        mov     x0, #0x10000
        br      x14
answer_migrate:
        mov     x0, #2                          // no Trusted OS
        br      x14
answer_features:
        adr     x4, answers
        mov     x0, #RESULT_NOT_SUPPORTED
1:      ldp     w5, w6, [x4], #8
        cbz     w6, 2f
        cmp     w5, w1
        b.ne    1b
        mov     x0, #0
2:      br      x14
answer_affinity:
        mov     x0, #0
        cbnz    x2, 1f
        bl      find_core
        cbz     x0, answer_invalid
        ldr     x1, [x0, #SHIM_STATE]
        mov     x0, #0
        cmp     x1, #STATE_ON
        b.eq    1f
        cmp     x1, #STATE_PENDING
        mov     x1, #1
        cinc    x0, x1, eq
1:      br      x14
answer_invalid:
        mov     x0, #RESULT_INVALID
        br      x14
answer_below:
        smc     #0
        br      x14

`;

/** CPU_ON. */
const answerOn = (mutant: ShimMutant | undefined): string =>
  `answer_on:
        tst     x2, #3
        b.ne    answer_invalid
        mov     x12, x2
        mov     x13, x3
        bl      find_core
        cbz     x0, answer_invalid
        ldr     x1, [x0, #SHIM_STATE]
        cmp     x1, #STATE_PENDING
        mov     x2, #RESULT_PENDING
        b.eq    answer_late
        cmp     x1, #STATE_ON
        mov     x2, #RESULT_ALREADY_ON
        b.eq    answer_late
        str     x12, [x0, #SHIM_ENTRY]
        str     x13, [x0, #SHIM_CONTEXT]
        mov     x2, #STATE_PENDING
        str     x2, [x0, #SHIM_STATE]
        dsb     sy
        cmp     x1, #STATE_FRESH
        b.ne    1f
        adrp    x3, vars
        add     x3, x3, :lo12:vars
        add     x3, x3, #VARS_CORE
        mov     x4, #CORE_SIZE
        madd    x3, x15, x4, x3
        ldr     x3, [x3, #CORE_PAGE]            // the release word
        adr     x4, shim_secondary
        ${mutant === "releasesNobody" ? "nop" : "str     x4, [x3]"}
        dsb     sy
1:      sev
        mov     x0, #0
        br      x14
answer_late:
        mov     x0, x2
        br      x14

`;

/** CPU_OFF, and the vectors. */
const OFF =
  `answer_off:                                     // it comes back by CPU_ON, through shim_secondary
        bl      own_core
        mov     x1, #STATE_OFF
        str     x1, [x0, #SHIM_STATE]
        dsb     sy
shim_pen:
        wfe
        ldr     x1, [x0, #SHIM_STATE]
        cmp     x1, #STATE_PENDING
        b.ne    shim_pen
        b       shim_secondary

        .balign 2048
shim_vectors:
        .rept   8
        b       shim_lost
        .balign 128
        .endr
        b       shim_call
        .balign 128
        .rept   7
        b       shim_lost
        .balign 128
        .endr
        .ltorg
`;

/** `shim_call` and `shim_vectors`. */
export function psciAnswers(mutant: ShimMutant | undefined): string {
  return CALLS + QUESTIONS + answerOn(mutant) + OFF;
}
