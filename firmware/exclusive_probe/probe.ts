/**
 * The probe of exclusive-probe (US20190213095A1): a guest that finds out by its exclusive monitor whether it is virtualized.
 *
 * `LDXR; operation; STXR`: an exception return clears the local monitor (Arm ARM B2.9.2), so that the store fails if the
 * operation was trapped. Each operation is tried in a number of rounds, which tells traps from interrupts that happened to
 * come in between. It runs at any 2 MiB boundary from 1 to 4 GiB (linked at PROBE_BASE), is entered at EL1 with the MMU
 * off, as `-kernel`, by KVM or by Xen, and needs a console and PSCI. It maps itself twice by blocks of 1 GiB:
 * where it is for EL1, and EL0_ALIAS above for EL0, whose writable pages EL1 cannot execute (D8.4.1).
 */
import type { Program } from "../../machine/a64/program.ts";
import { label, Part, program } from "../../machine/a64/program_parts.ts";
import { imageHeader } from "../image.ts";
import { printing, type ProbeConsole } from "./console.ts";
import { operationName, PROBE_OPERATIONS, type ProbeOperation } from "./operations.ts";
import { vectors } from "./vectors.ts";

/** Where the program is linked, and where `-kernel` puts it on board virt. */
export const PROBE_BASE = 0x4020_0000n;

/** What is added to an address for EL0, and for an access as to Device memory; both together are for both. */
export const EL0_ALIAS: bigint = 8n << 30n, DEVICE_ALIAS: bigint = 16n << 30n;

/** PSTATE at EL0: EL0t; debug exceptions, SErrors and FIQs are masked, interrupts only where none are taken. */
const EL0_STATE = { masked: 0x3c0, unmasked: 0x340 };

/** How a probe is made. */
export interface ProbeOptions {
  /** Rounds of each operation, 1–65535 (default 16); with one it is the naive probe, which believes its only try. */
  readonly rounds?: number;
  /** How it calls PSCI; SMC where the firmware is at EL3 (default hvc). */
  readonly conduit?: "hvc" | "smc";
  /** Where it prints: the PL011 of board virt (the default), or Xen's console for its first domain. */
  readonly console?: ProbeConsole;
  /** It takes interrupts, by a GICv2, the UART's among them (default: they are masked). */
  readonly takesInterrupts?: boolean;
  /** It sets the virtual timer to interrupt it after so many ticks of the counter, again and again; takes interrupts. */
  readonly period?: number;
  /** The second CPU is started, and stores next to the word now and then. */
  readonly isContended?: boolean;
  /** The word is at this address modulo 4: at anything but 0, load-exclusives fault. */
  readonly misalignment?: 0 | 1 | 2 | 3;
  /** The word is mapped as Device-nGnRnE memory. */
  readonly isDevice?: boolean;
  /** Only operations of this index in PROBE_OPERATIONS and the controls; all by default. */
  readonly only?: number;
}

/** The largest number of rounds, and of ticks. */
const MOST = 65535;

/** The three instructions, as a routine: x1 = the word; w2 = 1 if the store failed. */
function routine({ register }: ProbeOperation, index: number): string {
  return `
pair${index}:   ldxr    w0, [x1]
operation${index}: ${register === undefined ? "nop" : `mrs x3, ${register}`}
store${index}:  stxr    w2, w0, [x1]
        ret
`;
}

/** A row of the probe's table: 16 bytes. Offsets are from the first byte, so that the program runs anywhere. */
function row(operation: ProbeOperation, index: number): string {
  const { level, register, isKernels } = operation;
  const flags = level | (register === undefined ? 2 : 0) | (isKernels === true ? 4 : 0);
  return `        .word   pair${index} - first, name${index} - first, ${flags}, 0\n`;
}

const name = (operation: ProbeOperation, index: number): string =>
  `name${index}: .asciz "${operationName(operation)} "\n`;

/** The second CPU: it stores next to the word, in its granule, and then does something else for a while. */
const CONTENDER = String.raw`
contend:
        bl      enable_mmu
        adr     x1, target
1:      str     xzr, [x1, #8]
        mov     x2, #300
2:      subs    x2, x2, #1
        b.ne    2b
        b       1b
`;

/** The vectors, GIC and timer. */
function interrupts(period: number): string {
  const timer = period === 0 ? "" : `
        mov     x1, #${period}
        msr     cntv_tval_el0, x1
        mov     x1, #1
        msr     cntv_ctl_el0, x1`;
  return `
        ldr     x0, =0x08000000                 // GICD
        mov     w1, #1
        str     w1, [x0]
        ldr     w1, =(1 << 27)                  // the virtual timer
        str     w1, [x0, #0x100]
        mov     w1, #2                          // the UART's 33, for this CPU
        str     w1, [x0, #0x104]
        mov     w1, #0x0100
        str     w1, [x0, #0x820]
        ldr     x0, =0x08010000                 // GICC
        mov     w1, #0xff
        str     w1, [x0, #4]
        mov     w1, #1
        str     w1, [x0]${timer}
        msr     daifclr, #2`;
}

