/** The loader reads a flattened device tree, as assembly: its blocks, its tokens, and what it says of CPUs and PSCI. */
import type { Source } from "../../machine/a64/program.ts";
import { FORMAT } from "../../machine/device_tree.ts";
import { DEVICE_TREE_ENABLED, DEVICE_TREE_HELPERS, DEVICE_TREE_NODES } from "./device_tree_nodes_text.ts";

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
export function deviceTreeReader(by: keyof typeof DEVICE_TREE_ENABLED): Source {
  return {
    name: "device_tree",
    text: EQUATES + CHECK + WALK + DEVICE_TREE_NODES + DEVICE_TREE_ENABLED[by] + DEVICE_TREE_HELPERS + TEXTS,
  };
}
