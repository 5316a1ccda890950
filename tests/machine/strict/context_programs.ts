/** Programs that forget ISB after writing a system register. */
import { FAULTED, type MaintenanceProgram, WINDOW } from "./program.ts";

const context = { models: ["context"], event: "staleRegisterUsed" } as const;

/** Each forgets ISB after another register. */
export const CONTEXT_PROGRAMS: readonly MaintenanceProgram[] = [
  {
    ...context,
    name: "ISB after SCTLR_EL1.M",
    starts: "untranslated",
    right: 0xaaaan,
    wrong: FAULTED,
    body: `
        ldr     x9, =0x4404ff
        msr     mair_el1, x9
        ldr     x9, =0x200803519
        msr     tcr_el1, x9
        ldr     x9, =level1
        msr     ttbr0_el1, x9
        isb
        ldr     x1, =${WINDOW}
        mrs     x9, sctlr_el1
        orr     x9, x9, #1
        msr     sctlr_el1, x9
?       isb
        ldr     x20, [x1]`,
  },
  {
    ...context,
    name: "ISB after TTBR0_EL1",
    right: 0xbbbbn,
    wrong: 0xaaaan,
    body: `
        ldr     x1, =${WINDOW}
        ldr     x9, =level1b
        msr     ttbr0_el1, x9
?       isb
        ldr     x20, [x1]`,
  },
  {
    ...context,
    name: "ISB after CPACR_EL1",
    right: 0x55n,
    wrong: FAULTED,
    body: `
        mov     x1, #0x300000
        msr     cpacr_el1, x1
?       isb
        mov     x2, #0x55
        fmov    d0, x2
        fmov    x20, d0`,
  },
  {
    ...context,
    name: "ISB after CPACR_EL1 takes floating point away",
    right: FAULTED,
    wrong: 0x66n,
    body: `
        mov     x1, #0x300000
        mov     x20, #0x66
        mov     x5, #3
1:      msr     cpacr_el1, x1
        isb
        fmov    d0, x20
        msr     cpacr_el1, xzr
?       isb
        mrs     x7, tpidr_el1
        fmov    d1, x20
        subs    x5, x5, #1
        b.ne    1b`,
  },
  {
    ...context,
    name: "ISB after VBAR_EL1",
    right: 7n,
    wrong: FAULTED,
    body: `
        adr     x1, mine
        msr     vbar_el1, x1
?       isb
        brk     #0
        .balign 2048
mine:   .space  0x200
        mov     x20, #7`,
  },
  {
    ...context,
    name: "ISB between CSSELR_EL1 and CCSIDR_EL1",
    right: 0x201fe012n,
    wrong: 0x701fe00an,
    body: `
        mov     x1, #1
        msr     csselr_el1, x1
?       isb
        mrs     x20, ccsidr_el1`,
  },
];
