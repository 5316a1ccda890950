/** What the loader takes out of the nodes of a device tree, as assembly: PSCI, interrupt controller, CPUs. */

/** What a node said, when its properties are over. */
export const DEVICE_TREE_NODES: string = `
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
export const DEVICE_TREE_ENABLED = {
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

/** `cell_of`, `big_64`, `text_equals` and `slot_contains`. */
export const DEVICE_TREE_HELPERS: string = `
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
