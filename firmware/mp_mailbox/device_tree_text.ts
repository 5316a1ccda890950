/** The loader reads a flattened device tree, as assembly: its blocks, its tokens, and what it says of CPUs and PSCI. */
import type { Source } from "../../machine/a64/program.ts";
import { FORMAT } from "../../machine/device_tree.ts";

/** Properties that are looked at, each with a slot {address, length} that is valid while its node is read. */
// deno-fmt-ignore
const PROPERTIES = [
  ["compatible",             "COMPATIBLE"],
  ["reg",                    "REG"],
  ["method",                 "METHOD"],
  ["cpu_on",                 "CPU_ON"],
  ["enable-method",          "ENABLE"],
  ["device_type",            "TYPE"],
  ["status",                 "STATUS"],
  ["#address-cells",         "ADDRESS_CELLS"],
  ["#size-cells",            "SIZE_CELLS"],
  ["bootargs",               "BOOTARGS"],
  ["cpu-release-addr", "RELEASE"],
  ["linux,uefi-system-table",   "SYSTEM_TABLE"],
  ["linux,uefi-mmap-start",     "MAP"],
  ["linux,uefi-mmap-size",      "MAP_SIZE"],
  ["linux,uefi-mmap-desc-size", "MAP_STEP"],
] as const;

const SLOTS = PROPERTIES.map(([, name], index) => `        .equ    SLOT_${name}, ${index * 16}\n`).join("");

const NAMES = `
property_names:
${PROPERTIES.map(([name]) => `        .asciz  "${name}"\n`).join("")}        .byte   0
`;

/** Tokens and the version of the format. */
const EQUATES = `
        .equ    FDT_MAGIC, 0x${FORMAT.MAGIC.toString(16)}
        .equ    FDT_VERSION, ${FORMAT.VERSION}
        .equ    FDT_HEADER, ${FORMAT.HEADER_SIZE}
        .equ    FDT_BEGIN, ${FORMAT.BEGIN_NODE}
        .equ    FDT_END_NODE, ${FORMAT.END_NODE}
        .equ    FDT_PROPERTY, ${FORMAT.PROPERTY}
        .equ    FDT_NOP, ${FORMAT.NOP}
        .equ    FDT_END, ${FORMAT.END}
        .equ    FDT_DEEPEST, 64
        .equ    TREE_MOST, 0x100000
${SLOTS}`;

/** Header and blocks; nothing outside the tree is read afterwards. */
const CHECK = `
// Checks the header of the tree at x19. Sets VARS_STRUCT…; leaves x22 = strings, x23 = their end, x20 = structure, x21 = end.
check_tree:
        adr     x0, text_tree_header
        tst     x19, #7
        b.ne    refuse
        ldr     w1, [x19]
        rev     w1, w1
        ldr     w2, =FDT_MAGIC
        cmp     w1, w2
        b.ne    refuse
        ldr     w3, [x19, #4]                   // totalsize
        rev     w3, w3
        cmp     w3, #FDT_HEADER
        b.lo    refuse
        ldr     w1, =(TREE_MOST * 2)
        cmp     w3, w1
        b.hi    refuse
        ldr     w1, [x19, #20]                  // version
        rev     w1, w1
        cmp     w1, #FDT_VERSION
        b.lo    refuse
        ldr     w1, [x19, #24]                  // last_comp_version
        rev     w1, w1
        cmp     w1, #FDT_VERSION
        b.hi    refuse
        adr     x0, text_tree_blocks
        ldr     w1, [x19, #8]                   // off_dt_struct
        rev     w1, w1
        tst     w1, #3
        b.ne    refuse
        ldr     w2, [x19, #36]                  // size_dt_struct
        rev     w2, w2
        add     x20, x19, x1
        add     x21, x20, x2
        add     x1, x1, x2
        cmp     x1, x3
        b.hi    refuse
        ldr     w1, [x19, #12]                  // off_dt_strings
        rev     w1, w1
        ldr     w2, [x19, #32]                  // size_dt_strings
        rev     w2, w2
        cbz     w2, refuse
        add     x22, x19, x1
        add     x23, x22, x2
        add     x1, x1, x2
        cmp     x1, x3
        b.hi    refuse
        ldrb    w1, [x23, #-1]                  // so that every name ends
        cbnz    w1, refuse
        ldr     w1, [x19, #16]                  // off_mem_rsvmap
        rev     w1, w1
        tst     w1, #7
        b.ne    refuse
        mov     x5, x1
1:      add     x4, x5, #16
        cmp     x4, x3
        b.hi    refuse
        add     x5, x19, x5
        ldp     x6, x7, [x5]
        mov     x5, x4
        orr     x6, x6, x7
        cbnz    x6, 1b
        sub     x4, x4, x1                      // bytes of the reservations
        sub     x1, x21, x20                    // they and both blocks have to fit into the copy's room
        add     x1, x1, x4
        sub     x2, x23, x22
        add     x1, x1, x2
        adr     x0, text_tree_size
        ldr     x2, =(TREE_ROOM - 4096)
        cmp     x1, x2
        b.hi    refuse
        ret
`;