/** Whether interrupts are unmasked. */
const isInterruptible = ({ period = 0, takesInterrupts = false }: ProbeOptions): boolean =>
  takesInterrupts || period > 0;

/** From the entry to the first operation. */
function start(options: ProbeOptions): string {
  const { period = 0, isContended = false } = options;
  return `
start:  bl      enable_mmu
        adr     x0, vectors
        msr     vbar_el1, x0
        msr     mdscr_el1, xzr                  // EL0 may read MDCCSR_EL0
        mov     x0, #3
        msr     cntkctl_el1, x0                 // and the counters
        mrs     x0, sctlr_el1
        orr     x0, x0, #(1 << 15)              // and CTR_EL0 (UCT)
        msr     sctlr_el1, x0
        isb
        adr     x0, stack
        mov     sp, x0${
    isContended
      ? `
        ldr     x0, =0xc4000003                 // PSCI CPU_ON
        mov     x1, #1
        adr     x2, contend
        mov     x3, #0
        conduit`
      : ""
  }${isInterruptible(options) ? interrupts(period) : ""}
`;
}

/**
 * The rounds and the verdicts. x19 = row, x20 = rounds, x21 = rows left; x22 = failures of the level's control,
 * x23 = operations of the level that failed more often than not, x27 = the level.
 */
const PROBE = String.raw`
probe:  adr     x0, text_rounds
        bl      print
        mov     x0, #ROUNDS
        bl      print_decimal
        adr     x0, text_line
        bl      print
        adr     x19, rows
        mov     w14, #0xace1
        mov     x18, #0
        mov     x20, #ROUNDS
        mov     x21, #ROWS
        mov     x23, #0
        mov     x27, #1
next:   ldr     w28, [x19, #8]                  // flags: level, 2 control, 4 the kernel's
        and     x0, x28, #1
        cmp     x0, x27
        b.eq    1f
        bl      verdict
        mov     x27, #0
        mov     x23, #0
1:      adr     x4, first
        ldr     w5, [x19]
        add     x4, x4, x5
        bl      try
        mov     x26, x6
        adr     x0, first
        ldr     w5, [x19, #4]
        add     x0, x0, x5
        bl      print
        mov     x0, x26
        bl      print_decimal
        adr     x0, text_line
        bl      print
        tbz     x28, #1, 1f
        mov     x22, x26
1:      lsl     x0, x26, #1                     // more than half failed, and it counts
        cmp     x0, x20
        cset    x0, hi
        tst     x28, #4
        csel    x0, xzr, x0, ne
        add     x23, x23, x0
        add     x19, x19, #16
        subs    x21, x21, #1
        b.ne    next
        bl      verdict
off:    ldr     x0, =0x84000008                 // PSCI SYSTEM_OFF
        conduit
        b       park

// Prints a level's verdict: there is none where more than a quarter of the control failed, which nothing can trap.
verdict:
        mov     x24, x30
        adr     x0, text_el
        bl      print
        mov     x0, x27
        bl      print_decimal
        lsl     x1, x22, #2
        cmp     x1, x20
        adr     x0, text_inconclusive
        b.hi    1f
        cmp     x23, #0
        adr     x0, text_virtualized
        adr     x1, text_bare
        csel    x0, x0, x1, ne
1:      mov     x30, x24
        b       print

// Tries the pair at x4 in x20 rounds at level x27; x6 = how many failed.
try:    mov     x5, x20
        mov     x6, #0
        adr     x1, target
        add     x1, x1, #MISALIGNMENT
        mov     x0, #TARGET_ALIAS
        add     x1, x1, x0
        mov     x8, x30
        cbz     x27, enter_el0
        bl      rounds
        ret     x8
enter_el0:
        msr     daifset, #2                     // an interrupt would change ELR_EL1 and SPSR_EL1
        mov     x0, #EL0_ALIAS
        add     x1, x1, x0
        add     x4, x4, x0
        adr     x2, rounds
        add     x2, x2, x0
        msr     elr_el1, x2
        adr     x30, leave
        add     x30, x30, x0
        mov     x2, #EL0_STATE
        msr     spsr_el1, x2
        eret
leave:  svc     #0
left_el0:
        unmask
        ret     x8

// Between two rounds a few steps pass, each time another number of them (a shift register in x14): otherwise what comes
// periodically could keep in step with the rounds.
rounds: mov     x7, x30
1:      blr     x4
        add     x6, x6, x2
        and     w15, w14, #1
        lsr     w14, w14, #1
        cbz     w15, 2f
        mov     w15, #0xb400
        eor     w14, w14, w15
2:      and     w15, w14, #15
3:      sub     w15, w15, #1
        tbz     w15, #31, 3b
        subs    x5, x5, #1
        b.ne    1b
        ret     x7

// One table of 1 GiB blocks: devices, then memory for EL1, the same for EL0 at EL0_ALIAS, and as Device memory. Changes x0 to x6.
enable_mmu:
        adr     x0, table
        ldr     x1, =0x0060000000000401         // Device-nGnRnE (AttrIndx 0), AF, UXN and PXN
        str     x1, [x0]
        ldr     x1, =0x0040000000000705         // Normal (AttrIndx 1), AF, inner shareable, UXN
        ldr     x2, =0x0020000000000745         // the same for EL0 too, PXN
        ldr     x6, =0x0060000000000441         // as Device memory, for EL0 too
        mov     x3, #1
1:      add     x4, x0, x3, lsl #3
        orr     x5, x1, x3, lsl #30
        str     x5, [x4]
        orr     x5, x2, x3, lsl #30
        str     x5, [x4, #64]
        orr     x5, x6, x3, lsl #30
        str     x5, [x4, #128]
        str     x5, [x4, #192]
        add     x3, x3, #1
        cmp     x3, #4
        b.ne    1b
        msr     ttbr0_el1, x0
        ldr     x1, =0xff00
        msr     mair_el1, x1
        ldr     x1, =0x80803519                 // 39 bits, 4 KiB, write-back walks, TTBR1 off
        msr     tcr_el1, x1
        dsb     sy
        tlbi    vmalle1
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        ldr     x2, =0x1005                     // M, C, I
        orr     x1, x1, x2
        msr     sctlr_el1, x1
        isb
        ret
        .ltorg

text_rounds:        .asciz  "rounds "
text_line:          .asciz  "\r\n"
text_el:            .asciz  "el"
text_virtualized:   .asciz  " verdict virtualized\r\n"
text_bare:          .asciz  " verdict bare\r\n"
text_inconclusive:  .asciz  " verdict inconclusive\r\n"
        .balign 4
`;

