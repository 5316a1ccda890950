/**
 * A guest that meets every kind of debug exception at EL0 and EL1, and prints what each left in its registers: what it
 * prints must not depend on whether MDCR_EL2.TDE brings them to EL2 first (US20210224090A1).
 *
 * Link address DEBUG_BASE, entered at EL1 with the MMU off; needs the PL011 and PSCI by HVC. A line is a letter for the
 * scene or `!` for an exception, then ESR_EL1, ELR_EL1 from the start, SPSR_EL1 and FAR_EL1 in hexadecimal.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Where `-kernel` puts a flat image. */
export const DEBUG_BASE = 0x4008_0000n;

/** MDSCR_EL1. */
const SS = 1n, KDE = 1n << 13n, MDE = 1n << 15n;
/** DBGBCR_EL1 and DBGWCR_EL1: enabled, by level; BAS of four bytes; stores. */
const BREAK_EL0 = 0x1e5n, BREAK_BOTH = 0x1e7n, WATCH_STORES = 0x1ff7n;
/** SPSR_EL1: EL0 or EL1 with SP_EL1, A, I and F masked; PSTATE.D and SS. */
const TO_EL0 = 0x1c0n, TO_EL1 = 0x1c5n, D = 0x200n, STEP = 1n << 21n;

/** One scene: what is set, where it goes, and how many steps are made. */
interface Scene {
  /** MDSCR_EL1. */
  readonly control: bigint;
  /** DBGBCR0_EL1 and DBGWCR0_EL1; on `broken` and `watched`. */
  readonly breakpoint?: bigint;
  readonly watchpoint?: bigint;
  /** SPSR_EL1 of the return to `body`. */
  readonly state: bigint;
  /** Label of the code. */
  readonly body: string;
  /** Software steps until MDSCR_EL1.SS is cleared. */
  readonly steps?: number;
}

// deno-fmt-ignore
const SCENES: readonly Scene[] = [
  { control: 0n,              state: TO_EL1,                body: "breaks" },
  { control: 0n,              state: TO_EL0,                body: "breaks" },
  { control: MDE,             state: TO_EL0,                body: "broken", breakpoint: BREAK_EL0 },
  { control: MDE,             state: TO_EL1,                body: "broken", breakpoint: BREAK_BOTH },
  { control: MDE | KDE,       state: TO_EL1,                body: "broken", breakpoint: BREAK_BOTH },
  { control: MDE | KDE,       state: TO_EL1 | D,            body: "broken", breakpoint: BREAK_BOTH },
  { control: MDE,             state: TO_EL0,                body: "stores", watchpoint: WATCH_STORES },
  { control: MDE,             state: TO_EL1,                body: "stores", watchpoint: WATCH_STORES },
  { control: MDE | KDE,       state: TO_EL1,                body: "stores", watchpoint: WATCH_STORES },
  { control: MDE | KDE,       state: TO_EL1 | D,            body: "stores", watchpoint: WATCH_STORES },
  { control: SS,              state: TO_EL0 | STEP,         body: "walks",  steps: 30 },
  { control: SS,              state: TO_EL0,                body: "walks",  steps: 5 },
  { control: SS,              state: TO_EL1 | STEP,         body: "walks",  steps: 5 },
  { control: SS | KDE,        state: TO_EL1 | STEP,         body: "walks",  steps: 30 },
  { control: SS | KDE,        state: TO_EL1,                body: "walks",  steps: 4 },
  { control: SS | KDE,        state: TO_EL1 | STEP | D,     body: "opens",  steps: 6 },
  { control: SS | KDE | MDE,  state: TO_EL0 | STEP,         body: "stores", steps: 9, watchpoint: WATCH_STORES, breakpoint: BREAK_BOTH },
  { control: SS | MDE,        state: TO_EL1 | STEP,         body: "stores", steps: 9, watchpoint: WATCH_STORES, breakpoint: BREAK_BOTH },
];

