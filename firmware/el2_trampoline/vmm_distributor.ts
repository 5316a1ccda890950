/** The VMM in A64: accesses of its guest to the GIC's distributor (GICv2, Arm IHI 0048B), of which it sees its own interrupts. */

/** `vmm_distributor`. */
export const VMM_DISTRIBUTOR: string =
  `// An access to the distributor: x23 = its base, x24 = offset, x25 = value.
vmm_distributor:
        mrs     x24, far_el2
        and     x24, x24, #0xfff
        ubfx    x26, x20, #16, #5               // SRT
        tbz     x20, #6, vmm_distributor_read
        ldr     x25, [sp, x26, lsl #3]
        cmp     x26, #31
        csel    x25, x25, xzr, ne
        cbz     x24, 4f
        cmp     x24, #0xf00
        b.eq    vmm_send
        sub     x1, x24, #0x100                 // GICD_ISENABLER to GICD_ICACTIVER, a bit for each interrupt
        cmp     x1, #0x300
        b.hs    vmm_skip                        // groups, priorities, targets and triggers are the vmkernel's
        bl      vmm_mask
        and     w25, w25, w1
        str     w25, [x23, x24]
        b       vmm_skip
4:      str     w25, [sp, #C_GICD]
        b       vmm_skip

vmm_distributor_read:
        ldr     w25, [sp, #C_GICD]
        cbz     x24, 6f
        sub     x1, x24, #0x100
        cmp     x1, #0x300
        b.hs    5f
        bl      vmm_mask
        ldr     w25, [x23, x24]
        and     w25, w25, w1
        b       6f
5:      ubfx    x1, x20, #22, #2                // SAS
        cbz     x1, 7f
        ldr     w25, [x23, x24]
        b       6f
7:      ldrb    w25, [x23, x24]
6:      cmp     x26, #31
        b.eq    vmm_skip
        str     x25, [sp, x26, lsl #3]
        b       vmm_skip

// w1 = the guest's interrupts in the word at offset x24. Changes x2.
vmm_mask:
        ubfx    x1, x24, #2, #5
        adr     x2, vmm_masks
        ldr     w1, [x2, x1, lsl #2]
        ret

// GICD_SGIR: an interrupt that the only CPU sends itself.
vmm_send:
        ubfx    x1, x25, #24, #2
        cmp     x1, #1                          // to all others
        b.eq    vmm_skip
        cbnz    x1, 8f
        tbz     x25, #16, vmm_skip
8:      ldr     x0, =DEVICE_GICH
        ldr     w2, [x0, #0x30]                 // GICH_ELRSR0
        cbz     w2, vmm_skip
        rbit    w2, w2
        clz     w2, w2
        add     x2, x0, x2, lsl #2
        and     w1, w25, #15
        ldr     w3, =((1 << 28) | (PRIORITY_GUEST << 20))
        orr     w1, w1, w3
        str     w1, [x2, #0x100]
        b       vmm_skip

`;

/** `vmm_masks`, a word for each of GICD_ISENABLER. */
export const VMM_MASKS: string = `vmm_masks:
        .word   0x0800ffff                      // the virtual timer, and SGIs, which nobody sends
        .word   -1, -1, ~(1 << (INTERRUPT_DOORBELL - 96)) & 0xffffffff
        .rept   28
        .word   -1
        .endr
`;
