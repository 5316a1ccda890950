/** What the loader puts into /chosen: command lines, the initrd, Xen's modules. */

/** Names of properties, put behind the host's. */
const STRINGS = [
  "bootargs",
  "xen,xen-bootargs",
  "linux,initrd-start",
  "linux,initrd-end",
  "#address-cells",
  "#size-cells",
  "compatible",
  "reg",
] as const;

const constantOf = (name: string): string => `T_${name.toUpperCase().replace(/[^A-Z]/g, "_")}`;

function stringEquates(): string {
  let at = 0;
  return STRINGS.map((name) => {
    const line = `        .equ    ${constantOf(name)}, ${at}\n`;
    at += name.length + 1;
    return line;
  }).join("");
}

/** Offsets of the names. */
export const TREE_EQUATES: string = stringEquates();

/** `put_chosen` and `put_modules`, and the names. */
export const TREE_WRITTEN = String.raw`
// Properties of /chosen.
put_chosen:
        stp     x29, x30, [sp, #-32]!
        ldr     x0, =is_esx
        ldr     x0, [x0]
        cbnz    x0, 1f
        ldr     x1, =hypervisor
        ldr     x1, [x1, #M_ARGUMENTS]
        mov     x0, #T_XEN_XEN_BOOTARGS
        bl      put_text_property
        mov     x0, #T__ADDRESS_CELLS
        adr     x1, cells_2
        mov     x2, #4
        bl      put_property
        mov     x0, #T__SIZE_CELLS
        adr     x1, cells_2
        mov     x2, #4
        bl      put_property
        b       2f
1:      ldr     x1, =kernel
        ldr     x1, [x1, #M_ARGUMENTS]
        mov     x0, #T_BOOTARGS
        bl      put_text_property
        ldr     x3, =initrd
        ldr     x4, [x3, #M_ADDRESS]
        ldr     x5, [x3, #M_SIZE]
        add     x5, x5, x4
        rev     x4, x4
        rev     x5, x5
        stp     x4, x5, [sp, #16]
        mov     x0, #T_LINUX_INITRD_START
        add     x1, sp, #16
        mov     x2, #8
        bl      put_property
        mov     x0, #T_LINUX_INITRD_END
        add     x1, sp, #24
        mov     x2, #8
        bl      put_property
2:      ldp     x29, x30, [sp], #32
        ret

// Nodes in /chosen: Xen's modules.
put_modules:
        stp     x29, x30, [sp, #-16]!
        ldr     x0, =is_esx
        ldr     x0, [x0]
        cbnz    x0, 1f
        ldr     x0, =kernel
        adr     x1, compatible_kernel
        mov     x2, #(compatible_ramdisk - compatible_kernel)
        bl      put_module
        ldr     x0, =initrd
        adr     x1, compatible_ramdisk
        mov     x2, #(compatible_end - compatible_ramdisk)
        bl      put_module
1:      ldp     x29, x30, [sp], #16
        ret

// Node module@ADDRESS of module x0, with x2 bytes at x1 as compatible.
put_module:
        stp     x29, x30, [sp, #-64]!
        stp     x0, x1, [sp, #16]
        str     x2, [sp, #32]
        mov     w3, #0x01000000                 // FDT_BEGIN_NODE
        str     w3, [x22], #4
        adr     x3, word_module
        ldr     w4, [x3]
        str     w4, [x22], #4
        ldr     w4, [x3, #4]                    // "le@" and the first digit
        str     w4, [x22]
        ldr     x5, [x0, #M_ADDRESS]
        add     x6, x22, #3
        mov     x7, #60
2:      lsr     x8, x5, x7
        and     x8, x8, #15
        cmp     x8, #10
        add     x9, x8, #'0'
        add     x10, x8, #('a' - 10)
        csel    x8, x9, x10, lo
        strb    w8, [x6], #1
        subs    x7, x7, #4
        b.pl    2b
        strb    wzr, [x6], #1                   // 3 + 16 + 1 bytes: whole words
        mov     x22, x6
        mov     x0, #T_COMPATIBLE
        ldr     x1, [sp, #24]
        ldr     x2, [sp, #32]
        bl      put_property
        ldr     x3, [sp, #16]
        ldr     x4, [x3, #M_ADDRESS]
        ldr     x5, [x3, #M_SIZE]
        rev     x4, x4
        rev     x5, x5
        stp     x4, x5, [sp, #40]
        mov     x0, #T_REG
        add     x1, sp, #40
        mov     x2, #16
        bl      put_property
        ldr     x3, [sp, #16]
        ldr     x1, [x3, #M_ARGUMENTS]
        cbz     x1, 3f
        mov     x0, #T_BOOTARGS
        bl      put_text_property
3:      mov     w3, #0x02000000                 // FDT_END_NODE
        str     w3, [x22], #4
        ldp     x29, x30, [sp], #64
        ret

put_text_property:
        stp     x29, x30, [sp, #-32]!
        stp     x0, x1, [sp, #16]
        mov     x0, x1
        bl      length
        add     x2, x0, #1
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #32
// Property x0 of ours with x2 bytes at x1. Changes x0 to x4.
put_property:
        mov     w3, #0x03000000
        str     w3, [x22], #4
        rev     w3, w2
        str     w3, [x22], #4
        add     w3, w27, w0
        rev     w3, w3
        str     w3, [x22], #4
        mov     x4, x2
1:      cbz     x2, 2f
        ldrb    w3, [x1], #1
        strb    w3, [x22], #1
        sub     x2, x2, #1
        b       1b
2:      tst     x4, #3
        b.eq    3f
        strb    wzr, [x22], #1
        add     x4, x4, #1
        b       2b
3:      ret
        .ltorg

tree_strings:
${STRINGS.map((name) => `        .asciz  "${name}"\n`).join("")}
tree_strings_end:
word_chosen:    .asciz "chosen"
word_psci:      .asciz "psci"
word_memory:    .asciz "memory@"
word_method:    .asciz "method"
word_pl011:     .asciz "arm,pl011"
word_virtio:    .asciz "virtio,mmio"
word_ecam:      .asciz "pci-host-ecam-generic"
compatible_kernel:  .asciz "multiboot,kernel", "multiboot,module"
compatible_ramdisk: .asciz "multiboot,ramdisk", "multiboot,module"
compatible_end:
        .balign 4
word_module:    .ascii "module@0"
cells_2:        .byte 0, 0, 0, 2
        .balign 8
`;
