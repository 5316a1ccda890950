/** Programs that forget to invalidate instruction caches. */
import type { MaintenanceProgram } from "./program.ts";

const icache = { models: ["icache"], event: "staleInstructionFetched", right: 2n, wrong: 1n } as const;

/** `mov x0, #1` at `code` becomes `mov x0, #2`; x1 is its address. */
const PATCH = `
        ldr     w2, =0xd2800040
        str     w2, [x1]
        dc      cvau, x1
        dsb     sy`;

const CODE = `
        b       done
        .balign 64
code:   mov     x0, #1
        ret
        .balign 64`;

/** Each forgets something else. */
export const ICACHE_PROGRAMS: readonly MaintenanceProgram[] = [
  {
    ...icache,
    name: "IC IVAU after patching code",
    body: `
        adr     x1, code
        bl      code
${PATCH}
?       ic      ivau, x1
        dsb     sy
        isb
        bl      code
        mov     x20, x0
${CODE}`,
  },
  {
    ...icache,
    name: "IC IALLU after patching code, with translation off",
    starts: "untranslated",
    body: `
        mrs     x9, sctlr_el1
        orr     x9, x9, #0x1000
        msr     sctlr_el1, x9
        isb
        adr     x1, code
        bl      code
${PATCH}
?       ic      iallu
        dsb     sy
        isb
        bl      code
        mov     x20, x0
${CODE}`,
  },
  {
    ...icache,
    name: "IC IVAU of every line that was patched",
    body: `
        adr     x1, code
        bl      code
        bl      second
${PATCH}
        ldr     w2, =0xd2800040
        str     w2, [x1, #64]
        add     x3, x1, #64
        dc      cvau, x3
        dsb     sy
        ic      ivau, x1
?       add     x1, x1, #64
?       ic      ivau, x1
        dsb     sy
        isb
        bl      code
        cmp     x0, #2
        b.ne    fault
        bl      second
        mov     x20, x0
${CODE}
second: mov     x0, #1
        ret`,
  },
  {
    ...icache,
    name: "IC for all CPUs",
    cpus: 2,
    body: `
        bl      start_other
        ldr     x12, =flags
        mov     x13, #1
        bl      await
        adr     x1, code
${PATCH}
?       ic      ialluis
-       ic      iallu
        dsb     sy
        mov     x13, #2
        str     x13, [x12]
        mov     x13, #3
        bl      await
        ldr     x20, [x12, #8]
        b       done
other:  bl      code
        ldr     x12, =flags
        mov     x13, #1
        str     x13, [x12]
        mov     x13, #2
        bl      await
        isb
        bl      code
        str     x0, [x12, #8]
        mov     x13, #3
        str     x13, [x12]
1:      wfi
        b       1b
${CODE}`,
  },
];
