/** The fixed part of the law's guests: from reset down to EL1, and vectors that skip, go on elsewhere or return. */
import type { Choices } from "./random.ts";

/** What the fixed part of a program depends on. */
export interface Plan {
  /** The random choices. */
  readonly choices: Choices;
  /** Where the program lies. */
  readonly base: number;
  /** Stage 1 is on. */
  readonly translates: boolean;
  /** Random code begins at EL0. */
  readonly usesEl0: boolean;
  /** Stage 2 is on where EL2 is. */
  readonly usesStage2: boolean;
  /** Random code may begin above EL1. */
  readonly staysHigh: boolean;
  /** Counts between two timer interrupts. */
  readonly period: number;
  /** HCR_EL2; 0 without EL2. */
  readonly hcr: bigint;
  /** SCR_EL3. */
  readonly scr: number;
}

/** A number as the assembler reads it. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Loads a constant without touching memory. */
function constant(register: string, value: number | bigint): string {
  const parts = [0n, 16n, 32n, 48n].map((shift) => [shift, BigInt(value) >> shift & 0xffffn] as const);
  const used = parts.filter(([shift, part]) => part !== 0n || shift === 0n);
  return used.map(([shift, part], index) =>
    `${index === 0 ? "movz" : "movk"} ${register}, #${part}, lsl #${shift}`
  ).join("\n");
}

/** The addresses that random code expects (see atoms.ts). */
function bases({ base, translates }: Plan, device: string): string {
  const alias = translates ? 0x4000_0000 : 0;
  return [
    constant("x20", 0x4040_0000 + alias),
    constant("x21", 0x4040_0040 + alias),
    `adr x22, level3`,
    translates ? constant("x16", alias) + "\nadd x22, x22, x16" : "",
    constant("x23", translates ? 0xc000_0000 : 0x4040_0000),
    constant("x24", base + alias),
    constant("x25", 0x0900_0000),
    constant("x26", 0x0800_0000),
    constant("x27", 0x0801_0000),
    constant("x28", BigInt(device)),
  ].join("\n");
}

/** Vectors of one level and what they lead to; uses registers freely, and no memory. */
export function handlers(level: 1 | 2 | 3, plan: Plan): string {
  const { choices, usesEl0 } = plan;
  const to = (kind: string) => `b ${kind}${level}\n.balign 128`;
  const landing = level > 1 ? 0x3c0 | (level << 2) | 1 : usesEl0 ? 0 : 5;
  const toggle = level > 1 ? 0 : usesEl0 ? choices.of([0, 5, 5, 4]) : choices.of([0, 0, 1]);
  return `
        .balign 2048
vectors${level}:
${[1, 2, 3, 4].map(() => ["sync", "irq", "irq", "irq"].map(to).join("\n")).join("\n")}
sync${level}: mrs x0, esr_el${level}
        lsr     w1, w0, #26
        cbz     w1, skip${level}
        cmp     w1, #0x25
        b.eq    skip${level}
        cmp     w1, #0x15
        b.eq    call${level}
        cmp     w1, #0x16
        b.eq    out${level}
        cmp     w1, #${level === 3 ? "0x17" : "0x16"}
        b.eq    out${level}
        cmp     w1, #0x32
        b.eq    out${level}
        cmp     w1, #0x33
        b.eq    out${level}
        cmp     w1, #0x20
        b.eq    land${level}
        cmp     w1, #0x21
        b.eq    land${level}
        cmp     w1, #0x22
        b.eq    land${level}
        cmp     w1, #0x0e
        b.eq    land${level}
skip${level}: mrs x0, elr_el${level}
        add     x0, x0, #4
        msr     elr_el${level}, x0
out${level}: eret
call${level}: mrs x0, spsr_el${level}
        mov     x1, #${toggle}
        eor     x0, x0, x1
        msr     spsr_el${level}, x0
        eret
land${level}: mrs x0, cntpct_el0
        and     x0, x0, #7
        adr     x1, landings
        add     x1, x1, x0, lsl #2
        msr     elr_el${level}, x1
        mov     x0, #${landing}
        msr     spsr_el${level}, x0
        b       back${level}
${interruptHandler(level, plan)}`;
}

/** Ends the interrupt, quiets the UART, and sets the timer again or stops it; a spurious one is masked. */
function interruptHandler(level: 1 | 2 | 3, plan: Plan): string {
  const { choices, period } = plan;
  const again = choices.oneIn(3)
    ? "msr cntv_ctl_el0, xzr"
    : `msr cntv_tval_el0, x2\nmov x2, #1\nmsr cntv_ctl_el0, x2`;
  return `irq${level}: ${constant("x27", 0x0801_0000)}
        ldr     w0, [x27, #0xc]
        and     w1, w0, #0x3ff
        cmp     w1, #1020
        b.hs    quiet${level}
        str     w0, [x27, #0x10]
        ${constant("x25", 0x0900_0000)}
        mov     w1, #0x7ff
        str     w1, [x25, #0x44]
        ldr     w1, [x25]
        msr     cntp_ctl_el0, xzr
        mov     x2, #${period}
        ${again}
        eret
quiet${level}: mrs x0, spsr_el${level}
        orr     x0, x0, #0xc0
        msr     spsr_el${level}, x0
        eret
back${level}: ${bases(plan, "0x09010000")}
        eret
`;
}

