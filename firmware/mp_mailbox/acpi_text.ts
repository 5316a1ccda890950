/** The loader's ACPI, as assembly: tables are found, read, and rewritten for CPUs that wait at mailboxes. */
import type { Source } from "../../machine/a64/program.ts";
import { EFI_GUID, guidBytes } from "../efi/guid.ts";
import { EFI_MEMORY_TYPE } from "../efi/memory_map.ts";
import { ACPI_FIND } from "./acpi_find_text.ts";
import { ACPI_HELPERS } from "./acpi_helpers_text.ts";
import { ACPI_READ } from "./acpi_read_text.ts";

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
  text: EQUATES + ACPI_HELPERS + ACPI_FIND + ACPI_READ + WRITE + TEXTS,
};
