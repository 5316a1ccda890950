// Runs cases of translation: sets registers, patches memory, then executes one AT or drops to EL1 or EL0 and records
// how that came back. At EL2 it has everything; at EL3, with secure=on, only AT, also of EL2 and of Secure state.
.equ CASES, 0x42000000
.equ RESULTS, 0x44000000
.equ CASE_WORDS, 24
.text
.globl _start
_start:
  adr x0, vectors
  mrs x1, CurrentEL
  cmp x1, #12
  b.eq 1f
  msr vbar_el2, x0
  mov x0, #0x33ff
  msr cptr_el2, x0
  b 2f
1:
  msr vbar_el3, x0
  msr cptr_el3, xzr
2:
  mov x0, #0x300000
  msr cpacr_el1, x0              // no traps of SIMD
  adr x0, stack_end
  mov sp, x0
  ldr x19, =CASES
  ldr x20, =RESULTS
  ldr x21, [x19], #8             // cases left
next:
  cbz x21, finish
  add x0, x19, #CASE_WORDS * 8
  ldr x1, [x19, #112]
1:
  cbz x1, 2f
  ldp x2, x3, [x0], #16
  str x3, [x2]
  sub x1, x1, #1
  b 1b
2:
  ldp x0, x1, [x19, #0]
  msr sctlr_el1, x0
  msr tcr_el1, x1
  ldp x0, x1, [x19, #16]
  msr ttbr0_el1, x0
  msr ttbr1_el1, x1
  ldp x0, x1, [x19, #32]
  msr mair_el1, x0
  msr hcr_el2, x1
  ldp x0, x1, [x19, #48]
  msr vtcr_el2, x0
  msr vttbr_el2, x1
  ldr x0, [x19, #80]
  msr vbar_el1, x0
  msr esr_el1, xzr
  msr far_el1, xzr
  msr elr_el1, xzr
  msr esr_el2, xzr
  msr far_el2, xzr
  msr hpfar_el2, xzr
  msr par_el1, xzr
  ldp x0, x1, [x19, #64]
  mrs x2, CurrentEL
  cmp x2, #12
  b.eq secure_controls
  msr elr_el2, x0
  msr spsr_el2, x1
  b controls_done
secure_controls:
  ldp x0, x1, [x19, #128]
  msr scr_el3, x0
  msr sctlr_el2, x1
  ldp x0, x1, [x19, #144]
  msr tcr_el2, x0
  msr ttbr0_el2, x1
  ldr x0, [x19, #160]
  msr mair_el2, x0
  msr esr_el3, xzr
  msr far_el3, xzr
  isb
  tlbi alle2
controls_done:
  ic iallu
  tlbi alle1
  dsb sy
  isb
  stp x19, x20, [sp, #-32]!
  str x21, [sp, #16]
  ldr x2, [x19, #104]            // operation: negative to run, else the number of an AT
  ldp x0, x1, [x19, #88]
  tbnz x2, #63, run
  adr x3, operations
  add x3, x3, x2, lsl #3
  br x3
operations:
  at s1e1r, x0
  b translated
  at s1e1w, x0
  b translated
  at s1e0r, x0
  b translated
  at s1e0w, x0
  b translated
  at s12e1r, x0
  b translated
  at s12e1w, x0
  b translated
  at s12e0r, x0
  b translated
  at s12e0w, x0
  b translated
  at s1e2r, x0
  b translated
  at s1e2w, x0
  b translated
translated:
  isb
  mov x18, #0x100
  b record
run:
  mov x2, #0
  mov x3, #0
  mov x18, #0
  eret

record:                          // x18 is the vector, x0 and x1 are the case's
  mov x9, x0
  ldr x21, [sp, #16]
  ldp x19, x20, [sp], #32
  str x18, [x20, #0]
  mrs x2, CurrentEL
  cmp x2, #12
  b.eq 1f
  mrs x2, esr_el2
  mrs x3, far_el2
  mrs x4, hpfar_el2
  mrs x5, elr_el2
  mrs x6, spsr_el2
  b 2f
1:
  mrs x2, esr_el3
  mrs x3, far_el3
  mov x4, #0
  mov x5, #0
  mov x6, #0
2:
  stp x2, x3, [x20, #8]
  stp x4, x5, [x20, #24]
  mrs x2, esr_el1
  mrs x3, far_el1
  stp x2, x3, [x20, #40]
  mrs x2, elr_el1
  stp x2, x6, [x20, #56]
  mrs x3, par_el1
  stp x1, x3, [x20, #72]
  str x9, [x20, #88]
  add x0, x19, #CASE_WORDS * 8   // memory is zero again
  ldr x1, [x19, #112]
1:
  cbz x1, 2f
  ldp x2, x3, [x0], #16
  str xzr, [x2]
  sub x1, x1, #1
  b 1b
2:
  ldr x0, [x19, #120]            // bytes of patches
  add x19, x19, #CASE_WORDS * 8
  add x19, x19, x0
  add x20, x20, #96
  sub x21, x21, #1
  b next

finish:
  adr x1, open_block
  adr x2, name
  str x2, [x1]
  mov x0, #1
  hlt #0xf000                    // SYS_OPEN
  adr x1, write_block
  str x0, [x1]
  ldr x2, =RESULTS
  str x2, [x1, #8]
  sub x3, x20, x2
  str x3, [x1, #16]
  mov x0, #5
  hlt #0xf000                    // SYS_WRITE
  adr x1, exit_block
  mov x0, #0x18
  hlt #0xf000                    // SYS_EXIT
  b .
  .ltorg

.balign 8
open_block: .quad 0, 5, 11
write_block: .quad 0, 0, 0
exit_block: .quad 0x20026, 0
name: .asciz "results.bin"
.balign 16
.skip 256
stack_end:

.balign 2048
vectors:
.macro vector number
.balign 128
  mov x18, #\number
  b record
.endm
vector 0
vector 1
vector 2
vector 3
vector 4
vector 5
vector 6
vector 7
vector 8
vector 9
vector 10
vector 11
vector 12
vector 13
vector 14
vector 15
