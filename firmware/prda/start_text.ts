/** The text of the PRDA kernel up to the first dispatch: entries, translation tables, registers, interrupt controller. */
import type { KernelTextOptions } from "./kernel_text.ts";

/** Entry of PE 0 and of the others, and what each does before its first dispatch. */
export const start = (el: 1 | 2): string => `
_start: mrs     x0, currentel
        lsr     x0, x0, #2
        cmp     x0, #${el}
        adr     x0, text_level
        b.ne    refuse
        adrp    x20, areas
        add     x20, x20, :lo12:areas
        mov     x19, #0
        bl      build_tables
        mov     x0, #0
        bl      enable
        mov     x19, #1                 // the other PEs
1:      cmp     x19, #PES
        b.eq    2f
        ldr     x0, =PSCI_CPU_ON
        mov     x1, x19
        adr     x2, second
        mov     x3, x19
        ${el === 1 ? "hvc" : "smc"}     #0
        adr     x1, text_cpu
        cbnz    x0, refuse_cpu
        add     x19, x19, #1
        b       1b
2:      adr     x1, online              // nobody is dispatched before all have come
3:      ldr     x0, [x1]
        cmp     x0, #(PES - 1)
        b.eq    all_online
        yield
        b       3b
all_online:
        mov     x0, #1
        adr     x1, go
        str     x0, [x1]
        dsb     ish
        b       dispatch

second: bl      enable                  // x0 is the context: the PE's number
        mov     x0, #PRDA               // before its first dispatch a PE has the boot PE's area
        ldr     x0, [x0, #8]
        adr     x1, online
1:      ldaxr   x0, [x1]
        add     x0, x0, #1
        stlxr   w2, x0, [x1]
        cbnz    w2, 1b
2:      adr     x1, go
        ldr     x0, [x1]
        yield
        cbz     x0, 2b
        b       dispatch

refuse_cpu:
        mov     x0, x1
refuse: bl      print
        b       power_off
`;

/** Each PE's subtree and root copy; the copies are made of PE 0's, slot included, while no PE has translation on. */
export const tables: string = `
build_tables:                           // x20: areas
        mov     x9, #0
1:      add     x1, x20, x9, lsl #AREA
        str     x9, [x1, #8]            // owner
        ldr     x2, =PAGE
        orr     x2, x2, x1
        add     x3, x1, #LEVEL3, lsl #12
        str     x2, [x3]
        orr     x2, x3, #3
        add     x3, x1, #LEVEL2, lsl #12
        str     x2, [x3]
        add     x4, x1, #ROOT, lsl #12
        ldr     x2, =DEVICES
        str     x2, [x4]
        ldr     x2, =MEMORY
        str     x2, [x4, #8]
        add     x2, x20, #LEVEL2, lsl #12        // the boot PE's subtree
        orr     x2, x2, #3
        str     x2, [x4, #SLOT]
        add     x9, x9, #1
        cmp     x9, #PES
        b.ne    1b
        ret
`;

/** Translation, vectors, interrupt controller and timer of the PE in x0. */
export const enable = (el: 1 | 2, mutant: KernelTextOptions["mutant"]): string => `
enable: adrp    x20, areas
        add     x20, x20, :lo12:areas
        msr     spsel, #1
        adr     x1, pe_blocks
        mov     x2, #PE_SIZE
        madd    x1, x0, x2, x1
        mov     sp, x1
        str     x0, [sp, #PE_NUMBER]
        str     xzr, [sp, #PE_THREAD]
        str     x0, [sp, #PE_LAST]
        add     x1, x20, x0, lsl #AREA
        msr     tpidr_el${el}, x1       // this PE's PRDA
        add     x2, ${mutant === "sharedRoot" ? "x20" : "x1"}, #ROOT, lsl #12
        ${mutant === "commonNotPrivate" ? "orr x2, x2, #1" : ""}
        msr     ttbr0_el${el}, x2
        ldr     x1, =0xff00             // attribute 0 device-nGnRnE, 1 normal
        msr     mair_el${el}, x1
        ldr     x1, =0x80803519         // 39 bits, 4 KiB, write-back walks; at EL1 no TTBR1
        msr     tcr_el${el}, x1
        adr     x1, vectors
        msr     vbar_el${el}, x1
        ${
  el === 1 ? "" : `mov     x1, #0x38              // IMO, FMO, AMO: interrupts come to EL2
        orr     x1, x1, #0x80000000
        msr     hcr_el2, x1
        msr     cntvoff_el2, xzr`
}
        tlbi    ${el === 1 ? "vmalle1" : "alle2"}
        dsb     sy
        isb
        mrs     x1, sctlr_el${el}
        ldr     x2, =0x1005             // M, C, I
        orr     x1, x1, x2
        msr     sctlr_el${el}, x1
        isb
        ldr     x1, =GICD
        mov     w2, #1
        str     w2, [x1]                // GICD_CTLR
        ldr     w2, =((1 << TIMER) | 0xffff)
        str     w2, [x1, #0x100]        // GICD_ISENABLER0, banked: timer and SGIs
        ldr     w2, =(0xff << 8)
        str     w2, [x1, #0x104]        // interrupts 40 to 47, one for each PE
        add     x1, x1, #0x800          // GICD_ITARGETSR
        add     x1, x1, #40
        add     x1, x1, x0
        mov     w2, #1
        lsl     w2, w2, w0
        strb    w2, [x1]
        ldr     x1, =GICC
        mov     w2, #0xff
        str     w2, [x1, #4]            // GICC_PMR
        mov     w2, #1
        str     w2, [x1]                // GICC_CTLR
        .if     PERIOD
        mov     x1, #PERIOD
        msr     cntv_tval_el0, x1
        mov     x1, #1
        msr     cntv_ctl_el0, x1
        .endif
        ret
`;
