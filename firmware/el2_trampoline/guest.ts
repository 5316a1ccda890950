/**
 * The small guest: fills its registers with random values and gives way, so many times, then powers off by PSCI.
 *
 * Linked at GUEST_BASE, entered at EL1 with the MMU off; it needs 1 MiB of RAM, the PL011 and PSCI by HVC, and a VMM
 * that knows the call YIELD. It turns the MMU on, with tables other than the vmkernel's.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { CONSOLE } from "../loader/console.ts";
import { LOADER_MAIR, translationControl } from "../loader/translation_layout.ts";
import { CALL, DEVICES, MAP_LAYOUT } from "./layout.ts";
import { plantingText } from "./planting.ts";
import { worldRegisters } from "./registers.ts";

/** Where the guest is linked. */
export const GUEST_BASE = 0x4008_0000n;

/** What a guest does. */
export interface SmallGuestOptions {
  /** How often it gives way; 1 or more. */
  readonly rounds: number;
  /** The CPU has FEAT_PAuth. */
  readonly pauth?: boolean;
  /** Steps, about, that it computes between two calls (default 0). */
  readonly work?: number;
}

/** Its own translation; what is the vmkernel's is tried. */
const BEGIN = String.raw`
_start: adr     x0, guest_table
        ldr     x1, =0x0060000000000401         // Device, 1 GiB
        str     x1, [x0]
        ldr     x1, =0x0040000040000705         // Normal
        str     x1, [x0, #8]
        msr     ttbr0_el1, x0
        ldr     x1, =${LOADER_MAIR}
        msr     mair_el1, x1
        ldr     x1, =${translationControl(1, MAP_LAYOUT) | 2n << 32n}
        msr     tcr_el1, x1
        adr     x1, guest_vectors
        msr     vbar_el1, x1
        mov     x1, #(3 << 20)
        msr     cpacr_el1, x1
        mov     x1, #2
        msr     cntv_ctl_el0, x1
        dsb     sy
        tlbi    vmalle1
        ic      iallu
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        ldr     x2, =0x1005
        orr     x1, x1, x2
        msr     sctlr_el1, x1
        isb
        hvc     #${CALL.ENTER}                  // the vmkernel's call is nothing here
        adr     x10, guest_answer
        str     x0, [x10]
        mrs     x0, pmccntr_el0                 // what is the vmkernel's reads as zero
        mrs     x1, dbgbvr0_el1
        mrs     x2, cntp_cval_el0
        mrs     x3, mdscr_el1
        orr     x0, x0, x1
        orr     x2, x2, x3
        orr     x0, x0, x2
        str     x0, [x10, #8]
        mvn     x0, xzr                         // and does not change
        msr     pmccntr_el0, x0
        msr     dbgbvr0_el1, x0
        msr     cntp_cval_el0, x0
`;

/** What it tells, and its exceptions. */
const END = String.raw`        ldr     x26, =${DEVICES.UART}
        adr     x0, guest_text
        bl      put_text
        adr     x0, guest_answer
        ldr     x0, [x0]
        bl      put_hex
        adr     x0, guest_text_kept
        bl      put_text
        adr     x0, guest_answer
        ldr     x0, [x0, #8]
        bl      put_hex
        adr     x0, guest_text_rounds
        bl      put_text
        adr     x0, guest_random
        ldr     x0, [x0, #8]
        bl      put_hex
        adr     x0, guest_text_line
        bl      put_text
        ldr     x0, =0x84000008
        hvc     #0
        b       .
        .ltorg
guest_text:         .asciz "guest: the vmkernel's call: "
guest_text_kept:    .asciz ", the vmkernel's registers: "
guest_text_rounds:  .asciz ", rounds: "
guest_text_line:    .asciz "\r\n"
guest_text_fault:   .asciz "guest: exception: "
        .balign 2048
guest_vectors:
        .rept   16
        b       guest_fault
        .balign 128
        .endr
guest_fault:
        mrs     x20, esr_el1
        ldr     x26, =${DEVICES.UART}
        adr     x0, guest_text_fault
        bl      put_text
        mov     x0, x20
        bl      put_hex
        adr     x0, guest_text_line
        bl      put_text
        ldr     x0, =0x84000008
        hvc     #0
        b       .
        .ltorg
        .balign 16
guest_random:   .quad 0x2545f4914f6cdd1d, 0
guest_answer:   .quad 0, 0
        .balign 4096
guest_table:    .space 4096
`;

/** Assembles a guest. */
export function smallGuest({ rounds, pauth = false, work = 0 }: SmallGuestOptions): Program {
  const rows = worldRegisters(pauth).filter(({ trapped }) => trapped !== true);
  const text = String.raw`${BEGIN}guest_run:
${
    work === 0 ? "" : `
        ldr     x0, =${Math.ceil(work / 2)}
1:      subs    x0, x0, #1
        b.ne    1b`
  }
${plantingText("guest_plant", "guest_random", rows)}
        hvc     #${CALL.YIELD}
guest_back:
        adr     x10, guest_random
        ldr     x11, [x10, #8]
        ldr     x12, =${rounds}
        cmp     x11, x12
        b.lo    guest_run
${END}`;
  return assembleProgram([{ name: "guest", text }, CONSOLE], { base: GUEST_BASE });
}