/** Tokens, and names of properties. */
const WALK = `
// Reads the tree at x19 twice: its blocks and tokens first, so that it can be copied whatever it says. x24 = depth (the root has 1), x25 = 1 within /cpus, x27 = 1 while properties of interest come.
read_tree:
        stp     x29, x30, [sp, #-16]!
        bl      check_tree
        str     x20, [x28, #VARS_STRUCT]
        bl      read_tokens
        mov     x0, #1
        str     x0, [x28, #VARS_TREE_GOOD]
        ldr     x20, [x28, #VARS_STRUCT]
        bl      read_tokens
        ldp     x29, x30, [sp], #16
        ret

read_tokens:
        stp     x29, x30, [sp, #-16]!
        mov     x24, #0
        mov     x25, #0
        mov     x27, #0
read_token:
        adr     x0, text_tree_tokens
        sub     x1, x21, x20
        cmp     x1, #4
        b.lo    refuse
        ldr     w1, [x20], #4
        rev     w1, w1
        cmp     w1, #FDT_NOP
        b.eq    read_token
        cmp     w1, #FDT_BEGIN
        b.eq    read_begin
        cmp     w1, #FDT_PROPERTY
        b.eq    read_property
        cmp     w1, #FDT_END_NODE
        b.eq    read_end
        cmp     w1, #FDT_END
        b.ne    refuse
        cbnz    x24, refuse
        ldp     x29, x30, [sp], #16
        ret

read_begin:
        bl      close_node
        ldr     x1, [x28, #VARS_STRUCT]
        sub     x1, x20, x1
        sub     x1, x1, #4
        str     x1, [x28, #VARS_NODE]
        str     x20, [x28, #VARS_NAME]
        adr     x0, text_tree_tokens
1:      cmp     x20, x21
        b.hs    refuse
        ldrb    w1, [x20], #1
        cbnz    w1, 1b
        add     x20, x20, #3
        and     x20, x20, #~3
        cmp     x20, x21
        b.hi    refuse
        add     x24, x24, #1
        cmp     x24, #FDT_DEEPEST
        b.hi    refuse
        cmp     x24, #2
        b.hi    2f
        b.lo    open_node
        ldr     x0, [x28, #VARS_NAME]
        adr     x1, name_cpus
        bl      text_equals
        cset    x25, eq
        b       open_node
2:      cmp     x24, #3
        b.ne    read_token
        cbz     x25, read_token
open_node:
        mov     x27, #1
        add     x0, x28, #VARS_SLOTS
        mov     x1, #${PROPERTIES.length}
1:      stp     xzr, xzr, [x0], #16
        subs    x1, x1, #1
        b.ne    1b
        b       read_token

read_end:
        bl      close_node
        adr     x0, text_tree_tokens
        cbz     x24, refuse
        sub     x24, x24, #1
        b       read_token

read_property:
        adr     x0, text_tree_tokens
        cbz     x24, refuse
        sub     x1, x21, x20
        cmp     x1, #8
        b.lo    refuse
        ldp     w1, w2, [x20], #8
        rev     w1, w1                          // length
        rev     w2, w2                          // offset of the name
        sub     x3, x21, x20
        add     x4, x1, #3
        and     x4, x4, #~3
        cmp     x4, x3
        b.hi    refuse
        mov     x5, x20                         // the value
        mov     x6, x1
        add     x20, x20, x4
        sub     x3, x23, x22
        cmp     x2, x3
        b.hs    refuse
        cbz     x27, read_token
        add     x7, x22, x2
        adr     x8, property_names
        add     x9, x28, #VARS_SLOTS
1:      ldrb    w0, [x8]
        cbz     w0, read_token
        mov     x0, x7
        mov     x1, x8
        bl      text_equals
        b.eq    3f
2:      ldrb    w0, [x8], #1
        cbnz    w0, 2b
        add     x9, x9, #16
        b       1b
3:      stp     x5, x6, [x9]
        b       read_token
`;

