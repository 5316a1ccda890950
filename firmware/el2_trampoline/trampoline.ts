/**
 * The trampoline: what is at VBAR_EL2 while the vmkernel runs, and the switch itself, in pages that both address spaces
 * of EL2 map alike.
 *
 * A switch is the same code in both directions. SP_EL2 is CONTEXT, which each space maps to the save area of its own
 * world: the state of EL1 goes to CONTEXT, TTBR0_EL2 and VBAR_EL2 and what else only EL2 has come from the description
 * of the other world, and its state of EL1 comes from CONTEXT. So a translation that the first space left in the TLB would
 * put one world's registers into the other: TLBI ALLE2 stands between (with ASIDs, and pages that are not global, it
 * need not). Exceptions are masked throughout, as the exception left them.
 */
import { loadText, saveText, type WorldRegister } from "./registers.ts";

/** The general registers but X0 and X1, to the save area. */
export const SAVE_X: string = `
        .macro  save_x
        ${
  Array.from({ length: 14 }, (_, n) => `stp     x${2 * n + 2}, x${2 * n + 3}, [sp, #${16 * n + 16}]`)
    .join("\n        ")
}
        str     x30, [sp, #240]
        .endm

// All of them from there, and out of EL2.
        .macro  return_from_el2
        ${
  Array.from({ length: 14 }, (_, n) => `ldp     x${2 * n + 2}, x${2 * n + 3}, [sp, #${16 * n + 16}]`)
    .join("\n        ")
}
        ldr     x30, [sp, #240]
        ldp     x0, x1, [sp]
        eret
        .endm
`;

function vectorRegisters(instruction: "stp" | "ldp"): string {
  return Array.from(
    { length: 16 },
    (_, n) => `        ${instruction}     q${2 * n}, q${2 * n + 1}, [sp, #(C_V + ${32 * n})]\n`,
  ).join("");
}

/** What a switch is made of. */
export interface TrampolineText {
  /** Registers of a world. */
  readonly rows: readonly WorldRegister[];
  /** EL1's registers have names of their own at EL2: HCR_EL2.E2H is 1. */
  readonly isHost: boolean;
}

/** What comes to EL2 from the vmkernel. */
const VECTORS = String.raw`
        .balign 4096
trampoline:
trampoline_vectors:
        .rept   8
        b       broken                          // from EL2: there is nothing to be taken
        .balign 128
        .endr
        stp     x0, x1, [sp]                    // synchronous, from the vmkernel
        mrs     x0, esr_el2
        lsr     x1, x0, #26
        cmp     x1, #0x16                       // HVC
        b.ne    broken
.if IS_REDIRECTION
        b       bounced
refuse:
.else
        and     x0, x0, #0xffff
        cmp     x0, #CALL_ENTER
        b.eq    enter
.endif
        ldr     x1, [sp, #8]                    // there is no such request: nothing changes but X0
        mov     x0, #-1
        eret
        .balign 128
        .rept   7
        b       broken                          // HCR_EL2 routes nothing here
        .balign 128
        .endr

`;

/** To the VMM and back, and what of EL2 differs between them. */
const SWITCH = String.raw`// To the VMM, which is entered with the guest's EL1 in place.
enter:  save_x
        bl      save_world
        adr     x0, guest_world
        bl      switch_world
        bl      load_world
        adr     x0, guest_world
        ldr     x0, [x0, #W_ENTRY]
        br      x0

// From the VMM, which has saved the guest's general registers; TPIDR_EL2 is why.
leave:  bl      save_world
        adr     x0, host_world
        bl      switch_world
        bl      load_world
        mrs     x0, tpidr_el2
        str     x0, [sp, #C_X]
.if IS_REDIRECTION
        cmp     x0, #REASON_IRQ
        b.ne    1f
        bl      kernel2_interrupt
1:
.endif
        return_from_el2

// To the world described at x0. Changes x1 and x2.
switch_world:
        ldp     x1, x2, [x0, #W_TTBR]
        msr     ttbr0_el2, x1
switch_vectors:
        msr     vbar_el2, x2
        isb
.if IS_HOST == 0
switch_tlbi:
        tlbi    alle2
        dsb     nsh
        isb
.endif
        ldp     x1, x2, [x0, #W_HCR]
        msr     hcr_el2, x1
        msr     vttbr_el2, x2
        ldp     x1, x2, [x0, #W_VTCR]
        msr     vtcr_el2, x1
        msr     mdcr_el2, x2
        ldr     x1, [x0, #W_CNTHCTL]
        msr     cnthctl_el2, x1
        isb
        ret

`;

/** The power off, EL2's translation on, and the worlds. */
const ENDS = String.raw`// What may not be: the power goes off.
broken: ldr     x0, =0x84000008
        smc     #0
        b       .

// The last of the boot: from here on EL2 is translated.
activate:
        msr     sctlr_el2, x0
        isb
        eret
        .ltorg

        .balign 4096
worlds:
host_world:
        .quad   HOST_TTBR, trampoline_vectors, HOST_HCR, 0, 0, HOST_MDCR, HOST_CNTHCTL, 0
guest_world:
        .quad   GUEST_TTBR, vmm_vectors, GUEST_HCR, GUEST_VTTBR, GUEST_VTCR, GUEST_MDCR, GUEST_CNTHCTL, vmm_entry
        .balign 4096
trampoline_end:
`;

/** The trampoline's text. */
export function trampolineText({ rows, isHost }: TrampolineText): string {
  return String
    .raw`${VECTORS}${SWITCH}// The state of EL1 to CONTEXT, but the general registers. Changes x0 to x2.
save_world:
        mrs     x1, elr_el2
        mrs     x2, spsr_el2
        stp     x1, x2, [sp, #C_PC]
${vectorRegisters("stp")}
        add     x0, sp, #C_SYSTEM
${saveText(rows, isHost)}
        ret

// The state of EL1 from there. Changes x0 to x2.
load_world:
        ldp     x1, x2, [sp, #C_PC]
        msr     elr_el2, x1
        msr     spsr_el2, x2
${vectorRegisters("ldp")}
        add     x0, sp, #C_SYSTEM
${loadText(rows, isHost)}
        ret

${ENDS}`;
}