/** From the highest level that the CPU starts at down to EL1, where it sets things up and enters random code. */
export function prologue(plan: Plan): string {
  return [fromEl3(plan), fromEl2(plan), atEl1(plan), startOthers(plan)].join("\n");
}

function fromEl3({ hcr, scr, staysHigh }: Plan): string {
  const to2 = hcr !== 0n && (scr & 1) === 1;
  return `
start:  mrs     x19, mpidr_el1
        and     x19, x19, #7
        mrs     x0, currentel
        cmp     x0, #8
        b.eq    at2
        b.lo    level1code
        adr     x0, vectors3
        msr     vbar_el3, x0
        ${constant("x0", scr)}
        msr     scr_el3, x0
        msr     cptr_el3, xzr
        mov     x0, #${to2 ? 0x3c9 : 0x3c5}
        msr     spsr_el3, x0
        adr     x0, ${to2 ? "at2" : "level1code"}
        msr     elr_el3, x0
        ${staysHigh ? "b level1code" : "eret"}`;
}

function fromEl2({ choices, hcr, usesStage2, staysHigh }: Plan): string {
  return `
at2:    adr     x0, vectors2
        msr     vbar_el2, x0
        mov     x0, #0x33ff
        msr     cptr_el2, x0
        mov     x0, #3
        msr     cnthctl_el2, x0
        ${constant("x0", BigInt(choices.below(5000)))}
        msr     cntvoff_el2, x0
        ldr     x0, =0x80023559
        msr     vtcr_el2, x0
        ldr     x0, =stage2
        msr     vttbr_el2, x0
        ${constant("x0", hcr | (usesStage2 ? 1n : 0n))}
        msr     hcr_el2, x0
        mov     x0, #0x3c5
        msr     spsr_el2, x0
        adr     x0, level1code
        msr     elr_el2, x0
        ${staysHigh && choices.oneIn(2) ? "b level1code" : "eret"}`;
}

function atEl1(plan: Plan): string {
  const { choices, translates, period } = plan;
  const control = 0x30d0_0800 | (translates ? 0x1005 : 0) |
    choices.of([0, 0x1_0000, 0x5_0000, 0x5_0002, 0x405_c000]);
  const tcr = 0x8080_3519n | (choices.oneIn(2) ? 1n << 37n : 0n);
  return `
level1code:
        adr     x0, vectors1
        msr     vbar_el1, x0
        ${constant("x0", 0x30_0000)}
        msr     cpacr_el1, x0
        ldr     x0, =0x0444ff00
        msr     mair_el1, x0
        ldr     x0, =${hex(tcr)}
        msr     tcr_el1, x0
        ldr     x0, =level1
        msr     ttbr0_el1, x0
        mov     x0, #${choices.below(256)}
        msr     cntkctl_el1, x0
        ${constant("x0", 0x0801_0000)}
        mov     w1, #0xf0
        str     w1, [x0, #4]
        mov     w1, #${choices.of([1, 3, 7])}
        str     w1, [x0]
        ${constant("x0", 0x0800_0000)}
        mov     w1, #3
        str     w1, [x0]
        ${constant("x1", 0x4c80_ffff)}
        str     w1, [x0, #0x100]
        mov     w1, #${choices.of([0, 6, 0xffff])}
        str     w1, [x0, #0x104]
        mov     w1, #0x0f0f
        str     w1, [x0, #0x820]
        mov     x1, #${period}
        msr     cntv_tval_el0, x1
        mov     x1, #${choices.of([1, 1, 1, 0])}
        msr     cntv_ctl_el0, x1
        ${constant("x0", control)}
        msr     sctlr_el1, x0
        isb
        ${bases(plan, choices.of(["0x09010000", "0x04000000", "0x09020000"]))}
        add     x0, x20, x19, lsl #8
        add     sp, x0, #0x800
        ${choices.oneIn(4) ? "nop" : "msr daifclr, #7"}`;
}

function startOthers({ usesEl0 }: Plan): string {
  return `
        cbnz    x19, enter
        mov     x19, #1
1:      ldr     x0, =0xc4000003
        mov     x1, x19
        ldr     x2, =start
        mov     x3, x19
        hvc     #0
        ldr     x0, =0xc4000003
        smc     #0
        add     x19, x19, #1
        cmp     x19, #4
        b.lo    1b
enter:  ${usesEl0 ? "mov x0, #0\nmsr spsr_el1, x0\nadr x0, landings\nmsr elr_el1, x0\neret" : "b landings"}
`;
}
