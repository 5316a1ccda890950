/** The loader finds ACPI's tables, as assembly: from UEFI's system table over RSDP and XSDT to FADT and MADT. */

/** `read_acpi`. */
export const ACPI_FIND: string = `
// Reads ACPI's tables if UEFI's system table has them: x0 = 1, and what they say counts in place of the tree's; else 0.
read_acpi:
        stp     x29, x30, [sp, #-16]!
        ldr     x9, [x28, #VARS_SYSTEM_TABLE]
        cbz     x9, acpi_none
        adr     x0, text_system
        ldr     x1, [x28, #VARS_MAP_STEP]
        cmp     x1, #40
        b.lo    refuse
        tst     x9, #7
        b.ne    refuse
        ldr     x1, [x9]
        ldr     x2, =0x5453595320494249         // "IBI SYST"
        cmp     x1, x2
        b.ne    refuse
        ldr     x10, [x9, #SYSTEM_ENTRIES]
        cmp     x10, #TABLES_MOST
        b.hi    refuse
        ldr     x0, [x9, #SYSTEM_TABLES]
        bl      efi_physical
        mov     x9, x0
1:      cbz     x10, acpi_none
        mov     x0, x9
        bl      little_64
        adr     x1, guid_acpi
        ldr     x1, [x1]
        cmp     x0, x1
        b.ne    2f
        add     x0, x9, #8
        bl      little_64
        adr     x1, guid_acpi
        ldr     x1, [x1, #8]
        cmp     x0, x1
        b.eq    3f
2:      add     x9, x9, #24
        sub     x10, x10, #1
        b       1b
3:      add     x0, x9, #16
        bl      little_64
        mov     x9, x0                          // RSDP
        bl      little_64
        ldr     x1, =0x2052545020445352         // "RSD PTR "
        cmp     x0, x1
        adr     x0, text_signature
        b.ne    refuse
        mov     x0, x9
        mov     x1, #20
        bl      sum_bytes
        adr     x0, text_sum
        b.ne    refuse
        add     x0, x9, #20
        bl      little_32
        cmp     x0, #36
        mov     x1, x0
        adr     x0, text_length
        b.lo    refuse
        cmp     x1, #1, lsl #12
        b.hi    refuse
        mov     x0, x9
        bl      sum_bytes
        adr     x0, text_sum
        b.ne    refuse
        add     x0, x9, #24
        bl      little_64
        ldr     w1, =0x54445358                 // "XSDT"
        bl      check_table
        add     x9, x0, #36
        add     x10, x0, x1                     // x9 to x10: pointers
        str     xzr, [x28, #VARS_CORES]         // what the tree says does not count
        str     xzr, [x28, #VARS_CONDUIT]
        str     xzr, [x28, #VARS_GIC]
        str     xzr, [x28, #VARS_WAITS]
acpi_pointer:
        add     x0, x9, #8
        cmp     x0, x10
        b.hi    acpi_found
        mov     x0, x9
        bl      little_64
        mov     x11, x0
        add     x9, x9, #8
        bl      little_32
        ldr     w1, =0x50434146                 // "FACP"
        cmp     w0, w1
        b.eq    1f
        ldr     w1, =0x43495041                 // "APIC"
        cmp     w0, w1
        b.ne    acpi_pointer
        mov     x0, x11
        bl      check_table
        str     x0, [x28, #VARS_MADT]
        b       acpi_pointer
1:      mov     x0, x11
        bl      check_table
        str     x0, [x28, #VARS_FADT]
        b       acpi_pointer
acpi_found:
        adr     x0, text_absent
        ldr     x1, [x28, #VARS_FADT]
        cbz     x1, refuse
        ldr     x1, [x28, #VARS_MADT]
        cbz     x1, refuse
        bl      read_fadt
        bl      read_madt
        bl      mailboxes_reserved
        adr     x0, text_unreserved
        b.ne    refuse
        mov     x0, #1
        ldp     x29, x30, [sp], #16
        ret
acpi_none:
        mov     x0, #0
        ldp     x29, x30, [sp], #16
        ret
`;
