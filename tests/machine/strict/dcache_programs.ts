/** Programs that forget to clean or to invalidate the data cache. */
import { FAULTED, type MaintenanceProgram, UNCACHED, WINDOW } from "./program.ts";

const dcache = { models: ["dcache"], event: "staleDataRead" } as const;

/** x1 is page0, x2 the same uncached. */
const ADDRESSES = `
        ldr     x1, =page0
        ldr     x2, =${UNCACHED}
        add     x2, x1, x2`;

const barrier = "        dsb     sy";

/** fw_cfg's DMA: the request at x5 reads 4 bytes of the signature to x1. */
const REQUEST = `
        ldr     x5, =page2
        ldr     w6, =0x0a000000
        str     w6, [x5]
        ldr     w6, =0x04000000
        str     w6, [x5, #4]
        rev     x6, x1
        str     x6, [x5, #8]`;
const START_DMA = `
        dsb     sy
        ldr     x7, =0x09020000
        rev     w6, w5
        str     wzr, [x7, #16]
        str     w6, [x7, #20]
        dsb     sy`;
const SIGNATURE = 0x554d4551n;

/** Cleans the set of x1 at a level by set and way; x3 is twice the level, sets and ways are those of CCSIDR_EL1. */
const CLEAN_LEVEL = `
clean_level:
        msr     csselr_el1, x3
        isb
        mrs     x6, ccsidr_el1
        ubfx    x7, x6, #3, #10
        ubfx    x8, x6, #13, #15
        clz     w9, w7
        and     x10, x8, x1, lsr #6
1:      lsl     w11, w7, w9
        orr     x11, x11, x3
        orr     x11, x11, x10, lsl #6
        dc      csw, x11
        subs    x7, x7, #1
        b.ge    1b
        ret`;

/** Each forgets something else. */
export const DCACHE_PROGRAMS: readonly MaintenanceProgram[] = [
  {
    ...dcache,
    name: "DC CVAC before memory is read uncached",
    right: 0x77n,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        mov     x3, #0x77
        str     x3, [x1]
?       dc      cvac, x1
${barrier}
        ldr     x20, [x2]`,
  },
  {
    ...dcache,
    name: "the point of coherency, which DC CVAU does not reach",
    right: 0x77n,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        mov     x3, #0x77
        str     x3, [x1]
?       dc      civac, x1
-       dc      cvau, x1
${barrier}
        ldr     x20, [x2]`,
  },
  {
    ...dcache,
    name: "DC IVAC before memory is read that was written uncached",
    right: 0x77n,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        ldr     x3, [x1]
        mov     x3, #0x77
        str     x3, [x2]
${barrier}
?       dc      ivac, x1
${barrier}
        ldr     x20, [x1]`,
  },
  {
    ...dcache,
    name: "DC ZVA and DC CVAC before memory is read uncached",
    right: 0n,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        dc      zva, x1
?       dc      cvac, x1
${barrier}
        ldr     x20, [x2]`,
  },
  {
    ...dcache,
    name: "DC CVAC of a request that a device reads",
    right: SIGNATURE,
    wrong: 0n,
    body: `${ADDRESSES}
        str     xzr, [x1]
        dc      civac, x1
${REQUEST}
?       dc      cvac, x5
${START_DMA}
        ldr     w20, [x1]`,
  },
  {
    ...dcache,
    name: "DC IVAC of a buffer that a device writes",
    right: SIGNATURE,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        ldr     w20, [x1]
${REQUEST}
        dc      cvac, x5
${START_DMA}
?       dc      ivac, x1
        dsb     sy
        ldr     w20, [x1]`,
  },
  {
    ...dcache,
    name: "DC IVAC of a dirty buffer before a device writes it",
    event: "staleDataWritten",
    right: SIGNATURE,
    wrong: 0n,
    body: `${ADDRESSES}
        str     xzr, [x1]
?       dc      ivac, x1
${REQUEST}
        dc      cvac, x5
${START_DMA}
        dc      civac, x1
        dsb     sy
        ldr     w20, [x1]`,
  },
  {
    ...dcache,
    name: "DC CVAC of descriptors that are walked uncached",
    right: 0xaaaan,
    wrong: FAULTED,
    body: `
        mrs     x9, tcr_el1
        bic     x9, x9, #0xf00
        msr     tcr_el1, x9
        isb
        ldr     x1, =${WINDOW}
        ldr     x2, =level3
        ldr     x4, [x2]
        str     x4, [x2, #24]
?       add     x3, x2, #24
?       dc      cvac, x3
        dsb     sy
        isb
        ldr     x20, [x1, #0x3000]`,
  },
  {
    ...dcache,
    name: "DC CVAC before the cache is turned off",
    right: 0x77n,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        mov     x3, #0x77
        str     x3, [x1]
?       dc      cvac, x1
        dsb     sy
        mrs     x9, sctlr_el1
        bic     x9, x9, #4
        msr     sctlr_el1, x9
        isb
        ldr     x20, [x1]`,
  },
  {
    ...dcache,
    name: "the second level in cleaning by set and way",
    right: 0x77n,
    wrong: 0xaaaan,
    body: `${ADDRESSES}
        mov     x4, #0x77
        str     x4, [x1]
        mov     x3, #0
        bl      clean_level
?       mov     x3, #2
?       bl      clean_level
        dsb     sy
        ldr     x20, [x2]
        b       done
${CLEAN_LEVEL}`,
  },
  {
    ...dcache,
    name: "DC CVAU of new code",
    event: "staleInstructionFetched",
    right: 2n,
    wrong: 1n,
    body: `
        adr     x1, code
        ldr     w2, =0xd2800040
        str     w2, [x1]
?       dc      cvau, x1
        dsb     sy
        ic      ivau, x1
        dsb     sy
        isb
        bl      code
        mov     x20, x0
        b       done
        .balign 64
code:   mov     x0, #1
        ret`,
  },
  {
    ...dcache,
    name: "DC CVAU of patched code, before IC IVAU",
    models: ["icache", "dcache"],
    event: "staleInstructionFetched",
    right: 2n,
    wrong: 1n,
    body: `
        adr     x1, code
        bl      code
        ldr     w2, =0xd2800040
        str     w2, [x1]
?       dc      cvau, x1
        dsb     sy
        ic      ivau, x1
        dsb     sy
        isb
        bl      code
        mov     x20, x0
        b       done
        .balign 64
code:   mov     x0, #1
        ret`,
  },
];
