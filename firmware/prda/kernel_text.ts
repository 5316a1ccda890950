/** The text of the PRDA kernel: its constants, its vectors, and the order of its parts. */
import { dispatch, handlers, writeSlot } from "./dispatch_text.ts";
import type { PrdaKernelOptions } from "./kernel.ts";
import { data, report } from "./report_text.ts";
import { type Scheme, SCHEMES, threadText } from "./schemes.ts";
import { enable, start, tables } from "./start_text.ts";

/** Options with nothing left open. */
export type KernelTextOptions =
  & Required<Omit<PrdaKernelOptions, "mutant">>
  & { readonly expected: number; readonly mutant: PrdaKernelOptions["mutant"] };

/** Of a thread's block: bytes, and where the word is that says that a preemption was put off. */
export const THREAD_SIZE = 320, THREAD_PENDING = 288;

/** Constants: the board's addresses, and offsets in a PE's block (at SP_ELx) and in a thread's block. */
const constants = ({ pes, threads, rounds, period, bound, expected }: KernelTextOptions): string => `
        .equ    UART,           0x09000000
        .equ    GICD,           0x08000000
        .equ    GICC,           0x08010000
        .equ    TIMER,          27              // the virtual timer, PPI 11
        .equ    PSCI_CPU_ON,    0xc4000003
        .equ    PSCI_OFF,       0x84000008
        .equ    PES,            ${pes}
        .equ    THREADS,        ${threads}
        .equ    ROUNDS,         ${rounds}
        .equ    PERIOD,         ${period}
        .equ    BOUND,          ${bound}
        .equ    EXPECTED,       ${expected}
        .equ    OVERLONG,       60000
        .equ    SVC_YIELD,      0
        .equ    SVC_DEFERRED,   1
        .equ    SVC_EXIT,       2
        .equ    PRDA,           0x100000000     // "my PRDA" on every PE
        .equ    SLOT,           8 * 4           // of the root: PRDA >> 30
        .equ    AREA,           14              // log2 of the bytes of a PE's area
        .equ    LEVEL2,         1               // pages of it
        .equ    LEVEL3,         2
        .equ    ROOT,           3
        .equ    PE_NUMBER,      0
        .equ    PE_THREAD,      8
        .equ    PE_LAST,        16              // thread that ran last
        .equ    PE_X0,          32
        .equ    PE_SIZE,        64
        .equ    PC,             248
        .equ    STATE,          256
        .equ    HOME,           264             // PE in whose queue it is
        .equ    RUN,            272             // READY, RUNNING, DONE
        .equ    DEPTH,          280             // non-preemptible sections that it is in
        .equ    PENDING,        ${THREAD_PENDING}             // a preemption was put off
        .equ    DEFERRALS,      296             // preemptions put off in the present section
        .equ    NESTED,         304             // sections entered within others
        .equ    INDEX,          312
        .equ    THREAD_SIZE,    ${THREAD_SIZE}
        .equ    READY,          0
        .equ    RUNNING,        1
        .equ    DONE,           2
`;

/** The whole kernel. */
export function kernelText(options: KernelTextOptions): string {
  const { level: el, mutant } = options, scheme: Scheme = SCHEMES[options.scheme];
  const xn = el === 1 ? 0x60n << 48n : 0x40n << 48n; // UXN and PXN, or XN
  const ap = el === 1 ? 0n : 0x40n; // AP[1] is RES1 at EL2
  return [
    constants(options),
    `
        .equ    DEVICES,        ${xn | 0x401n | ap}     // attribute 0, AF, not executable
        .equ    MEMORY,         ${0x40000705n | ap}     // attribute 1, AF, inner shareable
        .equ    PAGE,           ${xn | 0x707n | ap}     // the same as a page, not executable
`,
    start(el),
    tables,
    enable(el, mutant),
    handlers(el),
    writeSlot(el, mutant),
    dispatch,
    threadText(scheme).replaceAll("TPIDR", `tpidr_el${el}`),
    report,
    `
        .ltorg
        .align  11
vectors:
${entry("sync_entry")}${entry("irq_entry")}${entry("unexpected")}${entry("unexpected")}
${entry("unexpected").repeat(12)}
sync_entry:
${ENTRY}        b       sync
irq_entry:
${ENTRY}        b       irq
`,
    data(options, scheme),
  ].join("");
}

const entry = (target: string): string => `        b       ${target}\n        .space  124\n`;

/** Of a thread's registers, x0, x1, x29 and x30 are kept before anything is called. */
const ENTRY = `        stp     x0, x1, [sp, #PE_X0]
        ldr     x0, [sp, #PE_THREAD]
        stp     x29, x30, [x0, #232]
`;
