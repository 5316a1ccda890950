/** pagefault-boot in its new address space: the abort, the record that it hands off, and what it tells, as assembly. */
import type { PagefaultBootOptions } from "./pagefault_boot.ts";

/** The handler of the abort, and the record that is written behind it. */
export function handler({ level }: PagefaultBootOptions): string {
  return `
// (6) The abort, in the new address space: goes on at the virtual address of where it struck.
page_fault:
        mrs     x0, esr_el${level}
        mrs     x1, far_el${level}
        mrs     x2, elr_el${level}
        adr     x3, hand_off
        ldr     x4, [x3, #HAND_OFF_ABORTS]
        add     x4, x4, #1
        str     x4, [x3, #HAND_OFF_ABORTS]
        str     x0, [x3, #HAND_OFF_SYNDROME]
        str     x1, [x3, #HAND_OFF_FAULT_ADDRESS]
        str     x2, [x3, #HAND_OFF_RETURN_ADDRESS]
        lsr     x4, x0, #26
        cmp     x4, #EC_ABORT
        b.ne    unexpected
        and     x4, x0, #0x3c
        cmp     x4, #0b000100                   // a translation fault at some level
        b.ne    unexpected
        cmp     x1, x2
        b.ne    unexpected
        sub     x4, x2, x19
        cmp     x4, x22
        b.hs    unexpected
        adr     x4, last_vectors
        msr     vbar_el${level}, x4
        isb
        add     x2, x2, x21
        br      x2

running:                                        // at VA
        adr     x0, tables
        str     x21, [x0, #TABLES_ACCESS]
        ldr     x1, [x0, #TABLES_ROOT]
        adr     x0, hand_off
        stp     x19, x20, [x0, #HAND_OFF_MACHINE_ADDRESS]
        str     x21, [x0, #HAND_OFF_DIFFERENCE]
        mov     x2, #${level}
        str     x2, [x0, #HAND_OFF_LEVEL]
        str     x1, [x0, #HAND_OFF_TABLES]
        adr     x1, tables
        ldr     x1, [x1, #TABLES_GRANULE]
        stp     x1, x22, [x0, #HAND_OFF_GRANULE]
        stp     x23, x24, [x0, #HAND_OFF_KERNEL]
        dc      cvac, x0                        // for readers without caches
        add     x1, x0, #64
        dc      cvac, x1
        dsb     sy
`;
}

/** What is told at the hand-off; then it parks, or starts the kernel from its machine address. */
export const HAND_OFF: string = `
handed_off:                                     // x0 = the record
        bl      map_uart
        adr     x0, text_abort
        bl      put_text
        adr     x25, hand_off
        ldr     x0, [x25, #HAND_OFF_SYNDROME]
        bl      put_hex
        adr     x0, text_far
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_FAULT_ADDRESS]
        bl      put_hex
        adr     x0, text_elr
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_RETURN_ADDRESS]
        bl      put_hex
        adr     x0, text_handed_off
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_MACHINE_ADDRESS]
        bl      put_hex
        adr     x0, text_va
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_VIRTUAL_ADDRESS]
        bl      put_hex
        adr     x0, text_difference
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_DIFFERENCE]
        bl      put_hex
        adr     x0, text_tables_at
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_TABLES]
        bl      put_hex
        adr     x0, text_aborts
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_ABORTS]
        bl      put_hex
        adr     x0, text_end
        bl      put_text
        cbz     x23, park
        cbz     x21, 1f
        adr     x0, tables                      // the way out is at MA, with the MMU off
        mov     x1, x19
        mov     x2, x19
        mov     x3, x22
        ldr     x4, =IMAGE_ATTRIBUTES
        bl      map_range
        cmp     x0, #0
        adr     x0, text_tables
        b.ne    refuse
        dsb     ishst
        isb
1:      mov     x0, x24
        mov     x1, x23
        mov     x2, x19
        mov     x3, x22
        adr     x4, start_kernel
        sub     x4, x4, x21
        br      x4

// Maps the UART behind the image and sets x26, once. Changes x0 to x17.
map_uart:
        ldr     x0, =UART
        cmp     x26, x0
        b.ne    1f
        stp     x29, x30, [sp, #-16]!
        adr     x0, tables
        str     x21, [x0, #TABLES_ACCESS]
        add     x1, x20, x22
        ldr     x2, =UART
        mov     x3, #GRANULE
        ldr     x4, =DEVICE_ATTRIBUTES
        bl      map_range
        dsb     ishst
        isb
        add     x26, x20, x22
        ldp     x29, x30, [sp], #16
1:      ret
`;

/** What is told of other exceptions and of refusals. */
export function reports({ level }: PagefaultBootOptions): string {
  return `
// An exception that was not planned: tells its syndrome and parks; one within the telling parks at once.
unexpected:
        mrs     x0, tpidr_el${level}
        cbnz    x0, park
        mov     x0, #1
        msr     tpidr_el${level}, x0
        mrs     x27, esr_el${level}
        mrs     x28, far_el${level}
        mrs     x25, elr_el${level}
        mrs     x0, sctlr_el${level}
        tbz     x0, #0, 1f
        bl      map_uart
1:      adr     x0, text_unexpected
        bl      put_text
        mov     x0, x27
        bl      put_hex
        adr     x0, text_far
        bl      put_text
        mov     x0, x28
        bl      put_hex
        adr     x0, text_elr
        bl      put_text
        mov     x0, x25
        bl      put_hex
        adr     x0, text_end
        bl      put_text
park:   wfi
        b       park

// Tells why it does not go on, x0 = text, and parks.
refuse: mov     x27, x0
        adr     x0, text_refused
        bl      put_text
        mov     x0, x27
        bl      put_text
        adr     x0, text_ma
        bl      put_text
        mov     x0, x19
        bl      put_hex
        adr     x0, text_va
        bl      put_text
        mov     x0, x20
        bl      put_hex
        adr     x0, text_end
        bl      put_text
        b       park
        .ltorg
`;
}
