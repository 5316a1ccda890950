/**
 * The probe as a first process of Linux, which tries what a program at EL0 can, tells it and powers off.
 *
 * Linked at LINUX_PROBE_BASE as a static executable, entered at EL0 by any Linux on arm64 as `/init`; needs nothing else.
 * Linux reads ID registers for programs, and CNTVCT_EL0 and CTR_EL0 are theirs to read; MDCCSR_EL0 is not (MDSCR_EL1.TDCC).
 */
import type { Program } from "../../machine/a64/program.ts";
import { Part, program } from "../../machine/a64/program_parts.ts";
import { printing } from "./console.ts";
import { PROBE_OPERATIONS, type ProbeOperation } from "./operations.ts";
import { operationsText, ROUNDS_TEXT } from "./rounds.ts";

/** Where the process is linked. */
export const LINUX_PROBE_BASE = 0x40_0000n;

/** Registers that a program may read under Linux, by itself or by the kernel. */
const READABLE: readonly (string | undefined)[] = [undefined, "ID_AA64PFR0_EL1", "CTR_EL0", "CNTVCT_EL0"];

/** What the process tries, in order. */
export const LINUX_OPERATIONS: readonly ProbeOperation[] = PROBE_OPERATIONS.filter(({ level, register }) =>
  level === 0 && READABLE.includes(register)
);

const PROCESS = String.raw`
_start: b       probe

try:    mov     x5, x20
        mov     x6, #0
        adrp    x1, target
        add     x1, x1, :lo12:target
        mov     x17, x30
        bl      rounds
        ret     x17

off:    ldr     x0, =0xfee1dead
        ldr     x1, =672274793
        ldr     x2, =0x4321fedc                 // LINUX_REBOOT_CMD_POWER_OFF
        mov     x8, #142                        // reboot
        svc     #0
        b       .
        .ltorg
`;

/** Makes the process with so many rounds, 1–65535. */
export function linuxProbeProgram(rounds: number): Program {
  const text = [
    `        .equ    ROUNDS, ${rounds}\n        .equ    ROWS, ${LINUX_OPERATIONS.length}\n        .equ    FIRST_LEVEL, 0\n`,
    PROCESS,
    ROUNDS_TEXT,
    printing("linux"),
    operationsText(LINUX_OPERATIONS),
    "        .balign 4096\ntarget: .space 4096\n",
  ].join("");
  return program([new Part(() => text, "linux_probe")], { name: "linux_probe", base: LINUX_PROBE_BASE });
}