/** The program. */
export function debugGuest(): Program {
  const scenes = SCENES.map((scene, index) => `
        mov     w0, #'${String.fromCharCode(0x61 + index)}'
        bl      put
        mov     w0, #10
        bl      put
        ldr     x27, =${scene.steps ?? 0}
        ldr     x0, =${scene.breakpoint ?? 0n}
        msr     dbgbcr0_el1, x0
        ldr     x0, =${scene.watchpoint ?? 0n}
        msr     dbgwcr0_el1, x0
        ldr     x0, =${scene.control}
        ldr     x1, =${scene.state}
        adr     x2, ${scene.body}
        adr     x19, 1f
        b       go
1:`);
  const source = String.raw`
        .equ    UART,           0x09000000
        .equ    PSCI_OFF,       0x84000008

_start: adr     x0, vectors
        msr     vbar_el1, x0
        adr     x26, _start
        msr     oslar_el1, xzr
        adr     x0, broken
        msr     dbgbvr0_el1, x0
        ldr     x21, =word
        msr     dbgwvr0_el1, x21
        mrs     x0, sctlr_el1
        orr     x0, x0, #2                      // alignment is checked
        msr     sctlr_el1, x0
        isb
${scenes.join("\n")}
        ldr     w0, =PSCI_OFF
        hvc     #0
        b       .

// Sets MDSCR_EL1 to x0 and goes to x2 with PSTATE x1; the scene goes on at x19 behind SVC #0.
go:     msr     spsr_el1, x1
        msr     elr_el1, x2
        msr     mdscr_el1, x0
        isb
        eret

breaks: brk     #1
        brk     #0x85
        svc     #0
broken: nop
        svc     #0
stores: mov     x0, #7
        str     w0, [x21]
        ldr     w1, [x21]
        str     w0, [x21, #8]
        svc     #0
walks:  mov     x0, #0
        add     x0, x0, #1
        cbz     x0, walks
        svc     #1                              // taken and returned from in between
        add     x0, x0, #1
        ldxr    w3, [x21]
        stxr    w4, w3, [x21]
        ldr     w3, [x21, #1]                   // not aligned: an abort
        add     x0, x0, #1
        brk     #2
        add     x0, x0, #1
        b       1f
        nop
1:      svc     #0
opens:  nop
        msr     daifclr, #8
        nop
        nop
        svc     #0

// Writes the character w0. Changes x9.
put:    ldr     x9, =UART
        strb    w0, [x9]
        ret

// Writes x10 in hexadecimal and a space. Changes x9 to x13.
hex:    mov     x11, #60
1:      lsr     x12, x10, x11
        and     x12, x12, #15
        cmp     x12, #10
        add     x13, x12, #'0'
        add     x12, x12, #'a' - 10
        csel    x12, x12, x13, ge
        ldr     x9, =UART
        strb    w12, [x9]
        subs    x11, x11, #4
        b.ge    1b
        mov     w12, #32
        strb    w12, [x9]
        ret

taken:  mov     x17, x30
        mov     x16, x0
        mov     w0, #'!'
        bl      put
        mrs     x10, esr_el1
        bl      hex
        mrs     x10, elr_el1
        sub     x10, x10, x26
        bl      hex
        mrs     x10, spsr_el1
        bl      hex
        mrs     x10, far_el1
        bl      hex
        mov     w0, #10
        bl      put
        mov     x0, x16
        mov     x30, x17
        mrs     x10, esr_el1
        lsr     x11, x10, #26
        cmp     x11, #0x15
        b.eq    called
        cmp     x11, #0x3c
        b.eq    behind
        and     x12, x11, #0x3e
        cmp     x12, #0x24
        b.eq    behind
        cmp     x12, #0x30
        b.eq    unbreak
        cmp     x12, #0x34
        b.eq    unwatch
        cmp     x12, #0x32
        b.eq    step
        ldr     w0, =PSCI_OFF                   // what there should not be
        hvc     #0
called: tst     x10, #0xffff
        b.ne    back
        mrs     x10, mdscr_el1                  // the scene is over
        mov     x11, #0xa001
        bic     x10, x10, x11
        msr     mdscr_el1, x10
        isb
        br      x19
behind: mrs     x10, elr_el1
        add     x10, x10, #4
        msr     elr_el1, x10
back:   eret
unbreak: msr    dbgbcr0_el1, xzr
        isb
        eret
unwatch: msr    dbgwcr0_el1, xzr
        isb
        eret
step:   subs    x27, x27, #1
        mrs     x10, spsr_el1
        orr     x10, x10, #0x200000
        msr     spsr_el1, x10
        b.gt    back
        mrs     x10, mdscr_el1
        bic     x10, x10, #1
        msr     mdscr_el1, x10
        isb
        eret
        .ltorg
        .align  11
vectors:
        .rept   16
        b       taken
        .align  7
        .endr
        .align  4
word:   .quad   0, 0
`;
  return assembleProgram(source, { name: "debug_guest", base: DEBUG_BASE });
}
