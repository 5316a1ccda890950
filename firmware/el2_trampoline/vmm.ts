/** The VMM in A64 at EL2: exits of its guest, PSCI, the distributor, and interrupts; and what is left of it beside one in TypeScript. */
import { nameAtEl2 } from "./registers.ts";

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

/** Functions of PSCI that are answered by a number: identifier, result, and whether another CPU than the only one is refused. */
// deno-fmt-ignore
const FUNCTIONS: readonly (readonly [id: number, result: number, ofTarget: 0 | 1])[] = [
  [0x8000_0000, 0x1_0001, 0], // SMCCC_VERSION: 1.1
  [0x8400_0000, 0x1_0001, 0], // PSCI_VERSION: 1.1
  [0x8400_0003, -4,       1], // CPU_ON: ALREADY_ON
  [0xc400_0003, -4,       1],
  [0x8400_0004, 0,        1], // AFFINITY_INFO: ON
  [0xc400_0004, 0,        1],
  [0x8400_0006, 2,        0], // MIGRATE_INFO_TYPE: no Trusted OS
  [0x8400_0008, 0,        0], // SYSTEM_OFF
  [0x8400_0009, 0,        0], // SYSTEM_RESET
  [0x8400_000a, 0,        0], // PSCI_FEATURES
];

/** The VMM's text; `isHost` as in `saveText`. */
export function vmmText(isHost: boolean): string {
  const at = (name: string) => nameAtEl2(name, isHost);
  return `${vectors("vmm_synchronous", "vmm_interrupt")}
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

vmm_call:
        and     w1, w20, #0xffff
        cbz     w1, vmm_firmware_call
        cmp     w1, #CALL_YIELD
        mov     x0, #REASON_YIELD
        b.eq    vmm_leave
        mov     x0, #-1                         // the vmkernel's among them: here it is the guest's, and unknown
vmm_result:
        str     x0, [sp, #C_X]
        b       vmm_resume

vmm_firmware_call:
        ldr     w0, [sp, #C_X]
        ldr     x1, [sp, #8]
        bl      vmm_find
        cbz     x2, vmm_unknown
        ldr     w3, =0x84000008
        cmp     w0, w3
        mov     x4, #REASON_OFF
        b.eq    vmm_power
        add     w3, w3, #1
        cmp     w0, w3
        mov     x4, #REASON_RESET
        b.eq    vmm_power
        add     w3, w3, #1
        cmp     w0, w3
        b.eq    vmm_features
        ldrsw   x0, [x2, #4]
        ldr     w3, [x2, #8]
        cbz     w3, vmm_result
        and     x1, x1, #0xffffff
        cmp     x1, #0
        mov     x3, #-2                         // INVALID_PARAMETERS: there is no other CPU
        csel    x0, x0, x3, eq
        b       vmm_result
vmm_features:
        mov     w0, w1
        bl      vmm_find
        mov     x0, #0
        cbnz    x2, vmm_result
vmm_unknown:
        mov     x0, #-1
        b       vmm_result
vmm_power:
        mov     x0, x4
        b       vmm_leave

// x2 = the row of function w0, or 0. Changes x3.
vmm_find:
        adr     x2, vmm_functions
1:      ldr     w3, [x2]
        cbz     w3, 2f
        cmp     w3, w0
        b.eq    3f
        add     x2, x2, #12
        b       1b
2:      mov     x2, #0
3:      ret

// The guest takes an exception at EL1, with the syndrome in x0.
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

// An access to the distributor: x23 = its base, x24 = offset, x25 = value.
vmm_distributor:
        mrs     x24, far_el2
        and     x24, x24, #0xfff
        ubfx    x26, x20, #16, #5               // SRT
        tbz     x20, #6, vmm_distributor_read
        ldr     x25, [sp, x26, lsl #3]
        cmp     x26, #31
        csel    x25, x25, xzr, ne
        cbz     x24, 4f
        cmp     x24, #0xf00
        b.eq    vmm_send
        sub     x1, x24, #0x100                 // GICD_ISENABLER to GICD_ICACTIVER, a bit for each interrupt
        cmp     x1, #0x300
        b.hs    vmm_skip                        // groups, priorities, targets and triggers are the vmkernel's
        bl      vmm_mask
        and     w25, w25, w1
        str     w25, [x23, x24]
        b       vmm_skip
4:      str     w25, [sp, #C_GICD]
        b       vmm_skip

vmm_distributor_read:
        ldr     w25, [sp, #C_GICD]
        cbz     x24, 6f
        sub     x1, x24, #0x100
        cmp     x1, #0x300
        b.hs    5f
        bl      vmm_mask
        ldr     w25, [x23, x24]
        and     w25, w25, w1
        b       6f
5:      ubfx    x1, x20, #22, #2                // SAS
        cbz     x1, 7f
        ldr     w25, [x23, x24]
        b       6f
7:      ldrb    w25, [x23, x24]
6:      cmp     x26, #31
        b.eq    vmm_skip
        str     x25, [sp, x26, lsl #3]
        b       vmm_skip

// w1 = the guest's interrupts in the word at offset x24. Changes x2.
vmm_mask:
        ubfx    x1, x24, #2, #5
        adr     x2, vmm_masks
        ldr     w1, [x2, x1, lsl #2]
        ret

// GICD_SGIR: an interrupt that the only CPU sends itself.
vmm_send:
        ubfx    x1, x25, #24, #2
        cmp     x1, #1                          // to all others
        b.eq    vmm_skip
        cbnz    x1, 8f
        tbz     x25, #16, vmm_skip
8:      ldr     x0, =DEVICE_GICH
        ldr     w2, [x0, #0x30]                 // GICH_ELRSR0
        cbz     w2, vmm_skip
        rbit    w2, w2
        clz     w2, w2
        add     x2, x0, x2, lsl #2
        and     w1, w25, #15
        ldr     w3, =((1 << 28) | (PRIORITY_GUEST << 20))
        orr     w1, w1, w3
        str     w1, [x2, #0x100]
        b       vmm_skip

// An interrupt: the guest's goes to a list register, the vmkernel's is left as it is, and it runs.
vmm_interrupt:
        save_x
        ldr     x5, =DEVICE_GICC
        ldr     x6, =DEVICE_GICH
        ldr     w1, [x5, #0x18]                 // GICC_HPPIR: what it is, not acknowledged
        bl      vmm_whose
        b.hi    vmm_resume
        mov     x0, #REASON_IRQ
        b.lo    vmm_leave
        ldr     w2, [x6, #0x30]
        cbz     w2, vmm_no_room
        rbit    w2, w2
        clz     w2, w2
        ldr     w3, [x5, #0x0c]                 // GICC_IAR
        and     w1, w3, #0x3ff
        bl      vmm_whose
        b.hi    vmm_resume
        b.lo    vmm_give_back
        str     w3, [x5, #0x10]                 // GICC_EOIR: priority drop
        ldr     w4, =((1 << 31) | (1 << 28) | (PRIORITY_GUEST << 20))
        orr     w4, w4, w1
        orr     w4, w4, w1, lsl #10             // the guest's end of it deactivates the physical one
        add     x2, x6, x2, lsl #2
        str     w4, [x2, #0x100]
        b       vmm_resume

// The vmkernel's, which came between the two reads: as if it had not been acknowledged. A level is pending again by itself.
vmm_give_back:
        cmp     w1, #INTERRUPT_DOORBELL
        b.ne    1f
        ldr     x4, =DEVICE_GICD
        mov     w2, #(1 << (INTERRUPT_DOORBELL - 96))
        str     w2, [x4, #0x20c]                // GICD_ISPENDR3
1:      str     w3, [x5, #0x10]
        add     x5, x5, #1, lsl #12
        str     w3, [x5]                        // GICC_DIR
        b       vmm_leave

// Whose interrupt w1 is: HI for none's, EQ for the guest's, LO for the vmkernel's. Changes x7.
vmm_whose:
        mov     w7, #1
        cmp     w1, #1020
        b.hs    3f
        cmp     w1, #INTERRUPT_GUEST_TIMER
        b.eq    2f
        mov     w7, #0
        cmp     w1, #INTERRUPT_DOORBELL
        b.eq    2f
        cmp     w1, #32
        cset    w7, hs
2:      cmp     w7, #1
        ret
3:      cmp     w7, #0
        ret

vmm_no_room:
        mov     w1, #PRIORITY_VMKERNEL_MASK     // until the next entry
        str     w1, [x5, #4]
        b       vmm_resume

        .ltorg
        .balign 8
vmm_functions:
${FUNCTIONS.map((row) => `        .word   ${row.map((value) => value >>> 0).join(", ")}\n`).join("")}
        .word   0
vmm_masks:
        .word   0x0800ffff                      // the virtual timer, and SGIs, which nobody sends
        .word   -1, -1, ~(1 << (INTERRUPT_DOORBELL - 96)) & 0xffffffff
        .rept   28
        .word   -1
        .endr
        .balign 4096
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
