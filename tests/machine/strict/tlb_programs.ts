/** Programs that forget to invalidate TLBs. */
import { FAULTED, type MaintenanceProgram, WINDOW } from "./program.ts";

const tlb = { models: ["tlb"], event: "staleTranslationUsed" } as const;
/** Addresses: x1 the window, x2 its descriptor, x3 the operand of TLBI, x4 the descriptor of page1. */
const ADDRESSES = `
        ldr     x1, =${WINDOW}
        ldr     x2, =level3
        lsr     x3, x1, #12
        ldr     x4, =page1 + 0x703
        ldr     x5, [x1]`;
const barrier = "?       dsb sy\n?       isb";

/** Each forgets something else. */
export const TLB_PROGRAMS: readonly MaintenanceProgram[] = [
  {
    ...tlb,
    name: "TLBI after unmapping",
    right: FAULTED,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        str     xzr, [x2]
?       dsb     sy
?       tlbi    vaae1, x3
${barrier}
        ldr     x20, [x1]`,
  },
  {
    ...tlb,
    name: "TLBI after remapping",
    right: 0xbbbbn,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        str     xzr, [x2]
?       dsb     sy
?       tlbi    vae1is, x3
${barrier}
        str     x4, [x2]
        dsb     sy
        isb
        ldr     x20, [x1]`,
  },
  {
    ...tlb,
    name: "TLBI after taking away the permission to write",
    right: FAULTED,
    wrong: 0xdddn,
    body: `${ADDRESSES}
        mov     x20, #0xddd
        ldr     x6, [x2]
        orr     x6, x6, #0x80
        str     x6, [x2]
?       dsb     sy
?       tlbi    vmalle1
${barrier}
        str     x20, [x1]`,
  },
  {
    ...tlb,
    name: "TLBI of the right ASID",
    right: 0xbbbbn,
    wrong: 0xccccn,
    body: `${ADDRESSES}
        add     x1, x1, #2, lsl #12
        mrs     x6, ttbr0_el1
        orr     x6, x6, #1 << 48
        msr     ttbr0_el1, x6
        isb
        ldr     x5, [x1]
        lsr     x3, x1, #12
        ldr     x4, =page1 + 0xf03
        str     x4, [x2, #16]
        dsb     sy
?       orr     x3, x3, #1 << 48
-       orr     x3, x3, #2 << 48
        tlbi    vale1, x3
        dsb     sy
        isb
        ldr     x20, [x1]`,
  },
  {
    ...tlb,
    name: "TLBI ASIDE1 before an ASID is used for other tables",
    right: 0xbbbbn,
    wrong: 0xccccn,
    body: `${ADDRESSES}
        add     x1, x1, #2, lsl #12
        ldr     x5, [x1]
        ldr     x6, =level1b
        msr     ttbr0_el1, x6
        isb
?       tlbi    aside1, xzr
${barrier}
        ldr     x20, [x1]`,
  },
  {
    ...tlb,
    name: "TLBI of global entries, which ASIDE1 leaves",
    right: 0xbbbbn,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        str     x4, [x2]
        dsb     sy
?       tlbi    vae1, x3
-       tlbi    aside1, xzr
        dsb     sy
        isb
        ldr     x20, [x1]`,
  },
  {
    ...tlb,
    name: "TLBI for all CPUs",
    cpus: 2,
    right: 0xbbbbn,
    wrong: 0xaaaan,
    body: `
        bl      start_other
        ldr     x12, =flags
        mov     x13, #1
        bl      await
${ADDRESSES}
        str     x4, [x2]
        dsb     sy
?       tlbi    vae1is, x3
-       tlbi    vae1, x3
        dsb     sy
        mov     x13, #2
        str     x13, [x12]
        mov     x13, #3
        bl      await
        ldr     x20, [x12, #8]
        b       done
other:  ldr     x1, =${WINDOW}
        ldr     x5, [x1]
        ldr     x12, =flags
        mov     x13, #1
        str     x13, [x12]
        mov     x13, #2
        bl      await
        ldr     x5, [x1]
        str     x5, [x12, #8]
        mov     x13, #3
        str     x13, [x12]
1:      wfi
        b       1b`,
  },
  {
    ...tlb,
    name: "the break before a block is made of pages",
    event: "breakBeforeMakeViolated",
    right: 0x1234n,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        ldr     x6, =0x40200000
        mov     x7, #0x1234
        str     x7, [x6]
        ldr     x8, =level2
        ldr     x6, =0x40200701
?       str     xzr, [x8]
?       dsb     sy
?       tlbi    vmalle1
${barrier}
        str     x6, [x8]
        dsb     sy
        isb
        ldr     x5, [x1, #0x1000]
        ldr     x20, [x1]`,
  },
  {
    ...tlb,
    name: "the break before pages are made of a block",
    event: "breakBeforeMakeViolated",
    right: 0xaaaan,
    wrong: 0x1234n,
    body: `
        ldr     x1, =${WINDOW}
        ldr     x6, =0x40200000
        mov     x7, #0x1234
        str     x7, [x6]
        ldr     x8, =level2
        ldr     x4, [x8]
        ldr     x6, =0x40200701
        str     x6, [x8]
        dsb     sy
        isb
        ldr     x5, [x1]
?       str     xzr, [x8]
?       dsb     sy
?       tlbi    vmalle1is
${barrier}
        str     x4, [x8]
        dsb     sy
        isb
        ldr     x20, [x1]`,
  },
  {
    ...tlb,
    name: "TLBI before AT is asked where a page is",
    right: 1n,
    wrong: 0n,
    body: `${ADDRESSES}
        str     xzr, [x2]
?       dsb     sy
?       tlbi    vaale1, x3
${barrier}
        at      s1e1r, x1
        isb
        mrs     x20, par_el1
        and     x20, x20, #1`,
  },
];
