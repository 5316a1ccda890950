// Runs a table of accesses on several CPUs at EL3, each when it is its turn; VA bit 32 makes an access Non-secure.
// Table at 0x40110000, 32 bytes each: kind (0 end, 1 read, 2 write, 3 ISR_EL1, 4 instruction), size, CPU, value, address; turn at 0x40100000.
.text
start:
  mrs x19, mpidr_el1
  and x19, x19, #0xff
  adr x0, tables
  msr ttbr0_el3, x0
  ldr x0, =0x8081001f
  msr tcr_el3, x0
  ldr x0, =0x4400
  msr mair_el3, x0
  isb
  mrs x0, sctlr_el3
  orr x0, x0, #1
  msr sctlr_el3, x0
  isb
  ldr x20, =0x40100000
  ldr x21, =0x40110000
wait:
  yield
  ldr w0, [x20]
  dmb sy
  add x22, x21, x0, lsl #5
  ldr w1, [x22, #8]
  cmp w1, w19
  b.ne wait
  ldr w2, [x22]
  ldr w3, [x22, #4]
  ldr w4, [x22, #12]
  ldr x5, [x22, #16]
  cbz w2, end
  cmp w2, #3
  b.eq isr
  cmp w2, #4
  b.eq execute
  cmp w2, #2
  b.eq wr
  cmp w3, #1
  b.eq 1f
  cmp w3, #2
  b.eq 2f
  ldr w4, [x5]
  b done
1: ldrb w4, [x5]
  b done
2: ldrh w4, [x5]
  b done
wr:
  cmp w3, #1
  b.eq 1f
  cmp w3, #2
  b.eq 2f
  str w4, [x5]
  b done
1: strb w4, [x5]
  b done
2: strh w4, [x5]
  b done
execute:                                // the word in place of the value, X0 from the address; its X0 is the value
  adr x6, slot
  str w4, [x6]
  dc cvau, x6
  dsb sy
  ic ivau, x6
  dsb sy
  isb
  mov x0, x5
slot:
  nop
  mov x4, x0
  dsb sy
  isb
  ldr w0, [x20]
  b done
isr:
  dsb sy
  isb
  mrs x4, isr_el1
done:
  dsb sy
  str w4, [x22, #12]
  dmb sy
  add w0, w0, #1
  str w0, [x20]
  b wait
end:
  ldr x5, =0x09000000
  mov x6, x21
3: cmp x6, x22
  b.eq 4f
  ldr w4, [x6, #12]
  strb w4, [x5]
  lsr w4, w4, #8
  strb w4, [x5]
  lsr w4, w4, #8
  strb w4, [x5]
  lsr w4, w4, #8
  strb w4, [x5]
  add x6, x6, #32
  b 3b
4: mov w0, #0x18
  ldr x1, =0x40100100
  ldr x2, =0x20026
  str x2, [x1]
  str xzr, [x1, #8]
  hlt #0xf000
  b 4b
.align 12
tables:
  .quad 0x0040000000000401
  .quad 0x0000000040000405
  .quad 0
  .quad 0
  .quad 0x0040000000000421
  .quad 0
  .quad 0
  .quad 0