/** What a node said, when its properties are over. */
const NODES = `
close_node:
        cbz     x27, 9f
        mov     x27, #0
        stp     x29, x30, [sp, #-16]!
        ldr     x0, [x28, #VARS_TREE_GOOD]
        cbz     x0, close_unread
        cmp     x24, #2
        b.lo    close_root
        b.hi    close_cpu
        cbnz    x25, close_cpus
        ldr     x0, [x28, #VARS_NAME]
        adr     x1, name_chosen
        bl      text_equals
        b.eq    close_chosen
        b       close_device
9:      ret
close_unread:                                   // the first time, only what a copy for one CPU needs
        cmp     x24, #2
        b.ne    closed
        ldr     x0, [x28, #VARS_NAME]
        adr     x1, name_chosen
        bl      text_equals
        b.eq    close_chosen
closed: ldp     x29, x30, [sp], #16
        ret

close_root:
        mov     x0, #SLOT_ADDRESS_CELLS
        mov     x1, #2
        bl      cell_of
        cmp     x0, #2
        adr     x0, text_tree_cells
        b.ne    refuse
        mov     x0, #SLOT_SIZE_CELLS
        mov     x1, #1
        bl      cell_of
        cmp     x0, #2
        adr     x0, text_tree_cells
        b.ne    refuse
        b       closed

close_cpus:
        mov     x0, #SLOT_ADDRESS_CELLS
        mov     x1, #2
        bl      cell_of
        str     x0, [x28, #VARS_CPU_CELLS]
        sub     x1, x0, #1
        cmp     x1, #1
        adr     x0, text_tree_cells
        b.hi    refuse
        b       closed

close_chosen:
        ldr     x0, [x28, #VARS_NODE]
        add     x0, x0, #1                      // so that 0 is none
        str     x0, [x28, #VARS_CHOSEN]
        ldr     x0, [x28, #(VARS_SLOTS + SLOT_BOOTARGS)]
        str     x0, [x28, #VARS_BOOTARGS]
        ldp     x0, x1, [x28, #(VARS_SLOTS + SLOT_SYSTEM_TABLE)]
        cmp     x1, #8
        b.ne    closed
        bl      big_64
        str     x0, [x28, #VARS_SYSTEM_TABLE]
        ldp     x0, x1, [x28, #(VARS_SLOTS + SLOT_MAP)]
        cmp     x1, #8
        b.ne    closed                          // no map: its size stays 0
        bl      big_64
        str     x0, [x28, #VARS_MAP]
        mov     x0, #SLOT_MAP_SIZE
        mov     x1, #0
        bl      cell_of
        str     x0, [x28, #VARS_MAP_SIZE]
        mov     x0, #SLOT_MAP_STEP
        mov     x1, #0
        bl      cell_of
        str     x0, [x28, #VARS_MAP_STEP]
        b       closed

close_device:
        mov     x6, #SLOT_COMPATIBLE
        adr     x2, names_psci
        bl      slot_contains_any
        cbnz    x0, close_psci
        adr     x2, names_psci_old
        bl      slot_contains_any
        cbnz    x0, close_psci_old
        adr     x2, names_gicv3
        bl      slot_contains_any
        mov     x3, #3
        cbnz    x0, close_gic
        adr     x2, names_gicv2
        bl      slot_contains_any
        mov     x3, #2
        cbnz    x0, close_gic
        b       closed

close_gic:                                      // reg: distributor, then redistributors or CPU interface
        ldp     x0, x1, [x28, #(VARS_SLOTS + SLOT_REG)]
        cmp     x1, #32
        b.lo    closed
        ldr     x2, [x28, #VARS_GIC]
        cbnz    x2, closed                      // the first one
        str     x3, [x28, #VARS_GIC]
        mov     x4, x0
        bl      big_64
        str     x0, [x28, #VARS_GICD]
        add     x0, x4, #16
        bl      big_64
        str     x0, [x28, #VARS_GIC_CPU]        // of a GICv2
        str     x0, [x28, #VARS_REDISTRIBUTORS] // of a GICv3
        add     x0, x4, #24
        bl      big_64
        str     x0, [x28, #VARS_GIC_CPU_SIZE]
        b       closed

close_psci_old:                                 // PSCI 0.1: functions have the numbers that the tree gives
        mov     x0, #SLOT_CPU_ON
        mov     x1, #0
        bl      cell_of
        str     w0, [x28, #VARS_CPU_ON]
        adr     x0, text_conduit
        ldr     w1, [x28, #VARS_CPU_ON]
        cbz     w1, refuse
        b       1f
close_psci:
        ldr     w0, =PSCI_CPU_ON
        str     w0, [x28, #VARS_CPU_ON]
1:      mov     x6, #SLOT_METHOD
        adr     x2, name_hvc
        bl      slot_contains
        mov     x3, #CONDUIT_HVC
        cbnz    x0, 2f
        adr     x2, name_smc
        bl      slot_contains
        mov     x3, #CONDUIT_SMC
        cbnz    x0, 2f
        adr     x0, text_conduit
        b       refuse
2:      str     x3, [x28, #VARS_CONDUIT]
        ldr     x0, [x28, #VARS_NODE]
        add     x0, x0, #1                      // so that 0 is none
        str     x0, [x28, #VARS_PSCI]
        b       closed

close_cpu:
        mov     x6, #SLOT_TYPE
        adr     x2, name_cpu
        bl      slot_contains
        cbz     x0, closed
        mov     x6, #SLOT_STATUS
        adr     x2, name_fail
        bl      slot_contains
        cbnz    x0, closed                      // known to be dead: the operating system leaves it out as well
        ldp     x2, x1, [x28, #(VARS_SLOTS + SLOT_REG)]
        ldr     x0, [x28, #VARS_CPU_CELLS]
        cmp     x1, x0, lsl #2
        adr     x1, text_cpu_reg
        csel    x0, x1, x0, ne
        b.ne    refuse
        cmp     x0, #2
        mov     x0, x2
        b.eq    1f
        ldr     w0, [x0]
        rev     w0, w0
        b       2f
1:      bl      big_64
2:      mov     x1, #0
        ldr     x2, [x28, #VARS_NODE]
        bl      add_core
`;

