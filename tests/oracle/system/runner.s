// Runs cases at any exception level of a bare machine: sets registers and memory up, runs a few instructions at a
// level until they end in an exception, and keeps the syndromes of all levels.
//
// It owns the highest level, TOP. Exceptions taken to lower levels come up by SMC (HVC when there is no EL3) with the
// number of the vector. CASES holds operations, 64-bit words:
//   0                                   the end: results go to the semihosting console as they are
//   1 address value                     stores
//   2 word value                        executes an instruction word with the value in X0
//   3 SPSR PC SCTLR X0-X7 words(4)      runs up to eight instruction words, then BRK; a result follows
//   4                                   puts registers back to what every case begins with
//   5 address count value               stores count times
//   6 address value                     stores 32 bits
// A result is X0-X7, the number of TOP's vector, ESR, FAR, ELR, SPSR and PAR of EL1, ESR, FAR, ELR, SPSR and HPFAR of
// EL2, ESR, FAR, ELR and SPSR of EL3, and a zero.

.equ SCTLR_RESET_1, 0x30d00800          // the bits that are one
.equ SCTLR_RESET,   0x30c50830

    .macro to_top name, reg             // MSR to the register of the highest level
    .if TOP == 3
    msr \name\()_EL3, \reg
    .endif
    .if TOP == 2
    msr \name\()_EL2, \reg
    .endif
    .if TOP == 1
    msr \name\()_EL1, \reg
    .endif
    .endm

    .macro from_top reg, name
    .if TOP == 3
    mrs \reg, \name\()_EL3
    .endif
    .if TOP == 2
    mrs \reg, \name\()_EL2
    .endif
    .if TOP == 1
    mrs \reg, \name\()_EL1
    .endif
    .endm

    .macro set register, value          // a constant into a system register
    ldr x0, =\value
    msr \register, x0
    .endm

    .macro clear_syndromes level
    msr ESR_EL\level, xzr
    msr FAR_EL\level, xzr
    msr ELR_EL\level, xzr
    msr SPSR_EL\level, xzr
    .endm

    .macro keep_syndromes level         // to X25
    mrs x0, ESR_EL\level
    mrs x1, FAR_EL\level
    stp x0, x1, [x25], #16
    mrs x0, ELR_EL\level
    mrs x1, SPSR_EL\level
    stp x0, x1, [x25], #16
    .endm

    .macro keep register
    mrs x0, \register
    str x0, [x25], #8
    .endm

.globl _start
_start:
    ldr x0, =top_vectors
    to_top VBAR, x0
    ldr x28, =CASES
    ldr x27, =RESULTS
    bl reset
next:
    ldr x0, [x28], #8
    adr x1, operations
    add x1, x1, x0, lsl #2
    br x1
operations:
    b finish
    b poke
    b write
    b run
    b reset_next
    b fill
    b poke_word

poke_word:
    ldp x0, x1, [x28], #16
    str w1, [x0]
    b next

poke:
    ldp x0, x1, [x28], #16
    str x1, [x0]
    b next

fill:
    ldp x0, x1, [x28], #16
    ldr x2, [x28], #8
1:  str x2, [x0], #8
    subs x1, x1, #1
    b.ne 1b
    b next

write:
    ldp x1, x0, [x28], #16
    adr x2, patch
    str w1, [x2]
    dc cvau, x2
    dsb ish
    ic ivau, x2
    dsb ish
    isb
    b patch

reset_next:
    bl reset
    b next

