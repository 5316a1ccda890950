// Runs single instructions under Linux: reads cases from standard input, writes what each left behind.
//
// A batch is a 64-bit count and as many records; an answer is as many records. record.ts has their layout and the
// addresses that are not defined here.
// Everything happens in the signal handler: the instruction under test is followed by an undefined one, so that
// whatever it does ends in a signal, whose frame holds the whole state and, changed, starts the next case.

.equ STACK_SIZE,  0x8000
.equ FRAME_FAULT, 176                   // offsets in the signal frame's ucontext
.equ FRAME_X,     184
.equ FRAME_PC,    440
.equ FRAME_PSTATE, 448
.equ FRAME_FPSR,  472
.equ FRAME_V,     480

.globl _start
_start:
    ldr x0, =SLOT & ~4095               // read, write, execute
    mov x2, #7
    bl map
    ldr x0, =WINDOW & ~4095                // read, write
    mov x2, #3
    bl map
    ldr x0, =HOLE & ~4095
    mov x2, #0
    bl map

    ldr x0, =stack_description
    mov x1, #0
    mov x8, #132                        // sigaltstack
    svc #0
    mov x19, #4                         // SIGILL
    bl catch
    mov x19, #5                         // SIGTRAP
    bl catch
    mov x19, #7                         // SIGBUS
    bl catch
    mov x19, #11                        // SIGSEGV
    bl catch
    .word 0                             // into the handler, which starts the first case

map:                                    // one page at X0 with protection X2
    mov x1, #4096
    mov x3, #0x32                       // MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS
    mov x4, #-1
    mov x5, #0
    mov x8, #222                        // mmap
    svc #0
    ret

catch:                                  // the handler for signal X19
    mov x0, x19
    ldr x1, =action
    mov x2, #0
    mov x3, #8
    mov x8, #134                        // rt_sigaction
    svc #0
    ret

handler:                                // X0 signal, X2 ucontext
    ldr x20, =remaining
    ldp x21, x22, [x20]
    mov x23, x2
    cbz x21, receive

    ldr x3, [x23, #FRAME_PC]
    str x3, [x22], #8
    add x4, x23, #FRAME_X
    mov x5, #32
1:  ldr x3, [x4], #8
    str x3, [x22], #8
    subs x5, x5, #1
    b.ne 1b
    ldr x3, [x23, #FRAME_PSTATE]
    and x3, x3, #0xf0000000
    str x3, [x22], #8
    ldr x3, [x23, #FRAME_FPSR]
    str x3, [x22], #8
    ldr x3, [x23, #FRAME_FAULT]
    stp x3, x0, [x22]
    add x22, x22, #24
    add x4, x23, #FRAME_V
    bl copy_vectors
    ldr x4, =WINDOW
    bl copy_window
    subs x21, x21, #1
    b.ne start

    ldr x1, =records
    ldr x24, [x20, #16]                 // records in the batch
    mov x2, #RECORD_SIZE
    mul x24, x24, x2
2:  mov x0, #1                          // write them all
    mov x2, x24
    mov x8, #64
    svc #0
    cmp x0, #0
    b.le leave
    add x1, x1, x0
    subs x24, x24, x0
    b.ne 2b

receive:
    ldr x1, =count
    mov x24, #8
    bl read_all
    ldr x21, =count
    ldr x21, [x21]
    cbz x21, leave
    str x21, [x20, #16]
    ldr x1, =records
    mov x22, x1
    mov x24, #RECORD_SIZE
    mul x24, x24, x21
    bl read_all

start:                                  // the case at X22
    stp x21, x22, [x20]
    ldr x6, =SLOT
    ldr w3, [x22]
    ldr w4, [x22, #4]
    stp w4, w3, [x6, #-4]
    dc cvau, x6
    sub x7, x6, #4
    dc cvau, x7
    dsb ish
    ic ivau, x6
    ic ivau, x7
    dsb ish
    isb
    str x7, [x23, #FRAME_PC]
    add x7, x22, #8
    add x4, x23, #FRAME_X
    mov x5, #32
3:  ldr x3, [x7], #8
    str x3, [x4], #8
    subs x5, x5, #1
    b.ne 3b
    ldr x3, [x7], #8
    str x3, [x23, #FRAME_PSTATE]
    ldr x3, [x7]
    str x3, [x23, #FRAME_FPSR]
    add x4, x22, #RECORD_V
    add x22, x23, #FRAME_V
    bl copy_vectors
    ldr x22, =WINDOW
    bl copy_window
    mov x8, #139                        // rt_sigreturn
    svc #0

copy_vectors:                           // 512 bytes from X4 to X22, both advanced
    mov x5, #32
4:  ldp x3, x6, [x4], #16
    stp x3, x6, [x22], #16
    subs x5, x5, #1
    b.ne 4b
    ret

copy_window:                            // 256 bytes
    mov x5, #16
    b 4b

read_all:                               // X24 bytes to X1, or the end
    mov x0, #0
    mov x2, x24
    mov x8, #63
    svc #0
    cmp x0, #0
    b.le leave
    add x1, x1, x0
    subs x24, x24, x0
    b.ne read_all
    ret

leave:
    mov x0, #0
    mov x8, #94                         // exit_group
    svc #0

    .data
    .align 12                           // data on pages of its own: a store beside code makes QEMU translate it again
action:                                 // struct sigaction: handler, SA_SIGINFO | SA_ONSTACK | SA_NODEFER, no restorer
    .quad handler, 0x48000004, 0, 0
stack_description:                      // stack_t: base, flags, size
    .quad stack, 0, STACK_SIZE
remaining:                              // cases left of the batch, record of the present one, cases in the batch
    .quad 0, 0, 0
count:
    .quad 0

    .bss
    .align 4
stack:
    .space STACK_SIZE
records:
    .space RECORD_SIZE * CAPACITY
