/**
 * The vmkernel behind a redirection vector (US10255090B2): it is at EL2 itself, its commands are at EL0, and what leaves EL0
 * comes to EL1, where a page of vectors bounces it to EL2 by HVC and returns what EL2 says by ERET. Both components of
 * the hypervisor are at EL2 then, so a switch between them needs no trampoline, only the exchange of their state; it is the
 * same code.
 */
import { CALL } from "./layout.ts";
import { plantingGroups, plantingText } from "./planting.ts";
import { KEPT_REGISTERS, type WorldRegister } from "./registers.ts";
import { reportText, VMKERNEL_DATA } from "./vmkernel.ts";

/** SVCs of a command beside the request: the end of the machine, and random values for what EL0 cannot name. */
const CALL_OFF = 2, CALL_PLANT = 3;
/** HVC of the vector for synchronous exceptions from EL0: 0x100 and its number. */
const BOUNCE = 0x100, FROM_EL0 = 8;
/** SCTLR_EL1.E0E: EL0 would read its data the other way round. */
const E0E = 1n << 24n;

/** Rows that EL2 plants: what EL1 needs to return to EL0 stays, and EL0 goes on as it is. */
function plantedAtEl2(rows: readonly WorldRegister[]): WorldRegister[] {
  return [...rows, ...KEPT_REGISTERS].filter(({ name }) => name !== "ELR_EL1" && name !== "SPSR_EL1")
    .map((row) => row.name === "SCTLR_EL1" ? { ...row, random: row.random & ~E0E } : row);
}

/** Rows that a command can name. */
function plantedAtEl0(rows: readonly WorldRegister[]): WorldRegister[] {
  return rows.filter(({ name }) => ["TPIDR_EL0", "FPSR", "FPCR"].includes(name));
}

/** Exceptions of commands, bounced to EL2 and told apart. */
const BOUNCED = String.raw`
        .balign 4096
vmkernel:
vmkernel_vectors:
        .set    number, 0
        .rept   16
        hvc     #(${BOUNCE} + number)
        eret
        .balign 128
        .set    number, number + 1
        .endr

        .balign 4096
kernel2:
// HVC from EL1, with X0 and X1 saved, x0 = ESR_EL2: the exception that was bounced is in EL1's registers.
bounced:
        and     x0, x0, #0xffff
        cmp     x0, #${BOUNCE + FROM_EL0}
        b.ne    broken
        mrs     x0, esr_el1
        lsr     x1, x0, #26
        cmp     x1, #0x15                       // SVC
        b.ne    broken
        and     x0, x0, #0xffff
        cmp     x0, #CALL_ENTER
        b.eq    enter
        cmp     x0, #${CALL_OFF}
        b.eq    broken                          // which is how the power goes off
        cmp     x0, #${CALL_PLANT}
        b.ne    refuse
        save_x
`;

/** Back to the commands; interrupts. */
const RETURN = String.raw`        str     xzr, [sp]
        return_from_el2

// The vmkernel's interrupt, at EL2, where it is masked: it is acknowledged all the same.
kernel2_interrupt:
        ldr     x1, =DEVICE_GICC
        ldr     w2, [x1, #0x0c]
        and     w3, w2, #0x3ff
        cmp     w3, #1020
        b.hs    1f
        str     w2, [x1, #0x10]
        add     x1, x1, #1, lsl #12
        str     w2, [x1]
1:      ret
        .ltorg
        .balign 16
kernel2_random: .quad 0xd1342543de82ef95, 0
        .balign 4096
kernel2_end:

`;

/** The text of the vmkernel; `planted` as in `VmkernelOptions`. */
export function redirectionText(rows: readonly WorldRegister[], planted: boolean): string {
  return String.raw`${BOUNCED}${
    planted
      ? `${plantingGroups("kernel2_plant", "kernel2_random", plantedAtEl2(rows), 2)}
kernel2_plant_general:
        str     x9, [x10]`
      : ""
  }
${RETURN}commands:
vmkernel_main:
        svc     #${CALL_PLANT}
${planted ? plantingText("vmkernel_first", "vmkernel_random", plantedAtEl0(rows)) : ""}
vmkernel_unknown:
        svc     #0x63
        adr     x10, vmkernel_refused
        str     x0, [x10]
vmkernel_run:
        svc     #${CALL_PLANT}
${planted ? plantingText("vmkernel_plant", "vmkernel_random", plantedAtEl0(rows)) : ""}
vmkernel_enter:
        svc     #${CALL.ENTER}
vmkernel_left:
        adr     x10, vmkernel_data
        ldr     x11, [x10]
        add     x11, x11, #1
        str     x11, [x10]
        cmp     x0, #REASON_YIELD
        b.eq    vmkernel_run
        cmp     x0, #REASON_IRQ
        b.eq    vmkernel_run
        mov     x20, x0
${reportText(true)}
        svc     #${CALL_OFF}
        .ltorg
${VMKERNEL_DATA}
`;
}
