/** pagefault-boot with the MMU off: checks, tables, and everything up to MSR SCTLR_ELx, as assembly. */
import { tlbiAll } from "./kernel_start.ts";
import type { PagefaultBootOptions } from "./pagefault_boot.ts";
import { type GranuleShift, physicalSizeShift } from "./translation_layout.ts";

/** ID_AA64MMFR0_EL1 fields that tell of granules: lowest bit, and the value that means that there is none. */
// deno-fmt-ignore
const GRANULE_FIELD: Readonly<Record<GranuleShift, { readonly at: number; readonly none: number }>> = {
  12: { at: 28, none: 15 },
  14: { at: 20, none: 0 },
  16: { at: 24, none: 15 },
};

/**
 * Where it is and where it must not go on: x19 = MA, x20 = VA, x21 = VA − MA, x22 = bytes, x23 = kernel, x24 = device tree, x26 = UART; they stay.
 */
export function beginning({ level, granule }: PagefaultBootOptions): string {
  const { at, none } = GRANULE_FIELD[granule];
  return `
_start:
        ldr     x26, =UART
        adr     x19, _start                     // (1) where the image is,
        ldr     x20, =_start                    // and where it is linked to be
        sub     x21, x20, x19
        adr     x22, image_end
        sub     x22, x22, x19
        mrs     x0, currentel
        cmp     x0, #${level << 2}
        adr     x0, text_level
        b.ne    refuse
        adr     x0, stack_top
        mov     sp, x0
        msr     tpidr_el${level}, xzr           // nothing was reported yet
        adr     x0, last_vectors
        msr     vbar_el${level}, x0
        isb
        mrs     x0, sctlr_el${level}
        tst     x0, #1
        adr     x0, text_translated
        b.ne    refuse
        mrs     x0, id_aa64mmfr0_el1
        ubfx    x0, x0, #${at}, #4
        cmp     x0, #${none}
        adr     x0, text_granule
        b.eq    refuse
        tst     x21, #(GRANULE - 1)
        adr     x0, text_alignment
        b.ne    refuse
        cbz     x21, 1f                         // VA and MA are one: there is no abort to wait for
        adr     x0, text_overlap
        cmp     x21, x22
        b.lo    refuse
        neg     x1, x21
        cmp     x1, x22
        b.lo    refuse
1:      mov     x23, #0
        mov     x24, #0
        ldr     x0, =KERNEL_AT
        ldr     w1, [x0, #56]
        ldr     w2, =IMAGE_MAGIC
        cmp     w1, w2
        b.ne    build
        mov     x23, x0
        ldr     x24, =DEVICE_TREE_AT
        ldr     w1, [x24]
        ldr     w2, =DEVICE_TREE_MAGIC
        cmp     w1, w2
        adr     x0, text_no_tree
        b.ne    refuse
`;
}

/** Tables, registers and what was cached before; then the MSR, or the path on which nothing aborts. */
export function construction({ level }: PagefaultBootOptions): string {
  return `
build:                                          // (2) tables that map the image, and nothing else
        adr     x0, tables
        str     xzr, [x0, #TABLES_ACCESS]
        adr     x1, table_room
        mov     x2, #TABLES
        bl      tables_begin
        adr     x0, tables
        mov     x1, x20
map_image:
        mov     x2, x19
        mov     x3, x22
        ldr     x4, =IMAGE_ATTRIBUTES
        bl      map_range
        cmp     x0, #0
        adr     x0, text_tables
        b.ne    refuse
        ldr     x0, =MAIR
        msr     mair_el${level}, x0
        mrs     x1, id_aa64mmfr0_el1
        and     x1, x1, #15                     // PARange, 48 bits at most
        mov     x2, #5
        cmp     x1, x2
        csel    x1, x1, x2, lo
        ldr     x0, =TCR
        orr     x0, x0, x1, lsl #${physicalSizeShift(level)}
        msr     tcr_el${level}, x0
        adr     x0, tables
        ldr     x0, [x0, #TABLES_ROOT]
        msr     ttbr0_el${level}, x0
        adr     x0, hand_off
        str     xzr, [x0, #HAND_OFF_ABORTS]
        str     xzr, [x0, #HAND_OFF_SYNDROME]
        str     xzr, [x0, #HAND_OFF_FAULT_ADDRESS]
        str     xzr, [x0, #HAND_OFF_RETURN_ADDRESS]
forget_lines:
        bl      forget_cached
        adr     x0, boot_vectors                // (3) vectors and stack at their virtual addresses
adjust_vectors:
        add     x0, x0, x21
set_vectors:
        msr     vbar_el${level}, x0
        mov     x0, sp
        add     x0, x0, x21
        mov     sp, x0
        dsb     sy                              // (4) what was cached of another address space goes
        ic      iallu
drop_translations:
        ${tlbiAll(level)}
        dsb     sy
        isb
        mrs     x0, sctlr_el${level}
        ldr     x1, =SCTLR_ON
        orr     x0, x0, x1
        cbz     x21, fall_through
enable:
        msr     sctlr_el${level}, x0            // (5) the next fetch, or the one after it, aborts
enabled:
        isb
        b       running

fall_through:                                   // VA = MA: everything stays where it is, and nothing aborts
        adr     x1, last_vectors
        msr     vbar_el${level}, x1
        isb
        msr     sctlr_el${level}, x0
        isb
        b       running

// The image was written with the data cache off: lines that were cached before are old. Changes x0 to x3.
forget_cached:
        mrs     x0, ctr_el0
        ubfx    x0, x0, #16, #4
        mov     x1, #4
        lsl     x1, x1, x0
        mov     x2, x19
        add     x3, x19, x22
1:      dc      ivac, x2
        add     x2, x2, x1
        cmp     x2, x3
        b.lo    1b
        dsb     sy
        ret
`;
}
