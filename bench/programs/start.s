// What runs before and after every program: FP and the MMU on, `run(ROUNDS, SIZE, DATA)`, its result on the console.
//
// The map is flat and in pages of 4 KiB, as user space has it, with tables of four levels as Linux has them: code is
// read-only and executable, RAM above CODE_END is read-write for EL0 and EL1, all of it cacheable; what is below RAM
// is device memory.
        .equ    RAM, 0x40000000
        .equ    RAM_SIZE, 0x8000000             // 128 MiB
        .equ    CODE_END, 0x40200000
        .equ    TABLES, 0x40200000              // levels 0, 1 and 2, then level 3 for all of RAM
        .equ    LEVEL_3, TABLES + 0x3000
        .equ    STACK_END, 0x40800000
        .equ    UART, 0x9000000
        .equ    PAGE_CODE, 0x7c7                // AF, inner shareable, read-only at EL1 and EL0, MAIR 1, a page
        .equ    PAGE_DATA, 0x60000000000747     // the same, read-write, never executed
        .equ    BLOCK_DEVICES, 0x60000000000441 // AF, read-write, MAIR 0, a block of 1 GiB
_start:
        ldr     x0, =vectors
        msr     VBAR_EL1, x0
        mov     x0, #0x300000                   // FP and SIMD do not trap
        msr     CPACR_EL1, x0
        ldr     x0, =LEVEL_3
        ldr     x1, =(RAM + PAGE_CODE)
        ldr     x3, =CODE_END
1:      add     x2, x1, #1, lsl #12             // two pages at a time
        stp     x1, x2, [x0], #16
        add     x1, x1, #2, lsl #12
        cmp     x1, x3
        b.lo    1b
        ldr     x1, =(CODE_END + PAGE_DATA)
        ldr     x3, =(RAM + RAM_SIZE + PAGE_DATA)
2:      add     x2, x1, #1, lsl #12
        stp     x1, x2, [x0], #16
        add     x1, x1, #2, lsl #12
        cmp     x1, x3
        b.lo    2b
        ldr     x0, =TABLES
        add     x1, x0, #1, lsl #12             // level 0: one table
        orr     x2, x1, #3
        str     x2, [x0]
        ldr     x1, =BLOCK_DEVICES              // level 1: devices, RAM
        add     x3, x0, #1, lsl #12
        add     x2, x0, #2, lsl #12
        orr     x4, x2, #3
        stp     x1, x4, [x3]
        add     x1, x0, #3, lsl #12             // level 2: a table for each 2 MiB of RAM
        orr     x1, x1, #3
        mov     x3, #(RAM_SIZE >> 21)
3:      str     x1, [x2], #8
        add     x1, x1, #1, lsl #12
        subs    x3, x3, #1
        b.ne    3b
        msr     TTBR0_EL1, x0
        mov     x0, #0xff00                     // MAIR 0 device-nGnRnE, 1 write-back
        msr     MAIR_EL1, x0
        ldr     x0, =0x200803510                // 40-bit addresses, no TTBR1, write-back tables, 48-bit space
        msr     TCR_EL1, x0
        dsb     sy
        isb
        mrs     x0, SCTLR_EL1
        mov     x1, #0x1005                     // M, C, I
        orr     x0, x0, x1
        msr     SCTLR_EL1, x0
        isb
        ldr     x0, =STACK_END
        mov     sp, x0
        ldr     x0, =ROUNDS
        ldr     x1, =SIZE
        ldr     x2, =DATA
        bl      run
finish:                                         // prints X0 in 16 digits, a line, and powers off
        ldr     x1, =UART
        mov     w3, #16
1:      ror     x0, x0, #60
        and     w2, w0, #15
        cmp     w2, #10
        add     w4, w2, #'0'
        add     w2, w2, #('a' - 10)
        csel    w2, w4, w2, lo
        str     w2, [x1]
        subs    w3, w3, #1
        b.ne    1b
off:    mov     w2, #'\n'
        str     w2, [x1]
        ldr     x0, =0x84000008                 // SYSTEM_OFF
        hvc     #0
        b       .
unexpected:                                     // an exception nobody asked for: the check sum is an X
        ldr     x1, =UART
        mov     w2, #'X'
        str     w2, [x1]
        b       off
        .ltorg
        .balign 2048
vectors:
        .rept   16
        .balign 128
        b       unexpected
        .endr
        .balign 128
