/** The vmkernel: a kernel of one loop at EL1 that lets its guest run, takes its own interrupts, and says what it saw. */
import { plantingText } from "./planting.ts";
import { KEPT_REGISTERS, type WorldRegister } from "./registers.ts";

/** What a vmkernel does beside. */
export interface VmkernelOptions {
  /** Its registers get random values before each switch. */
  readonly planted: boolean;
  /** Ticks of the counter (16 ns) between two interrupts of its timer; none when absent. */
  readonly period?: number;
}

/** The interrupt controller as the vmkernel wants it: priorities, its own interrupts, its own CPU interface. */
export const INTERRUPT_SETUP: string = `
        ldr     x1, =DEVICE_GICD
        mov     w0, #(PRIORITY_GUEST * 0x0101)
        orr     w0, w0, w0, lsl #16
        add     x2, x1, #0x400
        add     x3, x2, #288
1:      str     w0, [x2], #4
        cmp     x2, x3
        b.lo    1b
        mov     w0, #PRIORITY_VMKERNEL
        strb    w0, [x1, #(0x400 + INTERRUPT_TIMER)]
        strb    w0, [x1, #(0x400 + INTERRUPT_DOORBELL)]
        mov     w0, #(1 << INTERRUPT_TIMER)
        str     w0, [x1, #0x100]
        mov     w0, #(1 << (INTERRUPT_DOORBELL - 96))
        str     w0, [x1, #0x10c]
        mov     w0, #1
        str     w0, [x1]
        ldr     x1, =DEVICE_GICC
        mov     w0, #PRIORITY_VMKERNEL_MASK
        str     w0, [x1, #4]
        mov     w0, #0x201                      // EOImode, EnableGrp0
        str     w0, [x1]
`;

/** What a vmkernel says at the end, with x20 = why its guest is off; `entered` where that is the same everywhere. */
export function reportText(entered: boolean): string {
  return `
        ldr     x26, =DEVICE_UART
        adr     x0, vmkernel_text_refused
        bl      put_text
        adr     x0, vmkernel_refused
        ldr     x0, [x0]
        bl      put_hex
        adr     x0, vmkernel_text_reason
        bl      put_text
        mov     x0, x20
        bl      put_hex
${
    entered
      ? `
        adr     x0, vmkernel_text_entered
        bl      put_text
        adr     x0, vmkernel_data
        ldr     x0, [x0]
        bl      put_hex`
      : ""
  }
        adr     x0, vmkernel_text_missing
        bl      put_text
        adr     x0, vmkernel_data
        ldr     x0, [x0, #16]
        bl      put_hex
        adr     x0, vmkernel_text_line
        bl      put_text
`;
}

/** The texts and the data of a vmkernel. */
export const VMKERNEL_DATA: string = String.raw`
vmkernel_text_refused:  .asciz  "vmkernel: unknown request: "
vmkernel_text_reason:   .asciz  ", reason: "
vmkernel_text_entered:  .asciz  ", entered: "
vmkernel_text_missing:  .asciz  ", interrupts missed: "
vmkernel_text_fault:    .asciz  "vmkernel: exception: "
vmkernel_text_at:       .asciz  " at "
vmkernel_text_line:     .asciz  "\r\n"
        .balign 16
vmkernel_random:  .quad 0x9e3779b97f4a7c15, 0
vmkernel_data:    .quad 0, 0, 0
vmkernel_refused: .quad 0
`;

/** Its text: `_start` at EL2 is in `boot.ts`. Entered at `vmkernel_main`, at EL1 with the MMU on. */
export function vmkernelText(rows: readonly WorldRegister[], { planted, period }: VmkernelOptions): string {
  const own = [
    ...rows,
    ...KEPT_REGISTERS.filter(({ name }) => period === undefined || !name.startsWith("CNTP")),
  ];
  return String.raw`
        .balign 4096
vmkernel:
vmkernel_vectors:
        .rept   4
        b       vmkernel_fault
        .balign 128
        .endr
        b       vmkernel_fault
        .balign 128
        b       vmkernel_interrupt
        .balign 128
        .rept   10
        b       vmkernel_fault
        .balign 128
        .endr

vmkernel_main:
        mov     x0, #2                          // IMASK
        msr     cntv_ctl_el0, x0
        msr     cntp_ctl_el0, x0
        mov     x0, #(3 << 20)                  // CPACR_EL1.FPEN
        msr     cpacr_el1, x0
        msr     oslar_el1, xzr
        isb
${INTERRUPT_SETUP}${
    period === undefined ? "" : `
        ldr     x0, =${period}
        msr     cntp_tval_el0, x0
        mov     x0, #1
        msr     cntp_ctl_el0, x0
`
  }
        ${planted ? "b       vmkernel_plant" : "b       vmkernel_unknown"}

// A request that there is not; once.
vmkernel_unknown:
        hvc     #0x63
        adr     x10, vmkernel_refused
        str     x0, [x10]
vmkernel_run:
${planted ? plantingText("vmkernel_plant", "vmkernel_random", own) : ""}
vmkernel_enter:
        hvc     #CALL_ENTER
vmkernel_left:
        adr     x10, vmkernel_data
        ldr     x11, [x10]
        add     x11, x11, #1
        str     x11, [x10]
        cmp     x0, #REASON_YIELD
        b.eq    vmkernel_run
        cmp     x0, #REASON_IRQ
        b.ne    vmkernel_end
        ldr     x12, [x10, #8]
        msr     daifclr, #2                     // here, and nowhere else, interrupts are taken
        isb
        msr     daifset, #2
        ldr     x13, [x10, #8]
        cmp     x12, x13
        b.ne    vmkernel_run
        ldr     x14, [x10, #16]                 // none came, though the VMM said so
        add     x14, x14, #1
        str     x14, [x10, #16]
        b       vmkernel_run
${
    planted
      ? `
vmkernel_plant:
${plantingText("vmkernel_first", "vmkernel_random", own)}
        b       vmkernel_unknown
        .ltorg`
      : ""
  }

vmkernel_interrupt:
        ldr     x1, =DEVICE_GICC
        ldr     w2, [x1, #0x0c]
        and     w3, w2, #0x3ff
        cmp     w3, #1020
        b.hs    2f
${
    period === undefined ? "" : `
        cmp     w3, #INTERRUPT_TIMER
        b.ne    1f
        ldr     x4, =${period}
        msr     cntp_tval_el0, x4
        isb
1:`
  }
        str     w2, [x1, #0x10]
        add     x4, x1, #1, lsl #12
        str     w2, [x4]                        // GICC_DIR
        adr     x4, vmkernel_data
        ldr     x5, [x4, #8]
        add     x5, x5, #1
        str     x5, [x4, #8]
2:      eret

vmkernel_end:
        mov     x20, x0
${reportText(period === undefined)}
vmkernel_off:
        ldr     x0, =0x84000008
        smc     #0
        b       .

// A fault of the vmkernel itself, or HVC where SCR_EL3.HCE or HCR_EL2.HCD makes it UNDEFINED.
vmkernel_fault:
        mrs     x20, esr_el1
        mrs     x21, elr_el1
        ldr     x26, =DEVICE_UART
        adr     x0, vmkernel_text_fault
        bl      put_text
        mov     x0, x20
        bl      put_hex
        adr     x0, vmkernel_text_at
        bl      put_text
        mov     x0, x21
        bl      put_hex
        adr     x0, vmkernel_text_line
        bl      put_text
        b       vmkernel_off
        .ltorg
${VMKERNEL_DATA}`;
}
