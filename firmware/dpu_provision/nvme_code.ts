/**
 * An NVMe controller (NVM Express 1.4) driven by polling, as A64: found on bus 0, enabled, its only namespace read and
 * written. `nvme_init`, `nvme_transfer` and `nvme_flush`; the MMU is off, a stack is needed.
 */

/** The driver. */
export const NVME_CODE: string = `
        .equ    NVME_DOORBELLS, NVME_REGISTERS + 0x1000
        .equ    ENTRIES, 16

// Finds the controller on bus 0 and enables it, with a pair of queues for I/O; x0 = 0, or not.
nvme_init:
        stp     x29, x30, [sp, #-16]!
        ldr     x1, =ECAM
        mov     x2, #0
1:      add     x3, x1, x2, lsl #15             // function 0 of each device
        ldr     w4, [x3, #8]
        lsr     w4, w4, #8
        ldr     w5, =0x010802                   // the class code of NVM Express
        cmp     w4, w5
        b.eq    2f
        add     x2, x2, #1
        cmp     x2, #32
        b.lo    1b
        mov     x0, #1
        b       9f
2:      ldr     w4, =NVME_REGISTERS
        str     w4, [x3, #0x10]
        str     wzr, [x3, #0x14]
        ldrh    w4, [x3, #4]
        orr     w4, w4, #6                      // memory space, bus master
        strh    w4, [x3, #4]
        ldr     x1, =NVME_REGISTERS
        str     wzr, [x1, #0x14]                // CC
3:      ldr     w2, [x1, #0x1c]                 // CSTS.RDY
        tbnz    w2, #0, 3b
        ldr     x2, =NVME_QUEUES
        add     x3, x2, #4, lsl #12
4:      stp     xzr, xzr, [x2], #16
        cmp     x2, x3
        b.lo    4b
        ldr     x2, =NVME_STATE
        mov     w3, #1                          // phases; see nvme_run
        stp     wzr, wzr, [x2]
        stp     w3, wzr, [x2, #8]
        stp     wzr, wzr, [x2, #16]
        stp     w3, wzr, [x2, #24]
        ldr     w2, =((ENTRIES - 1) << 16 | (ENTRIES - 1))
        str     w2, [x1, #0x24]                 // AQA
        ldr     x2, =NVME_QUEUES
        str     w2, [x1, #0x28]                 // ASQ
        str     wzr, [x1, #0x2c]
        add     x2, x2, #1, lsl #12
        str     w2, [x1, #0x30]                 // ACQ
        str     wzr, [x1, #0x34]
        ldr     w2, =0x460001                   // entries of 64 and 16 bytes, enabled
        str     w2, [x1, #0x14]
5:      ldr     w2, [x1, #0x1c]
        tbz     w2, #0, 5b
        mov     w0, #5                          // Create I/O Completion Queue
        ldr     x1, =(NVME_QUEUES + 0x3000)
        mov     w2, #1                          // contiguous
        bl      nvme_create
        cbnz    x0, 9f
        mov     w0, #1                          // Create I/O Submission Queue
        ldr     x1, =(NVME_QUEUES + 0x2000)
        ldr     w2, =0x10001
        bl      nvme_create
9:      ldp     x29, x30, [sp], #16
        ret

// The command w0 for queue 1, its entries at x1, with dword 11.
nvme_create:
        ldr     x3, =NVME_COMMAND
        stp     x0, xzr, [x3]
        stp     xzr, x1, [x3, #16]
        stp     xzr, xzr, [x3, #32]
        stp     xzr, xzr, [x3, #48]
        ldr     w4, =((ENTRIES - 1) << 16 | 1)
        str     w4, [x3, #40]
        str     w2, [x3, #44]
        mov     x0, #0

// Carries out NVME_COMMAND on queue x0 (0 or 1); x0 = its status, 0 for success.
nvme_run:
        ldr     x2, =NVME_STATE
        add     x2, x2, x0, lsl #4              // tail, head, phase
        ldr     w3, [x2]
        ldr     x4, =NVME_QUEUES
        add     x4, x4, x0, lsl #13
        add     x5, x4, x3, lsl #6
        ldr     x1, =NVME_COMMAND
        ldp     q0, q1, [x1]
        ldp     q2, q3, [x1, #32]
        stp     q0, q1, [x5]
        stp     q2, q3, [x5, #32]
        add     w3, w3, #1
        and     w3, w3, #(ENTRIES - 1)
        str     w3, [x2]
        dsb     sy
        ldr     x5, =NVME_DOORBELLS
        add     x5, x5, x0, lsl #3
        str     w3, [x5]
        ldr     w6, [x2, #4]
        ldr     w7, [x2, #8]
        add     x8, x4, #1, lsl #12
        add     x8, x8, x6, lsl #4
1:      ldr     w9, [x8, #12]
        ubfx    w10, w9, #16, #1
        cmp     w10, w7
        b.ne    1b
        add     w6, w6, #1
        ands    w6, w6, #(ENTRIES - 1)
        b.ne    2f
        eor     w7, w7, #1
2:      stp     w6, w7, [x2, #4]
        str     w6, [x5, #4]
        lsr     w0, w9, #17
        ret

// x0 = 1 writes, 2 reads: x3 bytes, whole sectors, at sector x1, with the page-aligned buffer x2; x0 = status.
nvme_transfer:
        stp     x29, x30, [sp, #-64]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        mov     x19, x0
        mov     x20, x1
        mov     x21, x2
        mov     x22, x3
1:      mov     x0, #0
        cbz     x22, 9f
        mov     x4, #0x10000
        cmp     x22, x4
        csel    x4, x22, x4, lo                 // at most 64 KiB at a time
        str     x4, [sp, #48]
        ldr     x3, =NVME_COMMAND
        mov     x5, #1                          // the namespace
        orr     x5, x19, x5, lsl #32
        stp     x5, xzr, [x3]
        add     x6, x21, #1, lsl #12
        stp     xzr, x21, [x3, #16]             // PRP1
        stp     x6, x20, [x3, #32]              // PRP2, SLBA
        lsr     x5, x4, #9
        sub     x5, x5, #1
        stp     x5, xzr, [x3, #48]
        cmp     x4, #2, lsl #12
        b.ls    3f
        ldr     x7, =NVME_LIST                  // more than two pages
        str     x7, [x3, #32]
        add     x8, x21, x4
2:      str     x6, [x7], #8
        add     x6, x6, #1, lsl #12
        cmp     x6, x8
        b.lo    2b
3:      mov     x0, #1
        bl      nvme_run
        cbnz    x0, 9f
        ldr     x4, [sp, #48]
        add     x20, x20, x4, lsr #9
        add     x21, x21, x4
        sub     x22, x22, x4
        b       1b
9:      ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #64
        ret

// Makes all that was written durable; x0 = status.
nvme_flush:
        ldr     x3, =NVME_COMMAND
        mov     x5, #1 << 32
        stp     x5, xzr, [x3]
        stp     xzr, xzr, [x3, #16]
        stp     xzr, xzr, [x3, #32]
        stp     xzr, xzr, [x3, #48]
        mov     x0, #1
        b       nvme_run
        .ltorg
`;