/** What enables a CPU that does not run yet: x0 = its record. */
const ENABLED = {
  psci: `        ldr     w1, [x0, #CORE_KIND]
        cmp     w1, #CORE_BOOT
        b.eq    closed
        mov     x6, #SLOT_ENABLE
        adr     x2, name_psci_method
        bl      slot_contains
        mov     x1, x0
        adr     x0, text_protocol
        cbz     x1, refuse
        b       closed
`,
  "spin-table": `        str     x0, [sp, #-16]!
        ldr     w1, [x0, #CORE_KIND]
        cmp     w1, #CORE_BOOT
        b.eq    1f
        mov     x6, #SLOT_ENABLE
        adr     x2, name_spin_table
        bl      slot_contains
        mov     x1, x0
        adr     x0, text_protocol
        cbz     x1, refuse
        ldp     x0, x1, [x28, #(VARS_SLOTS + SLOT_RELEASE)]
        cmp     x1, #8
        b.ne    2f
        bl      big_64
        ldr     x1, [sp]
        str     x0, [x1, #CORE_PAGE]
        mov     w0, #CORE_PARKED
        str     w0, [x1, #CORE_KIND]
1:      add     sp, sp, #16
        b       closed
2:      adr     x0, text_protocol
        b       refuse
`,
} as const;

