/** The VMM in A64 at EL2: its vectors, exits of its guest, and what is left of it beside one in TypeScript. */
import { nameAtEl2 } from "./registers.ts";
import { VMM_CALLS, VMM_FUNCTIONS } from "./vmm_calls.ts";
import { VMM_DISTRIBUTOR, VMM_MASKS } from "./vmm_distributor.ts";
import { VMM_INTERRUPTS } from "./vmm_interrupts.ts";

/** Vectors: what comes from the guest saves X0 and X1 and goes to its handler; nothing comes from EL2. */
function vectors(synchronous: string, interrupt: string): string {
  const entry = (handler: string) => `
        stp     x0, x1, [sp]
        b       ${handler}
        .balign 128`;
  return `
        .balign 4096
vmm:
vmm_vectors:
        .rept   8
        b       broken
        .balign 128
        .endr${entry(synchronous)}${entry(interrupt)}${entry(interrupt)}${entry("vmm_serror")}
        .rept   4
        b       broken
        .balign 128
        .endr
`;
}

/** Entered, left, and what came synchronously from the guest. */
const EXITS = `
vmm_entry:
        mov     w1, #PRIORITY_GUEST_MASK
        ldr     x0, =DEVICE_GICC
        str     w1, [x0, #4]                    // GICC_PMR
vmm_resume:
        return_from_el2

vmm_serror:
        save_x
        mov     x0, #REASON_SERROR
vmm_leave:
        msr     tpidr_el2, x0
        mov     w1, #PRIORITY_VMKERNEL_MASK
        ldr     x0, =DEVICE_GICC
        str     w1, [x0, #4]
        b       leave

vmm_synchronous:
        save_x
        mrs     x20, esr_el2
        lsr     x21, x20, #26
        cmp     x21, #0x16
        b.eq    vmm_call
        cmp     x21, #0x24
        b.eq    vmm_data_abort
        cmp     x21, #0x18
        b.eq    vmm_register
        cmp     x21, #0x20
        b.eq    vmm_fetch_abort
        cmp     x21, #0x17
        b.ne    vmm_undefined
        mov     x0, #-1                         // SMC: nobody is below
        str     x0, [sp, #C_X]
vmm_skip:
        mrs     x0, elr_el2
        add     x0, x0, #4
        msr     elr_el2, x0
        b       vmm_resume

// A debug register, a performance monitor or the physical timer: not the guest's, they read as zero and ignore writes.
vmm_register:
        ubfx    x1, x20, #5, #5
        tbz     x20, #0, vmm_skip
        cmp     x1, #31
        b.eq    vmm_skip
        str     xzr, [sp, x1, lsl #3]
        b       vmm_skip

`;

/** Exceptions that the guest takes; `isHost` as in `saveText`. */
function injection(isHost: boolean): string {
  const at = (name: string) => nameAtEl2(name, isHost);
  return `// The guest takes an exception at EL1, with the syndrome in x0.
vmm_undefined:
        ldr     x0, =0x02000000                 // of an unknown reason
        b       vmm_inject
vmm_fetch_abort:
        ldr     x0, =0x82000010                 // External abort of a fetch from a lower level, or else
        b       vmm_abort
vmm_data_abort:
        tbz     x20, #24, 1f                    // ISV
        mrs     x22, hpfar_el2
        lsr     x22, x22, #4
        lsl     x22, x22, #12
        ldr     x23, =DEVICE_GICD
        cmp     x22, x23
        b.eq    vmm_distributor
1:      ldr     x0, =0x92000010                 // External abort of an access
        and     x1, x20, #0x40
        orr     x0, x0, x1                      // WnR
vmm_abort:
        mrs     x1, far_el2
        msr     ${at("FAR_EL1")}, x1
        mrs     x1, spsr_el2
        tst     x1, #0xc
        mov     x2, #0x04000000                 // from EL1 itself
        csel    x2, x2, xzr, ne
        add     x0, x0, x2
vmm_inject:
        msr     ${at("ESR_EL1")}, x0
        mrs     x1, spsr_el2
        msr     ${at("SPSR_EL1")}, x1
        mrs     x2, elr_el2
        msr     ${at("ELR_EL1")}, x2
        and     x3, x1, #0xf
        mov     x4, #0x400
        cbz     x3, 2f                          // from EL0
        mov     x4, #0x200
        cmp     x3, #5
        csel    x4, x4, xzr, eq
2:      mrs     x2, ${at("VBAR_EL1")}
        bic     x2, x2, #0x7ff
        add     x2, x2, x4
        msr     elr_el2, x2
        mov     x1, #0x3c5
        msr     spsr_el2, x1
        b       vmm_resume

`;
}

/** The VMM's text; `isHost` as in `saveText`. */
export function vmmText(isHost: boolean): string {
  return `${vectors("vmm_synchronous", "vmm_interrupt")}${EXITS}${VMM_CALLS}${
    injection(isHost)
  }${VMM_DISTRIBUTOR}${VMM_INTERRUPTS}        .ltorg
        .balign 8
${VMM_FUNCTIONS}${VMM_MASKS}        .balign 4096
vmm_end:
`;
}

/**
 * Where the VMM is TypeScript: exceptions that come here while VBAR_EL2 says so are its own, and what it does not
 * finish goes on to these vectors, to the vmkernel, with the reason in TPIDR_EL2.
 */
export const VMM_STUB: string = `${vectors("vmm_out", "vmm_out")}
vmm_entry:
        hvc     #0                              // it is entered: ELR_EL2 and SPSR_EL2 are gone by that
        ldp     x0, x1, [sp, #C_PC]
        msr     elr_el2, x0
        msr     spsr_el2, x1
        return_from_el2
vmm_serror:
vmm_out:
        save_x
        b       leave
        .balign 4096
vmm_end:
`;
