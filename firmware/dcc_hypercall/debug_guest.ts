/**
 * The guest that debugs itself: BRK, breakpoints, watchpoints and software steps at EL1 and EL0, with MDSCR_EL1.KDE and
 * PSTATE.D either way, and debug registers written and read back. It prints ESR_EL1, ELR_EL1, SPSR_EL1 and FAR_EL1 of
 * each exception, so that what it prints says whether somebody below EL1's view changed any of it.
 *
 * It is a flat kernel for `-M virt -kernel` at DEBUG_GUEST_BASE, entered at EL1 with the MMU off, with PSCI by HVC.
 */

/** Where `-kernel` puts a flat image. */
export const DEBUG_GUEST_BASE = 0x40080000n;

/** What a guest is made for. */
export interface DebugGuestOptions {
  /** It also looks at what QEMU 7.2 does otherwise: MDSCR_EL1.TDCC, and the registers that QEMU lacks. */
  readonly hasChannel: boolean;
  /** It also makes unprivileged accesses to watched memory from EL1. */
  readonly isUnprivileged?: boolean;
}

/** MDSCR_EL1. */
const SS = 1, TDCC = 1 << 12, KDE = 1 << 13, MDE = 1 << 15;
/** SPSR_EL1 for EL0 and EL1, with debug exceptions unmasked, and with a step to do. */
const EL0 = 0x1c0, EL1 = 0x1c5, STEP = 1 << 21;
/** DBGBCR0_EL1 and DBGWCR0_EL1 for EL0, and for EL1: of stores there. */
const BREAK = { 0: 0x1e5, 1: 0x1e3 } as const, WATCH = { 0: 0x1ffd, 1: 0x1ff3 } as const;

type Level = 0 | 1;

const control = (value: number): string => `
        ldr     x0, =${value}
        msr     mdscr_el1, x0
        isb`;
const breakpoint = (label: string, level: Level): string => `
        adr     x0, ${label}
        msr     dbgbvr0_el1, x0
        mov     x0, #${BREAK[level]}
        msr     dbgbcr0_el1, x0`;
const watchpoint = (level: Level): string => `
        adr     x0, watched
        msr     dbgwvr0_el1, x0
        mov     x0, #${WATCH[level]}
        msr     dbgwcr0_el1, x0`;
const disarm = `
        msr     dbgbcr0_el1, xzr
        msr     dbgwcr0_el1, xzr
        msr     mdscr_el1, xzr
        isb`;
/** Goes to a label with a state, and comes back by SVC #0. */
const enter = (label: string, state: number, n: number): string => `
        adr     x0, ${label}
        msr     elr_el1, x0
        ldr     x0, =${state}
        msr     spsr_el1, x0
        adr     x18, back${n}
        eret
back${n}:`;

/** Code at EL1 with a breakpoint on it. */
const atKernel = (n: number, unmask: boolean): string => `
        ${unmask ? "msr     daifclr, #8" : "nop"}
kernel${n}: mov     x1, #${n}
        msr     daifset, #8`;
const store = (instruction: string, unmask: boolean): string => `
        adr     x0, watched
        ${unmask ? "msr     daifclr, #8" : "nop"}
        ${instruction}     x26, [x0]
        msr     daifset, #8`;

/** An exclusive pair, tried three times at most; prints how many tries are left. */
const exclusive = (n: number): string => `
        adr     x0, watched
        mov     x3, #3
pair${n}: ldaxr x1, [x0]
        add     x1, x1, #1
        cbz     x1, done${n}
storing${n}: stlxr w2, x1, [x0]
        cbz     w2, done${n}
        subs    x3, x3, #1
        b.ne    pair${n}
done${n}:${disarm}
        mov     x0, x3
        bl      show`;

const readBack = (name: string, value: string): string => `
        ldr     x0, =${value}
        msr     ${name}, x0
        mrs     x0, ${name}
        bl      show`;

/** Scenarios are named by a letter. */
const NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

interface Scenario {
  readonly when?: keyof DebugGuestOptions;
  readonly code: (n: number) => string;
}

