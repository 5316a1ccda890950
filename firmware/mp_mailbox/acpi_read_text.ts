/** The loader reads FADT and MADT, as assembly: the conduit of PSCI, cores, and the GIC. */

/** `read_fadt` and `read_madt`. */
export const ACPI_READ: string = `
read_fadt:
        stp     x29, x30, [sp, #-16]!
        ldr     x9, [x28, #VARS_FADT]
        add     x0, x9, #4
        bl      little_32
        cmp     x0, #FADT_LEAST
        adr     x0, text_length
        b.lo    refuse
        ldrb    w1, [x9, #FADT_ARM_BOOT_ARCH]
        adr     x0, text_protocol
        tbz     w1, #0, refuse                  // PSCI_COMPLIANT
        ubfx    w1, w1, #1, #1                  // PSCI_USE_HVC
        mov     x2, #CONDUIT_SMC
        mov     x3, #CONDUIT_HVC
        cmp     w1, #0
        csel    x2, x2, x3, eq
        str     x2, [x28, #VARS_CONDUIT]
        ldr     w0, =PSCI_CPU_ON
        str     w0, [x28, #VARS_CPU_ON]
        ldp     x29, x30, [sp], #16
        ret

// x9 to x10: the MADT's entries.
read_madt:
        stp     x29, x30, [sp, #-16]!
        ldr     x9, [x28, #VARS_MADT]
        add     x0, x9, #4
        bl      little_32
        add     x10, x9, x0
        add     x9, x9, #MADT_ENTRIES
1:      cmp     x9, x10
        b.hs    8f
        adr     x0, text_entries
        sub     x1, x10, x9
        cmp     x1, #2
        b.lo    refuse
        ldrb    w2, [x9, #1]
        cmp     x2, #2
        b.lo    refuse
        cmp     x2, x1
        b.hi    refuse
        ldrb    w1, [x9]
        cmp     w1, #MADT_GICC
        b.eq    read_gicc
        cmp     w1, #MADT_GICD
        b.eq    read_gicd
        cmp     w1, #MADT_GICR
        b.eq    read_gicr
2:      ldrb    w2, [x9, #1]
        add     x9, x9, x2
        b       1b
8:      ldp     x29, x30, [sp], #16
        ret

read_gicc:
        cmp     x2, #GICC_LEAST
        b.lo    refuse
        ldrb    w1, [x9, #12]
        tbz     w1, #0, 2b                      // not enabled
        add     x0, x9, #4
        bl      little_32
        mov     x11, x0                         // CPU interface number
        add     x0, x9, #68
        bl      little_64
        mov     x1, x11
        mov     x2, x9
        bl      add_core
        mov     x11, x0
        add     x0, x9, #60
        bl      little_64
        str     x0, [x11, #CORE_GICR]
        add     x0, x9, #32
        bl      little_64
        ldr     x1, [x28, #VARS_GIC]
        cmp     x1, #3
        b.eq    2b
        cbz     x0, 2b
        str     x0, [x28, #VARS_GIC_CPU]
        b       2b
read_gicd:
        cmp     x2, #24
        b.lo    refuse
        ldrb    w1, [x9, #20]                   // version
        sub     w2, w1, #2
        cmp     w2, #1
        adr     x0, text_gic
        b.hi    refuse
        str     x1, [x28, #VARS_GIC]
        add     x0, x9, #8
        bl      little_64
        str     x0, [x28, #VARS_GICD]
        b       2b
read_gicr:
        cmp     x2, #16
        b.lo    refuse
        add     x0, x9, #4
        bl      little_64
        str     x0, [x28, #VARS_REDISTRIBUTORS]
        add     x0, x9, #12
        bl      little_32
        str     x0, [x28, #VARS_GIC_CPU_SIZE]
        b       2b
`;
