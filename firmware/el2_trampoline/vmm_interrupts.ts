/** The VMM in A64: physical interrupts, which become virtual ones of its guest, or are left to the vmkernel. */

/** `vmm_interrupt`. */
export const VMM_INTERRUPTS: string =
  `// An interrupt: the guest's goes to a list register, the vmkernel's is left as it is, and it runs.
vmm_interrupt:
        save_x
        ldr     x5, =DEVICE_GICC
        ldr     x6, =DEVICE_GICH
        ldr     w1, [x5, #0x18]                 // GICC_HPPIR: what it is, not acknowledged
        bl      vmm_whose
        b.hi    vmm_resume
        mov     x0, #REASON_IRQ
        b.lo    vmm_leave
        ldr     w2, [x6, #0x30]
        cbz     w2, vmm_no_room
        rbit    w2, w2
        clz     w2, w2
        ldr     w3, [x5, #0x0c]                 // GICC_IAR
        and     w1, w3, #0x3ff
        bl      vmm_whose
        b.hi    vmm_resume
        b.lo    vmm_give_back
        str     w3, [x5, #0x10]                 // GICC_EOIR: priority drop
        ldr     w4, =((1 << 31) | (1 << 28) | (PRIORITY_GUEST << 20))
        orr     w4, w4, w1
        orr     w4, w4, w1, lsl #10             // the guest's end of it deactivates the physical one
        add     x2, x6, x2, lsl #2
        str     w4, [x2, #0x100]
        b       vmm_resume

// The vmkernel's, which came between the two reads: as if it had not been acknowledged. A level is pending again by itself.
vmm_give_back:
        cmp     w1, #INTERRUPT_DOORBELL
        b.ne    1f
        ldr     x4, =DEVICE_GICD
        mov     w2, #(1 << (INTERRUPT_DOORBELL - 96))
        str     w2, [x4, #0x20c]                // GICD_ISPENDR3
1:      str     w3, [x5, #0x10]
        add     x5, x5, #1, lsl #12
        str     w3, [x5]                        // GICC_DIR
        b       vmm_leave

// Whose interrupt w1 is: HI for none's, EQ for the guest's, LO for the vmkernel's. Changes x7.
vmm_whose:
        mov     w7, #1
        cmp     w1, #1020
        b.hs    3f
        cmp     w1, #INTERRUPT_GUEST_TIMER
        b.eq    2f
        mov     w7, #0
        cmp     w1, #INTERRUPT_DOORBELL
        b.eq    2f
        cmp     w1, #32
        cset    w7, hs
2:      cmp     w7, #1
        ret
3:      cmp     w7, #0
        ret

vmm_no_room:
        mov     w1, #PRIORITY_VMKERNEL_MASK     // until the next entry
        str     w1, [x5, #4]
        b       vmm_resume

`;