// deno-fmt-ignore
const SCENARIOS: readonly Scenario[] = [
  { code: () => "        brk     #0x123" },
  { code: (n) => enter("user_brk", EL0, n) },
  { code: (n) => breakpoint("user_two", 0) + control(MDE) + enter("user", EL0, n) + disarm },
  { code: (n) => breakpoint(`kernel${n}`, 1) + control(MDE | KDE) + atKernel(n, true) + disarm },
  { code: (n) => breakpoint(`kernel${n}`, 1) + control(MDE) + atKernel(n, true) + disarm },
  { code: (n) => breakpoint(`kernel${n}`, 1) + control(MDE | KDE) + atKernel(n, false) + disarm },
  { code: () => watchpoint(1) + control(MDE | KDE) + store("str", true) + disarm },
  { code: () => watchpoint(1) + control(MDE) + store("str", true) + disarm },
  { code: () => watchpoint(1) + control(MDE | KDE) + store("str", false) + disarm },
  { code: (n) => watchpoint(0) + control(MDE) + enter("user", EL0, n) + disarm },
  { when: "isUnprivileged", code: () => watchpoint(0) + control(MDE) + store("sttr", true) + disarm },
  { when: "isUnprivileged", code: () => watchpoint(0) + control(MDE | KDE) + store("sttr", true) + disarm },
  { code: (n) => "        mov     x19, #9" + control(SS) + enter("user", EL0 | STEP, n) + disarm },
  { code: (n) => "        mov     x19, #3" + control(SS) + enter("user", EL0, n) + disarm },
  { code: (n) => "        mov     x19, #5" + control(SS | KDE) + enter("user", EL1 | STEP, n) + disarm },
  { code: (n) => "        mov     x19, #2" + control(SS | KDE) + enter("user", EL1, n) + disarm },
  { code: (n) => "        mov     x19, #9" + breakpoint("user_two", 0) + control(SS | MDE) + enter("user", EL0 | STEP, n) + disarm },
  { code: () => control(SS) + "\n        svc     #2\n        brk     #7" + disarm },
  { code: (n) => control(SS) + exclusive(n) },
  { code: (n) => breakpoint(`storing${n}`, 1) + control(MDE) + "\n        msr     daifclr, #8" + exclusive(n) + "\n        msr     daifset, #8" },
  { code: () => watchpoint(1) + control(SS | MDE) + store("str", true) + disarm },
  { code: () => ["dbgbvr0_el1", "dbgbvr5_el1", "dbgwvr3_el1"].map((name) => readBack(name, "0x00007fff12345678")).join("") },
  { code: () => ["dbgbcr3_el1", "dbgwcr3_el1"].map((name) => readBack(name, "0x1fe6")).join("") + readBack("mdscr_el1", "0xa000") + disarm },
  { when: "hasChannel", code: (n) => control(TDCC) + enter("user_channel", EL0, n) },
  { when: "hasChannel", code: (n) => control(0) + enter("user_channel", EL0, n) },
  { when: "hasChannel", code: (n) => "        mov     x19, #12" + control(SS) + enter("user_channel", EL0 | STEP, n) + disarm },
  { when: "hasChannel", code: (n) => "        mov     x19, #12" + control(SS | TDCC) + enter("user_channel", EL0 | STEP, n) + disarm },
  { when: "hasChannel", code: () => control(TDCC | KDE) + "\n        mrs     x0, mdscr_el1\n        bl      show\n        mrs     x0, mdccsr_el0\n        bl      show" + disarm },
  { when: "hasChannel", code: () =>
    ["mdccint_el1", "oseccr_el1", "osdtrrx_el1", "osdtrtx_el1", "dbgclaimset_el1", "dbgclaimclr_el1"].map((name) => readBack(name, "0x60000055")).join("") +
    "\n        mrs     x0, dbgauthstatus_el1\n        bl      show\n        mrs     x0, dbgclaimclr_el1\n        bl      show" },
];

/** The program, for `assembleProgram` at DEBUG_GUEST_BASE. */
export function debugGuestSource(options: DebugGuestOptions): string {
  const { hasChannel, isUnprivileged = true } = options, chosen = { hasChannel, isUnprivileged };
  const scenarios = SCENARIOS.filter(({ when }) => when === undefined || chosen[when]);
  const body = scenarios.map(({ code }, n) => `
        mov     w0, #'${NAMES[n]}'
        strb    w0, [x26]
        mov     w0, #10
        strb    w0, [x26]
${code(n)}
`);
  return `${START}${body.join("")}${REST}`;
}

