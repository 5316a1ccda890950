/**
 * The loader's device tree: the host's own, read from /sys/firmware/fdt and written anew with another /chosen
 * (Devicetree Specification 0.4, chapter 5). For Xen, /chosen names the modules (docs/misc/arm/device-tree/booting.txt); for a
 * management hypervisor it is the guest's, with PSCI by HVC and without the hypervisor's memory.
 */

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

/** `read_tree` and `walk_tree`. */
export const TREE = String.raw`
${stringEquates()}
        .equ    FDT_MAGIC, 0xd00dfeed
        .equ    KIND_CHOSEN, 1
        .equ    KIND_PSCI, 2
        .equ    KIND_MEMORY, 3
        .equ    ROOT_CELLS, 3                   // both were seen

// Reads the host's tree and learns from it; what is written here is thrown away.
read_tree:
        stp     x29, x30, [sp, #-16]!
        adr     x1, path_tree
        ldr     x2, =tree_in
        ldr     x3, =TREE_MOST
        bl      read_file
        mov     x1, x0
        adr     x0, text_no_tree
        cmp     x1, #40
        b.lt    fail
        ldr     x2, =tree_in
        ldr     w3, [x2, #4]
        rev     w3, w3
        adr     x0, text_bad_tree
        cmp     x1, x3                          // totalsize
        b.lo    fail
        ldr     w3, [x2]
        rev     w3, w3
        ldr     w4, =FDT_MAGIC
        cmp     w3, w4
        b.ne    fail
        bl      walk_tree
        ldr     x1, =uart
        ldr     x1, [x1]
        adr     x0, text_no_uart
        cbz     x1, fail
        ldp     x29, x30, [sp], #16
        ret

// Writes tree_in anew to tree_out, its size to module tree, and what it finds to ram_base and the like.
// x19 = tree_in, x20 = its structure, x21 = its strings, x22 = place in tree_out, x23 = depth, x24 = kind of the node,
// x25 = root cells seen, x26 = whether /chosen was, x27 = offset of our strings.
walk_tree:
        stp     x29, x30, [sp, #-96]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        ldr     x19, =tree_in
        ldr     x22, =tree_out
        ldr     x0, =device_count
        str     xzr, [x0]
        ldr     x0, =ram_end
        str     xzr, [x0]
        ldr     w0, [x19, #8]
        rev     w0, w0
        add     x20, x19, x0
        ldr     w0, [x19, #12]
        rev     w0, w0
        add     x21, x19, x0
        ldr     w27, [x19, #32]                 // size_dt_strings
        rev     w27, w27
        mov     x23, xzr
        mov     x24, xzr
        mov     x25, xzr
        mov     x26, xzr
        // Header later; reservations up to and with the empty one.
        add     x22, x22, #40
        ldr     w0, [x19, #16]
        rev     w0, w0
        add     x0, x19, x0
1:      ldp     x1, x2, [x0], #16
        stp     x1, x2, [x22], #16
        orr     x1, x1, x2
        cbnz    x1, 1b
        mov     x28, x22                        // the structure begins here
token:  ldr     w0, [x20]
        rev     w0, w0
        cmp     w0, #1
        b.eq    begin_node
        cmp     w0, #2
        b.eq    end_node
        cmp     w0, #3
        b.eq    property
        cmp     w0, #4                          // nothing
        b.eq    skip_token
        cmp     w0, #9
        b.eq    end_tree
bad_tree:
        adr     x0, text_bad_tree
        b       fail
skip_token:
        add     x20, x20, #4
        b       token

begin_node:
        add     x23, x23, #1
        ldr     x0, =compatible_at
        str     xzr, [x0]
        ldr     x0, =reg_at
        str     xzr, [x0]
        cmp     x23, #2
        b.ne    1f
        add     x0, x20, #4
        bl      kind_of
        mov     x24, x0
1:      bl      copy_word
2:      ldr     w0, [x20], #4                   // the name, up to the word with its zero
        str     w0, [x22], #4
        bl      has_zero
        cbz     x0, 2b
        cmp     x24, #KIND_CHOSEN
        ccmp    x23, #2, #0, eq
        b.ne    token
        mov     x26, #1
        bl      put_chosen
        b       token

end_node:
        bl      learn
        cmp     x24, #KIND_CHOSEN
        ccmp    x23, #2, #0, eq
        b.ne    1f
        bl      put_modules
1:      cmp     x23, #2
        csel    x24, x24, xzr, hi
        sub     x23, x23, #1
        bl      copy_word
        b       token

property:
        ldr     w0, [x20, #8]
        rev     w0, w0
        add     x10, x21, x0                    // its name
        ldr     w11, [x20, #4]
        rev     w11, w11                        // its bytes
        add     x12, x20, #12                   // its value
        bl      seen
        cbnz    x0, 2f
        add     x1, x11, #15                    // the token, and the value in whole words
        and     x1, x1, #~3
1:      bl      copy_word
        subs    x1, x1, #4
        b.ne    1b
        bl      changed
        b       token
2:      add     x1, x11, #15
        and     x1, x1, #~3
        add     x20, x20, x1
        b       token

end_tree:
        cmp     x25, #ROOT_CELLS
        b.ne    bad_tree
        cbz     x26, bad_tree
        ldr     x0, =ram_end
        ldr     x0, [x0]
        cbz     x0, bad_tree
        bl      copy_word
        ldr     x0, =tree_out
        sub     x13, x22, x28                   // size of the structure
        sub     x14, x22, x0                    // offset of the strings
        mov     x1, x21
        mov     x2, x27
1:      cbz     x2, 2f
        ldrb    w3, [x1], #1
        strb    w3, [x22], #1
        sub     x2, x2, #1
        b       1b
2:      adr     x1, tree_strings
        mov     x2, #(tree_strings_end - tree_strings)
3:      ldrb    w3, [x1], #1
        strb    w3, [x22], #1
        subs    x2, x2, #1
        b.ne    3b
        sub     x15, x22, x0                    // totalsize
        ldr     x1, =tree
        str     x0, [x1, #M_DATA]
        str     x15, [x1, #M_SIZE]
        sub     x16, x28, x0
        add     x17, x27, #(tree_strings_end - tree_strings)
        ldr     w1, =FDT_MAGIC
        bl      put_header                      // magic
        mov     w1, w15
        bl      put_header                      // totalsize
        mov     w1, w16
        bl      put_header                      // off_dt_struct
        mov     w1, w14
        bl      put_header                      // off_dt_strings
        mov     w1, #40
        bl      put_header                      // off_mem_rsvmap
        mov     w1, #17
        bl      put_header                      // version
        mov     w1, #16
        bl      put_header                      // last_comp_version
        ldr     w1, [x19, #28]
        rev     w1, w1
        bl      put_header                      // boot_cpuid_phys
        mov     w1, w17
        bl      put_header                      // size_dt_strings
        mov     w1, w13
        bl      put_header                      // size_dt_struct
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #96
        ret

put_header:
        rev     w1, w1
        str     w1, [x0], #4
        ret
copy_word:
        ldr     w0, [x20], #4
        str     w0, [x22], #4
        ret
// x0 = whether one of the four bytes in w0 is zero. Changes x1.
has_zero:
        tst     w0, #0xff
        b.eq    1f
        tst     w0, #0xff00
        b.eq    1f
        tst     w0, #0xff0000
        b.eq    1f
        tst     w0, #0xff000000
        b.eq    1f
        mov     x0, #0
        ret
1:      mov     x0, #1
        ret

// x0 = kind of the node below the root named x0.
kind_of:
        stp     x29, x30, [sp, #-32]!
        str     x0, [sp, #16]
        adr     x1, word_chosen
        bl      same
        mov     x4, #KIND_CHOSEN
        cbnz    x0, 1f
        ldr     x0, [sp, #16]
        adr     x1, word_psci
        bl      same
        mov     x4, #KIND_PSCI
        cbnz    x0, 1f
        ldr     x0, [sp, #16]
        adr     x1, word_memory
        bl      starts
        mov     x4, #KIND_MEMORY
        cbnz    x0, 1f
        mov     x4, xzr
1:      mov     x0, x4
        ldp     x29, x30, [sp], #32
        ret
// x0 = whether the text x0 starts with the text x1.
starts: ldrb    w2, [x1], #1
        cbz     w2, 1f
        ldrb    w3, [x0], #1
        cmp     w2, w3
        b.eq    starts
        mov     x0, #0
        ret
1:      mov     x0, #1
        ret

// Looks at the property named x10 of x11 bytes at x12; x0 = whether it is left out.
seen:   stp     x29, x30, [sp, #-16]!
        mov     x0, x10
        adr     x1, (tree_strings + T_COMPATIBLE)
        bl      same
        ldr     x1, =compatible_at
        cbz     x0, 1f
        str     x12, [x1]
1:      mov     x0, x10
        adr     x1, (tree_strings + T_REG)
        bl      same
        ldr     x1, =reg_at
        cbz     x0, 2f
        cmp     x11, #16
        b.lo    2f
        str     x12, [x1]
2:      cmp     x23, #1
        b.ne    4f
        ldr     w4, [x12]
        rev     w4, w4
        cmp     w4, #2
        b.ne    4f
        mov     x0, x10
        adr     x1, (tree_strings + T__ADDRESS_CELLS)
        bl      same
        orr     x25, x25, x0
        mov     x0, x10
        adr     x1, (tree_strings + T__SIZE_CELLS)
        bl      same
        orr     x25, x25, x0, lsl #1
4:      mov     x0, #0
        cmp     x24, #KIND_CHOSEN
        ccmp    x23, #2, #0, eq
        b.ne    6f
        adr     x5, tree_strings                // what is put there anew: the first six names
        mov     x6, #6
5:      mov     x0, x10
        mov     x1, x5
        bl      same
        cbnz    x0, 6f
7:      ldrb    w0, [x5], #1
        cbnz    w0, 7b
        subs    x6, x6, #1
        b.ne    5b
        mov     x0, #0
6:      ldp     x29, x30, [sp], #16
        ret

// What has to be other in the copy of the property that ends at x22: PSCI's method, and how much memory there is.
changed:
        stp     x29, x30, [sp, #-16]!
        cmp     x23, #2
        b.ne    9f
        cmp     x24, #KIND_PSCI
        b.ne    1f
        mov     x0, x10
        adr     x1, word_method
        bl      same
        cbz     x0, 9f
        ldr     w0, [x12]
        ldr     w1, =0x00637668                 // "hvc"
        cmp     w0, w1
        cset    x2, eq
        ldr     x3, =psci_hvc
        str     x2, [x3]
        ldr     x3, =is_esx
        ldr     x3, [x3]
        cbz     x3, 9f
        str     w1, [x22, #-4]
        b       9f
1:      cmp     x24, #KIND_MEMORY
        b.ne    9f
        ldr     x0, =reg_at
        ldr     x0, [x0]
        cmp     x0, x12
        b.ne    9f
        ldr     x2, =ram_end
        ldr     x3, [x2]
        cbnz    x3, 9f                          // the first memory is what is planned with
        ldp     x4, x5, [x12]
        rev     x4, x4
        rev     x5, x5
        add     x5, x5, x4
        ldr     x3, =ram_base
        str     x4, [x3]
        str     x5, [x2]
        ldr     x3, =is_esx
        ldr     x3, [x3]
        cbz     x3, 9f
        ldr     x3, =final_place
        ldr     x3, [x3]
        cbz     x3, 9f
        sub     x5, x3, x4
        rev     x5, x5
        sub     x0, x11, #8                     // the first size, from the property's end
        sub     x0, x22, x0
        str     x5, [x0]
9:      ldp     x29, x30, [sp], #16
        ret

// What the node that ends says of the machine: its console, and devices that master the bus.
learn:  stp     x29, x30, [sp, #-32]!
        ldr     x0, =compatible_at
        ldr     x0, [x0]
        ldr     x1, =reg_at
        ldr     x1, [x1]
        cbz     x0, 9f
        cbz     x1, 9f
        str     x0, [sp, #16]
        ldr     x9, [x1]
        rev     x9, x9
        adr     x1, word_pl011
        bl      same
        cbz     x0, 1f
        ldr     x1, =uart
        ldr     x2, [x1]
        cbnz    x2, 9f
        str     x9, [x1]
        b       9f
1:      ldr     x0, [sp, #16]
        adr     x1, word_virtio
        bl      same
        mov     x4, #DEVICE_VIRTIO_MMIO
        cbnz    x0, 2f
        ldr     x0, [sp, #16]
        adr     x1, word_ecam
        bl      same
        mov     x4, #DEVICE_ECAM
        cbz     x0, 9f
2:      ldr     x1, =device_count
        ldr     x2, [x1]
        cmp     x2, #MOST_DEVICES
        b.hs    bad_tree
        ldr     x3, =devices
        add     x3, x3, x2, lsl #4
        stp     x4, x9, [x3]
        add     x2, x2, #1
        str     x2, [x1]
9:      ldr     x0, =compatible_at
        str     xzr, [x0]
        ldp     x29, x30, [sp], #32
        ret

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