const HELPERS = `
// x0 = the u32 of the slot x0, or x1 when the property is not there, or has another length.
cell_of:
        add     x2, x28, #VARS_SLOTS
        add     x2, x2, x0
        ldp     x2, x3, [x2]
        mov     x0, x1
        cmp     x3, #4
        b.ne    1f
        ldr     w0, [x2]
        rev     w0, w0
1:      ret

// x0 = the big-endian u64 at x0, a multiple of 4. Changes x1, x2.
big_64: ldp     w1, w2, [x0]
        rev     w1, w1
        rev     w2, w2
        orr     x0, x2, x1, lsl #32
        ret

// The flags of comparing the texts at x0 and x1. Changes x0 to x3.
text_equals:
1:      ldrb    w2, [x0], #1
        ldrb    w3, [x1], #1
        cmp     w2, w3
        b.ne    2f
        cbnz    w2, 1b
2:      ret

// x0 = 1 if the texts of the slot x6 have that at x2 among them, else 0. Changes x1, x4, x5, x7.
slot_contains:
        add     x0, x28, #VARS_SLOTS
        add     x0, x0, x6
        ldp     x0, x1, [x0]
        add     x1, x0, x1
1:      mov     x7, x2
2:      cmp     x0, x1
        b.hs    5f
        ldrb    w4, [x0], #1
        ldrb    w5, [x7], #1
        cmp     w4, w5
        b.ne    3f
        cbnz    w4, 2b
        mov     x0, #1
        ret
3:      cbz     w4, 1b                          // to the next text
4:      cmp     x0, x1
        b.hs    5f
        ldrb    w4, [x0], #1
        cbnz    w4, 4b
        b       1b
5:      mov     x0, #0
        ret

// x0 = 1 if they have one of those from x2 on among them, up to an empty one. Changes x1, x2, x4, x5, x7, x8.
slot_contains_any:
        mov     x8, x30
1:      bl      slot_contains
        cbnz    x0, 3f
2:      ldrb    w0, [x2], #1
        cbnz    w0, 2b
        ldrb    w0, [x2]
        cbnz    w0, 1b
3:      mov     x30, x8
        ret
`;

const TEXTS = `
        .rodata
name_cpus:        .asciz "cpus"
name_cpu:         .asciz "cpu"
name_chosen:      .asciz "chosen"
names_psci:       .asciz "arm,psci-1.0"
        .asciz  "arm,psci-0.2"
        .byte   0
names_psci_old:   .asciz "arm,psci"
        .byte   0
name_psci_method: .asciz "psci"
name_spin_table:  .asciz "spin-table"
name_hvc:         .asciz "hvc"
name_smc:         .asciz "smc"
name_fail:        .asciz "fail"
names_gicv3:      .asciz "arm,gic-v3"
        .byte   0
names_gicv2:      .asciz "arm,cortex-a15-gic"
        .asciz  "arm,gic-400"
        .byte   0
${NAMES}
text_tree_header: .asciz "the device tree's header is damaged"
text_tree_blocks: .asciz "the device tree's blocks lie outside it"
text_tree_size:   .asciz "the device tree is too large"
text_tree_tokens: .asciz "the device tree's tokens are damaged"
text_tree_cells:  .asciz "the device tree has addresses of another size"
text_conduit:     .asciz "PSCI has an unknown conduit"
text_protocol:    .asciz "a CPU is enabled by an unknown protocol"
text_cpu_reg:     .asciz "a CPU has no number"
        .text
`;

/**
 * `read_tree`, from x19; x28 = variables. CPUs are enabled by `by`. What is wrong goes to `refuse` with a text in x0. A node
 * counts as PSCI, as an interrupt controller or as a CPU by what it says, not by where it is, but that CPUs are in /cpus.
 */
export function deviceTreeReader(by: keyof typeof ENABLED): Source {
  return { name: "device_tree", text: EQUATES + CHECK + WALK + NODES + ENABLED[by] + HELPERS + TEXTS };
}