const START = String.raw`
        ldr     x26, =0x09000000
        adr     x0, vectors
        msr     vbar_el1, x0
        adr     x0, stack
        mov     sp, x0
        msr     daifset, #15
        msr     nzcv, xzr
        msr     mdscr_el1, xzr
        msr     oslar_el1, xzr
        isb
`;

const REST = String.raw`
        ldr     x0, =0x84000008                 // SYSTEM_OFF
        hvc     #0
        b       .
        .ltorg

// What runs at EL0, and stepped at EL1; it ends by SVC #0.
user:   mov     x5, #1
        adr     x6, watched
user_two: ldr   x7, [x6]
        svc     #1
        add     x5, x5, #1
        svc     #0
user_brk: brk   #0x456
        svc     #0
user_channel:
        mrs     xzr, mdccsr_el0
        mov     x7, #-1
        mrs     x7, mdccsr_el0
        msr     dbgdtrtx_el0, x7
        mrs     x7, dbgdtrrx_el0
        msr     dbgdtr_el0, x7
        mrs     x7, dbgdtr_el0
        mrs     x7, mdscr_el1                   // UNDEFINED at EL0
        svc     #0

// x0 in 16 digits, and a line's end. Changes nothing else.
show:   stp     x0, x1, [sp, #-32]!
        stp     x2, x3, [sp, #16]
        mov     x1, #60
1:      lsr     x2, x0, x1
        and     x2, x2, #15
        cmp     x2, #9
        mov     x3, #('a' - 10)
        b.hi    2f
        mov     x3, #'0'
2:      add     x2, x2, x3
        strb    w2, [x26]
        subs    x1, x1, #4
        b.pl    1b
        mov     w2, #10
        strb    w2, [x26]
        ldp     x2, x3, [sp, #16]
        ldp     x0, x1, [sp], #32
        ret

// Tells of an exception; then a step goes on for x19 steps, a breakpoint or watchpoint once more without MDE, SVC #0 to
// x18 at EL1, what was not done behind the instruction. Changes x20 to x25.
sync:   mrs     x20, esr_el1
        mrs     x21, elr_el1
        mrs     x22, spsr_el1
        mrs     x24, mdscr_el1
        stp     x0, x30, [sp, #-16]!
        bic     x0, x24, #1                     // as kernels do; until the return
        msr     mdscr_el1, x0
        mov     x0, x20
        bl      show
        mov     x0, x21
        bl      show
        mov     x0, x22
        bl      show
        lsr     x25, x20, #26
        cmp     x25, #0x32
        b.eq    stepped
        cmp     x25, #0x33
        b.eq    stepped
        cmp     x25, #0x34
        b.lo    not_watch
        cmp     x25, #0x35
        b.hi    not_watch
        mrs     x0, far_el1
        bl      show
        b       once
not_watch:
        cmp     x25, #0x30
        b.eq    once
        cmp     x25, #0x31
        b.eq    once
        cmp     x25, #0x15
        b.eq    called
        add     x21, x21, #4                    // BRK, trapped, UNDEFINED
        bic     x22, x22, #(1 << 21)
        b       return
stepped:
        orr     x22, x22, #(1 << 21)
        subs    x19, x19, #1
        b.ne    return
        bic     x24, x24, #1
        bic     x22, x22, #(1 << 21)
        b       return
once:   bic     x24, x24, #(1 << 15)
        b       return
called: tst     x20, #0xffff
        b.ne    return
        mov     x21, x18
        mov     x22, #0x3c5
        mov     x24, #0
return: msr     mdscr_el1, x24
        msr     elr_el1, x21
        msr     spsr_el1, x22
        ldp     x0, x30, [sp], #16
        eret
        .ltorg
        .balign 2048
vectors: b      .
        .balign 128
        b       .
        .space  0x180 - 4
        b       sync
        .balign 512
        b       sync
        .balign 2048
watched: .quad  0, 0
        .space  4096
stack:  .quad   0
`;
