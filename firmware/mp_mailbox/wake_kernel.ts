/**
 * A kernel of few instructions that takes CPUs out of their mailboxes as Linux does: for every order of wake-ups, with
 * SGIs that are meant for nobody between them. Linked at MAILBOX_KERNEL_AT; entered by the loader at its level.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { FUNCTION } from "../../machine/psci.ts";
import { PRINT } from "../common_code.ts";
import { UART_ADDRESS } from "../loader/console.ts";
import { MAILBOX_KERNEL_AT } from "./loader.ts";
import { MAILBOX_EQUATES } from "./page.ts";

/** One thing that the kernel does. */
export type WakeAction =
  /** Address and number into the mailbox of a CPU, no wake-up. */
  | { readonly kind: "write"; readonly cpu: number }
  /** An SGI to a CPU; or, by spin-table, SEV. */
  | { readonly kind: "wake"; readonly cpu: number }
  /** An SGI to several CPUs at once. */
  | { readonly kind: "wakeAll"; readonly cpus: readonly number[] };

/** What a kernel is built for. */
export interface WakeKernelOptions {
  /** The exception level that it is entered at. */
  readonly level: 1 | 2;
  /** How CPUs wait. */
  readonly protocol: "parking" | "spin-table";
  /** Version of the interrupt controller. */
  readonly gic: 2 | 3;
  /** Physical address of the page of CPU 1; those of the others follow. */
  readonly mailboxes: bigint;
  /** CPUs that come, but for CPU 0. */
  readonly cpus: readonly number[];
  /** What is done, in order. */
  readonly actions: readonly WakeAction[];
}

/** What it prints when all have come, and their mailboxes are clear. */
export const WOKEN = "woken: all";

/** Linux' IPI_WAKEUP. */
const SGI = 6;

function sgi(gic: 2 | 3, cpus: readonly number[]): string {
  const targets = cpus.reduce((mask, cpu) => mask | 1 << cpu, 0);
  return gic === 2
    ? `        ldr     x0, =GICD
        ldr     w1, =${targets << 16 | SGI}
        str     w1, [x0, #0xf00]                // GICD_SGIR
`
    : `        ldr     x1, =${BigInt(SGI) << 24n | BigInt(targets)}
        msr     icc_sgi1r_el1, x1
        isb
`;
}

function code(action: WakeAction, { protocol, gic, mailboxes }: WakeKernelOptions): string {
  if (action.kind === "wake") return protocol === "parking" ? sgi(gic, [action.cpu]) : "        sev\n";
  if (action.kind === "wakeAll") return protocol === "parking" ? sgi(gic, action.cpus) : "        sev\n";
  const page = `        ldr     x0, =${mailboxes + BigInt((action.cpu - 1) * 4096)}
        adr     x1, secondary
        str     x1, [x0, #MAILBOX_ADDRESS]
`;
  return protocol === "spin-table"
    ? `${page}        dsb     sy\n`
    : `${page}        mov     w1, #${action.cpu}
        str     w1, [x0, #MAILBOX_ID]
        dsb     sy
`;
}

const check = (cpu: number, mailboxes: bigint): string => `
1:      ldr     w0, [x20, #${cpu * 4}]
        yield
        cbz     w0, 1b
        ldr     x0, =${mailboxes + BigInt((cpu - 1) * 4096)}
        ldr     x0, [x0, #MAILBOX_ADDRESS]
        cbnz    x0, uncleared
`;

/** The kernel. Labels of interest: `act` (the first action), `acted`, `secondary`, `came` (where CPUs stay), `marks` (a word for each CPU), `off`. */
export function wakeKernel(options: WakeKernelOptions): Program {
  const { level, gic, mailboxes, cpus, actions } = options;
  const text = `
        .equ    UART, 0x${UART_ADDRESS.toString(16)}
        .equ    GICD, 0x08000000
${MAILBOX_EQUATES}
_start: b       begin
        .word   0
        .quad   0, end - _start, 10
        .quad   0, 0, 0
        .ascii  "ARM\\x64"
        .word   0
begin:  ldr     x0, =GICD
        mov     w1, #${gic === 2 ? 1 : 0x12}    // GICD_CTLR: Group 0, or Group 1 with affinity routing
        str     w1, [x0]
        adr     x20, marks
        dsb     sy
act:
${actions.map((action) => code(action, options)).join("")}
acted:
${cpus.map((cpu) => check(cpu, mailboxes)).join("")}
        adr     x0, text_woken
        b       1f
uncleared:
        adr     x0, text_uncleared
1:      bl      print
off:    ldr     w0, =${FUNCTION.SYSTEM_OFF}
        ${level === 1 ? "hvc" : "smc"}     #0
        b       .

secondary:
        mrs     x1, mpidr_el1
        and     x1, x1, #0xff
        adr     x2, marks
        add     x2, x2, x1, lsl #2
        ldr     w3, [x2]
        add     w3, w3, #1                      // a CPU that comes twice is seen
        str     w3, [x2]
        dsb     sy
came:   wfi
        b       came
${PRINT}
        .ltorg
text_woken:     .asciz "${WOKEN}\\r\\n"
text_uncleared: .asciz "woken: an address is not cleared\\r\\n"
        .balign 64
marks:  .space  64
end:
`;
  return assembleProgram(text, { name: "wake_kernel", base: BigInt(MAILBOX_KERNEL_AT) });
}
