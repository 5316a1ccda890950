/** The probe's exception handlers: interrupts come and go, a program's registers are read for it, all else is told. */

/**
 * Vectors for `VBAR_EL1`. Interrupts use x9 to x13, which nothing else uses while they can come. From EL0, SVC goes back to
 * who entered it, and what is UNDEFINED there or trapped to EL1 is passed over, as a kernel that reads the register for
 * a program would.
 */
export function vectors(period: number): string {
  const rearm = period === 0 ? "" : `
        mov     x11, #${period}
        msr     cntv_tval_el0, x11`;
  return String.raw`
        .balign 2048
vectors:
        .org    vectors + 0x200
        b       fault                           // synchronous, from EL1
        .org    vectors + 0x280
        b       interrupt
        .org    vectors + 0x380
        b       fault
        .org    vectors + 0x400
        b       from_el0
        .org    vectors + 0x480
        b       interrupt
        .org    vectors + 0x580
        b       fault
        .org    vectors + 0x800

interrupt:
        ldr     x9, =0x08010000                 // GICC
        ldr     w10, [x9, #12]                  // IAR${rearm}
        str     w10, [x9, #16]                  // EOIR
        adr     x9, taken
        ldr     x10, [x9]
        add     x10, x10, #1
        str     x10, [x9]
        eret

from_el0:
        mrs     x9, esr_el1
        lsr     x9, x9, #26
        cmp     x9, #0x15                       // SVC: the rounds are done
        b.eq    left_el0
        cmp     x9, #0                          // UNDEFINED
        ccmp    x9, #0x18, #4, ne               // or trapped: an ID register, which a kernel reads for a program
        b.ne    fault
        mrs     x9, elr_el1
        add     x9, x9, #4
        msr     elr_el1, x9
        eret

// Prints the syndrome, and ends; where that faults too, the CPU waits for nothing.
fault:  cbnz    x18, park
        mov     x18, #1
        mrs     x24, esr_el1
        mrs     x25, far_el1
        mrs     x26, elr_el1
        adr     x0, text_fault
        lsr     x1, x24, #26
        orr     x1, x1, #1                      // Data Abort from this level or EL0
        and     x2, x24, #0x3f
        cmp     x2, #0x21                       // an alignment fault
        sub     x1, x1, #0x25
        ccmp    x1, #0, #0, eq
        b.ne    1f
        adr     x0, text_alignment
1:      bl      print
        adr     x0, text_esr
        bl      print
        mov     x0, x24
        bl      print_hex
        adr     x0, text_far
        bl      print
        mov     x0, x25
        bl      print_hex
        adr     x0, text_elr
        bl      print
        mov     x0, x26
        bl      print_hex
        adr     x0, text_line
        bl      print
        b       off
park:   wfi
        b       park
        .ltorg
text_fault:     .asciz  "fault"
text_alignment: .asciz  "alignment fault"
text_esr:       .asciz  ": ESR_EL1 "
text_far:       .asciz  ", FAR_EL1 "
text_elr:       .asciz  ", ELR_EL1 "
        .balign 8
taken:  .quad   0
`;
}
