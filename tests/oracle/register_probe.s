// Tries MRS or MSR (SYS, SYSL) with every encoding of op0 1, 2 and 3 at one level, and keeps what came of it.
//
// PARAMETERS holds FEATURES (bit 0 EL2, bit 1 EL3), SPSR of the level to try at, SCR_EL3, MASKS, then pairs of an
// instruction word and a value in X0 that set the machine up, ended by a zero. With MASKS, registers that can be read
// and written are also read after a write of ones and of zeros. Five 64-bit words follow for each encoding: level and
// syndrome of a read (0 when there was no exception), value, level and syndrome of a write of the value that the
// highest level read before, and the values after ones and zeros.

    .macro eret_from level, spsr, address
    msr ELR_EL\level, \address
    msr SPSR_EL\level, \spsr
    eret
    .endm

    .macro handlers level               // step over the instruction, or end
    .align 11
vectors_\level:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .align 7
    b handler_\level
    .endr
handler_\level:
    cbnz x27, finish
    mrs x9, ESR_EL\level
    mov x10, #\level
    mrs x28, ELR_EL\level
    add x28, x28, #4
    msr ELR_EL\level, x28
    eret
    .endm

    .macro stub_is opcode               // the stub becomes this operation of encoding X22
    movz w4, #\opcode, lsl #16
    lsl w5, w22, #5
    orr w4, w4, w5
    str w4, [x23]
    isb
    .endm

.equ READ, 0xd520
.equ WRITE, 0xd500

.globl _start
_start:
    ldr x20, =PARAMETERS
    ldr x21, =RESULTS
    adr x23, stub
    mrs x2, CurrentEL
    lsr x2, x2, #2
    ldr x24, [x20]
    adr x1, vectors_1
    msr VBAR_EL1, x1
    tbz x24, #1, 1f
    adr x1, vectors_3
    msr VBAR_EL3, x1
    ldr x0, [x20, #16]
    msr SCR_EL3, x0
1:  tbz x24, #0, 2f
    adr x1, vectors_2
    msr VBAR_EL2, x1
2:  isb
    add x3, x20, #32
setup:
    ldp x4, x0, [x3], #16
    cbz x4, values
    str w4, [x23]
    isb
    blr x23
    b setup

values:                                 // what the highest level reads, for the writes
    ldr x25, =VALUES
    mov x22, #0x8000
1:  stub_is READ
    mov x0, #0
    mov x9, #0
    blr x23
    cmp x9, #0
    csel x0, x0, xzr, eq
    str x0, [x25], #8
    add x22, x22, #1
    mov x5, #0x10000
    cmp x22, x5
    b.ne 1b

    ldr x0, [x20, #8]                   // to the level
    ubfx x3, x0, #2, #2
    mrs x2, CurrentEL
    lsr x2, x2, #2
    adr x1, run
    cmp x2, x3
    b.eq run
    cmp x2, #2
    b.eq 2f
    b.hi 3f
    eret_from 1, x0, x1
2:  eret_from 2, x0, x1
3:  eret_from 3, x0, x1

run:
    mov x22, #0x4000
next:
    stub_is READ
    ldr x0, =SCRATCH
    bl try
    stp x9, x0, [x21], #16
    stub_is WRITE
    ldr x0, =SCRATCH                    // an address for DC ZVA
    tbz x22, #15, 1f
    sub x5, x22, #8, lsl #12
    ldr x25, =VALUES
    ldr x0, [x25, x5, lsl #3]
1:  bl try
    str x9, [x21], #8
    mov x11, #0
    mov x12, #0
    ldr x1, [x20, #24]
    cbz x1, done
    cbnz x9, done
    tbz x22, #15, done
    ldr x1, =EXCLUDED                   // registers without which the probe cannot go on
2:  ldr x2, [x1], #8
    cbz x2, 3f
    cmp x2, x22
    b.eq done
    b 2b
3:  mov x13, x0
    mov x0, #-1
    blr x23
    stub_is READ
    blr x23
    mov x11, x0
    stub_is WRITE
    mov x0, #0
    blr x23
    stub_is READ
    blr x23
    mov x12, x0
    stub_is WRITE
    mov x0, x13
    blr x23
done:
    stp x11, x12, [x21], #16
    add x22, x22, #1
    mov x5, #0x10000
    cmp x22, x5
    b.ne next
    mov x27, #1
    udf #0

try:                                    // level and syndrome in X9
    mov x29, x30
    mov x9, #0
    mov x10, #0
    blr x23
    orr x9, x9, x10, lsl #32
    ret x29

finish:                                 // SYS_OPEN ":tt" for writing, SYS_WRITE, SYS_EXIT
    adr x1, open_block
    mov w0, #1
    hlt #0xf000
    adr x1, write_block
    ldr x2, =RESULTS
    sub x3, x21, x2
    stp x0, x2, [x1]
    str x3, [x1, #16]
    mov w0, #5
    hlt #0xf000
    adr x1, exit_block
    mov w0, #0x18
    hlt #0xf000

    .ltorg
    .align 3
open_block:
    .quad console, 4, 3
write_block:
    .quad 0, 0, 0
exit_block:
    .quad 0x20026, 0
console:
    .asciz ":tt"

    .align 12
stub:
    nop
    ret
    handlers 1
    handlers 2
    handlers 3