run:
    adr x30, frame
    ldr x0, [x28], #8
    to_top SPSR, x0
    ldr x0, [x28], #8
    to_top ELR, x0
    ldr x9, [x28], #8
    add x1, x28, #64                    // the words
    ldr x2, =slot
    ldp x3, x4, [x1], #16
    ldp x5, x6, [x1], #16
    stp x3, x4, [x2]
    stp x5, x6, [x2, #16]
    dc cvau, x2
    dsb ish
    ic iallu
    stp x27, x1, [x30, #64]             // where to go on
    .if TOP == 3
    clear_syndromes 2
    msr HPFAR_EL2, xzr
    msr ESR_EL3, xzr
    msr FAR_EL3, xzr
    .endif
    .if TOP >= 2
    clear_syndromes 1
    .endif
    .if TOP == 2
    msr HPFAR_EL2, xzr
    msr ESR_EL2, xzr
    msr FAR_EL2, xzr
    .endif
    .if TOP == 1
    msr ESR_EL1, xzr
    msr FAR_EL1, xzr
    .endif
    msr PAR_EL1, xzr
    .if TOP == 3
    tlbi alle3
    .endif
    .if TOP >= 2
    tlbi alle2
    tlbi alle1
    .endif
    .if TOP == 1
    tlbi vmalle1
    .endif
    dsb ish
    clrex
    to_top SCTLR, x9                    // the MMU of this level may be on from here to the vector
    isb
    ldp x0, x1, [x28]
    ldp x2, x3, [x28, #16]
    ldp x4, x5, [x28, #32]
    ldp x6, x7, [x28, #48]
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    mov x\n, #0
    .endr
    eret

common:                                 // an exception taken to TOP: vector in X0, X0 and X1 saved, frame in X30
    stp x2, x3, [x30, #16]
    stp x4, x5, [x30, #32]
    stp x6, x7, [x30, #48]
    ldr x1, =SCTLR_RESET
    .if TOP == 1
    ldr x1, =SCTLR_RESET_1
    .endif
    to_top SCTLR, x1
    isb
    ldp x25, x28, [x30, #64]
    ldp x2, x3, [x30]
    stp x2, x3, [x25], #16
    ldp x2, x3, [x30, #16]
    stp x2, x3, [x25], #16
    ldp x2, x3, [x30, #32]
    stp x2, x3, [x25], #16
    ldp x2, x3, [x30, #48]
    stp x2, x3, [x25], #16
    str x0, [x25], #8
    keep_syndromes 1
    keep PAR_EL1
    .if TOP >= 2
    keep_syndromes 2
    keep HPFAR_EL2
    .else
    add x25, x25, #40
    .endif
    .if TOP == 3
    keep_syndromes 3
    .else
    add x25, x25, #32
    .endif
    add x27, x25, #8
    b next

finish:                                 // SYS_OPEN ":tt" for writing, SYS_WRITE, SYS_EXIT
    adr x1, open_block
    mov w0, #1
    hlt #0xf000
    adr x1, write_block
    str x0, [x1]
    ldr x2, =RESULTS
    sub x3, x27, x2
    stp x2, x3, [x1, #8]
    mov w0, #5
    hlt #0xf000
    adr x1, exit_block
    mov w0, #0x18
    hlt #0xf000

    .align 3
open_block:
    .quad console, 4, 3
write_block:
    .quad 0, 0, 0
exit_block:
    .quad 0x20026, 0
console:
    .asciz ":tt"

    .align 3
reset:                                  // all registers that cases may have changed, by level; keeps X27, X28, X30
    .if TOP == 3
    set SCR_EL3, SCR_RESET
    msr CPTR_EL3, xzr
    msr MDCR_EL3, xzr
    msr TCR_EL3, xzr
    msr TTBR0_EL3, xzr
    set MAIR_EL3, MAIR_RESET
    .endif
    .if TOP >= 2
    set VBAR_EL1, vectors_1
    set HCR_EL2, 0x80000000
    set CPTR_EL2, 0x33ff
    set MDCR_EL2, 6
    msr HSTR_EL2, xzr
    set VTCR_EL2, 0x80000000
    msr VTTBR_EL2, xzr
    set TCR_EL2, 0x80800000
    msr TTBR0_EL2, xzr
    set MAIR_EL2, MAIR_RESET
    set CNTHCTL_EL2, 3
    msr CNTVOFF_EL2, xzr
    set VPIDR_EL2, 0x411fd070
    set VMPIDR_EL2, 0x80000000
    msr TPIDR_EL2, xzr
    set SCTLR_EL1, SCTLR_RESET_1
    mov x0, #0x4000
    lsl x0, x0, #16
    msr SP_EL1, x0
    .endif
    .if TOP == 3
    set VBAR_EL2, vectors_2
    set SCTLR_EL2, SCTLR_RESET
    msr SP_EL2, x0
    .endif
    msr SP_EL0, xzr
    set CPACR_EL1, 0x300000
    msr TCR_EL1, xzr
    msr TTBR0_EL1, xzr
    msr TTBR1_EL1, xzr
    set MAIR_EL1, MAIR_RESET
    msr CONTEXTIDR_EL1, xzr
    msr MDSCR_EL1, xzr
    msr CNTKCTL_EL1, xzr
    msr PMUSERENR_EL0, xzr
    msr CSSELR_EL1, xzr
    msr TPIDR_EL0, xzr
    msr TPIDRRO_EL0, xzr
    .if TOP >= 2
    msr TPIDR_EL1, xzr
    .endif
    isb
    ret

    .ltorg
    .align 3
frame:                                  // X0-X7, then the result and the next operation
    .space 80

    .align 4
patch:                                  // an instruction of `write`
    nop
    isb
    b next

    .align 11
top_vectors:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .align 7
    to_top TPIDR, x30
    adr x30, frame
    stp x0, x1, [x30]
    mov x0, #\n
    b common
    .endr

    .if TOP >= 2
    .align 16                           // stubs and slot: what lower levels must be able to execute
vectors_1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .align 7
    .if TOP == 3
    smc #0x100 + \n
    .else
    hvc #0x100 + \n
    .endif
    .endr
    .endif
    .if TOP == 3
    .align 11
vectors_2:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .align 7
    smc #0x200 + \n
    .endr
    .endif
    .align 12
slot:
    .space 32
    brk #0