/** The word has a granule of its own: nothing that the probe itself stores to is near it. */
const DATA = String.raw`
        .balign 4096
target: .space  4096
table:  .space  4096
        .space  4096
stack:
end:
`;

/** What the source text leaves open. */
function equates(options: ProbeOptions, rows: number): string {
  const { rounds = 16, misalignment = 0, isDevice = false, conduit = "hvc" } = options,
    canTake = isInterruptible(options);
  return `
        .equ    ROUNDS, ${rounds}
        .equ    ROWS, ${rows}
        .equ    MISALIGNMENT, ${misalignment}
        .equ    EL0_ALIAS, ${EL0_ALIAS}
        .equ    TARGET_ALIAS, ${isDevice ? DEVICE_ALIAS : 0n}
        .equ    EL0_STATE, ${canTake ? EL0_STATE.unmasked : EL0_STATE.masked}
        .macro  unmask
        ${canTake ? "msr daifclr, #2" : ""}
        .endm
        .macro  conduit
        ${conduit} #0
        .endm
`;
}

/** The operations of a probe, in order. */
export function operationsOf({ only }: ProbeOptions): readonly ProbeOperation[] {
  return PROBE_OPERATIONS.filter(({ register }, index) =>
    only === undefined || index === only || register === undefined
  );
}

/**
 * Makes the probe. Symbols `pairN`, `operationN` and `storeN` are the three instructions of the N-th of its operations;
 * `target` is the word. Throws RangeError for rounds or a period that do not fit.
 */
export function probeProgram(options: ProbeOptions = {}): Program {
  const { rounds = 16, period = 0, isContended = false } = options;
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= MOST)) {
    throw new RangeError(`Cannot make a probe of ${rounds} rounds: there are 1 to ${MOST}`);
  }
  if (!(Number.isInteger(period) && period >= 0 && period <= MOST)) {
    throw new RangeError(`Cannot make a probe with a timer of ${period} ticks: there are 0 to ${MOST}`);
  }
  const operations = operationsOf(options), entry = label("start"), end = label("end");
  const text = [
    equates(options, operations.length),
    start(options),
    PROBE,
    printing(options.console ?? "pl011"),
    "        .balign 64\nfirst:\n",
    ...operations.map(routine),
    "rows:\n",
    ...operations.map(row),
    ...operations.map(name),
    "        .balign 4\n",
    ...isContended ? [CONTENDER] : [],
    vectors(period),
    DATA,
  ].join("");
  const header = imageHeader({ entry, size: end });
  return program([header, new Part(() => text, "exclusive_probe")], {
    name: "exclusive_probe",
    base: PROBE_BASE,
  });
}
