/** The loader reads and rewrites ACPI's tables, as assembly: from UEFI's system table to FADT and MADT. */
import type { Source } from "../../machine/a64/program.ts";
import { EFI_GUID, guidBytes } from "../efi/guid.ts";
import { EFI_MEMORY_TYPE } from "../efi/memory_map.ts";
import { ACPI_HELPERS } from "./acpi_helpers_text.ts";

const le = (bytes: Uint8Array): string => [...bytes].join(", ");

/** Offsets in tables: UEFI 2.10 §4.3 and §7.2.3, ACPI 6.4 §5.2. */
const EQUATES = `
        .equ    SYSTEM_ENTRIES, 104
        .equ    SYSTEM_TABLES, 112
        .equ    TABLES_MOST, 256
        .equ    TABLE_MOST, 0x10000
        .equ    FADT_ARM_BOOT_ARCH, 129
        .equ    FADT_LEAST, 131
        .equ    MADT_ENTRIES, 44
        .equ    MADT_GICC, 0xb
        .equ    MADT_GICD, 0xc
        .equ    MADT_GICR, 0xe
        .equ    GICC_LEAST, 76
        .equ    GICC_VERSION, 16                // Parking Protocol Version
        .equ    GICC_PARKED, 24                 // Parked Address
        .equ    MAP_RESERVED, ${EFI_MEMORY_TYPE.ReservedMemoryType}
        .equ    MAP_RUNTIME, 63                 // bit of Attribute
`;

const FIND = `
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

const READ = `
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

const WRITE = `
// GICC of CPUs that wait name their pages, those of dead ones are left out; PSCI is offered no more; sums are right.
write_acpi:
        stp     x29, x30, [sp, #-16]!
        ldr     x9, [x28, #VARS_MADT]
        add     x0, x9, #4
        bl      little_32
        add     x10, x9, x0                     // x10: end of what is read
        add     x11, x9, #MADT_ENTRIES          // x11: next that is read
        mov     x12, x11                        // x12: next that is written
1:      cmp     x11, x10
        b.hs    4f
        ldr     x13, [x28, #VARS_CORES]
        add     x14, x28, #VARS_CORE
2:      cbz     x13, 3f
        ldr     x0, [x14, #CORE_PLACE]
        cmp     x0, x11
        b.eq    acpi_core
        add     x14, x14, #CORE_SIZE
        sub     x13, x13, #1
        b       2b
acpi_core:
        ldrb    w2, [x11, #1]
        ldr     w1, [x14, #CORE_KIND]
        cmp     w1, #CORE_DEAD
        add     x0, x11, x2
        csel    x11, x0, x11, eq
        b.eq    1b
        cmp     w1, #CORE_PARKED
        b.ne    3f
        add     x0, x11, #GICC_VERSION
        mov     x1, #1
        mov     x2, #4
        bl      put_little
        add     x0, x11, #GICC_PARKED
        ldr     x1, [x14, #CORE_PAGE]
        mov     x2, #8
        bl      put_little
3:      ldrb    w2, [x11, #1]
5:      ldrb    w0, [x11], #1
        strb    w0, [x12], #1
        subs    w2, w2, #1
        b.ne    5b
        b       1b
4:      sub     x1, x12, x9
        add     x0, x9, #4
        mov     x2, #4
        bl      put_little
        sub     x1, x12, x9
        mov     x0, x9
        bl      mend_table
        ldr     x9, [x28, #VARS_FADT]
        ldrb    w0, [x9, #FADT_ARM_BOOT_ARCH]
        bic     w0, w0, #1                      // PSCI_COMPLIANT
        strb    w0, [x9, #FADT_ARM_BOOT_ARCH]
        add     x0, x9, #4
        bl      little_32
        mov     x1, x0
        mov     x0, x9
        bl      mend_table
        ldp     x29, x30, [sp], #16
        ret
`;

const TEXTS = `
        .rodata
        .balign 8
guid_acpi:
        .byte   ${le(guidBytes(EFI_GUID.ACPI_20))}
text_system:     .asciz "UEFI's system table is damaged"
text_signature:  .asciz "a table of ACPI has another signature"
text_length:     .asciz "a table of ACPI has a wrong length"
text_sum:        .asciz "a table of ACPI has a wrong checksum"
text_entries:    .asciz "the MADT's entries are damaged"
text_absent:     .asciz "there is no FADT or no MADT"
text_unreserved: .asciz "the mailboxes are not in reserved memory"
        .text
`;

/** `read_acpi` and `write_acpi`; x28 = variables. What is wrong goes to `refuse` with a text in x0. */
export const ACPI_TABLES: Source = {
  name: "acpi",
  text: EQUATES + ACPI_HELPERS + FIND + READ + WRITE + TEXTS,
};
